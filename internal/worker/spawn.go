package worker

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// environment are the variables a worker inherits: where authorities and libraries lie, the time zone, and what the Go
// runtime says of a crash. Nothing else of serve's is its business.
var environment = []string{"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "GOTRACEBACK", "GODEBUG"}

// process is a running worker.
type process struct {
	cmd     *exec.Cmd
	control net.Conn
	dial    *net.UnixConn // the dial socket; nil: the worker has none
	native  *net.UnixConn // the native socket
	log     *os.File      // read end of the worker's standard error
}

// close closes this side's ends.
func (p *process) close() {
	p.control.Close()
	p.log.Close()
	if p.dial != nil {
		p.dial.Close()
	}
	p.native.Close()
}

// spawn starts a worker that inherits target and media, and a dial socket if it may dial again; this process's copies
// of them are closed in any case.
func spawn(executable string, args, env []string, target *net.TCPConn, m *media, redial bool) (_ *process, err error) {
	defer target.Close()
	defer m.close()
	var theirs []*os.File // copies for the worker, closed when it has them
	defer func() {
		for _, f := range theirs {
			if f != nil {
				f.Close()
			}
		}
	}()
	p := &process{}
	ends := []io.Closer{}
	defer func() {
		if err != nil {
			for _, c := range ends {
				c.Close()
			}
		}
	}()
	control, their, err := socketPair(unix.SOCK_STREAM, "control")
	if err != nil {
		return nil, err
	}
	p.control, ends, theirs = control, append(ends, control), append(theirs, their)
	sockets := []interface{ File() (*os.File, error) }{target, m.udp}
	if m.tcp != nil {
		sockets = append(sockets, m.tcp)
	}
	for _, s := range sockets {
		f, err := s.File()
		if err != nil {
			return nil, fmt.Errorf("worker: descriptor: %w", err)
		}
		theirs = append(theirs, f)
	}
	for _, s := range []struct {
		fd     int
		name   string
		ours   **net.UnixConn
		wanted bool
	}{{fdDial, "dial", &p.dial, redial}, {fdNative, "native", &p.native, true}} {
		if !s.wanted {
			continue
		}
		for len(theirs) < s.fd-fdControl {
			theirs = append(theirs, nil) // a descriptor that is not there
		}
		ours, their, err := socketPair(unix.SOCK_SEQPACKET, s.name)
		if err != nil {
			return nil, err
		}
		*s.ours, ends, theirs = ours.(*net.UnixConn), append(ends, ours), append(theirs, their)
	}
	logs, stderr, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("worker: pipe: %w", err)
	}
	p.log, ends = logs, append(ends, logs)
	defer stderr.Close()

	cmd := exec.Command(executable, args...)
	cmd.ExtraFiles, cmd.Stderr, cmd.Env = theirs, stderr, append([]string{}, env...)
	for _, name := range environment {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	// A group of its own: signals of a terminal are for serve, which ends its workers in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("worker: start: %w", err)
	}
	p.cmd = cmd
	return p, nil
}

// socketPair makes a socket of that kind: this side's end and the worker's.
func socketPair(kind int, name string) (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	our, their := os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name)
	defer our.Close() // FileConn has a copy
	conn, err := net.FileConn(our)
	if err != nil {
		their.Close()
		return nil, nil, fmt.Errorf("worker: %s socket: %w", name, err)
	}
	return conn, their, nil
}
