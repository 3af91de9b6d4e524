package ocr

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"

	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// HelperOptions are what a helper is told on its command line.
type HelperOptions struct {
	Program   string // path of tesseract
	Languages []string
	Timeout   time.Duration // of one request
	Nice      int           // 0 to 19, the lowest priority
	Sandbox   sandbox.Mode
	In        io.Reader // requests
	Out       io.Writer // hello and answers
}

// hello is a helper's first word: that it is ready, and how far it has locked itself in.
type hello struct {
	Sandbox string   `json:"sandbox"`
	Missing []string `json:"missing,omitempty"`
}

// Main is a helper: it reads pictures until there are no more requests, one request after the other.
func Main(ctx context.Context, o HelperOptions) error {
	runtime.LockOSThread() // see tesseract.run
	defer runtime.UnlockOSThread()
	slow := lowerPriority(o.Nice)
	data := []string{o.Program}
	if path, err := filepath.EvalSymlinks(o.Program); err == nil {
		data = append(data, path)
	}
	if prefix := os.Getenv("TESSDATA_PREFIX"); prefix != "" {
		data = append(data, prefix)
	}
	report, err := sandbox.LockReader(o.Sandbox, data...)
	if err != nil {
		return fmt.Errorf("ocr: %w", err)
	}
	h := hello{Sandbox: report.Level()}
	for _, m := range report.Missing {
		h.Missing = append(h.Missing, m.Error())
	}
	if slow != nil {
		h.Missing = append(h.Missing, "priority: "+slow.Error())
	}
	if err := writeFrame(o.Out, h); err != nil {
		return err
	}
	t := tesseract{program: o.Program, languages: o.Languages, timeout: o.Timeout, env: environment()}
	for in := bufio.NewReader(o.In); ; {
		pictures, err := readRequest(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writeAnswer(o.Out, t.read(ctx, pictures)); err != nil {
			return err
		}
	}
}

// environment is tesseract's: one thread, for several are slower and take the cores of sessions.
func environment() []string {
	env := []string{"OMP_THREAD_LIMIT=1", "LC_ALL=C.UTF-8"}
	for _, name := range []string{"TESSDATA_PREFIX", "LD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Of the kernel's interface for priorities of reading and writing.
const (
	ioWhoProcess = 1
	ioClassIdle  = 3 << 13
)

// lowerPriority lets sessions go before this process and those it starts, at processors and disks. It is not the kernel's idle class, in which
// nothing would ever be read beside a busy machine.
func lowerPriority(nice int) error {
	_, _, errno := psx.Syscall3(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(nice))
	var errs []error
	if errno != 0 {
		errs = append(errs, os.NewSyscallError("setpriority", errno))
	}
	if _, _, errno = psx.Syscall3(unix.SYS_IOPRIO_SET, ioWhoProcess, 0, ioClassIdle); errno != 0 {
		errs = append(errs, os.NewSyscallError("ioprio_set", errno))
	}
	return errors.Join(errs...)
}
