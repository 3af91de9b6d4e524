package risk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAssess(t *testing.T) {
	monday := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	at := func(f Facts) Facts {
		if f.Now.IsZero() {
			f.Now = monday
		}
		if f.StartedAt.IsZero() {
			f.StartedAt = f.Now
		}
		return f
	}
	for name, tt := range map[string]struct {
		facts   Facts
		score   int
		level   Level
		reasons []string
	}{
		"nothing":           {Facts{Tags: []string{"linux"}, Account: "alice"}, 0, Low, nil},
		"production":        {Facts{Tags: []string{"Production", "linux"}}, 25, Elevated, []string{"target is tagged production"}},
		"the strongest tag": {Facts{Tags: []string{"production", "critical"}}, 40, High, []string{"target is tagged critical"}},
		"broken glass, administrator": {
			Facts{BreakGlass: true, Account: `CORP\Administrator`}, 50, High, []string{"begun on broken glass", `signed in as CORP\Administrator`},
		},
		"by mail address": {Facts{Account: "root@db"}, 10, Low, []string{"signed in as root@db"}},
		"no root":         {Facts{Account: "rooted"}, 0, Low, nil},
		"at night":        {Facts{Now: monday.Add(9 * time.Hour)}, 15, Low, []string{"outside of working hours"}},
		"before work":     {Facts{Now: monday.Add(-3*time.Hour - time.Second)}, 15, Low, []string{"outside of working hours"}},
		"at seven":        {Facts{Now: monday.Add(-3 * time.Hour)}, 0, Low, nil},
		"on a Sunday":     {Facts{Now: monday.Add(-24 * time.Hour)}, 15, Low, []string{"outside of working hours"}},
		"long":            {Facts{StartedAt: monday.Add(-8 * time.Hour)}, 10, Low, []string{"running for 8 hours or more"}},
		"frozen":          {Facts{Frozen: true}, 20, Elevated, []string{"frozen"}},
		"an alert":        {Facts{Alerts: []string{"high"}}, 30, Elevated, []string{"an alert"}},
		"many alerts":     {Facts{Alerts: []string{"high", "high", "high", "unheard of"}}, 60, High, []string{"several alerts"}},
		"all of it": {
			Facts{Tags: []string{"critical"}, BreakGlass: true, Frozen: true, Alerts: []string{"critical"}},
			100, Critical,
			[]string{"an alert", "target is tagged critical", "begun on broken glass", "frozen"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, Risk{tt.score, tt.level, tt.reasons}, Assess(at(tt.facts)))
		})
	}
}

// TestMore: no fact makes a session look safer.
func TestMore(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	all := []func(*Facts){
		func(f *Facts) { f.Tags = append(f.Tags, "critical") }, func(f *Facts) { f.Tags = append(f.Tags, "prod") },
		func(f *Facts) { f.BreakGlass = true }, func(f *Facts) { f.Frozen = true }, func(f *Facts) { f.Account = "root" },
		func(f *Facts) { f.StartedAt = now.Add(-9 * time.Hour) }, func(f *Facts) { f.Alerts = append(f.Alerts, "medium") },
	}
	for set := range 1 << len(all) {
		make := func(set int) Facts {
			f := Facts{StartedAt: now, Now: now}
			for i, with := range all {
				if set>>i&1 != 0 {
					with(&f)
				}
			}
			return f
		}
		for i := range all {
			require.GreaterOrEqual(t, Assess(make(set|1<<i)).Score, Assess(make(set)).Score)
		}
	}
}
