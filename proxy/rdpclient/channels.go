package rdpclient

import (
	"errors"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/cliprdr"
	"github.com/vitrine-psm/vitrine/proxy/rdp/disp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
	"github.com/vitrine-psm/vitrine/proxy/rdpclient/gfx"
)

// Names of channels.
const (
	channelClipboard = "cliprdr"
	channelGraphics  = "Microsoft::Windows::RDS::Graphics"
)

// staticChannel is a static virtual channel ([MS-RDPBCGR] 3.1.5.2).
type staticChannel struct {
	name    string
	options uint32
	id      uint16 // zero when the target refused it
	in      *svc.Assembler
	message func(b []byte) error
}

// staticChannels are those there are: the clipboard's and that of dynamic channels, nothing else.
type staticChannels struct {
	s         *session
	all       []*staticChannel // in the order asked for
	chunk     int              // bytes of a chunk the target takes
	clipboard *clipboard       // nil: text may go neither way
	dynamic   *dvc.Client
	graphics  *gfx.Compositor // of the last graphics channel; nil: there was none
	display   display
}

// init sets up the channels asked for.
func (c *staticChannels) init(s *session) {
	c.s, c.chunk = s, svc.DefaultChunkBytes
	drdynvc := &staticChannel{
		name: dvc.ChannelName, options: rdp.ChannelInitialized | rdp.ChannelEncryptRDP, in: svc.NewAssembler(maxSVCMessage),
	}
	c.dynamic = dvc.NewClient(func(pdu []byte) error { return c.send(drdynvc, pdu) })
	drdynvc.message = c.dynamic.Message
	if s.cfg.Graphics&GraphicsPipeline != 0 {
		c.dynamic.Register(channelGraphics, gfx.MaxMessageBytes, c.openGraphics)
	}
	c.dynamic.Register(disp.ChannelName, maxDisplayMessage, c.display.open)
	c.all = append(c.all, drdynvc)
	if s.cfg.Clipboard.ToTarget || s.cfg.Clipboard.FromTarget {
		cliprdr := &staticChannel{
			name:    channelClipboard,
			options: rdp.ChannelInitialized | rdp.ChannelEncryptRDP | rdp.ChannelShowProtocol,
			in:      svc.NewAssembler(cliprdr.MaxMessageBytes),
		}
		c.clipboard = newClipboard(s, func(pdu []byte) error { return c.send(cliprdr, pdu) })
		cliprdr.message = c.clipboard.message
		c.all = append(c.all, cliprdr)
	}
}

// defs are the channels to ask for.
func (c *staticChannels) defs() []rdp.ChannelDef {
	var defs []rdp.ChannelDef
	for _, ch := range c.all {
		defs = append(defs, rdp.ChannelDef{Name: ch.name, Options: ch.options})
	}
	return defs
}

// assign takes the ids the target gives, in the order asked for.
func (c *staticChannels) assign(server rdp.ServerSettings) error {
	if len(server.Channels) > len(c.all) {
		return protocolError("%d channels given, %d asked for", len(server.Channels), len(c.all))
	}
	for i, id := range server.Channels {
		if id == server.IOChannel || id == server.MessageChannel && id != 0 {
			return protocolError("channel %d given twice", id)
		}
		c.all[i].id = id
	}
	return nil
}

// ids are the channels to join.
func (c *staticChannels) ids() []uint16 {
	var ids []uint16
	for _, ch := range c.all {
		if ch.id != 0 {
			ids = append(ids, ch.id)
		}
	}
	return ids
}

// learn takes what the target says of its channels with each activation.
func (c *staticChannels) learn(target []rdp.Capability) {
	if v, ok := rdp.FindCapability[*rdp.VirtualChannelCapability](target); ok && v.ChunkSize >= svc.DefaultChunkBytes {
		c.chunk = int(min(v.ChunkSize, svc.MaxChunkBytes))
	}
	if c.clipboard != nil && isXRDP(target) {
		_ = c.clipboard.do(c.clipboard.client.SetUnixLines) // an error comes again with the next message
	}
}

// isXRDP tells xrdp by a font capability set without its body, which nobody else sends.
func isXRDP(target []rdp.Capability) bool {
	for _, set := range target {
		if raw, ok := set.(*rdp.RawCapability); ok && raw.Kind == rdp.CapFont {
			return len(raw.Body) == 0
		}
	}
	return false
}

// data takes a chunk on a channel. One for a channel that was never given is passed over.
func (c *staticChannels) data(id uint16, chunk []byte) error {
	for _, ch := range c.all {
		if ch.id != id {
			continue
		}
		message, err := ch.in.Add(chunk)
		switch {
		case errors.Is(err, svc.ErrTooLong) && ch.name == channelClipboard:
			return c.clipboard.tooLong()
		case err != nil || message == nil:
			return err
		}
		return ch.message(message)
	}
	return nil
}

// send queues a message on a channel, without waiting.
func (c *staticChannels) send(ch *staticChannel, message []byte) error {
	return c.s.out.Add(func(b []byte) []byte { return c.appendMessage(b, ch, message) })
}

func (c *staticChannels) appendMessage(b []byte, ch *staticChannel, message []byte) []byte {
	flags := uint32(0)
	if ch.options&rdp.ChannelShowProtocol != 0 {
		flags |= svc.FlagShowProtocol
	}
	for header, part := range svc.Chunks(message, c.chunk, flags) {
		b = rdp.AppendChannelData(b, rdp.MCSSendDataRequest, c.s.user, ch.id, func(b []byte) []byte {
			return append(header.Append(b), part...)
		})
	}
	return b
}

// close forgets everything the channels hold.
func (c *staticChannels) close() {
	if c.graphics != nil {
		stats := c.graphics.Stats()
		c.s.log.Debug("graphics pipeline", "version", c.graphics.Version(), "frames", stats.Frames, "ignored", stats.Ignored)
	}
	c.dynamic.Close()
	if c.clipboard != nil {
		c.clipboard.close()
	}
}

// openGraphics begins the graphics pipeline ([MS-RDPEGFX]).
func (c *staticChannels) openGraphics(ch *dvc.Channel) (dvc.Handler, error) {
	compositor, err := gfx.Open(gfx.Config{
		Framebuffer: c.s.fb, Send: ch.Send,
		Resized: func(size image.Point) { c.s.screen.size = size },
	})
	c.graphics, c.s.nudges = compositor, 0
	return compositor, err
}
