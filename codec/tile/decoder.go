package tile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// Decoder reverses an Encoder. The zero value is ready. It is not for concurrent use.
type Decoder struct {
	body []byte
	in   bytes.Reader
	flat io.ReadCloser
}

// Decode writes the pixels of a message into parts of the sizes that were coded, their fourth byte 255. It returns one of this
// package's errors, with what was wrong, and then leaves the parts partly written. It needs no more memory than the parts have.
func (d *Decoder) Decode(data []byte, parts []pixel.BGRX) error {
	if len(data) == 0 {
		return ErrShort
	}
	mode, body := data[0], data[1:]
	most := 0 // bytes that any mode needs
	for _, p := range parts {
		most += channels * p.Width * p.Height
	}
	if mode&compressed != 0 {
		var err error
		if body, err = d.inflate(body, most+1+channels*maxColours); err != nil {
			return err
		}
	}
	r := reader{body}
	var err error
	switch mode &^ compressed {
	case modeStored:
		err = r.stored(parts)
	case modePalette:
		err = r.palette(parts)
	case modeResidual:
		err = r.residuals(parts)
	default:
		return fmt.Errorf("%w %#x", ErrMode, mode)
	}
	if err == nil && len(r.rest) > 0 {
		return fmt.Errorf("%w: %d bytes", ErrTrailer, len(r.rest))
	}
	return err
}

// inflate returns what a DEFLATE stream holds, at most limit bytes.
func (d *Decoder) inflate(data []byte, limit int) ([]byte, error) {
	d.in.Reset(data)
	if d.flat == nil {
		d.flat = flate.NewReader(&d.in)
	} else if err := d.flat.(flate.Resetter).Reset(&d.in, nil); err != nil { //nolint:forcetypeassert // flate says so
		return nil, fmt.Errorf("%w: %w", ErrDeflate, err)
	}
	if cap(d.body) < limit+1 {
		d.body = make([]byte, limit+1)
	}
	n := 0
	for n <= limit {
		read, err := d.flat.Read(d.body[n : limit+1])
		n += read
		switch {
		case err == io.EOF && d.in.Len() > 0:
			return nil, fmt.Errorf("%w: %d bytes after the stream", ErrTrailer, d.in.Len())
		case err == io.EOF:
			return d.body[:n], nil
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrDeflate, err)
		}
	}
	return nil, fmt.Errorf("%w: more than %d bytes", ErrTrailer, limit)
}

// reader takes a body apart.
type reader struct{ rest []byte }

func (r *reader) take(n int) ([]byte, error) {
	if len(r.rest) < n {
		return nil, fmt.Errorf("%w: %d bytes left, need %d", ErrShort, len(r.rest), n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b, nil
}

func put(px []byte, red, green, blue uint8) {
	px[0], px[1], px[2], px[3] = blue, green, red, 255
}

func (r *reader) stored(parts []pixel.BGRX) error {
	for _, p := range parts {
		for y := range p.Height {
			in, err := r.take(channels * p.Width)
			if err != nil {
				return err
			}
			row := p.Row(y)
			for x := range p.Width {
				put(row[x*inPixel:], in[x*channels], in[x*channels+1], in[x*channels+2])
			}
		}
	}
	return nil
}

func (r *reader) palette(parts []pixel.BGRX) error {
	count, err := r.take(1)
	if err != nil {
		return err
	}
	n := int(count[0]) + 1
	planes, err := r.take(channels * n)
	if err != nil {
		return err
	}
	var colours [maxColours][channels]uint8 // G, R−G, B−G
	var last [channels]uint8
	for i := range n {
		for k := range channels {
			last[k] += planes[k*n+i]
		}
		colours[i] = last
	}
	bits := bitsFor(n)
	for _, p := range parts {
		for y := range p.Height {
			in, err := r.take((p.Width*bits + 7) / 8)
			if err != nil {
				return err
			}
			row := p.Row(y)
			for x := range p.Width {
				index := 0
				if bits > 0 {
					at := x * bits
					index = int(in[at/8]) >> (8 - bits - at%8) & (1<<bits - 1)
				}
				if index >= n {
					return fmt.Errorf("%w: %d of %d", ErrIndex, index, n)
				}
				c := colours[index]
				put(row[x*inPixel:], c[1]+c[0], c[0], c[2]+c[0])
			}
		}
	}
	return nil
}

func (r *reader) residuals(parts []pixel.BGRX) error {
	for _, p := range parts {
		for y := range p.Height {
			in, err := r.take(channels * p.Width)
			if err != nil {
				return err
			}
			green, red, blue := in[:p.Width], in[p.Width:][:p.Width], in[2*p.Width:]
			row := p.Row(y)
			var left, corner [channels]uint8
			for x := range p.Width {
				var over [channels]uint8
				if y > 0 {
					up := p.Row(y - 1)[x*inPixel:]
					over = [channels]uint8{up[1], up[2] - up[1], up[0] - up[1]}
				}
				here := [channels]uint8{
					green[x] + median(left[0], over[0], corner[0]),
					red[x] + median(left[1], over[1], corner[1]),
					blue[x] + median(left[2], over[2], corner[2]),
				}
				put(row[x*inPixel:], here[1]+here[0], here[0], here[2]+here[0])
				left, corner = here, over
			}
		}
	}
	return nil
}
