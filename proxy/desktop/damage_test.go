package desktop

import (
	"image"
	"math/rand/v2"
	"testing"
)

// blocks is Damage done the slow way.
type blocks map[image.Point]bool

func (b blocks) add(size image.Point, r image.Rectangle) {
	for y := 0; y*BlockSize < size.Y; y++ {
		for x := 0; x*BlockSize < size.X; x++ {
			block := image.Rect(x*BlockSize, y*BlockSize, (x+1)*BlockSize, (y+1)*BlockSize)
			if block.Overlaps(r) {
				b[image.Pt(x, y)] = true
			}
		}
	}
}

// check compares d with what it should hold, through every method that reads.
func (b blocks) check(t *testing.T, d *Damage) {
	t.Helper()
	var bounds image.Rectangle
	for y := range d.Rows() {
		for x := range d.Cols() {
			if d.Has(x, y) != b[image.Pt(x, y)] {
				t.Fatalf("block %d,%d is %v", x, y, d.Has(x, y))
			}
			if d.Has(x, y) {
				bounds = bounds.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if d.Count() != len(b) || d.Empty() != (len(b) == 0) {
		t.Fatalf("count %d, empty %v, want %d", d.Count(), d.Empty(), len(b))
	}
	want := image.Rectangle{Min: bounds.Min.Mul(BlockSize), Max: bounds.Max.Mul(BlockSize)}
	if got := d.Bounds(); got != want {
		t.Fatalf("bounds %v, want %v", got, want)
	}
	seen := 0
	last := image.Pt(-2, 0) // end of the run before
	d.Runs(func(y, x0, x1 int) {
		if y < last.Y || y == last.Y && x0 <= last.X || x1 <= x0 || x1 > d.Cols() {
			t.Fatalf("run %d to %d in row %d after %v", x0, x1, y, last)
		}
		for x := x0; x < x1; x++ {
			if !b[image.Pt(x, y)] {
				t.Fatalf("run %d to %d in row %d holds %d", x0, x1, y, x)
			}
		}
		seen += x1 - x0
		last = image.Pt(x1, y)
	})
	if seen != len(b) {
		t.Fatalf("runs hold %d blocks, want %d", seen, len(b))
	}
}

func TestDamageAdd(t *testing.T) {
	wide := image.Pt(4100, 50) // five words a row, the last one partly used
	for _, c := range []struct {
		name string
		size image.Point
		r    image.Rectangle
		want int // blocks
	}{
		{"empty", image.Pt(100, 100), image.Rectangle{}, 0},
		{"inverted", image.Pt(100, 100), image.Rectangle{Min: image.Pt(50, 50), Max: image.Pt(10, 10)}, 0},
		{"pixel", image.Pt(100, 100), image.Rect(16, 16, 17, 17), 1},
		{"exact block", image.Pt(100, 100), image.Rect(16, 16, 32, 32), 1},
		{"one pixel more", image.Pt(100, 100), image.Rect(16, 16, 33, 33), 4},
		{"last pixel", image.Pt(100, 100), image.Rect(99, 99, 100, 100), 1},
		{"around", image.Pt(100, 100), image.Rect(-5, -5, 200, 200), 49},
		{"outside", image.Pt(100, 100), image.Rect(200, 0, 300, 50), 0},
		{"left of it", image.Pt(100, 100), image.Rect(-20, 0, 0, 50), 0},
		{"word's end", wide, image.Rect(63*16, 0, 64*16, 1), 1},
		{"across words", wide, image.Rect(63*16, 0, 65*16, 1), 2},
		{"three words", wide, image.Rect(60*16, 17, 140*16, 18), 80},
		{"whole row", wide, image.Rect(0, 0, 4100, 1), 257},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := NewDamage(c.size)
			d.Add(c.r)
			if got := d.Count(); got != c.want {
				t.Errorf("%d blocks, want %d", got, c.want)
			}
			want := blocks{}
			want.add(c.size, c.r)
			want.check(t, d)
		})
	}
}

func TestDamageRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		size := image.Pt(1+rnd.IntN(3000), 1+rnd.IntN(300))
		d, o, want := NewDamage(size), NewDamage(size), blocks{}
		for range rnd.IntN(6) {
			min := image.Pt(rnd.IntN(size.X+40)-20, rnd.IntN(size.Y+40)-20)
			r := image.Rectangle{Min: min, Max: min.Add(image.Pt(rnd.IntN(size.X), rnd.IntN(60)))}
			want.add(size, r)
			if rnd.IntN(2) == 0 {
				d.Add(r)
			} else {
				o.Add(r)
			}
		}
		d.Union(o)
		want.check(t, d)
	}
}

func TestDamageAll(t *testing.T) {
	size := image.Pt(1920, 1080)
	all := blocks{}
	all.add(size, image.Rectangle{Max: size})
	d := NewDamage(size)
	d.AddAll()
	all.check(t, d)
	d.Clear()
	blocks{}.check(t, d)
	// Damage of another size cannot be placed: everything counts as changed.
	d.Union(NewDamage(image.Pt(1920, 1200)))
	all.check(t, d)
	// Larger and smaller again, with storage that held marks.
	for _, size := range []image.Point{{3000, 2000}, {20, 20}, {2999, 1999}} {
		d.AddAll()
		d.Reset(size)
		blocks{}.check(t, d)
		if d.Cols() != (size.X+15)/16 || d.Rows() != (size.Y+15)/16 {
			t.Errorf("%d×%d blocks for %v", d.Cols(), d.Rows(), size)
		}
	}
}

func BenchmarkDamage(b *testing.B) {
	d := NewDamage(image.Pt(1920, 1080))
	b.Run("add a letter", func(b *testing.B) {
		for b.Loop() {
			d.Add(image.Rect(800, 400, 808, 416))
		}
	})
	b.Run("runs of a letter", func(b *testing.B) {
		d.Clear()
		d.Add(image.Rect(800, 400, 808, 416))
		n := 0
		for b.Loop() {
			d.Runs(func(_, x0, x1 int) { n += x1 - x0 })
		}
	})
	b.Run("runs of everything", func(b *testing.B) {
		d.AddAll()
		n := 0
		for b.Loop() {
			d.Runs(func(_, x0, x1 int) { n += x1 - x0 })
		}
	})
}

// TestRunsOfBlocks marks and unmarks runs and compares with a map of blocks.
func TestRunsOfBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	d := NewDamage(image.Pt(200*BlockSize, 3*BlockSize))
	want := map[image.Point]bool{}
	for range 500 {
		y, x0 := rng.IntN(3), rng.IntN(200)
		x1 := x0 + rng.IntN(201-x0)
		mark := rng.IntN(2) == 0
		if mark {
			d.AddRun(y, x0, x1)
		} else {
			d.RemoveRun(y, x0, x1)
		}
		for x := x0; x < x1; x++ {
			want[image.Pt(x, y)] = mark
		}
		for y := range 3 {
			for x := range 200 {
				if d.Has(x, y) != want[image.Pt(x, y)] {
					t.Fatalf("block %d,%d after [%d, %d) of row %d", x, y, x0, x1, y)
				}
			}
		}
	}
}
