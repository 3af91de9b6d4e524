package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Detection is what a session watches for in what is typed, pasted and titled. Its zero value watches for nothing.
type Detection struct {
	Rules   *detect.Set // nil: nothing is detected
	Windows bool        // see detect.Options
	// Origin is when the recording began: the times of lines count from it.
	Origin time.Time
	// Secret keeps what was typed out of alerts, as the recorder keeps it out of the recording.
	Secret bool
	// AnswerLimit is how long a rule that requires a justification waits for one; zero: for ever. Unanswered says what happens then;
	// empty: UnansweredRefuse.
	AnswerLimit time.Duration
	Unanswered  Unanswered
	// Alert hears of what is found, Answered of what people say when a rule asks why; nil: nobody. They are called from the loop: they
	// must neither block nor call the Session.
	Alert    func(a recording.AlertEvent)
	Answered func(j recording.JustificationEvent)
}

// detection tries the rules on what the session records. The loop owns it.
type detection struct {
	cfg      Detection
	detector *detect.Detector
	record   func(e recording.Event) error
	post     func(fn func())
	seen     map[string]*recording.AlertEvent // of the window: what is like it is counted in Count
	timer    *time.Timer                      // ends the window; nil when none is open
}

// newDetection returns nil where nothing is to be detected.
func newDetection(cfg Detection, record func(recording.Event) error, post func(func())) *detection {
	if cfg.Rules.Len() == 0 {
		return nil
	}
	return &detection{
		cfg: cfg, detector: detect.New(detect.Options{Rules: cfg.Rules, Windows: cfg.Windows}), record: record, post: post,
		seen: map[string]*recording.AlertEvent{},
	}
}

// feed lets the rules see what was recorded, writes down the lines that ended of it, and returns the hits.
func (d *detection) feed(e recording.Event) []detect.Hit {
	return d.note(d.detector.Feed(time.Since(d.cfg.Origin).Microseconds(), e))
}

func (d *detection) note(out detect.Outcome) []detect.Hit {
	for _, line := range out.Lines {
		if line.Text != "" && d.record(line) != nil {
			return nil
		}
	}
	for _, h := range out.Hits {
		d.alert(recording.AlertEvent{
			Actor: h.Actor, Rule: h.Rule.ID, Name: h.Rule.Name, Severity: string(h.Rule.Severity), Action: string(h.Rule.Action),
			Source: string(h.Source), Excerpt: h.Excerpt,
		})
	}
	return out.Hits
}

// alert tells of a hit at once, or counts it where one like it was told of in this window.
func (d *detection) alert(a recording.AlertEvent) {
	key := strings.Join([]string{a.Rule, a.Source, a.Actor}, "\x00")
	if before, known := d.seen[key]; known {
		a.Count = before.Count + 1
		*before = a
		return
	}
	d.tell(a)
	if len(d.seen) == maxAlertKinds {
		return
	}
	d.seen[key] = &a
	if d.timer == nil {
		d.timer = time.AfterFunc(alertWindow, func() { d.post(d.flush) })
	}
}

func (d *detection) tell(a recording.AlertEvent) {
	if d.record(a) != nil {
		return
	}
	if d.cfg.Secret && a.Source == string(detect.Typed) {
		a.Excerpt = ""
	}
	if d.cfg.Alert != nil {
		d.cfg.Alert(a)
	}
}

// flush tells of what was counted, and begins anew.
func (d *detection) flush() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	var counted []recording.AlertEvent
	for _, a := range d.seen {
		if a.Count > 0 {
			counted = append(counted, *a)
		}
	}
	clear(d.seen)
	slices.SortFunc(counted, func(a, b recording.AlertEvent) int { return strings.Compare(a.Rule, b.Rule) })
	for _, a := range counted {
		d.tell(a)
	}
}

// finish is the last word: the line that was being typed.
func (d *detection) finish() {
	d.note(d.detector.Finish())
	d.flush()
}

// detected lets the rules see an event that was recorded. What they ask for is done after what the loop is doing now: it may be in
// the middle of letting something through.
func (s *Session) detected(e recording.Event) {
	if s.detection == nil || s.sealing {
		return
	}
	if hits := strictest(s.detection.feed(e)); len(hits) > 0 {
		go s.loop.post(func() {
			by := s.cfg.Owner
			if holder := s.arbiter.holder; holder.ID != "" {
				by = holder.Person
			}
			s.enforce(hits, by, nil)
		})
	}
}

// withheld tells whether a rule keeps an act of v, of which events are what would be recorded, from the target. It is recorded as held back
// then, and what the rule asks for is done.
func (s *Session) withheld(v Viewer, in desktop.Input, events []recording.Event) bool {
	if s.detection == nil {
		return false
	}
	for _, e := range events {
		action, hits := s.detection.detector.Peek(e)
		if action == detect.ActionAlert || len(hits) == 0 {
			continue
		}
		e = heldBack(e)
		if err := s.cfg.Recorder.Event(e); err != nil {
			s.recorderFailed(err)
			return true
		}
		s.detection.feed(e)
		s.enforce(hits, v.Person, in)
		return true
	}
	return false
}

func heldBack(e recording.Event) recording.Event {
	switch e := e.(type) {
	case recording.KeyEvent:
		e.Held = true
		return e
	case recording.TextEvent:
		e.Held = true
		return e
	case recording.PointerEvent:
		e.Held = true
		return e
	case recording.ClipboardEvent:
		e.Held = true
		return e
	}
	return e
}

// strictest returns the hits whose rules do most; none when none does more than alert.
func strictest(hits []detect.Hit) []detect.Hit {
	order := detect.Actions()
	most := 0 // ActionAlert
	for _, h := range hits {
		most = max(most, slices.Index(order, h.Rule.Action))
	}
	if most == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(hits), func(h detect.Hit) bool { return h.Rule.Action != order[most] })
}

// enforce does what rules, all of one action, ask for besides an alert, because of something by did. act is what of it was held back.
func (s *Session) enforce(hits []detect.Hit, by Person, act desktop.Input) {
	if s.isEnding() {
		return
	}
	hit := hits[0]
	switch hit.Rule.Action {
	case detect.ActionTerminate:
		s.end(End{EndRule, fmt.Sprintf("A rule of the gateway ended the session: %s.", hit.Rule.Name)})
	case detect.ActionJustify:
		s.askWhy(hits, by, act)
	case detect.ActionFreeze:
		why := End{EndRule, fmt.Sprintf("A rule of the gateway has frozen the session: %s. A supervisor can resume it.", hit.Rule.Name)}
		_ = s.hold(Person{}, why, s.cfg.Framebuffer.Blurred()) // one that is frozen stays so
	}
}
