package serve

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// What a large gateway has, and how long a page of it may take.
const (
	manyTargets  = 10_000
	manySessions = 100_000
	manyUsers    = 500
	pageLimit    = 100 * time.Millisecond
)

// BenchmarkLists asks the whole gateway, policies included, on SQLite for pages of its lists as an administrator and as
// somebody who may see nearly nothing. It fails where a page takes longer than pageLimit.
func BenchmarkLists(b *testing.B) {
	cfg, err := config.Parse([]byte("data_dir: data\nlimits: {requests_per_minute: 0}\n"), b.TempDir(), nil)
	require.NoError(b, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	g, err := Open(b.Context(), Options{
		Config: cfg, Console: fstest.MapFS{"index.html": {Data: []byte("console")}}, Version: "bench", Logger: slog.New(slog.DiscardHandler), Listener: l,
		newWorkers: func(*config.Config, string, *slog.Logger, *observer) (workers, error) { return &fakeWorkers{}, nil },
	})
	require.NoError(b, err)
	defer func() { require.NoError(b, g.Close()) }()
	middle := fillStore(b, g.db)
	password, err := g.ResetFirstUser(b.Context())
	require.NoError(b, err)
	admin := benchSignIn(b, g, identity.FirstUser, password)
	_, err = g.identity.CreateUser(b.Context(), identity.NewUser{Name: "nobody", Password: password})
	require.NoError(b, err)
	nobody := benchSignIn(b, g, "nobody", password)

	for _, list := range []struct {
		name, path string
		as         *http.Cookie
	}{
		{"sessions/newest", "/sessions?state=ended", admin},
		{"sessions/running", "/sessions?state=running", admin},
		{"sessions/middle", "/sessions?state=all&before=" + middle, admin},
		{"sessions/search", "/sessions?state=all&q=user77+target-5", admin},
		{"sessions/search-in-vain", "/sessions?state=all&q=qqqq", admin},
		{"sessions/person", "/sessions?state=all&user=user7", admin},
		{"sessions/target", "/sessions?state=all&target=target-7", admin},
		{"sessions/month", "/sessions?state=all&since=2026-03-01T00:00:00Z&until=2026-04-01T00:00:00Z", admin},
		{"sessions/not-ones-own", "/sessions?state=all", nobody},
		{"recordings/newest", "/recordings", admin},
		{"recordings/middle", "/recordings?before=" + middle, admin},
		{"recordings/search-in-vain", "/recordings?q=qqqq", admin},
		{"targets/first", "/targets", admin},
		{"targets/search", "/targets?q=desk+77", admin},
		{"targets/search-in-vain", "/targets?q=qqqq", admin},
		{"targets/tag", "/targets?tag=site-3", admin},
		{"targets/not-ones-own", "/targets", nobody},
		{"users/first", "/users", admin},
		{"audit/newest", "/audit/entries", admin},
	} {
		b.Run(list.name, func(b *testing.B) {
			items, before := 0, cpuTime(b)
			for b.Loop() {
				items = benchGet(b, g, list.path, list.as)
			}
			b.ReportMetric(float64(items), "items")
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op") // what neighbours do not change
			if page := b.Elapsed() / time.Duration(b.N); page > pageLimit {
				b.Errorf("a page takes %v, longer than %v", page, pageLimit)
			}
		})
	}
}

// cpuTime is what this process has used of all cores.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchSignIn(b *testing.B, g *Gateway, name, password string) *http.Cookie {
	b.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	require.NoError(b, err)
	req := httptest.NewRequest(http.MethodPost, "/api/v1/sign-in", strings.NewReader(string(body)))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	g.server.ServeHTTP(w, req)
	require.Equal(b, http.StatusOK, w.Code, "%s", w.Body)
	return w.Result().Cookies()[0]
}

// benchGet returns how many items the page had.
func benchGet(b *testing.B, g *Gateway, path string, cookie *http.Cookie) int {
	req := httptest.NewRequest(http.MethodGet, "/api/v1"+path, nil)
	req.AddCookie(cookie)
	w := httptest.NewRecorder()
	g.server.ServeHTTP(w, req)
	require.Equal(b, http.StatusOK, w.Code, "%s: %s", path, w.Body)
	var page map[string]any
	require.NoError(b, json.Unmarshal(w.Body.Bytes(), &page))
	for _, v := range page {
		if items, ok := v.([]any); ok {
			return len(items)
		}
	}
	return 0
}

// fillStore makes the targets and sessions, a few of which run, and returns the id of one in the middle.
func fillStore(b *testing.B, db *store.Store) (middle string) {
	b.Helper()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ctx := b.Context()
	require.NoError(b, db.Tx(ctx, func(tx *store.Store) error {
		for n := range manyTargets {
			t := store.Target{
				ID: fmt.Sprintf("target-%d", n), Name: fmt.Sprintf("Desk %d", n), Description: "A desktop somewhere", Protocol: "rdp",
				Address: fmt.Sprintf("10.%d.%d.%d:3389", n>>16, n>>8&255, n&255), Tags: []string{fmt.Sprintf("site-%d", n%20)}, TLSMode: "verify",
				Origin: store.OriginConsole, CreatedAt: start, UpdatedAt: start, ToTarget: true, FromTarget: true,
			}
			if err := tx.Targets.Create(ctx, t); err != nil {
				return err
			}
			a := store.Account{ID: fmt.Sprintf("account-%d", n), TargetID: t.ID, Name: "admin", CreatedAt: start, UpdatedAt: start}
			if err := tx.Targets.CreateAccount(ctx, a); err != nil {
				return err
			}
		}
		return nil
	}))
	for from := 0; from < manySessions; from += 10_000 {
		require.NoError(b, db.Tx(ctx, func(tx *store.Store) error {
			for n := from; n < from+10_000; n++ {
				at := start.Add(time.Duration(n) * 2 * time.Minute)
				id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
				s := store.Session{
					ID: id, UserID: fmt.Sprintf("user%d", n%manyUsers), UserName: fmt.Sprintf("user%d", n%manyUsers),
					TargetID: fmt.Sprintf("target-%d", n%manyTargets), TargetName: fmt.Sprintf("Desk %d", n%manyTargets), TargetProtocol: "rdp",
					TargetAddress: "10.0.0.1:3389", AccountName: "admin", ClientAddress: "192.0.2.1", State: "active", StartedAt: at,
				}
				if err := tx.Sessions.Create(ctx, s); err != nil {
					return err
				}
				if n%2000 != 0 { // the others run
					if err := tx.Sessions.End(ctx, id, "user_disconnected", "", at.Add(time.Hour)); err != nil {
						return err
					}
				}
				if err := tx.Recordings.Put(ctx, store.Recording{SessionID: id, State: store.RecordingSealed, Bytes: 1 << 20}); err != nil {
					return err
				}
				if n == manySessions/2 {
					middle = id
				}
			}
			return nil
		}))
	}
	return middle
}
