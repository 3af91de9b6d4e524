package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// auditFixture is a fixture on a real log of its own.
func auditFixture(t *testing.T) (*fixture, *audit.Log) {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	log, err := audit.Open(t.Context(), audit.Options{Store: db.Audit, KeyFile: filepath.Join(t.TempDir(), "k"), KeyName: "test"})
	require.NoError(t, err)
	reader := &audit.Reader{Audit: db.Audit, Log: log, Verify: func(ctx context.Context) (audit.Report, error) {
		head, err := db.Audit.Head(ctx)
		if err != nil {
			return audit.Report{}, err
		}
		return audit.Verify(ctx, db.Audit, nil, []string{head.SignedBy})
	}}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- reader.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return newFixture(t, func(o *Options) { o.AuditLog = reader }).signIn(), log
}

// accessed writes the entries of a session.
func accessed(t *testing.T, log *audit.Log, id, user, target, account string, ended bool) {
	t.Helper()
	e := audit.Entry{
		Actor: audit.Actor{ID: "id-" + user, Name: user, Kind: audit.KindUser}, Action: audit.ActionSessionStarted, Outcome: audit.Success, SessionID: id,
		Source: "192.0.2.9", Object: audit.Object{Kind: "target", ID: target, Name: strings.ToUpper(target)}, Policies: []string{"p1"},
		Details: map[string]string{"protocol": "rdp", "address": target + ":3389", "account": account, "tags": "prod," + target},
	}
	require.NoError(t, log.Record(t.Context(), e))
	if ended {
		e.Action, e.Details = audit.ActionSessionEnded, map[string]string{"code": "user_disconnected", "message": "=cmd|' /C calc'!A0"}
		require.NoError(t, log.Record(t.Context(), e))
	}
}

func (f *fixture) get(path string, into any) {
	f.t.Helper()
	res := f.do(request{method: "GET", path: BasePath + path})
	body := bodyOf(f.t, res)
	require.Equal(f.t, 200, res.StatusCode, body)
	require.NoError(f.t, json.Unmarshal([]byte(body), into))
}

type entriesPage struct {
	Entries []struct {
		Index  int64
		Action string
		Actor  struct{ Name, Kind string }
	}
	Next *int64
}

func TestAuditEntries(t *testing.T) {
	f, log := auditFixture(t)
	for i := range 5 {
		accessed(t, log, fmt.Sprint("s", i), "bob", "desk", "root", true)
	}
	accessed(t, log, "other", "eve", "win", "admin", false)
	require.NoError(t, log.Record(t.Context(), audit.Entry{Action: "sign_in", Outcome: audit.Denied, Actor: audit.Actor{Kind: audit.KindAnonymous}}))

	for query, want := range map[string]int{
		"": 13, "?limit=5": 5, "?actor=bob": 10, "?actor=id-bob": 10, "?action=session_started": 6, "?outcome=denied": 1, "?object=win": 1,
		"?session=s3": 2, "?actor=bob&action=session_ended": 5, "?actor=nobody": 0, "?from=2020-01-01T00:00:00Z": 13, "?until=2020-01-01T00:00:00Z": 0,
		"?actor=bob%27%20OR%201=1--": 0,
	} {
		var page entriesPage
		f.get("/audit/entries"+query, &page)
		require.Len(t, page.Entries, want, query)
	}
	seen, before := []int64{}, ""
	for {
		var page entriesPage
		f.get("/audit/entries?limit=4"+before, &page)
		for _, e := range page.Entries {
			seen = append(seen, e.Index)
		}
		if page.Next == nil {
			break
		}
		before = fmt.Sprint("&before=", *page.Next)
	}
	require.Equal(t, []int64{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, seen)
	for _, bad := range []string{"?before=99", "?before=-1", "?limit=0", "?outcome=odd", "?from=yesterday"} {
		res := f.do(request{method: "GET", path: BasePath + "/audit/entries" + bad})
		require.Equal(t, 400, res.StatusCode, bad)
		requireProblem(t, res, bodyOf(t, res), "request_invalid")
	}
}

func TestAuditIsForReaders(t *testing.T) {
	f, _ := auditFixture(t)
	f.policy.denied = map[policy.Action]bool{policy.ReadAudit: true}
	for _, r := range []request{
		{method: "GET", path: "/audit/entries"},
		{method: "GET", path: "/audit/entries/0/proof"},
		{method: "GET", path: "/audit/entries/99/proof"},
		{method: "GET", path: "/audit/checkpoint"},
		{method: "GET", path: "/audit/access"},
		{method: "GET", path: "/audit/access?format=csv"},
		{method: "GET", path: "/audit/verify"},
		{method: "POST", path: "/audit/verify"},
	} {
		r.path = BasePath + r.path
		require.Equal(t, 403, f.do(r).StatusCode, r.path)
	}
	f.cookie = nil
	require.Equal(t, 401, f.do(request{method: "GET", path: BasePath + "/audit/entries"}).StatusCode)
}

func TestAuditProof(t *testing.T) {
	f, log := auditFixture(t)
	res := f.do(request{method: "GET", path: BasePath + "/audit/entries/0/proof"})
	require.Equal(t, 409, res.StatusCode)
	requireProblem(t, res, bodyOf(t, res), "audit_not_signed")
	accessed(t, log, "s", "bob", "desk", "root", true)
	require.NoError(t, log.Checkpoint(t.Context()))
	var p audit.Proof
	f.get("/audit/entries/1/proof", &p)
	require.EqualValues(t, 3, p.Size)
	require.Len(t, p.Hashes, 2)
	res = f.do(request{method: "GET", path: BasePath + "/audit/entries/99/proof"})
	require.Equal(t, 404, res.StatusCode)
	requireProblem(t, res, bodyOf(t, res), "audit_entry_not_found")

	var s struct {
		Size, Signed int64
		Consistent   bool
		Checkpoint   string
	}
	f.get("/audit/checkpoint", &s)
	require.EqualValues(t, 3, s.Signed)
	require.True(t, s.Consistent)
	require.Equal(t, p.Checkpoint, s.Checkpoint)
}

func TestAuditVerification(t *testing.T) {
	f, log := auditFixture(t)
	require.NoError(t, log.Checkpoint(t.Context()))
	var v struct {
		State   string
		Entries int64
		Problem string
	}
	f.get("/audit/verify", &v)
	require.Equal(t, "idle", v.State)
	for range 3 {
		require.Equal(t, 202, f.do(request{method: "POST", path: BasePath + "/audit/verify"}).StatusCode)
	}
	require.Eventually(t, func() bool {
		f.get("/audit/verify", &v)
		return v.State != "running"
	}, waitLong, tick)
	require.Equal(t, "ok", v.State, v.Problem)
	require.EqualValues(t, 1, v.Entries)
}

type accessPage struct {
	Access []struct {
		Session    string
		DurationMs int64  `json:"duration_ms"`
		EndIndex   *int64 `json:"end_index"`
	}
	Next *string
}

func TestAccessReport(t *testing.T) {
	f, log := auditFixture(t)
	accessed(t, log, "s1", "bob", "desk", "root", true)
	accessed(t, log, "s2", "bob", "win", "+admin", true)
	accessed(t, log, "s3", "eve", "win", "root", false)
	for query, want := range map[string]string{
		"": "s3 s2 s1", "?user=bob": "s2 s1", "?target=win": "s3 s2", "?account=root": "s3 s1", "?tag=desk": "s1", "?tag=prod": "s3 s2 s1", "?tag=pro": "",
		"?tag=%25": "", "?q=EVE": "s3", "?q=3389": "s3 s2 s1", "?q=100%25": "", "?from=2100-01-01T00:00:00Z": "s3", "?until=2020-01-01T00:00:00Z": "",
		"?limit=2": "s3 s2", "?limit=2&before=s2": "s1", "?user=bob&target=win": "s2",
	} {
		var page accessPage
		f.get("/audit/access"+query, &page)
		var got []string
		for _, a := range page.Access {
			got = append(got, a.Session)
			require.Equal(t, a.Session == "s3", a.EndIndex == nil)
			require.GreaterOrEqual(t, a.DurationMs, int64(0))
		}
		require.Equal(t, want, strings.Join(got, " "), query)
	}
	require.Equal(t, 400, f.do(request{method: "GET", path: BasePath + "/audit/access?before=x"}).StatusCode)
}

func TestAccessCSV(t *testing.T) {
	f, log := auditFixture(t)
	for i := range csvPage + 7 {
		accessed(t, log, fmt.Sprintf("s%04d", i), "=bob", "desk", "-root,\"x\"", i%2 == 0)
	}
	f.audit.entries = nil
	for _, r := range []request{
		{method: "GET", path: BasePath + "/audit/access?format=csv"},
		{method: "GET", path: BasePath + "/audit/access", header: http.Header{"Accept": {"text/csv"}}},
	} {
		res := f.do(r)
		require.Equal(t, 200, res.StatusCode)
		require.Contains(t, res.Header.Get("Content-Type"), "text/csv")
		require.Contains(t, res.Header.Get("Content-Disposition"), "attachment")
		rows, err := csv.NewReader(strings.NewReader(bodyOf(t, res))).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, csvPage+8)
		require.Equal(t, accessColumns, rows[0])
		for _, row := range rows[1:] {
			require.Equal(t, "'=bob", row[1])
			require.Equal(t, "'-root,\"x\"", row[6])
			for _, cell := range row {
				require.False(t, cell != "" && strings.ContainsRune("=+-@", rune(cell[0])), "a formula: %q", cell)
			}
		}
	}
	require.Equal(t, "read_access_report", f.audit.entries[0].Action)
}
