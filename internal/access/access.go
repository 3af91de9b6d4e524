// Package access decides who gets to a desktop, and for how long.
//
// A Desk admits: it asks policy whether a person may start a session now, in the circumstances that are known, and holds
// them to what the policies oblige to: a reason, a ticket, the approval of others. What is missing is told apart from a no,
// so that people are asked for it.
//
// A Keeper keeps: it asks again while the session runs, every few seconds and at once when something has changed. When the
// answer is going to be no, or has become one, the people in the session are warned and see the time that is left; then it
// ends. A reason that goes away takes its warning with it. What cannot be decided for long ends as well.
package access

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

// Grant is an approved access request, or an invitation: within its window its person may be on an account of a target.
type Grant struct {
	ID        string
	From      time.Time
	Until     time.Time
	Approvals int    // people who have approved
	Reason    string // as it was asked for
	Ticket    string
	EndedBy   string // who ended it before its time; empty: nobody did
}

// Grants knows what was granted.
type Grants interface {
	// Active returns the grant by which a person may be on an account of a target at that moment; false when there is none.
	Active(ctx context.Context, userID, targetID, account string, at time.Time) (Grant, bool, error)
	// Begin counts the start of a session on a grant, before there is a session.
	Begin(ctx context.Context, grantID, sessionID string) error
	// Release gives back the start of a session that did not come about.
	Release(ctx context.Context, sessionID string) error
	// Covers returns the grant a running session was begun on and whether it holds at that moment.
	Covers(ctx context.Context, sessionID string, at time.Time) (Grant, bool, error)
}

// Codes of what is missing.
const (
	NeedReason   = "reason_needed"
	NeedTicket   = "ticket_needed"
	NeedApproval = "approval_needed"
	NeedMFA      = "mfa_needed"
)

// NeededError is a no that the person can turn into a yes.
type NeededError struct {
	Code      string
	Pattern   string   // of tickets; empty: any
	Approvals int      // people who have to approve
	Policies  []string // ids of those that want it
}

func (e *NeededError) Error() string { return "access: " + e.Code }

// Detail says to people what is missing.
func (e *NeededError) Detail() string {
	switch e.Code {
	case NeedReason:
		return "Say why you need this desktop."
	case NeedTicket:
		if e.Pattern != "" {
			return fmt.Sprintf("Name the ticket you work on; it looks like %s.", e.Pattern)
		}
		return "Name the ticket you work on."
	case NeedApproval:
		if e.Approvals > 1 {
			return fmt.Sprintf("%d people have to approve this first. Ask for access.", e.Approvals)
		}
		return "Somebody has to approve this first. Ask for access."
	case NeedMFA:
		return "Prove your second factor again, then try once more."
	}
	return e.Error()
}

// Facts are what is known of somebody who wants to be, or is, on a desktop. They are what they were when the session began:
// a second factor that was fresh then has not become stale, and one's own session does not count against itself.
type Facts struct {
	Subject    policy.Subject
	Resource   policy.Resource // the target, with the account
	Source     netip.Addr
	Ticket     string
	Reason     string
	Concurrent int
	StartedAt  time.Time
	// NoPaste and NoCopy say that the target takes, or gives, no text, whatever policies say.
	NoPaste, NoCopy bool
}

// query is what to ask policy.
func (f *Facts) query(action policy.Action, at time.Time, approved bool) policy.Query {
	s := f.Subject
	if !s.MFAAt.IsZero() && !f.StartedAt.IsZero() {
		s.MFAAt = at.Add(s.MFAAt.Sub(f.StartedAt)) // as old as it was
	}
	return policy.Query{
		Subject: s, Action: action, Resource: f.Resource,
		Circumstances: policy.Circumstances{Time: at, Source: f.Source, Ticket: f.Ticket, Approved: approved, Concurrent: f.Concurrent},
	}
}

// Clipboard is which ways text may go.
type Clipboard struct{ ToTarget, FromTarget bool }
