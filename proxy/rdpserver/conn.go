package rdpserver

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/outbox"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// inputQueue is how many events may wait for the Handler. When it is full, motion is left out and the reader waits for the rest.
const inputQueue = 512

// Conn is a client that is active. Serve is called once; Disconnect or Detach after it.
type Conn struct {
	link *link

	mu         sync.Mutex // also of link.shareID and link.active, which are written with the outbox held as well
	confirmed  bool       // the client has told its capabilities in this activation
	caps       clientCaps
	size       image.Point // of the client's desktop, as activated or about to be
	ready      bool        // updates may be sent: not within an activation
	suppressed bool        // the client's window is out of sight

	// What Serve runs on.
	served  bool
	asks    rtt
	desktop Desktop
	out     *outbox.Queue
	input   chan rdp.InputEvent // capacity inputQueue
	asked   chan image.Point    // capacity 1: the size the client asks for, the latest
	picture *painter
	pointer *pointer
	static  *staticChannels
}

func newConn(l *link) *Conn {
	c := &Conn{
		link: l, out: outbox.New(softBytes, hardBytes), input: make(chan rdp.InputEvent, inputQueue), asked: make(chan image.Point, 1),
	}
	c.pointer, c.picture, c.static = newPointer(c), newPainter(c), newStaticChannels(c)
	return c
}

// Hello is what the client said of itself.
func (c *Conn) Hello() Hello { return c.link.hello }

// Serve shows a desktop until ctx ends, whose cause it then returns, or the connection does. An error is
// rdp.ErrDisconnected for a client that said that it leaves, io.EOF for one that hung up, or wraps wire.ErrMalformed. The
// connection stays open: Disconnect, Detach or Close comes next.
func (c *Conn) Serve(ctx context.Context, d Desktop) error {
	if c.served || c.link == nil {
		return ErrPhase
	}
	c.served = true
	if d.Framebuffer == nil || d.Handler == nil {
		return errors.New("rdpserver: framebuffer and handler are required")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.desktop = d
	conn := c.link.conn
	c.picture.waiting = c.wantsGraphics()
	c.ready = true
	c.greet() // before the client's answers are read

	var writer, wg sync.WaitGroup
	writer.Go(func() {
		c.out.Run(func(b []byte) error {
			if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return err
			}
			if _, err := conn.Write(b); err != nil {
				cancel(fmt.Errorf("rdpserver: %w", err))
				return err
			}
			return nil
		})
	})
	unblocked := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(unblocked)
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	})
	wg.Go(func() { cancel(c.read(ctx)) })
	wg.Go(func() { c.act(ctx) })
	wg.Go(func() { cancel(c.picture.run(ctx)) })
	wg.Go(func() { c.pointer.run(ctx) })
	wg.Go(func() { c.beat(ctx) })

	<-ctx.Done()
	<-unblocked
	c.out.Flush(farewellTimeout)
	c.out.Close()
	wg.Wait()
	_ = conn.SetWriteDeadline(time.Now()) // for a client that does not read
	writer.Wait()
	c.static.close()
	_ = conn.SetDeadline(time.Time{})
	return context.Cause(ctx)
}

// greet says what there is to say to a client that is active.
func (c *Conn) greet() {
	l := c.link
	save := func(info rdp.SaveSessionInfo) {
		_ = c.out.Add(func(b []byte) []byte { return l.appendData(b, rdp.DataSaveSessionInfo, info.Append) })
	}
	if c.desktop.Video != nil { // a sign-in screen is no logon
		save(rdp.SaveSessionInfo{LoggedOn: true})
		if l.cookie != nil {
			save(rdp.SaveSessionInfo{Cookie: l.cookie})
		}
	}
	c.static.begin()
}

// read takes what the client sends until it hangs up or ctx ends.
func (c *Conn) read(ctx context.Context) error {
	for {
		frame, err := c.link.frames.Next()
		if err == nil {
			err = c.frame(ctx, frame)
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
	}
}

func (c *Conn) frame(ctx context.Context, frame rdp.Frame) error {
	if frame.FastPath {
		return rdp.DecodeFastPathInput(frame.Header, frame.Payload, func(e rdp.InputEvent) error { return c.take(ctx, e) })
	}
	payload, err := rdp.DecodeX224Data(frame.Payload)
	if err != nil {
		return err
	}
	var p rdp.DomainPDU
	if err := p.Decode(payload); err != nil {
		return err
	}
	switch {
	case p.Kind == rdp.MCSDisconnectProviderUltimatum:
		return rdp.ErrDisconnected
	case p.Kind != rdp.MCSSendDataRequest:
		return wire.Errorf("rdpserver: domain PDU of kind %d", p.Kind)
	case p.Channel == ioChannel:
		return c.share(ctx, p.Data)
	case p.Channel == c.link.message && p.Channel != 0:
		return c.answered(p.Data)
	}
	return c.static.chunk(p)
}

// share takes the PDUs of the share.
func (c *Conn) share(ctx context.Context, b []byte) error {
	for len(b) > 0 {
		pdu, rest, ok, err := rdp.DecodeShareControl(b)
		if err != nil || !ok {
			return err
		}
		b = rest
		switch pdu.Kind {
		case rdp.ShareConfirmActive:
			err = c.confirm(pdu.Body)
		case rdp.ShareData:
			var d rdp.DataPDU
			if err = d.Decode(pdu.Body); err == nil {
				err = c.data(ctx, d)
			}
		default:
			err = wire.Errorf("rdpserver: share PDU of kind %d", pdu.Kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// data takes a share data PDU. What there is no use for is passed over.
func (c *Conn) data(ctx context.Context, d rdp.DataPDU) error {
	switch d.Kind {
	case rdp.DataInput:
		return rdp.DecodeInput(d.Body, func(e rdp.InputEvent) error { return c.take(ctx, e) })
	case rdp.DataFontList:
		if c.finalizing(d) {
			c.reactivated()
		}
	case rdp.DataRefreshRect:
		areas, err := rdp.DecodeRefreshRect(d.Body)
		if err != nil {
			return err
		}
		for _, area := range areas {
			c.picture.refresh(area)
		}
	case rdp.DataSuppressOutput:
		allow, err := rdp.DecodeSuppressOutput(d.Body)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.suppressed = !allow
		c.mu.Unlock()
		c.picture.signal()
	case rdp.DataShutdownRequest:
		// The session stays when somebody's window closes: the client may ask the person, and then disconnects.
		return c.out.Add(func(b []byte) []byte {
			return c.link.appendData(b, rdp.DataShutdownDenied, func(b []byte) []byte { return b })
		})
	}
	return nil
}

// shown is the size of the client's desktop.
func (c *Conn) shown() image.Point {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// capabilities are the client's.
func (c *Conn) capabilities() clientCaps {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caps
}

// Bell lets the client make a sound ([MS-RDPBCGR] 2.2.9.1.1.5).
func (c *Conn) Bell() {
	if c.visible() {
		_ = c.out.Add(func(b []byte) []byte { return c.link.appendData(b, rdp.DataPlaySound, rdp.AppendBeep) })
	}
}

// visible tells whether updates may be sent.
func (c *Conn) visible() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready && !c.suppressed
}

// reactivate begins an activation with another size of the desktop. Nothing is sent until the client has agreed.
func (c *Conn) reactivate(size image.Point) error {
	c.mu.Lock()
	c.ready = false
	c.mu.Unlock()
	return c.out.Add(func(b []byte) []byte { return c.appendDemand(b, size) })
}

// reactivated ends it.
func (c *Conn) reactivated() {
	c.mu.Lock()
	was := c.ready
	c.mu.Unlock()
	if was || c.out.Add(c.appendFinalization) != nil {
		return
	}
	c.mu.Lock()
	c.ready = true
	c.mu.Unlock()
	c.pointer.forget()
	c.picture.restart()
}

// take queues an event for the Handler.
func (c *Conn) take(ctx context.Context, e rdp.InputEvent) error {
	const moves = rdp.MouseWheel | rdp.MouseHorizWheel | rdp.MouseButton1 | rdp.MouseButton2 | rdp.MouseButton3
	motion := e.Kind == rdp.InputMouse && e.Flags&moves == 0
	select {
	case c.input <- e:
		return nil
	default:
	}
	if motion {
		return nil // the next one tells where the pointer is
	}
	select {
	case c.input <- e:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// act passes on what the person does, and lets go of what is held in the end.
func (c *Conn) act(ctx context.Context) {
	t := translator{layout: keyboard.LayoutOf(c.link.hello.KeyboardLayout)}
	pass := func(events []desktop.Input) {
		for _, in := range events {
			if err := c.desktop.Handler.Input(in); err != nil {
				c.link.log.Debug("input not taken", "error", err)
			}
		}
	}
	defer func() { pass(t.releaseAll()) }()
	for {
		select {
		case e := <-c.input:
			pass(t.event(e, c.desktop.Framebuffer.Size()))
		case size := <-c.asked:
			if err := c.desktop.Handler.Resize(size); err != nil {
				c.link.log.Debug("size not taken", "error", err)
			}
		case text := <-c.static.texts:
			if err := c.desktop.Handler.Input(desktop.ClipboardText{Text: text}); err != nil {
				c.desktop.Handler.Refused("clipboard", err.Error())
			}
		case <-ctx.Done():
			return
		}
	}
}

// Disconnect tells the client that it is over, and why, and closes the connection once the client has hung up.
func (c *Conn) Disconnect(ctx context.Context, reason rdp.ErrorInfo) error {
	l := c.link
	if l == nil {
		return ErrPhase
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeoutCause(ctx, farewellTimeout, ErrTimeout)
	defer cancel()
	return l.during(ctx, func() error {
		err := l.write(func(b []byte) []byte {
			if reason != rdp.ErrorInfoNone && l.active {
				b = l.appendData(b, rdp.DataSetErrorInfo, reason.Append)
			}
			ultimatum := rdp.DomainPDU{Kind: rdp.MCSDisconnectProviderUltimatum, Reason: rdp.ReasonProviderInitiated}
			return rdp.AppendX224Data(b, ultimatum.Append)
		})
		if err != nil {
			return err
		}
		// A connection that is closed with something unread is reset, and what we have just said may be lost with it.
		_, _ = io.Copy(io.Discard, io.LimitReader(l.conn, 1<<20))
		return nil
	})
}

// Detach gives the connection up, after Serve, for another process to Resume.
func (c *Conn) Detach() (State, net.Conn, error) {
	l := c.link
	if c.link = nil; l == nil {
		return State{}, nil, ErrPhase
	}
	s, conn := l.state()
	return s, conn, nil
}

// Close ends the connection without a word.
func (c *Conn) Close() error {
	l := c.link
	if c.link = nil; l == nil {
		return net.ErrClosed
	}
	return l.conn.Close()
}

// wish notes the size the client asks for: the latest counts.
func (c *Conn) wish(size image.Point) {
	if desktop.CheckSize(size) != nil {
		return
	}
	for {
		select {
		case c.asked <- size:
			return
		default:
		}
		select {
		case <-c.asked:
		default:
		}
	}
}
