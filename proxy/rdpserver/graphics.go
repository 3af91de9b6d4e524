package rdpserver

import (
	"image"

	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

const (
	// surfaceID is the one surface's, which is all of the desktop.
	surfaceID = 0
	// frameWindow is how many frames may be unacknowledged: enough for 30 a second over 130 ms, few enough that a client which
	// falls behind is at most that far behind.
	frameWindow = 4
)

// graphics is the state of the graphics pipeline. painter.mu guards it.
type graphics struct {
	channel   *dvc.Channel // nil: not open
	ready     bool         // capabilities were confirmed
	avc       bool         // H.264 may be sent
	surface   bool         // there is one, of size
	size      image.Point
	sent      uint32 // frames so far; the number of the last
	acked     uint32 // number of the last one acknowledged
	suspended bool   // no more acknowledgements come
}

// full tells whether no frame may be sent before another acknowledgement.
func (g *graphics) full() bool { return !g.suspended && g.sent-g.acked >= frameWindow }

// graphicsHandler takes what the client sends in the graphics pipeline.
type graphicsHandler struct{ p *painter }

// open is called when the client has opened the channel.
func (p *painter) open(ch *dvc.Channel) dvc.Handler {
	p.mu.Lock()
	p.gfx = graphics{channel: ch}
	p.mu.Unlock()
	return graphicsHandler{p}
}

// Closed implements dvc.Handler.
func (h graphicsHandler) Closed() {
	p := h.p
	p.mu.Lock()
	p.gfx, p.waiting = graphics{}, false
	p.shift++
	p.progressed()
	p.mu.Unlock()
	p.signal()
}

// Message implements dvc.Handler: clients send messages as they are.
func (h graphicsHandler) Message(b []byte) error {
	for len(b) > 0 {
		command, body, rest, err := egfx.Next(b)
		if err != nil {
			return err
		}
		b = rest
		switch command {
		case egfx.CmdCapsAdvertise:
			var m egfx.CapsAdvertise
			if err = m.Decode(body); err == nil {
				err = h.p.advertised(m.Sets)
			}
		case egfx.CmdFrameAcknowledge:
			var m egfx.FrameAcknowledge
			if err = m.Decode(body); err == nil {
				err = h.p.acknowledged(m)
			}
		case egfx.CmdQoEFrameAcknowledge:
			err = (&egfx.QoEFrameAcknowledge{}).Decode(body)
		case egfx.CmdCacheImportOffer:
			var m egfx.CacheImportOffer
			if err = m.Decode(body); err == nil { // nothing is taken from it
				err = h.p.pushGraphics((&egfx.CacheImportReply{}).Append(nil))
			}
		default:
			err = wire.Errorf("rdpserver: graphics message %#x is none a client sends", uint16(command))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// chooseCaps returns the best set this server speaks of those a client advertises: one with H.264 before others, and of those
// the newest.
func chooseCaps(sets []egfx.CapSet) (best egfx.CapSet, avc, ok bool) {
	for _, set := range sets {
		has := false
		switch set.Version {
		case egfx.CapVersion8, egfx.CapVersion101: // 10.1 has no flag by which a client could say that it has no H.264
		case egfx.CapVersion81:
			has = set.Flags()&egfx.CapAVC420Enabled != 0
		case egfx.CapVersion10, egfx.CapVersion102, egfx.CapVersion103, egfx.CapVersion104, egfx.CapVersion105,
			egfx.CapVersion106, egfx.CapVersion107:
			has = set.Flags()&egfx.CapAVCDisabled == 0
		default:
			continue // newer than we are
		}
		if !ok || has && !avc || has == avc && (set.Version > best.Version && set.Version != egfx.CapVersion101 || best.Version == egfx.CapVersion101) {
			best, avc, ok = set, has, true
		}
	}
	return best, avc, ok
}

// advertised takes a client's capabilities. They may come again at any time, and everything begins anew then ([MS-RDPEGFX] 1.3.2).
func (p *painter) advertised(sets []egfx.CapSet) error {
	best, avc, ok := chooseCaps(sets)
	if !ok {
		return wire.Errorf("rdpserver: none of %d graphics capability sets is known", len(sets))
	}
	best.Data = append([]byte(nil), best.Data...)
	if err := p.pushGraphics((&egfx.CapsConfirm{Set: best}).Append(nil)); err != nil {
		return err
	}
	p.c.link.log.Info("graphics pipeline opened", "version", best.Version.String(), "h264", avc)
	p.mu.Lock()
	p.gfx = graphics{channel: p.gfx.channel, ready: true, avc: avc}
	p.waiting = false
	p.shift++
	p.all = true
	p.progressed()
	p.mu.Unlock()
	p.signal()
	return nil
}

// acknowledged takes the number of a frame that the client has decoded.
func (p *painter) acknowledged(m egfx.FrameAcknowledge) error {
	p.mu.Lock()
	g := &p.gfx
	g.suspended = m.QueueDepth == egfx.SuspendAcknowledge
	if m.FrameID-g.acked <= g.sent-g.acked { // else it is of a time before, or invented
		g.acked = m.FrameID
	}
	p.progressed()
	p.mu.Unlock()
	p.signal()
	return nil
}

// pushGraphics sends messages in one piece, without waiting.
func (p *painter) pushGraphics(messages []byte) error {
	p.mu.Lock()
	ch := p.gfx.channel
	p.mu.Unlock()
	if ch == nil {
		return dvc.ErrClosed
	}
	return p.c.out.Add(p.appendGraphics(ch.ID(), messages))
}

// appendGraphics returns what appends messages in one piece, wrapped as the client wants it, in fragments and chunks.
func (p *painter) appendGraphics(channel uint32, messages []byte) func(b []byte) []byte {
	wrapped := zgfx.AppendUncompressed(nil, messages)
	return func(b []byte) []byte {
		var pdu []byte
		for sent := 0; sent < len(wrapped); {
			pdu, sent = dvc.AppendFragment(pdu[:0], channel, wrapped, sent)
			b = p.c.static.appendMessage(b, p.c.static.dynID, pdu)
		}
		return b
	}
}

// pushFrame sends what fill appends as one frame, once there is room in the outbox. It needs drawing.
func (p *painter) pushFrame(fill func(b []byte) ([]byte, error)) error {
	p.mu.Lock()
	ch := p.gfx.channel
	number := p.gfx.sent + 1
	p.mu.Unlock()
	if ch == nil {
		return dvc.ErrClosed
	}
	b := (&egfx.StartFrame{FrameID: number}).Append(p.frame[:0])
	b, err := fill(b)
	if err != nil {
		return err
	}
	p.frame = (&egfx.EndFrame{FrameID: number}).Append(b)
	p.mu.Lock()
	p.gfx.sent = number // before it is sent, lest its acknowledgement be faster
	p.mu.Unlock()
	return p.c.out.Push(p.appendGraphics(ch.ID(), p.frame))
}

// resetGraphics gives the client's desktop a size, with a fresh surface. It needs drawing.
func (p *painter) resetGraphics(size image.Point) error {
	p.mu.Lock()
	g := p.gfx
	if g.surface && g.size == size {
		p.mu.Unlock()
		return nil
	}
	p.gfx.surface, p.gfx.size, p.all = true, size, true
	p.mu.Unlock()
	var b []byte
	if g.surface {
		b = (&egfx.DeleteSurface{SurfaceID: surfaceID}).Append(b)
	}
	w, h := uint32(size.X), uint32(size.Y)
	b = (&egfx.ResetGraphics{Width: w, Height: h, Monitors: []egfx.Monitor{{Right: int32(w) - 1, Bottom: int32(h) - 1, Flags: 1}}}).Append(b)
	b = (&egfx.CreateSurface{SurfaceID: surfaceID, Width: uint16(w), Height: uint16(h), PixelFormat: egfx.FormatXRGB}).Append(b)
	b = (&egfx.MapSurfaceToOutput{SurfaceID: surfaceID}).Append(b)
	return p.pushGraphics(b)
}
