package desktop

import (
	"bytes"
	"errors"
	"image"
	"math/rand/v2"
	"sync"
	"testing"
)

func newFramebuffer(t testing.TB, w, h int) *Framebuffer {
	t.Helper()
	f, err := NewFramebuffer(image.Pt(w, h))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fill sets every byte of r to v.
func fill(t testing.TB, f *Framebuffer, r image.Rectangle, v byte) {
	t.Helper()
	err := f.Draw(r, func(pix []byte, stride int) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X * BytesPerPixel; x < r.Max.X*BytesPerPixel; x++ {
				pix[y*stride+x] = v
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// begun returns a framebuffer whose first drawing, one pixel, was committed.
func begun(t testing.TB, w, h int) *Framebuffer {
	t.Helper()
	f := newFramebuffer(t, w, h)
	fill(t, f, image.Rect(0, 0, 1, 1), 0)
	f.Commit()
	return f
}

// taken returns how many blocks a snapshot found damaged, -1 if it had nothing committed.
func taken(f *Framebuffer) int {
	n := -1
	f.Snapshot(false, func(_ []byte, _ image.Point, d *Damage) { n = d.Count() })
	return n
}

func awake(f *Framebuffer) bool {
	select {
	case <-f.Wake():
		return true
	default:
		return false
	}
}

func TestCheckSize(t *testing.T) {
	for _, c := range []struct {
		w, h int
		ok   bool
	}{
		{MinSide, MinSide, true},
		{MinSide - 1, 100, false},
		{100, MinSide - 1, false},
		{0, 0, false},
		{-1, 100, false},
		{1920, 1080, true},
		{1921, 1081, true},
		{MaxWidth, MinSide, true},
		{MaxWidth + 1, MinSide, false},
		{MinSide, MaxHeight + 1, false},
		{MaxWidth, MaxHeight, false},
		{2 * 3840, 2400, true},
		{65535, 65535, false},
		{1 << 40, 1 << 40, false},
	} {
		size := image.Pt(c.w, c.h)
		if err := CheckSize(size); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSize) {
			t.Errorf("%v: %v", size, err)
		}
		if c.ok {
			continue
		}
		if _, err := NewFramebuffer(size); !errors.Is(err, ErrSize) {
			t.Errorf("new, %v: %v", size, err)
		}
		f := newFramebuffer(t, 100, 100)
		if err := f.Resize(size); !errors.Is(err, ErrSize) || f.Size() != image.Pt(100, 100) {
			t.Errorf("resize, %v: %v, now %v", size, err, f.Size())
		}
	}
}

func TestDraw(t *testing.T) {
	f := begun(t, 100, 60)
	if !awake(f) || taken(f) != 7*4 {
		t.Fatal("a new framebuffer is not wholly damaged")
	}
	r := image.Rect(15, 20, 33, 30)
	fill(t, f, r, 9)
	if awake(f) || taken(f) != -1 {
		t.Fatal("shown before Commit")
	}
	f.Commit()
	f.Commit()
	if !awake(f) || awake(f) {
		t.Fatal("two commits do not wake once")
	}
	if n := taken(f); n != 3 {
		t.Fatalf("%d blocks damaged, want 3", n)
	}
	f.Commit()
	if awake(f) {
		t.Fatal("woken by a Commit of nothing")
	}
	pix, size := f.CopyPixels()
	for i, v := range pix {
		p := image.Pt(i/4%size.X, i/4/size.X)
		if want := p.In(r); (v == 9) != want {
			t.Fatalf("byte %d of pixel %v is %d", i%4, p, v)
		}
	}
	if err := f.Draw(image.Rectangle{}, func([]byte, int) { t.Error("drawn nothing") }); err != nil {
		t.Error(err)
	}
	f.Commit()
	if awake(f) {
		t.Error("damage from an empty rectangle")
	}
}

func TestRectanglesOutside(t *testing.T) {
	f := newFramebuffer(t, 100, 60)
	before, _ := f.CopyPixels()
	taken(f)
	for _, r := range []image.Rectangle{
		image.Rect(-1, 0, 10, 10),
		image.Rect(0, -1, 10, 10),
		image.Rect(91, 0, 101, 10),
		image.Rect(0, 51, 10, 61),
		image.Rect(1<<30, 1<<30, 1<<30+1, 1<<30+1),
		{Min: image.Pt(10, 10), Max: image.Pt(5, 20)},
	} {
		if err := f.Draw(r, func([]byte, int) { t.Errorf("%v was drawn", r) }); err == nil {
			t.Errorf("draw of %v: no error", r)
		}
		if err := f.Copy(r, image.Pt(0, 0)); err == nil {
			t.Errorf("copy to %v: no error", r)
		}
		if !r.Empty() {
			if err := f.Copy(image.Rectangle{Max: r.Size()}, r.Min); err == nil {
				t.Errorf("copy from %v: no error", r)
			}
		}
	}
	after, _ := f.CopyPixels()
	f.Commit()
	if !bytes.Equal(before, after) || taken(f) != -1 {
		t.Error("refused rectangles left something")
	}
}

// TestCopy compares with a copy through a second picture, for every direction of overlap.
func TestCopy(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	f := newFramebuffer(t, 50, 40)
	err := f.Draw(image.Rect(0, 0, 50, 40), func(pix []byte, _ int) {
		for i := range pix {
			pix[i] = byte(rnd.Uint32())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		size := image.Pt(1+rnd.IntN(50), 1+rnd.IntN(40))
		at := func() image.Point { return image.Pt(rnd.IntN(51-size.X), rnd.IntN(41-size.Y)) }
		src, dst := at(), at()
		want, _ := f.CopyPixels()
		from := bytes.Clone(want)
		for y := range size.Y {
			copy(want[((dst.Y+y)*50+dst.X)*4:][:size.X*4], from[((src.Y+y)*50+src.X)*4:])
		}
		if err := f.Copy(image.Rectangle{Min: dst, Max: dst.Add(size)}, src); err != nil {
			t.Fatal(err)
		}
		if got, _ := f.CopyPixels(); !bytes.Equal(got, want) {
			t.Fatalf("copy of %v from %v to %v", size, src, dst)
		}
	}
	f.Commit()
	taken(f)
	if err := f.Copy(image.Rect(32, 16, 48, 32), image.Pt(0, 0)); err != nil {
		t.Fatal(err)
	}
	f.Commit()
	if n := taken(f); n != 1 {
		t.Errorf("a copied block damages %d", n)
	}
}

func TestResize(t *testing.T) {
	f := newFramebuffer(t, 100, 60)
	fill(t, f, image.Rect(0, 0, 100, 60), 7)
	f.Commit()
	taken(f)
	awake(f)
	if err := f.Resize(image.Pt(100, 60)); err != nil || awake(f) {
		t.Fatalf("resize to the same size: %v", err)
	}
	for _, size := range []image.Point{{130, 90}, {64, 90}, {64, 32}, {200, 16}} {
		keep := image.Rectangle{Max: f.Size()}.Intersect(image.Rectangle{Max: size})
		before, old := f.CopyPixels()
		if err := f.Resize(size); err != nil {
			t.Fatal(err)
		}
		if f.Size() != size || !awake(f) {
			t.Fatalf("size %v", f.Size())
		}
		if n := taken(f); n != ((size.X+15)/16)*((size.Y+15)/16) {
			t.Fatalf("%d blocks damaged by %v", n, size)
		}
		pix, got := f.CopyPixels()
		for i, v := range pix {
			p := image.Pt(i/4%got.X, i/4/got.X)
			want := byte(0)
			if p.In(keep) {
				want = before[(p.Y*old.X+p.X)*4+i%4]
			}
			if v != want {
				t.Fatalf("pixel %v is %d, want %d", p, v, want)
			}
		}
	}
}

func TestSnapshot(t *testing.T) {
	f := begun(t, 64, 64)
	taken(f)
	calls := 0
	if f.Snapshot(false, func([]byte, image.Point, *Damage) { calls++ }) || calls != 0 {
		t.Error("called without damage")
	}
	if f.Snapshot(true, func(pix []byte, size image.Point, d *Damage) {
		calls++
		if size != image.Pt(64, 64) || len(pix) != 64*64*4 || !d.Empty() {
			t.Errorf("%v, %d bytes, %d blocks", size, len(pix), d.Count())
		}
	}) || calls != 1 {
		t.Error("force does not call")
	}
	// Damage that is not committed survives a forced snapshot.
	fill(t, f, image.Rect(0, 0, 1, 1), 1)
	f.Snapshot(true, func([]byte, image.Point, *Damage) {})
	f.Commit()
	if n := taken(f); n != 1 {
		t.Errorf("%d blocks after a forced snapshot", n)
	}
}

// TestConcurrentUse draws, resizes and takes snapshots at once, for the race detector, and checks that a
// snapshot never sees half a drawing.
func TestConcurrentUse(t *testing.T) {
	f := newFramebuffer(t, 64, 64)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for id := range 2 {
		wg.Go(func() {
			for i := range 300 {
				v := byte(id*100 + i%100)
				_ = f.Draw(image.Rect(0, 0, 32, 32), func(pix []byte, stride int) {
					for y := range 32 {
						for x := range 32 * 4 {
							pix[y*stride+x] = v
						}
					}
				})
				f.Commit()
				if i%50 == 0 {
					_ = f.Resize(image.Pt(64+i, 64))
				}
			}
		})
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-f.Wake():
			case <-stop:
				return
			}
			f.Snapshot(false, func(pix []byte, size image.Point, _ *Damage) {
				for y := range 32 {
					for _, v := range pix[y*size.X*4:][:32*4] {
						if v != pix[0] {
							t.Error("half a drawing was seen")
							return
						}
					}
				}
			})
		}
	})
	wg.Wait()
	close(stop)
	reader.Wait()
}

func BenchmarkCopy(b *testing.B) {
	f := newFramebuffer(b, 1920, 1080)
	b.SetBytes(1920 * 1064 * 4)
	for b.Loop() {
		if err := f.Copy(image.Rect(0, 0, 1920, 1064), image.Pt(0, 16)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestBlank(t *testing.T) {
	f := newFramebuffer(t, 64, 64)
	f.Commit()
	if err := f.Resize(image.Pt(80, 80)); err != nil {
		t.Fatal(err)
	}
	if !f.Blank() || awake(f) || taken(f) != -1 {
		t.Fatal("something to show before anything was drawn")
	}
	fill(t, f, image.Rect(0, 0, 1, 1), 9)
	if !f.Blank() {
		t.Fatal("shown before it was committed")
	}
	f.Commit()
	if f.Blank() || !awake(f) || taken(f) != 25 {
		t.Fatal("the first drawing does not show the whole picture")
	}
}

func TestDrawSome(t *testing.T) {
	f := newFramebuffer(t, 64, 64)
	take := func() (damage []image.Rectangle) {
		f.Snapshot(true, func(_ []byte, _ image.Point, d *Damage) {
			d.Runs(func(y, x0, x1 int) { damage = append(damage, image.Rect(x0, y, x1, y+1)) })
		})
		return damage
	}
	draw := func(r image.Rectangle, changed ...image.Rectangle) error {
		return f.DrawSome(r, func(pix []byte, stride int) []image.Rectangle { return changed })
	}
	if err := draw(image.Rect(0, 0, 64, 64), image.Rect(0, 0, 1, 1)); err != nil {
		t.Fatal(err)
	}
	f.Commit()
	take()
	if err := draw(image.Rect(0, 0, 32, 32), image.Rect(20, 20, 64, 64), image.Rect(5, 5, 5, 9), image.Rect(40, 0, 50, 9)); err != nil {
		t.Fatal(err)
	}
	f.Commit()
	if got := take(); len(got) != 1 || got[0] != image.Rect(1, 1, 2, 2) {
		t.Errorf("damage %v, want one block", got)
	}
	if err := draw(image.Rect(0, 0, 65, 1)); err == nil {
		t.Error("a rectangle outside was accepted")
	}
	if err := draw(image.Rectangle{}, image.Rect(0, 0, 9, 9)); err != nil {
		t.Error(err)
	}
	if f.Commit(); len(take()) != 0 {
		t.Error("an empty rectangle was damaged")
	}
}
