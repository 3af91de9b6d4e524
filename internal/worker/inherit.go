package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// The descriptors a worker inherits.
const (
	fdControl = 3 + iota
	fdTarget
	fdMedia
	fdMediaTCP
	fdDial
	fdNative
)

// inherited is what a worker may use.
type inherited struct {
	control  *controlConn
	target   net.Conn
	media    net.PacketConn
	mediaTCP net.Listener  // nil: none
	dial     *net.UnixConn // nil: none
	native   *net.UnixConn // nil: none
}

// inherit takes the descriptors over.
func inherit(mediaTCP, dial, native bool) (*inherited, error) {
	in := &inherited{}
	control, err := fileConn(fdControl, "control")
	if err == nil {
		in.control = newControlConn(control)
		in.target, err = fileConn(fdTarget, "target")
	}
	if err == nil {
		f := os.NewFile(fdMedia, "media")
		in.media, err = net.FilePacketConn(f)
		f.Close()
	}
	if err == nil && mediaTCP {
		f := os.NewFile(fdMediaTCP, "media_tcp")
		in.mediaTCP, err = net.FileListener(f)
		f.Close()
	}
	if err == nil && dial {
		in.dial, err = unixConn(fdDial, "dial")
	}
	if err == nil && native {
		in.native, err = unixConn(fdNative, "native")
	}
	if err != nil {
		in.close()
		return nil, fmt.Errorf("worker: inherited descriptors: %w (a worker is started by serve)", err)
	}
	return in, nil
}

func unixConn(fd uintptr, name string) (*net.UnixConn, error) {
	conn, err := fileConn(fd, name)
	if err != nil {
		return nil, err
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("the %s socket is of another kind", name)
	}
	return u, nil
}

func fileConn(fd uintptr, name string) (net.Conn, error) {
	f := os.NewFile(fd, name)
	if f == nil {
		return nil, os.ErrInvalid
	}
	defer f.Close() // FileConn has a copy
	return net.FileConn(f)
}

// close closes what nobody else has taken.
func (in *inherited) close() {
	if in.control != nil {
		in.control.Close()
	}
	if in.target != nil {
		in.target.Close()
	}
	if in.media != nil {
		in.media.Close()
	}
	if in.mediaTCP != nil {
		in.mediaTCP.Close()
	}
	if in.dial != nil {
		in.dial.Close()
	}
	if in.native != nil {
		in.native.Close()
	}
}

// controlConn is the control socket. gRPC closes it when the other side is gone.
type controlConn struct {
	net.Conn
	once sync.Once
	gone chan struct{} // closed by Close
}

func newControlConn(c net.Conn) *controlConn { return &controlConn{Conn: c, gone: make(chan struct{})} }

// Close implements net.Conn.
func (c *controlConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.gone) })
	return err
}

// oneConn is a listener that has one connection to give, and ends when that does.
type oneConn struct {
	conn *controlConn
	next chan net.Conn // capacity 1: the connection until it is accepted
	once sync.Once
	done chan struct{} // closed by Close
}

var errListenerClosed = errors.New("worker: control listener closed")

func newOneConn(c *controlConn) *oneConn {
	l := &oneConn{conn: c, next: make(chan net.Conn, 1), done: make(chan struct{})}
	l.next <- c
	return l
}

// Accept implements net.Listener.
func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.next:
		return c, nil
	case <-l.conn.gone:
		return nil, errListenerClosed
	case <-l.done:
		return nil, errListenerClosed
	}
}

// Close implements net.Listener. The connection stays.
func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
