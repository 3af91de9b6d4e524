package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// TestAlertStream: the stream tells how many new alerts one may see, when there is another and when one was seen to.
func TestAlertStream(t *testing.T) {
	f := newFixture(t).signIn()
	f.policy.decide = func(q policy.Query) bool { return q.Action != policy.ReadAlerts || q.Resource.ID != bobsID }
	for _, id := range []string{runningID, bobsID} {
		require.NoError(t, f.db.Sessions.Create(t.Context(), store.Session{ID: id, UserID: "u", UserName: "somebody", TargetID: "desk", State: "active", StartedAt: time.Now()}))
	}
	alert := func(id, session string) {
		t.Helper()
		require.NoError(t, f.db.Alerts.Create(t.Context(), store.Alert{
			ID: id, SessionID: session, Rule: "r", Name: "R", Severity: "high", SeverityRank: 3, Action: "alert", Source: "typed", Count: 1,
			FirstAt: time.Now(), LastAt: time.Now(),
		}))
		f.notify.Stir()
	}
	server := httptest.NewServer(f.server)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+BasePath+"/notifications/stream", nil)
	require.NoError(t, err)
	req.AddCookie(f.cookie)
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			lines <- in.Text()
		}
	}()
	next := func(kind string) string {
		t.Helper()
		for event := ""; ; {
			select {
			case line, more := <-lines:
				require.True(t, more, "the stream is over")
				if e, ok := strings.CutPrefix(line, "event: "); ok {
					event = e
				}
				if data, ok := strings.CutPrefix(line, "data: "); ok && event == kind {
					return data
				}
			case <-time.After(waitLong):
				t.Fatalf("no event %s comes", kind)
			}
		}
	}
	require.Contains(t, next("alerts"), `"new": 0`)
	alert("01JB0000000000000000000001", runningID)
	require.Contains(t, next("alerts"), `"new": 1`)
	alert("01JB0000000000000000000002", bobsID) // policy hides it
	require.Contains(t, next("alerts"), `"new": 1`)
	ask[struct{ Acknowledged int }](f, "POST", "/alerts/acknowledge", m{"alerts": []string{"01JB0000000000000000000001"}}, 200)
	require.Contains(t, next("alerts"), `"new": 0`)
	cancel()
}
