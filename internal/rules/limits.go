package rules

import "time"

const (
	// MaxTrialHits bounds what is kept of one recording where many are tried.
	MaxTrialHits = 200
	// pollInterval is how often a Book looks for what other nodes have changed.
	pollInterval = 3 * time.Second
	// maxTries bounds how often a change is tried again because others changed other rules at the same time.
	maxTries = 5
	// toldWithin is how far an alert in a recording may be from a hit to be of it: storms are told a minute at a time.
	toldWithin = time.Minute
)
