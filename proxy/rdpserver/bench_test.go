package rdpserver

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/draw"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// benched is a Conn whose client takes everything at once, and its painter, without the goroutines around it.
func benched(b *testing.B, m mode) (*painter, *desktop.Framebuffer) {
	b.Helper()
	client, err := Resume(&script{Reader: bytes.NewReader(nil)}, scripted(nil), nil)
	require.NoError(b, err)
	c := newConn(client.link)
	c.ready = true
	size := image.Pt(1920, 1080)
	c.size, c.caps = size, clientCaps{fastPath: true, skipAlpha: true}
	fb, err := desktop.NewFramebuffer(size)
	require.NoError(b, err)
	c.desktop = Desktop{Framebuffer: fb, Video: nothing{}}
	p := c.picture
	p.gfx = graphics{channel: openedChannel(b), ready: true, suspended: true}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.out.Run(func([]byte) error { return nil })
	}()
	b.Cleanup(func() {
		c.out.Close()
		<-done
	})
	page := text(size)
	require.NoError(b, fb.Draw(image.Rectangle{Max: size}, func(pix []byte, _ int) { copy(pix, page.Pix) }))
	fb.Commit()
	if m == modeVideo {
		p.gfx.surface, p.gfx.size = true, size
		p.video.reset(size)
	}
	drain(b, p, m)
	return p, fb
}

func openedChannel(b *testing.B) *dvc.Channel {
	b.Helper()
	var ch *dvc.Channel
	s := dvc.NewServer(func([]byte) error { return nil })
	s.Offer("bench", 100, func(c *dvc.Channel) (dvc.Handler, error) {
		ch = c
		return displayHandler{}, nil
	})
	require.NoError(b, s.Message((&dvc.CapsResponse{Version: dvc.Version1}).Append(nil)))
	require.NoError(b, s.Message((&dvc.CreateResponse{ChannelID: 1}).Append(nil)))
	return ch
}

func drain(b *testing.B, p *painter, m mode) {
	b.Helper()
	for more := true; more; {
		var err error
		more, err = p.paint(context.Background(), m)
		require.NoError(b, err)
	}
}

// text is a page of it, black on white.
func text(size image.Point) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for y := 0; y+20 < size.Y; y += 20 {
		line := banner(size.X, 24, strconv.Itoa(y*7919)+" The quick brown fox jumps over the lazy dog; packed my box with five dozen liquor jugs. 0123456789 {}[]()<>/\\|")
		for x := range size.X {
			for dy := range 18 {
				if line.pix.RGBAAt(x, dy).R > 0x80 {
					img.SetRGBA(x, y+dy, color.RGBA{A: 255})
				}
			}
		}
	}
	return img
}

// BenchmarkTyping is what one native client costs with each letter typed: a patch of two blocks, and a unit of the session's encode
// for every fifth. Eight letters a second under 5 % of a core are 6 ms each.
func BenchmarkTyping(b *testing.B) {
	p, fb := benched(b, modeVideo)
	unit := make([]byte, 4000)
	sink, lane := &unitSink{p}, &laneSink{p, modeVideo}
	ctx := context.Background()
	b.ReportAllocs()
	n := time.Duration(0)
	for b.Loop() {
		n++
		at := image.Pt(int(n)*8%1900, 500)
		require.NoError(b, fb.Draw(image.Rectangle{Min: at, Max: at.Add(image.Pt(8, 16))}, func(pix []byte, stride int) {
			for y := range 16 {
				for x := range 8 {
					pix[(at.Y+y)*stride+(at.X+x)*4] ^= byte(int(n) + x*y)
				}
			}
		}))
		block := at.Div(desktop.BlockSize)
		p.mu.Lock()
		p.fit(fb.Size())
		p.want(&stream.Patch{
			Number: uint32(n), After: n - 1, Size: fb.Size(), Parts: []stream.Part{{Blocks: image.Rectangle{Min: block, Max: block.Add(image.Pt(2, 2))}}},
		})
		p.mu.Unlock()
		drain(b, p, modeVideo)
		if n%5 == 0 {
			require.NoError(b, lane.WriteNote(ctx, &stream.Note{PTS: n, Size: fb.Size(), Groups: []stream.Group{{Patch: uint32(n), Runs: []stream.BlockRun{{Start: block.Y*120 + block.X, Len: 2}}}}}))
			require.NoError(b, sink.WriteUnit(ctx, &h264.AccessUnit{PTS: n, Data: unit, Width: 1920, Height: 1080}))
		}
	}
}

// BenchmarkScroll is what one native client without H.264 costs when a page of text scrolls by a line.
func BenchmarkScroll(b *testing.B) {
	for _, m := range []mode{modeBitmap, modePlanar} {
		b.Run(m.String(), func(b *testing.B) {
			p, fb := benched(b, m)
			size := fb.Size()
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, fb.Copy(image.Rect(0, 0, size.X, size.Y-20), image.Pt(0, 20)))
				p.mu.Lock()
				p.fit(size)
				p.dirty.AddAll()
				p.mu.Unlock()
				drain(b, p, m)
			}
		})
	}
}

// BenchmarkChangeToPixel is how long it takes from a change of the desktop until the window of a real xfreerdp shows it, as far as a
// screenshot can tell, which takes some milliseconds itself. Run it with -benchtime 100x.
func BenchmarkChangeToPixel(b *testing.B) {
	for _, c := range []struct {
		name string
		args []string
	}{{"bitmaps", nil}, {"video", []string{"/gfx:AVC420"}}} {
		b.Run(c.name, func(b *testing.B) {
			size := image.Pt(400, 300)
			r := newRoom(b, size, nil)
			r.draw(image.Point{}, noisy(size))
			cl := xfreerdp(b, r.addr, size, c.args...)
			cl.shows(r, 0)
			var took []time.Duration
			for b.Loop() {
				want := color.RGBA{byte(len(took) * 37), byte(len(took) * 91), 0x55, 255}
				patch := image.NewRGBA(image.Rect(0, 0, 20, 20))
				draw.Draw(patch, patch.Bounds(), image.NewUniform(want), image.Point{}, draw.Src)
				began := time.Now()
				r.draw(image.Pt(100, 100), patch)
				for cl.screen.Screenshot(b).RGBAAt(110, 110) != want {
					if time.Since(began) > 5*time.Second {
						b.Fatal("the change is not shown")
					}
				}
				took = append(took, time.Since(began))
			}
			b.ReportMetric(float64(percentile(took, 50).Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(percentile(took, 95).Microseconds())/1000, "p95-ms")
		})
	}
}

// percentile returns a part of sorted durations.
func percentile(d []time.Duration, p int) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, len(d)*p/100)]
}
