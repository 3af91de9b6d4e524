package ocr

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inherited are the variables a helper gets: where libraries and tesseract's data lie.
var inherited = []string{"LD_LIBRARY_PATH", "TESSDATA_PREFIX", "GODEBUG", "GOTRACEBACK"}

// helper is a running helper. One goroutine at a time uses it.
type helper struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *capped // read once it has ended

	mu     sync.Mutex
	reaped bool // its id may be another's
}

// startHelper starts a helper and waits until it has locked itself in.
func startHelper(ctx context.Context, executable string, args, env []string) (*helper, hello, error) {
	cmd := exec.Command(executable, args...)
	cmd.Env, cmd.Dir = append([]string{}, env...), "/"
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	// A group of its own, so that what it started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = killGrace
	h := &helper{cmd: cmd, stderr: &capped{limit: maxStderrBytes}}
	cmd.Stderr = swallow{h.stderr}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, hello{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, hello{}, err
	}
	h.in, h.out = in, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, hello{}, err
	}
	var greeting hello
	if err := h.within(ctx, startTimeout, func() error { return readFrame(h.out, maxHeaderBytes, &greeting) }); err != nil {
		if said := h.kill(); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return nil, hello{}, fmt.Errorf("ocr: helper: %w", err)
	}
	return h, greeting, nil
}

// ask has pictures read. After an error the helper is of no use any more.
func (h *helper) ask(ctx context.Context, pictures []Picture, limit time.Duration) (a answer, err error) {
	err = h.within(ctx, limit, func() error {
		if err := writeRequest(h.in, pictures); err != nil {
			return fmt.Errorf("%w: %w", ErrFailed, err)
		}
		if a, err = readAnswer(h.out, pictures); err != nil {
			return fmt.Errorf("%w: %w", ErrFailed, err)
		}
		return nil
	})
	return a, err
}

// within calls fn, which speaks with the helper, and kills the helper when that takes too long or ctx ends.
func (h *helper) within(ctx context.Context, limit time.Duration, fn func() error) error {
	var late atomic.Bool
	timer := time.AfterFunc(limit, func() {
		late.Store(true)
		h.signal()
	})
	stop := context.AfterFunc(ctx, h.signal)
	err := fn()
	timer.Stop()
	stop()
	if err != nil && late.Load() {
		return fmt.Errorf("%w: the helper does not answer within %v", ErrTimeout, limit)
	}
	return err
}

// signal ends the helper and what it has started.
func (h *helper) signal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.reaped {
		_ = syscall.Kill(-h.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// gone tells whether the helper has ended by itself.
func (h *helper) gone() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, h.cmd.Process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}

// kill ends the helper, if it has not ended, and returns what it said on standard error.
func (h *helper) kill() string {
	h.signal()
	h.in.Close()
	err := h.cmd.Wait()
	h.mu.Lock()
	h.reaped = true
	h.mu.Unlock()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(h.stderr.b) == 0 {
		return exit.String()
	}
	return clean(string(h.stderr.b), maxFailureBytes)
}

// swallow takes everything, so that who writes goes on.
type swallow struct{ to *capped }

// Write implements io.Writer.
func (s swallow) Write(p []byte) (int, error) {
	_, _ = s.to.Write(p)
	return len(p), nil
}
