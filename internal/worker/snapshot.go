package worker

import (
	"image"
	"regexp"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
)

// Snapshot is how a session is at one moment, as its worker told.
type Snapshot struct {
	ID          string
	State       session.State
	End         session.End // why it is frozen or ended
	Size        image.Point
	DesktopName string
	Viewers     []session.Viewer // not to be changed
	Stats       session.Stats
	StartedAt   time.Time
	Sandbox     string // how far the worker has locked itself in: full, partial, off
	PID         int    // of the worker
	MediaPort   uint16 // UDP
	Encoders    uint64 // that the worker has opened
	// Frozen is nil unless somebody has frozen the session; Control is of a supervisor who has taken over.
	Frozen  *session.Frozen // not to be changed
	Control session.Control
	// Question waits for an answer; nil: nothing is asked. Its excerpt is not told.
	Question *session.Question // not to be changed
}

// stateNames reads the states of worker.proto.
var stateNames = map[workerpb.State]session.State{
	workerpb.State_STATE_CONNECTING: session.StateConnecting,
	workerpb.State_STATE_ACTIVE:     session.StateActive,
	workerpb.State_STATE_FROZEN:     session.StateFrozen,
	workerpb.State_STATE_ENDED:      session.StateEnded,
}

// apply brings a snapshot up to date with what its worker says, which is believed within bounds.
func (s *Snapshot) apply(e *workerpb.Event) {
	switch e := e.GetEvent().(type) {
	case *workerpb.Event_State:
		if state, ok := stateNames[e.State.GetState()]; ok {
			s.State, s.End = state, readEnd(e.State)
			s.Size = image.Pt(int(min(e.State.GetWidth(), 1<<16)), int(min(e.State.GetHeight(), 1<<16)))
			s.DesktopName = bounded(e.State.GetDesktopName())
			s.supervised(e.State.GetSupervision())
		}
	case *workerpb.Event_Viewers:
		list := e.Viewers.GetViewers()
		s.Viewers = nil
		for _, v := range list[:min(len(list), maxViewers)] {
			s.Viewers = append(s.Viewers, session.Viewer{
				ID: bounded(v.GetId()), Role: session.Role(bounded(v.GetRole())), Address: bounded(v.GetAddress()),
				Person: personIn(v.GetPerson()), Announced: v.GetAnnounced(),
				Kind: session.Kind(bounded(v.GetKind())),
			})
		}
	case *workerpb.Event_Stats:
		s.Stats = session.Stats{
			Frames: e.Stats.GetFrames(), Bytes: e.Stats.GetBytes(), FrameRate: e.Stats.GetFrameRate(), Bitrate: e.Stats.GetBitrate(),
			Viewers: int(e.Stats.GetViewers()), InputEvents: e.Stats.GetInputEvents(), RecordedBytes: e.Stats.GetRecordedBytes(),
		}
		s.Encoders = e.Stats.GetEncoders()
	}
}

// supervised takes in what supervisors do.
func (s *Snapshot) supervised(now *workerpb.Supervision) {
	s.Frozen, s.Control, s.Question = nil, session.Control{}, nil
	if f := now.GetFrozen(); f != nil {
		s.Frozen = &session.Frozen{
			By: personIn(f.GetBy()), Since: time.UnixMicro(f.GetSinceUs()),
			End: session.End{Code: session.EndCode(bounded(f.GetCode())), Message: bounded(f.GetMessage())},
		}
	}
	if c := now.GetControl(); c != nil {
		s.Control = session.Control{Viewer: bounded(c.GetViewerId()), Person: personIn(c.GetPerson()), Since: time.UnixMicro(c.GetSinceUs())}
	}
	if q := now.GetQuestion(); q != nil {
		s.Question = questionIn(q)
	}
}

func questionIn(q *workerpb.Question) *session.Question {
	out := &session.Question{
		ID: bounded(q.GetId()), Person: personIn(q.GetPerson()), Viewer: bounded(q.GetViewerId()), Source: detect.Source(bounded(q.GetSource())),
		Held: q.GetHeld(), Since: time.UnixMicro(q.GetSinceUs()),
	}
	rules := q.GetRules()
	for _, r := range rules[:min(len(rules), maxAskedRules)] {
		out.Rules = append(out.Rules, session.AskedRule{ID: bounded(r.GetId()), Name: bounded(r.GetName()), About: bounded(r.GetAbout())})
	}
	if us := q.GetDeadlineUs(); us != 0 {
		out.Deadline = time.UnixMicro(us)
	}
	return out
}

func personIn(p *workerpb.Person) session.Person {
	return session.Person{ID: bounded(p.GetId()), Name: bounded(p.GetName())}
}

// readEnd reads a reason.
func readEnd(s *workerpb.StateChanged) session.End {
	code := s.GetCode()
	if s.GetState() == workerpb.State_STATE_ENDED && !codePattern.MatchString(code) {
		return session.NewEnd(session.EndInternal, "")
	}
	return session.End{Code: session.EndCode(bounded(code)), Message: bounded(s.GetMessage())}
}

var codePattern = regexp.MustCompile(`^[a-z][a-z_]{0,63}$`)

// bounded cuts a text of a worker.
func bounded(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxTextBytes)], "\uFFFD")
}
