package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fixture struct {
	db   *store.Store
	path string // of the master keys
	log  bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), storetest.Migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return &fixture{db: db, path: filepath.Join(dir, "keys", "master.key")}
}

func (f *fixture) open(t *testing.T) *Vault {
	t.Helper()
	v, err := f.try(t, config.Secrets{MasterKeyFile: f.path})
	require.NoError(t, err)
	return v
}

func (f *fixture) try(t *testing.T, c config.Secrets, servers ...config.VaultServer) (*Vault, error) {
	t.Helper()
	return Open(t.Context(), f.db, c, servers, slog.New(slog.NewTextHandler(&f.log, nil)))
}

func TestSealAndOpen(t *testing.T) {
	f := newFixture(t)
	v := f.open(t)
	require.Contains(t, f.log.String(), "back it up")
	info, err := os.Stat(f.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	for _, secret := range []string{"hunter2", "", strings.Repeat("x", MaxBytes)} {
		require.NoError(t, v.Seal(t.Context(), AccountPassword, "a", []byte(secret)))
		got, err := v.Open(t.Context(), AccountPassword, "a")
		require.NoError(t, err)
		require.Equal(t, secret, string(got), "sealing again replaces")
	}
	// The next start reads the same key.
	got, err := f.open(t).Open(t.Context(), AccountPassword, "a")
	require.NoError(t, err)
	require.Len(t, got, MaxBytes)

	_, err = v.Open(t.Context(), TOTPSeed, "a")
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorIs(t, v.Seal(t.Context(), AccountPassword, "a", make([]byte, MaxBytes+1)), ErrTooLarge)
	require.NoError(t, v.Forget(t.Context(), AccountPassword, "a"))
	require.NoError(t, v.Forget(t.Context(), AccountPassword, "a"))
	_, err = v.Open(t.Context(), AccountPassword, "a")
	require.ErrorIs(t, err, ErrNotFound)
}

// TestSealsDiffer: the same secret twice is not the same ciphertext, and nothing of it or of a key is in the row.
func TestSealsDiffer(t *testing.T) {
	v := newFixture(t).open(t)
	a, err := v.Wrap(AccountPassword, "a", []byte("correct horse battery staple"))
	require.NoError(t, err)
	b, err := v.Wrap(AccountPassword, "a", []byte("correct horse battery staple"))
	require.NoError(t, err)
	require.NotEqual(t, a.Ciphertext, b.Ciphertext)
	require.NotEqual(t, a.DataKey, b.DataKey)
	all := fmt.Sprintf("%s%s%s%+v", a.Ciphertext, a.DataKey, a.KeyID, a)
	require.NotContains(t, all, "correct")
	require.NotContains(t, all, string(v.keys[0].key))
}

// TestSwapped moves every part of a sealed secret to where it does not belong, and changes each of its bytes.
func TestSwapped(t *testing.T) {
	f := newFixture(t)
	v := f.open(t)
	one, err := v.Wrap(AccountPassword, "one", []byte("first"))
	require.NoError(t, err)
	two, err := v.Wrap(AccountPassword, "two", []byte("second"))
	require.NoError(t, err)
	for name, s := range map[string]store.SealedSecret{
		"another record":        with(one, func(s *store.SealedSecret) { s.RecordID = "two" }),
		"another purpose":       with(one, func(s *store.SealedSecret) { s.Purpose = string(TOTPSeed) }),
		"another's ciphertext":  with(one, func(s *store.SealedSecret) { s.Ciphertext = two.Ciphertext }),
		"another's data key":    with(one, func(s *store.SealedSecret) { s.DataKey = two.DataKey }),
		"both of another":       with(two, func(s *store.SealedSecret) { s.RecordID = "one" }),
		"boundary of the parts": with(one, func(s *store.SealedSecret) { s.Purpose += "one"; s.RecordID = "" }),
		"nothing":               with(one, func(s *store.SealedSecret) { s.Ciphertext, s.DataKey = []byte{}, []byte{} }),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, f.db.Secrets.Put(t.Context(), s))
			_, err := v.Open(t.Context(), Purpose(s.Purpose), s.RecordID)
			require.ErrorIs(t, err, ErrCorrupt)
			require.NotContains(t, err.Error(), "first")
			require.NotContains(t, err.Error(), "second")
		})
	}
	for i := range one.Ciphertext {
		_, err := v.Unwrap(with(one, func(s *store.SealedSecret) { s.Ciphertext[i] ^= 1 }))
		require.ErrorIs(t, err, ErrCorrupt, "byte %d", i)
	}
	for i := range one.DataKey {
		_, err := v.Unwrap(with(one, func(s *store.SealedSecret) { s.DataKey[i] ^= 1 }))
		require.ErrorIs(t, err, ErrCorrupt, "byte %d of the data key", i)
	}
	_, err = v.Unwrap(with(one, func(s *store.SealedSecret) { s.KeyID = "0123456789abcdef" }))
	require.ErrorIs(t, err, ErrNoKey)
}

// with returns a deep copy of s that was changed.
func with(s store.SealedSecret, change func(*store.SealedSecret)) store.SealedSecret {
	s.Ciphertext, s.DataKey = bytes.Clone(s.Ciphertext), bytes.Clone(s.DataKey)
	change(&s)
	return s
}

func TestRotate(t *testing.T) {
	f := newFixture(t)
	v := f.open(t)
	const n = 503 // more than a batch
	for i := range n {
		require.NoError(t, v.Seal(t.Context(), AccountPassword, fmt.Sprint(i), fmt.Append(nil, "secret ", i)))
	}
	beside := f.open(t) // a gateway that runs meanwhile
	before, err := f.db.Secrets.Get(t.Context(), string(AccountPassword), "7")
	require.NoError(t, err)

	r, err := v.Rotate(t.Context(), false)
	require.NoError(t, err)
	require.True(t, r.New)
	require.Equal(t, n, r.Rewrapped)
	require.Empty(t, r.Forgotten)
	after, err := f.db.Secrets.Get(t.Context(), string(AccountPassword), "7")
	require.NoError(t, err)
	require.Equal(t, before.Ciphertext, after.Ciphertext, "the secret itself stays sealed as it was")
	require.NotEqual(t, before.DataKey, after.DataKey)

	for _, each := range []*Vault{v, beside, f.open(t)} {
		got, err := each.Open(t.Context(), AccountPassword, "7")
		require.NoError(t, err)
		require.Equal(t, "secret 7", string(got))
	}
	_, err = beside.Unwrap(before)
	require.NoError(t, err, "a backup made before still opens")
	require.NoError(t, beside.Seal(t.Context(), AccountPassword, "new", []byte("x")))
	fresh, err := f.db.Secrets.Get(t.Context(), string(AccountPassword), "new")
	require.NoError(t, err)
	require.Equal(t, r.KeyID, fresh.KeyID, "what runs beside seals with the new key")

	list, err := v.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, []KeyStatus{{ID: r.KeyID, Secrets: n + 1, Seals: true, Known: true}, {ID: before.KeyID, Known: true}}, list)

	r2, err := v.Rotate(t.Context(), true)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{before.KeyID, r.KeyID}, r2.Forgotten)
	_, err = v.Unwrap(before)
	require.ErrorIs(t, err, ErrNoKey)
	info, err := os.Stat(f.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// TestRotateBreaksOff ends a rotation where it can end: after the key is in the file, and in the midst of the transaction.
func TestRotateBreaksOff(t *testing.T) {
	f := newFixture(t)
	v := f.open(t)
	for i := range 3 {
		require.NoError(t, v.Seal(t.Context(), AccountPassword, fmt.Sprint(i), []byte("secret")))
	}
	require.NoError(t, v.addKey(newMasterKey()))
	failed := errors.New("power cut")
	err := f.db.Tx(t.Context(), func(tx *store.Store) error {
		batch, err := tx.Secrets.NotUnder(t.Context(), v.keys[0].id, 2)
		require.NoError(t, err)
		require.Len(t, batch, 2)
		for _, s := range batch {
			require.NoError(t, v.rewrapOne(t.Context(), tx, v.keys[0], s))
		}
		return failed
	})
	require.ErrorIs(t, err, failed)

	v = f.open(t)
	for i := range 3 {
		got, err := v.Open(t.Context(), AccountPassword, fmt.Sprint(i))
		require.NoError(t, err)
		require.Equal(t, "secret", string(got))
	}
	r, err := v.Rotate(t.Context(), true)
	require.NoError(t, err)
	require.False(t, r.New, "it goes on with the key of the attempt that failed")
	require.Equal(t, 3, r.Rewrapped)
	require.Len(t, r.Forgotten, 1)
	require.Len(t, f.open(t).keys, 1)
}

func TestRotateOneAtATime(t *testing.T) {
	f := newFixture(t)
	v := f.open(t)
	unlock, err := v.source.lock()
	require.NoError(t, err)
	_, err = v.Rotate(t.Context(), false)
	require.ErrorContains(t, err, "another program")
	unlock()
	_, err = v.Rotate(t.Context(), false)
	require.NoError(t, err)
}

func TestKeyInTheEnvironment(t *testing.T) {
	f := newFixture(t)
	old, fresh := NewKey(), NewKey()
	v, err := f.try(t, config.Secrets{MasterKey: config.NewSecret(old)})
	require.NoError(t, err)
	require.NoFileExists(t, f.path)
	require.NoError(t, v.Seal(t.Context(), TOTPSeed, "u", []byte("seed")))
	_, err = v.Rotate(t.Context(), false)
	require.ErrorIs(t, err, ErrFixedKey)

	v, err = f.try(t, config.Secrets{MasterKey: config.NewSecret(fresh + "," + old)})
	require.NoError(t, err)
	r, err := v.Rotate(t.Context(), true)
	require.NoError(t, err)
	require.Equal(t, 1, r.Rewrapped)

	v, err = f.try(t, config.Secrets{MasterKey: config.NewSecret(fresh)})
	require.NoError(t, err)
	got, err := v.Open(t.Context(), TOTPSeed, "u")
	require.NoError(t, err)
	require.Equal(t, "seed", string(got))

	f.log.Reset()
	v, err = f.try(t, config.Secrets{MasterKey: config.NewSecret(old)})
	require.NoError(t, err, "the gateway starts, and what it cannot open it cannot open")
	require.Contains(t, f.log.String(), "master key that is not there")
	_, err = v.Open(t.Context(), TOTPSeed, "u")
	require.ErrorIs(t, err, ErrNoKey)
}

func TestOpenErrors(t *testing.T) {
	f := newFixture(t)
	v := f.open(t)
	require.NoError(t, v.Seal(t.Context(), TOTPSeed, "u", []byte("seed")))
	require.NoError(t, os.Chmod(f.path, 0o644))
	f.open(t)
	require.Contains(t, f.log.String(), "can be read by others")
	key := NewKey()
	for content, want := range map[string]string{
		"":                            "there is no master key",
		"# nothing\n":                 "there is no master key",
		"short":                       "master key 1 is not",
		key + "\n" + key:              "is there twice",
		strings.Repeat("#", 5000):     "holds 5000 bytes, more than 4096",
		key + "\n" + key[:50]:         "master key 2 is not",
		strings.Repeat("A", 43) + "!": "master key 1 is not",
	} {
		require.NoError(t, os.WriteFile(f.path, []byte(content), 0o600))
		_, err := f.try(t, config.Secrets{MasterKeyFile: f.path})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), key[:40])
	}
	require.NoError(t, os.Remove(f.path))
	_, err := f.try(t, config.Secrets{MasterKeyFile: f.path})
	require.ErrorIs(t, err, ErrNoKey, "a second key would leave what is sealed unreadable without a word")
	require.NoFileExists(t, f.path)
	require.NoError(t, os.Mkdir(f.path, 0o700))
	_, err = f.try(t, config.Secrets{MasterKeyFile: f.path})
	require.ErrorContains(t, err, "is not a file")
}

func TestCancelled(t *testing.T) {
	v := newFixture(t).open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, v.Seal(ctx, TOTPSeed, "u", nil), context.Canceled)
	_, err := v.Open(ctx, TOTPSeed, "u")
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzOpen: whatever stands in the row, nothing opens but what was sealed, and nothing panics.
func FuzzOpen(f *testing.F) {
	master := newMasterKey()
	v := &Vault{keys: []masterKey{master}, source: source{fixed: []masterKey{master}}}
	good, err := v.Wrap(TOTPSeed, "u", []byte("seed"))
	require.NoError(f, err)
	f.Add(good.DataKey, good.Ciphertext)
	f.Add([]byte{}, []byte{})
	f.Add(good.Ciphertext, good.DataKey)
	f.Add([]byte{sealVersion}, bytes.Repeat([]byte{0}, 100))
	f.Fuzz(func(t *testing.T, key, text []byte) {
		s := store.SealedSecret{Purpose: string(TOTPSeed), RecordID: "u", KeyID: master.id, DataKey: key, Ciphertext: text, CreatedAt: time.Now()}
		got, err := v.Unwrap(s)
		if err == nil {
			require.Equal(t, "seed", string(got))
			require.Equal(t, good.Ciphertext, text)
		}
	})
}

// FuzzParseKeys: what is read is written and read again the same.
func FuzzParseKeys(f *testing.F) {
	f.Add(NewKey())
	f.Add(NewKey() + ",\n# comment\n" + NewKey())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parseKeys(text)
		if err != nil {
			return
		}
		var again []string
		for _, k := range keys {
			again = append(again, k.text())
		}
		same, err := parseKeys(strings.Join(again, "\n"))
		require.NoError(t, err)
		require.Equal(t, keys, same)
	})
}
