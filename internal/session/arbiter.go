package session

import (
	"image"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// arbiter decides on every act of a person: who may, what, how often, and where. What passes is recorded and then queued
// for the target, in that order. The loop owns it.
type arbiter struct {
	policy Policy
	screen func() image.Point            // the present desktop's size
	record func(e recording.Event) error // notes an event, or fails the session
	// withheld tells whether a rule keeps from the target what these events would record; nil: none does.
	withheld func(v Viewer, in desktop.Input, events []recording.Event) bool
	queue    *queue
	rate     *rate.Limiter
	toClip   *rate.Limiter
	passed   uint64 // acts let through

	holder  Viewer             // of control; no ID: nobody
	keys    []desktop.KeyEvent // held on the target, in order of pressing
	pointer desktop.PointerEvent
}

func newArbiter(policy Policy, screen func() image.Point, record func(recording.Event) error, q *queue) *arbiter {
	return &arbiter{
		policy: policy, screen: screen, record: record, queue: q,
		rate:   rate.NewLimiter(inputRate, inputBurst),
		toClip: rate.NewLimiter(clipboardRate, clipboardBurst),
	}
}

// verdict is what becomes of an act.
type verdict struct {
	// err, a Refusal or the recorder's failure, is final.
	err error
	// wait, when not zero, is how long the act must wait for the rate. It is paid for then.
	wait time.Duration
	// freed, when not nil, is closed when the target has taken something; until then there is no room.
	freed <-chan struct{}
}

func refuse(r Refusal) verdict { return verdict{err: r} }

// decide lets an act of v through or says what keeps it. paid is set when the act has waited for the rate already.
func (a *arbiter) decide(v Viewer, in desktop.Input, paid bool) verdict {
	if a.holder.ID == "" || v.ID != a.holder.ID {
		return refuse(RefusedControl)
	}
	if err := a.allows(in); err != nil {
		return verdict{err: err}
	}
	in, err := a.normalise(in)
	if err != nil {
		return verdict{err: err}
	}
	motion := a.isMotion(in)
	if !paid && !a.lets(in) {
		wait, ok := a.reserve(in)
		switch {
		case motion && (!ok || wait > 0):
			return verdict{} // the next one tells where the pointer is
		case !ok:
			return refuse(RefusedTooFast)
		case wait > 0:
			return verdict{wait: wait}
		}
	}
	if !motion && !a.lets(in) {
		if ok, freed := a.queue.room(); !ok {
			return verdict{freed: freed}
		}
	}
	return verdict{err: a.pass(v, in, motion)}
}

// normalise brings an act into bounds, or refuses it. The doors have done so before; this is the second lock.
func (a *arbiter) normalise(in desktop.Input) (desktop.Input, error) {
	switch in := in.(type) {
	case desktop.KeyEvent:
		if in.Down && !a.holds(in) && len(a.keys) == maxHeldKeys {
			return nil, RefusedTooFast
		}
		return in, nil
	case desktop.TextInput:
		return in, checkText(in.Text, maxTextBytes)
	case desktop.LockKeys:
		return in, nil
	case desktop.ClipboardText:
		return in, checkText(in.Text, desktop.MaxClipboardBytes)
	case desktop.PointerEvent:
		in.Pos, in.Buttons = a.clamp(in.Pos), in.Buttons&allButtons
		return in, nil
	case desktop.WheelEvent:
		in.Pos, in.Buttons = a.clamp(in.Pos), a.pointer.Buttons
		in.DX = max(-desktop.MaxWheelNotches, min(in.DX, desktop.MaxWheelNotches))
		in.DY = max(-desktop.MaxWheelNotches, min(in.DY, desktop.MaxWheelNotches))
		return in, nil
	}
	return nil, RefusedMalformed
}

const allButtons = desktop.ButtonLeft | desktop.ButtonMiddle | desktop.ButtonRight | desktop.ButtonBack | desktop.ButtonForward

func checkText(text string, most int) error {
	switch {
	case len(text) > most:
		return RefusedTooLong
	case !utf8.ValidString(text):
		return RefusedMalformed
	}
	return nil
}

// clamp moves p into the picture.
func (a *arbiter) clamp(p image.Point) image.Point {
	size := a.screen()
	return image.Pt(max(0, min(p.X, size.X-1)), max(0, min(p.Y, size.Y-1)))
}

// isMotion tells whether an act only moves the pointer.
func (a *arbiter) isMotion(in desktop.Input) bool {
	p, ok := in.(desktop.PointerEvent)
	return ok && p.Buttons == a.pointer.Buttons
}

// lets tells whether an act only lets go of what is held. It never waits: a key that stays down does harm, and there is
// no more of it than was pressed.
func (a *arbiter) lets(in desktop.Input) bool {
	switch in := in.(type) {
	case desktop.KeyEvent:
		return !in.Down && a.holds(in)
	case desktop.PointerEvent:
		return in.Buttons != a.pointer.Buttons && in.Buttons&^a.pointer.Buttons == 0
	}
	return false
}

func (a *arbiter) holds(k desktop.KeyEvent) bool {
	k.Down = true
	return slices.Contains(a.keys, k)
}

// reserve pays for an act. ok is unset when it would have to wait too long.
func (a *arbiter) reserve(in desktop.Input) (wait time.Duration, ok bool) {
	limiter, cost, most := a.rate, 1, maxInputDelay
	switch in := in.(type) {
	case desktop.TextInput:
		cost += len(in.Text) / textBytesPerAct
	case desktop.WheelEvent:
		cost += max(in.DX, -in.DX) + max(in.DY, -in.DY)
	case desktop.ClipboardText:
		limiter, cost, most = a.toClip, clipboardCost+len(in.Text), maxClipboardDelay
	case desktop.PointerEvent:
		if a.isMotion(in) {
			return 0, limiter.Allow()
		}
	}
	now := time.Now()
	r := limiter.ReserveN(now, cost)
	if wait = r.DelayFrom(now); wait > most {
		r.CancelAt(now)
		return 0, false
	}
	return wait, true
}

// pass records an act and queues it.
func (a *arbiter) pass(v Viewer, in desktop.Input, motion bool) error {
	if p, ok := in.(desktop.PointerEvent); ok && p == a.pointer && a.passed > 0 {
		return nil // nothing new
	}
	events := a.events(v.Person.Name, in)
	if a.withheld != nil && a.withheld(v, in, events) {
		return RefusedByRule
	}
	for _, e := range events {
		if a.record(e) != nil {
			return RefusedNotRecorded
		}
	}
	switch in := in.(type) {
	case desktop.KeyEvent:
		a.hold(in)
	case desktop.PointerEvent:
		a.pointer = in
	case desktop.WheelEvent:
		a.pointer.Pos = in.Pos
	}
	a.passed++
	a.queue.push(act{in, motion})
	return nil
}

// hold keeps account of the keys held down.
func (a *arbiter) hold(k desktop.KeyEvent) {
	switch held := a.holds(k); {
	case k.Down && !held:
		a.keys = append(a.keys, k)
	case !k.Down && held:
		k.Down = true
		a.keys = slices.DeleteFunc(a.keys, func(h desktop.KeyEvent) bool { return h == k })
	}
}

// events is what the recording says of an act. Motion alone is seen in the pictures, and what locked keys change is in the
// keysyms of the keys that follow.
func (a *arbiter) events(actor string, in desktop.Input) []recording.Event {
	switch in := in.(type) {
	case desktop.KeyEvent:
		return []recording.Event{recording.KeyEvent{
			Actor: actor, Keysym: uint32(in.Keysym), Key: keyboard.Name(in.Keysym), Down: in.Down,
		}}
	case desktop.TextInput:
		return []recording.Event{recording.TextEvent{Actor: actor, Text: in.Text}}
	case desktop.ClipboardText:
		return []recording.Event{recording.ClipboardEvent{Actor: actor, Direction: recording.ToTarget, Text: in.Text}}
	case desktop.WheelEvent:
		return []recording.Event{recording.WheelEvent{Actor: actor, X: in.Pos.X, Y: in.Pos.Y, DX: in.DX, DY: in.DY}}
	case desktop.PointerEvent:
		var events []recording.Event
		note := func(action recording.PointerAction) {
			events = append(events, recording.PointerEvent{
				Actor: actor, X: in.Pos.X, Y: in.Pos.Y, Buttons: uint8(in.Buttons), Action: action,
			})
		}
		if a.pointer.Buttons&^in.Buttons != 0 {
			note(recording.PointerUp)
		}
		if in.Buttons&^a.pointer.Buttons != 0 {
			note(recording.PointerDown)
		}
		return events
	}
	return nil
}

// releaseAll lets go of whatever is held, the key pressed last first. What cannot be recorded is released all the same:
// it adds nothing to what was done.
func (a *arbiter) releaseAll() {
	release := func(in desktop.Input) {
		for _, e := range a.events(a.holder.Person.Name, in) {
			_ = a.record(e)
		}
		a.queue.push(act{in: in})
	}
	for _, k := range slices.Backward(a.keys) {
		k.Down = false
		release(k)
	}
	a.keys = nil
	if a.pointer.Buttons != 0 {
		up := desktop.PointerEvent{Pos: a.pointer.Pos}
		release(up)
		a.pointer = up
	}
}
