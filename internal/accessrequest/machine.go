package accessrequest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Kinds of requests.
const (
	KindRequest    = "request"
	KindBreakGlass = "break_glass"
)

// States of a request.
const (
	StatePending     = "pending"
	StateApproved    = "approved"
	StateDenied      = "denied"
	StateCancelled   = "cancelled"
	StateExpired     = "expired"
	StateNeedsReview = "needs_review"
	StateReviewed    = "reviewed"
)

// States of a grant.
const (
	GrantActive  = "active"
	GrantUsedUp  = "used_up"
	GrantEnded   = "ended"
	GrantExpired = "expired"
)

// What a person's word was.
const (
	VerdictApproved = "approved"
	VerdictDenied   = "denied"
	VerdictReviewed = "reviewed"
)

// Request, Decision and Grant are rows of the store; this package says what may become of them.
type (
	// Request is what somebody asked for.
	Request = store.AccessRequest
	// Decision is one person's word on it.
	Decision = store.AccessDecision
	// Grant is what follows from enough of them.
	Grant = store.AccessGrant
)

// Person is somebody who asks or decides.
type Person struct{ ID, Name string }

// Rules are what configuration says about requests and grants.
type Rules struct {
	MaxWindow      time.Duration // longest window
	MaxAhead       time.Duration // how far ahead one may begin
	PendingTimeout time.Duration // how long a request whose window begins with its approval waits for one
	Approvals      int           // people who must approve, unless policy obliges to more
	ReasonMin      int           // characters
	TicketRequired bool
	TicketPattern  *regexp.Regexp // of the whole ticket; nil: any
	MaxPending     int            // undecided requests of a person
	MaxConcurrent  int            // sessions of a grant at once
	BreakGlass     time.Duration  // how long broken glass opens
	EndWarning     time.Duration  // how long before its end a person is told of a grant
}

// Ask is what somebody asks for. From and Until give a fixed window, Duration one that begins with the approval.
type Ask struct {
	Person     Person
	TargetID   string
	TargetName string
	Account    string
	From       time.Time // zero: now
	Until      time.Time
	Duration   time.Duration
	Once       bool // one session only
	Reason     string
	Ticket     string
	Approvals  int  // that policy obliges to; at least Rules.Approvals are needed
	NeedTicket bool // policy obliges to one
}

// Shorter is what an approver makes of the window; the zero value leaves it. Duration is for windows that begin with the
// approval, the others for fixed ones.
type Shorter struct {
	From, Until time.Time
	Duration    time.Duration
}

// open makes a pending request of what is asked, or says in an *InvalidError what is wrong with it.
func (r *Rules) open(id string, a Ask, now time.Time) (Request, error) {
	reason, ticket, err := r.words(a.Reason, a.Ticket, a.NeedTicket)
	if err != nil {
		return Request{}, err
	}
	q := Request{
		ID: id, Revision: 1, Kind: KindRequest, State: StatePending, UserID: a.Person.ID, UserName: a.Person.Name,
		TargetID: a.TargetID, TargetName: a.TargetName, Account: a.Account, Reason: reason, Ticket: ticket,
		ApprovalsNeeded: max(1, r.Approvals, a.Approvals), CreatedAt: now,
	}
	if a.Once {
		q.MaxStarts = 1
	}
	if a.Duration != 0 {
		if !a.From.IsZero() || !a.Until.IsZero() {
			return Request{}, invalid("duration_s", "say either how long or from when until when")
		}
		a.From, a.Until, q.Floating = now, now.Add(a.Duration), true
	}
	if q.From, q.Until, err = r.window(a.From, a.Until, now); err != nil {
		return Request{}, err
	}
	q.WantedFrom, q.WantedUntil, q.ExpiresAt = q.From, q.Until, q.Until
	if q.Floating {
		q.ExpiresAt = now.Add(r.PendingTimeout)
	}
	return q, nil
}

// breakGlass makes a request that is granted at once and waits for a review.
func (r *Rules) breakGlass(id string, a Ask, now time.Time) (Request, error) {
	reason, ticket, err := r.words(a.Reason, a.Ticket, false) // an emergency may have no ticket yet
	if err != nil {
		return Request{}, err
	}
	if reason == "" {
		return Request{}, invalid("reason", "say why")
	}
	until := now.Add(r.BreakGlass)
	return Request{
		ID: id, Revision: 1, Kind: KindBreakGlass, State: StateNeedsReview, UserID: a.Person.ID, UserName: a.Person.Name,
		TargetID: a.TargetID, TargetName: a.TargetName, Account: a.Account, Reason: reason, Ticket: ticket,
		WantedFrom: now, WantedUntil: until, From: now, Until: until, CreatedAt: now, ExpiresAt: until,
	}, nil
}

// words checks and tidies what a person wrote.
func (r *Rules) words(reason, ticket string, needTicket bool) (string, string, error) {
	reason, ticket = strings.TrimSpace(reason), strings.TrimSpace(ticket)
	switch n := utf8.RuneCountInString(reason); {
	case n < r.ReasonMin:
		return "", "", invalid("reason", fmt.Sprintf("has %d characters; at least %d are asked for", n, r.ReasonMin))
	case n > maxReason:
		return "", "", invalid("reason", fmt.Sprintf("has %d characters, more than %d", n, maxReason))
	case ticket == "" && (needTicket || r.TicketRequired):
		return "", "", invalid("ticket", "is needed")
	case utf8.RuneCountInString(ticket) > maxTicket:
		return "", "", invalid("ticket", fmt.Sprintf("has more than %d characters", maxTicket))
	case ticket != "" && r.TicketPattern != nil && !r.TicketPattern.MatchString(ticket):
		return "", "", invalid("ticket", "is not of the form "+r.TicketPattern.String())
	}
	return reason, ticket, nil
}

// window checks and tidies a window: whole seconds, not begun before now.
func (r *Rules) window(from, until, now time.Time) (time.Time, time.Time, error) {
	if from.IsZero() {
		from = now
	}
	if from.Before(now.Add(-clockSkew)) {
		return from, until, invalid("from", "is in the past")
	}
	if from.Before(now) {
		from = now
	}
	from, until = from.UTC().Truncate(time.Second), until.UTC().Truncate(time.Second)
	switch length := until.Sub(from); {
	case until.IsZero():
		return from, until, invalid("until", "say until when, or how long")
	case length < minWindow:
		return from, until, invalid("until", fmt.Sprintf("the time asked for is shorter than %v", minWindow))
	case length > r.MaxWindow:
		return from, until, invalid("until", fmt.Sprintf("the time asked for is longer than %v", r.MaxWindow))
	case from.After(now.Add(r.MaxAhead)):
		return from, until, invalid("from", fmt.Sprintf("is more than %v ahead", r.MaxAhead))
	}
	return from, until, nil
}

// maySpeak checks what holds for every word on somebody else's request.
func maySpeak(q *Request, by Person, revision int64) error {
	if q.UserID == by.ID {
		return ErrOwn
	}
	if slices.ContainsFunc(q.Decisions, func(d Decision) bool { return d.UserID == by.ID }) {
		return ErrTwice
	}
	if q.Revision != revision {
		return ErrStale
	}
	return nil
}

// pending checks that q waits for a decision at now.
func pending(q *Request, now time.Time) error {
	if q.State != StatePending || !q.ExpiresAt.After(now) {
		return ErrClosed
	}
	return nil
}

// approve adds a yes, on a window that may be shorter than before but never longer. With the last yes that is needed the
// request is approved, and its window that of the grant.
func approve(q Request, by Person, s Shorter, note string, revision int64, now time.Time) (Request, Decision, error) {
	if err := errorsOf(maySpeak(&q, by, revision), pending(&q, now), checkNote(note, false)); err != nil {
		return q, Decision{}, err
	}
	if err := shorten(&q, s, now); err != nil {
		return q, Decision{}, err
	}
	yes := 1
	for _, d := range q.Decisions {
		if d.Verdict == VerdictApproved {
			yes++
		}
	}
	if yes >= q.ApprovalsNeeded {
		q.State, q.ClosedAt = StateApproved, now
		if q.Floating {
			length := q.Until.Sub(q.From)
			q.From = now.UTC().Truncate(time.Second)
			q.Until = q.From.Add(length)
		}
	}
	return q, word(&q, by, VerdictApproved, note, now), nil
}

func shorten(q *Request, s Shorter, now time.Time) error {
	from, until := q.From, q.Until
	switch {
	case q.Floating && (!s.From.IsZero() || !s.Until.IsZero()):
		return invalid("until", "this window begins with the approval: say how long")
	case !q.Floating && s.Duration != 0:
		return invalid("duration_s", "this window is fixed: say from when until when")
	case q.Floating && s.Duration != 0:
		until = from.Add(s.Duration.Truncate(time.Second))
	default:
		if !s.From.IsZero() {
			from = s.From.UTC().Truncate(time.Second)
		}
		if !s.Until.IsZero() {
			until = s.Until.UTC().Truncate(time.Second)
		}
	}
	switch {
	case from.Before(q.From) || until.After(q.Until):
		return invalid("until", "the time can be shortened, not made longer")
	case until.Sub(from) < minWindow:
		return invalid("until", fmt.Sprintf("what is left is shorter than %v", minWindow))
	case !q.Floating && !until.After(now):
		return invalid("until", "is in the past")
	}
	q.From, q.Until = from, until
	return nil
}

// deny ends the request with a no, which one person may say, with a note for the requester.
func deny(q Request, by Person, note string, revision int64, now time.Time) (Request, Decision, error) {
	if err := errorsOf(maySpeak(&q, by, revision), pending(&q, now), checkNote(note, true)); err != nil {
		return q, Decision{}, err
	}
	q.State, q.ClosedAt = StateDenied, now
	return q, word(&q, by, VerdictDenied, note, now), nil
}

// review closes what was left by a broken glass.
func review(q Request, by Person, note string, revision int64, now time.Time) (Request, Decision, error) {
	if err := errorsOf(maySpeak(&q, by, revision), checkNote(note, true)); err != nil {
		return q, Decision{}, err
	}
	if q.State != StateNeedsReview {
		return q, Decision{}, ErrClosed
	}
	q.State, q.ClosedAt = StateReviewed, now
	return q, word(&q, by, VerdictReviewed, note, now), nil
}

// cancel takes the requester's own request back.
func cancel(q Request, by Person, revision int64, now time.Time) (Request, error) {
	switch {
	case q.UserID != by.ID:
		return q, ErrNotFound
	case q.Revision != revision:
		return q, ErrStale
	}
	if err := pending(&q, now); err != nil {
		return q, err
	}
	q.State, q.ClosedAt = StateCancelled, now
	return q, nil
}

// expire ends a pending request whose time is over.
func expire(q Request, now time.Time) (Request, error) {
	if q.State != StatePending || q.ExpiresAt.After(now) {
		return q, ErrClosed
	}
	q.State, q.ClosedAt = StateExpired, now
	return q, nil
}

// grantOf is what an approved request, or a broken glass, gives.
func (r *Rules) grantOf(id string, q *Request, by Person, now time.Time) Grant {
	return Grant{
		ID: id, RequestID: q.ID, UserID: q.UserID, UserName: q.UserName, TargetID: q.TargetID, TargetName: q.TargetName,
		Account: q.Account, Ticket: q.Ticket, From: q.From, Until: q.Until, MaxStarts: q.MaxStarts, MaxConcurrent: max(1, r.MaxConcurrent),
		State: GrantActive, CreatedAt: now, CreatedBy: by.Name,
	}
}

func word(q *Request, by Person, verdict, note string, now time.Time) Decision {
	return Decision{
		UserID: by.ID, UserName: by.Name, Verdict: verdict, Note: strings.TrimSpace(note), From: q.From, Until: q.Until, DecidedAt: now,
	}
}

func checkNote(note string, needed bool) error {
	note = strings.TrimSpace(note)
	if needed && note == "" {
		return invalid("note", "is needed")
	}
	if utf8.RuneCountInString(note) > maxNote {
		return invalid("note", fmt.Sprintf("has more than %d characters", maxNote))
	}
	return nil
}

// errorsOf returns the first error.
func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
