package worker

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/session"
)

var (
	alice = session.Person{ID: "u1", Name: "alice"}
	bob   = session.Person{ID: "u2", Name: "bob"}
	carol = session.Person{ID: "u3", Name: "carol"}
)

// watchAs lets somebody in.
func watchAs(t *testing.T, s *Session, p session.Person, role session.Role) *browser {
	t.Helper()
	b, err := offer(t, s, Offer{Person: p, Role: role, ClientAddress: "192.0.2.7"})
	require.NoError(t, err)
	select {
	case <-b.opened:
	case <-time.After(patience):
		require.FailNow(t, "the browser did not connect")
	}
	eventually(t, "the viewer is not told", func() bool {
		return slices.ContainsFunc(s.Snapshot().Viewers, func(v session.Viewer) bool { return v.ID == b.id })
	})
	return b
}

// taps presses and lets go of a key, the one with that name or a character.
func (b *browser) taps(key string) {
	b.t.Helper()
	for _, down := range []bool{true, false} {
		b.send(map[string]any{"t": "key", "code": "", "key": key, "down": down})
	}
}

const xkReturn = 0xff0d

// pressed are the keys that went down on the target, as text; Return is a new line.
func (d *desktopTarget) pressed() string {
	var out []rune
	for _, e := range d.Events() {
		switch {
		case e.Kind != demotarget.KeyPressed || !e.Down:
		case e.Keysym == xkReturn:
			out = append(out, '\n')
		case e.Keysym < 0x7f:
			out = append(out, rune(e.Keysym))
		}
	}
	return string(out)
}

// arrives waits until the target's keys are as wanted.
func (d *desktopTarget) arrives(t *testing.T, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return d.pressed() == want }, patience, 10*time.Millisecond, "want %q on the target, have %q", want, d.pressed())
}

// refused checks why a worker refuses something.
func refused(t *testing.T, code string, err error) {
	t.Helper()
	var r *RefusedError
	require.ErrorAs(t, err, &r)
	require.Equal(t, code, r.Code)
	require.NotEmpty(t, r.Message)
}

// TestSupervise is what supervisors do to a worker's session, over the control socket: what arrives on the target and what serve is told.
func TestSupervise(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s := r.create(d.addr)
	user := watchAs(t, s, alice, session.RoleControl)
	boss := watchAs(t, s, bob, session.RoleView)
	user.taps("a")
	d.arrives(t, "a")

	// Frozen: nothing of the person's arrives, and whoever comes first to say so counts.
	require.NoError(t, s.Freeze(t.Context(), bob, session.End{Code: session.EndFrozen, Message: "What is this?"}))
	eventually(t, "the freeze is not told", func() bool { return s.Snapshot().Frozen != nil && s.Snapshot().State == session.StateFrozen })
	frozen := s.Snapshot().Frozen
	require.Equal(t, bob, frozen.By)
	require.Equal(t, session.End{Code: session.EndFrozen, Message: "What is this?"}, frozen.End)
	require.WithinDuration(t, time.Now(), frozen.Since, patience)
	eventually(t, "the person is not told", user.heard("frozen frozen"))
	refused(t, "session_frozen", s.Freeze(t.Context(), carol, session.End{}))
	user.taps("b")

	// Taken over, also of a frozen session. That their key arrives and the person's did not, sent before it, tells that it was refused.
	refused(t, "not_watching", s.TakeOver(t.Context(), carol, "", false))
	refused(t, "control_not_taken", s.Release(t.Context(), bob))
	require.NoError(t, s.TakeOver(t.Context(), bob, boss.id, false))
	eventually(t, "the take-over is not told", func() bool { return s.Snapshot().Control.Viewer == boss.id })
	require.Equal(t, bob, s.Snapshot().Control.Person)
	eventually(t, "roles are not told", func() bool {
		return slices.ContainsFunc(s.Snapshot().Viewers, func(v session.Viewer) bool { return v.ID == boss.id && v.Role == session.RoleControl })
	})
	refused(t, "control_held", s.TakeOver(t.Context(), bob, boss.id, false))
	boss.taps("c")
	d.arrives(t, "ac")
	third := watchAs(t, s, carol, session.RoleView)
	refused(t, "control_taken", s.TakeOver(t.Context(), carol, third.id, false))
	refused(t, "control_taken", s.Release(t.Context(), carol))
	require.NoError(t, s.TakeOver(t.Context(), carol, third.id, true))
	boss.taps("d")
	third.taps("e")
	d.arrives(t, "ace")

	// Resumed, it is still the supervisor's; given back, the person's.
	require.NoError(t, s.Resume(t.Context(), bob))
	refused(t, "session_not_frozen", s.Resume(t.Context(), bob))
	eventually(t, "the resumption is not told", func() bool { return s.Snapshot().Frozen == nil && s.Snapshot().State == session.StateActive })
	user.taps("f")
	third.taps("g")
	d.arrives(t, "aceg")
	require.NoError(t, s.Release(t.Context(), carol))
	eventually(t, "that it was given back is not told", func() bool { return s.Snapshot().Control == session.Control{} })
	user.taps("h")
	d.arrives(t, "acegh")
	// A supervisor who goes gives back what they have taken.
	require.NoError(t, s.TakeOver(t.Context(), bob, "", false))
	require.NoError(t, s.CloseViewer(t.Context(), boss.id, "gone"))
	eventually(t, "control has not come back", func() bool { return s.Snapshot().Control == session.Control{} })
	user.taps("i")
	d.arrives(t, "aceghi")

	id, err := s.Message(t.Context(), carol, " Please call me. ")
	require.NoError(t, err)
	require.NotEmpty(t, id)
	_, err = s.Message(t.Context(), carol, " ")
	refused(t, "message_malformed", err)
	_, err = s.Message(t.Context(), carol, strings.Repeat("x", 5000))
	refused(t, "message_too_long", err)

	why := session.End{Code: session.EndTerminated, Message: "carol ended the session: enough."}
	require.NoError(t, s.Terminate(t.Context(), session.Person{}, why))
	require.Equal(t, why, r.gone(s))
	eventually(t, "the person is not told why", user.heard("ended terminated"))
	require.ErrorIs(t, s.Freeze(t.Context(), bob, session.End{}), ErrEnded)
	require.ErrorIs(t, s.Resume(t.Context(), bob), ErrEnded)
	require.ErrorIs(t, s.TakeOver(t.Context(), bob, "", false), ErrEnded)
	require.ErrorIs(t, s.Release(t.Context(), bob), ErrEnded)
	_, err = s.Message(t.Context(), bob, "too late")
	require.ErrorIs(t, err, ErrEnded)
	_, err = s.Answer(t.Context(), session.Reply{Question: "q", By: alice, Reason: "too late"})
	require.ErrorIs(t, err, ErrEnded)
	require.Equal(t, "aceghi", d.pressed())
}

// asks makes a rule that asks about do-it.
func asks(t *testing.T) func(*CreateRequest) {
	t.Helper()
	rules, err := json.Marshal(detect.File{Rules: []detect.Rule{{
		ID: "x", Name: "It", About: "Should it be done?", Severity: detect.High, Action: detect.ActionJustify, Sources: []detect.Source{detect.Typed}, Any: []string{"^do-it"},
	}}})
	require.NoError(t, err)
	return func(r *CreateRequest) { r.Detection, r.AnswerLimit = rules, time.Hour }
}

// asked types what the rule asks about, and Enter.
func asked(t *testing.T, s *Session, b *browser) *session.Question {
	t.Helper()
	for _, c := range "do-it" {
		b.taps(string(c))
	}
	b.taps("Enter")
	eventually(t, "nothing is asked", func() bool { return s.Snapshot().Question != nil })
	return s.Snapshot().Question
}

// TestAnswer is a rule that asks why, in a real worker: what is held back arrives once, after a reason, and not at all without.
func TestAnswer(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s := r.create(d.addr, asks(t))
	user := watchAs(t, s, alice, session.RoleControl)
	watchAs(t, s, bob, session.RoleView)

	q := asked(t, s, user)
	require.Equal(t, alice, q.Person)
	require.Equal(t, user.id, q.Viewer)
	require.Equal(t, []session.AskedRule{{ID: "x", Name: "It", About: "Should it be done?"}}, q.Rules)
	require.True(t, q.Held)
	require.Empty(t, q.Excerpt, "serve is told by alerts, as far as typed text may be told")
	require.WithinDuration(t, q.Since.Add(time.Hour), q.Deadline, time.Second)
	require.Equal(t, session.EndJustification, s.Snapshot().Frozen.End.Code)
	require.Equal(t, "do-it", d.pressed())

	answer := func(a session.Reply) (bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return s.Answer(ctx, a)
	}
	_, err := answer(session.Reply{Question: q.ID, By: bob, Reason: "why"})
	refused(t, "not_in_control", err)
	_, err = answer(session.Reply{Question: q.ID, By: alice, Viewer: "another", Reason: "why"})
	refused(t, "not_in_control", err)
	_, err = answer(session.Reply{Question: "another", By: alice, Reason: "why"})
	refused(t, "not_asked", err)
	_, err = answer(session.Reply{Question: q.ID, By: alice, Reason: " "})
	refused(t, "justification_malformed", err)
	sent, err := answer(session.Reply{Question: q.ID, By: alice, Viewer: user.id, Reason: "Ticket 7."})
	require.NoError(t, err)
	require.True(t, sent)
	d.arrives(t, "do-it\n")
	eventually(t, "the answer is not told", func() bool { return s.Snapshot().Question == nil && s.Snapshot().State == session.StateActive })

	q = asked(t, s, user)
	sent, err = answer(session.Reply{Question: q.ID, By: alice, Refuse: true})
	require.NoError(t, err)
	require.False(t, sent)
	eventually(t, "the session does not go on", func() bool { return s.Snapshot().State == session.StateActive })
	user.taps("x")
	d.arrives(t, "do-it\ndo-itx")

	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.End{}))
	r.gone(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Equal(t, []Justification{
		{Rule: "x", Name: "It", Answer: "given", Text: "Ticket 7.", Actor: "alice", Released: true},
		{Rule: "x", Name: "It", Answer: "refused", Actor: "alice"},
	}, r.answers[s.ID()])
	require.Len(t, r.alerts[s.ID()], 2)
}
