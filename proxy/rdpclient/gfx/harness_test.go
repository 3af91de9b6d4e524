package gfx

import (
	"bytes"
	"errors"
	"image"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// harness is a Compositor, its framebuffer, and what it said.
type harness struct {
	*Compositor
	fb      *desktop.Framebuffer
	sent    []egfx.Message
	sendErr error
	resized []image.Point
}

// open returns a harness whose capabilities are confirmed.
func open(t testing.TB, width, height int) *harness {
	t.Helper()
	h := &harness{}
	var err error
	if h.fb, err = desktop.NewFramebuffer(image.Pt(width, height)); err != nil {
		t.Fatal(err)
	}
	h.Compositor, err = Open(Config{
		Framebuffer: h.fb, Resized: func(size image.Point) { h.resized = append(h.resized, size) },
		Send: func(b []byte) error {
			command, body, rest, err := egfx.Next(b)
			if err != nil || len(rest) > 0 {
				t.Fatalf("sent %x: %v", b, err)
			}
			var m egfx.Message = &egfx.FrameAcknowledge{}
			if command == egfx.CmdCapsAdvertise {
				m = &egfx.CapsAdvertise{}
			}
			if err := m.Decode(bytes.Clone(body)); err != nil {
				t.Fatalf("sent command %d: %v", command, err)
			}
			h.sent = append(h.sent, m)
			return h.sendErr
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.commands(confirm.Append(nil)); err != nil {
		t.Fatal(err)
	}
	return h
}

var confirm = &egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion107, egfx.CapSmallCache|egfx.CapAVCDisabled)}

// pack returns one message of the channel with all of messages.
func pack(messages ...egfx.Message) []byte {
	var b []byte
	for _, m := range messages {
		b = m.Append(b)
	}
	return zgfx.AppendUncompressed(nil, b)
}

func (h *harness) feed(t testing.TB, messages ...egfx.Message) {
	t.Helper()
	if err := h.Message(pack(messages...)); err != nil {
		t.Fatal(err)
	}
}

// refuses feeds messages the last of which must be refused with want.
func (h *harness) refuses(t testing.TB, want string, messages ...egfx.Message) {
	t.Helper()
	err := h.Message(pack(messages...))
	if !errors.Is(err, desktop.ErrProtocol) || !strings.Contains(err.Error(), want) {
		t.Errorf("want %q: %v", want, err)
	}
}

// at returns the colour of a pixel of the framebuffer as 0xRRGGBB.
func (h *harness) at(x, y int) uint32 {
	pix, size := h.fb.CopyPixels()
	p := pix[(y*size.X+x)*desktop.BytesPerPixel:]
	return uint32(p[2])<<16 | uint32(p[1])<<8 | uint32(p[0])
}

// damage takes what was committed and returns its bounds.
func (h *harness) damage() (bounds image.Rectangle) {
	h.fb.Snapshot(false, func(_ []byte, _ image.Point, d *desktop.Damage) { bounds = d.Bounds() })
	return bounds
}

// The commands most tests need, with 0xRRGGBB for colours.

func create(id uint16, width, height int) *egfx.CreateSurface {
	return &egfx.CreateSurface{SurfaceID: id, Width: uint16(width), Height: uint16(height), PixelFormat: egfx.FormatXRGB}
}

func mapTo(id uint16, x, y uint32) *egfx.MapSurfaceToOutput {
	return &egfx.MapSurfaceToOutput{SurfaceID: id, X: x, Y: y}
}

func solid(id uint16, colour uint32, rects ...image.Rectangle) *egfx.SolidFill {
	m := &egfx.SolidFill{SurfaceID: id, Color: egfx.Color32{B: uint8(colour), G: uint8(colour >> 8), R: uint8(colour >> 16), XA: 0xff}}
	for _, r := range rects {
		m.Rects = append(m.Rects, rect16(r))
	}
	return m
}

func rect16(r image.Rectangle) egfx.Rect16 {
	return egfx.Rect16{Left: uint16(r.Min.X), Top: uint16(r.Min.Y), Right: uint16(r.Max.X), Bottom: uint16(r.Max.Y)}
}

func points(xy ...int) (p []egfx.Point16) {
	for i := 0; i < len(xy); i += 2 {
		p = append(p, egfx.Point16{X: int16(xy[i]), Y: int16(xy[i+1])})
	}
	return p
}

func wire1(id uint16, codec egfx.Codec, r image.Rectangle, data []byte) *egfx.WireToSurface1 {
	return &egfx.WireToSurface1{SurfaceID: id, Codec: codec, PixelFormat: egfx.FormatXRGB, DestRect: rect16(r), Data: data}
}

func start(id uint32) *egfx.StartFrame { return &egfx.StartFrame{FrameID: id} }
func end(id uint32) *egfx.EndFrame     { return &egfx.EndFrame{FrameID: id} }

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
