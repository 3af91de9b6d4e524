package rdpserver

import (
	"image"
	"testing"
)

// TestExact shows pictures to real clients, which must show every pixel of them.
func TestExact(t *testing.T) {
	if testing.Short() {
		t.Skip("real clients")
	}
	for _, c := range []struct {
		name string
		size image.Point
		args []string
	}{
		{"bitmaps", image.Pt(1920, 1080), nil},
		{"planar", image.Pt(1366, 768), []string{"/gfx"}},
		{"video", image.Pt(1000, 700), []string{"/gfx:AVC420"}},
		{"video of an odd width", image.Pt(1366, 768), []string{"/gfx:AVC420"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t, c.size, nil)
			r.draw(image.Point{}, noisy(c.size))
			xfreerdp(t, r.addr, c.size, c.args...).shows(r, 0)
		})
	}
}
