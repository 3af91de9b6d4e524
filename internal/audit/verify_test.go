package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// outside returns the checkpoints kept in the rig's folder.
func (r *rig) outside() []Kept {
	r.t.Helper()
	var list []Kept
	require.NoError(r.t, r.opts.Keep[0].All(r.t.Context(), func(signed string) error {
		list = append(list, Kept{signed, "the folder"})
		return nil
	}))
	return list
}

// keys returns the public keys beside the key file.
func (r *rig) keys() []string {
	r.t.Helper()
	content, err := os.ReadFile(r.opts.KeyFile + signkey.PublicSuffix)
	require.NoError(r.t, err)
	keys, err := Keys(string(content))
	require.NoError(r.t, err)
	return keys
}

func (r *rig) verify() (Report, error) {
	return Verify(r.t.Context(), r.db.Audit, r.outside(), r.keys())
}

// history is a log of 41 entries with checkpoints of 11, 21, 31 and 41 of them, and some sessions.
func history(t *testing.T, db *store.Store) *rig {
	t.Helper()
	r := newRig(t, db)
	for round := range 4 {
		r.fill(8)
		id := fmt.Sprintf("01JA00000000000000000000%02d", round)
		r.session(id, round != 3)
		if round == 3 {
			r.fill(1)
		}
		require.NoError(t, r.Checkpoint(t.Context()))
	}
	require.EqualValues(t, 41, r.Metrics().SignedSize)
	return r
}

// session writes what a session leaves.
func (r *rig) session(id string, ends bool) {
	r.t.Helper()
	started := Entry{
		Actor: Actor{ID: "u1", Name: "alice", Kind: KindUser}, Action: ActionSessionStarted, Outcome: Success, SessionID: id, Source: "192.0.2.1",
		Object:  Object{Kind: "target", ID: "desk", Name: "Desk"},
		Details: map[string]string{"protocol": "rdp", "address": "desk:3389", "account": "root", "tags": "a,b"},
	}
	require.NoError(r.t, r.Record(r.t.Context(), started))
	if ends {
		started.Action, started.Details = ActionSessionEnded, map[string]string{"code": "user_disconnected", "message": "bye"}
		require.NoError(r.t, r.Record(r.t.Context(), started))
	}
}

func TestVerifyGood(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := history(t, db)
		r.fill(3)
		report, err := r.verify()
		require.NoError(t, err)
		require.EqualValues(t, 44, report.Entries)
		require.EqualValues(t, 41, report.Signed)
		require.Equal(t, 8, report.Checkpoints)
		require.Equal(t, 4, report.Outside)
		require.Equal(t, r.keys()[0], report.Key)
		require.Equal(t, tlog.Hash(rootBy(t, r.entries())).String(), report.Root)
	})
}

// TestTampering changes the tables behind the log's back, in every way there is, and says what Verify finds and where.
func TestTampering(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many logs")
	}
	type world struct {
		*rig
		t *testing.T
	}
	exec := func(statement string, args ...any) func(*world) {
		return func(w *world) { tamper(w.t, w.db, statement, args...) }
	}
	for _, tc := range []struct {
		name        string
		tamper      func(*world)
		problem     Problem
		index, last int64
	}{
		{"an entry is edited", exec(`UPDATE audit_entries SET entry = REPLACE(entry, 'alice', 'mallo') WHERE idx = 7`), Altered, 7, 0},
		{"an entry and its column", exec(`UPDATE audit_entries SET entry = REPLACE(entry, 'alice', 'mallo'), actor_name = 'mallo' WHERE idx = 17`), Altered, 17, 0},
		{"only a column", exec(`UPDATE audit_entries SET actor_name = 'mallory' WHERE idx = 7`), BadCopy, 7, 0},
		{"its time", exec(`UPDATE audit_entries SET time = time + 1 WHERE idx = 40`), BadCopy, 40, 0},
		{"a stored hash", exec(`UPDATE audit_entries SET hashes = REPLACE(REPLACE(hashes, 'a', 'b'), '1', '2') WHERE idx = 15`), Altered, 15, 0},
		{"one in the middle is deleted", exec(`DELETE FROM audit_entries WHERE idx = 12`), Missing, 12, 0},
		{"the first is deleted", exec(`DELETE FROM audit_entries WHERE idx = 0`), Missing, 0, 0},
		{"the last is deleted", exec(`DELETE FROM audit_entries WHERE idx = 40`), Missing, 40, 0},
		{"the last ten, and the count", func(w *world) {
			tamper(w.t, w.db, `DELETE FROM audit_entries WHERE idx > 30`)
			tamper(w.t, w.db, `UPDATE audit_head SET size = 31`)
			tamper(w.t, w.db, `DELETE FROM audit_access WHERE start_index > 30`)
		}, RolledBack, 31, 40},
		{"all", func(w *world) {
			tamper(w.t, w.db, `DELETE FROM audit_entries`)
			tamper(w.t, w.db, `DELETE FROM audit_access`)
			tamper(w.t, w.db, `DELETE FROM audit_checkpoints`)
			tamper(w.t, w.db, `UPDATE audit_head SET size = 0`)
		}, RolledBack, 0, 10},
		{"two are swapped", func(w *world) {
			tamper(w.t, w.db, `UPDATE audit_entries SET idx = -1 WHERE idx = 5`)
			tamper(w.t, w.db, `UPDATE audit_entries SET idx = 5 WHERE idx = 6`)
			tamper(w.t, w.db, `UPDATE audit_entries SET idx = 6 WHERE idx = -1`)
		}, Altered, 5, 0},
		{"the texts of two are swapped", func(w *world) {
			entries := w.entries()
			tamper(w.t, w.db, `UPDATE audit_entries SET entry = $1 WHERE idx = 5`, entries[6].Entry)
			tamper(w.t, w.db, `UPDATE audit_entries SET entry = $1 WHERE idx = 6`, entries[5].Entry)
		}, Altered, 5, 0},
		{"one is inserted", func(w *world) {
			tamper(w.t, w.db, `UPDATE audit_entries SET idx = idx + 1000 WHERE idx >= 20`)
			tamper(w.t, w.db, `UPDATE audit_entries SET idx = idx - 999 WHERE idx >= 1000`)
			tamper(w.t, w.db, `INSERT INTO audit_entries SELECT 20, time, actor_kind, actor_id, actor_name, source, action, outcome, object_kind,
				object_id, object_name, session_id, entry, hashes FROM audit_entries WHERE idx = 19`)
			tamper(w.t, w.db, `UPDATE audit_head SET size = size + 1`)
		}, Altered, 20, 0},
		{"one is added at the end", exec(`INSERT INTO audit_entries SELECT 41, time, actor_kind, actor_id, actor_name, source, action, outcome, object_kind,
			object_id, object_name, session_id, entry, hashes FROM audit_entries WHERE idx = 40`), Inserted, 41, 0},
		{"an entry and the whole tree above", func(w *world) { rewrite(w.t, w.db, 25, "alice", "mallo") }, Rewritten, 21, 30},
		{"that, and no checkpoints in the database", func(w *world) {
			rewrite(w.t, w.db, 25, "alice", "mallo")
			tamper(w.t, w.db, `DELETE FROM audit_checkpoints`)
		}, Rewritten, 21, 30},
		{"that, and checkpoints signed by another key", func(w *world) {
			rewrite(w.t, w.db, 25, "alice", "mallo")
			forge(w.t, w.rig, "test-log")
		}, Rewritten, 21, 30},
		{"another log with a key of its own", func(w *world) {
			for _, table := range []string{"audit_entries", "audit_access", "audit_checkpoints"} {
				tamper(w.t, w.db, `DELETE FROM `+table)
			}
			tamper(w.t, w.db, `UPDATE audit_head SET size = 0, signed_by = ''`)
			other := newRig(w.t, w.db)
			other.fill(45)
			require.NoError(w.t, other.Checkpoint(w.t.Context()))
		}, Rewritten, 0, 10},
		{"the key in the database", exec(`UPDATE audit_head SET signed_by = 'x'`), BadKey, 40, 0},
		{"a checkpoint", exec(`UPDATE audit_checkpoints SET note = REPLACE(note, '31', '32') WHERE size = 31`), Malformed, 30, 0},
		{"a checkpoint and its row", exec(`UPDATE audit_checkpoints SET note = REPLACE(note, '31', '30'), size = 30 WHERE size = 31`), BadKey, 29, 0},
		{"who accessed", exec(`UPDATE audit_access SET user_name = 'mallory' WHERE start_index = 9`), BadCopy, 9, 0},
		{"what is searched", exec(`UPDATE audit_access SET search = 'nothing' WHERE start_index = 9`), BadCopy, 9, 0},
		{"for how long", exec(`UPDATE audit_access SET ended_at = ended_at + 1 WHERE start_index = 9`), BadCopy, 10, 0},
		{"an access is deleted", exec(`DELETE FROM audit_access WHERE start_index = 19`), BadCopy, 19, 0},
		{"one that runs is said to have ended", exec(`UPDATE audit_access SET ended_at = 1, end_index = 12 WHERE end_index IS NULL`), BadCopy, 12, 0},
		{"an access is made up", exec(`INSERT INTO audit_access SELECT 'x', user_id, user_name, target_id, target_name, protocol, address, account, tags, source,
			started_at, ended_at, end_code, end_message, start_index, end_index, search FROM audit_access WHERE start_index = 9`), BadCopy, 40, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.Store) {
				w := &world{history(t, db), t}
				tc.tamper(w)
				_, err := w.verify()
				found, ok := errors.AsType[*VerifyError](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, tc.problem, found.Problem, "%v", err)
				require.Equal(t, tc.index, found.Index, "%v", err)
				require.Equal(t, max(tc.index, tc.last), max(found.Index, found.Last), "%v", err)
			})
		})
	}
}

// forge signs the log as it is with a key of that name that is not the log's, and puts it among the checkpoints.
func forge(t *testing.T, r *rig, name string) {
	t.Helper()
	k, err := signkey.Open(filepath.Join(t.TempDir(), "k"), name)
	require.NoError(t, err)
	tamper(t, r.db, `DELETE FROM audit_checkpoints`)
	for _, n := range []int64{31, 41} {
		c, err := r.treeOf(t.Context(), n)
		require.NoError(t, err)
		signed, err := c.sign(k.Signer())
		require.NoError(t, err)
		tamper(t, r.db, `INSERT INTO audit_checkpoints (size, note, created_at) VALUES ($1, $2, 0)`, n, signed)
	}
}

// TestRolledBackDatabase puts an earlier state back, whole and with checkpoints that are valid: only those kept outside
// tell. The gateway notices at its start, and signs no more.
func TestRolledBackDatabase(t *testing.T) {
	source := storetest.SQLite(t)
	db, err := store.Open(t.Context(), source)
	require.NoError(t, err)
	r := newRig(t, db)
	r.fill(10)
	require.NoError(t, r.Checkpoint(t.Context()))
	require.NoError(t, db.Close())
	before, err := os.ReadFile(source)
	require.NoError(t, err)

	r.db, err = store.Open(t.Context(), source)
	require.NoError(t, err)
	r.opts.Store = r.db.Audit
	r.reopen()
	r.fill(10)
	require.NoError(t, r.Checkpoint(t.Context()))
	require.NoError(t, r.db.Close())

	for _, name := range []string{source, source + "-wal", source + "-shm"} {
		if err := os.Remove(name); !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
	}
	require.NoError(t, os.WriteFile(source, before, 0o600))
	r.db = storetest.Open(t, source)
	r.opts.Store = r.db.Audit
	_, err = Verify(t.Context(), r.db.Audit, nil, r.keys())
	require.NoError(t, err, "in itself it is in order")
	_, err = r.verify()
	found, ok := errors.AsType[*VerifyError](err)
	require.True(t, ok)
	require.Equal(t, VerifyError{RolledBack, 11, 20, found.Detail}, *found)

	l := r.reopen()
	_, ok = errors.AsType[*InconsistentError](l.Checkpoint(t.Context()))
	require.True(t, ok)
	require.True(t, l.Metrics().Inconsistent)
	// Written over with as many entries as there were, it is still another log.
	r.fill(20)
	_, err = r.verify()
	found, ok = errors.AsType[*VerifyError](err)
	require.True(t, ok)
	require.Equal(t, VerifyError{Rewritten, 11, 20, found.Detail}, *found)

	// Somebody may accept it; the log tells of that for ever, and everything since is held to what is signed from now on.
	l = r.reopen()
	require.NoError(t, l.Resume(t.Context(), Actor{Kind: KindCLI, Name: "root"}, "restored from a backup"))
	require.ErrorIs(t, l.Resume(t.Context(), Actor{}, "again"), ErrNotInconsistent)
	for range 2 {
		r.fill(5)
		require.NoError(t, r.reopen().Checkpoint(t.Context()))
		report, err := r.verify()
		require.NoError(t, err)
		require.Equal(t, 1, report.Abandoned)
		require.Len(t, report.Resumed, 1)
		require.Equal(t, report.Entries, report.Signed)
	}
	rewrite(t, r.db, 15, "alice", "mallo")
	_, err = r.verify()
	found, ok = errors.AsType[*VerifyError](err)
	require.True(t, ok)
	require.Equal(t, Rewritten, found.Problem)
	require.EqualValues(t, 11, found.Index)
}

func TestRotate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db)
		r.fill(3)
		require.NoError(t, r.Checkpoint(t.Context()))
		running := r.Log
		first := r.keys()
		cli := r.reopen()
		second, err := cli.Rotate(t.Context(), Actor{Kind: KindCLI, Name: "root"})
		require.NoError(t, err)
		require.NotEqual(t, first[0], second)
		require.Equal(t, []string{first[0], second}, r.keys())
		require.NoFileExists(t, r.opts.KeyFile+pendingSuffix)

		require.NoError(t, running.Record(t.Context(), sample(1)))
		require.NoError(t, running.Checkpoint(t.Context()), "the running gateway takes the new key")
		last, err := db.Audit.LastCheckpoint(t.Context())
		require.NoError(t, err)
		_, by, err := OpenCheckpoint(last.Note, second)
		require.NoError(t, err)
		require.Equal(t, []string{second}, by)
		for name, keys := range map[string][]string{"the first key": first, "the second key": {second}, "both": r.keys()} {
			report, err := Verify(t.Context(), db.Audit, r.outside(), keys)
			require.NoError(t, err, name)
			require.EqualValues(t, 6, report.Signed)
			require.Equal(t, second, report.Key)
		}
		k, err := signkey.Open(filepath.Join(t.TempDir(), "k"), "test-log")
		require.NoError(t, err)
		_, err = Verify(t.Context(), db.Audit, r.outside(), []string{k.Verifier()})
		found, ok := errors.AsType[*VerifyError](err)
		require.True(t, ok)
		require.Equal(t, Unsigned, found.Problem)
	})
}

// TestRotateCutOff: the log names the new key, and its file was not moved yet.
func TestRotateCutOff(t *testing.T) {
	r := newRig(t, nil)
	old, err := os.ReadFile(r.opts.KeyFile)
	require.NoError(t, err)
	oldPublic, err := os.ReadFile(r.opts.KeyFile + signkey.PublicSuffix)
	require.NoError(t, err)
	second, err := r.Rotate(t.Context(), Actor{Kind: KindCLI})
	require.NoError(t, err)
	require.NoError(t, os.Rename(r.opts.KeyFile, r.opts.KeyFile+pendingSuffix))
	require.NoError(t, os.WriteFile(r.opts.KeyFile+pendingSuffix+signkey.PublicSuffix, []byte(second+"\n"), 0o600))
	require.NoError(t, os.WriteFile(r.opts.KeyFile, old, 0o600))
	require.NoError(t, os.WriteFile(r.opts.KeyFile+signkey.PublicSuffix, oldPublic, 0o600))
	require.NoError(t, r.reopen().Checkpoint(t.Context()))
	require.Len(t, r.keys(), 2)
	_, err = r.verify()
	require.NoError(t, err)
}

func TestVerifyWhileItGrows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db)
		require.NoError(t, r.Checkpoint(t.Context()))
		done := make(chan struct{})
		finished := make(chan error, 1)
		go func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					finished <- nil
					return
				default:
				}
				if err := errors.Join(r.Record(t.Context(), sample(i)), r.Checkpoint(t.Context())); err != nil {
					finished <- err
					return
				}
			}
		}()
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			_, err := r.verify()
			require.NoError(t, err)
		}
		close(done)
		require.NoError(t, <-finished)
	})
}
