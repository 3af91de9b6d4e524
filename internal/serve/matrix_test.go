package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

// TestPermissionMatrix asks every operation of openapi.yaml in every role for something that is somebody else's, and holds
// the answer against the operation's x-roles. An operation without x-roles, or with a parameter or a body it does not know
// how to make, fails.
func TestPermissionMatrix(t *testing.T) {
	doc := document(t)
	m := newMatrix(t)
	for _, r := range routesOf(t, doc) {
		t.Run(r.id, func(t *testing.T) { m.check(t, r) })
	}
}

// route is one operation.
type route struct {
	id, method, path string
	op               *openapi3.Operation
	params           openapi3.Parameters
	open             bool
	roles            []string // who may; "any" is everybody
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	b, err := os.ReadFile("../api/openapi.yaml")
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(b)
	require.NoError(t, err)
	return doc
}

func routesOf(t *testing.T, doc *openapi3.T) []route {
	t.Helper()
	var out []route
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			r := route{id: op.OperationID, method: method, path: path, op: op, params: append(slices.Clone(item.Parameters), op.Parameters...)}
			r.open = op.Security != nil && len(*op.Security) == 0
			if !r.open {
				list, ok := op.Extensions["x-roles"].([]any)
				require.True(t, ok, "%s %s has no x-roles", method, path)
				for _, role := range list {
					r.roles = append(r.roles, role.(string))
					known := role == "any" || slices.Contains(policy.Roles(), policy.Role(role.(string)))
					require.True(t, known, "%s: role %v", r.id, role)
				}
			}
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b route) int { return strings.Compare(a.id, b.id) })
	return out
}

// matrix is a gateway with a person in each role, and others who own what those ask for.
type matrix struct {
	t      *testing.T
	g      *gateway
	people map[policy.Role]*http.Client
	owner  *http.Client // the first administrator
	asker  *http.Client // a user who asks for access
	nobody *http.Client
	names  map[*http.Client]string
	n      int // makes names unique
}

const matrixPassword = "a long enough passphrase"

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	g := start(t, t.TempDir(), "limits: {requests_per_minute: 0, connects_per_minute: 0, source_connects_per_minute: 0}\n"+targetsYAML)
	t.Cleanup(g.end)
	g.signIn(g.password)
	m := &matrix{t: t, g: g, people: map[policy.Role]*http.Client{}, owner: g.client, nobody: &http.Client{}, names: map[*http.Client]string{}}
	for _, role := range policy.Roles() {
		m.people[role] = m.signIn(t, m.user(t, string(role), string(role)))
	}
	m.asker = m.signIn(t, m.user(t, "asker", string(policy.Member)))
	return m
}

// user makes a person and returns their name.
func (m *matrix) user(t *testing.T, name string, roles ...string) string {
	t.Helper()
	m.must(t, m.owner, "POST", "/users", map[string]any{"username": name, "password": matrixPassword, "roles": roles})
	return name
}

// signIn signs a person in who must change their password first.
func (m *matrix) signIn(t *testing.T, name string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	m.must(t, client, "POST", "/sign-in", map[string]any{"username": name, "password": matrixPassword})
	m.must(t, client, "POST", "/me/password", map[string]any{"current_password": matrixPassword, "new_password": matrixPassword + name})
	m.names[client] = name
	return client
}

// must asks for what must come to a good end, and returns the answer.
func (m *matrix) must(t *testing.T, client *http.Client, method, url string, body any) map[string]any {
	t.Helper()
	b, err := json.Marshal(body)
	require.NoError(t, err)
	if body == nil {
		b = nil
	}
	status, answer := m.send(t, client, method, url, "application/json", string(b))
	require.Less(t, status, 300, "%s %s: %s", method, url, answer)
	var out map[string]any
	if answer != "" {
		require.NoError(t, json.Unmarshal([]byte(answer), &out), answer)
	}
	return out
}

func (m *matrix) send(t *testing.T, client *http.Client, method, url, kind, body string) (status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, m.g.url+"/api/v1"+url, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return res.StatusCode, "" // it has no end
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func (m *matrix) unique(what string) string {
	m.n++
	return fmt.Sprintf("%s-%d", what, m.n)
}

// check asks for r in every role.
func (m *matrix) check(t *testing.T, r route) {
	if r.open {
		return // TestOpenOperations
	}
	url, kind, body := m.request(t, r, m.owner)
	status, answer := m.send(t, m.nobody, r.method, url, kind, body)
	require.Equal(t, 401, status, "nobody: %s", answer)
	reached := false
	for _, role := range policy.Roles() {
		client := m.people[role]
		if endsSignIn[r.id] {
			client = m.signIn(t, m.user(t, m.unique("leaver"), string(role)))
		}
		if slices.Contains(r.roles, "any") || slices.Contains(r.roles, string(role)) {
			url, kind, body = m.request(t, r, client) // what there was may be gone by now
			status, answer := m.send(t, client, r.method, url, kind, body)
			require.NotContains(t, []int{400, 401, 403, 404, 405, 415, 422}, status, "a %s may: %s", role, answer)
			reached = reached || status < 300
			continue
		}
		status, answer := m.send(t, client, r.method, url, kind, body)
		require.Contains(t, []int{403, 404}, status, "a %s may not: %s", role, answer)
	}
	require.True(t, reached || unreachable[r.id], "nobody comes to a good end")
}

// endsSignIn are operations after which the caller is signed in no more, or elsewhere no more.
var endsSignIn = map[string]bool{"signOut": true, "changeMyPassword": true, "revokeMyOtherSignIns": true, "revokeMySignIn": true}

// unreachable are operations whose good end this gateway has not got.
var unreachable = map[string]bool{
	"lookAtNativeSignIn": true, "decideNativeSignIn": true, // no native client waits
	"answerQuestion": true, // nobody is asked anything, and answers are only for whoever is
}

// request makes a request that is right in all but who asks: for something that is not theirs, or for r "any" their own.
func (m *matrix) request(t *testing.T, r route, client *http.Client) (url, kind, body string) {
	t.Helper()
	made := m.make(t, r, client)
	var query []string
	url = r.path
	for _, p := range r.params {
		p := p.Value
		value, ok := made[p.Name]
		if f, isNumber := value.(float64); isNumber {
			value = int64(f)
		}
		switch {
		case p.In == "path":
			require.True(t, ok, "the test does not know how to make a %s", p.Name)
			url = strings.ReplaceAll(url, "{"+p.Name+"}", fmt.Sprint(value))
		case p.In == "query" && p.Required:
			require.True(t, ok, "the test does not know what to ask for in %s", p.Name)
			query = append(query, p.Name+"="+fmt.Sprint(value))
		}
	}
	if len(query) > 0 {
		url += "?" + strings.Join(query, "&")
	}
	if r.op.RequestBody == nil {
		return url, "", ""
	}
	for kind = range r.op.RequestBody.Value.Content {
		break
	}
	switch b := made["body"].(type) {
	case string:
		return url, kind, b
	case nil:
		require.False(t, r.op.RequestBody.Value.Required, "the test does not know the body of %s", r.id)
		return url, kind, ""
	default:
		text, err := json.Marshal(b)
		require.NoError(t, err)
		return url, kind, string(text)
	}
}

// TestOpenOperations: what needs no sign-in is listed here, too, so that nothing becomes open by a slip.
func TestOpenOperations(t *testing.T) {
	var open []string
	for _, r := range routesOf(t, document(t)) {
		if r.open {
			open = append(open, r.id)
		}
	}
	require.Equal(t, openOperations, open)
}
