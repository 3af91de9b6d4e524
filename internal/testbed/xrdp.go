package testbed

import (
	"cmp"
	"os"
	"path/filepath"
	"time"
)

// XRDP is a real xrdp with its session manager, in pid and mount namespaces of its own: its user exists only
// in there, and when the test ends, sessions, X servers and mounts are gone with it.
type XRDP struct {
	*Process
	Addr     string // host:port
	Username string
	Password string
	Home     string // folder of the user, as the test sees it
	Log      string // file: what xrdp itself logs
}

// XRDPOptions say what kind of xrdp to start. The zero value negotiates TLS, offers 32 bits a pixel and opens
// sessions of Xorg.
type XRDPOptions struct {
	Session       string // Xorg or Xvnc
	SecurityLayer string // negotiate, tls or rdp
	MaxBPP        int    // 8, 15, 16, 24 or 32
	Cert          *Cert  // one for 127.0.0.1 when nil
	Username      string // "desk" when empty
	Password      string // "Passw0rd!" when empty
	Command       string // shell script for the terminal on the desktop; a shell when empty
	Globals       string // more lines for [Globals] of xrdp.ini
}

// StartXRDP starts xrdp, for which it must be root. Any client signs in with Username and Password and comes
// to a desktop with a terminal: see Session.
func StartXRDP(t TB, o XRDPOptions) *XRDP {
	t.Helper()
	Require(t, "xrdp", "xrdp-sesman", "unshare", "openssl", "openbox", "xterm", "xdotool", "xhost", "xprop", "xset", "xsetroot")
	if os.Getuid() != 0 {
		unavailable(t, "xrdp needs root")
		return nil
	}
	o.Session = cmp.Or(o.Session, "Xorg")
	if _, err := os.Stat("/usr/lib/xorg/modules/drivers/xrdpdev_drv.so"); err != nil && o.Session == "Xorg" {
		unavailable(t, "not installed: xorgxrdp")
		return nil
	}
	if o.Session == "Xvnc" {
		Require(t, "Xvnc")
	}
	o.SecurityLayer = cmp.Or(o.SecurityLayer, "negotiate")
	o.MaxBPP = cmp.Or(o.MaxBPP, 32)
	o.Username = cmp.Or(o.Username, "desk")
	o.Password = cmp.Or(o.Password, "Passw0rd!")
	o.Command = cmp.Or(o.Command, "exec sh")
	if o.Cert == nil {
		o.Cert = NewCert(t, "localhost", "127.0.0.1")
	}
	var last error
	for range 3 { // another program may take a port first
		x, err := startXRDP(t, o)
		if err == nil {
			return x
		}
		last = err
	}
	t.Fatalf("testbed: %v", last)
	return nil
}

func startXRDP(t TB, o XRDPOptions) (*XRDP, error) {
	t.Helper()
	folder := t.TempDir()
	x := &XRDP{
		Addr: freeAddr(t), Username: o.Username, Password: o.Password,
		Home: filepath.Join(folder, "home"), Log: filepath.Join(folder, "etc", "xrdp.log"),
	}
	sesman, display := freeAddr(t), freeXRDPDisplay()
	uid := 200000 + display // nobody's, so that no limit or file is shared
	if err := writeXRDPConfig(folder, x, o, port(sesman), display); err != nil {
		return nil, err
	}
	if err := writeXRDPAccounts(filepath.Join(folder, "accounts"), o, uid); err != nil {
		return nil, err
	}
	if err := os.Mkdir(x.Home, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chown(x.Home, uid, uid); err != nil {
		return nil, err
	}
	namespace, err := xrdpFiles.ReadFile("xrdp/namespace.sh")
	if err != nil {
		return nil, err
	}
	p, err := launch(t, spawn{
		name: "unshare",
		args: []string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", string(namespace), "sh", folder, o.Username, port(sesman)},
	})
	if err != nil {
		return nil, err
	}
	x.Process = p
	if err := answers(p, x.Addr, time.Now().Add(startTimeout)); err != nil {
		p.Stop()
		return nil, err
	}
	return x, nil
}

// Session waits until somebody has signed in and the desktop shows, and returns its X server. The Process in
// it is that of xrdp.
func (x *XRDP) Session(t TB) *X {
	t.Helper()
	var found []string
	Eventually(t, startTimeout, "a session of "+x.Username, func() bool {
		found, _ = filepath.Glob(filepath.Join(x.Home, "sessions", ":*"))
		return len(found) > 0 || !x.Alive()
	})
	if len(found) == 0 {
		t.Fatalf("testbed: xrdp ended: %s", x.Output())
		return nil
	}
	return &X{Process: x.Process, Display: filepath.Base(found[0])}
}

// Sessions returns the displays of the sessions there are, with or without a client.
func (x *XRDP) Sessions() []string {
	found, _ := filepath.Glob(filepath.Join(x.Home, "sessions", ":*"))
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// LogOff ends the session from the inside, as its user would, and waits until it is gone.
func (x *XRDP) LogOff(t TB) {
	t.Helper()
	x.Session(t)
	if err := os.WriteFile(filepath.Join(x.Home, "logoff"), []byte("now\n"), 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	Eventually(t, startTimeout, "the end of the session", func() bool { return len(x.Sessions()) == 0 })
}
