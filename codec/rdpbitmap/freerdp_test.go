package rdpbitmap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// theirGreen changes a picture made of 16 bits a pixel to what libfreerdp makes of the same pixels: it extends
// six bits of green to eight by v*4 + v/8 instead of v*4 + v/16, up to 255.
func theirGreen(p pixel.BGRX, bits int) pixel.BGRX {
	if bits != 16 {
		return p
	}
	return paint(p.Width, p.Height, func(x, y int) uint32 {
		v := at(p, x, y)
		six := v >> 10 & 0x3F
		return v&0xFF00FF | min(six*4+six/8, 255)<<8
	})
}

// theirs is the method's codec in libfreerdp.
func (m *method) theirs() freerdpref.Codec {
	if m.bits == 0 {
		return freerdpref.Planar
	}
	return freerdpref.Interleaved
}

// item is a bitmap as libfreerdp is asked to draw it.
func item(x, y int, b Bitmap) freerdpref.Item {
	it := freerdpref.Item{X: x, Y: y, W: b.Width, H: b.Height, Data: b.Data}
	it.Args[0] = b.BitsPerPixel
	if b.BitsPerPixel == 8 {
		var p []byte
		for _, c := range b.Palette {
			p = append(p, c[:]...)
		}
		it.Data = append(p, b.Data...)
	}
	if b.BottomUp {
		it.Args[1] = 1
	}
	return it
}

// theirs decodes with libfreerdp.
func theirs(t testing.TB, r *freerdpref.Ref, codec freerdpref.Codec, b Bitmap) (pixel.BGRX, error) {
	t.Helper()
	res, err := r.Decode(freerdpref.Job{Codec: codec, W: b.Width, H: b.Height, Items: []freerdpref.Item{item(0, 0, b)}})
	if err != nil && !errors.Is(err, freerdpref.ErrRefused) {
		t.Fatal(err)
	}
	return res.Picture, err
}

var codecs = []struct {
	name   string
	codec  freerdpref.Codec
	decode func(*Decoder, pixel.BGRX, Bitmap) error
}{
	{"raw", freerdpref.Raw, (*Decoder).Raw},
	{"interleaved", freerdpref.Interleaved, (*Decoder).Interleaved},
	{"planar", freerdpref.Planar, (*Decoder).Planar},
	{"nscodec", freerdpref.NSC, (*Decoder).NSCodec},
}

// agree proves that both decoders make the same picture of b, which is well formed.
func agree(t testing.TB, r *freerdpref.Ref, name string, b Bitmap) {
	t.Helper()
	for _, c := range codecs {
		if c.name != name {
			continue
		}
		want, err := theirs(t, r, c.codec, b)
		if err != nil {
			t.Fatalf("FreeRDP: %v", err)
		}
		var d Decoder
		got := dirty(b.Width, b.Height)
		if err := c.decode(&d, got, b); err != nil {
			t.Fatal(err)
		}
		same(t, theirGreen(got, b.BitsPerPixel), want)
	}
}

func testPalette() *Palette {
	rnd := rand.New(rand.NewPCG(7, 8))
	var p Palette
	for i := range p {
		p[i] = [4]byte{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32()), 0}
	}
	return &p
}

// TestFreeRDPDecodesOurs has libfreerdp decode what the encoders here make.
func TestFreeRDPDecodesOurs(t *testing.T) {
	r := freerdpref.Start(t)
	for _, m := range methods {
		for _, c := range pictures {
			for _, s := range sizes {
				want := c.make(s[0], s[1])
				var e Encoder
				code, err := m.encode(&e, want)
				if err != nil {
					t.Fatal(err)
				}
				got, err := theirs(t, r, m.theirs(), Bitmap{Width: s[0], Height: s[1], BitsPerPixel: m.bits, BottomUp: m.up, Data: code})
				if err != nil {
					t.Fatalf("%s/%s/%v: %v", m.name, c.name, s, err)
				}
				same(t, got, theirGreen(lossy(want, m.bits), m.bits))
			}
		}
	}
}

// TestWeDecodeFreeRDP decodes what libfreerdp's encoders make, and compares with its decoders.
func TestWeDecodeFreeRDP(t *testing.T) {
	r := freerdpref.Start(t)
	for _, c := range pictures {
		for _, s := range [][2]int{{4, 4}, {16, 5}, {64, 64}, {60, 33}, {64, 1}} {
			p := c.make(s[0], s[1])
			encode := func(codec freerdpref.Codec, name string, bits int, args ...int) {
				t.Run(fmt.Sprintf("%s/%v/%s/%d×%d", name, args, c.name, s[0], s[1]), func(t *testing.T) {
					code, err := r.Encode(codec, p, args...)
					if err != nil {
						t.Fatal(err)
					}
					agree(t, r, name, Bitmap{Width: s[0], Height: s[1], BitsPerPixel: bits, BottomUp: true, Data: code})
				})
			}
			for _, bits := range []int{15, 16, 24} {
				encode(freerdpref.Interleaved, "interleaved", bits, bits)
			}
			for _, flags := range []int{0x00, 0x10, 0x20, 0x30} {
				encode(freerdpref.Planar, "planar", 0, flags, 1)
			}
			for loss := 1; loss <= 7; loss++ {
				for half := range 2 {
					encode(freerdpref.NSC, "nscodec", 0, loss, half, 1)
				}
			}
		}
	}
}

// TestAgainstFreeRDP gives both decoders the cases made by hand, raw pixels, and planar data with chroma,
// which no encoder makes.
func TestAgainstFreeRDP(t *testing.T) {
	r := freerdpref.Start(t)
	palette := testPalette()
	for _, c := range orderCases {
		if c.data == "" || c.name == "what is missing is black" {
			continue // there the pixels of earlier bitmaps show through
		}
		t.Run(c.name, func(t *testing.T) {
			agree(t, r, "interleaved", Bitmap{Width: c.width, Height: c.height, BitsPerPixel: 24, BottomUp: true, Data: unhex(t, c.data)})
		})
	}
	t.Run("nscodec example", func(t *testing.T) {
		agree(t, r, "nscodec", Bitmap{Width: 15, Height: 10, BottomUp: true, Data: nscExample})
		agree(t, r, "nscodec", Bitmap{Width: 15, Height: 10, Data: nscExample})
	})
	rnd := rand.New(rand.NewPCG(9, 10))
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rnd.Uint32())
		}
		return p
	}
	for _, bits := range []int{8, 15, 16, 24, 32} {
		t.Run(fmt.Sprintf("raw %d", bits), func(t *testing.T) {
			for _, up := range []bool{false, true} {
				size := (bits + 7) / 8
				agree(t, r, "raw", Bitmap{Width: 256, Height: 256, BitsPerPixel: bits, BottomUp: up, Palette: palette, Data: noise(256 * 256 * size)})
			}
		})
	}
	t.Run("all colours of 16 bits", func(t *testing.T) {
		for _, bits := range []int{15, 16} {
			data := make([]byte, 0, 1<<17)
			for v := range 1 << 16 {
				data = append(data, byte(v), byte(v>>8))
			}
			agree(t, r, "raw", Bitmap{Width: 256, Height: 256, BitsPerPixel: bits, Data: data})
		}
	})
	for loss := 0; loss <= 7; loss++ {
		for _, flags := range []int{0x00, 0x08, 0x20, 0x28} {
			if loss == 0 && flags&planarSubsampled != 0 {
				continue
			}
			t.Run(fmt.Sprintf("planar %#x", flags|loss), func(t *testing.T) {
				for _, s := range [][2]int{{16, 8}, {32, 32}, {7, 5}} {
					w, h := s[0], s[1]
					if flags&planarSubsampled != 0 && (w|h)&1 != 0 {
						continue // libfreerdp 2 wants more bytes than odd subsampled planes have, when they are raw
					}
					n := w * h
					if flags&planarSubsampled != 0 {
						n += n / 2
					} else {
						n *= 3
					}
					if flags&planarNoAlpha == 0 {
						n += w * h
					}
					data := append([]byte{byte(flags | loss)}, noise(n)...)
					agree(t, r, "planar", Bitmap{Width: w, Height: h, Data: data})
					agree(t, r, "planar", Bitmap{Width: w, Height: h, BottomUp: true, Data: data})
				}
			})
		}
	}
}

// TestFreeRDPMutations breaks good data and proves that what libfreerdp takes is taken here too, as the same
// picture, except where the comment of a skip says why not.
func TestFreeRDPMutations(t *testing.T) {
	r := freerdpref.Start(t)
	rnd := rand.New(rand.NewPCG(11, 12))
	palette := testPalette()
	const w, h = 32, 16
	var seeds []struct {
		name string
		b    Bitmap
	}
	add := func(name string, bits int, up bool, data []byte) {
		seeds = append(seeds, struct {
			name string
			b    Bitmap
		}{name, Bitmap{Width: w, Height: h, BitsPerPixel: bits, BottomUp: up, Palette: palette, Data: data}})
	}
	for _, c := range pictures {
		p := c.make(w, h)
		for _, m := range methods {
			var e Encoder
			code, err := m.encode(&e, p)
			if err != nil {
				t.Fatal(err)
			}
			name := "interleaved"
			if m.bits == 0 {
				name = "planar"
			}
			add(name, m.bits, m.up, code)
		}
		for half := range 2 {
			code, err := r.Encode(freerdpref.NSC, p, 2, half)
			if err != nil {
				t.Fatal(err)
			}
			add("nscodec", 0, true, code)
		}
	}
	for range 40 { // orders of any kind at 8 bits, where no encoder is
		var data []byte
		for len(data) < 200 {
			data = append(data, byte(rnd.Uint32()), byte(rnd.Uint32N(4)), 0)
		}
		add("interleaved", 8, true, data)
	}
	took, refused := 0, 0
	for range 4000 {
		s := seeds[rnd.IntN(len(seeds))]
		b := s.b
		b.Data = append([]byte(nil), b.Data...)
		for range 1 + rnd.IntN(3) {
			switch i := rnd.IntN(len(b.Data)); rnd.IntN(4) {
			case 0:
				b.Data[i] = byte(rnd.Uint32())
			case 1:
				b.Data[i] ^= 1 << rnd.IntN(8)
			case 2:
				b.Data = append(b.Data[:i:i], b.Data[min(len(b.Data), i+1+rnd.IntN(4)):]...)
			case 3:
				b.Data = append(append(b.Data[:i:i], byte(rnd.Uint32())), b.Data[i:]...)
			}
			if len(b.Data) == 0 {
				b.Data = []byte{0}
			}
		}
		for _, c := range codecs {
			if c.name != s.name {
				continue
			}
			// What an earlier bitmap left in their buffers must not decide what the comparison says.
			if err := r.Reset(); err != nil {
				t.Fatal(err)
			}
			want, theirErr := theirs(t, r, c.codec, b)
			var d Decoder
			got := pixel.NewBGRX(w, h)
			ourErr := c.decode(&d, got, b)
			switch {
			case theirErr != nil && ourErr != nil:
				refused++
			case c.name == "nscodec" && (theirErr != nil || ourErr != nil):
				// libfreerdp lets a plane read on into the next one, and looks at the alpha nobody sees.
			case theirErr == nil && ourErr != nil:
				t.Fatalf("%s: they took what is refused here: %v\n% x", c.name, ourErr, b.Data)
			case theirErr != nil:
				t.Fatalf("%s: they refused what is taken here\n% x", c.name, b.Data)
			default:
				took++
				if c.name == "interleaved" && short(b) {
					continue // their buffer shows through where there is no data
				}
				same(t, theirGreen(got, b.BitsPerPixel), want)
			}
		}
	}
	if took < 200 || refused < 200 {
		t.Errorf("%d taken and %d refused by both: the mutations prove little", took, refused)
	}
}

// short reports whether the orders of b make fewer pixels than it has.
func short(b Bitmap) bool {
	size, _ := b.bytes(24)
	c := canvas{dst: pixel.NewBGRX(b.Width, b.Height), b: b, left: b.Width * b.Height}
	c.cur = c.place(0)
	return c.decode(b.Data, size) == nil && c.left > 0
}
