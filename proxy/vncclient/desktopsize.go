package vncclient

import (
	"encoding/binary"
	"fmt"
	"image"

	vnc "github.com/mitchellh/go-vnc"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// screen is one monitor of an ExtendedDesktopSize layout, as far as it must be sent back.
type screen struct{ id, flags uint32 }

// setSize gives the framebuffer the size the target announced.
func (s *session) setSize(size image.Point) error {
	if err := s.fb.Resize(size); err != nil {
		return fmt.Errorf("vncclient: desktop of the target: %w: %w", err, desktop.ErrProtocol)
	}
	s.size = size
	return nil
}

// desktopSize follows the target to another size ([RFC 6143] 7.8.2).
func (s *session) desktopSize(r *vnc.Rectangle) error {
	size := image.Pt(int(r.Width), int(r.Height))
	if size == s.size {
		return nil
	}
	if err := s.setSize(size); err != nil {
		return err
	}
	s.resized = true
	return nil
}

// afterResize asks for the whole picture, since what it shows now is undefined.
func (s *session) afterResize() error {
	if s.continuous {
		if err := s.enableContinuousUpdates(); err != nil {
			return err
		}
	}
	return s.requestUpdate(false)
}

// Who changed the size, and how that went (rfbproto, "ExtendedDesktopSize").
const (
	sizeReasonThisClient = 1
	sizeStatusOK         = 0
)

// extendedDesktopSize reads the layout of the target's screens. The first one tells that the target takes
// SetDesktopSize; the position carries who asked and the result.
func (s *session) extendedDesktopSize(r *vnc.Rectangle) error {
	const screenBytes = 16
	p, err := s.in.Next(4)
	if err != nil {
		return streamError("reading a screen layout", err)
	}
	n := int(p[0])
	if p, err = s.in.Next(n * screenBytes); err != nil {
		return streamError("reading a screen layout", err)
	}
	var first screen
	if n > 0 {
		first = screen{binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[12:])}
	}
	s.able.Lock()
	s.resizable, s.screen = true, first
	s.able.Unlock()
	if reason, status := r.X, r.Y; reason == sizeReasonThisClient && status != sizeStatusOK {
		s.log.Warn("target refused the size asked for", "status", status, "meaning", sizeStatus(status))
		return nil
	}
	return s.desktopSize(r)
}

func sizeStatus(status uint16) string {
	switch status {
	case 1:
		return "prohibited"
	case 2:
		return "out of resources"
	case 3:
		return "invalid screen layout"
	case 4:
		return "forwarded"
	}
	return "unknown"
}

// resize asks the target for another size, as one screen (rfbproto, "SetDesktopSize").
func (s *session) resize(size image.Point) error {
	const msg, oneScreen = 251, 1
	if err := desktop.CheckSize(size); err != nil {
		return fmt.Errorf("vncclient: %w", err)
	}
	s.able.Lock()
	able, scr := s.resizable, s.screen
	s.able.Unlock()
	if !able {
		return fmt.Errorf("vncclient: change of size: %w", desktop.ErrUnsupported)
	}
	return s.out.Push(func(b []byte) []byte {
		be := binary.BigEndian
		b = be.AppendUint16(append(b, msg, 0), uint16(size.X))
		b = append(be.AppendUint16(b, uint16(size.Y)), oneScreen, 0)
		b = be.AppendUint32(b, scr.id)
		b = be.AppendUint32(b, 0) // position
		b = be.AppendUint16(b, uint16(size.X))
		b = be.AppendUint16(b, uint16(size.Y))
		return be.AppendUint32(b, scr.flags)
	})
}
