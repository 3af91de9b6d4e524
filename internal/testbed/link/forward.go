package link

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// Forward makes a TCP port of the test's loopback interface reachable at the same port of the loopback interface in the Link's
// namespace, over the link: a browser there finds a gateway at the address that it calls its own, and trusts that like any
// other on the loopback interface.
func (l *Link) Forward(port int) error {
	loopback := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	// Two hops, so that the packets between cross the link.
	outer, err := net.Listen("tcp4", net.JoinHostPort(l.Host.String(), "0"))
	if err != nil {
		return fmt.Errorf("link: forward: %w", err)
	}
	f := &forwarder{open: make(map[net.Conn]struct{})}
	f.listen(outer, func(ctx context.Context) (net.Conn, error) { return dial(ctx, loopback) })
	var inner net.Listener
	err = l.Do(func() error {
		inner, err = net.Listen("tcp4", loopback)
		return err
	})
	if err != nil {
		f.close()
		return fmt.Errorf("link: forward: %w", err)
	}
	f.listen(inner, func(ctx context.Context) (conn net.Conn, err error) {
		err = l.space.apart(func() error {
			conn, err = dial(ctx, outer.Addr().String())
			return err
		})
		return conn, err
	})
	l.onClose(f.close)
	return nil
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", address)
}

// forwarder passes on TCP connections until it is closed.
type forwarder struct {
	wg        sync.WaitGroup
	listeners []net.Listener
	cancels   []context.CancelFunc

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

// listen passes what listener accepts on to what dial gives.
func (f *forwarder) listen(listener net.Listener, dial func(context.Context) (net.Conn, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	f.listeners, f.cancels = append(f.listeners, listener), append(f.cancels, cancel)
	f.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() {
				defer f.drop(conn)
				if !f.keep(conn) {
					return
				}
				peer, err := dial(ctx)
				if err != nil {
					return
				}
				defer f.drop(peer)
				if !f.keep(peer) {
					return
				}
				var both sync.WaitGroup
				both.Go(func() { pass(conn, peer) })
				both.Go(func() { pass(peer, conn) })
				both.Wait()
			})
		}
	})
}

// pass copies one direction until it ends, and ends it on the other side.
func pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return
	}
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// keep books a connection for close. It reports false when that was before.
func (f *forwarder) keep(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.open[conn] = struct{}{}
	}
	return !f.closed
}

func (f *forwarder) drop(conn net.Conn) {
	conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, conn)
}

func (f *forwarder) close() {
	f.mu.Lock()
	f.closed = true
	for conn := range f.open {
		conn.Close()
	}
	f.mu.Unlock()
	for i, l := range f.listeners {
		f.cancels[i]()
		l.Close()
	}
	f.wg.Wait()
}
