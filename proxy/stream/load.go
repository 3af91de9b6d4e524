package stream

import (
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

const (
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

// observe takes the time a picture needed and returns the preset for the next. IDR pictures and refinements are not
// to be observed: they are rare and always slow.
func (l *load) observe(now time.Time, took, budget time.Duration) h264.Preset {
	if now.Sub(l.last) > loadMemory {
		*l = load{}
	}
	l.last = now
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
