package ocr

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a helper says of a failure.
const (
	failedTimeout = "timeout" // it took too long
	failedProgram = "failed"  // it ended otherwise than it should, or wrote nonsense
)

// tesseract runs the program.
type tesseract struct {
	program   string
	languages []string
	timeout   time.Duration
	env       []string
}

// arguments make it read a file of pages on its standard input, each one block of text, and write TSV.
func (t *tesseract) arguments() []string {
	return []string{
		"stdin", "stdout", "-l", strings.Join(t.languages, "+"), "--psm", "6", "--dpi", strconv.Itoa(resolution),
		"-c", "tessedit_create_tsv=1",
		"-c", "tessedit_do_invert=0", // prepare has seen to that
	}
}

// read reads pictures, with a process of its own that has ended when it returns.
func (t *tesseract) read(ctx context.Context, pictures []Picture) answer {
	var pages []page
	var of []int // the picture of each page
	for i := range pictures {
		if p, ok := prepare(&pictures[i]); ok {
			pages, of = append(pages, p), append(of, i)
		}
	}
	if len(pages) == 0 {
		return answer{}
	}
	out, failure := t.run(ctx, tiffOf(pages))
	if failure != nil {
		return *failure
	}
	lines, err := parseTSV(out)
	if err != nil {
		return answer{Failure: failedProgram, Detail: err.Error()}
	}
	var a answer
	size := 0
	for _, l := range lines {
		if l.Picture >= len(of) {
			return answer{Failure: failedProgram, Detail: errTSV.Error()}
		}
		if size += 2*len(l.Text) + 100; size > maxAnswerBytes { // at its longest in JSON
			break
		}
		i := of[l.Picture]
		b := onPicture(l.Box, &pictures[i])
		a.Lines = append(a.Lines, wireLine{i, [4]int{b.Min.X, b.Min.Y, b.Max.X, b.Max.Y}, l.Text})
	}
	return a
}

// run runs the program on a file. It must be called on one thread always: each thread of a helper has a Landlock domain of its own, and may
// end only what it has started itself.
func (t *tesseract) run(ctx context.Context, file []byte) ([]byte, *answer) {
	failed := func(detail string) ([]byte, *answer) {
		return nil, &answer{Failure: failedProgram, Detail: clean(detail, maxFailureBytes)}
	}
	cmd := exec.Command(t.program, t.arguments()...)
	cmd.Env, cmd.Dir = t.env, "/"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return failed(err.Error())
	}
	stdout, stderr := &capped{limit: maxTSVBytes}, &capped{limit: maxStderrBytes}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return failed(err.Error())
	}
	// It has seen nothing yet that somebody else has drawn.
	limited := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: maxMemory, Max: maxMemory}, nil)
	if limited != nil {
		_ = cmd.Process.Kill() // it may have ended
	}
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() {
		_, _ = stdin.Write(file) // one that does not read to the end says why, or is killed
		stdin.Close()
	})
	ended := make(chan error, 1)
	parts.Go(func() { ended <- cmd.Wait() })
	timer := time.NewTimer(t.timeout)
	defer timer.Stop()
	late := false
	select {
	case err = <-ended:
	case <-timer.C:
		late = true
	case <-ctx.Done():
	}
	if late || ctx.Err() != nil {
		_ = cmd.Process.Kill()
		err = <-ended
	}
	switch {
	case limited != nil:
		return failed("no limit of memory: " + limited.Error())
	case late:
		return nil, &answer{Failure: failedTimeout, Detail: fmt.Sprintf("not within %v", t.timeout)}
	case stdout.over:
		return failed(fmt.Sprintf("it wrote more than %d bytes", maxTSVBytes))
	case err != nil:
		return failed(err.Error() + ": " + string(stderr.b))
	}
	return stdout.b, nil
}

// capped keeps the first bytes of what is written to it.
type capped struct {
	b     []byte
	limit int
	over  bool
}

// Write implements io.Writer. Beyond the limit it fails, so that who writes there is stopped.
func (c *capped) Write(p []byte) (int, error) {
	if n := c.limit - len(c.b); len(p) > n {
		c.b, c.over = append(c.b, p[:n]...), true
		return n, errors.New("ocr: too much output")
	}
	c.b = append(c.b, p...)
	return len(p), nil
}
