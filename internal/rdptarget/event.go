package rdptarget

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
)

// Kind says what an Event is about.
type Kind string

// The kinds of events.
const (
	Input     Kind = "input"     // Input, FastPath
	Confirmed Kind = "confirmed" // a Confirm Active came, now in Conn.Confirmed
	Data      Kind = "data"      // Data, Body: another share data PDU
	Static    Kind = "static"    // Channel, Body: a message on a static channel
	Answered  Kind = "answered"  // Channel, Status: what the client says to a dynamic channel
	Dynamic   Kind = "dynamic"   // Channel, Body: a message on a dynamic channel
	Closed    Kind = "closed"    // Channel: a dynamic one
	Message   Kind = "message"   // Body: a PDU on the message channel, with its security header
)

// Event is something the client sent. Its slices are its own.
type Event struct {
	Kind     Kind
	Input    rdp.InputEvent
	FastPath bool
	Data     rdp.DataKind
	Channel  string
	Status   int32
	Body     []byte
}

// maxMessage bounds a message of a channel in bytes.
const maxMessage = 16 << 20

// Next waits for what the client sends next, once its capabilities are due. The error is io.EOF when the client hung up,
// rdp.ErrDisconnected when it said so.
func (c *Conn) Next() (Event, error) {
	for len(c.queue) == 0 {
		if err := c.read(); err != nil {
			return Event{}, err
		}
	}
	e := c.queue[0]
	c.queue = c.queue[1:]
	return e, nil
}

func (c *Conn) add(e Event) { c.queue = append(c.queue, e) }

func (c *Conn) addInput(fastPath bool) func(e rdp.InputEvent) error {
	return func(e rdp.InputEvent) error {
		c.add(Event{Kind: Input, Input: e, FastPath: fastPath})
		return nil
	}
}

// read takes one PDU.
func (c *Conn) read() error {
	frame, err := c.frames.Next()
	if err != nil {
		return err
	}
	if frame.FastPath {
		return rdp.DecodeFastPathInput(frame.Header, frame.Payload, c.addInput(true))
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
		return fmt.Errorf("rdptarget: domain PDU of kind %d", p.Kind)
	case p.Channel == c.IO:
		return c.share(p.Data)
	case p.Channel == c.MessageChannel:
		c.add(Event{Kind: Message, Body: append([]byte(nil), p.Data...)})
		return nil
	}
	return c.static(p)
}

// share takes the PDUs of the share.
func (c *Conn) share(b []byte) error {
	for len(b) > 0 {
		p, rest, ok, err := rdp.DecodeShareControl(b)
		if err != nil || !ok {
			return err
		}
		b = rest
		var d rdp.DataPDU
		switch p.Kind {
		case rdp.ShareConfirmActive:
			if err := c.Confirmed.Decode(append([]byte(nil), p.Body...)); err != nil {
				return err
			}
			c.add(Event{Kind: Confirmed})
			continue
		case rdp.ShareData:
			if err := d.Decode(p.Body); err != nil {
				return err
			}
		default:
			return fmt.Errorf("rdptarget: share PDU of kind %d", p.Kind)
		}
		if d.ShareID != c.ShareID {
			return fmt.Errorf("rdptarget: share %#x, want %#x", d.ShareID, c.ShareID)
		}
		if d.Kind != rdp.DataInput {
			c.add(Event{Kind: Data, Data: d.Kind, Body: append([]byte(nil), d.Body...)})
			continue
		}
		if err := rdp.DecodeInput(d.Body, c.addInput(false)); err != nil {
			return err
		}
	}
	return nil
}

// static takes a chunk on a static channel.
func (c *Conn) static(p rdp.DomainPDU) error {
	name, ok := c.channelName(p.Channel)
	if !ok {
		return fmt.Errorf("rdptarget: data on channel %d, which there is not", p.Channel)
	}
	in := c.reading[p.Channel]
	if in == nil {
		in = svc.NewAssembler(maxMessage)
		c.reading[p.Channel] = in
	}
	message, err := in.Add(p.Data)
	if err != nil || message == nil {
		return err
	}
	if name == dvc.ChannelName {
		return c.dynamic.message(message, c.add)
	}
	c.add(Event{Kind: Static, Channel: name, Body: append([]byte(nil), message...)})
	return nil
}
