package testbed

import (
	"cmp"
	_ "embed"
	"fmt"
	"image"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// GNOME is gnome-remote-desktop on a desktop that mutter shows nobody else: a target that insists on NLA and
// sends its picture through the graphics pipeline, as progressive RemoteFX. It shows the pointer apart from
// the picture.
type GNOME struct {
	*Process
	Addr     string // host:port
	Username string
	Password string
	Cert     *Cert  // what it shows
	Display  string // of X clients: ":5"

	dir string // HOME and all XDG folders
	env []string
}

// GNOMEOptions say how to start the desktop. The zero value is one monitor of 1024×768.
type GNOMEOptions struct {
	Size image.Point
	// Extend gives each client a monitor of the size it asks for, and there is no other.
	Extend   bool
	Username string // "desk" when empty
	Password string // "Passw0rd!" when empty
	Cert     *Cert  // one for 127.0.0.1 when nil
}

//go:embed gnome/picture.py
var gnomePicture string

// gnomeDaemon is not on the PATH, and python is Debian's own, which has the Xlib bindings.
const (
	gnomeDaemon = "/usr/libexec/gnome-remote-desktop-daemon"
	python      = "/usr/bin/python3"
)

// busConfig is a session bus that starts no programs.
const busConfig = `<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// StartGNOME starts a message bus, PipeWire, mutter and the RDP server. The server listens on every interface,
// which it cannot be talked out of.
func StartGNOME(t TB, o GNOMEOptions) *GNOME {
	t.Helper()
	Require(t, "dbus-daemon", "pipewire", "wireplumber", "mutter", "Xwayland", "xhost", python)
	if _, err := os.Stat(gnomeDaemon); err != nil {
		unavailable(t, "not installed: gnome-remote-desktop")
		return nil
	}
	g := &GNOME{
		Cert: o.Cert, Username: cmp.Or(o.Username, "desk"), Password: cmp.Or(o.Password, "Passw0rd!"),
	}
	if g.Cert == nil {
		g.Cert = NewCert(t, "localhost", "127.0.0.1")
	}
	bus := g.home(t, o)
	t.Cleanup(g.unmount) // before the folder goes, after the programs are gone
	start(t, spawn{name: "dbus-daemon", args: []string{"--config-file=" + bus, "--nofork", "--nopidfile"}, env: g.env})
	g.exists(t, "bus")
	start(t, spawn{name: "pipewire", env: g.env})
	g.exists(t, "pipewire-0")
	start(t, spawn{name: "wireplumber", args: wireplumberArgs(), env: g.env})
	args := []string{"--headless", "--wayland", "--wayland-display=wayland-testbed"}
	if !o.Extend {
		args = append(args, "--virtual-monitor", geometry(o.Size))
	}
	mutter := start(t, spawn{name: "mutter", args: args, env: g.env})
	display := regexp.MustCompile(`Using public X11 display (:\d+)`)
	Eventually(t, startTimeout, "mutter's X display", func() bool {
		if !mutter.Alive() {
			t.Fatalf("testbed: mutter ended: %s", mutter.Output())
		}
		found := display.FindStringSubmatch(mutter.Output())
		if found == nil {
			return false
		}
		g.Display = found[1]
		return true
	})
	g.admit(t)
	var last error
	for range 3 { // another program may take the port first
		g.Addr = freeAddr(t)
		g.Process = start(t, spawn{name: gnomeDaemon, args: []string{"--rdp-port", port(g.Addr)}, env: g.env})
		if last = g.started(); last == nil {
			return g
		}
		g.Stop()
	}
	t.Fatalf("testbed: %v", last)
	return nil
}

// started waits until the server says that it listens. A connection to find that out would harm: when one ends,
// the server closes its descriptor twice, which may by then be that of the next connection.
func (g *GNOME) started() error {
	for end := time.Now().Add(startTimeout); g.Alive() && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		switch out := g.Output(); {
		case strings.Contains(out, "RDP server started"):
			return nil
		case strings.Contains(out, "Failed to start RDP server"):
			return fmt.Errorf("%s: %s", g.name, out)
		}
	}
	return fmt.Errorf("%s does not listen\n%s", g.name, g.Output())
}

// home makes the folder of a user with the server's settings and sets the environment of all programs. It
// returns the message bus's configuration.
func (g *GNOME) home(t TB, o GNOMEOptions) (bus string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	g.dir = dir
	g.env = []string{
		"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CACHE_HOME=" + dir,
		"XDG_STATE_HOME=" + dir, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(dir, "bus"),
		"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + filepath.Join(dir, "no-system-bus"), // nobody's real session is touched
		"GSETTINGS_BACKEND=keyfile", "GIO_USE_VFS=local", "NO_AT_BRIDGE=1", "LC_ALL=C.UTF-8", "WAYLAND_DISPLAY=wayland-testbed",
		"GNOME_REMOTE_DESKTOP_TEST_RDP_USERNAME=" + g.Username, "GNOME_REMOTE_DESKTOP_TEST_RDP_PASSWORD=" + g.Password,
	}
	mode := "mirror-primary"
	if o.Extend {
		mode = "extend"
	}
	settings := fmt.Sprintf("[org/gnome/desktop/remote-desktop/rdp]\nenable=true\nview-only=false\nscreen-share-mode='%s'\n"+
		"tls-cert='%s'\ntls-key='%s'\n[org/gnome/mutter]\nexperimental-features=@as []\n", mode, g.Cert.CertFile, g.Cert.KeyFile)
	bus = filepath.Join(dir, "bus.conf")
	for name, content := range map[string]string{
		filepath.Join(dir, "glib-2.0/settings/keyfile"): settings,
		bus: fmt.Sprintf(busConfig, filepath.Join(dir, "bus")),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatalf("testbed: %v", err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatalf("testbed: %v", err)
		}
	}
	return bus
}

// unmount takes away the folders of the clipboard's files, should the server have left them behind.
func (g *GNOME) unmount() {
	left, _ := filepath.Glob(filepath.Join(g.dir, "gnome-remote-desktop", "cliprdr-*"))
	for _, folder := range left {
		_ = exec.Command("fusermount3", "-u", "-q", "-z", folder).Run()
	}
}

// admit lets every program of this user open the X display, as those of the desktop itself may.
func (g *GNOME) admit(t TB) {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(g.dir, ".mutter-Xwaylandauth.*"))
	me, err := user.Current()
	if err != nil || len(found) != 1 {
		t.Fatalf("testbed: %v, %d keys of the X display", err, len(found))
	}
	cmd := exec.Command("xhost", "+si:localuser:"+me.Username)
	cmd.Env = append(os.Environ(), "DISPLAY="+g.Display, "XAUTHORITY="+found[0])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("testbed: xhost: %v: %s", err, out)
	}
}

// exists waits for a file in XDG_RUNTIME_DIR.
func (g *GNOME) exists(t TB, name string) {
	t.Helper()
	Eventually(t, startTimeout, name, func() bool {
		_, err := os.Stat(filepath.Join(g.dir, name))
		return err == nil
	})
}

// wireplumberArgs make it connect streams and look for no sound cards and cameras.
func wireplumberArgs() []string {
	const before05 = "/usr/share/wireplumber/policy.conf"
	if _, err := os.Stat(before05); err == nil {
		return []string{"-c", "policy.conf"}
	}
	return []string{"-p", "policy"}
}

// Picture shows a picture over everything else, until the process is stopped.
func (g *GNOME) Picture(t TB, img *image.RGBA) *Process {
	t.Helper()
	dir := t.TempDir()
	file, script := filepath.Join(dir, "pixels"), filepath.Join(dir, "picture.py")
	for name, content := range map[string][]byte{file: bgrx(img), script: []byte(gnomePicture)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatalf("testbed: %v", err)
		}
	}
	size := img.Bounds().Size()
	return start(t, spawn{
		name: python, args: []string{script, strconv.Itoa(size.X), strconv.Itoa(size.Y), file},
		env: append(g.env, "DISPLAY="+g.Display), calm: true,
	})
}
