package access

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

// Options are what a Desk is made of.
type Options struct {
	Authorizer policy.Authorizer
	Grants     Grants // nil: nothing is ever granted
	// Concurrent counts the sessions a person runs; nil: none.
	Concurrent func(ctx context.Context, userID string) (int, error)
	// Crowd counts what obligations limit; nil: nothing is limited.
	Crowd Crowd
	// TicketPattern is what tickets look like; nil: anything.
	TicketPattern *regexp.Regexp
	Now           func() time.Time // nil: time.Now
}

// Desk admits people to desktops. It is safe for concurrent use.
type Desk struct{ Options }

// New returns a Desk.
func New(opts Options) *Desk {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Grants == nil {
		opts.Grants = none{}
	}
	if opts.Concurrent == nil {
		opts.Concurrent = func(context.Context, string) (int, error) { return 0, nil }
	}
	return &Desk{opts}
}

// Admission is a yes, and what it is bound to.
type Admission struct {
	Facts       Facts
	Policies    []string // ids of those that decided
	Obligations policy.Obligations
	Clipboard   Clipboard
	Grant       *Grant // that the session begins on; nil: it needs none
}

// Admit decides whether a session may begin now. f holds who, whereto, from where and what they gave as ticket and reason.
// The error wraps *policy.DeniedError for a no, *CrowdedError where as many sessions run as may, and *NeededError for what is missing; any other means that there is no decision.
func (d *Desk) Admit(ctx context.Context, f Facts) (Admission, error) {
	now := d.Now()
	f.StartedAt = now
	f.Ticket, f.Reason = strings.TrimSpace(f.Ticket), strings.TrimSpace(f.Reason)
	var err error
	if f.Concurrent, err = d.Concurrent(ctx, f.Subject.ID); err != nil {
		return Admission{}, err
	}
	grant, granted, err := d.Grants.Active(ctx, f.Subject.ID, f.Resource.Target, f.Resource.Account, now)
	if err != nil {
		return Admission{}, err
	}
	// What was given with the request has been looked at by those who approved it.
	if granted && f.Ticket == "" {
		f.Ticket = grant.Ticket
	}
	if granted && f.Reason == "" {
		f.Reason = grant.Reason
	}
	decision, err := policy.Check(ctx, d.Authorizer, f.query(policy.Connect, now, granted))
	if _, denied := errors.AsType[*policy.DeniedError](err); denied {
		return Admission{}, d.missing(ctx, &f, now, granted, err)
	}
	if err != nil {
		return Admission{}, err
	}
	if err := d.oblige(&f, decision, grant, granted); err != nil {
		return Admission{}, err
	}
	if full, err := d.crowded(ctx, &f, decision.Obligations, ""); err != nil {
		return Admission{}, err
	} else if full != nil {
		return Admission{}, full
	}
	a := Admission{Facts: f, Policies: decision.Policies, Obligations: decision.Obligations}
	if a.Clipboard, err = d.clipboard(ctx, &f, now, granted); err != nil {
		return Admission{}, err
	}
	if granted {
		a.Grant, err = d.needed(ctx, &f, now, &grant)
	}
	return a, err
}

// needed returns the grant when the session would not be admitted without it: one that is not needed is not used up.
func (d *Desk) needed(ctx context.Context, f *Facts, now time.Time, grant *Grant) (*Grant, error) {
	without, err := d.Authorizer.Authorize(ctx, f.query(policy.Connect, now, false))
	if err != nil {
		return nil, err
	}
	if without.Allowed && without.Obligations.Approvals == 0 {
		return nil, nil //nolint:nilnil // none, and nothing wrong
	}
	return grant, nil
}

// oblige holds the person to what the policies that allow it want.
func (d *Desk) oblige(f *Facts, decision policy.Decision, grant Grant, granted bool) error {
	o := decision.Obligations
	need := func(code string) *NeededError { return &NeededError{Code: code, Policies: decision.Policies} }
	if o.Approvals > 0 && (!granted || grant.Approvals < o.Approvals) {
		e := need(NeedApproval)
		e.Approvals = o.Approvals
		return e
	}
	if o.ReasonNeeded && f.Reason == "" {
		return need(NeedReason)
	}
	if o.TicketNeeded && (f.Ticket == "" || d.TicketPattern != nil && !d.TicketPattern.MatchString(f.Ticket)) {
		e := need(NeedTicket)
		e.Pattern = d.pattern()
		return e
	}
	return nil
}

// pattern is that of tickets, without the ends that bind it to the whole of one.
func (d *Desk) pattern() string {
	if d.TicketPattern == nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(d.TicketPattern.String(), "^(?:"), ")$")
}

// missing finds out what would turn a no into a yes: a fresh second factor, an approval, or both. denied is returned when
// neither would.
func (d *Desk) missing(ctx context.Context, f *Facts, now time.Time, granted bool, denied error) error {
	for _, try := range []struct {
		code     string
		mfa      bool
		approved bool
	}{
		{NeedMFA, true, granted}, {NeedApproval, false, true}, {NeedApproval, true, true},
	} {
		if try.code == NeedApproval && granted {
			continue
		}
		with := *f
		if try.mfa {
			with.Subject.MFAAt = now
		}
		decision, err := d.Authorizer.Authorize(ctx, with.query(policy.Connect, now, try.approved))
		if err != nil {
			return err
		}
		if decision.Allowed {
			return &NeededError{Code: try.code, Approvals: approvals(try.code, decision.Obligations), Policies: decision.Policies}
		}
	}
	return denied
}

func approvals(code string, o policy.Obligations) int {
	if code != NeedApproval {
		return 0
	}
	return max(1, o.Approvals)
}

// Approvals returns how many people must approve before the person may connect, in circumstances as they are but for
// the approval and the second factor; 0 when no approval would help, or none is needed.
func (d *Desk) Approvals(ctx context.Context, f Facts) (int, error) {
	_, err := d.Admit(ctx, f)
	if e, ok := errors.AsType[*NeededError](err); ok {
		return e.Approvals, nil
	}
	_, denied := errors.AsType[*policy.DeniedError](err)
	if _, full := errors.AsType[*CrowdedError](err); denied || full {
		return 0, nil
	}
	return 0, err
}

// clipboard decides which ways text may go.
func (d *Desk) clipboard(ctx context.Context, f *Facts, at time.Time, approved bool) (Clipboard, error) {
	to, err := d.Authorizer.Authorize(ctx, f.query(policy.ClipboardToTarget, at, approved))
	if err != nil {
		return Clipboard{}, err
	}
	from, err := d.Authorizer.Authorize(ctx, f.query(policy.ClipboardFromTarget, at, approved))
	return Clipboard{to.Allowed && !f.NoPaste, from.Allowed && !f.NoCopy}, err
}

// none is Grants without any.
type none struct{}

func (none) Active(context.Context, string, string, string, time.Time) (Grant, bool, error) {
	return Grant{}, false, nil
}
func (none) Begin(context.Context, string, string) error { return nil }
func (none) Release(context.Context, string) error       { return nil }
func (none) Covers(context.Context, string, time.Time) (Grant, bool, error) {
	return Grant{}, false, nil
}
