package recording

import (
	"encoding/json"
	"fmt"
)

// Stretch is a piece of a recording, [start, end) in ticks in JSON.
type Stretch struct{ Start, End Ticks }

// MarshalJSON writes a pair.
func (s Stretch) MarshalJSON() ([]byte, error) { return json.Marshal([2]Ticks{s.Start, s.End}) }

// UnmarshalJSON reads a pair.
func (s *Stretch) UnmarshalJSON(b []byte) error {
	var p []Ticks
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	if len(p) != 2 || p[1] < p[0] || p[1] > maxTicks {
		return fmt.Errorf("recording: bad stretch of time")
	}
	*s = Stretch{p[0], p[1]}
	return nil
}

func (s Stretch) long() bool { return s.End >= s.Start && s.End-s.Start >= toTicks(idleAfter) }

// calm finds the long stretches between changes.
type calm struct {
	since Ticks // the last change
	found []Stretch
}

// change marks a change at t.
func (c *calm) change(t Ticks) {
	c.until(t)
	c.since = max(c.since, t)
}

// until says that nothing has changed up to t. The stretch goes on: what is found later begins where this one does.
func (c *calm) until(t Ticks) {
	if s := (Stretch{c.since, t}); s.long() {
		c.found = merge(c.found, s)
	}
}

// take returns what was found since the last call.
func (c *calm) take() []Stretch {
	found := c.found
	c.found = nil
	return found
}

// merge appends s to sorted stretches, joining it with the last when they overlap. When they only touch, something
// happened there: they stay two.
func merge(list []Stretch, s Stretch) []Stretch {
	if n := len(list); n > 0 && s.Start < list[n-1].End {
		list[n-1].End = max(list[n-1].End, s.End)
		return list
	}
	return append(list, s)
}

// intersect returns the long stretches that are in both sorted lists.
func intersect(a, b []Stretch) []Stretch {
	out := []Stretch{}
	for len(a) > 0 && len(b) > 0 {
		s := Stretch{max(a[0].Start, b[0].Start), min(a[0].End, b[0].End)}
		if s.long() {
			out = append(out, s)
		}
		if a[0].End < b[0].End {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}
