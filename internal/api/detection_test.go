package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

type m = map[string]any

func ruleBody(change ...func(m)) m {
	r := m{"id": "launch", "name": "Launches", "severity": "high", "action": "alert", "sources": []string{"typed"}, "any": []string{`^launch\b`}}
	for _, c := range change {
		c(r)
	}
	return r
}

func TestDetectionRules(t *testing.T) {
	f := newFixture(t).signIn()
	list := ask[apigen.DetectionRules](f, "GET", "/detection/rules", nil, 200)
	require.True(t, list.Enabled)
	require.Len(t, list.Rules, len(detect.Starter().Rules))
	require.Len(t, list.Lists, len(detect.Starter().Lists))
	shipped := list.Rules[0]
	require.Equal(t, apigen.DetectionOrigin("shipped"), shipped.Origin)

	// What is wrong is named.
	problem := ask[apigen.Problem](f, "POST", "/detection/rules", ruleBody(func(r m) { r["any"] = []string{"fine", "(open"} }), 422)
	require.Equal(t, "rule_invalid", problem.Code)
	require.Equal(t, `The pattern "(open" cannot be used: missing closing ).`, *problem.Detail)
	problem = ask[apigen.Problem](f, "POST", "/detection/rules", ruleBody(func(r m) { r["id"] = "No id" }), 422)
	require.Contains(t, *problem.Detail, `The id "No id"`)
	require.Equal(t, "request_invalid", ask[apigen.Problem](f, "POST", "/detection/rules", ruleBody(func(r m) { r["severity"] = "worst" }), 400).Code)

	made := ask[apigen.KeptDetectionRule](f, "POST", "/detection/rules", ruleBody(), 201)
	require.Equal(t, "alice", *made.UpdatedBy)
	created := f.audit.last()
	require.Equal(t, "rule_exists", ask[apigen.Problem](f, "POST", "/detection/rules", ruleBody(), 409).Code)
	entry := f.audit.last()
	require.Equal(t, []string{"create_detection_rule", "detection_rule", "launch"}, []string{created.Action, created.Object.Kind, created.Object.ID})
	require.Equal(t, "rule_exists", entry.Details["problem"])

	changed := ruleBody(func(r m) { r["action"], r["scope"] = "freeze", m{"users": []string{"bob"}, "tags": []string{"prod"}} })
	kept := ask[apigen.KeptDetectionRule](f, "PUT", "/detection/rules/launch", m{"revision": made.Revision, "rule": changed}, 200)
	require.Equal(t, []string{"bob"}, *kept.Rule.Scope.Users)
	entry = f.audit.last()
	require.Equal(t, []string{`"alert"`, `"freeze"`}, []string{entry.Details["was_action"], entry.Details["action"]})
	require.Contains(t, entry.Details["scope"], "bob")
	require.NotContains(t, entry.Details, "severity", "what stays is not told")
	require.Equal(t, "rule_changed", ask[apigen.Problem](f, "PUT", "/detection/rules/launch", m{"revision": made.Revision, "rule": changed}, 409).Code)
	require.Equal(t, "request_invalid", ask[apigen.Problem](f, "PUT", "/detection/rules/launch", m{"revision": kept.Revision, "rule": ruleBody(func(r m) { r["id"] = "other" })}, 400).Code)
	require.Equal(t, "rule_not_found", ask[apigen.Problem](f, "PUT", "/detection/rules/none", m{"revision": 0, "rule": ruleBody()}, 404).Code)
	require.Equal(t, kept, ask[apigen.KeptDetectionRule](f, "GET", "/detection/rules/launch", nil, 200))

	// A shipped rule is switched off, and back.
	off := shipped.Rule
	off.Disabled = new(true)
	adjusted := ask[apigen.KeptDetectionRule](f, "PUT", "/detection/rules/"+off.Id, m{"revision": 0, "rule": off}, 200)
	require.Equal(t, apigen.KeptDetectionRuleChange("adjusted"), *adjusted.Change)
	require.Equal(t, shipped.Rule, *adjusted.Base)
	require.Equal(t, http.StatusNoContent, f.do(request{method: "DELETE", path: "/api/v1/detection/rules/" + off.Id + "?revision=" + number(adjusted.Revision)}).StatusCode)
	require.Equal(t, shipped, ask[apigen.KeptDetectionRule](f, "GET", "/detection/rules/"+off.Id, nil, 200))
	require.Equal(t, "rule_unchanged", ask[apigen.Problem](f, "DELETE", "/detection/rules/"+off.Id+"?revision=1", nil, 409).Code)

	versions := ask[struct {
		Versions []apigen.DetectionRuleVersion
		Next     *int64
	}](f, "GET", "/detection/rules/launch/versions?limit=1", nil, 200)
	require.Len(t, versions.Versions, 1)
	require.Equal(t, apigen.DetectionAction("freeze"), versions.Versions[0].Rule.Action)
	require.NotNil(t, versions.Next)

	words := ask[apigen.KeptDetectionList](f, "PUT", "/detection/lists/crown", m{"revision": 0, "words": []string{"jewels"}}, 200)
	require.Equal(t, "rule_invalid", ask[apigen.Problem](f, "PUT", "/detection/lists/crown", m{"revision": words.Revision, "words": []string{"two words"}}, 422).Code)
	require.Equal(t, http.StatusNoContent, f.do(request{method: "DELETE", path: "/api/v1/detection/lists/crown?revision=" + number(words.Revision)}).StatusCode)
	require.Equal(t, http.StatusNoContent, f.do(request{method: "DELETE", path: "/api/v1/detection/rules/launch?revision=" + number(kept.Revision)}).StatusCode)
}

func TestCheckDetectionRule(t *testing.T) {
	f := newFixture(t).signIn()
	check := func(rule m, sample string) apigen.DetectionCheck {
		return ask[apigen.DetectionCheck](f, "POST", "/detection/check", m{"rule": rule, "sample": sample, "source": "typed"}, 200)
	}
	got := check(ruleBody(), `sudo "launch" now`)
	require.True(t, got.Fits)
	require.Nil(t, got.Problem)
	require.Len(t, got.Found, 1)
	require.Equal(t, "launch now", got.Found[0].In, "the command without sudo and quotes")
	require.False(t, check(ruleBody(), "echo launch").Fits)
	got = check(ruleBody(func(r m) { r["none"] = []string{"--dry"} }), "launch --dry")
	require.False(t, got.Fits)
	require.Len(t, got.Found, 2)
	got = check(ruleBody(func(r m) { delete(r, "any"); r["lists"] = []string{"attack-tools"} }), "mimikatz.exe")
	require.True(t, got.Fits)
	require.Equal(t, apigen.DetectionCheckFoundKind("list"), got.Found[0].Kind)
	require.True(t, check(ruleBody(func(r m) { r["disabled"] = true }), "launch").Fits, "one that is off can be tried")
	got = check(ruleBody(func(r m) { r["any"] = []string{"[z-a]"} }), "")
	require.Equal(t, "[z-a]", *got.Pattern)
	require.Contains(t, *got.Problem, "invalid character class range")
	got = check(ruleBody(func(r m) { r["lists"] = []string{"none"} }), "")
	require.Equal(t, `There is no list "none".`, *got.Problem)
}

func TestDryRun(t *testing.T) {
	f := newFixture(t).signIn()
	rec := f.record(endedID)
	enter := recording.KeyEvent{Actor: "alice", Keysym: uint32(keyboard.Return), Down: true}
	for _, c := range "launch -x" {
		require.NoError(t, rec.Event(recording.KeyEvent{Actor: "alice", Keysym: uint32(c), Down: true}))
	}
	require.NoError(t, rec.Event(enter))
	require.NoError(t, rec.Event(recording.AlertEvent{Actor: "alice", Rule: "launch", Name: "Launches", Severity: "high", Action: "alert", Source: "typed"}))
	require.NoError(t, rec.Event(recording.ClipboardEvent{Actor: "alice", Direction: recording.ToTarget, Text: "launch by paste"}))
	rec.seal(t, recording.EndReason{Code: "user_disconnected", Message: "bye"})

	run := func(body m) apigen.DryRunResult {
		return ask[apigen.DryRunResult](f, "POST", "/detection/dry-run", body, 200)
	}
	got := run(m{"rule": ruleBody(func(r m) {
		r["sources"], r["disabled"], r["any"] = []string{"typed", "clipboard"}, true, []string{"(?i)launch"}
	})})
	require.Equal(t, 3, got.Tried)
	require.Nil(t, got.Next)
	require.Len(t, got.Skipped, 2, "there is nothing of the others")
	require.Contains(t, got.Skipped[0].Reason, "no such recording")
	require.Len(t, got.Recordings, 1)
	require.Equal(t, endedID, got.Recordings[0].Recording.Session.Id)
	hits := got.Recordings[0].Hits
	require.Len(t, hits, 2)
	require.Equal(t, []any{"launch -x", "alice", true}, []any{hits[0].Text, *hits[0].Actor, hits[0].Told})
	require.Equal(t, "launch by paste", hits[1].Text)
	require.Equal(t, []string{"dry_run_rule", "launch", `["(?i)launch"]`}, []string{f.audit.last().Action, f.audit.last().Object.ID, f.audit.last().Details["any"]})

	// A saved rule, and page by page.
	require.Empty(t, run(m{"id": "attack-tools"}).Recordings)
	first := run(m{"id": "attack-tools", "limit": 1})
	require.Equal(t, 1, first.Tried)
	require.Equal(t, 2, run(m{"id": "attack-tools", "before": *first.Next}).Tried)
	require.Equal(t, "rule_not_found", ask[apigen.Problem](f, "POST", "/detection/dry-run", m{"id": "none"}, 404).Code)
	require.Equal(t, "request_invalid", ask[apigen.Problem](f, "POST", "/detection/dry-run", m{}, 400).Code)
	require.Equal(t, "rule_invalid", ask[apigen.Problem](f, "POST", "/detection/dry-run", m{"rule": ruleBody(func(r m) { r["any"] = []string{"("} })}, 422).Code)

	// Whoever may not replay a recording learns nothing of it, also not that it is there.
	f.policy.decide = func(q policy.Query) bool { return q.Action != policy.Replay || q.Resource.Owner == "b" }
	got = run(m{"rule": ruleBody()})
	require.Equal(t, 1, got.Tried)
	require.Empty(t, got.Recordings)
	f.policy.decide = nil

	for range cap(f.server.dryRuns) {
		f.server.dryRuns <- struct{}{}
	}
	require.Equal(t, "dry_run_busy", ask[apigen.Problem](f, "POST", "/detection/dry-run", m{"id": "attack-tools"}, 503).Code)
}

func TestAlerts(t *testing.T) {
	f := newFixture(t).signIn()
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, s := range []store.Session{
		{ID: runningID, UserID: f.aliceID, UserName: "alice", TargetID: "desk", TargetName: "Desk", State: "active", StartedAt: start},
		{ID: bobsID, UserID: "bob", UserName: "bob", TargetID: "bare", TargetName: "Bare", State: "ended", StartedAt: start},
	} {
		require.NoError(t, f.db.Sessions.Create(t.Context(), s))
	}
	id := func(n int) string {
		return "01JB00000000000000000000" + string(rune('A'+n/10)) + string(rune('0'+n%10))
	}
	for i := range 12 {
		a := store.Alert{
			ID: id(i), SessionID: runningID, Rule: "linux-logs", Name: "Logs removed", Severity: "high", SeverityRank: 3, Action: "freeze", Source: "typed",
			Person: "alice", Excerpt: "rm -rf /var/log", Count: 1 + i, FirstAt: start.Add(time.Duration(i) * time.Minute), LastAt: start.Add(time.Hour),
			First: time.Duration(i) * time.Second, Last: time.Minute,
		}
		if i%2 == 1 {
			a.SessionID, a.Severity, a.SeverityRank = bobsID, "low", 1
		}
		require.NoError(t, f.db.Alerts.Create(t.Context(), a))
	}
	type page struct {
		Alerts []apigen.Alert
		Next   *string
	}
	list := func(query string) page { return ask[page](f, "GET", "/alerts"+query, nil, 200) }
	all := list("")
	require.Len(t, all.Alerts, 12)
	require.Nil(t, all.Next)
	newest := all.Alerts[0]
	require.Equal(t, []any{id(11), bobsID, false, "Bare", 12, int64(11_000), int64(60_000), true}, []any{
		newest.Id, newest.Session, newest.Running, newest.Target.Name, newest.Count, newest.FirstMs, newest.LastMs, newest.MayAcknowledge,
	})
	require.True(t, all.Alerts[1].Running)
	first := list("?limit=5")
	require.Len(t, first.Alerts, 5)
	require.Equal(t, all.Alerts[5:10], list("?limit=5&before="+*first.Next).Alerts)
	require.Len(t, list("?severity=medium").Alerts, 6)
	require.Len(t, list("?q=BOB").Alerts, 6)
	require.Len(t, list("?session="+runningID+"&rule=linux-logs&target=desk&user="+f.aliceID).Alerts, 6)
	require.Empty(t, list("?rule=other").Alerts)
	require.Empty(t, list("?state=acknowledged").Alerts)
	require.Equal(t, newest, ask[apigen.Alert](f, "GET", "/alerts/"+id(11), nil, 200))
	require.Equal(t, "alert_not_found", ask[apigen.Problem](f, "GET", "/alerts/"+unknownID, nil, 404).Code)

	done := ask[struct{ Acknowledged int }](f, "POST", "/alerts/acknowledge", m{"alerts": []string{id(0), id(1)}, "note": " known "}, 200)
	require.Equal(t, 2, done.Acknowledged)
	require.Equal(t, []string{"known", "2", id(0) + " " + id(1)}, []string{f.audit.last().Details["note"], f.audit.last().Details["were_new"], f.audit.last().Details["alerts"]})
	require.Zero(t, ask[struct{ Acknowledged int }](f, "POST", "/alerts/acknowledge", m{"alerts": []string{id(0)}}, 200).Acknowledged)
	seen := list("?state=acknowledged").Alerts
	require.Len(t, seen, 2)
	require.Equal(t, "alice", seen[0].Acknowledged.By)
	require.Equal(t, "known", *seen[0].Acknowledged.Note)
	require.False(t, seen[0].MayAcknowledge)
	require.Len(t, list("?state=new").Alerts, 10)
	require.Equal(t, "alert_not_found", ask[apigen.Problem](f, "POST", "/alerts/acknowledge", m{"alerts": []string{id(2), unknownID}}, 404).Code)
	require.Len(t, list("?state=new").Alerts, 10, "all or none")

	// What policy hides is neither in lists nor counted.
	f.policy.decide = func(q policy.Query) bool { return q.Action != policy.ReadAlerts || q.Resource.Owner != "bob" }
	require.Len(t, list("").Alerts, 6)
	short := list("?limit=2")
	require.Len(t, short.Alerts, 2)
	require.Equal(t, []string{id(6), id(4)}, idsOf(list("?limit=2&before="+*short.Next).Alerts))
	require.Equal(t, "forbidden", ask[apigen.Problem](f, "GET", "/alerts/"+id(11), nil, 403).Code)
}

func idsOf(list []apigen.Alert) (out []string) {
	for _, a := range list {
		out = append(out, a.Id)
	}
	return out
}
