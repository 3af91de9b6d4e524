package demotarget

import (
	"encoding/binary"
	"image"
	"image/color"
)

// encoder turns batches into the bytes of one connection.
type encoder struct {
	zrle zrle
	buf  []byte
}

// encode returns the messages of a batch; they are valid until the next call.
func (e *encoder) encode(t *batch) ([]byte, error) {
	b := append(e.buf[:0], t.control...)
	if t.update {
		var err error
		if b, err = e.appendUpdate(b, t); err != nil {
			return nil, err
		}
	}
	e.buf = b
	return b, nil
}

// appendUpdate appends a FramebufferUpdate (RFC 6143 7.6.1). With LastRect its length is left open.
func (e *encoder) appendUpdate(b []byte, t *batch) ([]byte, error) {
	b = append(b, 0, 0, 0xff, 0xff)
	countAt, n := len(b)-2, 0
	head := func(r image.Rectangle, encoding int32) {
		b = appendRect(b, r, encoding)
		n++
	}
	for _, s := range t.sizes {
		if t.extendedSize {
			head(image.Rect(s.reason, s.status, s.reason+s.size.X, s.status+s.size.Y), encExtendedSize)
			b = append(b, 1, 0, 0, 0)             // one screen,
			b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // number 0, at 0, 0,
			b = append(b, byte(s.size.X>>8), byte(s.size.X), byte(s.size.Y>>8), byte(s.size.Y), 0, 0, 0, 0)
		} else {
			head(image.Rectangle{Max: s.size}, encDesktopSize)
		}
	}
	if t.name != nil {
		head(image.Rectangle{}, encDesktopName)
		b = appendString(b, *t.name)
	}
	if c := t.cursor; c != nil {
		head(image.Rectangle{Min: c.Hotspot, Max: c.Hotspot.Add(c.Image.Rect.Size())}, encCursor)
		b = c.append(b, t.format)
	}
	if t.moved.Moved {
		head(t.moved.Rect, encCopyRect)
		b = binary.BigEndian.AppendUint16(b, uint16(t.moved.From.X))
		b = binary.BigEndian.AppendUint16(b, uint16(t.moved.From.Y))
	}
	for _, r := range t.rects {
		if !t.zrle {
			head(r, encRaw)
			b = appendRaw(b, t.pixels, r, t.format)
			continue
		}
		head(r, encZRLE)
		var err error
		if b, err = e.zrle.append(b, t.pixels, r, t.format); err != nil {
			return nil, err
		}
	}
	if t.lastRect {
		head(image.Rectangle{}, encLastRect)
	} else {
		binary.BigEndian.PutUint16(b[countAt:], uint16(n))
	}
	return b, nil
}

// appendRect appends the head of a rectangle.
func appendRect(b []byte, r image.Rectangle, encoding int32) []byte {
	for _, v := range [4]int{r.Min.X, r.Min.Y, r.Dx(), r.Dy()} {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return binary.BigEndian.AppendUint32(b, uint32(encoding))
}

// appendRaw appends the pixels of r as they are.
func appendRaw(b []byte, img *image.RGBA, r image.Rectangle, f pixelFormat) []byte {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		for i := 0; i < len(row); i += 4 {
			p := f.pixel(color.RGBA{row[i], row[i+1], row[i+2], 0xff})
			b = append(b, p[:]...)
		}
	}
	return b
}
