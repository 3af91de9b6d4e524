package turnserver

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listener accepts browsers that come by TCP, or TLS. pion gives up a listener at its first error, so it reports none but its end.
type listener struct {
	net.Listener
	server *Server
	tls    *tls.Config // nil: plain TCP
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			l.server.log.Warn("turn connection not accepted", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(sendBuffer) // without it more waits than should
		}
		if l.tls != nil {
			conn = tls.Server(conn, l.tls) // the first Read shakes hands
		}
		c := &client{Conn: conn, list: &l.server.clients, greetBy: time.Now().Add(l.server.times.greet), idle: l.server.times.idle}
		if err := c.list.add(c); err != nil {
			conn.Close()
			if !errors.Is(err, net.ErrClosed) {
				l.server.refuse(refusedConnection, conn.RemoteAddr(), err)
			}
			continue
		}
		return c, nil
	}
}

// client is a browser's TCP or TLS connection. It is closed when it makes no allocation in time, and with its allocation.
type client struct {
	net.Conn
	list    *clients
	greetBy time.Time
	idle    time.Duration
	greeted atomic.Bool // it has an allocation
	closed  sync.Once
}

// Read implements net.Conn.
func (c *client) Read(p []byte) (int, error) {
	deadline := c.greetBy
	if c.greeted.Load() {
		deadline = time.Now().Add(c.idle)
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *client) Close() error {
	c.closed.Do(func() {
		c.Conn.Close()
		c.list.remove(c)
	})
	return nil
}

// clientKey are both ends of a connection.
type clientKey struct{ remote, local string }

func (c *client) key() clientKey { return clientKey{c.RemoteAddr().String(), c.LocalAddr().String()} }

var errConnections = errors.New("turn: too many connections")

// clients are the TCP and TLS connections there are.
type clients struct {
	max int

	mu     sync.Mutex
	all    map[clientKey]*client
	closed bool
	wg     sync.WaitGroup // of all
}

func (l *clients) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

func (l *clients) add(c *client) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return net.ErrClosed
	case len(l.all) >= l.max:
		return errConnections
	}
	l.all[c.key()] = c
	l.wg.Add(1)
	return nil
}

func (l *clients) remove(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[c.key()] == c {
		delete(l.all, c.key())
	}
	l.wg.Done()
}

// find returns the connection of an allocation, nil when that came by UDP.
func (l *clients) find(remote, local net.Addr) *client {
	if _, tcp := remote.(*net.TCPAddr); !tcp {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[clientKey{remote.String(), local.String()}]
}

// close ends all there are and takes no more.
func (l *clients) close() {
	l.mu.Lock()
	l.closed = true
	var all []*client
	for _, c := range l.all {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
	l.wg.Wait()
}
