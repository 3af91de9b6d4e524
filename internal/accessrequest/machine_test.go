package accessrequest

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	alice = Person{"a", "alice"} // asks
	bob   = Person{"b", "bob"}
	carol = Person{"c", "carol"}
)

func testRules() Rules {
	return Rules{
		MaxWindow: 8 * time.Hour, MaxAhead: 7 * 24 * time.Hour, PendingTimeout: 24 * time.Hour, Approvals: 1, ReasonMin: 5,
		TicketPattern: regexp.MustCompile(`^(?:CHG-[0-9]+)$`), MaxPending: 3, MaxConcurrent: 1, BreakGlass: time.Hour, EndWarning: 10 * time.Minute,
	}
}

// ask is a good one.
func ask() Ask {
	return Ask{Person: alice, TargetID: "t", TargetName: "T", Account: "root", From: noon.Add(time.Hour), Until: noon.Add(3 * time.Hour), Reason: "to mend it"}
}

func TestOpen(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Ask, *Rules)
		field  string // of the complaint; "": none
	}{
		{"good", func(*Ask, *Rules) {}, ""},
		{"from now", func(a *Ask, _ *Rules) { a.From = time.Time{} }, ""},
		{"from now by a slow clock", func(a *Ask, _ *Rules) { a.From = noon.Add(-time.Minute) }, ""},
		{"from the past", func(a *Ask, _ *Rules) { a.From = noon.Add(-time.Hour) }, "from"},
		{"until before from", func(a *Ask, _ *Rules) { a.Until = noon }, "until"},
		{"no until", func(a *Ask, _ *Rules) { a.Until = time.Time{} }, "until"},
		{"too long", func(a *Ask, _ *Rules) { a.Until = a.From.Add(8*time.Hour + time.Second) }, "until"},
		{"as long as may be", func(a *Ask, _ *Rules) { a.Until = a.From.Add(8 * time.Hour) }, ""},
		{"too short", func(a *Ask, _ *Rules) { a.Until = a.From.Add(59 * time.Second) }, "until"},
		{"too far ahead", func(a *Ask, _ *Rules) {
			a.From, a.Until = noon.Add(8*24*time.Hour), noon.Add(8*24*time.Hour+time.Hour)
		}, "from"},
		{"two kinds of window", func(a *Ask, _ *Rules) { a.Duration = time.Hour }, "duration_s"},
		{"from the approval", func(a *Ask, _ *Rules) { a.From, a.Until, a.Duration = time.Time{}, time.Time{}, time.Hour }, ""},
		{"from the approval, backwards", func(a *Ask, _ *Rules) { a.From, a.Until, a.Duration = time.Time{}, time.Time{}, -time.Hour }, "until"},
		{"from the approval, too long", func(a *Ask, _ *Rules) { a.From, a.Until, a.Duration = time.Time{}, time.Time{}, 9*time.Hour }, "until"},
		{"no reason", func(a *Ask, _ *Rules) { a.Reason = "  \t    x   " }, "reason"},
		{"a reason of few long letters", func(a *Ask, _ *Rules) { a.Reason = "ééé" }, "reason"},
		{"an essay", func(a *Ask, _ *Rules) { a.Reason = strings.Repeat("é", 2001) }, "reason"},
		{"nobody asks for reasons", func(a *Ask, r *Rules) { a.Reason, r.ReasonMin = "", 0 }, ""},
		{"ticket", func(a *Ask, _ *Rules) { a.Ticket = " CHG-1 " }, ""},
		{"ticket of another form", func(a *Ask, _ *Rules) { a.Ticket = "xCHG-1" }, "ticket"},
		{"ticket and more", func(a *Ask, _ *Rules) { a.Ticket = "CHG-1\nCHG-2" }, "ticket"},
		{"ticket needed", func(_ *Ask, r *Rules) { r.TicketRequired = true }, "ticket"},
		{"ticket needed by policy", func(a *Ask, _ *Rules) { a.NeedTicket = true }, "ticket"},
		{"ticket too long", func(a *Ask, r *Rules) { r.TicketPattern, a.Ticket = nil, strings.Repeat("x", 129) }, "ticket"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, r := ask(), testRules()
			tc.change(&a, &r)
			q, err := r.open("1", a, noon)
			if tc.field != "" {
				var bad *InvalidError
				require.ErrorAs(t, err, &bad)
				require.Equal(t, tc.field, bad.Field, bad.Detail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, StatePending, q.State)
			require.False(t, q.From.Before(noon))
			require.True(t, q.ExpiresAt.After(noon))
		})
	}
}

func TestApprovalsNeeded(t *testing.T) {
	for _, tc := range []struct{ rules, policy, want int }{{0, 0, 1}, {1, 0, 1}, {1, 2, 2}, {2, 1, 2}, {3, 0, 3}} {
		a, r := ask(), testRules()
		r.Approvals, a.Approvals = tc.rules, tc.policy
		q, err := r.open("1", a, noon)
		require.NoError(t, err)
		require.Equal(t, tc.want, q.ApprovalsNeeded, "%+v", tc)
	}
}

// step is what somebody tries on a request, and what is expected of it.
type step struct {
	what     string // approve, deny, review, cancel, expire
	by       Person
	shorter  Shorter
	note     string
	revision int64         // 0: the present one
	after    time.Duration // since noon
	want     string        // the state that follows
	err      error
	field    string // of an *InvalidError
}

func TestDecisions(t *testing.T) {
	fixed := func(approvals int) func(*Ask) { return func(a *Ask) { a.Approvals = approvals } }
	floating := func(a *Ask) { a.From, a.Until, a.Duration = time.Time{}, time.Time{}, 2*time.Hour }
	for _, tc := range []struct {
		name  string
		ask   func(*Ask)
		glass bool
		steps []step
	}{
		{"one yes", fixed(1), false, []step{{what: "approve", by: bob, want: StateApproved}, {what: "approve", by: carol, err: ErrClosed}, {what: "deny", by: carol, note: "n", err: ErrClosed}, {what: "cancel", by: alice, err: ErrClosed}}},
		{"one's own yes", fixed(1), false, []step{{what: "approve", by: alice, err: ErrOwn}, {what: "approve", by: Person{"a", "another name"}, err: ErrOwn}, {what: "deny", by: alice, note: "n", err: ErrOwn}}},
		{"two people", fixed(2), false, []step{{what: "approve", by: bob, want: StatePending}, {what: "approve", by: bob, err: ErrTwice}, {what: "approve", by: alice, err: ErrOwn}, {what: "approve", by: carol, want: StateApproved}}},
		{"a yes and a no", fixed(2), false, []step{{what: "approve", by: bob, want: StatePending}, {what: "deny", by: bob, note: "oh", err: ErrTwice}, {what: "deny", by: carol, note: "no", want: StateDenied}, {what: "approve", by: Person{"d", "d"}, err: ErrClosed}}},
		{"a no needs a word", fixed(1), false, []step{{what: "deny", by: bob, note: " ", field: "note"}, {what: "deny", by: bob, note: "why", want: StateDenied}}},
		{"a stale revision", fixed(2), false, []step{{what: "approve", by: bob, want: StatePending}, {what: "approve", by: carol, revision: 1, err: ErrStale}, {what: "cancel", by: alice, revision: 1, err: ErrStale}, {what: "approve", by: carol, revision: 2, want: StateApproved}}},
		{"cancelled", fixed(1), false, []step{{what: "cancel", by: bob, err: ErrNotFound}, {what: "cancel", by: alice, want: StateCancelled}, {what: "approve", by: bob, err: ErrClosed}}},
		{"expired, though nobody has written it down", fixed(1), false, []step{{what: "approve", by: bob, after: 3 * time.Hour, err: ErrClosed}, {what: "cancel", by: alice, after: 3 * time.Hour, err: ErrClosed}, {what: "expire", after: 3 * time.Hour, want: StateExpired}}},
		{"not expired yet", fixed(1), false, []step{{what: "expire", after: 3*time.Hour - time.Microsecond, err: ErrClosed}, {what: "approve", by: bob, after: 3*time.Hour - time.Microsecond, want: StateApproved}}},
		{"waits no longer than a day", floating, false, []step{{what: "expire", after: 24*time.Hour - 1, err: ErrClosed}, {what: "approve", by: bob, after: 24 * time.Hour, err: ErrClosed}, {what: "expire", after: 24 * time.Hour, want: StateExpired}}},
		{"shorter", fixed(1), false, []step{{what: "approve", by: bob, shorter: Shorter{From: noon.Add(2 * time.Hour), Until: noon.Add(150 * time.Minute)}, want: StateApproved}}},
		{"longer is refused", fixed(1), false, []step{
			{what: "approve", by: bob, shorter: Shorter{Until: noon.Add(3*time.Hour + time.Second)}, field: "until"},
			{what: "approve", by: bob, shorter: Shorter{From: noon}, field: "until"},
			{what: "approve", by: bob, shorter: Shorter{From: noon.Add(3 * time.Hour)}, field: "until"},
			{what: "approve", by: bob, shorter: Shorter{Until: noon}, field: "until"},
			{what: "approve", by: bob, shorter: Shorter{Duration: time.Hour}, field: "duration_s"},
			{what: "approve", by: bob, want: StateApproved},
		}},
		{"shorter twice, never longer again", fixed(2), false, []step{
			{what: "approve", by: bob, shorter: Shorter{Until: noon.Add(2 * time.Hour)}, want: StatePending},
			{what: "approve", by: carol, shorter: Shorter{Until: noon.Add(3 * time.Hour)}, field: "until"},
			{what: "approve", by: carol, shorter: Shorter{Until: noon.Add(90 * time.Minute)}, want: StateApproved},
		}},
		{"a floating one shorter", floating, false, []step{
			{what: "approve", by: bob, shorter: Shorter{Until: noon.Add(time.Hour)}, field: "until"},
			{what: "approve", by: bob, shorter: Shorter{Duration: 3 * time.Hour}, field: "until"},
			{what: "approve", by: bob, shorter: Shorter{Duration: time.Hour}, after: 5 * time.Hour, want: StateApproved},
		}},
		{"broken glass", nil, true, []step{{what: "approve", by: bob, err: ErrClosed}, {what: "cancel", by: alice, err: ErrClosed}, {what: "review", by: alice, note: "fine", err: ErrOwn}, {what: "review", by: bob, field: "note"}, {what: "review", by: bob, note: "fine", want: StateReviewed}, {what: "review", by: carol, note: "fine", err: ErrClosed}}},
		{"no review of what was asked for", fixed(1), false, []step{{what: "review", by: bob, note: "fine", err: ErrClosed}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, r := ask(), testRules()
			var q Request
			var err error
			if tc.glass {
				q, err = r.breakGlass("1", a, noon)
			} else {
				tc.ask(&a)
				q, err = r.open("1", a, noon)
			}
			require.NoError(t, err)
			for i, s := range tc.steps {
				now := noon.Add(s.after)
				if s.revision == 0 {
					s.revision = q.Revision
				}
				next, d, err := try(q, s, now)
				switch {
				case s.err != nil:
					require.ErrorIs(t, err, s.err, "step %d", i)
					continue
				case s.field != "":
					var bad *InvalidError
					require.ErrorAs(t, err, &bad, "step %d", i)
					require.Equal(t, s.field, bad.Field, "step %d: %s", i, bad.Detail)
					continue
				}
				require.NoError(t, err, "step %d", i)
				require.Equal(t, s.want, next.State, "step %d", i)
				require.False(t, next.Until.Sub(next.From) > q.Until.Sub(q.From), "no window grows")
				require.Equal(t, next.State != StatePending, !next.ClosedAt.IsZero())
				if next.State == StateApproved && next.Floating {
					require.Equal(t, now, next.From)
				}
				next.Revision++
				if d.UserID != "" {
					next.Decisions = append(next.Decisions, d)
				}
				q = next
			}
		})
	}
}

func try(q Request, s step, now time.Time) (Request, Decision, error) {
	switch s.what {
	case "approve":
		return approve(q, s.by, s.shorter, s.note, s.revision, now)
	case "deny":
		return deny(q, s.by, s.note, s.revision, now)
	case "review":
		return review(q, s.by, s.note, s.revision, now)
	case "cancel":
		q, err := cancel(q, s.by, s.revision, now)
		return q, Decision{}, err
	}
	q, err := expire(q, now)
	return q, Decision{}, err
}
