package testbed

import (
	"image"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Weston is a Wayland compositor whose only screen is its RDP server: a target that insists on surface
// commands. Its input comes from RDP clients alone.
type Weston struct {
	*Process
	Addr string // host:port; TLS, no password
	Cert *Cert

	// Wallpaper is what the screen shows, without a pointer, as long as nobody starts a client.
	Wallpaper *image.RGBA

	env []string
}

// WestonOptions say how to start Weston. The zero value is 1024×768 with nothing but a wallpaper.
type WestonOptions struct {
	Size   image.Point
	Resize bool  // take the size each client asks for; otherwise clients are told Size
	Cert   *Cert // one for 127.0.0.1 when nil
	Args   []string
}

// StartWeston starts the compositor with its RDP server.
func StartWeston(t TB, o WestonOptions) *Weston {
	t.Helper()
	Require(t, "weston")
	if found, _ := filepath.Glob("/usr/lib/*/libweston-*/rdp-backend.so"); len(found) == 0 {
		unavailable(t, "weston has no RDP backend here")
		return nil
	}
	if o.Size == (image.Point{}) {
		o.Size = image.Pt(1024, 768)
	}
	w := &Weston{Cert: o.Cert, Wallpaper: Wallpaper(o.Size)}
	if w.Cert == nil {
		w.Cert = NewCert(t, "localhost", "127.0.0.1")
	}
	runtime := t.TempDir()
	if err := os.Chmod(runtime, 0o700); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	wallpaper := filepath.Join(runtime, "wallpaper.png")
	if err := writePNG(wallpaper, w.Wallpaper); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	config := filepath.Join(runtime, "weston.ini")
	// No panel: it shows a clock.
	ini := "[core]\nidle-time=0\n[shell]\npanel-position=none\nbackground-image=" + wallpaper + "\nbackground-type=tile\n" +
		"locking=false\nanimation=none\nstartup-animation=none\nclose-animation=none\nfocus-animation=none\n" +
		"[terminal]\nfont=DejaVu Sans Mono\nfont-size=14\n"
	if err := os.WriteFile(config, []byte(ini), 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	w.env = []string{"XDG_RUNTIME_DIR=" + runtime, "WAYLAND_DISPLAY=wayland-testbed", "HOME=" + runtime, "LC_ALL=C.UTF-8"}
	args := []string{
		"--backend=rdp-backend.so", "--address=127.0.0.1", "--socket=wayland-testbed", "--config=" + config,
		"--width=" + strconv.Itoa(o.Size.X), "--height=" + strconv.Itoa(o.Size.Y),
		"--rdp-tls-cert=" + w.Cert.CertFile, "--rdp-tls-key=" + w.Cert.KeyFile,
	}
	if !o.Resize {
		args = append(args, "--no-clients-resize")
	}
	args = append(args, o.Args...)
	var last error
	for range 3 { // another program may take the port first
		w.Addr = freeAddr(t)
		w.Process = start(t, spawn{name: "weston", args: append(args, "--port="+port(w.Addr)), env: w.env[:1]})
		if last = answers(w.Process, w.Addr, time.Now().Add(startTimeout)); last == nil {
			return w
		}
		w.Stop()
	}
	t.Fatalf("testbed: %v", last)
	return nil
}

// Terminal opens a terminal that runs a shell script, over the whole screen.
func (w *Weston) Terminal(t TB, script string) *Process {
	t.Helper()
	Require(t, "weston-terminal")
	file := filepath.Join(t.TempDir(), "script.sh")
	if err := writeFile(file, "#!/bin/sh\n"+script+"\n", 0o700); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return w.Start(t, "weston-terminal", "--maximized", "--shell="+file)
}

// Start runs a program on the screen.
func (w *Weston) Start(t TB, name string, args ...string) *Process {
	t.Helper()
	Require(t, name)
	return start(t, spawn{name: name, args: args, env: w.env, calm: true})
}
