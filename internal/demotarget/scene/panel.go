package scene

import (
	"image"
	"time"
)

const panelHeight = 36

// panel is the bar at the top of the desktop: its name and the time.
type panel struct {
	scene *Scene
	now   string
}

func (p *panel) bounds() image.Rectangle {
	return image.Rect(0, 0, p.scene.size.X, panelHeight)
}

// tick sets the time and returns how long it is right.
func (p *panel) tick(now time.Time) time.Duration {
	if text := now.Format("Mon 2 Jan   15:04"); text != p.now {
		p.now = text
		p.scene.damage(image.Rect(p.scene.size.X-200, 0, p.scene.size.X, panelHeight))
	}
	return now.Truncate(time.Minute).Add(time.Minute).Sub(now)
}

func (p *panel) paint(c canvas) {
	r := p.bounds()
	if c.clipped(r) {
		return
	}
	c.fill(r, panelBg)
	fonts := p.scene.fonts
	y := (panelHeight - fonts.title.height) / 2
	// A pane of glass with a light in it.
	c.shape(image.Rect(16, 8, 36, 28), marked, roundRect(image.Rect(16, 8, 36, 28), 5))
	c.shape(image.Rect(18, 10, 34, 26), panelBg, roundRect(image.Rect(18, 10, 34, 26), 3))
	c.shape(image.Rect(16, 8, 36, 28), marked, capsule(image.Pt(22, 22), image.Pt(30, 14), 3))
	c.text(fonts.title, image.Pt(46, y), "Demo desktop", panelInk)
	c.text(fonts.clock, image.Pt(r.Max.X-16-fonts.clock.width(p.now), y), p.now, panelInk)
}
