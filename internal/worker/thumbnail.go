package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/thumbnail"
)

// ErrNoThumbnail is returned while a session's target has drawn nothing.
var ErrNoThumbnail = errors.New("worker: there is no picture yet")

// jpegStart begins every JPEG: what a worker sends as one is not looked into further here.
var jpegStart = []byte{0xff, 0xd8, 0xff}

// Thumbnail returns a small JPEG of the desktop and the serial that tells it from others of this session; no bytes when it is
// still the one the caller knows. It returns an error wrapping ErrNoThumbnail or ErrEnded.
func (s *Session) Thumbnail(ctx context.Context, known uint64) (jpeg []byte, serial uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := s.client.Thumbnail(ctx, &workerpb.ThumbnailRequest{Known: known})
	if status.Code(err) == codes.NotFound {
		return nil, 0, ErrNoThumbnail
	}
	if err != nil {
		return nil, 0, s.callError(err, ErrEnded)
	}
	jpeg = r.GetJpeg()
	switch n := len(jpeg); {
	case n == 0 && (known == 0 || r.GetSerial() != known):
		return nil, 0, errors.New("worker: a thumbnail without bytes")
	case n > thumbnail.MaxBytes:
		return nil, 0, fmt.Errorf("worker: a thumbnail of %d bytes exceeds %d", n, thumbnail.MaxBytes)
	case n > 0 && !bytes.HasPrefix(jpeg, jpegStart):
		return nil, 0, errors.New("worker: a thumbnail that is no JPEG")
	}
	return jpeg, r.GetSerial(), nil
}

// Thumbnail implements workerpb.WorkerServer.
func (c *control) Thumbnail(_ context.Context, req *workerpb.ThumbnailRequest) (*workerpb.ThumbnailResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	p, err := a.thumbnails.Picture()
	switch {
	case errors.Is(err, thumbnail.ErrBlank):
		return nil, status.Error(codes.NotFound, err.Error())
	case err != nil:
		return nil, status.Error(codes.Unknown, err.Error())
	case p.Serial == req.GetKnown():
		return &workerpb.ThumbnailResponse{Serial: p.Serial}, nil
	}
	return &workerpb.ThumbnailResponse{Serial: p.Serial, Jpeg: p.JPEG}, nil
}

// recorded gives a recorder its thumbnails. Without one the recording goes on: the video is the evidence.
func recorded(r *thumbnail.Renderer, log *slog.Logger) func(known uint64) (jpeg []byte, serial uint64) {
	return func(known uint64) ([]byte, uint64) {
		p, err := r.Picture()
		if err != nil && !errors.Is(err, thumbnail.ErrBlank) {
			log.Warn("no thumbnail for the recording", "error", err)
		}
		if err != nil || p.Serial == known {
			return nil, known
		}
		return p.JPEG, p.Serial
	}
}
