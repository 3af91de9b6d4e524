package serve

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/rules"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/worker"
)

// TestRulesForSessions: a session gets the rules that cover it, and what becomes of them while it runs.
func TestRulesForSessions(t *testing.T) {
	g := start(t, t.TempDir(), targetsYAML)
	g.signIn(g.password)
	of := func(id string) map[string]detect.Rule {
		g.workers.mu.Lock()
		text := g.workers.rules[id]
		g.workers.mu.Unlock()
		var file detect.File
		out := map[string]detect.Rule{}
		if len(text) > 0 {
			require.NoError(t, json.Unmarshal(text, &file))
			require.NoError(t, file.Check(nil), "the worker can use it")
		}
		for _, r := range file.Rules {
			out[r.ID] = r
		}
		return out
	}
	s := g.create()
	require.Len(t, of(s.ID), len(detect.Starter().Rules))
	book, by := g.opened.detection.book, rules.Author{ID: "u", Name: "somebody"}
	mine := detect.Rule{
		ID: "mine", Name: "Mine", Severity: detect.Low, Action: detect.ActionAlert, Sources: []detect.Source{detect.Typed}, Any: []string{"^mine$"},
		Scope: detect.Scope{Users: []string{"admin"}, Targets: []string{"desk"}},
	}
	_, err := book.Add(t.Context(), by, mine)
	require.NoError(t, err)
	others := mine
	others.ID, others.Scope = "others", detect.Scope{Users: []string{"somebody-else"}}
	_, err = book.Add(t.Context(), by, others)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return of(s.ID)["mine"].Name == "Mine" }, waitLong, tick, "the running session gets it")
	second := g.create()
	require.Contains(t, of(second.ID), "mine")
	require.NotContains(t, of(second.ID), "others")
	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	require.NotContains(t, g.opened.detection.running, s.ID)
	require.Contains(t, g.opened.detection.running, second.ID)
	g.end()
}

// TestAlerts: what a worker tells of reaches the audit log, the people who may read its alerts and its risk, storms as one.
func TestAlerts(t *testing.T) {
	g := start(t, t.TempDir(), targetsYAML)
	g.signIn(g.password)
	s := g.create()
	type entry struct {
		Action  string
		Details map[string]string
	}
	entries := func() (out []entry) {
		var list struct{ Entries []entry }
		require.Equal(t, 200, g.call("GET", "/audit/entries?limit=200", "", &list))
		for _, e := range list.Entries {
			if e.Action == "session_alert" {
				out = append(out, e)
			}
		}
		return out
	}
	alert := worker.Alert{
		Rule: "linux-logs", Name: "Logs removed", Severity: detect.High, Action: detect.ActionFreeze, Source: detect.Typed,
		Excerpt: "rm -rf /var/log", Actor: "admin",
	}
	raise := workerObserver{g.workers.observer}.AlertRaised
	raise(s.ID, alert)
	alert.Count = 3
	alert.Moment = 5 * time.Second
	raise(s.ID, alert)
	found := entries()
	require.Len(t, found, 1)
	require.Equal(t, "rm -rf /var/log", found[0].Details["excerpt"])
	require.Equal(t, "freeze", found[0].Details["action"])
	require.NotContains(t, found[0].Details, "repeated")

	// In the store it is one, which counts, and after it was seen to another.
	listed := func() []store.Alert {
		list, err := g.opened.db.Alerts.List(t.Context(), store.AlertFilter{Limit: 10})
		require.NoError(t, err)
		return list
	}
	require.Eventually(t, func() bool { return listed()[0].Count == 4 }, waitLong, tick)
	require.Len(t, listed(), 1)
	require.Equal(t, []any{"linux-logs", "high", "freeze", "rm -rf /var/log", "admin", s.ID}, []any{
		listed()[0].Rule, listed()[0].Severity, listed()[0].Action, listed()[0].Excerpt, listed()[0].Person, listed()[0].Session.ID,
	})
	require.Equal(t, []time.Duration{0, 5 * time.Second}, []time.Duration{listed()[0].First, listed()[0].Last})
	_, err := g.opened.db.Alerts.Acknowledge(t.Context(), []string{listed()[0].ID}, store.Actor{Name: "admin"}, "", time.Now())
	require.NoError(t, err)
	alert.Count = 0
	raise(s.ID, alert)
	require.Eventually(t, func() bool { return len(listed()) == 2 }, waitLong, tick)
	require.Equal(t, 1, listed()[0].Count)

	// What is said to a rule that asks why stands beside the alert it is about.
	workerObserver{g.workers.observer}.Justified(s.ID, worker.Justification{
		Rule: "linux-logs", Name: "Logs removed", Answer: recording.AnswerGiven, Text: "CHG-7", Actor: "admin", Released: true,
	})
	require.Equal(t, []store.Answer{{Kind: "given", By: "admin", Reason: "CHG-7"}, {}}, []store.Answer{listed()[0].Answer, listed()[1].Answer})
	var told struct {
		Alerts []struct {
			Answer *struct{ Kind, By, Reason string }
		}
	}
	require.Equal(t, 200, g.call("GET", "/alerts", "", &told))
	require.Equal(t, "CHG-7", told.Alerts[0].Answer.Reason)
	require.Nil(t, told.Alerts[1].Answer)

	var shown struct{ Risk struct{ Reasons []string } }
	require.Equal(t, 200, g.call("GET", "/sessions/"+s.ID, "", &shown))
	require.Contains(t, shown.Risk.Reasons, "an alert")

	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	g.sealed(s.ID)
	require.Eventually(t, func() bool { return len(entries()) == 2 }, time.Minute, 10*time.Millisecond)
	for _, e := range entries() {
		if e.Details["repeated"] != "" {
			require.Equal(t, "3", e.Details["repeated"])
			g.end()
			return
		}
	}
	t.Fatal("what was counted is not written")
}
