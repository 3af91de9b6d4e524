package stream

import (
	"bytes"
	"context"
	"errors"
	"image"
	"math"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// decodeLuma returns the luma of every picture of a stream, decoded by ffmpeg.
func decodeLuma(t *testing.T, stream []byte, size image.Point) [][]byte {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("ffmpeg is needed in CI: %v", err)
		}
		t.Skip("NOT TESTED: ffmpeg is not installed")
	}
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-f", "h264", "-i", "pipe:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1")
	cmd.Stdin = bytes.NewReader(stream)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("ffmpeg: %v: %s", err, errs.Bytes())
	}
	var pictures [][]byte
	for b := out.Bytes(); len(b) >= size.X*size.Y; b = b[size.X*size.Y:] {
		pictures = append(pictures, b[:size.X*size.Y])
	}
	return pictures
}

// framebufferLuma returns the luma of the framebuffer as the encoder sees it.
func framebufferLuma(t *testing.T, s *screen) []byte {
	t.Helper()
	pix, size := s.fb.CopyPixels()
	p := pixel.NewPlanes(size.X, size.Y)
	var runs []pixel.Run
	for y := range p.Height / pixel.BlockSize {
		runs = append(runs, pixel.Run{Y: int32(y), X1: int32(p.Width / pixel.BlockSize)})
	}
	if err := pixel.Convert(p, pixel.Source{Pix: pix, Stride: size.X * 4, Width: size.X, Height: size.Y}, runs); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for y := range size.Y {
		out = append(out, p.Y[y*p.StrideY:][:size.X]...)
	}
	return out
}

// worstBlock returns the lowest PSNR of any macroblock.
func worstBlock(a, b []byte, size image.Point) (worst float64, at image.Point) {
	worst = math.Inf(1)
	for by := 0; by < size.Y; by += 16 {
		for bx := 0; bx < size.X; bx += 16 {
			var sum, n float64
			for y := by; y < min(by+16, size.Y); y++ {
				for x := bx; x < min(bx+16, size.X); x++ {
					d := float64(a[y*size.X+x]) - float64(b[y*size.X+x])
					sum, n = sum+d*d, n+1
				}
			}
			if p := 10 * math.Log10(255*255*n/max(sum, 1e-9)); p < worst {
				worst, at = p, image.Pt(bx, by)
			}
		}
	}
	return worst, at
}

func join(units []*h264.AccessUnit) []byte {
	var out []byte
	for _, au := range units {
		out = append(out, au.Data...)
	}
	return out
}

// TestRealPicture works on a drawn desktop with the real encoder, goroutines and clock, and compares what a viewer
// decodes with the framebuffer, block by block.
func TestRealPicture(t *testing.T) {
	size := image.Pt(1000, 700)
	s := newScreen(t, size)
	h, err := NewHub(HubConfig{Framebuffer: s.fb})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	viewer, recorder := &collector{}, &collector{}
	served := make(chan error, 2)
	go func() { served <- h.Serve(t.Context(), recorder, 600, Fail) }()
	for i := range 60 {
		if i == 20 {
			go func() { served <- h.Serve(t.Context(), viewer, 600, DropToIDR) }()
		}
		switch s.rng.IntN(6) {
		case 0:
			s.scroll(1 + s.rng.IntN(8))
		case 1:
			s.video(i)
		case 2:
			s.line(s.editor, s.rng.IntN(s.rows(s.editor)), image.Black, image.White)
			s.fb.Commit()
		default:
			s.typeChar()
		}
		time.Sleep(8 * time.Millisecond)
	}
	waitFor(t, "the picture to be sharp", func() bool {
		st := h.Stats()
		return st.QP == 14 && st.Refines > 0 && len(viewer.got()) > 0
	})
	cancel()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-served; err != nil {
			t.Fatal(err)
		}
	}
	want := framebufferLuma(t, s)
	for name, c := range map[string]*collector{"recorder": recorder, "viewer": viewer} {
		units := c.got()
		checkSequence(t, units)
		pictures := decodeLuma(t, join(units), size)
		if len(pictures) != len(units) {
			t.Fatalf("%s: %d pictures from %d units", name, len(pictures), len(units))
		}
		if p, at := worstBlock(pictures[len(pictures)-1], want, size); p < 40 {
			t.Errorf("%s: block at %v has %.1f dB", name, at, p)
		}
	}
}

// TestRealResize: a new size starts with an IDR of that size, odd ones too.
func TestRealResize(t *testing.T) {
	s := newScreen(t, image.Pt(640, 480))
	h, err := NewHub(HubConfig{Framebuffer: s.fb})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran, served := make(chan error, 1), make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	c := &collector{}
	go func() { served <- h.Serve(t.Context(), c, 600, Fail) }()
	for _, size := range []image.Point{{640, 480}, {801, 601}, {320, 200}} {
		if err := s.fb.Resize(size); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "a unit of the new size", func() bool { return h.Stats().Size == size })
	}
	cancel()
	if err := errors.Join(<-ran, <-served); err != nil {
		t.Fatal(err)
	}
	units := c.got()
	checkSequence(t, units)
	for _, au := range units {
		if !au.IDR {
			continue
		}
		raw, _, err := h264.ParameterSets(au.Data)
		if err != nil {
			t.Fatal(err)
		}
		sps, err := h264.ParseSPS(raw)
		if err != nil {
			t.Fatal(err)
		}
		if sps.Width != (au.Width+1)&^1 || sps.Height != (au.Height+1)&^1 {
			t.Errorf("unit of %d×%d says %d×%d", au.Width, au.Height, sps.Width, sps.Height)
		}
	}
}

// TestRealChurn has sinks join, lag and leave, viewers frozen, targets and sizes changed, all at once: for the race
// detector, and for every sink to get a stream it can decode.
func TestRealChurn(t *testing.T) {
	s := newScreen(t, image.Pt(320, 240))
	h, err := NewHub(HubConfig{Framebuffer: s.fb, FPSCap: 60, IDRInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	units := 0
	var mu sync.Mutex
	for i := range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				c := &collector{}
				stay, leave := context.WithTimeout(ctx, time.Duration(20+10*i)*time.Millisecond)
				_ = h.Serve(stay, c, 1+i, Overflow(i%2)) // ends in time or by overflow; what counts is what arrived
				leave()
				checkSequence(t, c.got())
				mu.Lock()
				units += len(c.got())
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			h.FreezeViewers(i%3 == 0)
			h.SetTarget(i * 100_000)
			h.RequestIDR()
			_ = h.Stats()
			time.Sleep(3 * time.Millisecond)
		}
	})
	for i := 0; ctx.Err() == nil; i++ {
		s.typeChar()
		if i%20 == 19 {
			size := image.Pt(320+i%64, 240)
			if err := s.fb.Resize(size); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	wg.Wait()
	if units < 8 {
		t.Errorf("%d units in all", units)
	}
	if n := len(h.Stats().Sinks); n != 0 {
		t.Errorf("%d sinks left behind", n)
	}
}

// waitFor polls what another goroutine brings about.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
