package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

const (
	// timelineCache bounds the recordings whose timelines are kept.
	timelineCache = 64
	// maxBuckets bounds a timeline: 7 s each in 4 hours.
	maxBuckets = 2000
	// maxMarkers bounds a timeline's marks; beyond, lines are left out evenly.
	maxMarkers = 3000
	// markerText bounds a mark's text in bytes.
	markerText = 160
	// readAtOnce is how many files of a recording are read at the same time.
	readAtOnce = 8
)

// Timeline is what happened when.
type Timeline struct {
	Bucket   time.Duration
	Keys     []int   // keys that went down, and composed characters, in each Bucket from 0 on
	Pointer  []int   // buttons that went down, and turns of the wheel
	Picture  []int64 // bytes of pictures: how much changed on the screen
	Markers  []Marker
	LeftOut  bool // some lines have no mark
	Duration time.Duration
}

// Marker is a moment worth going to.
type Marker struct {
	US    int64
	Kind  string // of Kinds but title and screen, or resize, viewer, control, freeze, warning
	Actor string
	Text  string
}

// second counts what happened in one second.
type second struct{ keys, pointer int32 }

// eventCounts are what one event file adds to a timeline.
type eventCounts struct {
	seconds map[int64]second
	markers []Marker
	lines   bool // it has lines of its own
	us      int64
}

// timelines keeps what was counted, least recently used out first.
type timelines struct {
	mu    sync.Mutex
	of    map[string]*timelineState
	clock uint64
}

// timelineState is what is counted of one recording: closed files do not change, and are read once.
type timelineState struct {
	mu    sync.Mutex
	files map[string]*eventCounts
	whole *Timeline // of a sealed recording
	used  uint64    // under timelines.mu
}

func (t *timelines) state(id string) *timelineState {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock++
	s := t.of[id]
	if s == nil {
		if len(t.of) >= timelineCache {
			oldest := ""
			for k, v := range t.of {
				if oldest == "" || v.used < t.of[oldest].used {
					oldest = k
				}
			}
			delete(t.of, oldest)
		}
		s = &timelineState{files: map[string]*eventCounts{}}
		t.of[id] = s
	}
	s.used = t.clock
	return s
}

// Timeline returns what happened when in a recording. Of a running one only what came since is read again. The caller does not
// change it.
func (s *Service) Timeline(ctx context.Context, sessionID string) (*Timeline, error) {
	r, err := s.opts.Library.Open(ctx, sessionID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if _, err := r.Session(ctx); err != nil { // what is counted is no answer any more when the recording's key is gone
		return nil, err
	}
	state := s.timelines.state(sessionID)
	state.mu.Lock()
	defer state.mu.Unlock()
	if state.whole != nil && r.Sealed() {
		return state.whole, nil
	}
	files := r.EventFiles()
	counts := make([]*eventCounts, len(files))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(readAtOnce)
	for i, file := range files {
		if counts[i] = state.files[file.Name]; counts[i] != nil {
			continue
		}
		group.Go(func() (err error) {
			counts[i], err = countEvents(within, r, file.Name)
			if errors.Is(err, recording.ErrNotFound) && file.Open {
				counts[i], err = &eventCounts{}, nil // closed, uploaded and deleted meanwhile
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	lines := false
	for i, file := range files {
		if !file.Open {
			state.files[file.Name] = counts[i]
		}
		lines = lines || counts[i].lines
	}
	t, err := drawTimeline(ctx, r, counts)
	if err != nil {
		return nil, err
	}
	if !lines && s.opts.NewTypist != nil {
		texts, err := s.texts(ctx, r)
		if err != nil {
			return nil, err
		}
		for i := range texts {
			if texts[i].Kind == KindLine {
				t.Markers = append(t.Markers, Marker{US: texts[i].US, Kind: KindLine, Actor: texts[i].Actor, Text: cut(texts[i].Text, markerText)})
			}
		}
	}
	t.thin()
	if r.Sealed() {
		state.whole, state.files = t, map[string]*eventCounts{}
	}
	return t, nil
}

// countEvents reads one file.
func countEvents(ctx context.Context, r *recording.Recording, name string) (*eventCounts, error) {
	c := &eventCounts{seconds: map[int64]second{}}
	err := r.EachEvent(ctx, name, func(us int64, kind string, line []byte) error {
		c.us = max(c.us, us)
		at := us / 1e6
		switch kind {
		case "key":
			if strings.Contains(string(line), `"down":true`) {
				n := c.seconds[at]
				n.keys++
				c.seconds[at] = n
			}
		case "text":
			n := c.seconds[at]
			n.keys++
			c.seconds[at] = n
		case "pointer":
			if strings.Contains(string(line), `"action":"down"`) {
				n := c.seconds[at]
				n.pointer++
				c.seconds[at] = n
			}
		case "wheel":
			n := c.seconds[at]
			n.pointer++
			c.seconds[at] = n
		default:
			c.lines = c.lines || kind == KindLine
			m, ok := markerOf(us, kind, line)
			if n := len(c.markers); !ok || n == maxMarkers || n > 0 && m.repeats(&c.markers[n-1]) {
				return nil
			}
			c.markers = append(c.markers, m)
		}
		return nil
	})
	return c, err
}

// repeats tells whether a mark says again what one just before has said: a freeze is an act and a state.
func (m *Marker) repeats(before *Marker) bool {
	return m.Kind == "freeze" && before.Kind == m.Kind && m.US-before.US < int64(time.Second/time.Microsecond) && m.Text != "resumed" && before.Text != "resumed"
}

// markerOf is the mark an event makes, if it makes one.
func markerOf(us int64, kind string, line []byte) (Marker, bool) {
	m := Marker{US: us, Kind: kind}
	var f struct {
		fields
		State     string `json:"state"`
		Action    string `json:"action"`
		Direction string `json:"direction"`
		Role      string `json:"role"`
		Width     int    `json:"width"`
		Height    int    `json:"height"`
		What      string `json:"what"`
	}
	if json.Unmarshal(line, &f) != nil {
		return m, false
	}
	m.Actor = f.Actor
	switch kind {
	case KindLine, KindAlert, KindMessage, KindJustification, KindClipboard:
		t, ok := textOf(us, kind, line)
		if kind == KindLine && !ok { // its text is not recorded
			return m, false
		}
		if kind == KindMessage && !ok {
			t.Text = f.Action
		}
		m.Text, m.US = t.Text, us
	case "resize":
		m.Text = fmt.Sprintf("%d × %d", f.Width, f.Height)
	case "viewer_join", "viewer_leave":
		m.Kind, m.Text = "viewer", map[string]string{"viewer_join": "joined", "viewer_leave": "left"}[kind]
		if f.Role == "view" && kind == "viewer_join" {
			m.Text = "began to watch"
		}
	case "control":
		m.Text = f.Action
	case "freeze", "resume":
		m.Kind, m.Text = "freeze", f.Reason
		if kind == "resume" {
			m.Text = "resumed"
		}
	case "state":
		if f.State != "frozen" {
			return m, false
		}
		m.Kind, m.Text = "freeze", f.Message
	case "ending":
		m.Kind, m.Text = "warning", f.Message
		if f.Reason == "" {
			return m, false
		}
	case "rejected":
		m.Kind, m.Text = "warning", strings.TrimPrefix(f.What+": "+f.Message, ": ")
	default:
		return m, false
	}
	m.Text = cut(m.Text, markerText)
	return m, true
}

// drawTimeline puts the counts of all files together.
func drawTimeline(ctx context.Context, r *recording.Recording, counts []*eventCounts) (*Timeline, error) {
	t := &Timeline{Markers: []Marker{}}
	type change struct {
		start, end time.Duration
		bytes      int64
	}
	var changes []change
	if err := r.PictureBytes(ctx, func(start, end recording.Ticks, bytes int64) {
		changes = append(changes, change{start.Duration(), end.Duration(), bytes})
		t.Duration = max(t.Duration, end.Duration())
	}); err != nil {
		return nil, err
	}
	for _, c := range counts {
		t.Duration = max(t.Duration, time.Duration(c.us)*time.Microsecond)
	}
	seconds := int64(t.Duration/time.Second) + 1
	each := (seconds + maxBuckets - 1) / maxBuckets // seconds
	t.Bucket = time.Duration(each) * time.Second
	n := (seconds + each - 1) / each
	t.Keys, t.Pointer, t.Picture = make([]int, n), make([]int, n), make([]int64, n)
	for _, c := range counts {
		for at, count := range c.seconds {
			t.Keys[at/each] += int(count.keys)
			t.Pointer[at/each] += int(count.pointer)
		}
		t.Markers = append(t.Markers, c.markers...)
	}
	for _, c := range changes {
		first, last := int64(c.start/t.Bucket), min(int64((c.end-1)/t.Bucket), n-1)
		for b := first; b <= last; b++ {
			from, to := max(c.start, time.Duration(b)*t.Bucket), min(c.end, time.Duration(b+1)*t.Bucket)
			t.Picture[b] += int64(float64(c.bytes) * float64(to-from) / float64(c.end-c.start))
		}
	}
	return t, nil
}

// thin puts the marks in order and leaves lines out, evenly, where there are too many marks, and then others.
func (t *Timeline) thin() {
	slices.SortStableFunc(t.Markers, func(a, b Marker) int { return compare(a.US, b.US) })
	for _, lines := range []bool{true, false} {
		over := len(t.Markers) - maxMarkers
		if over <= 0 {
			return
		}
		t.LeftOut = true
		of := 0
		for i := range t.Markers {
			if (t.Markers[i].Kind == KindLine) == lines {
				of++
			}
		}
		drop, seen := min(over, of), 0
		kept := t.Markers[:0]
		for _, m := range t.Markers {
			if (m.Kind == KindLine) == lines {
				seen++
				if seen*drop/of != (seen-1)*drop/of {
					continue
				}
			}
			kept = append(kept, m)
		}
		t.Markers = kept
	}
}
