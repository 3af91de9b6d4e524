package rfbenc

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"sync"
	"testing"
	"testing/iotest"
)

type decoder interface {
	Decode(src *Reader, dst Canvas, r image.Rectangle) error
}

// codecs pairs each decoder with an encoder of the tests; both keep their state from rectangle to rectangle.
var codecs = []struct {
	name string
	make func() (decoder, func(p *picture, r image.Rectangle) []byte)
}{
	{"raw", func() (decoder, func(*picture, image.Rectangle) []byte) { return &Raw{}, encodeRaw }},
	{"hextile", func() (decoder, func(*picture, image.Rectangle) []byte) { return &Hextile{}, encodeHextile }},
	{"zrle", zrleCodec(zrleAuto)},
	{"zrle-raw", zrleCodec(zrleKindRaw)},
	{"zrle-plain", zrleCodec(zrleKindPlain)},
	{"zrle-palette", zrleCodec(zrleKindPaletteRLE)},
	{"tight-copy", tightCodec(tightCopy, 0)},
	{"tight-gradient", tightCodec(tightGradient, 0)},
	{"tight-auto", tightCodec(tightPalette, 32)},
}

func zrleCodec(kind zrleKind) func() (decoder, func(*picture, image.Rectangle) []byte) {
	return func() (decoder, func(*picture, image.Rectangle) []byte) {
		zs := newZstream(1)
		return &ZRLE{}, func(p *picture, r image.Rectangle) []byte { return encodeZRLE(zs, p, r, kind) }
	}
}

// tightCodec decodes what the encoder sends as tiles of the given side, each with filter where it can hold the
// tile; a side of zero is one rectangle.
func tightCodec(filter, side int) func() (decoder, func(*picture, image.Rectangle) []byte) {
	return func() (decoder, func(*picture, image.Rectangle) []byte) {
		zs := []*zstream{newZstream(1), newZstream(1), newZstream(1), newZstream(1)}
		encode := func(p *picture, r image.Rectangle) []byte {
			f := filter
			if f == tightPalette {
				switch n := len(p.colours(r)); {
				case n == 1:
					return rgb([]byte{tightFill << 4}, p.at(r.Min.X, r.Min.Y))
				case n > 256:
					f = tightCopy
				}
			}
			return encodeTight(zs, p, r, f)
		}
		if side == 0 {
			return &Tight{}, encode
		}
		return &tiled{&Tight{}, side}, func(p *picture, r image.Rectangle) (out []byte) {
			tiles(r, side, func(t image.Rectangle) { out = append(out, encode(p, t)...) })
			return out
		}
	}
}

// tiled decodes a rectangle as tiles that a server sends as rectangles of their own.
type tiled struct {
	decoder
	side int
}

func (d *tiled) Decode(src *Reader, dst Canvas, r image.Rectangle) error {
	for y := r.Min.Y; y < r.Max.Y; y += d.side {
		for x := r.Min.X; x < r.Max.X; x += d.side {
			t := image.Rect(x, y, x+d.side, y+d.side).Intersect(r)
			if err := d.decoder.Decode(src, dst, t); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestDecode(t *testing.T) {
	p := desktopPicture(517, 333)
	rects := []image.Rectangle{
		p.bounds(),
		image.Rect(0, 0, 1, 1),
		image.Rect(100, 50, 131, 290),
		image.Rect(516, 332, 517, 333),
		image.Rect(260, 0, 517, 333),
		image.Rect(3, 7, 67, 71),
		image.Rect(0, 300, 517, 301),
		image.Rect(10, 10, 10, 20),
	}
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			dec, enc := c.make()
			for _, r := range rects {
				if r.Empty() && c.name != "raw" && c.name != "hextile" && c.name != "zrle" {
					continue
				}
				data := enc(p, r)
				got := newPicture(p.size.X, p.size.Y)
				// One byte at a time: decoders must not depend on how data arrives.
				src := NewReader(iotest.OneByteReader(bytes.NewReader(append(data, 0xa5))))
				if err := dec.Decode(src, got, r); err != nil {
					t.Fatalf("%v: %v", r, err)
				}
				got.equal(t, p, r)
				if v, err := src.Uint8(); v != 0xa5 || err != nil {
					t.Fatalf("%v: next byte %#x, %v", r, v, err)
				}
			}
		})
	}
}

// TestDecodeShort cuts every encoding at many places: each gives an error, and the stream's own where it ends.
func TestDecodeShort(t *testing.T) {
	p := desktopPicture(90, 70)
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			_, enc := c.make()
			data := enc(p, p.bounds())
			for n := 0; n < len(data); n += 1 + len(data)/97 {
				dec, _ := c.make()
				err := dec.Decode(NewReader(bytes.NewReader(data[:n])), newPicture(90, 70), p.bounds())
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("cut at %d of %d: %v", n, len(data), err)
				}
			}
		})
	}
}

func TestTightJPEG(t *testing.T) {
	r := image.Rect(8, 4, 72, 52)
	p := newPicture(80, 60)
	for y := range 60 {
		for x := range 80 {
			p.set(x, y, uint32(x*3)<<16|uint32(y*4)<<8|uint32(x+y))
		}
	}
	grey := image.NewGray(image.Rectangle{Max: r.Size()})
	for i := range grey.Pix {
		grey.Pix[i] = byte(i / 16)
	}
	for _, c := range []struct {
		name string
		img  image.Image
	}{{"colour", p.image(r)}, {"grey", grey}} {
		t.Run(c.name, func(t *testing.T) {
			got := newPicture(80, 60)
			src := NewReader(bytes.NewReader(encodeTightJPEG(c.img, 95)))
			if err := new(Tight).Decode(src, got, r); err != nil {
				t.Fatal(err)
			}
			worst := 0
			for y := range r.Dy() {
				for x := range r.Dx() {
					want := color.NRGBAModel.Convert(c.img.At(x, y)).(color.NRGBA)
					px := got.at(r.Min.X+x, r.Min.Y+y)
					for _, d := range []int{
						int(px>>16) - int(want.R), int(px>>8&255) - int(want.G), int(px&255) - int(want.B),
					} {
						worst = max(worst, d, -d)
					}
				}
			}
			if worst > 12 {
				t.Fatalf("a component is %d off", worst)
			}
			if got.at(0, 0) != 0 || got.at(79, 59) != 0 {
				t.Fatal("drawn outside the rectangle")
			}
		})
	}
}

type hostileCase struct {
	name string
	dec  decoder
	size image.Point
	data []byte
}

// hostile lists data that every decoder must refuse, with the rectangle it claims to fill.
var hostile = sync.OnceValue(func() []hostileCase {
	z := func(data ...byte) []byte {
		packed := newZstream(6).flush(data)
		return append([]byte{0, 0, byte(len(packed) >> 8), byte(len(packed))}, packed...)
	}
	tz := func(head []byte, data ...byte) []byte {
		packed := newZstream(6).flush(data)
		return append(appendCompact(head, len(packed)), packed...)
	}
	bomb := newZstream(9).flush(make([]byte, 4<<20))
	return []hostileCase{
		{"hextile mask", &Hextile{}, image.Pt(16, 16), []byte{0x20}},
		{"hextile subrectangle right", &Hextile{}, image.Pt(10, 10), []byte{12, 1, 2, 3, 4, 1, 0x90, 0x10}},
		{"hextile subrectangle below", &Hextile{}, image.Pt(10, 10), []byte{12, 1, 2, 3, 4, 1, 0x09, 0x01}},
		{"zrle length", &ZRLE{}, image.Pt(16, 16), []byte{0xff, 0xff, 0xff, 0xff}},
		{"zrle subencoding 17", &ZRLE{}, image.Pt(16, 16), z(17, 0, 0)},
		{"zrle subencoding 129", &ZRLE{}, image.Pt(16, 16), z(129, 0, 0)},
		{"zrle empty", &ZRLE{}, image.Pt(16, 16), []byte{0, 0, 0, 0}},
		{"zrle short raw", &ZRLE{}, image.Pt(16, 16), z(0, 1, 2, 3)},
		{"zrle short palette", &ZRLE{}, image.Pt(16, 16), z(16, 1, 2, 3)},
		{"zrle packed index", &ZRLE{}, image.Pt(2, 1), z(3, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0xf0)},
		{"zrle palette index", &ZRLE{}, image.Pt(2, 1), z(130, 1, 1, 1, 2, 2, 2, 2, 0)},
		{"zrle run too long", &ZRLE{}, image.Pt(2, 1), z(128, 1, 1, 1, 2)},
		{"zrle run far too long", &ZRLE{}, image.Pt(2, 1), z(append([]byte{128, 1, 1, 1}, bytes.Repeat([]byte{255}, 4000)...)...)},
		{"zrle left over", &ZRLE{}, image.Pt(1, 1), z(1, 1, 1, 1, 9)},
		{
			"zrle bomb", &ZRLE{},
			image.Pt(200, 100),
			append([]byte{0, byte(len(bomb) >> 16), byte(len(bomb) >> 8), byte(len(bomb))}, bomb...),
		},
		{"tight control", &Tight{}, image.Pt(4, 4), []byte{0xa0}},
		{"tight filter", &Tight{}, image.Pt(4, 4), []byte{0x40, 3}},
		{"tight palette of one", &Tight{}, image.Pt(4, 4), []byte{0x40, 1, 0}},
		{"tight palette index", &Tight{}, image.Pt(3, 3), []byte{0x40, 1, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0, 1, 2, 3, 0, 0, 0, 0, 0}},
		{"tight short data", &Tight{}, image.Pt(4, 4), tz([]byte{0x00}, make([]byte, 47)...)},
		{"tight left over", &Tight{}, image.Pt(4, 4), tz([]byte{0x00}, make([]byte, 49)...)},
		{"tight bomb", &Tight{}, image.Pt(4, 4), append(appendCompact([]byte{0}, len(bomb)), bomb...)},
		{"tight jpeg garbage", &Tight{}, image.Pt(4, 4), []byte{0x90, 4, 1, 2, 3, 4}},
		{"tight jpeg size", &Tight{}, image.Pt(4, 4), encodeTightJPEG(image.NewGray(image.Rect(0, 0, 5, 4)), 50)},
		{"tight jpeg huge", &Tight{}, image.Pt(8192, 2000), encodeTightJPEG(image.NewGray(image.Rect(0, 0, 8192, 2000)), 1)},
	}
})

func TestDecodeHostile(t *testing.T) {
	for _, c := range hostile() {
		t.Run(c.name, func(t *testing.T) {
			p := newPicture(c.size.X, c.size.Y)
			err := c.dec.Decode(NewReader(bytes.NewReader(c.data)), p, p.bounds())
			if !errors.Is(err, ErrData) {
				t.Fatalf("error %v, want ErrData", err)
			}
		})
	}
}

// TestDecodeAllocs: no garbage per rectangle once buffers have grown.
func TestDecodeAllocs(t *testing.T) {
	p := desktopPicture(150, 100)
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			dec, enc := c.make()
			const rounds = 12
			var data []byte
			for range rounds {
				data = append(data, enc(p, p.bounds())...)
			}
			got := newPicture(150, 100)
			src := NewReader(bytes.NewReader(data))
			allocs := testing.AllocsPerRun(rounds-2, func() { // and one run before that is not counted
				if err := dec.Decode(src, got, p.bounds()); err != nil {
					t.Fatal(err)
				}
			})
			if allocs > 0 {
				t.Fatalf("%v allocations a rectangle", allocs)
			}
			got.equal(t, p, p.bounds())
		})
	}
}

func TestCursors(t *testing.T) {
	red, clear, half := color.NRGBA{R: 255, A: 255}, color.NRGBA{}, color.NRGBA{R: 100, G: 50, B: 0, A: 128}
	blue := color.NRGBA{B: 255, A: 255}
	for _, c := range []struct {
		name string
		read func(*Reader, image.Point) (*image.NRGBA, error)
		size image.Point
		data []byte
		want []color.NRGBA
	}{
		{
			"cursor", ReadCursor,
			image.Pt(3, 1),
			[]byte{0, 0, 255, 0, 9, 9, 9, 9, 255, 0, 0, 0, 0xa0},
			[]color.NRGBA{red, clear, blue},
		},
		{"cursor hidden", ReadCursor, image.Pt(0, 0), nil, nil},
		{
			"xcursor", ReadXCursor,
			image.Pt(3, 1),
			[]byte{255, 0, 0, 0, 0, 255, 0x80, 0xa0},
			[]color.NRGBA{red, clear, blue},
		},
		{"xcursor hidden", ReadXCursor, image.Pt(0, 0), nil, nil},
		{
			"alpha", ReadAlphaCursor,
			image.Pt(3, 1),
			[]byte{0, 0, 0, 0, 255, 0, 0, 255, 7, 7, 7, 0, 50, 25, 0, 128},
			[]color.NRGBA{red, {7, 7, 7, 0}, half},
		},
		{"cursor huge", ReadCursor, image.Pt(65535, 65535), nil, nil},
		{"xcursor huge", ReadXCursor, image.Pt(65535, 65535), nil, nil},
		{"alpha huge", ReadAlphaCursor, image.Pt(65535, 65535), nil, nil},
		{"alpha encoding", ReadAlphaCursor, image.Pt(1, 1), []byte{0, 0, 0, 7, 0, 0, 0, 0}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := c.read(NewReader(bytes.NewReader(c.data)), c.size)
			if c.want == nil && c.size != (image.Point{}) {
				if !errors.Is(err, ErrData) {
					t.Fatalf("error %v, want ErrData", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for x, want := range c.want {
				if got := img.NRGBAAt(x, 0); absDiff(got.R, want.R)+absDiff(got.G, want.G)+absDiff(got.B, want.B) > 1 || got.A != want.A {
					t.Errorf("pixel %d is %v, want %v", x, got, want)
				}
			}
		})
	}
}

func absDiff(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

func TestReader(t *testing.T) {
	data := make([]byte, 3*ReaderBytes)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	r := NewReader(iotest.HalfReader(bytes.NewReader(data)))
	var got []byte
	take := func(p []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p...)
	}
	take(r.Next(5))
	take(r.Next(ReaderBytes))
	big := make([]byte, ReaderBytes+100)
	take(big, r.ReadFull(big))
	if err := r.Skip(40000); err != nil {
		t.Fatal(err)
	}
	got = append(got, data[len(got):len(got)+40000]...)
	rest, err := io.ReadAll(r)
	take(rest, err)
	if !bytes.Equal(got, data) {
		t.Fatal("data differs")
	}
	for _, c := range []struct {
		name string
		read func(r *Reader) error
		want error
	}{
		{"next at end", func(r *Reader) error { r.Skip(2); _, err := r.Next(1); return err }, io.EOF},
		{"next across end", func(r *Reader) error { _, err := r.Uint32(); return err }, io.ErrUnexpectedEOF},
		{"full across end", func(r *Reader) error { return r.ReadFull(make([]byte, 3)) }, io.ErrUnexpectedEOF},
		{"skip across end", func(r *Reader) error { return r.Skip(3) }, io.ErrUnexpectedEOF},
		{"large full across end", func(r *Reader) error { return r.ReadFull(make([]byte, ReaderBytes)) }, io.ErrUnexpectedEOF},
		{"next beyond the buffer", func(r *Reader) error { _, err := r.Next(ReaderBytes + 1); return err }, ErrData},
	} {
		if err := c.read(NewReader(bytes.NewReader([]byte{1, 2}))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	stuck := NewReader(stuckReader{})
	if _, err := stuck.Next(1); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("stuck source: %v", err)
	}
	if err := stuck.ReadFull(make([]byte, 2*ReaderBytes)); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("stuck source, large read: %v", err)
	}
}

type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

// FuzzDecode runs each decoder over several rectangles of one stream.
func FuzzDecode(f *testing.F) {
	p := desktopPicture(24, 18) // small: the fuzzer spends its time on long inputs otherwise
	for i, c := range codecs {
		_, enc := c.make()
		f.Add(uint8(i), uint8(p.size.X), uint8(p.size.Y), append(enc(p, p.bounds()), enc(p, p.bounds())...))
	}
	for _, h := range hostile() {
		if h.size.X < 256 && len(h.data) < 4096 {
			for i, c := range codecs {
				dec, _ := c.make()
				if fmt.Sprintf("%T", dec) == fmt.Sprintf("%T", h.dec) {
					f.Add(uint8(i), uint8(h.size.X), uint8(h.size.Y), h.data)
					break
				}
			}
		}
	}
	tight := uint8(len(codecs) - 2)
	f.Add(tight, uint8(24), uint8(18), encodeTightJPEG(p.image(p.bounds()), 40))
	f.Fuzz(func(t *testing.T, kind, w, h uint8, data []byte) {
		dec, _ := codecs[int(kind)%len(codecs)].make()
		src := NewReader(bytes.NewReader(data))
		pic := newPicture(int(w)+2, int(h)+2)
		r := image.Rect(1, 1, int(w)+1, int(h)+1)
		for range 3 {
			err := dec.Decode(src, pic, r)
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrData) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("error %v", err)
			}
			break
		}
		// A frame of one pixel around the rectangle stays untouched.
		for x := range pic.size.X {
			if pic.at(x, 0) != 0 || pic.at(x, pic.size.Y-1) != 0 {
				t.Fatal("drawn above or below the rectangle")
			}
		}
		for y := range pic.size.Y {
			if pic.at(0, y) != 0 || pic.at(pic.size.X-1, y) != 0 {
				t.Fatal("drawn beside the rectangle")
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(uint8(0), uint16(3), uint16(1), []byte{0, 0, 255, 0, 9, 9, 9, 9, 255, 0, 0, 0, 0xa0})
	f.Add(uint8(1), uint16(3), uint16(1), []byte{255, 0, 0, 0, 0, 255, 0x80, 0xa0})
	f.Add(uint8(2), uint16(1), uint16(1), []byte{0, 0, 0, 0, 50, 25, 0, 128})
	reads := []func(*Reader, image.Point) (*image.NRGBA, error){ReadCursor, ReadXCursor, ReadAlphaCursor}
	f.Fuzz(func(t *testing.T, kind uint8, w, h uint16, data []byte) {
		size := image.Pt(int(w), int(h))
		img, err := reads[int(kind)%len(reads)](NewReader(bytes.NewReader(data)), size)
		if err == nil && img.Bounds().Size() != size && size.X*size.Y != 0 {
			t.Fatalf("size %v, want %v", img.Bounds().Size(), size)
		}
	})
}
