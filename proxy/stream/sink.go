// Package stream turns the picture of one session into one stream of access units and hands it to every
// sink: viewers, native clients, the recorder. One encode, whatever the number of sinks.
//
//	Framebuffer ── Wake, Snapshot ──▶ encodeLoop ──┬─ access units ──▶ queue ──▶ Serve ──▶ Sink
//	                                   │           └─ patches, notes ─▶ lane ──▶ ServePatches ──▶ PatchSink
//	                                   │ policy: by which lane
//	                                   │ schedule: when, and at which quantiser
//	                                   │ bucket: what the rate allows
//	                                   │ load: which preset
//	                                   │ exact: what has been still
//
// Small changes are coded so finely that text cannot be told from the original, at once: they cost next to nothing. Large changes
// are coded coarser, as coarse as the rate asks for, and sharpened when there has been none for a moment. Nothing is
// encoded while nothing changes. Viewers with a patch lane get small changes, and what is still, exactly and beside the video.
//
// Lock order: Hub.mu, then queue.mu or lane.mu. The framebuffer's lock is held for the conversion of damaged macroblocks only.
package stream

import (
	"context"
	"errors"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// Sink takes access units in order, from an IDR on. It may block, because the Hub owns one bounded queue and
// one goroutine per sink. au is shared and must not be written.
type Sink interface {
	WriteUnit(ctx context.Context, au *h264.AccessUnit) error
}

// Overflow says what happens to a sink that falls behind its queue, and so what it is: a viewer may lose pictures, a recorder
// may not. Hub.FreezeViewers goes by it.
type Overflow int

const (
	// DropToIDR empties the queue, counts what was dropped, asks for an IDR and goes on from there: viewers.
	DropToIDR Overflow = iota
	// Fail ends Serve with ErrOverflow: the recorder, whose failure ends the session.
	Fail
)

// ErrOverflow is returned by Hub.Serve when a sink registered with Fail could not keep up.
var ErrOverflow = errors.New("stream: sink fell behind its queue")
