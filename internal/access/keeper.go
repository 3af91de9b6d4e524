package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

// Why sessions end, as package session names it.
const (
	EndPolicyRevoked     = "policy_revoked"
	EndWindowClosed      = "window_closed"
	EndMaxDuration       = "max_duration"
	EndUserDisabled      = "user_disabled"
	EndPolicyUnavailable = "policy_unavailable"
)

// Times of a Keeper.
const (
	// lookInterval is how often all sessions are looked at.
	lookInterval = 3 * time.Second
	// lookTimeout bounds the look at one session.
	lookTimeout = 5 * time.Second
	// shortWarning bounds the warning where somebody took the access away: what they want is that it ends.
	shortWarning = 15 * time.Second
	// UndecidedGrace is how long a session goes on that cannot be decided about.
	UndecidedGrace = 5 * time.Minute
)

// Ending is an end that is foreseen. Without a code there is none.
type Ending struct {
	Code     string
	Message  string
	Deadline time.Time
	// relative: the Deadline counts from when the reason was found, so looking again must not put it off.
	relative bool
}

// Running does to running sessions what a Keeper decides. Errors are about sessions that have just ended, or are tried again.
type Running interface {
	Announce(ctx context.Context, id string, e Ending) error
	Permit(ctx context.Context, id string, c Clipboard) error
	Terminate(ctx context.Context, id, code, message string) error
}

// ErrDisabled is returned by People for somebody who may not sign in any more.
var ErrDisabled = errors.New("access: the account is disabled or gone")

// People knows who people are now.
type People interface {
	// Subject returns a person's name, roles and groups, or ErrDisabled.
	Subject(ctx context.Context, userID string) (policy.Subject, error)
}

// KeeperOptions are what a Keeper is made of.
type KeeperOptions struct {
	Desk    *Desk
	Running Running
	People  People
	// Tags returns the present tags of a target and an account on it; nil: those of the admission stay.
	Tags func(ctx context.Context, target, account string) ([]string, error)
	// Changed returns a channel that is closed when policies change; nil: they never do.
	Changed func() <-chan struct{}
	// Warning is how long people are warned before a session ends.
	Warning time.Duration
	Logger  *slog.Logger     // nil: none
	Now     func() time.Time // nil: time.Now
}

// Keeper keeps the running sessions within what is allowed. Run must run.
type Keeper struct {
	KeeperOptions
	poke chan struct{} // capacity 1: look at once

	mu       sync.Mutex
	sessions map[string]*kept
}

// kept is a session under a Keeper's eyes. Only Run's goroutine changes it.
type kept struct {
	id        string
	facts     Facts
	onGrant   bool
	clipboard Clipboard // as it is in the session
	ending    Ending
	told      Ending    // what the people in it were told last
	undecided time.Time // since when nothing could be decided; zero: it can
}

// NewKeeper returns a Keeper without sessions.
func NewKeeper(opts KeeperOptions) *Keeper {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Changed == nil {
		opts.Changed = func() <-chan struct{} { return nil }
	}
	return &Keeper{KeeperOptions: opts, poke: make(chan struct{}, 1), sessions: map[string]*kept{}}
}

// Began puts a session under the Keeper's eyes.
func (k *Keeper) Began(id string, a Admission) {
	k.mu.Lock()
	k.sessions[id] = &kept{id: id, facts: a.Facts, onGrant: a.Grant != nil, clipboard: a.Clipboard}
	k.mu.Unlock()
	k.Poke()
}

// Ended takes it away.
func (k *Keeper) Ended(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.sessions, id)
}

// Poke makes the Keeper look at once: something has changed. It does not wait.
func (k *Keeper) Poke() {
	select {
	case k.poke <- struct{}{}:
	default:
	}
}

// Run looks after the sessions until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	timer := time.NewTimer(lookInterval)
	defer timer.Stop()
	for {
		changed := k.Changed()
		next := k.look(ctx)
		timer.Reset(min(lookInterval, max(0, next.Sub(k.Now()))))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-changed:
		case <-k.poke:
		}
	}
}

// look decides about every session and returns when the next one ends, at the latest after lookInterval.
func (k *Keeper) look(ctx context.Context) time.Time {
	k.mu.Lock()
	all := make([]*kept, 0, len(k.sessions))
	for _, s := range k.sessions {
		all = append(all, s)
	}
	k.mu.Unlock()
	next := k.Now().Add(lookInterval)
	for _, s := range all {
		if ctx.Err() != nil {
			break
		}
		look, cancel := context.WithTimeout(ctx, lookTimeout)
		k.keep(look, s)
		cancel()
		if s.ending.Code != "" && s.ending.Deadline.Before(next) {
			next = s.ending.Deadline
		}
	}
	return next
}

// keep does to one session what is decided about it.
func (k *Keeper) keep(ctx context.Context, s *kept) {
	now, changed := k.Now(), k.Changed()
	found, err := k.foresee(ctx, s, now)
	if k.Changed() != changed {
		return // half of it was decided by other policies; Run looks again at once
	}
	switch {
	case err == nil:
		s.undecided = time.Time{}
		s.ending = settle(s.ending, found)
	case s.undecided.IsZero():
		s.undecided = now
		k.Logger.ErrorContext(ctx, "cannot decide whether a session may go on", "session_id", s.id, "error", err, "goes_on_for", UndecidedGrace)
	case now.Sub(s.undecided) >= UndecidedGrace || errors.Is(err, policy.ErrStale): // the engine has waited itself
		s.ending = settle(s.ending, k.soon(EndPolicyUnavailable, "The gateway cannot decide whether this session may go on.", k.Warning))
	}
	if s.ending.Code != "" && !now.Before(s.ending.Deadline) {
		k.Logger.InfoContext(ctx, "session ends by policy", "session_id", s.id, "code", s.ending.Code)
		message := s.ending.Message
		if s.ending.Code == EndWindowClosed {
			message = messageWindow
		}
		if err := k.Running.Terminate(ctx, s.id, s.ending.Code, message); err != nil {
			k.Logger.WarnContext(ctx, "session not ended", "session_id", s.id, "error", err)
			s.ending.Deadline = now.Add(time.Second) // again
		}
		return
	}
	if s.ending != s.told {
		if err := k.Running.Announce(ctx, s.id, s.ending); err != nil {
			k.Logger.WarnContext(ctx, "people not warned of a session's end", "session_id", s.id, "error", err)
			return
		}
		k.Logger.InfoContext(ctx, "session end announced", "session_id", s.id, "code", s.ending.Code, "deadline", s.ending.Deadline)
		s.told = s.ending
	}
}

// settle keeps the deadline people were told, where the reason is the same and the end was not really put off.
func settle(before, found Ending) Ending {
	if found.Code == "" || found.Code != before.Code {
		return found
	}
	if found.relative || found.Deadline.Sub(before.Deadline).Abs() < 2*time.Second {
		return before
	}
	return found
}

// foresee decides whether the session may go on, and until when. An Ending without code means that no end is in sight.
func (k *Keeper) foresee(ctx context.Context, s *kept, now time.Time) (Ending, error) {
	who, err := k.People.Subject(ctx, s.facts.Subject.ID)
	if errors.Is(err, ErrDisabled) {
		return k.soon(EndUserDisabled, "This account may not be used any more.", shortWarning), nil
	}
	if err != nil {
		return Ending{}, err
	}
	s.facts.Subject.Name, s.facts.Subject.Roles, s.facts.Subject.Groups = who.Name, who.Roles, who.Groups
	if k.Tags != nil {
		if s.facts.Resource.Tags, err = k.Tags(ctx, s.facts.Resource.Target, s.facts.Resource.Account); err != nil {
			return Ending{}, err
		}
	}
	grant, granted, err := k.grant(ctx, s, now)
	if err != nil {
		return Ending{}, err
	}
	yes, obligations, err := k.mayGoOn(ctx, s, now, granted)
	if err != nil {
		return Ending{}, err
	}
	if !yes {
		return k.closed(ctx, s, grant, granted)
	}
	if err := k.clipboard(ctx, s, now, granted); err != nil {
		return Ending{}, err
	}
	end, err := k.over(ctx, s, obligations)
	if err != nil || end.Code != "" {
		return end, err
	}
	return k.ahead(ctx, s, grant, granted, obligations, now)
}

// grant returns what covers the session.
func (k *Keeper) grant(ctx context.Context, s *kept, now time.Time) (Grant, bool, error) {
	if s.onGrant {
		return k.Desk.Grants.Covers(ctx, s.id, now)
	}
	return k.Desk.Grants.Active(ctx, s.facts.Subject.ID, s.facts.Resource.Target, s.facts.Resource.Account, now)
}

// mayGoOn asks policy.
func (k *Keeper) mayGoOn(ctx context.Context, s *kept, at time.Time, granted bool) (bool, policy.Obligations, error) {
	d, err := k.Desk.Authorizer.Authorize(ctx, s.facts.query(policy.Connect, at, granted))
	if err != nil {
		return false, policy.Obligations{}, err
	}
	return d.Allowed && (granted || d.Obligations.Approvals == 0), d.Obligations, nil
}

// closed says why a session may not go on, and how long it still does.
func (k *Keeper) closed(ctx context.Context, s *kept, grant Grant, granted bool) (Ending, error) {
	if s.onGrant && !granted {
		if grant.EndedBy != "" {
			return k.soon(EndPolicyRevoked, fmt.Sprintf("%s ended your access to this desktop.", grant.EndedBy), shortWarning), nil
		}
		return k.soon(EndWindowClosed, messageWindow, shortWarning), nil
	}
	// What was allowed at the time it began is closed by the clock; what is not, by somebody.
	before, _, err := k.mayGoOn(ctx, s, s.facts.StartedAt, granted)
	if err != nil {
		return Ending{}, err
	}
	if before {
		return k.soon(EndWindowClosed, messageWindow, shortWarning), nil
	}
	return k.soon(EndPolicyRevoked, "Your access to this desktop was withdrawn.", shortWarning), nil
}

// soon is an end that nobody could foresee. most bounds the warning.
func (k *Keeper) soon(code, message string, most time.Duration) Ending {
	return Ending{code, message, k.Now().Add(min(k.Warning, most)), true}
}

const (
	messageWindow   = "The time this desktop may be used is over."
	messageClosing  = "The time this desktop may be used is nearly over."
	messageDuration = "A session on this desktop lasts no longer."
)

// ahead looks as far as people are warned: a window that closes then, or a duration that is over.
func (k *Keeper) ahead(ctx context.Context, s *kept, grant Grant, granted bool, o policy.Obligations, now time.Time) (Ending, error) {
	horizon := now.Add(k.Warning)
	var end Ending
	if o.MaxDuration > 0 {
		switch until := s.facts.StartedAt.Add(o.MaxDuration); {
		case !until.After(now) && s.ending.Code != EndMaxDuration: // it was shortened meanwhile
			end = k.soon(EndMaxDuration, messageDuration, shortWarning)
		case !until.After(horizon):
			end = Ending{Code: EndMaxDuration, Message: messageDuration, Deadline: until, relative: !until.After(now)}
		}
	}
	holds := func(at time.Time) (bool, error) {
		if s.onGrant && granted && !at.Before(grant.Until) {
			return false, nil
		}
		yes, _, err := k.mayGoOn(ctx, s, at, granted)
		return yes, err
	}
	open, err := holds(horizon)
	if err != nil || open {
		return end, err
	}
	// The window closes between now and then; to the second when.
	low, high := now, horizon
	for high.Sub(low) > time.Second {
		middle := low.Add(high.Sub(low) / 2)
		if open, err = holds(middle); err != nil {
			return Ending{}, err
		}
		if open {
			low = middle
		} else {
			high = middle
		}
	}
	high = high.Truncate(time.Second)
	if end.Code == "" || high.Before(end.Deadline) {
		end = Ending{Code: EndWindowClosed, Message: messageClosing, Deadline: high}
	}
	return end, nil
}

// clipboard brings the clipboard of the session in line.
func (k *Keeper) clipboard(ctx context.Context, s *kept, now time.Time, granted bool) error {
	c, err := k.Desk.clipboard(ctx, &s.facts, now, granted)
	if err != nil || c == s.clipboard {
		return err
	}
	if err := k.Running.Permit(ctx, s.id, c); err != nil {
		return err
	}
	k.Logger.InfoContext(ctx, "clipboard of a session changed", "session_id", s.id, "to_target", c.ToTarget, "from_target", c.FromTarget)
	s.clipboard = c
	return nil
}
