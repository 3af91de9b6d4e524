package demotarget

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is one viewer past the handshake. Its reader loop, the goroutine of serve, handles what arrives; its
// writer loop sends. They meet in out, under the server's mu.
type conn struct {
	s    *Server
	net  net.Conn
	wake chan struct{} // capacity 1, never closed: out has something to send
	out  outbox
	clip clipboardPeer // of the reader and writer, under the server's mu
}

// serve handles one connection to its end.
func (s *Server) serve(ctx context.Context, tcp net.Conn) error {
	_ = tcp.SetDeadline(time.Now().Add(handshakeTimeout))
	if err := s.handshake(tcp); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	c := &conn{s: s, net: tcp, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	size := s.picture.Rect.Size()
	c.out = newOutbox(size)
	hello := serverInit(size, s.name)
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	if _, err := tcp.Write(hello); err != nil {
		return err
	}
	_ = tcp.SetDeadline(time.Time{})

	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := c.write(ctx)
		cancel(err)
		tcp.Close() // ends the reader
	})
	err := c.read(bufio.NewReader(tcp))
	cancel(err)
	tcp.Close() // ends the writer
	wg.Wait()
	return context.Cause(ctx)
}

func (c *conn) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// read handles messages until the viewer ends or breaks the rules.
func (c *conn) read(r *bufio.Reader) error {
	for {
		m, err := readMessage(r)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errHungUp
			}
			return err
		}
		if err := c.handle(m); err != nil {
			return err
		}
	}
}

func (c *conn) handle(m message) error {
	switch m := m.(type) {
	case keyEvent:
		c.s.input(Event{Kind: KeyPressed, Keysym: m.keysym, Down: m.down}, func(s Scene) { s.Key(m.keysym, m.down) })
	case pointerEvent:
		c.s.input(Event{Kind: Pointed, Pos: m.pos, Buttons: m.buttons}, func(s Scene) { s.Pointer(m.pos, m.buttons) })
	case cutText:
		if m.extended {
			return c.extendedCutText(m.data)
		}
		c.textArrived(fromLatin1(m.data))
	case setDesktopSize:
		c.setDesktopSize(m.size)
	default:
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		switch m := m.(type) {
		case setPixelFormat:
			c.out.format = m.format
		case setEncodings:
			c.out.setEncodings(m.list)
		case updateRequest:
			c.out.request(m)
		}
		c.wakeUp()
	}
	return nil
}

// textArrived handles text that the viewer put on the clipboard.
func (c *conn) textArrived(text string) {
	c.s.input(Event{Kind: TextArrived, Text: text}, func(s Scene) { s.Clipboard(text) })
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.clipboard = text
}

func (c *conn) setDesktopSize(size image.Point) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.events.add(Event{Kind: SizeAsked, Size: size})
	if err := c.s.resize(size, c); err != nil {
		c.out.sizeRefused()
		c.wakeUp()
	}
}

// write sends what out holds until the connection ends. It returns when ctx does.
func (c *conn) write(ctx context.Context) error {
	e := encoder{}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.wake:
		}
		c.s.mu.Lock()
		batch, err := c.out.take(c.s, &c.clip)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		b, err := e.encode(&batch)
		if err != nil {
			return err
		}
		if batch.fault != FaultNone {
			return c.misbehave(ctx, batch.fault, b)
		}
		if len(b) == 0 {
			continue
		}
		_ = c.net.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := c.net.Write(b); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("viewer took nothing for %v: %w", writeTimeout, err)
			}
			return errHungUp
		}
	}
}
