package policy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/vitrine-psm/vitrine/internal/config"
)

// Values of Obligations.Keys, the least recorded last.
const (
	KeysFull     = "full"
	KeysCommands = "commands"
	KeysNone     = "none"
)

// Values of Obligations.Watching.
const (
	WatchingAnnounced = "announced"
	WatchingSilent    = "silent"
)

// Bounds of durations in obligations.
const (
	minMaxDuration = time.Minute
	minIdleLimit   = time.Minute
	maxObliged     = 31 * 24 * time.Hour
	maxApprovals   = 10
	maxSessions    = 1000
)

// An obligation is an annotation of a permit: @max_duration("4h") and so on.
type obligation struct {
	about string
	read  func(o *Obligations, value string) error
}

// obligations are the annotations that oblige.
var obligations = map[string]obligation{
	"max_duration": {`how long a session may last, such as "4h"`, func(o *Obligations, v string) (err error) {
		o.MaxDuration, err = obligedDuration(v, minMaxDuration)
		return err
	}},
	"idle_limit": {`how long a session may go without input, such as "15m"`, func(o *Obligations, v string) (err error) {
		o.IdleLimit, err = obligedDuration(v, minIdleLimit)
		return err
	}},
	"keys": {`how much of the keyboard is recorded: "full", "commands" or "none"`, func(o *Obligations, v string) error {
		if keysRank(v) == 0 {
			return fmt.Errorf(`want "full", "commands" or "none", not %q`, v)
		}
		o.Keys = v
		return nil
	}},
	"retention": {`how long the recording is kept after the session's end, such as "365d"; the longest holds`, func(o *Obligations, v string) (err error) {
		o.Retention, err = config.ParseRetention(v)
		return err
	}},
	"ocr": {`"on": text on the screen is read, recorded and looked at by the rules of detection`, func(o *Obligations, v string) error {
		o.OCR = true
		return only("on", v)
	}},
	"approvals": {`how many people must have approved, such as "2"`, func(o *Obligations, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxApprovals {
			return fmt.Errorf("want a number from 1 to %d, not %q", maxApprovals, v)
		}
		o.Approvals = n
		return nil
	}},
	"max_sessions": {`how many sessions a person may run at a time, such as "2"`, func(o *Obligations, v string) (err error) {
		o.MaxSessions, err = obligedNumber(v)
		return err
	}},
	"max_target_sessions": {`how many sessions may run on the target at a time, such as "1"`, func(o *Obligations, v string) (err error) {
		o.MaxTargetSessions, err = obligedNumber(v)
		return err
	}},
	"reason": {`"required": a reason must be given`, func(o *Obligations, v string) error {
		o.ReasonNeeded = true
		return only("required", v)
	}},
	"ticket": {`"required": a ticket must be named`, func(o *Obligations, v string) error {
		o.TicketNeeded = true
		return only("required", v)
	}},
	"watching": {`whether the person in the session sees who watches it: "announced" or "silent"`, func(o *Obligations, v string) error {
		if v != WatchingAnnounced && v != WatchingSilent {
			return fmt.Errorf(`want "announced" or "silent", not %q`, v)
		}
		o.Watching = v
		return nil
	}},
	"watermark": {`"on": the person, the time and the session's id are drawn into the picture`, func(o *Obligations, v string) error {
		o.Watermark = true
		return only("on", v)
	}},
}

// remarks are annotations that say something to people and nothing to the engine.
var remarks = map[string]bool{"id": true, "doc": true, "description": true, "advice": true}

func only(want, value string) error {
	if value != want {
		return fmt.Errorf("want %q, not %q", want, value)
	}
	return nil
}

func obligedNumber(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxSessions {
		return 0, fmt.Errorf("want a number from 1 to %d, not %q", maxSessions, v)
	}
	return n, nil
}

func obligedDuration(v string, least time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < least || d > maxObliged {
		return 0, fmt.Errorf(`want a time from "1m" to "744h", not %q`, v)
	}
	return d, nil
}

// readObligations returns what a statement obliges to. Annotations that are none are left to the checker.
func readObligations(p *ast.Policy) (Obligations, error) {
	var o Obligations
	for _, a := range p.Annotations {
		known, ok := obligations[string(a.Key)]
		if !ok {
			continue
		}
		if err := known.read(&o, string(a.Value)); err != nil {
			return Obligations{}, fmt.Errorf("@%s: %w", a.Key, err)
		}
	}
	return o, nil
}

// keysRank orders the key modes by how little of the person's typing is kept, the least last; 0: none of them. The strictest
// keeps least: what must not be kept is not kept because another policy does not mind.
func keysRank(keys string) int {
	switch keys {
	case KeysFull:
		return 1
	case KeysCommands:
		return 2
	case KeysNone:
		return 3
	}
	return 0
}

// Strictest returns what holds when both oblige.
func (o Obligations) Strictest(p Obligations) Obligations {
	if keysRank(p.Keys) > keysRank(o.Keys) {
		o.Keys = p.Keys
	}
	o.MaxDuration = shorter(o.MaxDuration, p.MaxDuration)
	o.IdleLimit = shorter(o.IdleLimit, p.IdleLimit)
	o.Retention = max(o.Retention, p.Retention) // what one of them wants kept is kept
	o.Watermark = o.Watermark || p.Watermark
	o.OCR = o.OCR || p.OCR
	o.Approvals = max(o.Approvals, p.Approvals)
	o.MaxSessions = shorter(o.MaxSessions, p.MaxSessions)
	o.MaxTargetSessions = shorter(o.MaxTargetSessions, p.MaxTargetSessions)
	o.ReasonNeeded = o.ReasonNeeded || p.ReasonNeeded
	o.TicketNeeded = o.TicketNeeded || p.TicketNeeded
	if o.Watching == "" || p.Watching == WatchingAnnounced {
		o.Watching = p.Watching
	}
	return o
}

// shorter returns the shorter of two times, or the less of two numbers, of which 0 is none.
func shorter[T int | time.Duration](a, b T) T {
	switch {
	case a == 0:
		return b
	case b == 0:
		return a
	}
	return min(a, b)
}

// List returns the obligations in words, for people.
func (o Obligations) List() []string {
	var out []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(o.Approvals == 1, "needs the approval of somebody else")
	add(o.Approvals > 1, "needs the approval of %d people", o.Approvals)
	add(o.ReasonNeeded, "needs a reason")
	add(o.TicketNeeded, "needs a ticket")
	add(o.MaxDuration > 0, "ends after %s", spoken(o.MaxDuration))
	add(o.IdleLimit > 0, "ends after %s without input", spoken(o.IdleLimit))
	add(o.MaxSessions == 1, "at most 1 session of a person at a time")
	add(o.MaxSessions > 1, "at most %d sessions of a person at a time", o.MaxSessions)
	add(o.MaxTargetSessions == 1, "at most 1 session on the target at a time")
	add(o.MaxTargetSessions > 1, "at most %d sessions on the target at a time", o.MaxTargetSessions)
	add(o.Keys == KeysFull, "every key is recorded")
	add(o.Keys == KeysCommands, "of the keyboard only commands are recorded")
	add(o.Keys == KeysNone, "no key is recorded")
	add(o.Retention > 0, "its recording is kept for %s", config.Retention(o.Retention))
	add(o.Watching == WatchingAnnounced, "the person in the session is told who watches")
	add(o.Watching == WatchingSilent, "the person in the session is not told who watches")
	add(o.Watermark, "person, time and session are drawn into the picture")
	add(o.OCR, "text on the screen is read")
	return out
}

// spoken writes a duration without the zeros that time.Duration ends with.
func spoken(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if len(s) > len(zero) && s[len(s)-len(zero):] == zero {
			s = s[:len(s)-len(zero)+1]
		}
	}
	return s
}
