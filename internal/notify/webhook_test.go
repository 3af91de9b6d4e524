package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// receiver is a program that is told, over TLS, and answers as it is made to.
type receiver struct {
	*httptest.Server
	caFile string
	mu     sync.Mutex
	answer func(n int) int // the status of the answer to the nth request, from 1
	got    []received
}

type received struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T, answer func(n int) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{req.Header.Clone(), string(body)})
		if status := r.answer(len(r.got)); status >= 300 && status < 400 {
			http.Redirect(w, req, "/elsewhere", status)
		} else {
			w.WriteHeader(status)
		}
	}))
	var cert tls.Certificate
	cert, r.caFile = certificate(t)
	r.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) requests() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *receiver) hook() Webhook {
	return Webhook{Name: "siem", URL: r.URL + "/hook?token=abc", Secret: hookSecret, CAFile: r.caFile}
}

// verify checks a request as a program that receives it would.
func (r received) verify(t *testing.T, key []byte) {
	t.Helper()
	id, at := r.header.Get("webhook-id"), r.header.Get("webhook-timestamp")
	require.NotEmpty(t, id)
	seconds, err := strconv.ParseInt(at, 10, 64)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), time.Unix(seconds, 0), 5*time.Minute)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "." + r.body))
	version, signature, ok := strings.Cut(r.header.Get("webhook-signature"), ",")
	require.True(t, ok)
	require.Equal(t, "v1", version)
	sum, err := base64.StdEncoding.DecodeString(signature)
	require.NoError(t, err)
	require.True(t, hmac.Equal(sum, mac.Sum(nil)))
}

// TestSignVector is the example of the Standard Webhooks specification's libraries.
func TestSignVector(t *testing.T) {
	w, err := newWebhook(Webhook{Name: "x", URL: "https://x.test", Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, time.Now)
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		sign(w.key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, `{"test": 2432232314}`))
	_, err = newWebhook(Webhook{Name: "x", URL: "https://x.test", Secret: "whsec_not base64"}, time.Now)
	require.ErrorContains(t, err, "base64")
	require.NotContains(t, err.Error(), "not base64_")
}

func TestWebhook(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		to := newReceiver(t, func(n int) int { return []int{500, 302, 429, 204}[min(n, 4)-1] })
		r := newRig(t, db, Options{Webhooks: []Webhook{to.hook()}, ConsoleURL: "https://vitrine.test"})
		r.run()
		r.publish(Event{Kind: BreakGlass, Urgent: true, Title: "Break-glass", Text: "by\nalice", Link: "/requests/1", Data: map[string]string{"user_name": "alice"}})
		r.eventually(func() bool { return r.waiting() == 0 })
		got := to.requests()
		require.Len(t, got, 4, "three failures, a redirect among them that is not followed, and a success")
		for _, g := range got {
			g.verify(t, []byte(hookSecret))
			require.Equal(t, got[0].header.Get("webhook-id"), g.header.Get("webhook-id"), "the same message each time")
			require.Equal(t, got[0].body, g.body)
		}
		var body struct {
			Type      string
			Timestamp time.Time
			Data      map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(got[0].body), &body))
		require.Equal(t, "break_glass.used", body.Type)
		require.WithinDuration(t, time.Now(), body.Timestamp, time.Minute)
		require.Equal(t, map[string]any{"urgent": true, "title": "Break-glass", "text": "by\nalice", "link": "https://vitrine.test/requests/1", "user_name": "alice"}, body.Data)
	})
}

func TestWebhookFailures(t *testing.T) {
	untrusted := func(w *Webhook) { w.CAFile = "" }
	for _, tc := range []struct {
		name   string
		answer int
		change func(*Webhook)
		tries  int // that reach the receiver
	}{
		{"gone", http.StatusGone, nil, 1},
		{"never well", http.StatusServiceUnavailable, nil, maxAttempts},
		{"a certificate nobody vouches for", http.StatusOK, untrusted, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := newReceiver(t, func(int) int { return tc.answer })
			hook := to.hook()
			if tc.change != nil {
				tc.change(&hook)
			}
			r := newRig(t, storetest.Open(t, storetest.SQLite(t)), Options{Webhooks: []Webhook{hook}})
			r.run()
			r.publish(Event{Kind: RequestMade, Title: "T"})
			r.eventually(func() bool { return r.failed() == 1 })
			require.Len(t, to.requests(), tc.tries)
			require.Zero(t, r.waiting())
		})
	}
}

// TestRestart: what could not be sent in one life is sent in the next, also what was under way.
func TestRestart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		var well bool
		var mu sync.Mutex
		to := newReceiver(t, func(int) int {
			mu.Lock()
			defer mu.Unlock()
			if well {
				return 200
			}
			return 503
		})
		r := newRig(t, db, Options{Webhooks: []Webhook{to.hook()}})
		stop := r.run()
		r.publish(Event{Kind: RequestMade, Title: "one"})
		require.Eventually(t, func() bool { return len(to.requests()) > 0 }, waitLong, tick)
		stop()
		r.publish(Event{Kind: RequestMade, Title: "two"}) // and nobody runs
		due, err := db.Outbox.Due(t.Context(), time.Now().Add(time.Hour), 10)
		require.NoError(t, err)
		for _, d := range due {
			claimed, err := db.Outbox.Claim(t.Context(), d, time.Now().Add(-time.Second)) // a try that died; its lease is over
			require.NoError(t, err)
			require.True(t, claimed)
			claimed, err = db.Outbox.Claim(t.Context(), d, time.Now())
			require.NoError(t, err)
			require.False(t, claimed, "nobody tries what somebody else has claimed")
		}
		mu.Lock()
		well = true
		mu.Unlock()
		next := newRig(t, db, Options{Webhooks: []Webhook{to.hook()}})
		next.run()
		next.eventually(func() bool { return next.waiting() == 0 })
		require.Zero(t, next.failed())
		titles := map[string]bool{}
		for _, g := range to.requests() {
			titles[g.body] = true
		}
		require.Len(t, titles, 2)
	})
}

func TestWebhookWants(t *testing.T) {
	to := newReceiver(t, func(int) int { return 200 })
	hook := to.hook()
	hook.Kinds = []Kind{BreakGlass}
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)), Options{Webhooks: []Webhook{hook}})
	r.run()
	r.publish(Event{Kind: RequestMade, Title: "T"})
	r.publish(Event{Kind: BreakGlass, Title: "T"})
	r.eventually(func() bool { return len(to.requests()) == 1 && r.waiting() == 0 })
	require.Contains(t, to.requests()[0].body, "break_glass.used")
}

// TestWebhookTakenOut: what waits for a webhook that is configured no more is given up.
func TestWebhookTakenOut(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	r := newRig(t, db, Options{Webhooks: []Webhook{{Name: "old", URL: "https://old.test", Secret: hookSecret}}})
	r.publish(Event{Kind: RequestMade, Title: "T"})
	next := newRig(t, db, Options{})
	next.run()
	next.eventually(func() bool { return next.failed() == 1 })
}

func TestBackoff(t *testing.T) {
	var sum time.Duration
	for attempt := 1; attempt < maxAttempts; attempt++ {
		low := min(firstWait<<(attempt-1), maxWait)
		for range 20 {
			d := backoff(attempt)
			require.GreaterOrEqual(t, d, low)
			require.Less(t, d, low+low/2)
		}
		sum += low
	}
	require.Greater(t, sum, 6*time.Hour)
	require.Less(t, sum, giveUpAfter)
}
