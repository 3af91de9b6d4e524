package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExplain(t *testing.T) {
	e := newEngine(t,
		`@max_duration("1h") permit (principal in Group::"ops", action == Action::"connect", resource in Tag::"prod");`,
		`permit (principal in Group::"dba", action == Action::"connect", resource in Tag::"prod");`,
		`permit (principal in Group::"dba", action == Action::"connect", resource in Tag::"lab");`,
		`permit (principal, action == Action::"connect", resource in Target::"desk")
		when { context.minutes >= 480 && context has source && context.source.isInRange(ip("10.0.0.0/8")) };`,
		`forbid (principal, action == Action::"connect", resource) unless { context.weekday == "mon" };`,
		`permit (principal, action == Action::"connect", resource) when { context.time * 9223372036854775807 > 0 };`,
		`permit (principal, action == Action::"replay", resource);`,
	)
	q := Query{
		Subject: Subject{ID: "u", Name: "ann", Roles: []Role{Member}, Groups: []string{"ops"}}, Action: Connect, Resource: resources()[Connect],
		Circumstances: Circumstances{Time: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Source: netip.MustParseAddr("192.0.2.1")},
	}
	x, err := e.Explain(t.Context(), q)
	require.NoError(t, err)
	require.True(t, x.Decision.Allowed)
	require.Equal(t, []string{"p0"}, x.Decision.Policies)
	require.Equal(t, time.Hour, x.Decision.Obligations.MaxDuration)
	got := map[string]Verdict{}
	var order []string
	for _, v := range x.Statements {
		got[v.ID] = v
		order = append(order, v.ID)
	}
	require.Equal(t, "p0", order[0])
	require.True(t, got["p0"].Decided)
	require.Empty(t, got["p0"].Missed)
	require.Equal(t, []string{`principal in Group::"dba"`}, got["p1"].Missed)
	require.NotContains(t, got, "p2", "two things are wrong with it")
	require.Equal(t, []string{`context.source.isInRange(ip("10.0.0.0/8"))`}, got["p3"].Missed)
	require.Equal(t, []string{`unless context.weekday == "mon"`}, got["p4"].Missed)
	require.NotEmpty(t, got["p5"].Error)
	require.NotContains(t, got, "p6")
	require.Contains(t, got["p0"].Text, "@max_duration")

	// A forbid decides; the permits it overrules apply.
	q.Circumstances.Time = q.Circumstances.Time.Add(24 * time.Hour)
	x, err = e.Explain(t.Context(), q)
	require.NoError(t, err)
	require.False(t, x.Decision.Allowed)
	require.Equal(t, "p4", x.Statements[0].ID)
	require.True(t, x.Statements[0].Forbids)
	require.Equal(t, "p0", x.Statements[1].ID)
	require.True(t, x.Statements[1].Applies)
	require.False(t, x.Statements[1].Decided)

	q.Subject.Scopes = []Action{Replay}
	x, err = e.Explain(t.Context(), q)
	require.NoError(t, err)
	require.Contains(t, x.Decision.Reason, "scopes")
	require.Empty(t, x.Statements)
}

// TestExplainAgrees: what explains a decision is what was decided, for all roles, actions and owners.
func TestExplainAgrees(t *testing.T) {
	e := defaultEngine(t, manyPolicies(20)...)
	for _, role := range Roles() {
		for action, r := range resources() {
			for _, owner := range []string{"me", "somebody"} {
				r.Owner = owner
				q := Query{Subject: person("me", role), Action: action, Resource: r, Circumstances: Circumstances{Approved: owner == "me"}}
				d, err := e.Authorize(t.Context(), q)
				require.NoError(t, err)
				x, err := e.Explain(t.Context(), q)
				require.NoError(t, err)
				require.Equal(t, d, x.Decision)
				decided := 0
				for _, v := range x.Statements {
					if v.Decided {
						decided++
						require.True(t, v.Applies)
					}
				}
				require.Len(t, d.Policies, decided)
			}
		}
	}
}
