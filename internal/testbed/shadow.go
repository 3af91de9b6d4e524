package testbed

import (
	"cmp"
	"image"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Shadow is FreeRDP's server, which shows the screen of another X server: the one here with NLA, and with
// RemoteFX and the graphics pipeline for clients that ask for them.
type Shadow struct {
	*Process
	Screen   *X
	Addr     string // host:port
	Username string // with NLA; otherwise it takes any
	Password string
	Cert     *Cert // what it shows
}

// ShadowOptions say what kind of server to start. The zero value is 1024×768 by TLS without any password.
type ShadowOptions struct {
	Size     image.Point
	NLA      bool   // ask for a password by NLA, and take nothing else
	Username string // "desk" when empty
	Password string // "Passw0rd!" when empty
	Domain   string // of the user, usually none
	Cert     *Cert  // one for 127.0.0.1 when nil
	Bare     bool   // an empty black screen, without window manager and terminal
	Args     []string
}

// StartShadow starts the server on a screen of its own, with a window manager and a terminal on it.
func StartShadow(t TB, o ShadowOptions) *Shadow {
	t.Helper()
	server := program(t, "freerdp-shadow-cli", "freerdp-shadow-cli3")
	if o.Cert == nil {
		o.Cert = NewCert(t, "localhost", "127.0.0.1")
	}
	s := &Shadow{
		Screen: StartXvfb(t, o.Size), Cert: o.Cert,
		Username: cmp.Or(o.Username, "desk"), Password: cmp.Or(o.Password, "Passw0rd!"),
	}
	home := t.TempDir()
	// It would make a certificate of its own if there were none where it looks, which its version decides.
	for _, product := range []string{"freerdp", "freerdp3"} {
		folder := filepath.Join(home, ".config", product, "shadow")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatalf("testbed: %v", err)
		}
		for name, content := range map[string][]byte{"shadow.crt": o.Cert.CertPEM, "shadow.key": o.Cert.KeyPEM} {
			if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
				t.Fatalf("testbed: %v", err)
			}
		}
	}
	args := []string{"/bind-address:127.0.0.1", "/sec:tls", "-auth"}
	if o.NLA {
		args = []string{"/bind-address:127.0.0.1", "/sec:nla", "+auth", "/sam-file:" + s.samFile(t, o.Domain)}
	}
	args = append(args, o.Args...)
	if !o.Bare {
		Require(t, "xsetroot")
		Run(t, s.Screen.Display, "xsetroot", "-solid", "#336699")
		OpenBox(t, s.Screen.Display)
		XTerm(t, s.Screen.Display, "PS1='$ ' exec sh")
	}
	var last error
	for range 3 { // another program may take the port first
		s.Addr = freeAddr(t)
		s.Process = start(t, spawn{
			name: server, args: append(args, "/port:"+port(s.Addr)),
			env: []string{"DISPLAY=" + s.Screen.Display, "HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, ".config")},
		})
		if last = answers(s.Process, s.Addr, time.Now().Add(startTimeout)); last == nil {
			return s
		}
		s.Stop()
	}
	t.Fatalf("testbed: %v", last)
	return nil
}

// samFile writes the user's NTLM hash as the server reads it.
func (s *Shadow) samFile(t TB, domain string) string {
	t.Helper()
	args := []string{"-u", s.Username, "-p", s.Password, "-f", "sam"}
	if domain != "" {
		args = append(args, "-d", domain)
	}
	line := Run(t, "", program(t, "winpr-hash", "winpr-hash3"), args...)
	file := filepath.Join(t.TempDir(), "sam")
	if err := os.WriteFile(file, []byte(strings.TrimSpace(line)+"\n"), 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return file
}
