package session

import (
	"context"
	"image"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// tap is the recorder as the hub sees it, with an eye on the size of the pictures.
type tap struct {
	s    *Session
	size image.Point
}

var _ stream.Sink = (*tap)(nil)

// WriteUnit implements stream.Sink.
func (t *tap) WriteUnit(ctx context.Context, au *h264.AccessUnit) error {
	if size := image.Pt(au.Width, au.Height); size != t.size {
		t.size = size
		t.s.resized(size)
	}
	return t.s.cfg.Recorder.WriteUnit(ctx, au)
}
