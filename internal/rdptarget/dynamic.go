package rdptarget

import (
	"fmt"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
)

// dynamic is the server's side of dynamic virtual channels ([MS-RDPEDYC]).
type dynamic struct {
	mu    *sync.Mutex
	begun bool // the capabilities were sent
	ids   map[string]uint32
	names map[uint32]string
	// Of the goroutine in Next: messages in fragments, and how long each will be.
	partial map[uint32][]byte
	total   map[uint32]int
}

func newDynamic() dynamic {
	return dynamic{
		mu: new(sync.Mutex), ids: make(map[string]uint32), names: make(map[uint32]string),
		partial: make(map[uint32][]byte), total: make(map[uint32]int),
	}
}

// OpenDynamic asks the client for a dynamic channel. Its answer is an Event.
func (c *Conn) OpenDynamic(name string) error {
	d := &c.dynamic
	d.mu.Lock()
	begun := d.begun
	d.begun = true
	id := uint32(len(d.names) + 1)
	d.ids[name], d.names[id] = id, name
	d.mu.Unlock()
	if !begun {
		caps := dvc.CapsRequest{Version: dvc.Version1}
		if err := c.SendStatic(dvc.ChannelName, caps.Append(nil)); err != nil {
			return err
		}
	}
	create := dvc.CreateRequest{ChannelID: id, Name: name}
	return c.SendStatic(dvc.ChannelName, create.Append(nil))
}

// DynamicID returns the number of a dynamic channel that was asked for.
func (c *Conn) DynamicID(name string) (uint32, bool) {
	c.dynamic.mu.Lock()
	defer c.dynamic.mu.Unlock()
	id, ok := c.dynamic.ids[name]
	return id, ok
}

// SendDynamic sends a message on a dynamic channel, in as many fragments as it takes.
func (c *Conn) SendDynamic(name string, message []byte) error {
	id, ok := c.DynamicID(name)
	if !ok {
		return fmt.Errorf("rdptarget: dynamic channel %q was not asked for", name)
	}
	for sent := 0; ; {
		pdu, now := dvc.AppendFragment(nil, id, message, sent)
		if err := c.SendStatic(dvc.ChannelName, pdu); err != nil {
			return err
		}
		if sent = now; sent >= len(message) {
			return nil
		}
	}
}

// message takes one of the client on the static channel.
func (d *dynamic) message(b []byte, add func(Event)) error {
	switch cmd := dvc.Command(b); cmd {
	case dvc.CmdCaps:
		var p dvc.CapsResponse
		return p.Decode(b)
	case dvc.CmdCreate:
		var p dvc.CreateResponse
		if err := p.Decode(b); err != nil {
			return err
		}
		add(Event{Kind: Answered, Channel: d.name(p.ChannelID), Status: p.Status})
	case dvc.CmdClose:
		var p dvc.Close
		if err := p.Decode(b); err != nil {
			return err
		}
		add(Event{Kind: Closed, Channel: d.name(p.ChannelID)})
	case dvc.CmdDataFirst:
		var p dvc.DataFirst
		if err := p.Decode(b); err != nil {
			return err
		}
		if p.Length > maxMessage {
			return fmt.Errorf("rdptarget: message of %d bytes on a dynamic channel exceeds %d", p.Length, maxMessage)
		}
		d.partial[p.ChannelID], d.total[p.ChannelID] = append([]byte{}, p.Data...), int(p.Length)
	case dvc.CmdData:
		var p dvc.Data
		if err := p.Decode(b); err != nil {
			return err
		}
		whole := append(d.partial[p.ChannelID], p.Data...)
		if len(whole) < d.total[p.ChannelID] {
			d.partial[p.ChannelID] = whole
			return nil
		}
		delete(d.partial, p.ChannelID)
		delete(d.total, p.ChannelID)
		add(Event{Kind: Dynamic, Channel: d.name(p.ChannelID), Body: whole})
	default:
		return fmt.Errorf("rdptarget: command %d on dynamic channels", cmd)
	}
	return nil
}

func (d *dynamic) name(id uint32) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[id]
}
