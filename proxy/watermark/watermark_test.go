package watermark

import (
	"bytes"
	"image"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const session = "01JA000000000000000000000A"

// shown is the picture as people see it, made a pixel at a time from what the target drew.
func shown(fb *desktop.Framebuffer, t *tile) []byte {
	pix, size := fb.CopyPixels()
	for y := range size.Y {
		for x := range size.X {
			v := int(t.mask[y%(t.rows*16)*t.width+x%t.width])
			for c := range 3 {
				p := &pix[(y*size.X+x)*4+c]
				if v > 0 {
					*p += byte((255 - int(*p)) * v / 256)
				} else {
					*p -= byte(int(*p) * -v / 256)
				}
			}
		}
	}
	return pix
}

func snapshot(fb *desktop.Framebuffer) (pix []byte, damaged int) {
	fb.Snapshot(true, func(p []byte, _ image.Point, d *desktop.Damage) { pix, damaged = bytes.Clone(p), d.Count() })
	return pix, damaged
}

func scribble(t testing.TB, fb *desktop.Framebuffer, r image.Rectangle, random *rand.Rand) {
	t.Helper()
	require.NoError(t, fb.Draw(r, func(pix []byte, stride int) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X * 4; x < r.Max.X*4; x++ {
				pix[y*stride+x] = byte(random.Uint32())
			}
		}
	}))
	fb.Commit()
}

// TestBlend: whatever the target draws, at whatever borders, is shown with the mark over it once, and stays as drawn below.
func TestBlend(t *testing.T) {
	for _, size := range []image.Point{{1023, 767}, {640, 480}, {17, 33}, {1600, 49}} {
		random := rand.New(rand.NewPCG(1, uint64(size.X)))
		fb, err := desktop.NewFramebuffer(size)
		require.NoError(t, err)
		m, err := New(fb, "alice", session)
		require.NoError(t, err)
		scribble(t, fb, image.Rectangle{Max: size}, random)
		for range 40 {
			a, b := image.Pt(random.IntN(size.X+1), random.IntN(size.Y+1)), image.Pt(random.IntN(size.X+1), random.IntN(size.Y+1))
			r := image.Rectangle{Min: a, Max: b}.Canon()
			if random.IntN(3) == 0 {
				to := image.Pt(random.IntN(size.X-r.Dx()+1), random.IntN(size.Y-r.Dy()+1))
				require.NoError(t, fb.Copy(image.Rectangle{Min: to, Max: to.Add(r.Size())}, r.Min))
			} else {
				scribble(t, fb, r, random)
			}
			if random.IntN(2) == 0 {
				continue // what was drawn before the encoder looks again
			}
			want := shown(fb, m.tile)
			fb.View(func(pix []byte, _ image.Point) { require.True(t, bytes.Equal(want, pix), "View of %v", size) })
			pix, _ := snapshot(fb)
			require.True(t, bytes.Equal(want, pix), "Snapshot of %v", size)
			raw, _ := fb.CopyPixels()
			fb.Raw(func(pix []byte, _ image.Point) { require.True(t, bytes.Equal(raw, pix)) })
		}
		larger := size.Add(image.Pt(33, 1))
		require.NoError(t, fb.Resize(larger))
		pix, _ := snapshot(fb)
		require.True(t, bytes.Equal(shown(fb, m.tile), pix), "after a resize to %v", larger)
		fb.SetOverlay(nil, nil)
		raw, _ := fb.CopyPixels()
		pix, _ = snapshot(fb)
		require.True(t, bytes.Equal(raw, pix), "taken away")
	}
}

// TestMinute: the time changes in a few blocks once a minute; nothing else is ever damaged, and it is no change of the desktop.
func TestMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fb, err := desktop.NewFramebuffer(image.Pt(1920, 1080))
		require.NoError(t, err)
		random := rand.New(rand.NewPCG(1, 2))
		scribble(t, fb, image.Rect(0, 0, 1920, 1080), random)
		m, err := New(fb, "alice", session)
		require.NoError(t, err)
		first := m.tile
		snapshot(fb)
		serial := fb.Serial()
		select { // of the commits until here
		case <-fb.Wake():
		default:
		}
		var done error
		go func() { done = m.Run(t.Context(), fb) }()
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case <-fb.Wake():
		default:
			t.Fatal("nobody is told that the time has changed")
		}
		pix, damaged := snapshot(fb)
		require.NotSame(t, first, m.tile)
		require.True(t, bytes.Equal(shown(fb, m.tile), pix))
		require.Positive(t, damaged)
		require.Less(t, damaged, 120*68/20, "of 8160 blocks")
		require.Equal(t, serial, fb.Serial())
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		_, damaged = snapshot(fb)
		require.Zero(t, damaged, "within a minute")
		require.NoError(t, done)
	})
}

// TestStrength: the mark is there on every ground, and hides none.
func TestStrength(t *testing.T) {
	tile, err := newTile([]string{"alice", session})
	require.NoError(t, err)
	for _, ground := range []byte{0, 40, 128, 220, 255} {
		fb, err := desktop.NewFramebuffer(image.Pt(tile.width, tile.rows*16))
		require.NoError(t, err)
		require.NoError(t, fb.Draw(image.Rectangle{Max: fb.Size()}, func(pix []byte, _ int) {
			for i := range pix {
				pix[i] = ground
			}
		}))
		fb.SetOverlay(tile, nil)
		marked, most := 0, 0
		fb.View(func(pix []byte, _ image.Point) {
			for i := 0; i < len(pix); i += 4 {
				d := int(pix[i]) - int(ground)
				d = max(d, -d)
				most = max(most, d)
				if d >= 12 {
					marked++
				}
			}
		})
		all := fb.Size().X * fb.Size().Y
		require.Greater(t, marked*100, all, "less than 1 %% of the pixels of ground %d", ground)
		require.Less(t, marked*100, all*15, "more than 15 %%")
		require.LessOrEqual(t, most, 256*strength/256)
	}
}

// TestNames: names of any length and script give a tile that is bounded and not empty.
func TestNames(t *testing.T) {
	for _, name := range []string{"", "a", "Ελένη", "Ольга", "李雷", "\xff\xfe", string(bytes.Repeat([]byte("w"), 4096))} {
		fb, err := desktop.NewFramebuffer(image.Pt(64, 64))
		require.NoError(t, err)
		m, err := New(fb, name, session)
		require.NoError(t, err, name)
		require.Less(t, m.tile.width, 2000, name)
		require.Contains(t, m.tile.marked, true)
	}
}

// BenchmarkSnapshot is what the encode loop pays for the picture, with and without a mark: 1080p, all of it or a line of text.
func BenchmarkSnapshot(b *testing.B) {
	for _, with := range []bool{false, true} {
		for name, r := range map[string]image.Rectangle{"all": image.Rect(0, 0, 1920, 1080), "line": image.Rect(100, 500, 900, 520)} {
			b.Run(map[bool]string{false: "plain/", true: "marked/"}[with]+name, func(b *testing.B) {
				fb, err := desktop.NewFramebuffer(image.Pt(1920, 1080))
				require.NoError(b, err)
				if with {
					_, err := New(fb, "alice", session)
					require.NoError(b, err)
				}
				for b.Loop() {
					require.NoError(b, fb.Draw(r, func([]byte, int) {}))
					fb.Commit()
					fb.Snapshot(false, func([]byte, image.Point, *desktop.Damage) {})
				}
			})
		}
	}
}

// BenchmarkMinute is what a still desktop pays once a minute.
func BenchmarkMinute(b *testing.B) {
	for b.Loop() {
		_, err := newTile([]string{"alice  2026-03-02 10:00 UTC", session})
		require.NoError(b, err)
	}
}
