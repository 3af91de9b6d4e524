package worker

import (
	"errors"
	"fmt"
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
	log     *os.File // read end of the worker's standard error
}

// spawn starts a worker that inherits target and media; this process's copies of them are closed in any case.
func spawn(executable string, args, env []string, target *net.TCPConn, m *media) (*process, error) {
	defer target.Close()
	defer m.close()
	var theirs []*os.File // copies for the worker, closed when it has them
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	ours, their, err := socketPair()
	if err != nil {
		return nil, err
	}
	theirs = append(theirs, their)
	sockets := []interface{ File() (*os.File, error) }{target, m.udp}
	if m.tcp != nil {
		sockets = append(sockets, m.tcp)
	}
	for _, s := range sockets {
		f, err := s.File()
		if err != nil {
			ours.Close()
			return nil, fmt.Errorf("worker: descriptor: %w", err)
		}
		theirs = append(theirs, f)
	}
	logs, stderr, err := os.Pipe()
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("worker: pipe: %w", err)
	}
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
		return nil, errors.Join(fmt.Errorf("worker: start: %w", err), ours.Close(), logs.Close())
	}
	return &process{cmd, ours, logs}, nil
}

// socketPair makes the control socket: this side's end and the worker's.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	our, their := os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control")
	defer our.Close() // FileConn has a copy
	conn, err := net.FileConn(our)
	if err != nil {
		their.Close()
		return nil, nil, fmt.Errorf("worker: control socket: %w", err)
	}
	return conn, their, nil
}
