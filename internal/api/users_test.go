package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// as is the fixture as another user sees it, who is made with those roles when not there.
func (f *fixture) as(name string, roles ...policy.Role) *fixture {
	f.t.Helper()
	if _, err := f.identity.UserByName(f.t.Context(), name); err != nil {
		_, err = f.identity.CreateUser(f.t.Context(), identity.NewUser{Name: name, Password: password, Roles: roles})
		require.NoError(f.t, err)
	}
	other := *f
	other.cookie = nil
	res := other.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody(name, password)})
	require.Equal(f.t, http.StatusOK, res.StatusCode)
	other.cookie = res.Cookies()[0]
	return &other
}

func (f *fixture) idOf(name string) string {
	f.t.Helper()
	u, err := f.identity.UserByName(f.t.Context(), name)
	require.NoError(f.t, err)
	return u.ID
}

// json sends a request and reads an answer of that status into out, when out is not nil.
func (f *fixture) json(method, path, body string, status int, out any) {
	f.t.Helper()
	res := f.do(request{method: method, path: BasePath + path, body: body})
	answer := bodyOf(f.t, res)
	require.Equal(f.t, status, res.StatusCode, "%s %s: %s", method, path, answer)
	if out != nil {
		require.NoError(f.t, json.Unmarshal([]byte(answer), out))
	}
}

type userJSON struct {
	ID, Username, Source string
	DisplayName          string `json:"display_name"`
	Email                string
	Disabled             bool
	MustChangePassword   bool `json:"must_change_password"`
	Roles                []string
	Groups               []struct{ ID, Name string }
	LockedUntil          *time.Time `json:"locked_until"`
}

func TestUsers(t *testing.T) {
	f := newFixture(t).signIn()
	var made struct {
		User     userJSON
		Password string
	}
	f.json("POST", "/users", `{"username":"Bob","display_name":"Bob B","email":"bob@x.test","roles":["user","reviewer"]}`, 201, &made)
	require.Equal(t, "bob", made.User.Username)
	require.Equal(t, []string{"reviewer", "user"}, made.User.Roles)
	require.Len(t, made.Password, 20)
	require.NotContains(t, f.log.String(), made.Password)

	var g struct{ ID string }
	f.json("POST", "/groups", `{"name":"Night shift","description":"d"}`, 201, &g)
	f.json("PUT", "/groups/"+g.ID+"/members/"+made.User.ID, "", 204, nil)
	var list struct {
		Users []userJSON
		Next  string
	}
	f.json("GET", "/users?group="+g.ID, "", 200, &list)
	require.Len(t, list.Users, 1)
	require.Equal(t, "Night shift", list.Users[0].Groups[0].Name)
	f.json("GET", "/users?limit=1", "", 200, &list)
	require.Equal(t, "alice", list.Users[0].Username)
	f.json("GET", "/users?limit=1&after="+list.Next, "", 200, &list)
	require.Equal(t, "bob", list.Users[0].Username)
	list.Users = nil
	f.json("GET", "/users?q=B%40X", "", 200, &list)
	require.Len(t, list.Users, 1)
	f.json("GET", "/users?role=reviewer", "", 200, &list)
	require.Equal(t, "bob", list.Users[0].Username)

	// At the first sign-in bob can do nothing but change the password.
	bob := *f
	bob.cookie = nil
	res := bob.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody("bob", made.Password)})
	require.Equal(t, 200, res.StatusCode)
	require.Contains(t, bodyOf(t, res), `"must_change_password":true`)
	bob.cookie = res.Cookies()[0]
	bob.json("GET", "/me", "", 200, nil)
	for _, path := range []string{"/targets", "/me/tokens", "/sessions", "/users"} {
		res := bob.do(request{method: "GET", path: BasePath + path})
		require.Equal(t, 403, res.StatusCode)
		requireProblem(t, res, bodyOf(t, res), "password_change_required")
	}
	change := func(current, fresh string) string {
		return fmt.Sprintf(`{"current_password":%q,"new_password":%q}`, current, fresh)
	}
	for code, body := range map[string]string{
		"current_password_wrong": change("nonsense", "a better password"),
		"password_weak":          change(made.Password, "short"),
	} {
		res := bob.do(request{method: "POST", path: "/api/v1/me/password", body: body})
		require.Equal(t, 422, res.StatusCode)
		requireProblem(t, res, bodyOf(t, res), code)
	}
	bob.json("POST", "/me/password", change(made.Password, "a better password"), 204, nil)
	bob.json("GET", "/targets", "", 200, nil)
	bob.json("PATCH", "/me/profile", `{"display_name":"Robert"}`, 200, nil)

	var u userJSON
	f.json("GET", "/users/"+made.User.ID, "", 200, &u)
	require.Equal(t, "Robert", u.DisplayName)
	require.Equal(t, "bob@x.test", u.Email, "what is not named stays")
	require.False(t, u.MustChangePassword)

	// Resetting and disabling end every sign-in at once.
	var reset struct{ Password string }
	f.json("POST", "/users/"+u.ID+"/reset-password", "", 200, &reset)
	bob.json("GET", "/me", "", 401, nil)
	res = bob.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody("bob", reset.Password)})
	bob.cookie = res.Cookies()[0]
	bob.json("POST", "/me/password", change(reset.Password, "an even better one"), 204, nil)
	f.json("PATCH", "/users/"+u.ID, `{"disabled":true}`, 200, &u)
	require.True(t, u.Disabled)
	bob.json("GET", "/me", "", 401, nil)
	bob.cookie = nil
	bob.json("POST", "/sign-in", signInBody("bob", "an even better one"), 401, nil)
	f.json("PATCH", "/users/"+u.ID, `{"disabled":false,"roles":["supervisor"],"groups":[]}`, 200, &u)
	require.Equal(t, []string{"supervisor"}, u.Roles)
	require.Empty(t, u.Groups)
	f.json("DELETE", "/users/"+u.ID, "", 204, nil)
	f.json("GET", "/users/"+u.ID, "", 404, nil)
	require.NotContains(t, f.log.String(), reset.Password)
}

func TestLastAdministratorStays(t *testing.T) {
	f := newFixture(t).signIn()
	me := "/users/" + f.aliceID
	for name, r := range map[string]request{
		"demoted":  {method: "PATCH", path: me, body: `{"roles":["user"]}`},
		"disabled": {method: "PATCH", path: me, body: `{"disabled":true}`},
		"deleted":  {method: "DELETE", path: me},
	} {
		t.Run(name, func(t *testing.T) {
			r.path = BasePath + r.path
			res := f.do(r)
			require.Equal(t, 409, res.StatusCode)
			requireProblem(t, res, bodyOf(t, res), "last_administrator")
		})
	}
	f.json("GET", "/users", "", 200, nil)

	// Two who demote each other at once: one of them is too late.
	bob := f.as("bob", policy.Administrator)
	statuses := make([]int, 2)
	var wg sync.WaitGroup
	for i, r := range []struct {
		who *fixture
		id  string
	}{{f, f.idOf("bob")}, {bob, f.aliceID}} {
		wg.Go(func() {
			statuses[i] = r.who.do(request{method: "PATCH", path: BasePath + "/users/" + r.id, body: `{"roles":[]}`}).StatusCode
		})
	}
	wg.Wait()
	require.Contains(t, statuses, 200)
	require.NotEqual(t, statuses[0], statuses[1])
}

func TestSignInsAreListedAndRevoked(t *testing.T) {
	f := newFixture(t).signIn()
	var list struct {
		SignIns []struct {
			ID, Method, Address string
			UserAgent           string `json:"user_agent"`
			Current             bool
		} `json:"sign_ins"`
	}
	second := f.as("alice")
	f.json("GET", "/me/sign-ins", "", 200, &list)
	require.Len(t, list.SignIns, 2)
	var other string
	for _, s := range list.SignIns {
		require.Equal(t, "password", s.Method)
		require.Equal(t, "192.0.2.1", s.Address)
		if !s.Current {
			other = s.ID
		}
	}
	bob := f.as("bob", policy.Member)
	bob.json("DELETE", "/me/sign-ins/"+other, "", 404, nil)
	second.json("GET", "/me", "", 200, nil)
	f.json("DELETE", "/me/sign-ins/"+other, "", 204, nil)
	second.json("GET", "/me", "", 401, nil)
	f.json("DELETE", "/me/sign-ins/"+other, "", 404, nil)

	third := f.as("alice")
	f.json("DELETE", "/me/sign-ins", "", 204, nil)
	third.json("GET", "/me", "", 401, nil)
	f.json("GET", "/me", "", 200, nil)

	of := "/users/" + f.idOf("bob") + "/sign-ins"
	f.json("GET", of, "", 200, &list)
	require.Len(t, list.SignIns, 1)
	require.False(t, list.SignIns[0].Current)
	f.json("DELETE", of+"/"+list.SignIns[0].ID, "", 204, nil)
	bob.json("GET", "/me", "", 401, nil)
	bob = f.as("bob")
	f.json("DELETE", of, "", 204, nil)
	bob.json("GET", "/me", "", 401, nil)
}

func TestAPITokens(t *testing.T) {
	f := newFixture(t).signIn()
	create := func(scopes string) (id, secret string) {
		var made struct {
			Token  struct{ ID string }
			Secret string
		}
		f.json("POST", "/me/tokens", fmt.Sprintf(`{"name":"ci","scopes":[%s],"expires_at":%q}`, scopes, time.Now().Add(time.Hour).Format(time.RFC3339)), 201, &made)
		return made.Token.ID, made.Secret
	}
	id, secret := create(`"connect","manage_users"`)
	require.Regexp(t, `^vtr_[0-9A-Za-z]{49}$`, secret)
	require.NotContains(t, f.log.String(), secret)

	program := *f
	program.cookie = nil
	send := func(method, path, body, secret string, more http.Header) *http.Response {
		header := http.Header{"Authorization": {"Bearer " + secret}}
		maps.Copy(header, more)
		return program.do(request{method: method, path: BasePath + path, body: body, header: header})
	}
	for _, tc := range []struct {
		name, method, path, body, secret string
		header                           http.Header
		status                           int
		code                             string
	}{
		{"who am I", "GET", "/me", "", secret, nil, 200, ""},
		{"in its scopes", "GET", "/users", "", secret, nil, 200, ""},
		{"another site's page", "POST", "/groups", `{"name":"by a token"}`, secret, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}}, 201, ""},
		{"outside its scopes", "DELETE", "/targets/win/certificate", "", secret, nil, 403, "forbidden"},
		{"makes a token", "POST", "/me/tokens", `{"name":"x","scopes":["connect"],"expires_at":"2030-01-01T00:00:00Z"}`, secret, nil, 403, "token_not_allowed"},
		{"changes the password", "POST", "/me/password", `{"current_password":"x","new_password":"y"}`, secret, nil, 403, "token_not_allowed"},
		{"makes a user", "POST", "/users", `{"username":"x"}`, secret, nil, 403, "token_not_allowed"},
		{"resets a password", "POST", "/users/" + f.aliceID + "/reset-password", "", secret, nil, 403, "token_not_allowed"},
		{"gives roles", "PATCH", "/users/" + f.aliceID, `{"roles":["user"]}`, secret, nil, 403, "token_not_allowed"},
		{"signs out", "POST", "/sign-out", "", secret, nil, 403, "token_not_allowed"},
		{"a letter changed", "GET", "/me", "", secret[:len(secret)-1] + "_", nil, 401, "unauthenticated"},
		{"well formed but unknown", "GET", "/me", "", "vtr_0000000000000000000000000000000000000000000" + "0", nil, 401, "unauthenticated"},
		{"empty", "GET", "/me", "", "", nil, 401, "unauthenticated"},
		{"long", "GET", "/me", "", strings.Repeat("x", 8000), nil, 401, "unauthenticated"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := send(tc.method, tc.path, tc.body, tc.secret, tc.header)
			body := bodyOf(t, res)
			require.Equal(t, tc.status, res.StatusCode, body)
			if tc.code != "" {
				requireProblem(t, res, body, tc.code)
			}
		})
	}
	t.Run("a bad token is not rescued by a cookie", func(t *testing.T) {
		program.cookie = f.cookie
		defer func() { program.cookie = nil }()
		require.Equal(t, 401, send("GET", "/me", "", "vtr_x", nil).StatusCode)
		require.Equal(t, 401, send("POST", "/sign-out", "", "vtr_x", http.Header{"Sec-Fetch-Site": {"cross-site"}}).StatusCode)
		f.json("GET", "/me", "", 200, nil)
	})

	var list struct{ Tokens []map[string]any }
	f.json("GET", "/me/tokens", "", 200, &list)
	require.Len(t, list.Tokens, 1)
	require.Equal(t, "192.0.2.1", list.Tokens[0]["last_address"])
	require.NotContains(t, fmt.Sprint(list.Tokens), secret)
	require.NotContains(t, fmt.Sprint(list.Tokens), "hash")

	bob := f.as("bob", policy.Member)
	bob.json("DELETE", "/me/tokens/"+id, "", 404, nil)
	f.json("DELETE", "/users/"+f.idOf("bob")+"/tokens/"+id, "", 404, nil)
	f.json("DELETE", "/me/tokens/"+id, "", 204, nil)
	require.Equal(t, 401, send("GET", "/me", "", secret, nil).StatusCode)

	id, secret = create(`"connect"`)
	f.json("GET", "/users/"+f.aliceID+"/tokens", "", 200, &list)
	require.Len(t, list.Tokens, 1)
	require.Equal(t, 403, send("GET", "/users", "", secret, nil).StatusCode, "the user might, the token may not")
	f.json("DELETE", "/users/"+f.aliceID+"/tokens/"+id, "", 204, nil)
	require.Equal(t, 401, send("GET", "/me", "", secret, nil).StatusCode)
	require.NotContains(t, f.log.String(), secret)
}

// newEmptyFixture is a fixture without any user.
func newEmptyFixture(t *testing.T) *fixture {
	t.Helper()
	var who *identity.Service
	f := newFixture(t, func(o *Options) {
		db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "empty.db"))
		require.NoError(t, err)
		t.Cleanup(func() { db.Close() })
		who, err = identity.New(identity.TablesOf(db), identity.Options{Hashing: quickHashing, Logger: o.Logger})
		require.NoError(t, err)
		o.Identity, o.Users, o.Setup = who, who, who
	})
	f.identity = who
	return f
}

func TestSetup(t *testing.T) {
	f := newFixture(t)
	f.json("GET", "/setup", "", 200, nil)
	body := func(code, name, password string) string {
		return fmt.Sprintf(`{"code":%q,"username":%q,"password":%q}`, code, name, password)
	}
	f.json("POST", "/setup", body("x", "eve", password), 409, nil)

	f = newEmptyFixture(t)
	var state struct{ Needed bool }
	f.json("GET", "/setup", "", 200, &state)
	require.True(t, state.Needed)
	f.json("POST", "/setup", body("abcde-abcde-abcde-abcde", "eve", password), 403, nil)
	code, err := f.identity.NewSetupCode(t.Context())
	require.NoError(t, err)
	for _, tc := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"wrong code", body("abcde-abcde-abcde-abcde", "eve", password), 403, "setup_code_wrong"},
		{"weak password", body(code, "eve", "password1234"), 422, "password_weak"},
		{"odd name", body(code, "e v e", password), 422, "invalid_name"},
		{"no code", `{"username":"eve","password":"x"}`, 400, "request_invalid"},
		{"numbers", `{"code":5,"username":"eve","password":"x"}`, 400, "request_invalid"},
		{"huge", body(strings.Repeat("a", 65), "eve", password), 400, "request_invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := f.do(request{method: "POST", path: "/api/v1/setup", body: tc.body})
			answer := bodyOf(t, res)
			require.Equal(t, tc.status, res.StatusCode, answer)
			requireProblem(t, res, answer, tc.code)
		})
	}
	res := f.do(request{method: "POST", path: "/api/v1/setup", body: body(strings.ToUpper(code), "Eve", password)})
	require.Equal(t, 200, res.StatusCode)
	require.Contains(t, bodyOf(t, res), `"administrator"`)
	f.cookie = res.Cookies()[0]
	f.json("GET", "/users", "", 200, nil)
	f.json("GET", "/setup", "", 200, &state)
	require.False(t, state.Needed)
	f.json("POST", "/setup", body(code, "mallory", password), 409, nil)
	require.NotContains(t, f.log.String(), code)
}

// TestUsersBadInput sends every operation of users, groups, tokens and sign-ins what it must refuse.
func TestUsersBadInput(t *testing.T) {
	f := newFixture(t).signIn()
	bob := f.as("bob", policy.Member)
	var g struct{ ID string }
	f.json("POST", "/groups", `{"name":"admins"}`, 201, &g)
	f.json("POST", "/groups", `{"name":"others"}`, 201, nil)
	alice, group, long := "/users/"+f.aliceID, "/groups/"+g.ID, strings.Repeat("x", 65)
	later := time.Now().Add(time.Hour).Format(time.RFC3339)
	for _, tc := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/users/none", "", 404, "user_not_found"},
		{"PATCH", "/users/none", "{}", 404, "user_not_found"},
		{"DELETE", "/users/none", "", 404, "user_not_found"},
		{"POST", "/users/none/reset-password", "", 404, "user_not_found"},
		{"POST", "/users/none/unlock", "", 404, "user_not_found"},
		{"GET", "/users/none/sign-ins", "", 404, "user_not_found"},
		{"DELETE", "/users/none/sign-ins", "", 404, "user_not_found"},
		{"DELETE", "/users/none/sign-ins/x", "", 404, "user_not_found"},
		{"DELETE", alice + "/sign-ins/x", "", 404, "sign_in_not_found"},
		{"GET", "/users/none/tokens", "", 404, "user_not_found"},
		{"DELETE", "/users/none/tokens/x", "", 404, "user_not_found"},
		{"DELETE", alice + "/tokens/x", "", 404, "token_not_found"},
		{"GET", "/groups/none", "", 404, "group_not_found"},
		{"PATCH", "/groups/none", "{}", 404, "group_not_found"},
		{"DELETE", "/groups/none", "", 404, "group_not_found"},
		{"PUT", "/groups/none/members/" + f.aliceID, "", 404, "group_not_found"},
		{"PUT", group + "/members/none", "", 404, "user_not_found"},
		{"DELETE", group + "/members/" + f.aliceID, "", 404, "user_not_found"},
		{"GET", "/users/" + long, "", 400, "request_invalid"},
		{"GET", "/users/%00", "", 404, "user_not_found"},
		{"GET", "/users/%ff'%20OR%201=1--", "", 404, "user_not_found"},
		{"GET", "/users?limit=0", "", 400, "request_invalid"},
		{"GET", "/users?limit=501", "", 400, "request_invalid"},
		{"GET", "/users?limit=x", "", 400, "request_invalid"},
		{"GET", "/users?role=god", "", 400, "request_invalid"},
		{"GET", "/users?q=" + strings.Repeat("q", 101), "", 400, "request_invalid"},
		{"GET", "/groups?limit=-1", "", 400, "request_invalid"},
		{"POST", "/users", `{}`, 400, "request_invalid"},
		{"POST", "/users", `[]`, 400, "request_invalid"},
		{"POST", "/users", `{"username":5}`, 400, "request_invalid"},
		{"POST", "/users", `{"username":"x","roles":["god"]}`, 400, "request_invalid"},
		{"POST", "/users", `{"username":"x","roles":"user"}`, 400, "request_invalid"},
		{"POST", "/users", `{"username":"x","admin":true}`, 400, "request_invalid"},
		{"POST", "/users", `{"username":"` + strings.Repeat("x", 129) + `"}`, 400, "request_invalid"},
		{"POST", "/users", `{"username":"x","groups":["none"]}`, 404, "group_not_found"},
		{"POST", "/users", `{"username":"x","email":"nobody"}`, 422, "invalid_email"},
		{"POST", "/users", `{"username":"x y"}`, 422, "invalid_name"},
		{"POST", "/users", `{"username":"x","display_name":"a\u0007b"}`, 422, "invalid_display_name"},
		{"POST", "/users", `{"username":"x","password":"iloveyou1234"}`, 422, "password_weak"},
		{"POST", "/users", `{"username":"longish-name","password":"longish-name"}`, 422, "password_weak"},
		{"POST", "/users", `{"username":"ALICE"}`, 409, "name_taken"},
		{"POST", "/users", strings.Repeat(" ", maxBodyBytes+1), 413, "body_too_large"},
		{"PATCH", alice, `{"username":"other"}`, 400, "request_invalid"},
		{"PATCH", alice, `{"disabled":"yes"}`, 400, "request_invalid"},
		{"PATCH", alice, `{"groups":["none"]}`, 404, "group_not_found"},
		{"POST", "/groups", `{"name":"admins"}`, 409, "name_taken"},
		{"POST", "/groups", `{"name":"<script>"}`, 422, "invalid_name"},
		{"POST", "/groups", `{"name":""}`, 400, "request_invalid"},
		{"POST", "/groups", `{"name":"x","description":"a\nb"}`, 422, "invalid_description"},
		{"PATCH", group, `{"name":"others"}`, 409, "name_taken"},
		{"PATCH", group, `{"members":[]}`, 400, "request_invalid"},
		{"DELETE", "/me/sign-ins/none", "", 404, "sign_in_not_found"},
		{"DELETE", "/me/tokens/none", "", 404, "token_not_found"},
		{"PATCH", "/me/profile", `{"roles":["administrator"]}`, 400, "request_invalid"},
		{"PATCH", "/me/profile", `{"email":5}`, 400, "request_invalid"},
		{"POST", "/me/password", `{"new_password":"a fine password"}`, 400, "request_invalid"},
		{"POST", "/me/tokens", `{"name":"x","scopes":[],"expires_at":"` + later + `"}`, 400, "request_invalid"},
		{"POST", "/me/tokens", `{"name":"x","scopes":["fly"],"expires_at":"` + later + `"}`, 422, "invalid_scopes"},
		{"POST", "/me/tokens", `{"name":"x","scopes":["connect"],"expires_at":"tomorrow"}`, 400, "request_invalid"},
		{"POST", "/me/tokens", `{"name":"x","scopes":["connect"],"expires_at":"2020-01-01T00:00:00Z"}`, 422, "invalid_expires_at"},
		{"POST", "/me/tokens", `{"name":"x","scopes":["connect"],"expires_at":"2999-01-01T00:00:00Z"}`, 422, "invalid_expires_at"},
		{"POST", "/me/tokens", `{"name":"x","scopes":["connect"]}`, 400, "request_invalid"},
		{"POST", "/me/tokens", `{"name":" ","scopes":["connect"],"expires_at":"` + later + `"}`, 422, "invalid_name"},
	} {
		t.Run(tc.method+" "+tc.path[:min(len(tc.path), 60)]+" "+tc.body[:min(len(tc.body), 40)], func(t *testing.T) {
			r := request{method: tc.method, path: BasePath + tc.path, body: tc.body}
			res := f.do(r)
			body := bodyOf(t, res)
			require.Equal(t, tc.status, res.StatusCode, body)
			requireProblem(t, res, body, tc.code)
			if strings.HasPrefix(tc.path, "/me") || tc.status == 400 || tc.status == 413 {
				return
			}
			// Whoever may not administer learns nothing of who or what there is.
			res = bob.do(r)
			body = bodyOf(t, res)
			require.Equal(t, 403, res.StatusCode, body)
			requireProblem(t, res, body, "forbidden")
		})
	}
	n, err := f.identity.ListUsers(t.Context(), store.UserFilter{Limit: 10})
	require.NoError(t, err)
	require.Len(t, n, 2, "nothing was made by the way")
}

func TestUnlock(t *testing.T) {
	f := newFixture(t).signIn()
	bob := f.as("bob", policy.Member)
	bob.cookie = nil
	statuses := map[int]int{}
	for i := range 30 {
		// Each from an address of its own, so that only the name's count is left.
		res := bob.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody("bob", "nonsense"), from: fmt.Sprintf("203.0.113.%d:1", i)})
		statuses[res.StatusCode]++
	}
	require.Equal(t, 20, statuses[401])
	require.Equal(t, 10, statuses[429])
	var u userJSON
	f.json("GET", "/users/"+f.idOf("bob"), "", 200, &u)
	require.NotNil(t, u.LockedUntil)
	try := func(from string) int {
		return bob.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody("bob", password), from: from}).StatusCode
	}
	require.Equal(t, 429, try("198.51.100.7:1"))
	require.Equal(t, 200, try("192.0.2.1:1"), "from where bob has signed in before")
	for i := range 30 {
		bob.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody("bob", "nonsense"), from: fmt.Sprintf("203.0.113.%d:1", 100+i)})
	}
	require.Equal(t, 429, try("198.51.100.7:1"))
	f.json("POST", "/users/"+u.ID+"/unlock", "", 204, nil)
	require.Equal(t, 200, try("198.51.100.7:1"))
}
