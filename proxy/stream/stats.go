package stream

import (
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// Stats are the figures of a Hub at one moment.
type Stats struct {
	// Size is the visible picture in pixels, zero before the first unit.
	Size image.Point
	// Frames counts access units, IDRs and Refines those among them, Bytes their data.
	Frames, IDRs, Refines, Bytes uint64
	// Patches counts what patch lanes were sent, each lane by itself, PatchBytes their pixels as coded. Restored counts those without
	// pixels, because the viewer had kept them.
	Patches, PatchBytes, Restored uint64
	// EncodeTime is CPU time spent in the encoder, ConvertTime wall time spent converting pixels, in all.
	EncodeTime, ConvertTime time.Duration
	// LastUnit is the PTS of the last unit.
	LastUnit time.Duration
	// QP and Preset are those of the last unit.
	QP     int
	Preset h264.Preset
	// Target is the rate aimed at, in bits per second.
	Target int
	// FPS and BitsPerSecond are what was made in the last second.
	FPS, BitsPerSecond int
	// Sinks are those served now, in order of joining.
	Sinks []SinkStats
}

// SinkStats are the figures of one sink.
type SinkStats struct {
	// Overflow tells viewers from recorders.
	Overflow Overflow
	// Queued units wait now; Delivered were handed to the sink, Dropped were not because it was too slow. Units
	// before its first IDR and while it was frozen are not counted.
	Queued             int
	Delivered, Dropped uint64
	// WaitingForIDR is set until the sink can start or go on.
	WaitingForIDR bool
}

// window sums what was made in the last second, to a twentieth.
type window struct {
	slots [20]struct {
		tick          int64
		frames, bytes int
	}
}

func (w *window) tick(t time.Duration) int64 {
	return int64(t / (time.Second / time.Duration(len(w.slots))))
}

func (w *window) add(t time.Duration, bytes int) {
	tick := w.tick(t)
	s := &w.slots[tick%int64(len(w.slots))]
	if s.tick != tick {
		s.tick, s.frames, s.bytes = tick, 0, 0
	}
	s.frames++
	s.bytes += bytes
}

// sum returns frames and bits of the second before t.
func (w *window) sum(t time.Duration) (frames, bits int) {
	oldest := w.tick(t) - int64(len(w.slots)) + 1
	for _, s := range w.slots {
		if s.tick >= oldest {
			frames += s.frames
			bits += 8 * s.bytes
		}
	}
	return frames, bits
}
