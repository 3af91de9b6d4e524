package config

import (
	"regexp"
	"time"
)

// Access is what people may ask for, and how others decide on it.
type Access struct {
	Approvals int `yaml:"approvals"` // people who must approve, unless a policy obliges to more
	// MaxWindow is the longest time somebody can ask for, MaxAhead how far ahead it may begin.
	MaxWindow time.Duration `yaml:"max_window"`
	MaxAhead  time.Duration `yaml:"max_ahead"`
	// PendingTimeout is how long a request "from the approval on" waits for one; others wait until their window is over.
	PendingTimeout time.Duration `yaml:"pending_timeout"`
	ReasonMin      int           `yaml:"reason_min"`      // characters; 0: no reason is needed
	TicketRequired bool          `yaml:"ticket_required"` // always; policies may oblige to one where it matters
	TicketPattern  string        `yaml:"ticket_pattern"`  // regular expression of the whole ticket; empty: any
	MaxPending     int           `yaml:"max_pending"`     // undecided requests of a person
	MaxConcurrent  int           `yaml:"max_concurrent"`  // sessions at once on one grant
	// BreakGlassWindow is how long access lasts that somebody took without the approval it needs.
	BreakGlassWindow time.Duration `yaml:"break_glass_window"`
	EndWarning       time.Duration `yaml:"end_warning"` // how long before a grant ends its person is told; 0: not
}

// Bounds of values.
const (
	maxApprovals     = 5
	minAccessWindow  = 5 * time.Minute
	maxAccessWindow  = 366 * 24 * time.Hour
	maxReasonMin     = 1000
	maxPending       = 1000
	maxConcurrent    = 100
	maxBreakGlass    = 24 * time.Hour
	maxTicketPattern = 500 // bytes
)

func defaultAccess() Access {
	return Access{
		Approvals: 1, MaxWindow: 12 * time.Hour, MaxAhead: 30 * 24 * time.Hour, PendingTimeout: 24 * time.Hour, ReasonMin: 10,
		MaxPending: 20, MaxConcurrent: 1, BreakGlassWindow: time.Hour, EndWarning: 10 * time.Minute,
	}
}

// Ticket returns the pattern of tickets, bound to the whole of them; nil: any. Validate has compiled it before.
func (a *Access) Ticket() *regexp.Regexp {
	if a.TicketPattern == "" {
		return nil
	}
	return regexp.MustCompile(`^(?:` + a.TicketPattern + `)$`)
}

func (v *validator) access(a *Access) {
	v.between("access.approvals", int64(a.Approvals), 1, maxApprovals)
	v.lasts("access.max_window", a.MaxWindow, minAccessWindow, maxAccessWindow)
	v.lasts("access.max_ahead", a.MaxAhead, 0, maxAccessWindow)
	v.lasts("access.pending_timeout", a.PendingTimeout, minAccessWindow, maxAccessWindow)
	v.between("access.reason_min", int64(a.ReasonMin), 0, maxReasonMin)
	v.between("access.max_pending", int64(a.MaxPending), 1, maxPending)
	v.between("access.max_concurrent", int64(a.MaxConcurrent), 1, maxConcurrent)
	v.lasts("access.break_glass_window", a.BreakGlassWindow, time.Minute, maxBreakGlass)
	v.lasts("access.end_warning", a.EndWarning, 0, maxTimeout)
	if len(a.TicketPattern) > maxTicketPattern {
		v.fail("access.ticket_pattern", "is longer than %d bytes", maxTicketPattern)
	} else if _, err := regexp.Compile(`^(?:` + a.TicketPattern + `)$`); err != nil {
		v.fail("access.ticket_pattern", "%w", err)
	}
}

func (v *validator) lasts(path string, d, low, high time.Duration) {
	if d < low || d > high {
		v.fail(path, "%v is not between %v and %v", d, low, high)
	}
}
