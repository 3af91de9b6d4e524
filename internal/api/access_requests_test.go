package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// nobody is told and nothing is written down.
type nobody struct{}

func (nobody) Approvers(context.Context, accessrequest.Request) ([]notify.Recipient, error) {
	return nil, nil
}

func (nobody) Person(_ context.Context, id string) (notify.Recipient, error) {
	return notify.Recipient{UserID: id}, nil
}
func (nobody) RequestExpired(context.Context, accessrequest.Request) {}
func (nobody) GrantClosed(context.Context, accessrequest.Grant)      {}
func (nobody) GlassBroken(context.Context, accessrequest.Request, accessrequest.Grant, string) error {
	return nil
}

// crowd are people who are signed in: ann and dan ask, sue and sid decide.
type crowd struct {
	*fixture
	cookies map[string]*http.Cookie
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{newFixture(t), map[string]*http.Cookie{}}
	for name, role := range map[string]policy.Role{"ann": policy.Member, "dan": policy.Member, "sue": policy.Supervisor, "sid": policy.Supervisor, "adm": policy.Administrator} {
		roles := []policy.Role{role}
		if name == "sid" {
			roles = append(roles, policy.Member)
		}
		_, err := c.who.CreateUser(t.Context(), identity.NewUser{Name: name, Password: password, Roles: roles})
		require.NoError(t, err)
		res := c.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody(name, password)})
		require.Equal(t, 200, res.StatusCode)
		c.cookies[name] = res.Cookies()[0]
	}
	return c
}

// as sends a request as somebody and returns the status, the problem's code if it is one, and the body.
func (c *crowd) as(who, method, path, body string) (int, string, map[string]any) {
	c.t.Helper()
	c.cookie = c.cookies[who]
	res := c.do(request{method: method, path: BasePath + path, body: body})
	var out map[string]any
	if text := bodyOf(c.t, res); text != "" {
		require.NoError(c.t, json.Unmarshal([]byte(text), &out), text)
	}
	code, _ := out["code"].(string)
	return res.StatusCode, code, out
}

func (c *crowd) want(status int, code, who, method, path, body string) map[string]any {
	c.t.Helper()
	s, k, out := c.as(who, method, path, body)
	require.Equal(c.t, status, s, "%s %s %s: %v", who, method, path, out)
	require.Equal(c.t, code, k)
	return out
}

const anHour = `{"target_id":"desk","duration_s":3600,"reason":"to mend it"}`

func TestAccessRequests(t *testing.T) {
	c := newCrowd(t)
	rules := c.want(200, "", "ann", "GET", "/access-rules?target_id=desk", "")
	require.Equal(t, map[string]any{
		"may_request": true, "may_break_glass": false, "max_window_s": 28800., "max_ahead_s": 86400., "reason_min": 3., "ticket_needed": false,
		"approvals": 1., "break_glass_s": 3600.,
	}, rules)
	c.want(404, "target_not_found", "ann", "GET", "/access-rules?target_id=x", "")
	c.want(404, "target_not_found", "ann", "POST", "/access-requests", strings.Replace(anHour, "desk", "x", 1))
	c.want(404, "target_not_found", "sue", "POST", "/access-requests", anHour) // has nothing to do with targets
	c.want(400, "request_invalid", "ann", "POST", "/access-requests", `{"target_id":"desk","duration_s":3600,"reason":"x"}`)
	c.want(400, "request_invalid", "ann", "POST", "/access-requests", `{"target_id":"desk","duration_s":3600,"until":"2030-01-01T00:00:00Z","reason":"to mend it"}`)
	c.want(400, "request_invalid", "ann", "POST", "/access-requests", `{"target_id":"desk","until":"yesterday","reason":"to mend it"}`)
	c.want(400, "request_invalid", "ann", "POST", "/access-requests", `{"target_id":"desk","duration_s":1e30,"reason":"to mend it"}`)

	q := c.want(201, "", "ann", "POST", "/access-requests", anHour)
	path := "/access-requests/" + q["id"].(string)
	require.Equal(t, "pending", q["state"])
	require.Equal(t, true, q["mine"])
	for who, status := range map[string]int{"ann": 200, "dan": 404, "sue": 200, "adm": 200} {
		s, _, _ := c.as(who, "GET", path, "")
		require.Equal(t, status, s, who)
	}
	for who, n := range map[string]int{"ann": 0, "dan": 0, "sue": 1, "adm": 1} {
		list := c.want(200, "", who, "GET", "/access-requests?view=inbox&state=open", "")["requests"].([]any)
		require.Len(t, list, n, who)
	}
	require.Len(t, c.want(200, "", "ann", "GET", "/access-requests", "")["requests"], 1)
	require.Len(t, c.want(200, "", "dan", "GET", "/access-requests", "")["requests"], 0)

	c.want(403, "own_request", "ann", "POST", path+"/approve", `{"revision":1}`)
	c.want(404, "access_not_found", "dan", "POST", path+"/approve", `{"revision":1}`)
	c.want(404, "access_not_found", "dan", "POST", path+"/cancel", `{"revision":1}`)
	c.want(404, "access_not_found", "sue", "POST", path+"/cancel", `{"revision":1}`)
	c.want(409, "access_closed", "sue", "POST", path+"/review", `{"revision":1,"note":"n"}`)
	c.want(409, "access_request_changed", "sue", "POST", path+"/approve", `{"revision":7}`)
	c.want(400, "request_invalid", "sue", "POST", path+"/approve", `{"revision":1,"duration_s":7200}`)
	c.want(400, "request_invalid", "sue", "POST", path+"/approve", `{}`)
	c.want(400, "request_invalid", "sue", "POST", path+"/deny", `{"revision":1,"note":""}`)
	q = c.want(200, "", "sue", "POST", path+"/approve", `{"revision":1,"duration_s":1800,"note":"briefly"}`)
	require.Equal(t, "approved", q["state"])
	require.Equal(t, true, q["decided"])
	c.want(409, "decided_already", "sue", "POST", path+"/approve", `{"revision":2}`)
	c.want(409, "access_closed", "adm", "POST", path+"/deny", `{"revision":2,"note":"n"}`)

	list := c.want(200, "", "ann", "GET", "/access-grants", "")["grants"].([]any)
	require.Len(t, list, 1)
	grant := "/access-grants/" + list[0].(map[string]any)["id"].(string)
	require.Len(t, c.want(200, "", "dan", "GET", "/access-grants?view=others", "")["grants"], 0)
	require.Len(t, c.want(200, "", "sue", "GET", "/access-grants?view=others", "")["grants"], 1)
	c.want(404, "access_not_found", "dan", "POST", grant+"/end", `{}`)
	c.want(404, "access_not_found", "ann", "POST", "/access-grants/"+unknownID+"/end", `{}`)
	g := c.want(200, "", "sue", "POST", grant+"/end", `{"note":"enough"}`)
	require.Equal(t, "ended", g["state"])
	require.Equal(t, "sue", g["closed_by"])
	c.want(409, "access_closed", "ann", "POST", grant+"/end", `{}`)

	told := c.want(200, "", "ann", "GET", "/notifications", "")
	require.EqualValues(t, 2, told["unread"])
	newest := told["notifications"].([]any)[0].(map[string]any)
	require.Equal(t, "access_grant.ended", newest["kind"])
	c.want(204, "", "dan", "POST", "/notifications/read", fmt.Sprintf(`{"up_to":%q}`, newest["id"]))
	require.EqualValues(t, 2, c.want(200, "", "ann", "GET", "/notifications", "")["unread"], "one reads only one's own")
	c.want(204, "", "ann", "POST", "/notifications/read", fmt.Sprintf(`{"up_to":%q}`, newest["id"]))
	require.EqualValues(t, 0, c.want(200, "", "ann", "GET", "/notifications", "")["unread"])
}

// TestApproverAsks: who may decide on access decides on no request of their own, with whichever role they made it.
func TestApproverAsks(t *testing.T) {
	c := newCrowd(t)
	q := c.want(201, "", "sid", "POST", "/access-requests", anHour)
	path := "/access-requests/" + q["id"].(string)
	c.want(403, "own_request", "sid", "POST", path+"/approve", `{"revision":1}`)
	c.want(403, "own_request", "sid", "POST", path+"/deny", `{"revision":1,"note":"n"}`)
	require.Len(t, c.want(200, "", "sid", "GET", "/access-requests?view=inbox", "")["requests"], 0)
	c.want(200, "", "sue", "POST", path+"/approve", `{"revision":1}`)
}

func TestBreakGlassByAPI(t *testing.T) {
	c := newCrowd(t)
	body := `{"target_id":"desk","reason":"it burns"}`
	c.want(403, "forbidden", "ann", "POST", "/access-requests/break-glass", body)
	c.want(404, "target_not_found", "sue", "POST", "/access-requests/break-glass", body)
	c.want(400, "request_invalid", "adm", "POST", "/access-requests/break-glass", `{"target_id":"desk"}`)
	c.want(400, "request_invalid", "adm", "POST", "/access-requests/break-glass", `{"target_id":"desk","reason":"   "}`)
	q := c.want(201, "", "adm", "POST", "/access-requests/break-glass", body)
	require.Equal(t, "needs_review", q["state"])
	require.NotEmpty(t, q["grant"])
	path := "/access-requests/" + q["id"].(string)
	c.want(403, "own_request", "adm", "POST", path+"/review", `{"revision":1,"note":"fine"}`)
	c.want(404, "access_not_found", "ann", "POST", path+"/review", `{"revision":1,"note":"fine"}`)
	require.Len(t, c.want(200, "", "sue", "GET", "/access-requests?view=inbox&state=open", "")["requests"], 1)
	require.Equal(t, "reviewed", c.want(200, "", "sue", "POST", path+"/review", `{"revision":1,"note":"fine"}`)["state"])
}

func TestRequestsInPages(t *testing.T) {
	c := newCrowd(t)
	for i := range 5 {
		c.want(201, "", []string{"ann", "dan"}[i%2], "POST", "/access-requests", anHour)
	}
	seen := map[string]bool{}
	path := "/access-requests?view=inbox&limit=2"
	for pages := 1; ; pages++ {
		out := c.want(200, "", "sue", "GET", path, "")
		for _, q := range out["requests"].([]any) {
			seen[q.(map[string]any)["id"].(string)] = true
		}
		next, more := out["next"].(string)
		if !more {
			require.Equal(t, 3, pages)
			break
		}
		path = "/access-requests?view=inbox&limit=2&before=" + next
	}
	require.Len(t, seen, 5)
}

func TestNotificationSettings(t *testing.T) {
	c := newCrowd(t)
	require.Equal(t, map[string]any{"email": true, "available": false}, c.want(200, "", "ann", "GET", "/notifications/settings", ""))
	require.Equal(t, map[string]any{"email": false, "available": false}, c.want(200, "", "ann", "PUT", "/notifications/settings", `{"email":false}`))
	require.Equal(t, map[string]any{"email": true, "available": false}, c.want(200, "", "dan", "GET", "/notifications/settings", ""))
}

// TestStream reads server-sent events over a real connection.
func TestStream(t *testing.T) {
	c := newCrowd(t)
	server := httptest.NewServer(c.server)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	open := func(ctx context.Context) *http.Response {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+BasePath+"/notifications/stream", nil)
		require.NoError(t, err)
		req.AddCookie(c.cookies["ann"])
		res, err := client.Do(req)
		require.NoError(t, err)
		return res
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res := open(ctx)
	defer res.Body.Close()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			lines <- in.Text()
		}
	}()
	next := func() string {
		for {
			select {
			case line, open := <-lines:
				if data, ok := strings.CutPrefix(line, "data: "); ok || !open {
					return data
				}
			case <-time.After(waitLong):
				t.Error("nothing comes")
				return ""
			}
		}
	}
	require.JSONEq(t, `{"unread": 0, "newest": ""}`, next())
	ann, err := c.who.UserByName(t.Context(), "ann")
	require.NoError(t, err)
	require.NoError(t, c.notify.Publish(t.Context(), notify.Event{Kind: notify.RequestDecided, Title: "Hello", To: []notify.Recipient{{UserID: ann.ID}}}))
	require.Contains(t, next(), `"unread": 1`)

	// A person has only so many, and all end when the gateway stops.
	var more []*http.Response
	for {
		another := open(ctx)
		more = append(more, another)
		if another.StatusCode != http.StatusOK {
			require.Equal(t, http.StatusTooManyRequests, another.StatusCode)
			break
		}
		require.Less(t, len(more), 100)
	}
	c.notify.CloseStreams()
	require.Empty(t, next(), "the end")
	for _, r := range more {
		r.Body.Close()
	}
}
