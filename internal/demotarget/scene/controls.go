package scene

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"time"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
)

// Measures of the controls, in pixels.
const (
	swatchPitch = 72
	swatchSize  = 64
	buttonPitch = 142
	buttonWidth = 104
	lampRadius  = 14
)

// frameTime is how often the animation moves.
const frameTime = time.Second / 30

// controls are colours that never change, buttons with lamps, a counter and an animation.
type controls struct {
	win     *window
	lit     [3]bool
	count   int
	moving  bool
	started time.Time
	ball    image.Point // where the animation shows it
	armed   int         // the button being pressed, or -1
}

// lamps are the colours of those lit.
var lamps = [3]color.RGBA{
	{0xe0, 0x3e, 0x36, 0xff},
	{0xf2, 0xb2, 0x2c, 0xff},
	{0x2f, 0xb5, 0x63, 0xff},
}

var buttonNames = [...]string{"Red", "Amber", "Green", "Count", "Animate"}

// The buttons that are no lamp's.
const (
	countButton   = 3
	animateButton = 4
)

func newControls() *controls {
	c := &controls{armed: -1}
	c.ball = c.path(0)
	return c
}

func (b *controls) swatch(i int) image.Rectangle {
	at := image.Pt(16+i*swatchPitch, 16)
	return image.Rectangle{at, at.Add(image.Pt(swatchSize, 48))}
}

func (b *controls) button(i int) image.Rectangle {
	at := image.Pt(16+i*buttonPitch, 84)
	if i >= countButton {
		at = image.Pt(16+(i-countButton)*buttonPitch, 132)
	}
	return image.Rectangle{at, at.Add(image.Pt(buttonWidth, 34))}
}

func (b *controls) lamp(i int) image.Point {
	r := b.button(i)
	return image.Pt(r.Max.X+22, (r.Min.Y+r.Max.Y)/2)
}

// track is where the animation runs.
func (b *controls) track() image.Rectangle { return image.Rect(16, 182, 440, 266) }

// path returns the ball's place at a time after the start: a pendulum.
func (b *controls) path(t time.Duration) image.Point {
	r := b.track()
	phase := t.Seconds() * math.Pi / 2
	return image.Pt(
		(r.Min.X+r.Max.X)/2-int(math.Round(math.Cos(phase)*float64(r.Dx()/2-28))),
		r.Max.Y-22-int(math.Round(math.Abs(math.Sin(2*phase))*float64(r.Dy()-44))))
}

func (b *controls) counter() image.Rectangle {
	r := b.button(countButton)
	return image.Rect(r.Max.X+4, r.Min.Y, b.button(animateButton).Min.X-4, r.Max.Y)
}

func (b *controls) paint(c canvas) {
	for i, col := range swatchColours {
		c.fill(b.swatch(i), col)
	}
	fonts := b.win.scene.fonts
	for i, name := range buttonNames {
		r, face, label := b.button(i), accent, white
		if b.armed == i {
			face = pressed
		}
		if c.clipped(r.Union(image.Rectangle{r.Max, r.Max.Add(image.Pt(buttonPitch-buttonWidth, 1))})) {
			continue
		}
		if i == animateButton && b.moving {
			name = "Stop"
		}
		c.round(r, 6, face)
		c.text(fonts.title, r.Min.Add(image.Pt((r.Dx()-fonts.title.width(name))/2, (r.Dy()-fonts.title.height)/2)), name, label)
		if i < len(lamps) {
			col := unlit
			if b.lit[i] {
				col = lamps[i]
			}
			c.disc(b.lamp(i), lampRadius, col)
		}
	}
	number := fmt.Sprint(b.count)
	r := b.counter()
	c.within(r).text(fonts.clock, image.Pt((r.Dx()-fonts.clock.width(number))/2, (r.Dy()-fonts.clock.height)/2), number, ink)

	track := b.track()
	if c.clipped(track) {
		return
	}
	c.round(track, 8, quiet)
	c.disc(b.ball, 18, accent)
	c.disc(b.ball.Sub(image.Pt(5, 6)), 5, marked)
}

func (b *controls) pointer(p pointerEvent) {
	at := b.hit(p.at)
	switch {
	case p.pressed&leftButton != 0 && at >= 0:
		b.armed = at
		b.win.damage(b.button(at))
	case p.released&leftButton != 0 && b.armed >= 0:
		if at == b.armed {
			b.press(at)
		}
		b.win.damage(b.button(b.armed))
		b.armed = -1
	}
}

// hit returns the button at a place, or -1.
func (b *controls) hit(at image.Point) int {
	for i := range buttonNames {
		if at.In(b.button(i)) {
			return i
		}
	}
	return -1
}

func (b *controls) press(i int) {
	switch {
	case i < len(lamps):
		b.lit[i] = !b.lit[i]
		at := b.lamp(i)
		b.win.damage(image.Rectangle{at, at}.Inset(-lampRadius))
	case i == countButton:
		b.count++
		b.win.damage(b.counter())
	case i == animateButton:
		b.moving = !b.moving
		b.started = time.Time{}
	}
}

// tick moves the ball and returns when it moves again; 0 is never.
func (b *controls) tick(now time.Time) time.Duration {
	if !b.moving {
		return 0
	}
	if b.started.IsZero() {
		b.started = now
	}
	before := b.ball
	b.ball = b.path(now.Sub(b.started))
	if b.ball != before {
		for _, at := range [...]image.Point{before, b.ball} {
			b.win.damage(image.Rectangle{at, at}.Inset(-18))
		}
	}
	return frameTime
}

func (b *controls) key(keyEvent) {}

func (b *controls) cursor(at image.Point) *demotarget.Cursor {
	if b.hit(at) >= 0 {
		return demotarget.Hand
	}
	return demotarget.Arrow
}
