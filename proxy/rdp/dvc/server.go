package dvc

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ServerStats counts what a Server passed over.
type ServerStats struct {
	Refused int // channels the client did not want
	Orphans int // data and closes for channels that are not open
}

// offer is a channel the server wants.
type offer struct {
	name    string
	max     int
	open    OpenFunc
	channel *Channel // nil until the client has agreed
	refused bool
}

// Server is the server's side of the protocol, for channels it wants from the beginning. It is not safe for concurrent use;
// Channel.Send is.
//
// INVARIANT: memory is bounded by the caps of Offer.
type Server struct {
	send   func(pdu []byte) error
	offers []offer // the channel's number is one more than the place here
	ready  bool
	stats  ServerStats
	out    []byte
}

// NewServer returns a Server that speaks by send, which must not keep the PDU it is given.
func NewServer(send func(pdu []byte) error) *Server { return &Server{send: send} }

// Offer names a channel to be opened, with messages of up to maxBytes. open is called when the client has agreed; a client that
// does not is no error. Offers are made before Begin.
func (s *Server) Offer(name string, maxBytes int, open OpenFunc) {
	s.offers = append(s.offers, offer{name: name, max: maxBytes, open: open})
}

// Stats returns what was passed over so far.
func (s *Server) Stats() ServerStats { return s.stats }

// Begin sends the server's capabilities; channels are asked for once the client has answered.
func (s *Server) Begin() error {
	s.out = (&CapsRequest{Version: Version1}).Append(s.out[:0])
	return s.send(s.out)
}

// Close ends all channels without telling the client: for when the connection is gone.
func (s *Server) Close() {
	for i := range s.offers {
		s.end(&s.offers[i])
	}
}

// Refused tells whether the client does not want the channel.
func (s *Server) Refused(name string) bool {
	for i := range s.offers {
		if s.offers[i].name == name {
			return s.offers[i].refused
		}
	}
	return true
}

// Message takes one whole message of the static channel. After an error, which wraps wire.ErrMalformed when the client is to
// blame, the static channel must not be used any longer.
func (s *Server) Message(b []byte) error {
	switch cmd := Command(b); cmd {
	case CmdDataFirst:
		var p DataFirst
		if err := p.Decode(b); err != nil {
			return err
		}
		if o := s.offer(p.ChannelID); o != nil && o.channel != nil {
			return o.channel.first(p.Length, p.Data)
		}
		s.stats.Orphans++
		return nil
	case CmdData:
		var p Data
		if err := p.Decode(b); err != nil {
			return err
		}
		if o := s.offer(p.ChannelID); o != nil && o.channel != nil {
			return o.channel.data(p.Data)
		}
		s.stats.Orphans++
		return nil
	case CmdCaps:
		return s.capabilities(b)
	case CmdCreate:
		return s.created(b)
	case CmdClose:
		var p Close
		if err := p.Decode(b); err != nil {
			return err
		}
		if o := s.offer(p.ChannelID); o != nil && o.channel != nil {
			s.end(o)
		} else {
			s.stats.Orphans++
		}
		return nil
	case CmdDataFirstCompressed, CmdDataCompressed:
		return wire.Errorf("dvc: compressed data (Cmd %d), which was not agreed on", cmd)
	default:
		return wire.Errorf("dvc: Cmd %d of %d bytes is none a client sends", cmd, len(b))
	}
}

// offer returns what was asked for under a number, or nil.
func (s *Server) offer(id uint32) *offer {
	if id == 0 || uint64(id) > uint64(len(s.offers)) {
		return nil
	}
	return &s.offers[id-1]
}

// capabilities takes the client's answer and asks for the channels. A second one changes nothing.
func (s *Server) capabilities(b []byte) error {
	var p CapsResponse
	if err := p.Decode(b); err != nil || s.ready {
		return err
	}
	s.ready = true
	for i := range s.offers {
		s.out = (&CreateRequest{ChannelID: uint32(i + 1), Name: s.offers[i].name}).Append(s.out[:0])
		if err := s.send(s.out); err != nil {
			return err
		}
	}
	return nil
}

// created takes what the client says to a channel.
func (s *Server) created(b []byte) error {
	var p CreateResponse
	if err := p.Decode(b); err != nil {
		return err
	}
	o := s.offer(p.ChannelID)
	switch {
	case o == nil || !s.ready:
		return wire.Errorf("dvc: ChannelId %d was not asked for", p.ChannelID)
	case o.channel != nil || o.refused:
		return wire.Errorf("dvc: a second answer for ChannelId %d", p.ChannelID)
	case p.Status < 0:
		o.refused = true
		s.stats.Refused++
		return nil
	}
	ch := &Channel{name: o.name, id: p.ChannelID, send: s.send, max: o.max}
	handler, err := o.open(ch)
	if err != nil {
		ch.end()
		return fmt.Errorf("dvc: opening %s: %w", o.name, err)
	}
	ch.handler, o.channel = handler, ch
	return nil
}

func (s *Server) end(o *offer) {
	if ch := o.channel; ch != nil {
		o.channel, o.refused = nil, true
		ch.end()
	}
}
