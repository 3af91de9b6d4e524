package review

import (
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
)

// typist makes the lines that a session of today records itself.
type typist struct{ detector *detect.Detector }

// NewTypist returns a Typist that understands keys as detection does.
func NewTypist() Typist { return &typist{detect.New(detect.Options{})} }

// Event implements Typist.
func (t *typist) Event(us int64, kind string, line []byte) []Text {
	switch kind {
	case "key", "text", "pointer", "clipboard", "control":
	default:
		return nil
	}
	_, e, err := recording.DecodeEvent(line)
	if err != nil {
		return nil
	}
	return linesOf(us, t.detector.Feed(us, e))
}

// End implements Typist.
func (t *typist) End() []Text { return linesOf(-1, t.detector.Finish()) }

// linesOf are the lines of an outcome at us; below 0: at the time of their first key.
func linesOf(us int64, out detect.Outcome) (lines []Text) {
	for _, l := range out.Lines {
		if l.Text == "" {
			continue
		}
		at := us
		if at < 0 {
			at = l.FirstUS
		}
		lines = append(lines, Text{US: at, Kind: KindLine, Actor: l.Actor, Text: cut(l.Text, maxTextBytes)})
	}
	return lines
}
