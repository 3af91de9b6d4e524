package worker

import (
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// feed holds what serve has not been told yet. State, viewers and figures are kept as they are now, so nothing here
// grows with a serve that does not listen but the names of files, which are bounded.
type feed struct {
	wake chan struct{} // capacity 1: there is something

	mu      sync.Mutex
	status  *workerpb.StateChanged // nil: told
	viewers *workerpb.ViewersChanged
	stats   *workerpb.Stats
	shown   string // fingerprint of the certificate taken at first use; told when the session is active
	trusted string // the same, to be told
	certain bool   // one was told
	files   []string
	alerts  []*workerpb.Alert         // at most maxFeedAlerts
	answers []*workerpb.Justification // at most maxFeedAlerts
	closed  bool
}

var _ session.Observer = (*feed)(nil)

func newFeed() *feed { return &feed{wake: make(chan struct{}, 1)} }

func (f *feed) change(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// StatusChanged implements session.Observer.
func (f *feed) StatusChanged(s session.Status) {
	f.change(func() {
		if s.State == session.StateActive && f.shown != "" && !f.certain {
			f.trusted, f.certain = f.shown, true
		}
		f.status = &workerpb.StateChanged{
			State: states[s.State], Code: string(s.End.Code), Message: s.End.Message,
			Width: uint32(s.Size.X), Height: uint32(s.Size.Y), DesktopName: s.DesktopName, Supervision: supervision(s),
		}
	})
}

// supervision words what supervisors do to a session; nil when that is nothing.
func supervision(s session.Status) *workerpb.Supervision {
	if s.Frozen == nil && s.Control.Viewer == "" && s.Question == nil {
		return nil
	}
	out := &workerpb.Supervision{}
	if f := s.Frozen; f != nil {
		out.Frozen = &workerpb.Frozen{
			By: personOut(f.By), Code: string(f.End.Code), Message: f.End.Message, SinceUs: f.Since.UnixMicro(),
		}
	}
	if c := s.Control; c.Viewer != "" {
		out.Control = &workerpb.Control{ViewerId: c.Viewer, Person: personOut(c.Person), SinceUs: c.Since.UnixMicro()}
	}
	if q := s.Question; q != nil {
		out.Question = &workerpb.Question{
			Id: q.ID, Person: personOut(q.Person), ViewerId: q.Viewer, Source: string(q.Source), Held: q.Held, SinceUs: q.Since.UnixMicro(),
		}
		for _, r := range q.Rules {
			out.Question.Rules = append(out.Question.Rules, &workerpb.AskedRule{Id: r.ID, Name: r.Name, About: r.About})
		}
		if !q.Deadline.IsZero() {
			out.Question.DeadlineUs = q.Deadline.UnixMicro()
		}
	}
	return out
}

func personOut(p session.Person) *workerpb.Person { return &workerpb.Person{Id: p.ID, Name: p.Name} }

var states = map[session.State]workerpb.State{
	session.StateConnecting: workerpb.State_STATE_CONNECTING,
	session.StateActive:     workerpb.State_STATE_ACTIVE,
	session.StateFrozen:     workerpb.State_STATE_FROZEN,
	session.StateEnded:      workerpb.State_STATE_ENDED,
}

// ViewersChanged implements session.Observer.
func (f *feed) ViewersChanged(viewers []session.Viewer) {
	list := &workerpb.ViewersChanged{}
	for _, v := range viewers {
		list.Viewers = append(list.Viewers, &workerpb.Viewer{
			Id: v.ID, Person: &workerpb.Person{Id: v.Person.ID, Name: v.Person.Name}, Role: string(v.Role), Address: v.Address, Announced: v.Announced,
			Kind: string(v.Kind),
		})
	}
	f.change(func() { f.viewers = list })
}

// fileClosed tells that a file of the recording is complete.
func (f *feed) fileClosed(name string) {
	f.change(func() {
		if len(f.files) == maxFeedFiles {
			f.files = f.files[1:]
		}
		f.files = append(f.files, name)
	})
}

// alert tells of a rule that fits. When too many wait, the oldest is forgotten: the recording has them all.
func (f *feed) alert(a recording.AlertEvent, at time.Duration) {
	f.change(func() {
		if len(f.alerts) == maxFeedAlerts {
			f.alerts = f.alerts[1:]
		}
		f.alerts = append(f.alerts, &workerpb.Alert{
			Rule: a.Rule, Name: a.Name, Severity: a.Severity, Action: a.Action, Source: a.Source, Excerpt: a.Excerpt, Actor: a.Actor,
			Count: uint32(max(a.Count, 0)), MomentUs: at.Microseconds(),
		})
	})
}

// justification tells what became of a rule's question. When too many wait, the oldest is forgotten: the recording has them all.
func (f *feed) justification(j recording.JustificationEvent) {
	f.change(func() {
		if len(f.answers) == maxFeedAlerts {
			f.answers = f.answers[1:]
		}
		f.answers = append(f.answers, &workerpb.Justification{
			Rule: j.Rule, Name: j.Name, Answer: j.Answer, Text: j.Text, Actor: j.Actor, Released: j.Releases,
		})
	})
}

// certificateShown notes the certificate taken at first use. It is told once the session is active: until then the
// target may yet turn out to be another by what else it must prove. The first counts.
func (f *feed) certificateShown(fingerprint trust.Fingerprint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shown == "" {
		f.shown = fingerprint.String()
	}
}

func (f *feed) statsChanged(s session.Stats) {
	f.change(func() {
		f.stats = &workerpb.Stats{
			Frames: s.Frames, Bytes: s.Bytes, FrameRate: s.FrameRate, Bitrate: s.Bitrate, Viewers: uint32(s.Viewers),
			InputEvents: s.InputEvents, RecordedBytes: s.RecordedBytes, Encoders: h264.Opened(),
		}
	})
}

// close lets the watcher go once it has heard everything.
func (f *feed) close() { f.change(func() { f.closed = true }) }

// take returns what was not told yet, the state last: once it says ended nothing comes any more. done is set when
// there is nothing and never will be.
func (f *feed) take() (events []*workerpb.Event, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range f.files {
		events = append(events, &workerpb.Event{Event: &workerpb.Event_FileClosed{FileClosed: &workerpb.FileClosed{Name: name}}})
	}
	if f.trusted != "" {
		events = append(events, &workerpb.Event{Event: &workerpb.Event_Certificate{
			Certificate: &workerpb.Certificate{Fingerprint: f.trusted},
		}})
	}
	for _, a := range f.alerts {
		events = append(events, &workerpb.Event{Event: &workerpb.Event_Alert{Alert: a}})
	}
	for _, j := range f.answers {
		events = append(events, &workerpb.Event{Event: &workerpb.Event_Justification{Justification: j}})
	}
	if f.viewers != nil {
		events = append(events, &workerpb.Event{Event: &workerpb.Event_Viewers{Viewers: f.viewers}})
	}
	if f.stats != nil {
		events = append(events, &workerpb.Event{Event: &workerpb.Event_Stats{Stats: f.stats}})
	}
	if f.status != nil {
		events = append(events, &workerpb.Event{Event: &workerpb.Event_State{State: f.status}})
	}
	f.files, f.trusted, f.alerts, f.answers, f.viewers, f.stats, f.status = nil, "", nil, nil, nil, nil, nil
	return events, f.closed && len(events) == 0
}
