package testbed

import (
	"bufio"
	"fmt"
	"image"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// X is an X server with a screen nobody sees.
type X struct {
	*Process
	Display string // ":5"
}

// Xvnc is TigerVNC's X server, which is a VNC server as well.
type Xvnc struct {
	X
	Addr string // host:port of the VNC server
}

// X11vnc is a VNC server that shows the screen of another X server.
type X11vnc struct {
	*Process
	Screen *X
	Addr   string // host:port of the VNC server
}

// XvncOptions say what kind of VNC server to start. The zero value is 1024×768 without security.
type XvncOptions struct {
	Size     image.Point
	Security []string // of None, VncAuth, X509None, X509Vnc, TLSNone, …; None when empty
	Password string   // for the types that want one
	Cert     *Cert    // for the X509 types
	Args     []string // more arguments
}

// X11vncOptions say what kind of VNC server to start. The zero value is 1024×768 without security.
type X11vncOptions struct {
	Size     image.Point
	Password string   // security VncAuth when not empty
	Args     []string // more arguments
}

// StartXvfb starts an X server without any output.
func StartXvfb(t TB, size image.Point) *X {
	t.Helper()
	Require(t, "Xvfb")
	x, err := startX(t, "Xvfb", []string{"-screen", "0", geometry(size) + "x24"})
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return x
}

// StartXvnc starts TigerVNC's server, which lets clients resize the screen and share it.
func StartXvnc(t TB, o XvncOptions) *Xvnc {
	t.Helper()
	Require(t, "Xvnc")
	if len(o.Security) == 0 {
		o.Security = []string{"None"}
	}
	args := []string{
		"-interface", "127.0.0.1", "-geometry", geometry(o.Size), "-depth", "24",
		"-SecurityTypes", strings.Join(o.Security, ","), "-AcceptSetDesktopSize=1", "-AlwaysShared=1",
		// After failed sign-ins it would talk RFB 3.3 to us.
		"-BlacklistThreshold=1000000",
	}
	if o.Password != "" {
		args = append(args, "-PasswordFile", PasswordFile(t, o.Password))
	}
	if o.Cert != nil {
		args = append(args, "-X509Cert", o.Cert.CertFile, "-X509Key", o.Cert.KeyFile)
	}
	args = append(args, o.Args...)
	var last error
	for range 3 { // another program may take the port first
		addr := freeAddr(t)
		x, err := startX(t, "Xvnc", append(args, "-rfbport", port(addr)))
		if err == nil {
			if err = answers(x.Process, addr, time.Now().Add(startTimeout)); err == nil {
				return &Xvnc{X: *x, Addr: addr}
			}
			x.Stop()
		}
		last = err
	}
	t.Fatalf("testbed: %v", last)
	return nil
}

// StartX11vnc starts x11vnc on a screen of its own.
func StartX11vnc(t TB, o X11vncOptions) *X11vnc {
	t.Helper()
	Require(t, "Xvfb", "x11vnc")
	screen := StartXvfb(t, o.Size)
	args := []string{
		"-display", screen.Display, "-listen", "127.0.0.1", "-no6", "-noipv6",
		"-forever", "-shared", "-cursor", "arrow", "-noxrecord",
	}
	if o.Password != "" {
		args = append(args, "-rfbauth", PasswordFile(t, o.Password))
	}
	args = append(args, o.Args...)
	var last error
	for range 3 {
		addr := freeAddr(t)
		p := start(t, spawn{name: "x11vnc", args: append(args, "-rfbport", port(addr))})
		if last = answers(p, addr, time.Now().Add(startTimeout)); last == nil {
			return &X11vnc{Process: p, Screen: screen, Addr: addr}
		}
		p.Stop()
	}
	t.Fatalf("testbed: %v", last)
	return nil
}

// startX starts an X server on a display of its own choice, so that several never quarrel.
func startX(t TB, name string, args []string) (*X, error) {
	t.Helper()
	const sockets = "/tmp/.X11-unix"
	if err := os.Mkdir(sockets, 0o1777); err == nil {
		_ = os.Chmod(sockets, 0o777|os.ModeSticky) // past the umask
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	args = append([]string{"-displayfd", "3", "-nolisten", "tcp", "-noreset"}, args...)
	p, err := launch(t, spawn{name: name, args: args, extra: []*os.File{w}})
	w.Close() // the server's copy is the last one: its end is our end of file
	if err != nil {
		return nil, err
	}
	_ = r.SetReadDeadline(time.Now().Add(startTimeout))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s named no display: %w\n%s", name, err, p.Output())
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s named its display %q", name, line)
	}
	return &X{Process: p, Display: ":" + strconv.Itoa(n)}, nil
}

// answers waits until a process listens at addr.
func answers(p *Process, addr string, end time.Time) error {
	for p.Alive() && time.Now().Before(end) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%s does not listen at %s\n%s", p.name, addr, p.Output())
}

func geometry(size image.Point) string {
	if size == (image.Point{}) {
		size = image.Pt(1024, 768)
	}
	return fmt.Sprintf("%dx%d", size.X, size.Y)
}
