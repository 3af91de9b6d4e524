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
	go onOwnThread(func() { // ends by close
		defer close(n.done)
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
	})
	if err := <-entered; err != nil {
		return nil, fmt.Errorf("link: new network namespace: %w", err)
	}
	return n, nil
}

// onOwnThread runs fn on a thread that ends with fn, rather than to run others in a foreign namespace.
func onOwnThread(fn func()) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if unix.Gettid() != unix.Getpid() {
		fn()
		return
	}
	// The main thread would never end. While this goroutine occupies it, the next one is on another.
	done := make(chan struct{})
	go func() {
		defer close(done)
		onOwnThread(fn)
	}()
	<-done
	runtime.UnlockOSThread()
}

// do runs fn on the thread.
func (n *namespace) do(fn func() error) error {
	result := make(chan error, 1)
	n.work <- func() { result <- fn() }
	return <-result
}

// apart runs fn on the calling goroutine's thread, so that it may take its time, and brings that thread home. It must not end
// with fn: processes that a thread has started with Pdeathsig, which may be any of the test's, are killed when it ends.
func (n *namespace) apart(fn func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err == nil {
		defer home.Close()
		err = unix.Setns(int(n.handle.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("link: enter the network namespace: %w", err)
	}
	err = fn()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return fmt.Errorf("link: leave the network namespace: %w", back) // the thread stays locked: no other may run on it
	}
	runtime.UnlockOSThread()
	return err
}

// close ends the thread.
func (n *namespace) close() {
	close(n.work)
	<-n.done
	n.handle.Close()
}
