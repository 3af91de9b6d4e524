package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// benchLog opens a log in the database at source.
func benchLog(b *testing.B, source string) (*Log, *store.Store) {
	b.Helper()
	db, err := store.Open(b.Context(), source)
	require.NoError(b, err)
	b.Cleanup(func() { db.Close() })
	l, err := Open(b.Context(), Options{Store: db.Audit, KeyFile: filepath.Join(b.TempDir(), "k"), KeyName: "bench"})
	require.NoError(b, err)
	return l, db
}

// BenchmarkRecord writes entries durably: by one after the other, and by many at once, which share transactions.
func BenchmarkRecord(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgresql"} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", engine, writers), func(b *testing.B) {
				source := filepath.Join(b.TempDir(), "v.db")
				if engine == "postgresql" {
					source = testbed.Postgres(b)
				}
				l, _ := benchLog(b, source)
				b.ResetTimer()
				if writers == 1 {
					for i := range b.N {
						require.NoError(b, l.Record(b.Context(), sample(i)))
					}
				} else {
					b.SetParallelism(writers)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := l.Record(context.Background(), sample(1)); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}

// BenchmarkMillion asks for pages of a log of a million entries, a hundred thousand sessions among them, and verifies it.
// VITRINE_BENCH_AUDIT names the SQLite file to make or to use again.
func BenchmarkMillion(b *testing.B) {
	source := os.Getenv("VITRINE_BENCH_AUDIT")
	if source == "" {
		b.Skip("VITRINE_BENCH_AUDIT names no file")
	}
	db, err := store.Open(b.Context(), source)
	require.NoError(b, err)
	defer db.Close()
	l, err := Open(b.Context(), Options{Store: db.Audit, KeyFile: source + ".key", KeyName: "bench"})
	require.NoError(b, err)
	const million = 1_000_000
	head, err := db.Audit.Head(b.Context())
	require.NoError(b, err)
	for n := head.Size; n < million; n += maxBatch {
		batch := make([]Entry, maxBatch)
		for i := range batch {
			batch[i] = milli(int(n) + i)
		}
		_, err := l.append(b.Context(), batch)
		require.NoError(b, err)
	}
	require.NoError(b, l.Checkpoint(b.Context()))
	middle := time.UnixMicro(million / 2 * 1_000_000)
	for name, ask := range map[string]func() error{
		"entries/newest": func() error { return entries(db, store.AuditFilter{Before: -1}) },
		"entries/actor":  func() error { return entries(db, store.AuditFilter{Before: -1, Actor: "user7"}) },
		"entries/actor+none": func() error {
			return entries(db, store.AuditFilter{Before: -1, Actor: "user7", Action: "export_recording"})
		},
		"entries/actor+rare": func() error { return entries(db, store.AuditFilter{Before: -1, Actor: "user7", Outcome: "denied"}) },
		"entries/action":     func() error { return entries(db, store.AuditFilter{Before: -1, Action: "replay_recording"}) },
		"entries/denied":     func() error { return entries(db, store.AuditFilter{Before: -1, Outcome: "denied"}) },
		"entries/session":    func() error { return entries(db, store.AuditFilter{Before: -1, Session: "S050000"}) },
		"entries/time": func() error {
			return entries(db, store.AuditFilter{Before: -1, From: middle, Until: middle.Add(time.Hour)})
		},
		"entries/deep":       func() error { return entries(db, store.AuditFilter{Before: 1000}) },
		"access/newest":      func() error { return accesses(db, store.AccessFilter{}) },
		"access/user+target": func() error { return accesses(db, store.AccessFilter{User: "user7", Target: "t7"}) },
		"access/tag":         func() error { return accesses(db, store.AccessFilter{Tag: "tag3"}) },
		"access/q":           func() error { return accesses(db, store.AccessFilter{Query: "user77"}) },
		"access/q+none":      func() error { return accesses(db, store.AccessFilter{Query: "nobody"}) },
		"access/time":        func() error { return accesses(db, store.AccessFilter{From: middle, Until: middle.Add(24 * time.Hour)}) },
		"proof":              func() error { _, err := Include(context.Background(), db.Audit, 123_456); return err },
		"verify": func() error {
			_, err := Verify(context.Background(), db.Audit, nil, []string{l.key.Verifier()})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				require.NoError(b, ask())
			}
		})
	}
}

func entries(db *store.Store, f store.AuditFilter) error {
	f.Limit = 100
	_, err := db.Audit.List(context.Background(), f)
	return err
}

func accesses(db *store.Store, f store.AccessFilter) error {
	f.Limit = 100
	_, err := db.Audit.Access(context.Background(), f)
	return err
}

// milli is entry n of the million: of ten, two are a session's, five replays, and one in a hundred is denied.
func milli(n int) Entry {
	e := sample(n)
	user := n / 10 % 500
	e.Time = time.UnixMicro(int64(n) * 1_000_000)
	e.Actor = Actor{ID: fmt.Sprint("id", user), Name: fmt.Sprint("user", user), Kind: KindUser}
	e.SessionID = fmt.Sprintf("S%06d", n/10)
	e.Object = Object{Kind: "target", ID: fmt.Sprint("t", n/10%1000), Name: fmt.Sprint("Target ", n/10%1000)}
	switch n % 10 {
	case 0:
		e.Action, e.Details = ActionSessionStarted, map[string]string{"account": "root", "tags": fmt.Sprint("tag", n/10%10), "address": "h:3389", "protocol": "rdp"}
	case 9:
		e.Action, e.Details = ActionSessionEnded, map[string]string{"code": "user_disconnected", "message": "bye"}
	case 1, 2, 3, 4, 5:
		e.Action, e.Object = "replay_recording", Object{Kind: "recording", ID: e.SessionID}
	}
	if n%100 == 50 {
		e.Outcome = Denied
	}
	return e
}
