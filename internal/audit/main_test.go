package audit

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a log in a folder of its own.
type rig struct {
	*Log
	t    *testing.T
	db   *store.Store
	opts Options
	dir  string
}

func newRig(t *testing.T, db *store.Store) *rig {
	t.Helper()
	dir := t.TempDir()
	if db == nil {
		db = storetest.Open(t, storetest.SQLite(t))
	}
	r := &rig{t: t, db: db, dir: dir, opts: Options{
		Store: db.Audit, KeyFile: filepath.Join(dir, "audit.key"), KeyName: "test-log", Keep: []Witness{&Folder{Path: filepath.Join(dir, "kept")}},
	}}
	r.reopen()
	return r
}

// reopen is another process on the same database.
func (r *rig) reopen() *Log {
	r.t.Helper()
	l, err := Open(r.t.Context(), r.opts)
	require.NoError(r.t, err)
	r.Log = l
	return l
}

// fill writes n entries, each unlike the others.
func (r *rig) fill(n int) {
	r.t.Helper()
	for i := range n {
		require.NoError(r.t, r.Record(r.t.Context(), sample(i)))
	}
}

func sample(i int) Entry {
	return Entry{
		Actor: Actor{ID: "u1", Name: "alice", Kind: KindUser}, Source: "192.0.2.1", Action: "terminate_session", Outcome: Success,
		Object: Object{Kind: "session", ID: "01JA0000000000000000000009"}, SessionID: "01JA0000000000000000000009",
		Policies: []string{"p2", "p1"}, Details: map[string]string{"number": time.Duration(i).String(), "reason": "line\none \"two\"\t\u2028"},
	}
}

func (r *rig) entries() []store.AuditEntry {
	r.t.Helper()
	list, err := r.db.Audit.Range(context.WithoutCancel(r.t.Context()), 0, 1_000_000)
	require.NoError(r.t, err)
	return list
}
