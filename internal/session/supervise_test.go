package session

import (
	"errors"
	"image"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// freeze lets bob freeze the session.
func (r *rig) freeze() {
	r.t.Helper()
	if err := r.s.Freeze(r.t.Context(), bob.Person, End{Message: "Wait for the supervisor."}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// takeOver lets v take over, who watches already.
func (r *rig) takeOver(v Viewer) {
	r.t.Helper()
	if err := r.s.TakeOver(r.t.Context(), v.Person, "", false); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// act lets v do something that must be taken.
func (r *rig) act(v Viewer, in desktop.Input) {
	r.t.Helper()
	if err := r.s.Input(r.t.Context(), v, in); err != nil {
		r.t.Errorf("%s: %v", v.Person.Name, err)
	}
	synctest.Wait()
}

// stillRefused is refused after what came before has been sent.
func (r *rig) stillRefused(why Refusal, v Viewer, in desktop.Input) {
	r.t.Helper()
	synctest.Wait()
	r.take()
	r.refused(why, v, in)
}

func (r *rig) is(want, err error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Errorf("got %v, want %v", err, want)
	}
}

// watched adds bob and cid to an active session.
func watched(t *testing.T, test func(r *rig)) {
	inActive(t, func(r *rig) {
		r.s.ViewerJoined(bob)
		r.s.ViewerJoined(cid)
		synctest.Wait()
		r.take()
		test(r)
	})
}

func TestFreezeAndResume(t *testing.T) {
	inActive(t, func(r *rig) {
		r.press(key('a', true), pointer(5, 6, desktop.ButtonLeft))
		r.take()
		began := time.Now()
		r.freeze()
		// What was held is let go before anything is said, so that nothing goes on repeating behind the glass. The hub is not told: the door
		// stops the pictures of the session's own person only.
		r.want(r.take("record", "pictures", "door", "status"),
			"record key ann a false", "record pointer ann up 0 at 5,6", "door shows a still of (100,75) by bob: Wait for the supervisor.",
			"record freeze bob frozen: Wait for the supervisor.", "record state frozen frozen", `status frozen frozen 800x600 "desk"`, "door frozen frozen")
		if f := r.s.status.Frozen; f == nil || f.By != bob.Person || f.Since != began {
			t.Errorf("the status tells of %+v", f)
		}
		r.refused(RefusedFrozen, ann, key('b', true))
		r.is(RefusedFrozen, r.s.Resize(r.t.Context(), ann, image.Pt(640, 480)))
		r.s.ClipboardFromTarget("secret")
		r.s.Bell()
		r.is(RefusedFrozenBefore, r.s.Freeze(r.t.Context(), cid.Person, End{Code: "rule", Message: "Later."}))
		synctest.Wait()
		r.want(r.take("door"))
		r.is(nil, r.s.Resume(r.t.Context(), cid.Person))
		r.want(r.take("record resume", "record state", "pictures", "door"),
			"record resume cid", "record state active ", "pictures still false", "door active ", "door lets go on")
		if r.s.status.Frozen != nil {
			t.Error("the status tells of a freeze that is over")
		}
		r.press(key('b', true))
		r.want(r.take("send"), "send key {Keysym:98 Scancode:0 Down:true}")
		r.is(RefusedNotFrozen, r.s.Resume(r.t.Context(), bob.Person))
		r.running()
		r.want(r.take())
		// By a rule, without words.
		r.is(nil, r.s.Freeze(r.t.Context(), Person{}, End{}))
		r.want(r.take("record freeze"), "record freeze  frozen: A supervisor has frozen the session.")
	})
}

// TestFrozenIsNotIdle: a session that waits for a supervisor does not end for lack of input.
func TestFrozenIsNotIdle(t *testing.T) {
	inActive(t, func(r *rig) {
		time.Sleep(9*time.Minute + 30*time.Second) // warned
		r.freeze()
		r.take()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		r.running()
		r.is(nil, r.s.Resume(r.t.Context(), bob.Person))
		time.Sleep(8 * time.Minute)
		synctest.Wait()
		r.running()
		time.Sleep(3 * time.Minute)
		r.end(EndIdle)
	}, func(r *rig) { r.cfg.IdleLimit, r.cfg.IdleWarning = 10*time.Minute, time.Minute })
}

// TestFrozenEnds: a frozen session ends like any other, its reason is what is shown, and the recording knows who did it.
func TestFrozenEnds(t *testing.T) {
	inActive(t, func(r *rig) {
		r.freeze()
		r.take()
		r.s.Terminate(bob.Person, End{Code: EndTerminated, Message: "Enough."})
		r.end(EndTerminated)
		r.want(r.take("record state"), "record state ended terminated by bob")
		r.is(RefusedEnded, r.s.Freeze(r.t.Context(), bob.Person, End{}))
	})
}

func TestTakeOver(t *testing.T) {
	watched(t, func(r *rig) {
		r.press(key('a', true), pointer(5, 6, desktop.ButtonLeft))
		r.take()
		r.takeOver(bob)
		r.want(r.take("record", "door", "viewers"),
			"record key ann a false", "record pointer ann up 0 at 5,6", "record control released ann", "record control taken_over bob from ann",
			"door control v2 bob", "viewers ann view, bob control, cid view")
		r.refused(RefusedTakenOver, ann, key('b', true))
		r.refused(RefusedControl, cid, key('b', true))
		r.is(RefusedTakenOver, r.s.Resize(r.t.Context(), ann, image.Pt(640, 480)))
		r.act(bob, key('x', true))
		r.want(r.take("record key", "send"), "record key bob x true", "send key {Keysym:120 Scancode:0 Down:true}")
		r.s.ClipboardFromTarget("text")
		synctest.Wait()
		r.want(r.take("record clipboard", "door"), "record clipboard bob from_target text", "door clipboard text")
		r.is(RefusedHasControl, r.s.TakeOver(r.t.Context(), bob.Person, "", false))
		r.is(RefusedTaken, r.s.Release(r.t.Context(), cid.Person))
		r.is(nil, r.s.Release(r.t.Context(), bob.Person))
		r.want(r.take("record", "door", "viewers"),
			"record key bob x false", "record control released bob", "record control returned ann from bob", "door control  ",
			"viewers ann control, bob view, cid view")
		synctest.Wait()
		r.take() // what bob held goes up
		r.refused(RefusedControl, bob, key('b', true))
		r.press(key('b', true))
		r.is(RefusedNotTaken, r.s.Release(r.t.Context(), bob.Person))
	})
}

// TestTakeOverByAnother: a second supervisor takes over only by saying that it is from the first; when the second goes, the person has
// control again.
func TestTakeOverByAnother(t *testing.T) {
	watched(t, func(r *rig) {
		r.takeOver(bob)
		r.act(bob, key('x', true))
		r.take()
		r.is(RefusedTaken, r.s.TakeOver(r.t.Context(), cid.Person, "", false))
		r.want(r.take("record", "door"))
		r.is(nil, r.s.TakeOver(r.t.Context(), cid.Person, "v3", true))
		r.want(r.take("record", "door", "viewers"),
			"record key bob x false", "record control released bob", "record control taken_over cid from bob", "door control v3 cid",
			"viewers ann view, bob view, cid control")
		r.stillRefused(RefusedControl, bob, key('b', true))
		r.act(cid, key('c', true))
		r.take()
		r.s.ViewerLeft(cid, "connection lost")
		r.want(r.take("record", "door", "viewers"),
			"record key cid c false", "record control released cid", "record control returned ann from cid", "door control  ",
			"viewers ann control, bob view", "record leave cid v3: connection lost", "door watched by []")
		r.press(key('b', true))
	})
}

// TestTakeOverNeedsAViewer: of the person's own, and in a session that is there.
func TestTakeOverNeedsAViewer(t *testing.T) {
	inRig(t, func(r *rig) {
		r.s.ViewerJoined(bob)
		r.is(RefusedConnecting, r.s.TakeOver(r.t.Context(), bob.Person, "", false))
		connected(r)
		r.is(RefusedNotWatching, r.s.TakeOver(r.t.Context(), cid.Person, "", false))
		r.is(RefusedNotWatching, r.s.TakeOver(r.t.Context(), cid.Person, "v2", false))
		second := bob
		second.ID = "v9"
		r.s.ViewerJoined(second)
		r.takeOver(bob) // the one that came last; nobody had control
		r.act(second, key('a', true))
		r.refused(RefusedControl, bob, key('a', true))
		r.is(nil, r.s.TakeOver(r.t.Context(), bob.Person, "v2", false)) // in one's other window
		r.act(bob, key('a', true))
		r.take()
		r.s.ViewerLeft(bob, "closed")
		r.want(r.take("door", "record control"), "record control released bob", "door control  ")
	})
}

// TestClaimDuringTakeOver: the person's page may be loaded anew or closed meanwhile; control returns to whatever is there then.
func TestClaimDuringTakeOver(t *testing.T) {
	watched(t, func(r *rig) {
		r.takeOver(bob)
		r.take()
		again := ann
		again.ID = "v8"
		r.s.RoleChanged(as(ann, RoleView)) // as the door says when the page is loaded anew
		r.s.ViewerJoined(again)
		r.s.ViewerLeft(ann, "closed by the browser")
		r.want(r.take("record control", "door"))
		r.refused(RefusedTakenOver, again, key('b', true))
		r.act(bob, key('x', true))
		r.take()
		r.is(nil, r.s.Release(r.t.Context(), bob.Person))
		r.want(r.take("record control", "viewers"), "record control released bob", "record control returned ann from bob",
			"viewers bob view, cid view, ann control")
		r.act(again, key('b', true))

		r.takeOver(bob)
		r.s.ViewerLeft(again, "gone")
		r.take()
		r.is(nil, r.s.Release(r.t.Context(), bob.Person))
		r.want(r.take("record control", "viewers"), "record control released bob", "viewers bob view, cid view")
	})
}

// TestTakeOverOfAFrozenSession: the supervisor acts while the person is shut out, in either order, and as long as the link holds.
func TestTakeOverOfAFrozenSession(t *testing.T) {
	watched(t, func(r *rig) {
		r.freeze()
		r.takeOver(bob)
		r.take()
		r.act(bob, key('x', true))
		r.stillRefused(RefusedFrozen, ann, key('b', true))
		r.stillRefused(RefusedFrozen, cid, key('b', true))
		r.is(nil, r.s.Release(r.t.Context(), bob.Person))
		r.stillRefused(RefusedFrozen, ann, key('b', true))
		r.stillRefused(RefusedFrozen, bob, key('b', true))
		r.is(nil, r.s.Resume(r.t.Context(), bob.Person))
		r.press(key('b', true))

		r.takeOver(bob)
		r.act(bob, key('y', true))
		r.take()
		r.freeze()
		r.want(r.take("record key"))
		r.act(bob, key('z', true))
		r.s.LinkLost()
		r.stillRefused(RefusedFrozen, bob, key('z', true))
		r.s.LinkRestored()
		r.act(bob, key('z', true))
		r.is(nil, r.s.Resume(r.t.Context(), cid.Person))
		r.stillRefused(RefusedTakenOver, ann, key('b', true))
		r.act(bob, key('q', true))
	})
}

func TestMessage(t *testing.T) {
	watched(t, func(r *rig) {
		id, err := r.s.Message(r.t.Context(), bob.Person, "  Please call me.\n")
		r.is(nil, err)
		r.want(r.take(), "record message sent bob: Please call me.", "door message from bob: Please call me.")
		r.s.Acknowledge(cid, id) // who watches has not read it for the person
		r.s.Acknowledge(ann, "another")
		r.want(r.take())
		r.s.Acknowledge(ann, id)
		r.s.Acknowledge(ann, id)
		r.want(r.take(), "record message acknowledged ann: ")
		for name, text := range map[string]string{"empty": " ", "too long": strings.Repeat("ä", maxMessageBytes), "malformed": "\xff"} {
			if _, err := r.s.Message(r.t.Context(), bob.Person, text); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
		for range maxMessages {
			_, err := r.s.Message(r.t.Context(), bob.Person, "again")
			r.is(nil, err)
		}
		_, err = r.s.Message(r.t.Context(), bob.Person, "once more")
		r.is(RefusedMessages, err)
	})
}

// TestAnnounced: of those who watch the person sees whom they are to see, each once.
func TestAnnounced(t *testing.T) {
	inActive(t, func(r *rig) {
		second := cid
		second.ID = "v4"
		r.s.ViewerJoined(bob)
		r.s.ViewerJoined(cid)
		r.s.ViewerJoined(second)
		r.s.ViewerLeft(cid, "closed")
		r.s.ViewerLeft(bob, "closed")
		r.s.ViewerLeft(second, "closed")
		r.want(r.take("record watch", "door"),
			"record watch bob v2 announced false", "record watch cid v3 announced true", `door watched by ["cid"]`,
			"record watch cid v4 announced true", `door watched by ["cid"]`, `door watched by ["cid"]`, "door watched by []")
	})
}
