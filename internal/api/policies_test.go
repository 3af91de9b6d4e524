package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// ask sends JSON and reads JSON.
func ask[T any](f *fixture, method, path string, body any, status int) (out T) {
	f.t.Helper()
	var text string
	if body != nil {
		b, err := json.Marshal(body)
		require.NoError(f.t, err)
		text = string(b)
	}
	res := f.do(request{method: method, path: "/api/v1" + path, body: text})
	content := bodyOf(f.t, res)
	require.Equal(f.t, status, res.StatusCode, "%s", content)
	if len(content) > 0 {
		require.NoError(f.t, json.Unmarshal([]byte(content), &out), "%s", content)
	}
	return out
}

func TestPolicies(t *testing.T) {
	f := newFixture(t).signIn()
	list := ask[struct{ Policies []apigen.Policy }](f, "GET", "/policies", nil, 200)
	require.Len(t, list.Policies, len(policy.Defaults()))

	problem := ask[apigen.Problem](f, "POST", "/policies", map[string]any{"id": "x", "name": "X", "text": "permit (principal, action == Action::\"fly\",\n resource);"}, 422)
	require.Equal(t, "policy_invalid", problem.Code)
	require.Len(t, *problem.Findings, 1)
	require.Equal(t, 1, (*problem.Findings)[0].Line)
	require.Equal(t, "request_invalid", ask[apigen.Problem](f, "POST", "/policies", map[string]any{"id": "Not an id", "name": "X", "text": "x"}, 422).Code)

	text := `permit (principal in Group::"dba", action == Action::"connect", resource in Tag::"db");`
	made := ask[apigen.Policy](f, "POST", "/policies", map[string]any{"id": "dba", "name": "DBAs", "text": text}, 201)
	require.True(t, made.Enabled)
	require.Equal(t, "alice", made.UpdatedBy)
	require.Equal(t, "policy_exists", ask[apigen.Problem](f, "POST", "/policies", map[string]any{"id": "dba", "name": "DBAs", "text": text}, 409).Code)

	off := ask[apigen.Policy](f, "PUT", "/policies/dba", map[string]any{"revision": made.Revision, "enabled": false}, 200)
	require.False(t, off.Enabled)
	require.Equal(t, text, off.Text)
	require.Equal(t, "policy_changed", ask[apigen.Problem](f, "PUT", "/policies/dba", map[string]any{"revision": made.Revision, "enabled": true}, 409).Code)
	require.Equal(t, off, ask[apigen.Policy](f, "GET", "/policies/dba", nil, 200))
	require.Equal(t, "policy_lockout", ask[apigen.Problem](f, "PUT", "/policies/administrators", map[string]any{"revision": 1, "enabled": false}, 409).Code)

	versions := ask[struct {
		Versions []apigen.Policy
		Next     *int64
	}](f, "GET", "/policies/dba/versions?limit=1", nil, 200)
	require.Len(t, versions.Versions, 1)
	require.NotNil(t, versions.Next)

	require.Equal(t, "policy_changed", ask[apigen.Problem](f, "DELETE", "/policies/dba?revision=1", nil, 409).Code)
	require.Equal(t, http.StatusNoContent, f.do(request{method: "DELETE", path: "/api/v1/policies/dba?revision=" + number(off.Revision)}).StatusCode)
	require.Equal(t, "policy_not_found", ask[apigen.Problem](f, "GET", "/policies/dba", nil, 404).Code)
	require.Equal(t, "policy_not_found", ask[apigen.Problem](f, "PUT", "/policies/dba", map[string]any{"revision": 1}, 404).Code)
	require.Equal(t, "policy_not_found", ask[apigen.Problem](f, "DELETE", "/policies/dba?revision=1", nil, 404).Code)
	require.Equal(t, "policy_not_found", ask[apigen.Problem](f, "GET", "/policies/never/versions", nil, 404).Code)
}

func number(n int64) string { b, _ := json.Marshal(n); return string(b) }

func TestPolicyCheckAndSchema(t *testing.T) {
	f := newFixture(t).signIn()
	found := ask[struct{ Findings []apigen.PolicyFinding }](f, "POST", "/policy-check", map[string]any{"text": "permit (principal, action, resource);"}, 200)
	require.Len(t, found.Findings, 1)
	require.Equal(t, apigen.PolicyFindingSeverity("warning"), found.Findings[0].Severity)
	schema := ask[apigen.PolicySchema](f, "GET", "/policy-schema", nil, 200)
	require.NotEmpty(t, schema.Obligations)
	require.Len(t, schema.Obligations, len(policy.Describe().Obligations))
	require.Equal(t, "UTC", schema.TimeZone)
}

func TestPolicyExplain(t *testing.T) {
	f := newFixture(t).signIn()
	explain := func(body map[string]any, status int) apigen.PolicyExplanation {
		return ask[apigen.PolicyExplanation](f, "POST", "/policy-explain", body, status)
	}
	x := explain(map[string]any{"user": "Alice", "action": "connect", "target": "desk", "source": "10.1.2.3", "mfa_age_s": 5, "at": "2026-03-02T09:00:00Z"}, 200)
	require.True(t, x.Allowed)
	require.Equal(t, "administrators", x.Statements[0].Id)
	require.Equal(t, "Mon 2 Mar 2026 09:00:00 UTC", x.At)
	x = explain(map[string]any{"user": f.aliceID, "action": "fly"}, 200)
	require.False(t, x.Allowed)
	require.Contains(t, x.Reason, "fly")
	explain(map[string]any{"user": "nobody", "action": "connect"}, 404)
	explain(map[string]any{"user": "alice", "action": "connect", "source": "home"}, 400)
	explain(map[string]any{"action": "connect"}, 400)
}

// TestGroupInPolicies: a group that policies know by its name keeps it, and stays.
func TestGroupInPolicies(t *testing.T) {
	f := newFixture(t).signIn()
	g := ask[apigen.Group](f, "POST", "/groups", map[string]any{"name": "operators"}, 201)
	policyOf := func(text string) map[string]any {
		return map[string]any{"id": "night", "name": "Night", "text": text, "enabled": false}
	}
	made := ask[apigen.Policy](f, "POST", "/policies", policyOf(`forbid (principal in Group::"operators", action == Action::"connect", resource);`), 201)
	path := "/groups/" + g.Id
	refused := ask[apigen.Problem](f, "PATCH", path, map[string]any{"name": "others"}, 409)
	require.Equal(t, "group_in_policies", refused.Code)
	require.Contains(t, *refused.Detail, "Night")
	require.Equal(t, "group_in_policies", ask[apigen.Problem](f, "DELETE", path, nil, 409).Code)
	ask[apigen.Group](f, "PATCH", path, map[string]any{"name": "operators", "description": "d"}, 200)
	ask[apigen.Policy](f, "PUT", "/policies/night", map[string]any{
		"revision": made.Revision, "text": `forbid (principal, action == Action::"connect", resource) when { principal in Group::"others" };`,
	}, 200)
	ask[apigen.Group](f, "PATCH", path, map[string]any{"name": "crew"}, 200)
	require.Equal(t, "group_in_policies", ask[apigen.Problem](f, "DELETE", "/groups/"+ask[apigen.Group](f, "POST", "/groups", map[string]any{"name": "others"}, 201).Id, nil, 409).Code, "a condition names it")
}

// TestPoliciesDenied: nothing about policies is told to who may not manage them, also not whether there is one.
func TestPoliciesDenied(t *testing.T) {
	f := newFixture(t).signIn()
	f.policy.denied = map[policy.Action]bool{policy.ManagePolicies: true}
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/policies", nil},
		{"POST", "/policies", map[string]any{"id": "x", "name": "X", "text": "x"}},
		{"GET", "/policies/nothing", nil},
		{"PUT", "/policies/nothing", map[string]any{"revision": 1}},
		{"DELETE", "/policies/nothing?revision=1", nil},
		{"GET", "/policies/nothing/versions", nil},
		{"POST", "/policy-check", map[string]any{"text": "x"}},
		{"GET", "/policy-schema", nil},
		{"POST", "/policy-explain", map[string]any{"user": "nobody", "action": "connect"}},
	} {
		require.Equal(t, "forbidden", ask[apigen.Problem](f, r.method, r.path, r.body, 403).Code, r.path)
	}
}
