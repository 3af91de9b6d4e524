package vncclient

import (
	"encoding/binary"
	"image"
	"io"
	"slices"

	vnc "github.com/mitchellh/go-vnc"

	"github.com/vitrine-psm/vitrine/codec/rfbenc"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Pseudo-encodings ([RFC 6143] 7.8 and the registry of rfbproto).
const (
	pseudoJPEGQuality0      = -32
	pseudoDesktopSize       = -223
	pseudoLastRect          = -224
	pseudoCursor            = -239
	pseudoXCursor           = -240
	pseudoCompress0         = -256
	pseudoQEMUKeys          = -258
	pseudoDesktopName       = -307
	pseudoExtendedSize      = -308
	pseudoFence             = -312
	pseudoContinuous        = -313
	pseudoAlphaCursor       = -314
	pseudoExtendedMouse     = -316
	pseudoExtendedClipboard = -0x3f5e1a32 // 0xC0A1E5CE
)

// compressLevel asks for quick compression: the network between gateway and target is a short one.
const compressLevel = 1

// encoding is a vnc.Encoding that reads itself off the session's connection.
type encoding struct {
	kind int32
	read func(r *vnc.Rectangle) error // nil: only asked for, never sent
}

// Type implements vnc.Encoding.
func (e *encoding) Type() int32 { return e.kind }

// Read implements vnc.Encoding.
func (e *encoding) Read(_ *vnc.ClientConn, r *vnc.Rectangle, _ io.Reader) (vnc.Encoding, error) {
	return e, e.read(r)
}

// decoder is one of rfbenc's.
type decoder interface {
	Decode(src *rfbenc.Reader, dst rfbenc.Canvas, r image.Rectangle) error
}

// newEncodings returns what the target may send, in order of preference. Each has its decoder, and with it
// its zlib streams, for the length of the session.
func (s *session) newEncodings() []vnc.Encoding {
	var list []vnc.Encoding
	add := func(kind int32, read func(*vnc.Rectangle) error) {
		list = append(list, &encoding{kind, read})
	}
	pixels := func(kind EncodingType, name string, d decoder) {
		add(int32(kind), func(r *vnc.Rectangle) error { return s.decode(name, d, r) })
	}
	wanted := s.cfg.Encodings
	if !slices.Contains(wanted, EncodingRaw) {
		wanted = append(slices.Clip(wanted), EncodingRaw)
	}
	for _, kind := range wanted {
		switch kind {
		case EncodingCopyRect:
			add(int32(kind), s.copyRect)
		case EncodingTight:
			pixels(kind, "tight", &rfbenc.Tight{})
		case EncodingZRLE:
			pixels(kind, "zrle", &rfbenc.ZRLE{})
		case EncodingHextile:
			pixels(kind, "hextile", &rfbenc.Hextile{})
		case EncodingRaw:
			pixels(kind, "raw", &rfbenc.Raw{})
		}
	}
	add(pseudoLastRect, func(*vnc.Rectangle) error { s.lastRect = true; return nil })
	add(pseudoAlphaCursor, s.cursor(rfbenc.ReadAlphaCursor))
	add(pseudoCursor, s.cursor(rfbenc.ReadCursor))
	add(pseudoXCursor, s.cursor(rfbenc.ReadXCursor))
	add(pseudoExtendedSize, s.extendedDesktopSize)
	add(pseudoDesktopSize, s.desktopSize)
	add(pseudoDesktopName, s.desktopName)
	add(pseudoQEMUKeys, func(*vnc.Rectangle) error { s.learn(&s.qemuKeys); return nil })
	add(pseudoExtendedMouse, func(*vnc.Rectangle) error { s.learn(&s.extMouse); return nil })
	add(pseudoFence, nil)
	add(pseudoContinuous, nil)
	add(pseudoExtendedClipboard, nil)
	add(pseudoCompress0+compressLevel, nil)
	if s.cfg.JPEGQuality > 0 {
		add(pseudoJPEGQuality0+int32(s.cfg.JPEGQuality), nil)
	}
	return list
}

// learn notes an ability that the target has shown.
func (s *session) learn(ability *bool) {
	s.able.Lock()
	defer s.able.Unlock()
	*ability = true
}

// decode draws one rectangle of pixels.
func (s *session) decode(name string, d decoder, r *vnc.Rectangle) error {
	rect, err := s.checkRect(r)
	if err != nil {
		return err
	}
	if err := d.Decode(s.in, s.fb, rect); err != nil {
		return streamError("reading a "+name+" rectangle", err)
	}
	return nil
}

// checkRect returns where r lies, which must be inside the desktop.
func (s *session) checkRect(r *vnc.Rectangle) (image.Rectangle, error) {
	rect := image.Rect(int(r.X), int(r.Y), int(r.X)+int(r.Width), int(r.Y)+int(r.Height))
	if rect.Max.X > s.size.X || rect.Max.Y > s.size.Y {
		return rect, protocolError("rectangle %d,%d %d×%d outside %d×%d", r.X, r.Y, r.Width, r.Height, s.size.X, s.size.Y)
	}
	return rect, nil
}

// copyRect moves pixels ([RFC 6143] 7.7.2).
func (s *session) copyRect(r *vnc.Rectangle) error {
	rect, err := s.checkRect(r)
	if err != nil {
		return err
	}
	p, err := s.in.Next(4)
	if err != nil {
		return streamError("reading a copied rectangle", err)
	}
	src := image.Pt(int(binary.BigEndian.Uint16(p)), int(binary.BigEndian.Uint16(p[2:])))
	if err := s.fb.Copy(rect, src); err != nil {
		return protocolError("copy of %d×%d pixels from %d,%d outside %d×%d",
			r.Width, r.Height, src.X, src.Y, s.size.X, s.size.Y)
	}
	return nil
}

// cursor returns the reader of a cursor shape, of which r gives the hot spot and the size.
func (s *session) cursor(shape func(*rfbenc.Reader, image.Point) (*image.NRGBA, error)) func(*vnc.Rectangle) error {
	return func(r *vnc.Rectangle) error {
		size, hotspot := image.Pt(int(r.Width), int(r.Height)), image.Pt(int(r.X), int(r.Y))
		img, err := shape(s.in, size)
		if err != nil {
			return streamError("reading a cursor", err)
		}
		if size.X == 0 || size.Y == 0 {
			return s.fb.SetCursor(nil, image.Point{}, true)
		}
		if size.X > desktop.MaxCursorSide || size.Y > desktop.MaxCursorSide {
			s.log.Debug("cursor too large, shown as an arrow", "width", size.X, "height", size.Y)
			return s.fb.SetCursor(nil, image.Point{}, false)
		}
		hotspot.X, hotspot.Y = min(hotspot.X, size.X-1), min(hotspot.Y, size.Y-1)
		return s.fb.SetCursor(img, hotspot, false)
	}
}

// desktopName renames the desktop (rfbproto, "DesktopName").
func (s *session) desktopName(*vnc.Rectangle) error {
	n, err := s.in.Uint32()
	if err != nil {
		return streamError("reading the desktop's name", err)
	}
	name, err := s.readName(n)
	if err != nil {
		return err
	}
	s.cfg.Observer.Renamed(name)
	return nil
}
