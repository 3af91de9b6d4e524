package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"image"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// Unanswered is what becomes of a session in which nobody says why in time.
type Unanswered string

// What may become of it.
const (
	UnansweredRefuse    Unanswered = "refuse"    // it goes on without what was held back
	UnansweredFreeze    Unanswered = "freeze"    // it stays frozen until a supervisor resumes it
	UnansweredTerminate Unanswered = "terminate" // it ends
)

// UnansweredActions returns every one of them, the default first.
func UnansweredActions() []Unanswered {
	return []Unanswered{UnansweredRefuse, UnansweredFreeze, UnansweredTerminate}
}

// Question is what rules want to know before something is done.
type Question struct {
	ID     string
	Person Person // who is asked
	// Viewer is the one of theirs who may answer, because it holds control; empty: none does at the moment.
	Viewer string
	Rules  []AskedRule
	Source detect.Source
	// Excerpt is what it is about; empty where typed text is not to be told.
	Excerpt string
	// Held tells that an act waits for the answer; else it has happened already.
	Held  bool
	Since time.Time
	// Deadline is when an answer comes too late; zero: never.
	Deadline time.Time
}

// AskedRule is a rule that asks.
type AskedRule struct{ ID, Name, About string }

// Reply is an answer to a Question.
type Reply struct {
	Question string // id
	// Viewer is where it was given; empty: by By somewhere else.
	Viewer string
	By     Person
	// Reason says why; Refuse, without one, that what was held back is not done.
	Reason string
	Refuse bool
}

// question is the one that waits for its answer. The loop owns it.
type question struct {
	Question
	act   desktop.Input      // held back; nil: none
	with  []desktop.KeyEvent // modifiers held down with it
	after uint64             // acts that had passed before it
	froze bool               // the session is frozen because of it, and for no other reason
	timer *time.Timer        // at Deadline; nil: none
}

// askWhy puts to by what hits want to know, and freezes the session meanwhile unless a supervisor has taken over: then it is they who are
// asked, and they alone who wait. act is what was held back; nil: nothing was.
func (s *Session) askWhy(hits []detect.Hit, by Person, act desktop.Input) {
	over := s.status.Control.Viewer != ""
	if s.question != nil || s.held != nil && !over {
		return // whoever resumes it does not let the act through
	}
	q := &question{act: act, after: s.arbiter.passed, froze: !over}
	q.Question = Question{
		ID: rand.Text(), Person: by, Source: hits[0].Source, Excerpt: hits[0].Excerpt, Held: act != nil, Since: time.Now(),
	}
	if s.cfg.Detection.Secret && q.Source == detect.Typed {
		q.Excerpt = ""
	}
	var names []string
	for _, h := range hits[:min(len(hits), maxAsked)] {
		q.Rules = append(q.Rules, AskedRule{h.Rule.ID, h.Rule.Name, h.Rule.About})
		names = append(names, h.Rule.Name)
	}
	for _, k := range s.arbiter.keys {
		if keyboard.IsModifier(k.Keysym) {
			q.with = append(q.with, k)
		}
	}
	if q.froze {
		why := End{EndJustification, fmt.Sprintf("A rule of the gateway asks why before this goes on: %s.", strings.Join(names, ", "))}
		if s.hold(Person{}, why, s.cfg.Framebuffer.Blurred()) != nil {
			return
		}
	} else {
		s.arbiter.releaseAll()
	}
	if limit := s.cfg.Detection.AnswerLimit; limit > 0 {
		q.Deadline = q.Since.Add(limit)
		q.timer = time.AfterFunc(limit, func() { s.loop.post(func() { s.expire(q) }) })
	}
	s.question = q
	s.log.Warn("justification asked for", "by", by.Name, "rule", q.Rules[0].ID)
	s.showQuestion()
}

// showQuestion shows whom the question is for, which changes with control: it stays with whom it was put to while a supervisor has taken over,
// and else is for who has control, or the session's own person. Nobody does what another wanted to do.
func (s *Session) showQuestion() {
	q := s.question
	if q == nil {
		return
	}
	holder := s.arbiter.holder
	if s.status.Control.Viewer == "" {
		asked := s.cfg.Owner
		if holder.ID != "" {
			asked = holder.Person
		}
		if asked.ID != q.Person.ID {
			q.Person, q.act, q.Held = asked, nil, false
		}
	}
	q.Viewer = ""
	if holder.Person.ID == q.Person.ID {
		q.Viewer = holder.ID
	}
	shown := q.Question
	s.status.Question = &shown
	s.door.SetQuestion(&shown)
	s.cfg.Observer.StatusChanged(s.status)
}

// withdraw ends the question.
func (s *Session) withdraw() *question {
	q := s.question
	if q == nil {
		return nil
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	s.question, s.status.Question = nil, nil
	s.door.SetQuestion(nil)
	s.cfg.Observer.StatusChanged(s.status)
	return q
}

// Answer takes the answer to the present question: of a reason, the act that was held back is done, once, if nothing else was done to the
// desktop meanwhile, and sent tells so; the same line is not asked about again in either case. It returns a Refusal: RefusedNotAsked,
// RefusedNotHolder, RefusedReason, RefusedNotRecorded, RefusedEnded.
func (s *Session) Answer(ctx context.Context, r Reply) (sent bool, err error) {
	reason := strings.TrimSpace(r.Reason)
	if !r.Refuse && (reason == "" || len(reason) > maxReasonBytes || !utf8.ValidString(reason)) {
		return false, RefusedReason
	}
	err = s.change(ctx, func() error {
		q, holder := s.question, s.arbiter.holder
		switch {
		case s.unrecorded:
			return RefusedNotRecorded
		case q == nil || q.ID != r.Question:
			return RefusedNotAsked
		case q.Viewer == "" || q.Viewer != holder.ID || holder.Person.ID != r.By.ID || r.Viewer != "" && r.Viewer != holder.ID:
			return RefusedNotHolder
		}
		if r.Refuse {
			return s.answered(r.By, recording.AnswerRefused, "", false)
		}
		sent = q.act != nil && q.after == s.arbiter.passed && !s.linkLost && s.arbiter.allows(q.act) == nil
		if err := s.answered(r.By, recording.AnswerGiven, reason, sent); err != nil || !sent {
			return err
		}
		sent = s.arbiter.repeat(holder, q.act, q.with) == nil
		return nil
	})
	return sent && err == nil, err
}

// answered writes an answer down and ends the question. A session that was frozen for it goes on, but for AnswerWithdrawn: then another
// freeze takes its place, or whoever resumes it does the rest.
func (s *Session) answered(by Person, answer, text string, releases bool) error {
	q := s.question
	for i, rule := range q.Rules {
		last := i == len(q.Rules)-1
		e := recording.JustificationEvent{Actor: by.Name, Rule: rule.ID, Name: rule.Name, Answer: answer, Text: text, Releases: releases && last}
		if s.record(e) != nil {
			return RefusedNotRecorded
		}
		if s.cfg.Detection.Answered != nil {
			s.cfg.Detection.Answered(e)
		}
	}
	s.withdraw()
	s.log.Info("justification", "answer", answer, "by", by.Name, "rule", q.Rules[0].ID, "released", releases)
	if q.froze && answer != recording.AnswerWithdrawn {
		return s.unfreeze(by)
	}
	return nil
}

// expire ends a question that nobody has answered.
func (s *Session) expire(q *question) {
	if s.question != q || s.isEnding() || s.unrecorded {
		return
	}
	names := q.Rules[0].Name
	switch what := s.cfg.Detection.Unanswered; {
	case what == UnansweredTerminate:
		_ = s.answered(Person{}, recording.AnswerExpired, "", false)
		s.end(End{EndRule, fmt.Sprintf("Nobody said why in time: %s.", names)})
	case what == UnansweredFreeze && q.froze:
		q.froze = false // the freeze stays, for a reason of its own
		if s.answered(Person{}, recording.AnswerExpired, "", false) == nil {
			s.shift(Person{}, End{EndRule, fmt.Sprintf("Nobody said why in time: %s. A supervisor can resume the session.", names)}, s.held.Still)
		}
	default:
		_ = s.answered(Person{}, recording.AnswerExpired, "", false)
	}
}

// shift freezes a frozen session for another reason.
func (s *Session) shift(by Person, why End, still *image.RGBA) {
	f := &Freeze{Frozen{by, why.filled(), time.Now()}, still}
	s.held, s.status.Frozen = f, &f.Frozen
	s.door.SetFreeze(f)
	if s.record(recording.FreezeEvent{Actor: by.Name, Reason: string(f.End.Code), Message: f.End.Message}) == nil {
		s.setState(StateFrozen, f.End)
	}
	s.door.SetState(StateFrozen, s.status.End) // of a recorder that failed just now, if it did
	s.log.Warn("session frozen", "code", f.End.Code, "message", f.End.Message, "by", by.Name)
}

// allows tells whether the policies of now let an act through.
func (a *arbiter) allows(in desktop.Input) error {
	_, clip := in.(desktop.ClipboardText)
	switch {
	case a.policy.ViewOnly:
		return RefusedViewOnly
	case clip && !a.policy.ClipboardToTarget:
		return RefusedClipboard
	}
	return nil
}

// repeat does an act that was held back, as v: with the modifiers that were held down, and what was pressed is let go of again, as its
// person has done meanwhile.
func (a *arbiter) repeat(v Viewer, in desktop.Input, with []desktop.KeyEvent) error {
	pass := func(in desktop.Input) error {
		d := a.decide(v, in, true)
		if d.err == nil && d.freed != nil {
			return RefusedStalled // there was room for it when it was held back, and nothing came since
		}
		return d.err
	}
	for _, k := range with {
		if err := pass(k); err != nil {
			a.releaseAll()
			return err
		}
	}
	err := pass(in)
	for _, up := range append([]desktop.Input{let(in)}, lettingGo(with)...) {
		if up != nil && err == nil {
			_ = pass(up)
		}
	}
	if err != nil {
		a.releaseAll()
	}
	return err
}

// let is what lets go of an act; nil: there is nothing to let go of.
func let(in desktop.Input) desktop.Input {
	switch in := in.(type) {
	case desktop.KeyEvent:
		in.Down = false
		return in
	case desktop.PointerEvent:
		in.Buttons = 0
		return in
	}
	return nil
}

// lettingGo are the releases of keys, the one pressed last first.
func lettingGo(keys []desktop.KeyEvent) (out []desktop.Input) {
	for _, k := range slices.Backward(keys) {
		k.Down = false
		out = append(out, k)
	}
	return out
}
