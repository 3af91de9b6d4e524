// Package risk says how closely a running session deserves to be watched, from what is known of it without looking at its
// picture. It is an order of attention for people in front of many sessions, not a judgement: nothing is allowed or refused by it.
//
// Each Fact that holds adds its points; the sum, 100 at most, is the score:
//
//	tag critical                                40   (the strongest tag counts)
//	tag production, prod, sensitive             25
//	begun on broken glass                       40
//	an account of an administrator              10
//	outside of working hours                    15
//	running for 8 hours or more                 10
//	frozen by a rule or a supervisor            20
//	alerts: critical 50, high 30, medium 15, low 5 each, 60 at most together
//
// Levels: low below 20, elevated from 20, high from 40, critical from 70.
package risk

import (
	"slices"
	"strings"
	"time"
)

// Level is a score in words.
type Level string

// The levels.
const (
	Low      Level = "low"
	Elevated Level = "elevated"
	High     Level = "high"
	Critical Level = "critical"
)

// Working hours, in the time zone that policies go by.
const (
	dayBegins = 7  // o'clock
	dayEnds   = 19 // o'clock
	long      = 8 * time.Hour
	maxScore  = 100
	maxAlerts = 60
)

// Facts are what is known of a session.
type Facts struct {
	Tags       []string // of target and account
	Account    string   // name on the target
	BreakGlass bool     // it was begun on broken glass
	Frozen     bool
	StartedAt  time.Time
	Now        time.Time // in the time zone of working hours
	Alerts     []string  // severities
}

// Risk is a score from 0 to 100 and what it is made of, the weightiest first.
type Risk struct {
	Score   int
	Level   Level
	Reasons []string // for people
}

// tagPoints are the tags that mean something here, the strongest first.
var tagPoints = []struct {
	tag    string
	points int
}{{"critical", 40}, {"production", 25}, {"prod", 25}, {"sensitive", 25}}

var alertPoints = map[string]int{"critical": 50, "high": 30, "medium": 15, "low": 5}

// administrators are names of accounts that may do everything on most targets.
var administrators = []string{"administrator", "admin", "root", "sa", "system"}

// Assess weighs a session.
func Assess(f Facts) Risk {
	type part struct {
		points int
		reason string
	}
	var parts []part
	add := func(holds bool, points int, reason string) {
		if holds {
			parts = append(parts, part{points, reason})
		}
	}
	for _, t := range tagPoints {
		if slices.ContainsFunc(f.Tags, func(tag string) bool { return strings.EqualFold(tag, t.tag) }) {
			add(true, t.points, "target is tagged "+t.tag)
			break
		}
	}
	add(f.BreakGlass, 40, "begun on broken glass")
	add(privileged(f.Account), 10, "signed in as "+f.Account)
	add(outside(f.Now), 15, "outside of working hours")
	add(f.Now.Sub(f.StartedAt) >= long, 10, "running for 8 hours or more")
	add(f.Frozen, 20, "frozen")
	if points := alerts(f.Alerts); points > 0 {
		reason := "an alert"
		if n := len(f.Alerts); n > 1 {
			reason = "several alerts"
		}
		add(true, points, reason)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return b.points - a.points })
	var out Risk
	for _, p := range parts {
		out.Score += p.points
		out.Reasons = append(out.Reasons, p.reason)
	}
	out.Score = min(out.Score, maxScore)
	out.Level = levelOf(out.Score)
	return out
}

func levelOf(score int) Level {
	switch {
	case score >= 70:
		return Critical
	case score >= 40:
		return High
	case score >= 20:
		return Elevated
	}
	return Low
}

// privileged looks past a domain on either side of the name.
func privileged(account string) bool {
	if _, name, ok := strings.Cut(account, `\`); ok {
		account = name
	}
	account, _, _ = strings.Cut(account, "@")
	return slices.Contains(administrators, strings.ToLower(account))
}

func outside(now time.Time) bool {
	day := now.Weekday()
	return day == time.Saturday || day == time.Sunday || now.Hour() < dayBegins || now.Hour() >= dayEnds
}

func alerts(severities []string) int {
	sum := 0
	for _, s := range severities {
		sum += alertPoints[s]
	}
	return min(sum, maxAlerts)
}
