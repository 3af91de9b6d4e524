package gfx

import (
	"fmt"
	"image"

	"github.com/vitrine-psm/vitrine/codec/clearcodec"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/codec/remotefx"
	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// Config is what a Compositor works with.
type Config struct {
	// Framebuffer is drawn into and resized.
	Framebuffer *desktop.Framebuffer
	// Send sends one message on the graphics channel and does not keep it.
	Send func(message []byte) error
	// Resized, if it is set, is called when the target has given the output a size, which may be the same as before.
	Resized func(size image.Point)
}

// Stats counts what a Compositor did.
type Stats struct {
	Frames  uint32 // ended and acknowledged
	Ignored int    // messages that mean nothing to a client, or to this one
}

// Compositor is the state of one graphics channel; another channel gets another. It is not safe for concurrent use.
type Compositor struct {
	cfg       Config
	offered   []egfx.CapSet
	confirmed bool
	version   egfx.CapVersion // that the server has chosen
	stats     Stats

	inFrame bool
	frame   uint32 // counts the beginnings of frames
	painted int    // pixels, in the present message
	budget  int    // how many one message may paint

	surfaces map[uint16]*surface
	order    []*surface // the same in the order of creation, in which they are shown
	pixels   int        // of all surfaces
	cache    cache

	bulk     zgfx.Decompressor
	bitmap   rdpbitmap.Decoder
	clear    clearcodec.Decoder
	remotefx remotefx.Decoder

	// Memory that is used again.
	plain  []byte // the unpacked message
	out    []byte // the message being sent
	fill   egfx.SolidFill
	copy   egfx.SurfaceToSurface
	paste  egfx.CacheToSurface
	reset  egfx.ResetGraphics
	ack    egfx.FrameAcknowledge
	blocks coalescer
	column []int // of a scaled row: where each pixel comes from
}

// Open begins the protocol on a channel that has just been opened, by telling the server what is understood.
func Open(config Config) (*Compositor, error) {
	c := &Compositor{
		cfg: config, offered: egfx.ClientCaps(), surfaces: map[uint16]*surface{}, budget: maxPaintedPixels,
		cache: cache{slots: smallCacheSlots, maxBytes: smallCacheBytes},
	}
	return c, c.send(&egfx.CapsAdvertise{Sets: c.offered})
}

// Stats returns what was done so far.
func (c *Compositor) Stats() Stats { return c.stats }

// Version returns the version that the server has chosen, as people write it, or nothing before that.
func (c *Compositor) Version() string {
	if !c.confirmed {
		return ""
	}
	return c.version.String()
}

// Closed gives the memory back. Nothing but Stats may be called after it.
func (c *Compositor) Closed() {
	*c = Compositor{stats: c.stats}
}

// Message takes one message of the channel (RDP_SEGMENTED_DATA), which may hold many graphics messages. After an error,
// which wraps desktop.ErrProtocol unless it came from Send, the Compositor must not be used any longer.
func (c *Compositor) Message(b []byte) error {
	plain, err := c.bulk.Decompress(c.plain[:0], b)
	if err != nil {
		return failed("unpacking a message", err)
	}
	if c.plain = plain; cap(plain) > keepBytes {
		c.plain = nil
	}
	return c.commands(plain)
}

// commands carries out the graphics messages of one message of the channel.
func (c *Compositor) commands(b []byte) error {
	c.painted = 0
	for len(b) > 0 {
		command, body, rest, err := egfx.Next(b)
		if err != nil {
			return failed("reading a message", err)
		}
		if err := c.dispatch(command, body); err != nil {
			return err
		}
		b = rest
	}
	if c.inFrame {
		return nil
	}
	return c.show() // what was drawn outside of frames
}

// dispatch carries out one graphics message. Those that are not expected are ignored ([MS-RDPEGFX] 3.1.5.1).
func (c *Compositor) dispatch(command egfx.Command, body []byte) error {
	if !c.confirmed && command != egfx.CmdCapsConfirm {
		return protocolError("command %d before the capabilities were confirmed", command)
	}
	switch command {
	case egfx.CmdCapsConfirm:
		return c.capsConfirm(body)
	case egfx.CmdResetGraphics:
		return c.resetGraphics(body)
	case egfx.CmdStartFrame:
		var m egfx.StartFrame
		if err := m.Decode(body); err != nil {
			return failed("StartFrame", err)
		}
		c.inFrame = true
		c.frame++
		return nil
	case egfx.CmdEndFrame:
		return c.endFrame(body)
	case egfx.CmdCreateSurface:
		return c.createSurface(body)
	case egfx.CmdDeleteSurface:
		return c.deleteSurface(body)
	case egfx.CmdMapSurfaceToOutput:
		return c.mapSurface(body)
	case egfx.CmdMapSurfaceToScaledOutput:
		return c.mapScaledSurface(body)
	case egfx.CmdWireToSurface1:
		return c.wireToSurface1(body)
	case egfx.CmdWireToSurface2:
		return c.wireToSurface2(body)
	case egfx.CmdSolidFill:
		return c.solidFill(body)
	case egfx.CmdSurfaceToSurface:
		return c.surfaceToSurface(body)
	case egfx.CmdSurfaceToCache:
		return c.surfaceToCache(body)
	case egfx.CmdCacheToSurface:
		return c.cacheToSurface(body)
	case egfx.CmdEvictCacheEntry:
		return c.evictCacheEntry(body)
	case egfx.CmdDeleteEncodingContext:
		// A surface's tiles outlive the contexts that brought them ([MS-RDPEGFX] 3.3.1.3): later contexts send
		// differences to them.
		if err := (&egfx.DeleteEncodingContext{}).Decode(body); err != nil {
			return failed("DeleteEncodingContext", err)
		}
		return nil
	}
	c.stats.Ignored++
	return nil
}

// capsConfirm accepts a version that was offered. Its flags are the server's to set.
func (c *Compositor) capsConfirm(body []byte) error {
	var m egfx.CapsConfirm
	if err := m.Decode(body); err != nil {
		return failed("CapsConfirm", err)
	}
	for _, set := range c.offered {
		if set.Version != m.Set.Version {
			continue
		}
		c.confirmed, c.version = true, m.Set.Version
		c.cache.slots, c.cache.maxBytes = largeCacheSlots, largeCacheBytes
		if m.Set.SmallCache() {
			c.cache.slots, c.cache.maxBytes = smallCacheSlots, smallCacheBytes
		}
		return nil
	}
	return protocolError("the target chose version %v, which was not offered", m.Set.Version)
}

func (c *Compositor) resetGraphics(body []byte) error {
	if err := c.reset.Decode(body); err != nil {
		return failed("ResetGraphics", err)
	}
	size := image.Pt(int(c.reset.Width), int(c.reset.Height))
	if err := desktop.CheckSize(size); err != nil {
		return failed("ResetGraphics", err)
	}
	if err := c.paint(size.X * size.Y); err != nil {
		return err
	}
	if err := c.cfg.Framebuffer.Resize(size); err != nil {
		return failed("ResetGraphics", err)
	}
	for _, s := range c.order { // more of them may be in the picture now
		s.exposed()
	}
	if c.cfg.Resized != nil {
		c.cfg.Resized(size)
	}
	return nil
}

// endFrame shows what the frame drew and acknowledges it. An end without a beginning is as good: what counts is that the
// server gets as many acknowledgements as it sends ends.
func (c *Compositor) endFrame(body []byte) error {
	var m egfx.EndFrame
	if err := m.Decode(body); err != nil {
		return failed("EndFrame", err)
	}
	c.inFrame = false
	if err := c.show(); err != nil {
		return err
	}
	c.stats.Frames++
	// How much waits to be decoded is not known here.
	c.ack = egfx.FrameAcknowledge{QueueDepth: egfx.QueueDepthUnavailable, FrameID: m.FrameID, FramesDecoded: c.stats.Frames}
	return c.send(&c.ack)
}

func (c *Compositor) send(m egfx.Message) error {
	c.out = m.Append(c.out[:0])
	if err := c.cfg.Send(c.out); err != nil {
		return fmt.Errorf("rdpclient: graphics: answering: %w", err)
	}
	return nil
}

// paint counts pixels that a command is about to touch.
func (c *Compositor) paint(pixels int) error {
	if c.painted += pixels; c.painted > c.budget {
		return protocolError("one message paints more than %d pixels", c.budget)
	}
	return nil
}
