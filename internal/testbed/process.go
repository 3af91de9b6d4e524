package testbed

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a program that runs until the test ends.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File      // stdout and stderr; a file, so that no goroutine copies
	done chan struct{} // closed after the process was waited for
	err  error         // what Wait returned, once done is closed
}

// spawn describes a program to start.
type spawn struct {
	name  string
	args  []string
	env   []string   // added to the environment of the test
	stdin io.Reader  // an *os.File, or nil
	extra []*os.File // inherited from descriptor 3 on
	calm  bool       // it may end by itself: not reported
}

// start runs a program in its own process group. It is ended, with its group, when the test ends or dies.
func start(t TB, s spawn) *Process {
	t.Helper()
	p, err := launch(t, s)
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return p
}

func launch(t TB, s spawn) (*Process, error) {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.name, s.args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = s.stdin, log, log, s.extra
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	p := &Process{name: s.name, cmd: cmd, log: log, done: make(chan struct{})}
	go func() { // ends with the process, which Cleanup ends
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		if !p.Alive() && !s.calm && t.Failed() {
			t.Logf("testbed: %s had ended: %v\n%s", p.name, p.err, p.Output())
		}
		p.Stop()
		log.Close()
	})
	return p, nil
}

// Pid returns the process id, which is also that of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive reports whether the process still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Stop ends the process and its children, gently for two seconds, and waits for it.
func (p *Process) Stop() {
	_ = syscall.Kill(-p.Pid(), syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(2 * time.Second):
	}
	p.Kill()
}

// Kill ends the process and its children at once and waits for it.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	<-p.done
}

// Output returns the end of what the process has written.
func (p *Process) Output() string {
	const most = 8 << 10
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// Run runs a program on an X display to its end and returns what it wrote to its standard output. The test
// fails when the program does.
func Run(t TB, display, name string, args ...string) string {
	t.Helper()
	out, err := try(display, name, args...)
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return out
}

func try(display, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+display)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second // a child left in the background does not hold us up
	stop := time.AfterFunc(startTimeout, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}
