package signkey

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "evidence.key")
	k, err := Open(path, "vitrine-test")
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	signed, err := k.Sign("a fact\n")
	require.NoError(t, err)
	text, by, err := k.Trusted().Open(signed)
	require.NoError(t, err)
	require.Equal(t, "a fact\n", text)
	require.Equal(t, k.ID(), by)

	again, err := Open(path, "vitrine-test")
	require.NoError(t, err)
	require.Equal(t, k.ID(), again.ID(), "the same key")

	// Every changed byte is noticed.
	for i := range signed {
		changed := bytes.Clone(signed)
		changed[i] ^= 1
		// The last letter before the padding has bits that mean nothing.
		if _, _, err := k.Trusted().Open(changed); err == nil && i != len(signed)-3 {
			t.Errorf("byte %d of %q can be changed", i, signed)
		}
	}
	_, err = k.Sign("no newline")
	require.Error(t, err)
}

func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.key")
	old, err := Open(path, "vitrine-test")
	require.NoError(t, err)
	signed, err := old.Sign("before\n")
	require.NoError(t, err)
	require.NoError(t, Rotate(path, "vitrine-test"))
	k, err := Open(path, "vitrine-test")
	require.NoError(t, err)
	require.NotEqual(t, old.ID(), k.ID())
	_, by, err := k.Trusted().Open(signed)
	require.NoError(t, err, "what the old key signed")
	require.Equal(t, old.ID(), by)
	later, err := k.Sign("after\n")
	require.NoError(t, err)
	_, _, err = old.Trusted().Open(later)
	require.ErrorIs(t, err, ErrUnsigned)
	require.True(t, bytes.HasPrefix(k.Public(), old.Public()))
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	_, err := Open(path, "bad name+")
	require.Error(t, err)
	_, err = Open(path, "name")
	require.NoError(t, err)
	secret, err := os.ReadFile(path)
	require.NoError(t, err)

	require.NoError(t, os.Remove(path))
	_, err = Open(path, "name")
	require.ErrorIs(t, err, ErrMissing, "no new key takes a lost one's place")

	require.NoError(t, os.WriteFile(path, secret[:len(secret)-9], 0o600))
	_, err = Open(path, "name")
	require.Error(t, err)
	require.NotContains(t, err.Error(), strings.TrimSpace(string(secret[20:40])))

	other := filepath.Join(dir, "other")
	_, err = Open(other, "name")
	require.NoError(t, err)
	require.NoError(t, os.Rename(other, path))
	_, err = Open(path, "name")
	require.ErrorContains(t, err, "is not in")
	require.NoError(t, os.Remove(path+".pub"))
	_, err = Open(path, "name")
	require.ErrorContains(t, err, "k.pub")
	for _, public := range []string{"", "# none\n\n", "nonsense\n", strings.Repeat("x", maxPublicFile+1)} {
		_, err := ParsePublic([]byte(public))
		require.Error(t, err)
	}
}

func FuzzOpen(f *testing.F) {
	k, err := Open(filepath.Join(f.TempDir(), "k"), "name")
	require.NoError(f, err)
	signed, err := k.Sign("text\n")
	require.NoError(f, err)
	f.Add(signed)
	f.Add([]byte("\n\n— name AAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, _, err := k.Trusted().Open(b)
		if err == nil && text != "text\n" {
			t.Errorf("%q passes for signed", b)
		}
	})
}
