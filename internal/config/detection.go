package config

import (
	"regexp"
	"time"
)

// Detection is which rules are tried on what is typed, pasted and titled in sessions.
type Detection struct {
	Enabled bool `yaml:"enabled"`
	// RulesFile holds rules and lists besides those Vitrine comes with; those of the same id or name take their places.
	RulesFile string `yaml:"rules_file"`
	// Alerts is how long alerts are kept for the console; 0: for ever, as far as there is room.
	Alerts Retention `yaml:"alerts"`
	// Actions changes what rules do.
	Actions []RuleAction `yaml:"actions,omitempty"`
	// Justification is about rules that require one.
	Justification Justification `yaml:"justification"`
}

// Justification says how long a rule waits for somebody to say why, and what happens when nobody does.
type Justification struct {
	Timeout    time.Duration `yaml:"timeout"`    // 0: for as long as the session lasts
	Unanswered string        `yaml:"unanswered"` // "refuse": it is not done, and the session goes on; "freeze", "terminate"
}

// RuleAction is what a rule does.
type RuleAction struct {
	Rule   string `yaml:"rule"`
	Action string `yaml:"action"` // "alert", "require_justification", "freeze", "terminate"; "off": it is not tried
}

// RuleOff is the action of a rule that is not tried.
const RuleOff = "off"

var ruleID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// maxRuleActions bounds detection.actions: there are no more rules.
const maxRuleActions = 500

func (v *validator) detection(d *Detection) {
	if len(d.Actions) > maxRuleActions {
		v.fail("detection.actions", "%d entries, want at most %d", len(d.Actions), maxRuleActions)
		return
	}
	if d.Justification.Timeout != 0 {
		v.lasts("detection.justification.timeout", d.Justification.Timeout, 10*time.Second, 24*time.Hour)
	}
	v.oneOf("detection.justification.unanswered", d.Justification.Unanswered, "refuse", "freeze", "terminate")
	seen := map[string]bool{}
	for _, a := range d.Actions {
		switch {
		case !ruleID.MatchString(a.Rule):
			v.fail("detection.actions", "%q is no id of a rule", a.Rule)
		case seen[a.Rule]:
			v.fail("detection.actions", "%q is there twice", a.Rule)
		}
		seen[a.Rule] = true
		v.oneOf("detection.actions", a.Action, "alert", "require_justification", "freeze", "terminate", RuleOff)
	}
}
