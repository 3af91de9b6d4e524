package webrtcserver

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// encodeCursor returns the message that shows a pointer shape. A shape too large for a message becomes the
// browser's arrow, and an error says so.
func encodeCursor(c desktop.Cursor) ([]byte, error) {
	reply := cursorReply{T: "cursor", Hidden: c.Hidden}
	if c.Shape == nil || c.Hidden {
		return encode(reply), nil
	}
	var b bytes.Buffer
	if err := png.Encode(&b, c.Shape); err != nil {
		return encode(reply), fmt.Errorf("webrtc: encode cursor: %w", err)
	}
	full := reply
	full.PNG = b.Bytes()
	size := c.Shape.Bounds().Size()
	full.Width, full.Height = size.X, size.Y
	full.HotX, full.HotY = c.Hotspot.X, c.Hotspot.Y
	msg := encode(full)
	if len(msg) > maxMessageBytes {
		return encode(reply), fmt.Errorf("webrtc: cursor %d×%d takes %d bytes, more than %d",
			size.X, size.Y, len(msg), maxMessageBytes)
	}
	return msg, nil
}

// watchCursor keeps every viewer's pointer shape the target's, at most one shape each cursorInterval.
func (s *Server) watchCursor(ctx context.Context) {
	changed := make(chan struct{}, 1)
	stop := s.cfg.Screen.WatchCursor(changed)
	defer stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		// Shapes that came meanwhile are skipped: the latest is asked for.
		select {
		case <-changed:
		default:
		}
		s.cursorChanged(s.cfg.Screen.Cursor())
		pause.Reset(cursorInterval)
	}
}

// cursorChanged sends a pointer shape to all viewers and keeps it for those that come.
func (s *Server) cursorChanged(c desktop.Cursor) {
	msg, err := encodeCursor(c)
	if err != nil {
		s.log.Warn("pointer shape not shown", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor = msg
	for _, v := range s.connected() {
		if !s.hidden(v) {
			v.put(channelControl, slotCursor, msg)
		}
	}
}
