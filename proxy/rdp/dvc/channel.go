package dvc

import (
	"errors"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ErrClosed is returned by Channel.Send after the channel's end.
var ErrClosed = errors.New("dvc: channel closed")

// Handler is the client's end of one open channel. Its methods are called by Client.Message.
type Handler interface {
	// Message is given one whole message, which it must not keep. An error ends the static channel, and with it the
	// session: the caller of Client.Message gets it.
	Message(b []byte) error
	// Closed is called once, when either side has closed the channel or the Client is closed.
	Closed()
}

// Channel is an open channel.
type Channel struct {
	name string
	id   uint32
	send func(pdu []byte) error

	// Reassembly; only Client.Message touches it.
	handler Handler
	max     int    // bytes of a message
	buf     []byte // the fragments so far; empty between messages
	total   int    // bytes of the message in fragments
	partial bool   // fragments of a message are awaited

	mu     sync.Mutex // one message goes out at a time, because its fragments have to follow each other
	out    []byte     // the PDU being sent
	closed bool
}

// Name returns the name the channel was registered under.
func (ch *Channel) Name() string { return ch.name }

// ID returns the channel's number.
func (ch *Channel) ID() uint32 { return ch.id }

// Send sends one message, in as many PDUs as it takes. It returns ErrClosed once the channel has ended. It is safe for
// concurrent use if the function given to NewClient is.
func (ch *Channel) Send(message []byte) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for sent := 0; ; {
		if ch.closed {
			return ErrClosed
		}
		ch.out, sent = AppendFragment(ch.out[:0], ch.id, message, sent)
		if err := ch.send(ch.out); err != nil {
			return err
		}
		if sent == len(message) {
			return nil
		}
	}
}

func (ch *Channel) end() {
	ch.mu.Lock()
	ch.closed = true
	ch.mu.Unlock()
	ch.buf, ch.partial = nil, false
	if ch.handler != nil {
		ch.handler.Closed()
	}
}

// first takes the first fragment of a message of total bytes.
func (ch *Channel) first(total uint32, data []byte) error {
	if ch.partial {
		return wire.Errorf("dvc: a message of %d bytes begins after %d of %d bytes of another", total, len(ch.buf), ch.total)
	}
	if uint64(total) > uint64(ch.max) {
		return wire.Errorf("dvc: a message of %d bytes exceeds %d", total, ch.max)
	}
	if int(total) == len(data) {
		return ch.deliver(data)
	}
	ch.partial, ch.total = true, int(total)
	return ch.fragment(data)
}

// data takes a whole message or, after first, a fragment.
func (ch *Channel) data(data []byte) error {
	if ch.partial {
		return ch.fragment(data)
	}
	if len(data) > ch.max {
		return wire.Errorf("dvc: a message of %d bytes exceeds %d", len(data), ch.max)
	}
	return ch.deliver(data)
}

func (ch *Channel) fragment(data []byte) error {
	have := len(ch.buf) + len(data)
	if have > ch.total {
		return wire.Errorf("dvc: %d bytes of a message of %d", have, ch.total)
	}
	if have > cap(ch.buf) {
		grown := make([]byte, len(ch.buf), min(ch.total, max(growBytes, 2*have)))
		copy(grown, ch.buf)
		ch.buf = grown
	}
	ch.buf = append(ch.buf, data...)
	if have < ch.total {
		return nil
	}
	ch.partial = false
	err := ch.deliver(ch.buf)
	if cap(ch.buf) > keepBytes {
		ch.buf = nil
	}
	ch.buf = ch.buf[:0]
	return err
}

// deliver passes a message on, unless it is empty and says nothing.
func (ch *Channel) deliver(message []byte) error {
	if len(message) == 0 {
		return nil
	}
	return ch.handler.Message(message)
}
