package link

import (
	"os"
	"sync"
	"time"
)

// line is one direction: it reads packets from one device and writes them to another when the shaper says so.
type line struct {
	mu    sync.Mutex
	shape *shaper
	done  bool
	wake  chan struct{} // capacity 1, never closed: there is something to do before the time that was waited for
	spare sync.Pool     // of *[maxPacket]byte
}

// maxPacket is the largest packet read from a device, in bytes.
const maxPacket = 2048

func newLine(seed uint64) *line {
	return &line{
		shape: newShaper(seed),
		wake:  make(chan struct{}, 1),
		spare: sync.Pool{New: func() any { return new([maxPacket]byte) }},
	}
}

// read pushes what comes from a device until that is closed.
func (l *line) read(from *os.File) {
	for {
		buffer, _ := l.spare.Get().(*[maxPacket]byte)
		n, err := from.Read(buffer[:])
		if err != nil {
			return
		}
		l.mu.Lock()
		kept := l.shape.push(time.Now(), buffer[:n])
		l.mu.Unlock()
		if !kept {
			l.spare.Put(buffer)
			continue
		}
		l.nudge()
	}
}

// write writes what arrives to a device until close.
func (l *line) write(to *os.File) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		data, again, done := l.pop()
		if done {
			return
		}
		if data != nil {
			// An end that is down or congested loses packets like any other network.
			_, _ = to.Write(data)
			l.spare.Put((*[maxPacket]byte)(data[:maxPacket]))
			continue
		}
		var due <-chan time.Time
		if !again.IsZero() {
			timer.Reset(time.Until(again))
			due = timer.C
		}
		select {
		case <-due:
		case <-l.wake:
		}
	}
}

func (l *line) pop() (data []byte, again time.Time, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	data, again = l.shape.pop(time.Now())
	return data, again, l.done
}

func (l *line) set(c Conditions) {
	l.mu.Lock()
	l.shape.set(time.Now(), c)
	l.mu.Unlock()
	l.nudge()
}

func (l *line) counters() Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shape.counters
}

// close ends write.
func (l *line) close() {
	l.mu.Lock()
	l.done = true
	l.mu.Unlock()
	l.nudge()
}

func (l *line) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
