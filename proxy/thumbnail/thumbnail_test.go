package thumbnail

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise fills a desktop with pixels of all kinds.
func noise(t testing.TB, width, height int) *desktop.Framebuffer {
	t.Helper()
	fb, err := desktop.NewFramebuffer(image.Pt(width, height))
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, uint64(width*height)))
	require.NoError(t, fb.Draw(image.Rect(0, 0, width, height), func(pix []byte, _ int) {
		for ; len(pix) >= 8; pix = pix[8:] {
			binary.LittleEndian.PutUint64(pix, random.Uint64())
		}
	}))
	fb.Commit()
	return fb
}

// mean is what pixel x, y of a thumbnail should be, by its definition.
func mean(pix []byte, size image.Point, n, x, y int) [3]uint8 {
	var sum [3]int
	count := 0
	for i := y * n; i < min((y+1)*n, size.Y); i++ {
		for j := x * n; j < min((x+1)*n, size.X); j++ {
			p := pix[(i*size.X+j)*4:]
			sum[0], sum[1], sum[2] = sum[0]+int(p[2]), sum[1]+int(p[1]), sum[2]+int(p[0])
			count++
		}
	}
	return [3]uint8{uint8((sum[0] + count/2) / count), uint8((sum[1] + count/2) / count), uint8((sum[2] + count/2) / count)}
}

func TestMeans(t *testing.T) {
	for _, tt := range []struct{ width, height, n, outWidth, outHeight int }{
		{1920, 1080, 6, 320, 180},
		{1366, 768, 4, 342, 192},
		{1023, 767, 3, 341, 256}, // odd: the last column and row are of part of a square
		{801, 601, 3, 267, 201},
		{320, 200, 1, 320, 200},
		{17, 16, 1, 17, 16},
		{8192, 16, 26, 316, 1},
		{600, 3000, 10, 60, 300}, // upright
	} {
		fb := noise(t, tt.width, tt.height)
		r := New(fb)
		require.Equal(t, tt.n, factor(image.Pt(tt.width, tt.height)))
		require.True(t, r.shrink())
		require.Equal(t, image.Pt(tt.outWidth, tt.outHeight), r.small.Rect.Size(), "of %d×%d", tt.width, tt.height)
		pix, size := fb.CopyPixels()
		for y := range tt.outHeight {
			for x := range tt.outWidth {
				got := r.small.RGBAAt(x, y)
				if want := mean(pix, size, tt.n, x, y); want != [3]uint8{got.R, got.G, got.B} {
					t.Fatalf("%d,%d of %d×%d: %v, want %v", x, y, tt.width, tt.height, got, want)
				}
			}
		}
	}
}

func TestPicture(t *testing.T) {
	fb, err := desktop.NewFramebuffer(image.Pt(640, 480))
	require.NoError(t, err)
	r := New(fb)
	_, err = r.Picture()
	require.ErrorIs(t, err, ErrBlank)

	red := image.Rect(0, 0, 320, 480)
	draw := func() {
		require.NoError(t, fb.Draw(red, func(pix []byte, stride int) {
			for y := range 480 {
				for x := range 320 {
					copy(pix[y*stride+x*4:], []byte{0, 0, 255, 0})
				}
			}
		}))
		fb.Commit()
	}
	draw()
	first, err := r.Picture()
	require.NoError(t, err)
	img, err := jpeg.Decode(bytes.NewReader(first.JPEG))
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 320, 240), img.Bounds())
	require.Equal(t, []int{320, 240}, []int{first.Width, first.Height})
	left, _, _, _ := img.At(60, 120).RGBA()
	right, _, _, _ := img.At(260, 120).RGBA()
	require.Greater(t, left>>8, uint32(240))
	require.Less(t, right>>8, uint32(10))

	again, err := r.Picture()
	require.NoError(t, err)
	require.Same(t, &first.JPEG[0], &again.JPEG[0], "nothing was drawn: nothing is made")
	fb.Snapshot(true, func([]byte, image.Point, *desktop.Damage) {})
	again, err = r.Picture()
	require.NoError(t, err)
	require.Equal(t, first.Serial, again.Serial, "who looks at the picture does not change it")
	draw()
	again, err = r.Picture()
	require.NoError(t, err)
	require.NotEqual(t, first.Serial, again.Serial)
	require.NoError(t, fb.Resize(image.Pt(1600, 900)))
	again, err = r.Picture()
	require.NoError(t, err)
	require.Equal(t, []int{320, 180}, []int{again.Width, again.Height})
}

// TestBounds: the worst picture there is fits.
func TestBounds(t *testing.T) {
	p, err := New(noise(t, Side, Side)).Picture()
	require.NoError(t, err)
	require.Less(t, len(p.JPEG), MaxBytes)
}

// TestConcurrent: a desktop that is drawn and resized while several look.
func TestConcurrent(t *testing.T) {
	fb := noise(t, 800, 600)
	r := New(fb)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 30 {
				if p, err := r.Picture(); err == nil && len(p.JPEG) == 0 {
					t.Error("a picture without bytes")
				}
			}
		})
	}
	for i := range 30 {
		if err := fb.Resize(image.Pt(800+i%2*16, 600)); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

// BenchmarkPicture is what one thumbnail of a desktop that changes costs its worker. A wall of 50 sessions asks for 10 a
// second: ns/op × 10 is its part of a core.
func BenchmarkPicture(b *testing.B) {
	fb := noise(b, 1920, 1080)
	// A desktop: plain, with lines of text.
	require.NoError(b, fb.Draw(image.Rect(0, 0, 1920, 1080), func(pix []byte, stride int) {
		for y := range 1080 {
			for x := range 1920 {
				v := byte(240)
				if y%20 < 12 && x%9 < 2+y%5 && x/100%3 < 2 {
					v = 30
				}
				copy(pix[y*stride+x*4:], []byte{v, v, v, 0})
			}
		}
	}))
	fb.Commit()
	r := New(fb)
	size := 0
	before := processorTime(b)
	for b.Loop() {
		require.NoError(b, fb.Draw(image.Rect(0, 0, 1, 1), func([]byte, int) {}))
		p, err := r.Picture()
		require.NoError(b, err)
		size = len(p.JPEG)
	}
	b.ReportMetric(float64(size), "bytes")
	b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N)*10*100, "%core/wall50")
}

// processorTime is what this process has used: on a machine that does other things the clock says nothing.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
