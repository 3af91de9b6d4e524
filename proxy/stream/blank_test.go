package stream

import (
	"image"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// TestBlankDesktop: a desktop that was never drawn is not shown, whoever asks; its first drawing is, at once.
func TestBlankDesktop(t *testing.T) {
	var blank *desktop.Framebuffer
	change := func(c *HubConfig) {
		var err error
		if blank, err = desktop.NewFramebuffer(image.Pt(320, 240)); err != nil {
			t.Fatal(err)
		}
		c.Framebuffer = blank
	}
	inBubble(t, change, func(r *rig) {
		r.fb = blank
		c := &collector{}
		r.serve(r.ctx, c, 8, DropToIDR)
		r.hub.RequestIDR()
		r.pass(time.Minute)
		if err := blank.Resize(image.Pt(400, 300)); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Minute)
		if n := len(c.got()); n != 0 {
			t.Fatalf("%d pictures of nothing", n)
		}
		r.paint(tiny, 77)
		synctest.Wait()
		if units := c.got(); len(units) != 1 || !units[0].IDR || units[0].Width != 400 || units[0].Data[0] != 77 {
			t.Fatalf("%d units, want one IDR of the desktop", len(units))
		}
	})
}

// TestBlankToTheEnd: nothing is encoded at the end of a session whose desktop never showed anything.
func TestBlankToTheEnd(t *testing.T) {
	change := func(c *HubConfig) {
		var err error
		if c.Framebuffer, err = desktop.NewFramebuffer(image.Pt(320, 240)); err != nil {
			t.Fatal(err)
		}
	}
	inBubble(t, change, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 8, Fail)
		r.stop()
		if n := len(c.got()); n != 0 || r.runErr != nil {
			t.Fatalf("%d pictures of nothing, error %v", n, r.runErr)
		}
	})
}
