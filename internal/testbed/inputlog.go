package testbed

import (
	_ "embed"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Python is Debian's own, which has the Xlib bindings.
const Python = "/usr/bin/python3"

//go:embed inputlog.py
var inputLogScript string

// Input is something that came from an X display's keyboard or pointer: "key a down", "button 1 up", "motion 10 20".
type Input struct {
	At   time.Time
	What string
}

// InputLog is what comes from an X display's keyboard and pointer from its start on, as the display itself says.
type InputLog struct {
	t       TB
	process *Process
	marks   int // that were asked for
}

// LogInput starts an InputLog.
func LogInput(t TB, x *X) *InputLog {
	t.Helper()
	Require(t, Python)
	l := &InputLog{t: t, process: start(t, spawn{name: Python, args: []string{"-c", inputLogScript}, env: []string{"DISPLAY=" + x.Display}})}
	Eventually(t, startTimeout, "a log of the input of "+x.Display, func() bool {
		return strings.Contains(l.process.Output(), "ready\n") || !l.process.Alive()
	})
	l.Inputs()
	return l
}

// Inputs returns all there was so far, to the last event the display had when this was called.
func (l *InputLog) Inputs() []Input {
	l.t.Helper()
	l.marks++
	if err := syscall.Kill(l.process.Pid(), syscall.SIGUSR1); err != nil {
		l.t.Fatalf("testbed: the log of the input: %v: %s", err, l.process.Output())
	}
	var log string
	Eventually(l.t, startTimeout, "a mark in the log of the input", func() bool {
		if !l.process.Alive() {
			l.t.Fatalf("testbed: the log of the input ended: %s", l.process.Output())
		}
		b, err := os.ReadFile(l.process.log.Name())
		if err != nil {
			l.t.Fatalf("testbed: %v", err)
		}
		log = string(b)
		return strings.Count(log, "mark\n") >= l.marks
	})
	var all []Input
	for line := range strings.Lines(log) {
		at, what, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		ns, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil || !strings.HasSuffix(line, "\n") {
			continue // "ready", "mark", or not written to its end
		}
		all = append(all, Input{time.Unix(0, ns), what})
	}
	return all
}
