package dvc

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// OpenFunc makes the client's end of a channel the server wants. The server has been told yes by then, so that ch.Send
// may be used at once. An error ends the static channel.
type OpenFunc func(ch *Channel) (Handler, error)

// Stats counts what a Client passed over.
type Stats struct {
	Refused   int // channels the server wanted and did not get
	Orphans   int // data and closes for channels that are not open
	SoftSyncs int // requests to move channels to tunnels that do not exist
}

type listener struct {
	max  int
	open OpenFunc
	now  *Channel // the one open, if any
}

// Client is the client's side of the protocol. It is not safe for concurrent use; Channel.Send is.
//
// INVARIANT: of each registered name at most one channel is open, and memory is bounded by the caps of Register.
type Client struct {
	send      func(pdu []byte) error
	listeners map[string]*listener
	channels  map[uint32]*Channel
	ready     bool // capabilities were exchanged
	stats     Stats
	out       []byte
}

// NewClient returns a Client that answers by send, which must not keep the PDU it is given.
func NewClient(send func(pdu []byte) error) *Client {
	return &Client{send: send, listeners: map[string]*listener{}, channels: map[uint32]*Channel{}}
}

// Register allows the server to open the channel name, one at a time, with messages of up to maxBytes. It is called
// before the first Message.
func (c *Client) Register(name string, maxBytes int, open OpenFunc) {
	c.listeners[name] = &listener{max: maxBytes, open: open}
}

// Stats returns what was passed over so far.
func (c *Client) Stats() Stats { return c.stats }

// Close ends all channels without telling the server: for when the connection is gone.
func (c *Client) Close() {
	for id := range c.channels {
		c.end(id)
	}
}

// Message takes one whole message of the static channel. After an error, which wraps wire.ErrMalformed when the server
// is to blame, the static channel must not be used any longer ([MS-RDPEDYC] 3.1.5.2.4).
func (c *Client) Message(b []byte) error {
	switch cmd := Command(b); cmd {
	case CmdDataFirst:
		var p DataFirst
		if err := p.Decode(b); err != nil {
			return err
		}
		if ch := c.channels[p.ChannelID]; ch != nil {
			return ch.first(p.Length, p.Data)
		}
		c.stats.Orphans++
		return nil
	case CmdData:
		var p Data
		if err := p.Decode(b); err != nil {
			return err
		}
		if ch := c.channels[p.ChannelID]; ch != nil {
			return ch.data(p.Data)
		}
		c.stats.Orphans++
		return nil
	case CmdCaps:
		return c.capabilities(b)
	case CmdCreate:
		return c.create(b)
	case CmdClose:
		return c.close(b)
	case CmdSoftSyncRequest:
		// An answer is forbidden without a tunnel (3.2.5.3.2), and nothing moves without one.
		c.stats.SoftSyncs++
		return (&SoftSyncRequest{}).Decode(b)
	case CmdDataFirstCompressed, CmdDataCompressed:
		return wire.Errorf("dvc: compressed data (Cmd %d), which was not agreed on", cmd)
	default:
		return wire.Errorf("dvc: Cmd %d of %d bytes is none a server sends", cmd, len(b))
	}
}

// capabilities answers with the best version both know. Servers ask once; to one that asks again the answer is the same.
func (c *Client) capabilities(b []byte) error {
	var p CapsRequest
	if err := p.Decode(b); err != nil {
		return err
	}
	return c.sendCaps(min(p.Version, Version2))
}

func (c *Client) sendCaps(version uint16) error {
	c.ready = true
	c.out = (&CapsResponse{Version: version}).Append(c.out[:0])
	return c.send(c.out)
}

func (c *Client) create(b []byte) error {
	var p CreateRequest
	if err := p.Decode(b); err != nil {
		return err
	}
	if !c.ready { // some servers forget to ask and wait for the answer all the same
		if err := c.sendCaps(Version2); err != nil {
			return err
		}
	}
	if c.channels[p.ChannelID] != nil {
		return wire.Errorf("dvc: ChannelId %d is open already", p.ChannelID)
	}
	l := c.listeners[p.Name]
	if l == nil || l.now != nil {
		c.stats.Refused++
		return c.answer(p.ChannelID, StatusNoListener)
	}
	if err := c.answer(p.ChannelID, StatusOK); err != nil {
		return err
	}
	ch := &Channel{name: p.Name, id: p.ChannelID, send: c.send, max: l.max}
	handler, err := l.open(ch)
	if err != nil {
		ch.end()
		return fmt.Errorf("dvc: opening %s: %w", p.Name, err)
	}
	ch.handler, l.now, c.channels[p.ChannelID] = handler, ch, ch
	return nil
}

func (c *Client) answer(id uint32, status int32) error {
	c.out = (&CreateResponse{ChannelID: id, Status: status}).Append(c.out[:0])
	return c.send(c.out)
}

// close answers for a channel that is open and passes over any other ([MS-RDPEDYC] 3.2.5.2): servers close those they
// were refused.
func (c *Client) close(b []byte) error {
	var p Close
	if err := p.Decode(b); err != nil {
		return err
	}
	if c.channels[p.ChannelID] == nil {
		c.stats.Orphans++
		return nil
	}
	c.end(p.ChannelID)
	c.out = p.Append(c.out[:0])
	return c.send(c.out)
}

func (c *Client) end(id uint32) {
	ch := c.channels[id]
	delete(c.channels, id)
	c.listeners[ch.name].now = nil
	ch.end()
}
