package h264

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// canvas is a BGRX picture with the macroblocks that changed since it was last coded.
type canvas struct {
	size    image.Point
	pix     []byte
	changed map[image.Point]bool
	rng     *rand.Rand
}

func newCanvas(w, h int) *canvas {
	c := &canvas{size: image.Pt(w, h), pix: make([]byte, w*h*4), changed: map[image.Point]bool{}, rng: rand.New(rand.NewPCG(1, 2))}
	c.fill(image.Rectangle{Max: c.size}, func(x, y int) [3]byte { return [3]byte{byte(x / 4), byte(y / 4), byte((x + y) / 8)} })
	return c
}

// fill sets the pixels of r, as R, G, B.
func (c *canvas) fill(r image.Rectangle, at func(x, y int) [3]byte) {
	r = r.Intersect(image.Rectangle{Max: c.size})
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			v := at(x, y)
			copy(c.pix[(y*c.size.X+x)*4:], []byte{v[2], v[1], v[0], 0})
			c.changed[image.Pt(x/16, y/16)] = true
		}
	}
}

// scribble changes a random rectangle: flat, ruled like text, or noise.
func (c *canvas) scribble() {
	w, h := 1+c.rng.IntN(c.size.X/3), 1+c.rng.IntN(c.size.Y/3)
	min := image.Pt(c.rng.IntN(c.size.X), c.rng.IntN(c.size.Y))
	a, b := byte(c.rng.Uint32()), byte(c.rng.Uint32())
	kind := c.rng.IntN(3)
	c.fill(image.Rectangle{Min: min, Max: min.Add(image.Pt(w, h))}, func(x, y int) [3]byte {
		switch {
		case kind == 0:
			return [3]byte{a, b, a ^ b}
		case kind == 1 && (x*7+y*3)%5 < 2 && y%14 < 9:
			return [3]byte{20, 20, 20}
		case kind == 1:
			return [3]byte{250, 250, 250}
		}
		n := byte(c.rng.Uint32())
		return [3]byte{n, n, n}
	})
}

// Runs implements Blocks, one block a run.
func (c *canvas) Runs(fn func(y, x0, x1 int)) {
	for p := range c.changed {
		fn(p.Y, p.X, p.X+1)
	}
}

// convert brings the changed blocks into the encoder's planes.
func (c *canvas) convert(t testing.TB, e *Encoder) {
	t.Helper()
	var runs []pixel.Run
	c.Runs(func(y, x0, x1 int) { runs = append(runs, pixel.Run{Y: int32(y), X0: int32(x0), X1: int32(x1)}) })
	src := pixel.Source{Pix: c.pix, Stride: c.size.X * 4, Width: c.size.X, Height: c.size.Y}
	if err := pixel.Convert(e.Planes(), src, runs); err != nil {
		t.Fatal(err)
	}
}

// source returns the luma of the visible picture.
func luma(p *pixel.Planes, w, h int) []byte {
	var out []byte
	for y := range h {
		out = append(out, p.Y[y*p.StrideY:][:w]...)
	}
	return out
}

func psnr(a, b []byte) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	if sum == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(255*255*float64(len(a))/sum)
}

// worstBlock returns the lowest PSNR of any 16×16 block and where it is.
func worstBlock(a, b []byte, w, h int) (worst float64, at image.Point) {
	worst = math.Inf(1)
	for by := 0; by < h; by += 16 {
		for bx := 0; bx < w; bx += 16 {
			var x, y []byte
			for row := by; row < min(by+16, h); row++ {
				x = append(x, a[row*w+bx:row*w+min(bx+16, w)]...)
				y = append(y, b[row*w+bx:row*w+min(bx+16, w)]...)
			}
			if p := psnr(x, y); p < worst {
				worst, at = p, image.Pt(bx, by)
			}
		}
	}
	return worst, at
}

func open(t testing.TB, c Config) *Encoder {
	t.Helper()
	e, err := NewEncoder(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func encode(t testing.TB, e *Encoder, f Frame) Coded {
	t.Helper()
	c, err := e.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func types(annexB []byte) []NALType {
	var out []NALType
	for nal := range SplitNALs(annexB) {
		out = append(out, TypeOf(nal))
	}
	return out
}

// even is the size a stream says for a side: 4:2:0 is cropped by two pixels.
func even(n int) int { return (n + 1) &^ 1 }

// TestDecodesToSource: every size, and the decoder's picture is the source's.
func TestDecodesToSource(t *testing.T) {
	for _, size := range []image.Point{{16, 16}, {17, 33}, {801, 601}, {1000, 700}, {1366, 768}, {1920, 1080}} {
		t.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(t *testing.T) {
			c := newCanvas(size.X, size.Y)
			for range 10 {
				c.scribble()
			}
			e := open(t, Config{Width: size.X, Height: size.Y, Preset: Superfast})
			c.convert(t, e)
			coded := encode(t, e, Frame{QP: 12})
			w, h := even(size.X), even(size.Y)
			if s := e.SPS(); s.Width != w || s.Height != h || s.CodedWidth != pixel.CodedSize(size.X) || s.CodedHeight != pixel.CodedSize(size.Y) {
				t.Errorf("SPS says %+v", s)
			}
			pictures := decode(t, coded.Data, "gray", w*h)
			if len(pictures) != 1 {
				t.Fatalf("%d pictures", len(pictures))
			}
			if p := psnr(pictures[0], luma(e.Planes(), w, h)); p < 45 {
				t.Errorf("PSNR %.1f dB at QP 12", p)
			}
		})
	}
}

// TestColours: the VUI makes a decoder show the colours that were drawn.
func TestColours(t *testing.T) {
	for _, want := range [][3]byte{
		{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}, {0, 0, 0}, {255, 255, 0}, {0, 255, 255}, {255, 0, 255}, {128, 128, 128}, {200, 100, 50},
	} {
		c := newCanvas(64, 48)
		c.fill(image.Rect(0, 0, 64, 48), func(int, int) [3]byte { return want })
		e := open(t, Config{Width: 64, Height: 48})
		c.convert(t, e)
		coded := encode(t, e, Frame{QP: 14})
		got := decode(t, coded.Data, "rgb24", 64*48*3)[0]
		for i, v := range got {
			if d := int(v) - int(want[i%3]); d < -3 || d > 3 {
				t.Errorf("%v is decoded as %v", want, got[i/3*3:i/3*3+3])
				break
			}
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		size  image.Point
		fps   int
		level float64
	}{{image.Pt(1366, 768), 30, 32}, {image.Pt(1920, 1080), 30, 40}, {image.Pt(1920, 1080), 60, 42}, {image.Pt(3840, 2160), 30, 51}} {
		e := open(t, Config{Width: c.size.X, Height: c.size.Y, FPSCap: c.fps})
		got := probe(t, encode(t, e, Frame{QP: 30}).Data)
		for key, want := range map[string]any{
			"profile": "Constrained Baseline", "level": c.level, "width": float64(c.size.X), "height": float64(c.size.Y), "has_b_frames": 0.0, "refs": 1.0,
			"pix_fmt": "yuvj420p", "color_range": "pc", "color_space": "bt709", "color_primaries": "bt709", "color_transfer": "bt709",
			"chroma_location": "center",
		} {
			if got[key] != want {
				t.Errorf("%v at %d/s: %s is %v, want %v", c.size, c.fps, key, got[key], want)
			}
		}
		if s := e.SPS(); float64(s.Level) != c.level || s.ProfileLevelID()[:4] != "42c0" || !s.FullRange || s.Matrix != 1 {
			t.Errorf("SPS %+v", s)
		}
	}
}

// TestNothingStaysStale codes random damage at changing quantisers, refines, and looks at every block.
func TestNothingStaysStale(t *testing.T) {
	for _, preset := range []Preset{Ultrafast, Superfast, Veryfast} {
		t.Run(preset.String(), func(t *testing.T) {
			const w, h, frames = 500, 350, 60
			c := newCanvas(w, h)
			e := open(t, Config{Width: w, Height: h, Preset: preset})
			var stream []byte
			for i := range frames {
				if i%5 != 4 { // a picture in which nothing changed, now and then
					for range c.rng.IntN(4) {
						c.scribble()
					}
				}
				c.convert(t, e)
				f := Frame{PTS: time.Duration(i+1) * time.Second, QP: 14 + c.rng.IntN(24), IDR: i == 30, Changed: c}
				stream = append(stream, encode(t, e, f).Data...)
				clear(c.changed)
			}
			stream = append(stream, encode(t, e, Frame{PTS: time.Hour, QP: 10, Changed: c}).Data...)
			pictures := decode(t, stream, "gray", w*h)
			if len(pictures) != frames+1 {
				t.Fatalf("%d pictures, want %d", len(pictures), frames+1)
			}
			want := luma(e.Planes(), w, h)
			if p, at := worstBlock(pictures[frames], want, w, h); p < 44 {
				t.Errorf("block at %v has %.1f dB after refinement at QP 10", at, p)
			}
			if p, _ := worstBlock(pictures[frames-1], want, w, h); p < 20 {
				t.Errorf("a block has %.1f dB before refinement: stale", p)
			}
		})
	}
}

// TestUnchangedBlocksAreSkipped proves that marking works: a change that is not declared is not coded, and costs nothing.
func TestUnchangedBlocksAreSkipped(t *testing.T) {
	const w, h = 320, 240
	c := newCanvas(w, h)
	e := open(t, Config{Width: w, Height: h, Preset: Veryfast})
	c.convert(t, e)
	stream := encode(t, e, Frame{QP: 16}).Data
	before := luma(e.Planes(), w, h)

	c.fill(image.Rect(32, 32, 200, 200), func(x, y int) [3]byte { return [3]byte{byte(x * 31), byte(y * 17), 9} })
	c.convert(t, e)
	clear(c.changed)
	hidden := encode(t, e, Frame{PTS: 1, QP: 16, Changed: c})
	stream = append(stream, hidden.Data...)
	if len(hidden.Data) > 40 {
		t.Errorf("a picture without changes takes %d bytes", len(hidden.Data))
	}
	// All blocks: now it must appear.
	stream = append(stream, encode(t, e, Frame{PTS: 2, QP: 16}).Data...)
	pictures := decode(t, stream, "gray", w*h)
	if p := psnr(pictures[1], before); p < 40 {
		t.Errorf("the undeclared change was coded: %.1f dB against the picture before", p)
	}
	if p := psnr(pictures[2], luma(e.Planes(), w, h)); p < 35 {
		t.Errorf("the declared change was not coded: %.1f dB", p)
	}
}

func TestIDROnDemand(t *testing.T) {
	const w, h = 320, 240
	c := newCanvas(w, h)
	e := open(t, Config{Width: w, Height: h})
	var units []Coded
	for i := range 6 {
		c.scribble()
		c.convert(t, e)
		units = append(units, encode(t, e, Frame{PTS: time.Duration(i) * time.Millisecond, QP: 20, IDR: i == 3, Changed: c}))
		clear(c.changed)
	}
	for i, u := range units {
		want := []NALType{NALSlice}
		if i == 0 || i == 3 {
			want = []NALType{NALSPS, NALPPS, NALIDR}
		}
		if got := types(u.Data); u.IDR != (len(want) == 3) || !slices.Equal(got, want) || !bytes.HasPrefix(u.Data, []byte{0, 0, 0, 1}) {
			t.Errorf("unit %d: IDR %t, NAL types %v, want %v", i, u.IDR, got, want)
		}
	}
	// Decoding starts at the second IDR.
	var tail []byte
	for _, u := range units[3:] {
		tail = append(tail, u.Data...)
	}
	pictures := decode(t, tail, "gray", w*h)
	if len(pictures) != 3 {
		t.Fatalf("%d pictures from the second IDR on", len(pictures))
	}
	if p := psnr(pictures[2], luma(e.Planes(), w, h)); p < 35 {
		t.Errorf("PSNR %.1f dB", p)
	}
}

// TestPresetWhileRunning changes the preset between pictures.
func TestPresetWhileRunning(t *testing.T) {
	const w, h = 320, 240
	c := newCanvas(w, h)
	e := open(t, Config{Width: w, Height: h})
	var stream []byte
	for i := range 12 {
		if err := e.SetPreset(Preset(i / 2 % 3)); err != nil {
			t.Fatal(err)
		}
		c.scribble()
		c.convert(t, e)
		stream = append(stream, encode(t, e, Frame{PTS: time.Duration(i), QP: 16, Changed: c}).Data...)
		clear(c.changed)
	}
	pictures := decode(t, stream, "gray", w*h)
	if len(pictures) != 12 {
		t.Fatalf("%d pictures", len(pictures))
	}
	if p := psnr(pictures[11], luma(e.Planes(), w, h)); p < 40 {
		t.Errorf("PSNR %.1f dB", p)
	}
}

// TestQuantiser: the whole range is effective, and what lies outside is clipped to it.
func TestQuantiser(t *testing.T) {
	size := func(qp int) int {
		c := newCanvas(320, 240)
		for range 30 {
			c.scribble()
		}
		e := open(t, Config{Width: 320, Height: 240, Preset: Superfast})
		c.convert(t, e)
		return len(encode(t, e, Frame{QP: qp}).Data)
	}
	last := math.MaxInt
	for qp := MinQP; qp <= MaxQP; qp += 2 {
		n := size(qp)
		if n >= last {
			t.Errorf("QP %d takes %d bytes, %d took %d", qp, n, qp-2, last)
		}
		last = n
	}
	if size(0) != size(MinQP) || size(60) != size(MaxQP) {
		t.Error("quantisers outside the range are not clipped")
	}
}

func TestThreads(t *testing.T) {
	c := newCanvas(640, 480)
	e := open(t, Config{Width: 640, Height: 480, Threads: 2})
	c.convert(t, e)
	stream := encode(t, e, Frame{QP: 14}).Data
	if got := types(stream); !slices.Equal(got, []NALType{NALSPS, NALPPS, NALIDR, NALIDR}) {
		t.Errorf("NAL types %v, want two slices", got)
	}
	if p := psnr(decode(t, stream, "gray", 640*480)[0], luma(e.Planes(), 640, 480)); p < 45 {
		t.Errorf("PSNR %.1f dB", p)
	}
}

func TestNewEncoderRefuses(t *testing.T) {
	for _, c := range []Config{
		{},
		{Width: 16},
		{Width: -5, Height: 16},
		{Width: MaxCodedSide + 1, Height: 16},
		{Width: 16, Height: 16, FPSCap: -1},
		{Width: 16, Height: 16, FPSCap: maxFPS + 1},
		{Width: 16, Height: 16, Threads: maxThreads + 1},
		{Width: 16, Height: 16, Preset: Veryfast + 1},
	} {
		if e, err := NewEncoder(c); err == nil {
			_ = e.Close()
			t.Errorf("%+v accepted", c)
		}
	}
}

func TestClosed(t *testing.T) {
	e := open(t, Config{Width: 32, Height: 32})
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Encode(Frame{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Encode returned %v", err)
	}
	if err := e.SetPreset(Superfast); !errors.Is(err, ErrClosed) {
		t.Errorf("SetPreset returned %v", err)
	}
}

// TestFrees: Close frees at once, and an encoder that was forgotten is freed by the garbage collector.
func TestFrees(t *testing.T) {
	before := live.Load()
	for range 5 {
		e, err := NewEncoder(Config{Width: 320, Height: 240})
		if err != nil {
			t.Fatal(err)
		}
		_ = encode(t, e, Frame{QP: 20})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := live.Load() - before; n != 0 {
		t.Fatalf("%d encoders live after Close", n)
	}
	func() {
		if _, err := NewEncoder(Config{Width: 320, Height: 240}); err != nil {
			t.Fatal(err)
		}
	}()
	deadline := time.Now().Add(10 * time.Second)
	for live.Load() != before {
		if time.Now().After(deadline) {
			t.Fatal("a forgotten encoder was not freed")
		}
		runtime.GC()
		runtime.Gosched()
	}
}

func TestEncodeAllocatesTheUnitOnly(t *testing.T) {
	c := newCanvas(320, 240)
	e := open(t, Config{Width: 320, Height: 240})
	c.convert(t, e)
	encode(t, e, Frame{QP: 20})
	clear(c.changed)
	n := testing.AllocsPerRun(50, func() { encode(t, e, Frame{PTS: time.Second, QP: 20, Changed: c}) })
	if n > 1 {
		t.Errorf("%.0f allocations per picture, want 1", n)
	}
}

// BenchmarkEncode: a small change in a 1080p picture, with and without marking what is unchanged.
func BenchmarkEncode(b *testing.B) {
	for _, marked := range []bool{true, false} {
		b.Run(fmt.Sprintf("marked=%t", marked), func(b *testing.B) {
			c := newCanvas(1920, 1080)
			for range 40 {
				c.scribble()
			}
			e := open(b, Config{Width: 1920, Height: 1080, Preset: Veryfast})
			c.convert(b, e)
			encode(b, e, Frame{QP: 14})
			clear(c.changed)
			b.ReportAllocs()
			bytes, i := 0, 0
			for b.Loop() {
				i++
				c.fill(image.Rect(800, 500, 808, 516), func(x, y int) [3]byte { v := byte(x*y*i) & 0x80; return [3]byte{v, v, v} })
				c.convert(b, e)
				f := Frame{PTS: time.Duration(i) * time.Millisecond, QP: 14}
				if marked {
					f.Changed = c
				}
				bytes += len(encode(b, e, f).Data)
			}
			b.ReportMetric(float64(bytes)/float64(i), "bytes/picture")
		})
	}
}
