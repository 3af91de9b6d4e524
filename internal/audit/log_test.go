package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// rootBy computes the tree's hash with code other than the writer's.
func rootBy(t *testing.T, entries []store.AuditEntry) []byte {
	t.Helper()
	ranges := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, e := range entries {
		require.NoError(t, ranges.Append(rfc6962.DefaultHasher.HashLeaf([]byte(e.Entry)), nil))
	}
	root, err := ranges.GetRootHash(nil)
	require.NoError(t, err)
	return root
}

func TestTreeIsRFC6962(t *testing.T) { storetest.Each(t, testTreeIsRFC6962) }

func testTreeIsRFC6962(t *testing.T, db *store.Store) {
	r := newRig(t, db)
	for size := int64(1); size <= 40; size++ {
		head, err := r.db.Audit.Head(t.Context())
		require.NoError(t, err)
		require.Equal(t, size, head.Size)
		require.NoError(t, r.Checkpoint(t.Context()))
		last, err := r.db.Audit.LastCheckpoint(t.Context())
		require.NoError(t, err)
		c, by, err := OpenCheckpoint(last.Note, head.SignedBy)
		require.NoError(t, err)
		require.Equal(t, []string{head.SignedBy}, by)
		require.Equal(t, "test-log", c.Origin)
		require.Equal(t, size, c.N)
		require.Equal(t, hex.EncodeToString(rootBy(t, r.entries())), hex.EncodeToString(c.Hash[:]), "of %d entries", size)
		r.fill(1)
	}
	for i, e := range r.entries() {
		index, entry, err := Decode([]byte(e.Entry))
		require.NoError(t, err)
		require.EqualValues(t, i, index)
		require.EqualValues(t, i, e.Index)
		require.Equal(t, rowOf(index, entry, e.Entry, e.Hashes), e, "columns are what the entry says")
	}
}

// TestManyWriters has two logs on one database, as two gateways are: no gap, no fork.
func TestManyWriters(t *testing.T) { storetest.Each(t, testManyWriters) }

func testManyWriters(t *testing.T, db *store.Store) {
	r := newRig(t, db)
	logs := []*Log{r.Log, r.reopen()}
	const writers, each = 16, 25
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := logs[w%2].Record(context.Background(), sample(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	entries := r.entries()
	require.Len(t, entries, 1+writers*each)
	for i, e := range entries {
		require.EqualValues(t, i, e.Index)
	}
	for _, l := range logs {
		require.NoError(t, l.Checkpoint(t.Context()))
	}
	last, err := r.db.Audit.LastCheckpoint(t.Context())
	require.NoError(t, err)
	c, err := unsignedCheckpoint(last.Note)
	require.NoError(t, err)
	require.Equal(t, tlog.Hash(rootBy(t, entries)), c.Hash)
}

func TestRecordFailsClosed(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "v.db"))
	require.NoError(t, err)
	r := newRig(t, db)
	require.NoError(t, r.Writable(t.Context()))
	require.NoError(t, r.db.Close())
	require.ErrorIs(t, r.Record(t.Context(), sample(0)), ErrUnavailable)
	require.ErrorIs(t, r.Writable(t.Context()), ErrUnavailable)
	require.EqualValues(t, 1, r.Metrics().Failures)
}

func TestRecordOutlivesItsCaller(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, r.Record(ctx, sample(0)), "what it tells of has happened")
	require.Len(t, r.entries(), 2)
}

func TestKeyOfAnotherLog(t *testing.T) {
	r := newRig(t, nil)
	content, err := os.ReadFile(r.opts.KeyFile)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(content), "PRIVATE+KEY+test-log+"))
	info, err := os.Stat(r.opts.KeyFile)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	require.NoError(t, os.Remove(r.opts.KeyFile))
	_, err = Open(t.Context(), r.opts)
	require.ErrorIs(t, err, ErrKey, "a lost key is not replaced in silence")

	other := newRig(t, nil)
	r.opts.KeyFile = other.opts.KeyFile
	_, err = Open(t.Context(), r.opts)
	require.ErrorIs(t, err, ErrKey)
	require.NotContains(t, err.Error(), "PRIVATE")
}

// TestNothingIsSignedOverAnAlteredLog: the running gateway does not lend its key to whoever rewrote the table.
func TestNothingIsSignedOverAnAlteredLog(t *testing.T) {
	r := newRig(t, nil)
	r.fill(20)
	require.NoError(t, r.Checkpoint(t.Context()))
	kept, err := r.opts.Keep[0].Newest(t.Context())
	require.NoError(t, err)
	rewrite(t, r.db, 7, "alice", "mallory")
	r.fill(1)
	inconsistent, ok := errors.AsType[*InconsistentError](r.Checkpoint(t.Context()))
	require.True(t, ok)
	require.EqualValues(t, 21, inconsistent.Checkpoint.N)
	require.True(t, r.Metrics().Inconsistent)
	newest, err := r.opts.Keep[0].Newest(t.Context())
	require.NoError(t, err)
	require.Equal(t, kept, newest)
	entries := r.entries()
	require.Contains(t, entries[len(entries)-1].Entry, ActionLogInconsistent)
	// Nor does the next one, which knows the checkpoint from the folder.
	_, ok = errors.AsType[*InconsistentError](r.reopen().Checkpoint(t.Context()))
	require.True(t, ok)
}

// rewrite changes an entry and every hash above it, as somebody would who knows the format but has no key.
func rewrite(t *testing.T, db *store.Store, index int64, from, to string) {
	t.Helper()
	t.Helper()
	entries, err := db.Audit.Range(t.Context(), 0, 1_000_000)
	require.NoError(t, err)
	batch := map[int64]tlog.Hash{}
	reader := hashColumns(db.Audit.Hashes).reader(t.Context(), batch)
	for i, e := range entries {
		if e.Index == index {
			require.Contains(t, e.Entry, from)
			e.Entry, e.ActorName = strings.ReplaceAll(e.Entry, from, to), strings.ReplaceAll(e.ActorName, from, to)
		}
		hashes, err := tlog.StoredHashes(int64(i), []byte(e.Entry), reader)
		require.NoError(t, err)
		for j, h := range hashes {
			batch[tlog.StoredHashIndex(0, int64(i))+int64(j)] = h
		}
		tamper(t, db, `UPDATE audit_entries SET entry = $1, actor_name = $2, hashes = $3 WHERE idx = $4`, e.Entry, e.ActorName, encodeHashes(hashes), e.Index)
	}
}

// tamper changes the database behind the store's back.
func tamper(t *testing.T, db *store.Store, statement string, args ...any) {
	t.Helper()
	_, err := storetest.Raw(t, db).ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
}

func TestFolderSkipsWhatWasCutOff(t *testing.T) {
	r := newRig(t, nil)
	require.NoError(t, r.Checkpoint(t.Context()))
	names, err := filepath.Glob(filepath.Join(r.dir, "kept", "*.ndjson"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	f, err := os.OpenFile(names[0], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"size":99,"no`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	newest, err := r.opts.Keep[0].Newest(t.Context())
	require.NoError(t, err)
	require.Contains(t, newest, "test-log\n1\n")
}

func TestRunSigns(t *testing.T) {
	r := newRig(t, nil)
	r.opts.Interval, r.opts.Entries = time.Hour, 5
	r.reopen()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	r.fill(1)
	go func() { done <- r.Run(ctx) }()
	// What it finds is signed at once; only what comes after that is counted.
	require.Eventually(t, func() bool { return r.Metrics().SignedSize >= 2 }, time.Minute, time.Millisecond)
	r.fill(6)
	require.Eventually(t, func() bool { return r.Metrics().SignedSize >= 6 }, time.Minute, time.Millisecond)
	r.fill(1)
	cancel()
	require.NoError(t, <-done)
	require.EqualValues(t, 9, r.Metrics().SignedSize, "the last checkpoint covers everything")
}
