package webrtcserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// Kinds of messages on the data channel of patches (PROTOCOL.md).
const (
	kindProbe    = 0
	kindNote     = 1
	kindPatch    = 2
	kindKept     = 3
	kindRestored = 4
)

// binarySender is the part of *webrtc.DataChannel that patches need.
type binarySender interface {
	sender
	Send(data []byte) error
}

var _ binarySender = (*webrtc.DataChannel)(nil)

// patchWriter is the viewer's end of the patch lane. It is used by one goroutine, the Hub's for this lane.
type patchWriter struct {
	channel binarySender
	buffer  *buffer
	tail    *tail
	track   *track
	pace    patchPace
	msg     []byte // reused
}

var _ stream.LookKeeper = (*patchWriter)(nil)

func newPatchWriter(channel binarySender, t *track, lost func() time.Time, trip func() time.Duration) *patchWriter {
	return &patchWriter{channel: channel, buffer: newBuffer(channel), tail: newTail(channel, lost, trip), track: t}
}

// WriteNote implements stream.PatchSink.
func (w *patchWriter) WriteNote(ctx context.Context, n *stream.Note) error {
	w.msg = appendNote(w.msg[:0], n, w.track.timestamp(n.PTS))
	return w.send(ctx)
}

// WritePatch implements stream.PatchSink. It takes as long as the link needs for the patch.
func (w *patchWriter) WritePatch(ctx context.Context, p *stream.Patch) error {
	w.msg = append(appendPatch(w.msg[:0], kindPatch, p, w.track.timestamp(p.After), nil), p.Coded()...)
	return w.sendPaced(ctx)
}

// WriteKept implements stream.LookKeeper, as WritePatch.
func (w *patchWriter) WriteKept(ctx context.Context, p *stream.Patch, l stream.Look) error {
	w.msg = append(appendPatch(w.msg[:0], kindKept, p, w.track.timestamp(p.After), &l), p.Coded()...)
	return w.sendPaced(ctx)
}

// WriteRestored implements stream.LookKeeper.
func (w *patchWriter) WriteRestored(ctx context.Context, p *stream.Patch, l stream.Look) error {
	w.msg = appendPatch(w.msg[:0], kindRestored, p, w.track.timestamp(p.After), &l)
	return w.sendPaced(ctx)
}

// sendPaced sends the message, and returns when the link should have carried it.
func (w *patchWriter) sendPaced(ctx context.Context) error {
	if err := w.send(ctx); err != nil {
		return err
	}
	return w.pace.wait(ctx, len(w.msg), w.track.rate(), func() int { return int(w.channel.BufferedAmount()) })
}

func (w *patchWriter) send(ctx context.Context) error {
	if !w.buffer.drain(ctx, patchWater) {
		return context.Cause(ctx)
	}
	if err := w.channel.Send(w.msg); err != nil {
		return fmt.Errorf("webrtc: send a patch: %w", err)
	}
	w.tail.note(w.msg)
	return nil
}

// appendNote appends a note whose last unit has that RTP timestamp.
func appendNote(b []byte, n *stream.Note, timestamp uint32) []byte {
	b = append(b, kindNote)
	b = binary.AppendUvarint(b, uint64(n.Number))
	b = binary.AppendUvarint(b, uint64(n.Epoch))
	b = binary.BigEndian.AppendUint32(b, timestamp)
	b = appendInts(b, n.Size.X, n.Size.Y)
	for _, g := range n.Groups {
		b = binary.AppendUvarint(b, uint64(g.Patch))
		b = appendInts(b, len(g.Runs))
		end := 0
		for _, r := range g.Runs {
			b = appendInts(b, r.Start-end, r.Len)
			end = r.Start + r.Len
		}
	}
	return b
}

// appendPatch appends a patch of a kind, made after the unit with that RTP timestamp, but for its pixels. look is nil for one that is
// not kept.
func appendPatch(b []byte, kind byte, p *stream.Patch, timestamp uint32, look *stream.Look) []byte {
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(p.Number))
	b = binary.AppendUvarint(b, uint64(p.Epoch))
	b = binary.BigEndian.AppendUint32(b, timestamp)
	b = appendInts(b, p.Size.X, p.Size.Y)
	if look != nil {
		b = appendInts(b, look.Cell, int(look.Turn), look.Slot)
	}
	b = appendInts(b, len(p.Parts))
	for _, part := range p.Parts {
		r := part.Blocks
		b = appendInts(b, r.Min.X, r.Min.Y, r.Dx(), r.Dy(), len(part.Bases))
		if part.Bases == nil {
			continue
		}
		at := part.Pixels.Sub(r.Min.Mul(desktop.BlockSize))
		b = appendInts(b, at.Min.X, at.Min.Y, at.Dx(), at.Dy())
		for _, base := range part.Bases {
			b = binary.AppendUvarint(b, uint64(p.Number-base))
		}
	}
	return b
}

func appendInts(b []byte, values ...int) []byte {
	for _, v := range values {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

// patchPace spreads patches over time, so that they are not ahead of the link by more than patchAhead, or by what it has shown to carry.
type patchPace struct {
	free time.Time // when the link has carried what was sent
	open int       // bytes that may be under way whatever the estimate says
}

// wait books n bytes at a rate of bits a second, and blocks while too much is under way. underWay tells how many bytes have not arrived:
// what arrives sooner than expected shows that the link carries more than the estimate, which knows video only and follows that down where
// little is sent. Each time, more may be under way, so that a long way does not cost its round trip for every patch; once something is
// later than expected, only the estimate counts again.
func (p *patchPace) wait(ctx context.Context, n, rate int, underWay func() int) error {
	if now := time.Now(); p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(float64(n) * 8 / float64(rate) * float64(time.Second)))
	for look := time.Duration(0); ; look = min(max(2*look, pacingStep), patchLook) {
		ahead := time.Until(p.free) - patchAhead
		if ahead < pacingStep {
			if look > 0 {
				p.open = 0
			}
			return nil
		}
		if look > 0 {
			if err := sleep(ctx, min(ahead, look)); err != nil {
				return err
			}
		}
		if underWay() <= max(p.open, patchSlack) {
			p.free = time.Now()
			if look > 0 {
				p.open = min(p.open+n, patchOpen)
			}
			return nil
		}
	}
}

// sctpTrip is the round trip as SCTP has it.
func (v *viewer) sctpTrip() time.Duration {
	for _, s := range v.pc.GetStats() {
		if sctp, ok := s.(webrtc.SCTPTransportStats); ok {
			return time.Duration(sctp.SmoothedRoundTripTime * float64(time.Second))
		}
	}
	return 0
}

// patches serves the patch lane on its data channel, until that or the viewer goes.
func (v *viewer) patches(ctx context.Context, channel *webrtc.DataChannel) {
	ctx, cancel := context.WithCancel(ctx)
	channel.OnClose(cancel)
	w := newPatchWriter(channel, v.track, v.losses.last, v.sctpTrip)
	var following sync.WaitGroup
	following.Go(func() { w.tail.run(ctx) })
	defer following.Wait()
	defer cancel()
	err := v.s.cfg.Video.ServePatches(ctx, v.sink, w)
	if err != nil && ctx.Err() == nil {
		v.log.Debug("patch lane ended", "error", err)
		_ = channel.Close() // the browser then knows that there are no more
	}
}
