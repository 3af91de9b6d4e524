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
	n := 0 // pixels
	for _, p := range parts {
		n += p.Width * p.Height
	}
	if mode&compressed != 0 {
		var err error
		if body, err = d.inflate(body, 1+channels*(maxColours+n)); err != nil {
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
	case modePlanes:
		err = r.pixels(parts, n)
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
	next, err := r.planes(n)
	if err != nil {
		return err
	}
	var colours [maxColours][channels]uint8 // R, G, B
	for i := range n {
		colours[i] = next()
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
				put(row[x*inPixel:], c[0], c[1], c[2])
			}
		}
	}
	return nil
}

func (r *reader) pixels(parts []pixel.BGRX, n int) error {
	next, err := r.planes(n)
	if err != nil {
		return err
	}
	for _, p := range parts {
		for y := range p.Height {
			row := p.Row(y)
			for x := range p.Width {
				c := next()
				put(row[x*inPixel:], c[0], c[1], c[2])
			}
		}
	}
	return nil
}

// planes takes the planes of n colours. Each call of next, n at most, returns R, G, B of one.
func (r *reader) planes(n int) (next func() [channels]uint8, err error) {
	in, err := r.take(channels * n)
	if err != nil {
		return nil, err
	}
	green, red, blue := in[:n], in[n:][:n], in[2*n:]
	var g, rg, bg uint8
	i := -1
	return func() [channels]uint8 {
		i++
		g, rg, bg = g+green[i], rg+red[i], bg+blue[i]
		return [channels]uint8{rg + g, g, bg + g}
	}, nil
}
