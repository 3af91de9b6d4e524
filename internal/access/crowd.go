package access

import (
	"context"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

// EndSessionLimit is why a session ends when there are more of its person, or on its target, than may be.
const EndSessionLimit = "session_limit"

// Crowd counts running sessions.
type Crowd interface {
	// OfPerson counts a person's that began before that of an id; all of them for "".
	OfPerson(ctx context.Context, userID, before string) (int, error)
	// OnTarget counts likewise those on a target.
	OnTarget(ctx context.Context, targetID, before string) (int, error)
}

// CrowdedError is a no because as many sessions run as may.
type CrowdedError struct {
	Target bool // on the target; else: of the person
	Most   int
}

func (e *CrowdedError) Error() string { return fmt.Sprintf("access: %s (%d)", EndSessionLimit, e.Most) }

// Detail says to people what is in the way.
func (e *CrowdedError) Detail() string {
	switch {
	case e.Target && e.Most == 1:
		return "Somebody is on this desktop, and one session at a time is allowed there."
	case e.Target:
		return fmt.Sprintf("%d sessions run on this desktop, and no more are allowed.", e.Most)
	case e.Most == 1:
		return "You have a session already, and one at a time is allowed. End it first."
	}
	return fmt.Sprintf("You have %d sessions, and no more are allowed. End one first.", e.Most)
}

// crowded returns a *CrowdedError when as many sessions that began before the one of id, "" for one that is to begin, run as obligations
// allow, and nil when there is room.
func (d *Desk) crowded(ctx context.Context, f *Facts, o policy.Obligations, id string) (*CrowdedError, error) {
	if d.Crowd == nil {
		return nil, nil //nolint:nilnil // none counted, none too many
	}
	if o.MaxSessions > 0 {
		n, err := d.Crowd.OfPerson(ctx, f.Subject.ID, id)
		if err != nil {
			return nil, err
		}
		if n >= o.MaxSessions {
			return &CrowdedError{Most: o.MaxSessions}, nil
		}
	}
	if o.MaxTargetSessions > 0 {
		n, err := d.Crowd.OnTarget(ctx, f.Resource.Target, id)
		if err != nil {
			return nil, err
		}
		if n >= o.MaxTargetSessions {
			return &CrowdedError{Target: true, Most: o.MaxTargetSessions}, nil
		}
	}
	return nil, nil //nolint:nilnil // there is room
}

// over says why the session ends when others that began before it are as many as may be: the limit was lowered, or two began at
// the same moment.
func (k *Keeper) over(ctx context.Context, s *kept, o policy.Obligations) (Ending, error) {
	e, err := k.Desk.crowded(ctx, &s.facts, o, s.id)
	if e == nil || err != nil {
		return Ending{}, err
	}
	message := "You may run no more than one session at a time."
	switch {
	case e.Target && e.Most == 1:
		message = "No more than one session at a time may run on this desktop."
	case e.Target:
		message = fmt.Sprintf("No more than %d sessions may run on this desktop.", e.Most)
	case e.Most > 1:
		message = fmt.Sprintf("You may run no more than %d sessions at a time.", e.Most)
	}
	return k.soon(EndSessionLimit, message, k.Warning), nil
}
