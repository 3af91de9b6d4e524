package rdpserver

import (
	"errors"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/cliprdr"
	"github.com/vitrine-psm/vitrine/proxy/rdp/disp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Names of the static channels that are spoken on; the clipboard's is cliprdr.ChannelName. All others are joined and say
// nothing, so that clients believe in a server without drives, printers or sound.
const (
	maxDynamicBytes  = 64 << 10 // of a message of the client on a dynamic channel
	maxStaticBytes   = 64 << 10 // of one on the channel of dynamic channels
	maxClientRefusal = 16       // malformed clipboard messages before the channel is left alone
)

// staticChannels is what a Conn speaks on channels. The goroutine that reads owns it but for what mu guards.
type staticChannels struct {
	c       *Conn
	reading map[uint16]*svc.Assembler
	refused map[uint16]bool
	dynamic *dvc.Server
	dynID   uint16 // 0: the client has no such channel
	clipID  uint16
	texts   chan string // capacity 1: the client's text, the latest
	bad     int

	mu   sync.Mutex
	clip *cliprdr.Server // nil: not spoken
}

func newStaticChannels(c *Conn) *staticChannels {
	s := &staticChannels{c: c, reading: map[uint16]*svc.Assembler{}, refused: map[uint16]bool{}, texts: make(chan string, 1)}
	s.dynID, _ = c.link.channelID(dvc.ChannelName)
	s.clipID, _ = c.link.channelID(cliprdr.ChannelName)
	return s
}

// begin opens what the client and the desktop both have. A sign-in screen has no channels.
func (s *staticChannels) begin() {
	if s.c.desktop.Video == nil {
		return
	}
	if s.clipID != 0 && s.c.desktop.Clipboard {
		s.mu.Lock()
		s.clip = cliprdr.NewServer(cliprdr.Config{
			Send: func(m []byte) { _ = s.send(s.clipID, m) },
			Text: s.text,
			Skipped: func(reason error) {
				s.c.link.log.Debug("client's clipboard not taken", "reason", reason.Error())
			},
		})
		s.clip.Begin()
		s.mu.Unlock()
	}
	if s.dynID == 0 {
		return
	}
	s.dynamic = dvc.NewServer(func(pdu []byte) error { return s.send(s.dynID, pdu) })
	if s.c.wantsGraphics() {
		s.dynamic.Offer(egfx.ChannelName, maxDynamicBytes, func(ch *dvc.Channel) (dvc.Handler, error) { return s.c.picture.open(ch), nil })
	}
	s.dynamic.Offer(disp.ChannelName, maxDynamicBytes, func(ch *dvc.Channel) (dvc.Handler, error) {
		return displayHandler{s.c}, ch.Send(disp.Caps{MaxNumMonitors: 1, MaxMonitorAreaFactorA: 8192, MaxMonitorAreaFactorB: 8192}.Append(nil))
	})
	_ = s.dynamic.Begin()
}

// wantsGraphics tells whether the client said that it knows the graphics pipeline.
func (c *Conn) wantsGraphics() bool {
	return c.desktop.Video != nil && c.link.hello.EarlyCapabilities&rdp.SupportDynVCGFX != 0 && c.static.dynID != 0 && c.link.hello.Depth == 32
}

// close forgets the channels.
func (s *staticChannels) close() {
	if s.dynamic != nil {
		s.dynamic.Close()
	}
}

// send sends a message on a static channel, in chunks.
func (s *staticChannels) send(id uint16, message []byte) error {
	return s.c.out.Add(func(b []byte) []byte { return s.appendMessage(b, id, message) })
}

func (s *staticChannels) appendMessage(b []byte, id uint16, message []byte) []byte {
	flags := uint32(0)
	if s.c.link.channels[id-firstStatic].Options&rdp.ChannelShowProtocol != 0 {
		flags = svc.FlagShowProtocol
	}
	for header, part := range svc.Chunks(message, svc.DefaultChunkBytes, flags) {
		b = appendOn(b, id, func(b []byte) []byte { return append(header.Append(b), part...) })
	}
	return b
}

// chunk takes a chunk on a static channel.
func (s *staticChannels) chunk(p rdp.DomainPDU) error {
	name, known := s.c.link.channelName(p.Channel)
	if !known || p.Channel != s.dynID && p.Channel != s.clipID {
		s.refuse(p.Channel, name)
		return nil
	}
	in := s.reading[p.Channel]
	if in == nil {
		most := maxStaticBytes
		if p.Channel == s.clipID {
			most = cliprdr.MaxMessageBytes
		}
		in = svc.NewAssembler(most)
		s.reading[p.Channel] = in
	}
	message, err := in.Add(p.Data)
	switch {
	case errors.Is(err, svc.ErrTooLong) && p.Channel == s.clipID:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.clip != nil {
			s.clip.Skip(time.Now())
		}
		return nil
	case errors.Is(err, svc.ErrTooLong):
		return wire.Errorf("rdpserver: channel %s: %w", name, err)
	case err != nil:
		return err
	case message == nil:
		return nil
	case p.Channel == s.dynID && s.dynamic != nil:
		return s.dynamic.Message(message)
	case p.Channel == s.clipID:
		s.clipboard(message)
	}
	return nil
}

// refuse notes, once, that a client speaks on a channel that nobody listens to.
func (s *staticChannels) refuse(id uint16, name string) {
	if s.refused[id] {
		return
	}
	s.refused[id] = true
	s.c.link.log.Info("channel refused", "channel", name, "id", id)
	s.c.desktop.Handler.Refused("channel", "nothing is exchanged on channel "+name)
}

// clipboard takes a message of the clipboard. A malformed one costs the client no more than that; many end the clipboard.
func (s *staticChannels) clipboard(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clip == nil {
		return
	}
	now := time.Now()
	s.clip.Expire(now)
	if err := s.clip.Receive(message, now); err != nil {
		s.c.link.log.Debug("clipboard message refused", "error", err)
		if s.bad++; s.bad > maxClientRefusal {
			s.clip = nil
		}
	}
}

// text takes the client's text: the latest counts.
func (s *staticChannels) text(text string) {
	for {
		select {
		case s.texts <- text:
			return
		default:
		}
		select {
		case <-s.texts:
		default:
		}
	}
}

// SendClipboard offers text to the client. It returns an error wrapping ErrPhase while the client has no clipboard.
func (c *Conn) SendClipboard(text string) error {
	s := c.static
	if s == nil {
		return ErrPhase
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clip == nil {
		return ErrPhase
	}
	return s.clip.Offer(text)
}

// displayHandler takes what a client says of its monitors ([MS-RDPEDISP]).
type displayHandler struct{ c *Conn }

// Message implements dvc.Handler.
func (h displayHandler) Message(b []byte) error {
	var l disp.Layout
	if err := l.Decode(b); err != nil {
		return err
	}
	for _, m := range l.Monitors {
		if m.Flags&disp.FlagPrimary != 0 {
			h.c.wish(m.Bounds().Size())
		}
	}
	return nil
}

// Closed implements dvc.Handler.
func (displayHandler) Closed() {}
