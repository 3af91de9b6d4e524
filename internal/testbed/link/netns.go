package link

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name, and the thread that is in it. It lasts as long as the thread, the processes
// that the thread started, and sockets and devices made there.
type namespace struct {
	work   chan func() // unbuffered; closed by close
	done   chan struct{}
	handle *os.File // of the namespace
}

func newNamespace() (*namespace, error) {
	n := &namespace{work: make(chan func()), done: make(chan struct{})}
	entered := make(chan error)
	go func() { // ends by close
		defer close(n.done)
		// Never unlocked: the thread ends with the goroutine, rather than to run others in a foreign namespace.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.handle, err = os.Open("/proc/thread-self/ns/net")
		}
		entered <- err
		if err != nil {
			return
		}
		for f := range n.work {
			f()
		}
	}()
	if err := <-entered; err != nil {
		return nil, fmt.Errorf("link: new network namespace: %w", err)
	}
	return n, nil
}

// do runs fn on the thread.
func (n *namespace) do(fn func() error) error {
	result := make(chan error, 1)
	n.work <- func() { result <- fn() }
	return <-result
}

// apart runs fn on a thread of its own, so that it may take its time.
func (n *namespace) apart(fn func() error) error {
	result := make(chan error, 1)
	go func() { // ends with fn, which is waited for
		runtime.LockOSThread() // never unlocked, as above
		if err := unix.Setns(int(n.handle.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("link: enter the network namespace: %w", err)
			return
		}
		result <- fn()
	}()
	return <-result
}

// close ends the thread.
func (n *namespace) close() {
	close(n.work)
	<-n.done
	n.handle.Close()
}
