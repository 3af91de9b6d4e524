package scene

import (
	"fmt"
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
)

// Measures of the journal, in pixels.
const (
	journalMargin = 12
	journalLine   = 20
	journalWhat   = 92 // from the margin to what happened
)

// journal lists the input that arrived, the newest at the bottom.
type journal struct {
	win   *window
	lines []entry // only those that fit
}

type entry struct{ when, what string }

func (j *journal) area() image.Rectangle {
	return image.Rectangle{Max: j.win.size}.Inset(journalMargin)
}

// add appends a line. A first line replaces the words that nothing arrived yet.
func (j *journal) add(now time.Time, format string, args ...any) {
	fit := j.area().Dy() / journalLine
	j.lines = append(j.lines, entry{now.Format("15:04:05"), fmt.Sprintf(format, args...)})
	if len(j.lines) > fit {
		j.lines = j.lines[1:]
		r := j.area()
		r.Max.Y = r.Min.Y + fit*journalLine
		j.win.scroll(r, journalLine)
		return
	}
	j.win.damage(j.line(len(j.lines) - 1))
}

func (j *journal) line(i int) image.Rectangle {
	r := j.area()
	r.Min.Y += i * journalLine
	r.Max.Y = r.Min.Y + journalLine
	return r
}

func (j *journal) paint(c canvas) {
	c.fill(image.Rectangle{Max: j.win.size}, paper)
	f := j.win.scene.fonts.text
	if len(j.lines) == 0 {
		c.text(f, j.line(0).Min, "Keys, clicks and the clipboard show here as they arrive.", faint)
		return
	}
	c = c.within(j.area())
	for i, l := range j.lines {
		if at := image.Pt(0, i*journalLine); !c.clipped(image.Rectangle{at, at.Add(j.win.size)}) {
			c.text(f, at, l.when, faint)
			c.text(f, at.Add(image.Pt(journalWhat, 0)), l.what, ink)
		}
	}
}

func (j *journal) pointer(pointerEvent) {}

func (j *journal) key(keyEvent) {}

func (j *journal) cursor(image.Point) *demotarget.Cursor { return demotarget.Arrow }
