package rdpclient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

var fullHD = image.Rect(0, 0, 1920, 1080)

// frames are whole pictures of 1920×1080, each in a way real targets send them.
var frames = []struct {
	name string
	send func(tb testing.TB, c *rdptarget.Conn)
}{
	{"planar-32-slow", func(tb testing.TB, c *rdptarget.Conn) { sendTiles(tb, c, 32, true) }}, // xrdp, and for 16 too
	{"planar-32-fast", func(tb testing.TB, c *rdptarget.Conn) { sendTiles(tb, c, 32, false) }},
	{"interleaved-16-slow", func(tb testing.TB, c *rdptarget.Conn) { sendTiles(tb, c, 16, true) }},
	{"surface-raw", func(tb testing.TB, c *rdptarget.Conn) { sendRaw(tb, c) }},
	{"surface-remotefx", func(tb testing.TB, c *rdptarget.Conn) {
		sendFrame(tb, c, &rdp.SurfaceBits{
			Dest: fullHD, Width: fullHD.Dx(), Height: fullHD.Dy(), BitsPerPixel: 32, CodecID: codecRemoteFX,
			Data: spread(tb, "rlgr3-desktop"),
		})
	}},
	{"pipeline-progressive", func(tb testing.TB, c *rdptarget.Conn) {
		sendPipeline(tb, c, &egfx.WireToSurface2{
			SurfaceID: 1, Codec: egfx.CodecCAProgressive, PixelFormat: egfx.FormatXRGB, Data: spread(tb, "progressive-desktop"),
		})
	}},
	{"pipeline-planar", func(tb testing.TB, c *rdptarget.Conn) {
		var all []egfx.Message
		for _, t := range tiles(tb, 32) {
			all = append(all, &egfx.WireToSurface1{
				SurfaceID: 1, Codec: egfx.CodecPlanar, PixelFormat: egfx.FormatXRGB, Data: t.Data,
				DestRect: egfx.Rect16{
					Left: uint16(t.Dest.Min.X), Top: uint16(t.Dest.Min.Y), Right: uint16(t.Dest.Max.X), Bottom: uint16(t.Dest.Max.Y),
				},
			})
		}
		sendPipeline(tb, c, all...)
	}},
}

// BenchmarkFrame is all a whole picture costs between TLS and the encoder: cutting the stream into PDUs, dispatch,
// reassembly, decoding, the framebuffer.
func BenchmarkFrame(b *testing.B) {
	for _, f := range frames {
		b.Run(f.name, func(b *testing.B) {
			r := newTape(b)
			r.record(f.send)
			r.play() // memory that is used again is there
			b.ReportAllocs()
			for b.Loop() {
				r.play()
			}
			b.ReportMetric(float64(len(r.wire)), "wire-B")
		})
	}
}

// TestFrameAllocations: in steady state no picture costs memory by the tile, of which it has 510.
func TestFrameAllocations(t *testing.T) {
	for _, f := range frames {
		t.Run(f.name, func(t *testing.T) {
			r := newTape(t)
			r.record(f.send)
			r.play()
			if n := testing.AllocsPerRun(5, r.play); n > 25 {
				t.Errorf("%v allocations for a frame", n)
			}
		})
	}
}

// tape is a connection without TLS whose far end is a script.
type tape struct {
	tb   testing.TB
	s    *session
	peer *rdptarget.Conn
	wire []byte        // what a play reads
	in   *bytes.Reader // that, while it is read
}

// script is the far end's connection: what is written on it is read by the near end.
type script struct {
	net.Conn // nil: nothing else is called
	r        *tape
}

func (s script) Write(b []byte) (int, error) {
	s.r.wire = append(s.r.wire, b...)
	return len(b), nil
}

func newTape(tb testing.TB) *tape {
	tb.Helper()
	r := &tape{tb: tb, in: bytes.NewReader(nil)}
	cfg, err := Config{Graphics: GraphicsPipeline | GraphicsRemoteFX, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	if err != nil {
		tb.Fatal(err)
	}
	fb, err := desktop.NewFramebuffer(fullHD.Max)
	if err != nil {
		tb.Fatal(err)
	}
	r.s = newSession(&cfg, nil, fb, &carried{})
	r.peer = rdptarget.New(script{r: r}, rdptarget.Options{})
	r.peer.Asked.Channels = r.s.channels.defs()
	given := rdp.ServerSettings{IOChannel: r.peer.IO}
	for _, def := range r.peer.Asked.Channels {
		id, _ := r.peer.Channel(def.Name)
		given.Channels = append(given.Channels, id)
	}
	if err := r.s.channels.assign(given); err != nil {
		tb.Fatal(err)
	}
	r.s.frames = rdp.NewFrameReader(r.in)
	r.s.ioChannel, r.s.active = r.peer.IO, true
	r.s.screen.reset(fullHD.Max)
	written := make(chan struct{})
	go func() {
		defer close(written)
		r.s.out.Run(func([]byte) error { return nil })
	}()
	tb.Cleanup(func() {
		r.s.out.Close()
		<-written
		r.s.channels.close()
	})
	return r
}

// record opens the graphics pipeline with a surface over all of the desktop, and makes what send writes the script.
func (r *tape) record(send func(tb testing.TB, c *rdptarget.Conn)) {
	r.tb.Helper()
	r.must(r.peer.OpenDynamic(egfx.ChannelName))
	r.pipeline(&egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion8, 0)},
		&egfx.ResetGraphics{Width: uint32(fullHD.Max.X), Height: uint32(fullHD.Max.Y)},
		&egfx.CreateSurface{SurfaceID: 1, Width: uint16(fullHD.Max.X), Height: uint16(fullHD.Max.Y), PixelFormat: egfx.FormatXRGB},
		&egfx.MapSurfaceToOutput{SurfaceID: 1})
	r.play()
	r.wire = nil
	send(r.tb, r.peer)
	r.play()
	if r.s.fb.Blank() {
		r.tb.Fatal("nothing was drawn")
	}
}

func (r *tape) pipeline(messages ...egfx.Message) {
	r.tb.Helper()
	var b []byte
	for _, m := range messages {
		b = m.Append(b)
	}
	r.must(r.peer.SendDynamic(egfx.ChannelName, zgfx.AppendUncompressed(nil, b)))
}

func (r *tape) must(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}

// play reads the script to its end and takes the picture, as an encoder does.
func (r *tape) play() {
	r.in.Reset(r.wire)
	for {
		frame, err := r.s.frames.Next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err == nil {
			err = r.s.handle(frame)
		}
		if err != nil {
			r.tb.Fatal(err)
		}
	}
	r.s.commit()
	r.s.fb.Snapshot(false, func([]byte, image.Point, *desktop.Damage) {})
}

// desktopPicture is terminals full of text on a wallpaper of slow gradients: three quarters are flat but for the text.
func desktopPicture() pixel.BGRX {
	rng := rand.New(rand.NewPCG(7, 8))
	p := pixel.NewBGRX(fullHD.Dx(), fullHD.Dy())
	set := func(x, y int, c uint32) { binary.LittleEndian.PutUint32(p.Row(y)[4*x:], c) }
	for y := range p.Height {
		for x := range p.Width {
			set(x, y, uint32(rgb(40+x/16, 60+y/12, 90+(x+y)/30)))
		}
	}
	for _, w := range []image.Rectangle{image.Rect(60, 40, 1060, 800), image.Rect(900, 300, 1860, 1040)} {
		for y := w.Min.Y; y < w.Max.Y; y++ {
			for x := w.Min.X; x < w.Max.X; x++ {
				set(x, y, 0xf8f8f8)
			}
		}
		for y := w.Min.Y + 4; y < w.Max.Y-18; y += 17 {
			for x := w.Min.X + 4; x < w.Max.X-12-rng.IntN(500); x += 9 {
				for range 22 { // a letter's pixels
					set(x+rng.IntN(7), y+rng.IntN(12), 0x202020)
				}
			}
		}
	}
	return p
}

// tiles are the picture in compressed bitmaps of 64×64 pixels.
func tiles(tb testing.TB, depth int) (all []rdp.Bitmap) {
	tb.Helper()
	const side = 64
	p := desktopPicture()
	var e rdpbitmap.Encoder
	for y := 0; y < p.Height; y += side {
		for x := 0; x < p.Width; x += side {
			r := image.Rect(x, y, x+side, y+side).Intersect(fullHD)
			part := p.Sub(r.Min.X, r.Min.Y, r.Dx(), r.Dy())
			var data []byte
			var err error
			if depth == 32 {
				data, err = e.Planar(nil, part, true)
			} else {
				data, err = e.Interleaved(nil, part, depth)
			}
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, rdp.Bitmap{Dest: r, Width: r.Dx(), Height: r.Dy(), BitsPerPixel: depth, Compressed: true, Data: data})
		}
	}
	return all
}

// sendTiles sends bitmap updates, a tile each.
func sendTiles(tb testing.TB, c *rdptarget.Conn, depth int, slow bool) {
	tb.Helper()
	for _, t := range tiles(tb, depth) {
		b := rdp.AppendBitmaps(nil, []rdp.Bitmap{t})
		var err error
		if slow {
			err = c.SendData(rdp.DataUpdate, b)
		} else {
			err = c.Update(rdp.Update{Code: rdp.UpdateBitmap, Data: b})
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// sendRaw sends pixels as they are in surface commands of 64 rows, as Weston does.
func sendRaw(tb testing.TB, c *rdptarget.Conn) {
	tb.Helper()
	p := desktopPicture()
	for y := 0; y < p.Height; y += 64 {
		part := p.Sub(0, y, p.Width, min(64, p.Height-y))
		sendFrame(tb, c, &rdp.SurfaceBits{
			Dest: image.Rect(0, y, p.Width, y+part.Height), Width: part.Width, Height: part.Height, BitsPerPixel: 32, Data: part.Pix,
		})
	}
}

// sendFrame sends one surface command within frame markers.
func sendFrame(tb testing.TB, c *rdptarget.Conn, bits *rdp.SurfaceBits) {
	tb.Helper()
	b := bits.Append(rdp.FrameMarker{Frame: 1}.Append(nil))
	b = rdp.FrameMarker{End: true, Frame: 1}.Append(b)
	if err := c.Update(rdp.Update{Code: rdp.UpdateSurfaceCommands, Data: b}); err != nil {
		tb.Fatal(err)
	}
}

// sendPipeline sends a frame of the graphics pipeline.
func sendPipeline(tb testing.TB, c *rdptarget.Conn, messages ...egfx.Message) {
	tb.Helper()
	b := (&egfx.StartFrame{FrameID: 1}).Append(nil)
	for _, m := range messages {
		b = m.Append(b)
	}
	b = (&egfx.EndFrame{FrameID: 1}).Append(b)
	if err := c.SendDynamic(egfx.ChannelName, zgfx.AppendUncompressed(nil, b)); err != nil {
		tb.Fatal(err)
	}
}

// Blocks with lists of rectangles and tiles: of RemoteFX ([MS-RDPRFX] 2.2.2.3.3, 2.2.2.3.4) and of its progressive kind
// ([MS-RDPEGFX] 2.2.4.2.1.5), which uses the same numbers for others.
const (
	blockRegion            = 0xccc6
	blockTileSet           = 0xccc7
	blockProgressiveRegion = 0xccc4

	blockHeader = 6
	tileBytes   = blockHeader + 7 // of a tile until after its place, in both
)

// spread returns the first of codec/remotefx's golden messages of a name, which FreeRDP has encoded, with its tiles over
// and over until they fill 1920×1080.
func spread(tb testing.TB, golden string) (out []byte) {
	tb.Helper()
	m, err := os.ReadFile(filepath.Join("..", "..", "codec", "remotefx", "testdata", "golden", golden, "0.bin"))
	if err != nil {
		tb.Fatal(err)
	}
	le, progressive := binary.LittleEndian, strings.HasPrefix(golden, "progressive")
	whole := cat(uint16(0), uint16(0), uint16(fullHD.Dx()), uint16(fullHD.Dy()))
	for len(m) > 0 {
		kind, n := le.Uint16(m), le.Uint32(m[2:])
		body := m[blockHeader:n]
		m = m[n:]
		switch {
		case progressive && kind == blockProgressiveRegion:
			rects, quants := 8*int(le.Uint16(body[1:])), 5*int(body[3])+16*int(body[4])
			list, count := fill(body[12+rects+quants:])
			body = cat(body[0], uint16(1), body[3:6], uint16(count), uint32(len(list)), whole, body[12+rects:][:quants], list)
		case !progressive && kind == blockRegion:
			body = cat(body[:3], uint16(1), whole, body[5+8*int(le.Uint16(body[3:])):])
		case !progressive && kind == blockTileSet:
			quants := 5 * int(body[8])
			list, count := fill(body[16+quants:])
			body = cat(body[:10], uint16(count), uint32(len(list)), body[16:][:quants], list)
		}
		out = append(out, cat(kind, uint32(blockHeader+len(body)), body)...)
	}
	return out
}

// fill returns the tiles of a list over and over, one for every place in 1920×1080.
func fill(list []byte) (out []byte, count int) {
	const side = 64
	le := binary.LittleEndian
	var tiles [][]byte
	for len(list) > 0 {
		n := le.Uint32(list[2:])
		tiles, list = append(tiles, list[:n]), list[n:]
	}
	for y := range (fullHD.Dy() + side - 1) / side {
		for x := range (fullHD.Dx() + side - 1) / side {
			t := tiles[count%len(tiles)]
			out = append(out, cat(t[:tileBytes-4], uint16(x), uint16(y), t[tileBytes:])...)
			count++
		}
	}
	return out, count
}
