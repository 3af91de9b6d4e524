package vncclient

import (
	"encoding/binary"

	vnc "github.com/mitchellh/go-vnc"
)

// framebufferUpdate draws one update ([RFC 6143] 7.6.1). The next one is asked for before this one is worked
// on, so that the target draws and sends meanwhile.
func (s *session) framebufferUpdate() error {
	p, err := s.in.Next(3)
	if err != nil {
		return streamError("reading an update", err)
	}
	n := binary.BigEndian.Uint16(p[1:])
	if !s.continuous {
		if err := s.requestUpdate(true); err != nil {
			return err
		}
	}
	s.lastRect, s.resized = false, false
	// A count of 65535 is open: LastRect ends the update.
	for range n {
		if err := s.rectangle(); err != nil {
			return err
		}
		if s.lastRect {
			break
		}
	}
	s.fb.Commit()
	if s.resized {
		return s.afterResize()
	}
	return nil
}

// rectangle reads one rectangle of an update.
func (s *session) rectangle() error {
	p, err := s.in.Next(12)
	if err != nil {
		return streamError("reading a rectangle", err)
	}
	be := binary.BigEndian
	s.rect = vnc.Rectangle{X: be.Uint16(p), Y: be.Uint16(p[2:]), Width: be.Uint16(p[4:]), Height: be.Uint16(p[6:])}
	kind := int32(be.Uint32(p[8:]))
	enc := s.encodings[kind]
	if enc == nil {
		return protocolError("encoding %d, which was not asked for", kind)
	}
	_, err = enc.Read(nil, &s.rect, s.conn)
	return err
}

// requestUpdate asks for the whole desktop: what changed, or all of it.
func (s *session) requestUpdate(incremental bool) error {
	const msg = 3 // FramebufferUpdateRequest, [RFC 6143] 7.5.3
	var flag byte
	if incremental {
		flag = 1
	}
	size := s.size
	return s.out.Add(func(b []byte) []byte {
		b = append(b, msg, flag, 0, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size.X))
		return binary.BigEndian.AppendUint16(b, uint16(size.Y))
	})
}

// endOfContinuousUpdates is sent once by a target that can send updates unasked, and later when it stops
// doing so (rfbproto, "EndOfContinuousUpdates").
func (s *session) endOfContinuousUpdates() error {
	if !s.offeredCU {
		s.offeredCU = true
		return s.enableContinuousUpdates()
	}
	if s.continuous {
		s.continuous = false
		return s.requestUpdate(true)
	}
	return nil
}

// enableContinuousUpdates asks for updates of the whole desktop without further requests.
func (s *session) enableContinuousUpdates() error {
	const msg, enable = 150, 1
	s.continuous = true
	size := s.size
	return s.out.Add(func(b []byte) []byte {
		b = append(b, msg, enable, 0, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size.X))
		return binary.BigEndian.AppendUint16(b, uint16(size.Y))
	})
}

// Flags of a fence (rfbproto, "Fence").
const (
	fenceKnown   = 1<<0 | 1<<1 | 1<<2 // BlockBefore, BlockAfter, SyncNext: kept, messages are handled in order
	fenceRequest = 1 << 31
)

// serverFence returns a fence to the target, which measures the connection with it.
func (s *session) serverFence() error {
	p, err := s.in.Next(8)
	if err != nil {
		return streamError("reading a fence", err)
	}
	flags, n := binary.BigEndian.Uint32(p[3:]), int(p[7])
	if n > maxFenceBytes {
		return protocolError("fence of %d bytes exceeds %d", n, maxFenceBytes)
	}
	payload, err := s.in.Next(n)
	if err != nil {
		return streamError("reading a fence", err)
	}
	if flags&fenceRequest == 0 {
		return nil
	}
	return s.out.Add(func(b []byte) []byte {
		b = append(b, msgServerFence, 0, 0, 0)
		b = binary.BigEndian.AppendUint32(b, flags&fenceKnown)
		return append(append(b, byte(n)), payload...)
	})
}
