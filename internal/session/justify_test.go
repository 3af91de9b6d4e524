package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

const line = "do-require_justification"

// askedWhy lets ann type what the rule asks about, and Enter.
func (r *rig) askedWhy() *Question {
	r.t.Helper()
	r.typed(line)
	r.take()
	require.ErrorIs(r.t, r.s.Input(r.t.Context(), ann, enter), RefusedByRule)
	synctest.Wait()
	require.NotNil(r.t, r.s.status.Question)
	return r.s.status.Question
}

func (r *rig) answer(v Viewer, q *Question, reason string) (sent bool, err error) {
	sent, err = r.s.Answer(r.t.Context(), Reply{Question: q.ID, Viewer: v.ID, By: v.Person, Reason: reason, Refuse: reason == ""})
	synctest.Wait()
	return sent, err
}

// asking is inActive with rules, bob watching, and an answer waited for ten minutes.
func asking(t *testing.T, test func(r *rig), options ...func(r *rig)) {
	inActive(t, func(r *rig) {
		r.s.ViewerJoined(bob)
		synctest.Wait()
		r.take()
		test(r)
	}, append([]func(r *rig){ruled, func(r *rig) {
		r.cfg.Detection.AnswerLimit = 10 * time.Minute
		r.cfg.Detection.Answered = func(j recording.JustificationEvent) { r.add("answered %s %s", j.Rule, j.Answer) }
	}}, options...)...)
}

func TestJustified(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		r.want(r.take("record", "send", "door", "told"),
			"record key ann Return true", "record alert require_justification require_justification typed x0 \""+line+"\"", `told require_justification x0 "`+line+`"`,
			"door shows a still of (100,75) by : A rule of the gateway asks why before this goes on: Said require_justification.",
			"record freeze  justification: A rule of the gateway asks why before this goes on: Said require_justification.",
			"record state frozen justification", "door frozen justification",
			`door asks ann at "v1": Said require_justification, "`+line+`", held true`,
			"record rejected ann key x0: A rule of the gateway holds this back.")
		require.Equal(r.t, q.Since.Add(10*time.Minute), q.Deadline)
		r.stillRefused(RefusedFrozen, ann, key('x', true))

		sent, err := r.answer(ann, q, "  The ticket says so.\n")
		require.NoError(r.t, err)
		require.True(r.t, sent)
		// Exactly the Enter that was held back, once, and its release; the reason before it.
		r.want(r.take("record", "send", "door", "answered"),
			`record justification require_justification given ann "The ticket says so." releases true`, "answered require_justification given", "door asks nothing",
			"record resume ann", "record state active ", "door active ", "door lets go on",
			"record key ann Return true", `record line ann "`+line+`" enter`, "record key ann Return false",
			"send key {Keysym:65293 Scancode:0 Down:true}", "send key {Keysym:65293 Scancode:0 Down:false}")
		require.Nil(r.t, r.s.status.Question)
		_, err = r.answer(ann, q, "Again.")
		require.ErrorIs(r.t, err, RefusedNotAsked)
		r.press(key('x', true), key(' ', true))

		r.askedWhy() // the reason was for that line
	})
}

func TestNotJustified(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		r.take()
		sent, err := r.answer(ann, q, "")
		require.NoError(r.t, err)
		require.False(r.t, sent)
		r.want(r.take("record", "send"), `record justification require_justification refused ann "" releases false`, "record resume ann", "record state active ")
		r.refused(RefusedByRule, ann, enter) // the line stands there still
		_, err = r.answer(ann, r.s.status.Question, "")
		require.NoError(r.t, err)
		r.press(key(rune(keyboard.ControlL), true), key('u', true), key('u', false), key(rune(keyboard.ControlL), false))
		r.typed("ls")
		r.press(enter)
	})
}

// TestJustifiedWithModifiers: Ctrl-J runs a line like Enter, and is no j on the target.
func TestJustifiedWithModifiers(t *testing.T) {
	asking(t, func(r *rig) {
		r.typed(line)
		r.press(key(rune(keyboard.ControlL), true))
		r.take()
		require.ErrorIs(r.t, r.s.Input(r.t.Context(), ann, key('j', true)), RefusedByRule)
		synctest.Wait()
		r.want(r.take("send"), "send key {Keysym:65507 Scancode:0 Down:false}")
		sent, err := r.answer(ann, r.s.status.Question, "why")
		require.NoError(r.t, err)
		require.True(r.t, sent)
		r.want(r.take("send"), "send key {Keysym:65507 Scancode:0 Down:true}", "send key {Keysym:106 Scancode:0 Down:true}",
			"send key {Keysym:106 Scancode:0 Down:false}", "send key {Keysym:65507 Scancode:0 Down:false}")
	})
}

// TestJustifiedPaste: the text reaches the target's clipboard, and the line it makes is not asked about again, once.
func TestJustifiedPaste(t *testing.T) {
	asking(t, func(r *rig) {
		r.refused(RefusedByRule, ann, desktop.ClipboardText{Text: "ls\n" + line + "\n"})
		sent, err := r.answer(ann, r.s.status.Question, "why")
		require.NoError(r.t, err)
		require.True(r.t, sent)
		paste := []desktop.Input{key(rune(keyboard.ShiftL), true), key(rune(keyboard.Insert), true), key(rune(keyboard.Insert), false), key(rune(keyboard.ShiftL), false)}
		r.want(r.take("send"), "send clipboard {Text:ls\n"+line+"\n}")
		r.press(paste...)
		r.want(r.take("record line"), `record line ann "ls" enter`, `record line ann "`+line+`" enter`)
		r.press(paste[0])
		require.ErrorIs(r.t, r.s.Input(r.t.Context(), ann, paste[1]), RefusedByRule)
	})
	asking(t, func(r *rig) { // and a policy may have changed its mind meanwhile
		r.refused(RefusedByRule, ann, desktop.ClipboardText{Text: line})
		require.NoError(r.t, r.s.Permit(r.t.Context(), false, true))
		sent, err := r.answer(ann, r.s.status.Question, "why")
		require.NoError(r.t, err)
		require.False(r.t, sent)
		r.want(r.take("send"))
	})
}

// TestJustifiedTooLate: what a supervisor did meanwhile keeps the act back. The person does it again, and is not asked again for a line that
// is the same.
func TestJustifiedTooLate(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		r.takeOver(bob)
		require.Empty(r.t, r.s.status.Question.Viewer, "who is asked has no control")
		_, err := r.answer(ann, q, "why")
		require.ErrorIs(r.t, err, RefusedNotHolder)
		_, err = r.answer(bob, q, "why")
		require.ErrorIs(r.t, err, RefusedNotHolder)
		r.act(bob, pointer(9, 9, 0))
		require.NoError(r.t, r.s.Release(r.t.Context(), bob.Person))
		synctest.Wait()
		r.take()
		sent, err := r.answer(ann, q, "why")
		require.NoError(r.t, err)
		require.False(r.t, sent, "the pointer is elsewhere")
		r.want(r.take("record justification", "send"), `record justification require_justification given ann "why" releases false`)
		r.press(enter)
		r.typed(line)
		require.ErrorIs(r.t, r.s.Input(r.t.Context(), ann, enter), RefusedByRule)

		// Where the supervisor has typed, the line is another.
		q = r.s.status.Question
		r.takeOver(bob)
		r.act(bob, key('x', true))
		require.NoError(r.t, r.s.Release(r.t.Context(), bob.Person))
		sent, err = r.answer(ann, q, "why")
		require.NoError(r.t, err)
		require.False(r.t, sent)
	})
}

// TestAskedInAnotherWindow: a page that is loaded anew answers, and what was held back is still the person's.
func TestAskedInAnotherWindow(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		r.s.ViewerLeft(ann, "closed")
		synctest.Wait()
		require.Empty(r.t, r.s.status.Question.Viewer)
		require.Equal(r.t, StateFrozen, r.s.status.State)
		_, err := r.answer(ann, q, "why")
		require.ErrorIs(r.t, err, RefusedNotHolder)
		again := ann
		again.ID = "v9"
		r.s.ViewerJoined(again)
		synctest.Wait()
		require.Equal(r.t, "v9", r.s.status.Question.Viewer)
		_, err = r.answer(ann, q, "why")
		require.ErrorIs(r.t, err, RefusedNotHolder, "it is not in that window")
		r.take()
		sent, err := r.answer(again, q, "why")
		require.NoError(r.t, err)
		require.True(r.t, sent)
		r.want(r.take("send"), "send key {Keysym:65293 Scancode:0 Down:true}", "send key {Keysym:65293 Scancode:0 Down:false}")
	})
}

// TestHandsChangedWhileRefused: a line that was held back is known to whoever has the desktop next.
func TestHandsChangedWhileRefused(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		r.s.ViewerLeft(ann, "closed")
		again := ann
		again.ID = "v9"
		r.s.ViewerJoined(again)
		synctest.Wait()
		_, err := r.answer(again, q, "")
		require.NoError(r.t, err)
		require.ErrorIs(r.t, r.s.Input(r.t.Context(), again, enter), RefusedByRule)
	})
}

func TestSupervisorsAndQuestions(t *testing.T) {
	asking(t, func(r *rig) { // resume: without it
		r.askedWhy()
		r.take()
		require.NoError(r.t, r.s.Resume(r.t.Context(), bob.Person))
		r.want(r.take("record", "send", "door"), `record justification require_justification withdrawn bob "" releases false`, "door asks nothing",
			"record resume bob", "record state active ", "door active ", "door lets go on")
		r.refused(RefusedByRule, ann, enter)
	})
	asking(t, func(r *rig) { // freeze: cannot be answered away
		q := r.askedWhy()
		r.take()
		r.freeze()
		r.want(r.take("record", "send"), `record justification require_justification withdrawn bob "" releases false`,
			"record freeze bob frozen: Wait for the supervisor.", "record state frozen frozen")
		_, err := r.answer(ann, q, "why")
		require.ErrorIs(r.t, err, RefusedNotAsked)
		r.is(RefusedFrozenBefore, r.s.Freeze(r.t.Context(), bob.Person, End{}))
		r.stillRefused(RefusedFrozen, ann, enter)
	})
	asking(t, func(r *rig) { // take over: they may act, and are asked themselves
		r.takeOver(bob)
		for _, c := range line {
			r.act(bob, key(c, true))
			r.act(bob, key(c, false))
		}
		require.ErrorIs(r.t, r.s.Input(r.t.Context(), bob, enter), RefusedByRule)
		synctest.Wait()
		q := r.s.status.Question
		require.Equal(r.t, bob.Person, q.Person)
		require.Equal(r.t, StateActive, r.s.status.State, "nobody else has to wait")
		r.stillRefused(RefusedFrozen, bob, key('x', true))
		r.take()
		sent, err := r.answer(as(bob, RoleControl), q, "why")
		require.NoError(r.t, err)
		require.True(r.t, sent)
		r.want(r.take("send", "record resume", "door lets"), "send key {Keysym:65293 Scancode:0 Down:true}", "send key {Keysym:65293 Scancode:0 Down:false}")
		require.Equal(r.t, StateActive, r.s.status.State)

		for _, c := range line {
			r.act(bob, key(c, true))
			r.act(bob, key(c, false))
		}
		require.ErrorIs(r.t, r.s.Input(r.t.Context(), bob, enter), RefusedByRule)
		require.NoError(r.t, r.s.Release(r.t.Context(), bob.Person)) // what they wanted to do is nobody else's
		synctest.Wait()
		q = r.s.status.Question
		require.Equal(r.t, ann.Person, q.Person)
		require.False(r.t, q.Held)
		sent, err = r.answer(ann, q, "why")
		require.NoError(r.t, err)
		require.False(r.t, sent)
	})
}

func TestUnanswered(t *testing.T) {
	for what, want := range map[Unanswered][]string{
		"":                  {`record justification require_justification expired  "" releases false`, "record resume ", "record state active "},
		UnansweredRefuse:    {`record justification require_justification expired  "" releases false`, "record resume ", "record state active "},
		UnansweredFreeze:    {`record justification require_justification expired  "" releases false`, "record freeze  rule: Nobody said why in time: Said require_justification. A supervisor can resume the session.", "record state frozen rule"},
		UnansweredTerminate: nil,
	} {
		t.Run(string(what), func(t *testing.T) {
			asking(t, func(r *rig) {
				q := r.askedWhy()
				r.take()
				time.Sleep(10*time.Minute - time.Second)
				synctest.Wait()
				r.want(r.take("record"))
				time.Sleep(time.Second)
				synctest.Wait()
				if what == UnansweredTerminate {
					require.Contains(r.t, r.end(EndRule).Message, "Nobody said why in time")
					r.want(r.take("send"))
					return
				}
				r.want(r.take("record", "send"), want...)
				_, err := r.answer(ann, q, "why")
				require.ErrorIs(r.t, err, RefusedNotAsked)
				if what == UnansweredFreeze {
					require.NoError(r.t, r.s.Resume(r.t.Context(), bob.Person))
				}
				r.refused(RefusedByRule, ann, enter)
			}, func(r *rig) { r.cfg.Detection.Unanswered, r.cfg.IdleLimit = what, time.Minute })
		})
	}
}

func TestReasons(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		for _, reason := range []string{"", " \n", strings.Repeat("x", maxReasonBytes+1), "a\xff"} {
			_, err := r.s.Answer(r.t.Context(), Reply{Question: q.ID, Viewer: ann.ID, By: ann.Person, Reason: reason})
			require.ErrorIs(r.t, err, RefusedReason, "%q", reason)
		}
		_, err := r.s.Answer(r.t.Context(), Reply{Question: "other", By: ann.Person, Reason: "why"})
		require.ErrorIs(r.t, err, RefusedNotAsked)
		_, err = r.s.Answer(r.t.Context(), Reply{Question: q.ID, By: bob.Person, Reason: "why"})
		require.ErrorIs(r.t, err, RefusedNotHolder)
		sent, err := r.s.Answer(r.t.Context(), Reply{Question: q.ID, By: ann.Person, Reason: "why"}) // wherever they are
		require.NoError(r.t, err)
		require.True(r.t, sent)
	})
}

// TestQuestionAfterTheFact: what has happened already is asked about, and nothing is done again.
func TestQuestionAfterTheFact(t *testing.T) {
	asking(t, func(r *rig) {
		r.s.ClipboardFromTarget("x " + line)
		synctest.Wait()
		q := r.s.status.Question
		require.NotNil(r.t, q)
		require.Equal(r.t, ann.Person, q.Person)
		require.False(r.t, q.Held)
		r.take()
		sent, err := r.answer(ann, q, "why")
		require.NoError(r.t, err)
		require.False(r.t, sent)
		r.want(r.take("send"))
		r.press(key('x', true))
	})
}

// TestQuestionOverABrokenLink: the target's next session is another.
func TestQuestionOverABrokenLink(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		r.s.LinkLost()
		r.s.LinkRestored()
		synctest.Wait()
		r.take()
		sent, err := r.answer(ann, q, "why")
		require.NoError(r.t, err)
		require.False(r.t, sent)
		r.want(r.take("send"))
	})
}

func TestQuestionOfASecretLine(t *testing.T) {
	asking(t, func(r *rig) { require.Empty(r.t, r.askedWhy().Excerpt) }, secret)
}

// TestQuestionsEndWithTheSession leaves nothing behind.
func TestQuestionsEndWithTheSession(t *testing.T) {
	asking(t, func(r *rig) {
		q := r.askedWhy()
		r.s.Terminate(Person{}, End{})
		r.end(EndTerminated)
		_, err := r.answer(ann, q, "why")
		require.ErrorIs(r.t, err, RefusedEnded)
		r.want(r.take("send"))
	})
}
