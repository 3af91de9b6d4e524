package accessrequest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/vitrine-psm/vitrine/internal/notify"
)

// Pages of the console.
const (
	pageAccess   = "/access"   // one's own requests and grants
	pageRequests = "/requests" // those one may decide on
)

// timeOf writes a time for people; where they are is not known.
func timeOf(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") }

func windowOf(q *Request) string {
	if q.Floating && q.State == StatePending {
		return "for " + lengthOf(q.Until.Sub(q.From)) + " from the approval on"
	}
	return "from " + timeOf(q.From) + " until " + timeOf(q.Until)
}

// lengthOf writes a length of time for people: 2 h, 1 h 30 min, 45 min.
func lengthOf(d time.Duration) string {
	h, m := int(d.Hours()), int(d.Minutes())%60
	switch {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d h %d min", h, m)
}

func onTarget(target, account string) string {
	if account == "" {
		return target
	}
	return target + " as " + account
}

func dataOf(q *Request) map[string]string {
	return map[string]string{
		"request_id": q.ID, "kind": q.Kind, "state": q.State, "user_id": q.UserID, "user_name": q.UserName, "target_id": q.TargetID,
		"target_name": q.TargetName, "account": q.Account, "from": q.From.Format(time.RFC3339), "until": q.Until.Format(time.RFC3339),
		"reason": q.Reason, "ticket": q.Ticket,
	}
}

func requestMade(q *Request) notify.Event {
	return notify.Event{
		Kind: notify.RequestMade, At: q.CreatedAt, Link: pageRequests + "/" + q.ID, Data: dataOf(q),
		Title: fmt.Sprintf("%s asks for access to %s", q.UserName, onTarget(q.TargetName, q.Account)),
		Text:  fmt.Sprintf("%s\nReason: %s", sentence(windowOf(q)), withTicket(q)),
	}
}

func glassBroken(q *Request) notify.Event {
	return notify.Event{
		Kind: notify.BreakGlass, At: q.CreatedAt, Urgent: true, Link: pageRequests + "/" + q.ID, Data: dataOf(q),
		Title: fmt.Sprintf("Break-glass: %s took access to %s", q.UserName, onTarget(q.TargetName, q.Account)),
		Text:  fmt.Sprintf("Nobody has approved it. It is open until %s, and waits for a review.\nReason: %s", timeOf(q.Until), withTicket(q)),
	}
}

// requestDecided tells the requester; d is nil when the request expired.
func requestDecided(q *Request, d *Decision) notify.Event {
	e := notify.Event{Kind: notify.RequestDecided, Link: pageAccess + "/" + q.ID, Data: dataOf(q)}
	what := onTarget(q.TargetName, q.Account)
	if d == nil {
		e.Title = fmt.Sprintf("Your request for %s has expired", what)
		e.Text = "Nobody decided on it in time."
		return e
	}
	e.At = d.DecidedAt
	e.Data["decided_by_id"], e.Data["decided_by"], e.Data["verdict"] = d.UserID, d.UserName, d.Verdict
	if d.Note != "" {
		e.Data["note"], e.Text = d.Note, d.UserName+": "+d.Note
	}
	switch q.State {
	case StateApproved:
		e.Title = fmt.Sprintf("Your request for %s is approved", what)
		e.Text = join(sentence(windowOf(q)), e.Text)
	case StateDenied:
		e.Title = fmt.Sprintf("Your request for %s is denied", what)
	case StateReviewed:
		e.Kind, e.Title = notify.BreakGlassAfter, fmt.Sprintf("Your break-glass access to %s was reviewed", what)
	default:
		e.Title = fmt.Sprintf("%s approved your request for %s", d.UserName, what)
		yes := strconv.Itoa(len(q.Decisions)) + " of " + strconv.Itoa(q.ApprovalsNeeded)
		e.Text = join(yes+" people have approved it.", e.Text)
	}
	return e
}

func dataOfGrant(g *Grant) map[string]string {
	return map[string]string{
		"grant_id": g.ID, "request_id": g.RequestID, "state": g.State, "user_id": g.UserID, "user_name": g.UserName, "target_id": g.TargetID,
		"target_name": g.TargetName, "account": g.Account, "from": g.From.Format(time.RFC3339), "until": g.Until.Format(time.RFC3339),
	}
}

func grantEnding(g *Grant, now time.Time) notify.Event {
	return notify.Event{
		Kind: notify.GrantEnding, At: now, Link: pageAccess, Data: dataOfGrant(g),
		Title: fmt.Sprintf("Your access to %s ends at %s", onTarget(g.TargetName, g.Account), timeOf(g.Until)),
		Text:  "Sessions that run then end with it. What was recorded is kept.",
	}
}

func grantEnded(g *Grant) notify.Event {
	e := notify.Event{
		Kind: notify.GrantEnded, At: g.ClosedAt, Link: pageAccess, Data: dataOfGrant(g),
		Title: fmt.Sprintf("Access to %s was ended early", onTarget(g.TargetName, g.Account)),
		Text:  fmt.Sprintf("%s ended it.", g.ClosedBy),
	}
	e.Data["ended_by"] = g.ClosedBy
	if g.Note != "" {
		e.Text += "\n" + g.Note
		e.Data["note"] = g.Note
	}
	return e
}

func withTicket(q *Request) string {
	if q.Ticket == "" {
		return q.Reason
	}
	return q.Reason + " (" + q.Ticket + ")"
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return string(s[0]-'a'+'A') + s[1:] + "."
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "\n" + b
}
