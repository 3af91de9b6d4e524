package store_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// filled has rows in every table there is, made from the catalog: also in those other tests know nothing of.
func filled(t *testing.T, source string) *store.Store {
	t.Helper()
	s := storetest.Open(t, source)
	storetest.Fill(t, s)
	return s
}

func backup(t *testing.T, source string) ([]byte, *store.Manifest) {
	t.Helper()
	var b bytes.Buffer
	m, err := store.Backup(t.Context(), source, &b, "test")
	require.NoError(t, err)
	return b.Bytes(), m
}

func restore(t *testing.T, source string, archive []byte, replace bool) (*store.Restored, error) {
	t.Helper()
	return store.Restore(t.Context(), source, bytes.NewReader(archive), int64(len(archive)), replace)
}

// sums are the tables with their hashes, but those a restore empties.
func sums(m *store.Manifest) map[string]string {
	out := map[string]string{}
	for _, t := range m.Tables {
		if t.Name != "browser_sessions" && t.Name != "idempotency_keys" {
			out[t.Name] = fmt.Sprintf("%d %s", t.Rows, t.SHA256)
		}
	}
	return out
}

// TestBackupMovesBetweenDatabases: what is restored, into either database, has the same hashes as what was backed up.
func TestBackupMovesBetweenDatabases(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, from string) {
		s := filled(t, from)
		archive, m := backup(t, from)
		for _, table := range m.Tables {
			require.NotZero(t, table.Rows, "%s has rows", table.Name)
		}
		storetest.EachSource(t, func(t *testing.T, to string) {
			done, err := restore(t, to, archive, false)
			require.NoError(t, err)
			require.Empty(t, done.Replaced)
			require.Equal(t, m.Tables, done.Tables)
			_, again := backup(t, to)
			require.Equal(t, sums(m), sums(again))
			restored := storetest.Open(t, to)
			want, err := s.Sessions.List(t.Context(), store.SessionFilter{Limit: 10})
			require.NoError(t, err)
			got, err := restored.Sessions.List(t.Context(), store.SessionFilter{Limit: 10})
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.NotEmpty(t, got)
			for _, table := range []string{"browser_sessions", "idempotency_keys"} { // what was revoked must not come back
				var n int
				require.NoError(t, storetest.Raw(t, restored).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n))
				require.Zero(t, n, table)
			}
			// Foreign keys are in force again.
			_, err = storetest.Raw(t, restored).ExecContext(t.Context(), `INSERT INTO recordings (session_id, state) VALUES ('nobody''s', 'sealed')`)
			if strings.HasPrefix(to, "postgres") {
				require.Error(t, err)
			}
			require.ErrorIs(t, restored.Recordings.Put(t.Context(), store.Recording{SessionID: "nobody"}), store.ErrReference)

			// It is not empty any more.
			_, err = restore(t, to, archive, false)
			require.ErrorIs(t, err, store.ErrNotEmpty)
		})
	})
}

// TestBackupOfAnOlderSchema: it is backed up as it is, and restored as the newest.
func TestBackupOfAnOlderSchema(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, from string) {
		schema2(t, from)
		archive, m := backup(t, from)
		require.EqualValues(t, 2, m.SchemaVersion)
		require.EqualValues(t, 2, schemaVersion(t.Context(), t, storetest.RawSource(t, from)), "a backup changes nothing")
		storetest.EachSource(t, func(t *testing.T, to string) {
			_, err := restore(t, to, archive, false)
			require.NoError(t, err)
			s := storetest.Open(t, to)
			require.Equal(t, newest(t), schemaVersion(t.Context(), t, storetest.Raw(t, s)))
			bob, err := s.Users.ByName(t.Context(), "bob")
			require.NoError(t, err)
			require.True(t, bob.Disabled)
		})
	})
}

// TestRestoreReplaces: only when told to; a SQLite file that was there is kept aside.
func TestRestoreReplaces(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		s := storetest.Open(t, source)
		require.NoError(t, s.Users.Create(t.Context(), store.User{ID: "u1", Name: "alice"}))
		archive, _ := backup(t, source)
		require.NoError(t, s.Users.Create(t.Context(), store.User{ID: "u2", Name: "bob"}))
		_, err := restore(t, source, archive, false)
		require.ErrorIs(t, err, store.ErrNotEmpty)
		done, err := restore(t, source, archive, true)
		require.NoError(t, err)
		now := storetest.Open(t, source)
		_, err = now.Users.ByName(t.Context(), "alice")
		require.NoError(t, err)
		_, err = now.Users.ByName(t.Context(), "bob")
		require.ErrorIs(t, err, store.ErrNotFound)
		if done.Replaced != "" {
			was := storetest.Open(t, done.Replaced)
			_, err = was.Users.ByName(t.Context(), "bob")
			require.NoError(t, err, "its log has moved with it")
			info, err := os.Stat(source)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			left, err := filepath.Glob(filepath.Join(filepath.Dir(source), ".restore-*"))
			require.NoError(t, err)
			require.Empty(t, left)
		}
	})
}

// TestRestoreOverAnUnreadableFile is what a backup is for.
func TestRestoreOverAnUnreadableFile(t *testing.T) {
	from := storetest.Migrated(t)
	filled(t, from)
	archive, _ := backup(t, from)
	to := filepath.Join(t.TempDir(), "v.db")
	require.NoError(t, os.WriteFile(to, bytes.Repeat([]byte("not a database "), 1000), 0o600))
	_, err := restore(t, to, archive, false)
	require.Error(t, err)
	done, err := restore(t, to, archive, true)
	require.NoError(t, err)
	require.FileExists(t, done.Replaced)
	storetest.Open(t, to)
}

// change is an archive with other content.
func change(t *testing.T, archive []byte, edit func(name string, content []byte) []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		if content = edit(f.Name, content); content == nil {
			continue
		}
		e, err := w.Create(f.Name)
		require.NoError(t, err)
		_, err = e.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// manifest is an archive whose manifest says something else.
func manifest(t *testing.T, archive []byte, edit func(*store.Manifest)) []byte {
	t.Helper()
	return change(t, archive, func(name string, content []byte) []byte {
		if name != "manifest.json" {
			return content
		}
		var m store.Manifest
		require.NoError(t, json.Unmarshal(content, &m))
		edit(&m)
		content, err := json.Marshal(m)
		require.NoError(t, err)
		return content
	})
}

// TestRestoreRefuses: an archive that is not whole changes nothing, and the error says what of it is wrong.
func TestRestoreRefuses(t *testing.T) {
	from := storetest.Migrated(t)
	filled(t, from)
	archive, m := backup(t, from)
	only := func(table string, edit func([]byte) []byte) []byte {
		return change(t, archive, func(name string, content []byte) []byte {
			if name == "tables/"+table+".jsonl" {
				return edit(content)
			}
			return content
		})
	}
	entry := func(m *store.Manifest, name string) *store.ArchivedTable {
		for i := range m.Tables {
			if m.Tables[i].Name == name {
				return &m.Tables[i]
			}
		}
		return nil
	}
	flipped := bytes.Clone(archive) // a byte of the compressed rows of the first table
	flipped[100] ^= 0x40
	cases := map[string]struct {
		archive []byte
		table   string
		says    string
	}{
		"cut short":        {archive: archive[:len(archive)-30], says: "not a whole ZIP file"},
		"something else":   {archive: []byte("hello"), says: "not a whole ZIP file"},
		"flipped bit":      {archive: flipped, table: m.Tables[0].Name},
		"no manifest":      {archive: change(t, archive, func(n string, c []byte) []byte { return map[bool][]byte{true: c}[n != "manifest.json"] }), says: "no manifest.json"},
		"foreign manifest": {archive: manifest(t, archive, func(m *store.Manifest) { m.Format = "x" }), says: "not that of a backup of Vitrine"},
		"edited row":       {archive: only("users", func(b []byte) []byte { return bytes.Replace(b, []byte(`"`), []byte(`"x`), 1) }), table: "users"},
		"same length":      {archive: only("sessions", func(b []byte) []byte { return bytes.Replace(b, []byte("a"), []byte("b"), 1) }), table: "sessions", says: "SHA-256"},
		"row removed":      {archive: only("users", func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] }), table: "users", says: "rows"},
		"row added":        {archive: only("users", func(b []byte) []byte { return append(b, b...) }), table: "users"},
		"endless row":      {archive: only("users", func(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\n")) }), table: "users", says: "cannot be read"},
		"not rows":         {archive: only("users", func(b []byte) []byte { return append([]byte("{}"), b[2:]...) }), table: "users", says: "row 1 is not JSON"},
		"too few values":   {archive: only("users", func(b []byte) []byte { return append([]byte("[1]\n"), b[4:]...) }), table: "users", says: "row 1 has 1 values"},
		"table missing":    {archive: change(t, archive, func(n string, c []byte) []byte { return map[bool][]byte{true: c}[n != "tables/users.jsonl"] }), table: "users", says: "is missing"},
		"table unnamed":    {archive: manifest(t, archive, func(m *store.Manifest) { m.Tables = m.Tables[1:] }), table: m.Tables[0].Name, says: "is missing"},
		"table unknown": {archive: change(t, manifest(t, archive, func(m *store.Manifest) {
			m.Tables = append(m.Tables, store.ArchivedTable{Name: "x", Columns: []string{"a"}, SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"})
		}), func(n string, c []byte) []byte { return c }), table: "x"},
		"columns":       {archive: manifest(t, archive, func(m *store.Manifest) { entry(m, "users").Columns[0] = `id" --` }), table: "users", says: "columns"},
		"newer schema":  {archive: manifest(t, archive, func(m *store.Manifest) { m.SchemaVersion = 9999 }), says: "schema version 9999, which is newer"},
		"newer format":  {archive: manifest(t, archive, func(m *store.Manifest) { m.Version = 2 }), says: "format version 2"},
		"older schema":  {archive: manifest(t, archive, func(m *store.Manifest) { m.SchemaVersion = 2 }), table: "browser_sessions", says: "has the columns"},
		"twice a table": {archive: manifest(t, archive, func(m *store.Manifest) { m.Tables = append(m.Tables, m.Tables[0]) }), table: m.Tables[0].Name},
	}
	storetest.EachSource(t, func(t *testing.T, to string) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				_, err := restore(t, to, tc.archive, false)
				require.ErrorContains(t, err, tc.says)
				if damaged, ok := errors.AsType[*store.DamagedError](err); ok && tc.table != "" {
					require.Equal(t, tc.table, damaged.Table, "%v", err)
				} else {
					require.Empty(t, tc.table, "%v", err)
				}
				require.NoFileExists(t, to)
			})
		}
		// Nothing is left of all that: the whole archive goes in, without being told to replace anything.
		_, err := restore(t, to, archive, false)
		require.NoError(t, err)
		if strings.HasPrefix(to, "postgres") {
			var schemas int
			require.NoError(t, storetest.RawSource(t, to).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_namespace WHERE nspname LIKE 'vitrine_restore%'`).Scan(&schemas))
			require.Zero(t, schemas)
		}
	})
}

// TestRestoreOfRowsThatDoNotFit: an archive that was made to look whole, with a row that refers to nothing.
func TestRestoreOfRowsThatDoNotFit(t *testing.T) {
	from := storetest.Migrated(t)
	s := filled(t, from)
	db := storetest.Raw(t, s) // without foreign keys in force
	_, err := db.ExecContext(t.Context(), `DELETE FROM sessions`)
	require.NoError(t, err)
	archive, _ := backup(t, from)
	storetest.EachSource(t, func(t *testing.T, to string) {
		_, err := restore(t, to, archive, false)
		require.ErrorAs(t, err, new(*store.DamagedError))
		require.ErrorContains(t, err, "do not fit together")
	})
}

func TestBackupOfNothing(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		var b bytes.Buffer
		_, err := store.Backup(t.Context(), source, &b, "test")
		require.ErrorIs(t, err, store.ErrNoDatabase)
		require.NoFileExists(t, source)
	})
}

// TestBackupIsOneMoment: writers go on meanwhile and are not seen.
func TestBackupIsOneMoment(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				err := s.Tx(t.Context(), func(tx *store.Store) error {
					if err := tx.Sessions.Create(t.Context(), session(n)); err != nil {
						return err
					}
					return tx.Recordings.Put(t.Context(), store.Recording{SessionID: session(n).ID, State: store.RecordingRunning})
				})
				if err != nil {
					done <- err
					return
				}
			}
		}()
		for range 5 {
			time.Sleep(10 * time.Millisecond)
			_, m := backup(t, storetest.Source(t, s))
			rows := map[string]int64{}
			for _, table := range m.Tables {
				rows[table.Name] = table.Rows
			}
			require.Equal(t, rows["sessions"], rows["recordings"])
		}
		close(stop)
		require.NoError(t, <-done)
	})
}
