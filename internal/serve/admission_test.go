package serve

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// apply puts a policy in force beside the others.
func (g *gateway) apply(text string) {
	g.t.Helper()
	require.NoError(g.t, g.opened.policies.Apply(g.t.Context(), policy.Author{Name: "test"},
		policy.Change{Document: policy.Document{ID: "test", Name: "Test", Text: text, Enabled: true}, Base: policy.AnyRevision}))
}

// endings waits for what the people in the session were told.
func (g *gateway) endings(n int) []access.Ending {
	g.t.Helper()
	var got []access.Ending
	require.Eventually(g.t, func() bool {
		g.workers.mu.Lock()
		defer g.workers.mu.Unlock()
		got = append([]access.Ending(nil), g.workers.told...)
		return len(got) >= n
	}, waitLong, tick)
	return got
}

func (g *gateway) endedWith(id, code string) {
	g.t.Helper()
	var s sessionOut
	require.Eventually(g.t, func() bool {
		require.Equal(g.t, 200, g.call("GET", "/sessions/"+id, "", &s))
		return s.State == "ended"
	}, waitLong, tick)
	require.Equal(g.t, code, s.End.Code)
}

// TestPolicyEndsASession: what a policy takes away ends after a warning, and not at all when it is given back.
func TestPolicyEndsASession(t *testing.T) {
	g := start(t, t.TempDir(), targetsYAML+"session: {end_warning: 2s}\n")
	defer g.end()
	g.signIn(g.password)
	s := g.create()
	g.apply(`forbid (principal, action == Action::"connect", resource in Target::"desk");`)
	told := g.endings(1)
	require.Equal(t, access.EndPolicyRevoked, told[0].Code)
	require.WithinDuration(t, time.Now(), told[0].Deadline, 2*time.Second)
	g.apply(`forbid (principal, action == Action::"connect", resource in Target::"other");`)
	require.Empty(t, g.endings(2)[1].Code, "taken back")

	g.apply(`forbid (principal, action in Action::"clipboard", resource in Target::"desk");`)
	require.Eventually(t, func() bool {
		g.workers.mu.Lock()
		defer g.workers.mu.Unlock()
		return len(g.workers.clipboard) == 1 && g.workers.clipboard[0] == access.Clipboard{}
	}, waitLong, tick)

	g.apply(`forbid (principal, action == Action::"connect", resource) unless { context.time < ` + seconds(time.Now().Add(3*time.Second)) + ` };`)
	require.Equal(t, access.EndWindowClosed, g.endings(3)[2].Code)
	g.endedWith(s.ID, access.EndWindowClosed)
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// TestDisabledUser: whoever may not sign in any more is not on desktops either.
func TestDisabledUser(t *testing.T) {
	g := start(t, t.TempDir(), targetsYAML+"session: {end_warning: 0s}\n")
	defer g.end()
	g.signIn(g.password)
	s := g.create()
	id := g.opened.identity
	admin, err := id.UserByName(t.Context(), identity.FirstUser)
	require.NoError(t, err)
	_, err = id.CreateUser(t.Context(), identity.NewUser{Name: "second", Password: "correct horse battery", Roles: []policy.Role{policy.Administrator}})
	require.NoError(t, err)
	_, err = id.UpdateUser(t.Context(), admin.ID, identity.Change{Disabled: new(true)})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		row, err := g.opened.db.Sessions.Get(context.Background(), s.ID)
		require.NoError(t, err)
		return row.EndCode == access.EndUserDisabled
	}, waitLong, tick)
}

// TestObligationsReachTheWorker: what policies oblige to is in the session from its start.
func TestObligationsReachTheWorker(t *testing.T) {
	g := start(t, t.TempDir(), targetsYAML)
	defer g.end()
	g.signIn(g.password)
	g.apply(`@keys("none") @idle_limit("15m") @reason("required") @ticket("required")
		permit (principal, action == Action::"connect", resource);
		forbid (principal, action == Action::"clipboard::from_target", resource);`)
	var p struct{ Code string }
	require.Equal(t, 403, g.call("POST", "/sessions", `{"target_id":"desk"}`, &p))
	require.Equal(t, "reason_needed", p.Code)
	require.Equal(t, 403, g.call("POST", "/sessions", `{"target_id":"desk","reason":"disk full"}`, &p))
	require.Equal(t, "ticket_needed", p.Code)
	require.Equal(t, 201, g.call("POST", "/sessions", `{"target_id":"desk","reason":"disk full","ticket":"CHG-1"}`, nil))
	n := g.workers.last
	require.Equal(t, "none", n.Admission.Obligations.Keys)
	require.Equal(t, 15*time.Minute, n.Admission.Obligations.IdleLimit)
	require.False(t, n.Target.ClipboardFromTarget)
	require.True(t, n.Target.ClipboardToTarget)
	require.Equal(t, "CHG-1", n.Admission.Facts.Ticket)
}

// TestAdmissionIsInTheAuditLog: why somebody was on a desktop, and which policies let them, can be looked up.
func TestAdmissionIsInTheAuditLog(t *testing.T) {
	row := store.Session{ID: "s", UserName: "ann", TargetID: "desk"}
	e := sessionStarted(&row, &api.NewSession{Admission: access.Admission{
		Policies: []string{"ops"}, Facts: access.Facts{Reason: "disk full", Ticket: "CHG-1"}, Grant: &access.Grant{ID: "g"},
	}})
	require.Equal(t, []string{"ops"}, e.Policies)
	require.Equal(t, "disk full", e.Details["reason"])
	require.Equal(t, "CHG-1", e.Details["ticket"])
	require.Equal(t, "g", e.Details["grant_id"])
	require.NotContains(t, sessionStarted(&row, &api.NewSession{}).Details, "reason")
}

// TestSessionLimits: how many sessions run at a time is held at the door, and in the sessions where the limit is lowered: the newest
// beyond it ends after a warning, with its reason.
func TestSessionLimits(t *testing.T) {
	g := start(t, t.TempDir(), targetsYAML+"session: {end_warning: 2s}\n")
	defer g.end()
	g.signIn(g.password)
	limit := func(most string) string {
		return `@max_sessions("` + most + `") permit (principal, action == Action::"connect", resource in Target::"desk");`
	}
	g.apply(limit("2"))
	first, second := g.create(), g.create()
	var problem struct{ Code, Detail string }
	require.Equal(t, 409, g.call("POST", "/sessions", `{"target_id":"desk"}`, &problem))
	require.Equal(t, access.EndSessionLimit, problem.Code)
	require.Equal(t, "You have 2 sessions, and no more are allowed. End one first.", problem.Detail)

	g.apply(limit("1"))
	require.Equal(t, access.EndSessionLimit, g.endings(1)[0].Code)
	g.endedWith(second.ID, access.EndSessionLimit)
	var s sessionOut
	require.Equal(t, 200, g.call("GET", "/sessions/"+first.ID, "", &s))
	require.Equal(t, "active", s.State)
	g.apply(`@max_target_sessions("1") permit (principal, action == Action::"connect", resource in Target::"desk");`)
	require.Equal(t, 409, g.call("POST", "/sessions", `{"target_id":"desk"}`, &problem))
	require.Equal(t, "Somebody is on this desktop, and one session at a time is allowed there.", problem.Detail)
}
