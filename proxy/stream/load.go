package stream

import (
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

const (
	// budgetShare of the time between two pictures, one in so many, may go into coding the second: a quarter of a core.
	budgetShare = 4
	// overFrames pictures in a row above the budget make the encoder faster, underFrames well below it slower again.
	overFrames, underFrames = 3, 15
	// underShare is what "well below" means. The next slower preset takes up to twice as long.
	underShare = 3
	// loadMemory is how long the load of the past matters.
	loadMemory = time.Second
)

// load chooses the preset by what pictures cost. The zero value starts with the slowest.
type load struct {
	faster      int // steps down from the slowest preset
	over, under int // pictures in a row
	last        time.Time
}

func (l *load) preset() h264.Preset { return h264.Veryfast - h264.Preset(l.faster) }

// observe takes the time a picture made at now needed, where pictures are at least interval apart, and returns the preset for the next.
// IDR pictures and refinements are not to be observed: they are rare and always slow.
func (l *load) observe(now time.Time, took, interval time.Duration) h264.Preset {
	since := now.Sub(l.last)
	if since > loadMemory {
		*l = load{}
		since = 0
	}
	l.last = now
	budget := min(max(since, interval)/budgetShare, interval) // a picture is not to come later than by one
	switch {
	case took > budget:
		l.over, l.under = l.over+1, 0
	case took < budget/underShare:
		l.over, l.under = 0, l.under+1
	default:
		l.over, l.under = 0, 0
	}
	if l.over >= overFrames && l.preset() > h264.Ultrafast {
		l.faster++
		l.over = 0
	}
	if l.under >= underFrames && l.faster > 0 {
		l.faster--
		l.under = 0
	}
	return l.preset()
}
