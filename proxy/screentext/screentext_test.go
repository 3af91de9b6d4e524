package screentext

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is a desktop that is drawn on and looked at, at a time of its own.
type screen struct {
	testing.TB
	fb  *desktop.Framebuffer
	img *image.RGBA
	w   *Watcher
	now time.Time
}

func newScreen(t testing.TB, width, height int) *screen {
	t.Helper()
	fb, err := desktop.NewFramebuffer(image.Pt(width, height))
	require.NoError(t, err)
	s := &screen{TB: t, fb: fb, img: image.NewRGBA(image.Rect(0, 0, width, height)), w: New(fb), now: time.Now()}
	s.fill(s.img.Rect, 0xff)
	return s
}

func (s *screen) fill(r image.Rectangle, shade uint8) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			s.img.SetRGBA(x, y, color.RGBA{shade, shade, shade, 0xff})
		}
	}
}

// write draws text whose letters are 7×13 pixels, the top left at x, y.
func (s *screen) write(x, y int, text string) {
	d := font.Drawer{Dst: s.img, Src: image.Black, Face: basicfont.Face7x13, Dot: fixed.P(x, y+11)}
	d.DrawString(text)
}

// scroll moves everything up.
func (s *screen) scroll(by int) {
	copy(s.img.Pix, s.img.Pix[by*s.img.Stride:])
	s.fill(image.Rect(0, s.img.Rect.Dy()-by, s.img.Rect.Dx(), s.img.Rect.Dy()), 0xff)
}

// show brings what was drawn to the desktop, as a target that sends everything anew.
func (s *screen) show() {
	s.Helper()
	require.NoError(s, s.fb.Draw(s.img.Rect, func(pix []byte, stride int) {
		for y := range s.img.Rect.Dy() {
			for x := range s.img.Rect.Dx() {
				p := s.img.Pix[y*s.img.Stride+4*x:]
				copy(pix[y*stride+4*x:], []byte{p[2], p[1], p[0], byte(y)}) // the fourth means nothing
			}
		}
	}))
	s.fb.Commit()
}

// after lets time pass, with looks, and returns what is to be read then.
func (s *screen) after(d time.Duration) []image.Rectangle {
	s.Helper()
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(min(lookInterval, end.Sub(s.now)))
		s.w.Look(s.now)
	}
	return s.take()
}

func (s *screen) take() (out []image.Rectangle) {
	s.Helper()
	for {
		regions, _ := s.w.next()
		if len(regions) == 0 {
			return out
		}
		pixels := 0
		for _, r := range regions {
			require.Len(s, r.Grey, r.pixels())
			require.True(s, r.Bounds.In(image.Rectangle{Max: s.fb.Size()}), "%v", r.Bounds)
			pixels += r.pixels()
			out = append(out, r.Bounds)
		}
		require.LessOrEqual(s, pixels, MaxPixels)
		require.LessOrEqual(s, len(regions), MaxRegions)
	}
}

// ready is long enough for anything that stands still.
const ready = settle + 2*lookInterval

func TestLines(t *testing.T) {
	s := newScreen(t, 640, 480)
	require.Empty(t, s.after(ready), "nothing was drawn yet")
	s.write(10, 20, "first line")
	s.write(10, 33, "second")
	s.write(10, 100, "i")
	s.write(17, 100, "...far away: j")
	s.show()
	require.Empty(t, s.after(settle/2), "it has not stood still")
	got := s.after(ready)
	require.Equal(t, []image.Rectangle{image.Rect(10, 22, 79, 31), image.Rect(10, 35, 51, 44), image.Rect(11, 102, 114, 113)}, got)

	require.Empty(t, s.after(2*moving), "nothing has changed")
	s.show()
	require.Empty(t, s.after(2*moving), "it was drawn again as it was")
	s.fill(image.Rect(0, 0, 640, 60), 0xff)
	s.show()
	require.Empty(t, s.after(ready), "what is gone is not read")
	s.write(10, 20, "first line")
	s.show()
	require.Empty(t, s.after(ready), "and neither what comes back at once")
	s.fill(image.Rect(0, 0, 640, 60), 0xff)
	s.show()
	s.after(forget)
	s.write(10, 20, "first line")
	s.show()
	require.Len(t, s.after(ready), 1, "what comes back after a while is")
}

// TestScrolled: of a terminal that scrolls only the new line is read.
func TestScrolled(t *testing.T) {
	s := newScreen(t, 640, 39*13)
	for i := range 39 {
		s.write(2, 13*i, fmt.Sprintf("line %d of what a program has to say", i))
	}
	s.show()
	require.Len(t, s.after(ready), 39)
	s.scroll(13)
	s.write(2, 38*13, "something new")
	s.show()
	got := s.after(ready)
	require.Len(t, got, 1)
	require.True(t, got[0].In(image.Rect(0, 38*13, 100, 39*13)), "%v", got)
}

// TestLineGoesOn: where the end of a line has changed, all of it is read, but nothing beyond the edge of the window.
func TestLineGoesOn(t *testing.T) {
	s := newScreen(t, 800, 200)
	s.write(20, 40, "root@host:~#   cat")
	s.fill(image.Rect(400, 0, 401, 200), 0)
	s.write(410, 40, "another window")
	s.show()
	s.after(ready)
	s.write(20+19*7, 40, "/etc/shadow")
	s.show()
	got := s.after(ready)
	require.Len(t, got, 1)
	require.Equal(t, image.Rect(20, 41, 20+30*7, 53), got[0].Union(image.Rect(20, 41, 20+30*7, 53)), "%v", got)
	require.Greater(t, got[0].Dx(), 29*7, "%v", got)
}

// TestColumns: windows side by side whose lines are at different heights.
func TestColumns(t *testing.T) {
	s := newScreen(t, 800, 400)
	for i := range 20 {
		s.write(10, 17*i+3, "left column of text")
		s.write(300, 19*i+9, "right column of text")
	}
	s.show()
	got := s.after(ready)
	lines := map[image.Point]int{}
	for _, r := range got {
		lines[r.Size()]++
	}
	require.LessOrEqual(t, len(got), 4, "lines that are alike are read once: %v", got)
	for size := range lines {
		require.Less(t, size.Y, 14, "%v", got)
	}
}

// TestTouching: a cursor joins two lines, which are read apart all the same.
func TestTouching(t *testing.T) {
	s := newScreen(t, 640, 200)
	for i := range 6 {
		s.write(2, 13*i, fmt.Sprintf("%d jumping piggy", i))
	}
	s.fill(image.Rect(2, 13*6-2, 9, 13*7), 0)
	s.write(20, 13*6, "after the cursor")
	s.show()
	got := s.after(ready)
	require.Len(t, got, 7)
	for _, r := range got {
		require.Less(t, r.Dy(), 18, "%v", got)
	}
}

// TestMoving: what never stands still is looked at from time to time.
func TestMoving(t *testing.T) {
	s := newScreen(t, 640, 200)
	looks := 0
	for i := range int(3 * moving / lookInterval) {
		s.fill(image.Rect(0, 0, 640, 30), 0xff)
		s.write(5, 5, fmt.Sprint("frame ", i))
		s.show()
		looks += len(s.after(lookInterval))
	}
	require.Contains(t, []int{2, 3}, looks)
}

// TestBounded: more than there is room for stays on the screen until there is; what goes before is counted.
func TestBounded(t *testing.T) {
	s := newScreen(t, 1920, 1200)
	random := rand.New(rand.NewPCG(1, 2))
	fill := func() {
		for y := 0; y < 1200; y += 13 {
			line := make([]byte, 270)
			for i := range line {
				line[i] = byte('a' + random.IntN(26))
			}
			s.write(2, y, string(line))
		}
		s.show()
	}
	look := func() {
		for range 4 {
			s.now = s.now.Add(lookInterval)
			s.w.Look(s.now)
		}
	}
	fill()
	look()
	queued := s.w.queued
	require.Greater(t, queued, maxQueuedPixels, "one patch may go beyond")
	s.fill(s.img.Rect, 0xff)
	fill()
	look()
	require.Equal(t, queued, s.w.queued, "there is no room")
	require.Zero(t, s.w.missed, "but it is still there")
	s.fill(s.img.Rect, 0xff)
	fill()
	look()
	require.Equal(t, 1, s.w.missed)
	require.NotZero(t, s.w.Left())
	require.NotEmpty(t, s.take())
	require.Zero(t, s.w.Left())
	require.NotEmpty(t, s.after(ready), "what is there now comes when there is room")
}

func TestResize(t *testing.T) {
	s := newScreen(t, 640, 480)
	s.write(10, 20, "first line")
	s.show()
	require.Len(t, s.after(ready), 1)
	require.NoError(t, s.fb.Resize(image.Pt(801, 333)))
	require.Len(t, s.after(ready), 0, "the line is where it was, and the rest is black")
	require.Equal(t, image.Pt(801, 333), s.w.size)
}

func TestTakeWaits(t *testing.T) {
	s := newScreen(t, 640, 480)
	ctx, cancel := context.WithCancelCause(t.Context())
	got := make(chan int)
	go func() {
		for {
			regions, _, err := s.w.Take(ctx)
			got <- len(regions)
			if err != nil {
				return
			}
		}
	}()
	s.write(10, 20, "first line")
	s.show()
	for range 4 {
		s.now = s.now.Add(lookInterval)
		s.w.Look(s.now)
	}
	require.Equal(t, 1, <-got)
	cancel(errors.New("over"))
	require.Zero(t, <-got)
}

func TestRunEnds(t *testing.T) {
	s := newScreen(t, 64, 64)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.w.Run(ctx) }()
	cancel()
	<-done
}

// FuzzLook: whatever is drawn, what is to be read lies on the desktop and is bounded.
func FuzzLook(f *testing.F) {
	f.Add([]byte("\x00\x10\x20\x30\x40 some text\xff\x00\x01\x02\x03\x04\x05"), uint16(300), uint16(200))
	f.Add([]byte{0, 0, 255, 255, 1, 9, 9, 9, 9, 200}, uint16(17), uint16(900))
	f.Fuzz(func(t *testing.T, ops []byte, width, height uint16) {
		s := newScreen(t, 16+int(width)%2048, 16+int(height)%256)
		s.show()
		for ; len(ops) >= 5; ops = ops[5:] {
			x, y := int(ops[0])*s.img.Rect.Dx()/256, int(ops[1])*s.img.Rect.Dy()/256
			switch r := image.Rect(x, y, x+1+int(ops[2]), y+1+int(ops[3])).Intersect(s.img.Rect); ops[4] % 4 {
			case 0:
				s.fill(r, ops[4])
			case 1:
				s.write(x, y, string(ops[2:5]))
			case 2:
				for i := r.Min.X; i < r.Max.X; i += 2 {
					s.fill(image.Rect(i, r.Min.Y, i+1, r.Max.Y), ops[4])
				}
			case 3:
				s.show()
				s.after(lookInterval)
			}
		}
		s.show()
		s.after(ready)
		require.Zero(t, s.w.dirty, "everything was looked at")
	})
}

// text fills a desktop of 1920×1080 with lines.
func text(b *testing.B) *screen {
	s := newScreen(b, 1920, 1080)
	for i := range 70 {
		s.write(4, 15*i, fmt.Sprintf("%d: %0200d", i, i*i))
	}
	s.show()
	return s
}

// BenchmarkLook is a look at a desktop on which something was drawn, none of it new: what a session pays two and a half times a second
// while its desktop changes, besides what is read.
func BenchmarkLook(b *testing.B) {
	s := text(b)
	s.after(ready)
	for b.Loop() {
		require.NoError(b, s.fb.Draw(image.Rect(0, 0, 1, 1), func([]byte, int) {}))
		s.now = s.now.Add(lookInterval)
		s.w.Look(s.now)
	}
}

// BenchmarkCut is a whole desktop of new text taken apart.
func BenchmarkCut(b *testing.B) {
	s := text(b)
	s.after(ready)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		require.NoError(b, s.fb.Draw(s.img.Rect, func(pix []byte, stride int) {
			for y := 4; y < 1080; y += 15 { // another dot in each line, all of which is cut then
				binary.LittleEndian.PutUint32(pix[y*stride+4*(10+i%1000):], uint32(i))
			}
		}))
		s.w.Look(s.now)
		s.now = s.now.Add(ready)
		b.StartTimer()
		s.w.Look(s.now)
		b.StopTimer()
		s.take()
		b.StartTimer()
	}
}
