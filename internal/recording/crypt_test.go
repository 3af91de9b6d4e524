package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// testKeys has a key for the test's session until it is shredded.
type testKeys struct{ shredded bool }

func (k *testKeys) Key(_ context.Context, session string) ([]byte, error) {
	if k.shredded || session != testID {
		return nil, ErrNoKey
	}
	return bytes.Repeat([]byte{42}, 32), nil
}

// encrypted makes a sealed recording in a store, by the real recorder and uploader.
func encrypted(t *testing.T, keys Keys) *memory {
	t.Helper()
	root := t.TempDir()
	bubble(t, func(t *testing.T) {
		r := newRigIn(t, root, testID, Options{})
		r.typing(6 * time.Second)
		r.clip.Resize()
		r.typing(5 * time.Second)
		r.seal()
	})
	store := newMemory()
	uploadAll(t, root, store, keys)
	return store
}

// uploadAll runs an uploader until the test's session is sealed.
func uploadAll(t *testing.T, root string, store objectstore.Store, keys Keys) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	u := NewUploader(root, store, testKey, slog.New(slog.DiscardHandler), UploaderOptions{Keys: keys, OnState: func(_ string, s State) {
		if s.Sealed {
			cancel()
		}
	}})
	if err := u.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// What is stored says nothing to whoever has not the key, and everything to whoever has.
func TestEncryptedAtRest(t *testing.T) {
	keys := &testKeys{}
	store := encrypted(t, keys)
	for key, b := range store.objects {
		name := filepath.Base(key)
		clear := name == manifestFile || name == signatureFile || name == storedFile
		if strings.HasPrefix(string(b), cryptMagic) == clear {
			t.Errorf("%s begins with %q", name, b[:8])
		}
		if !clear && bytes.Contains(b, []byte("alice")) {
			t.Errorf("%s can be read", name)
		}
	}
	root := t.TempDir()
	rec, err := NewLibrary(root, store, keys).Open(t.Context(), testID)
	if err != nil {
		t.Fatal(err)
	}
	v, err := rec.Verify(t.Context(), testKey.Trusted())
	if err != nil || v.SignedBy != testKey.ID() || v.Encrypted {
		t.Errorf("%+v, %v", v, err)
	}
	if s, err := rec.Session(t.Context()); err != nil || s.User.Name != "alice" {
		t.Error(s, err)
	}
	x, err := rec.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Write(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}

	// Shredded: nothing can be read, and it is still the recording that was sealed.
	keys.shredded = true
	if rec, err = NewLibrary(root, store, keys).Open(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	if _, err := rec.Session(t.Context()); !errors.Is(err, ErrNoKey) {
		t.Errorf("%v, want ErrNoKey", err)
	}
	for _, k := range []Keys{keys, nil} {
		v, err = verify(t.Context(), archive{files: stored{store, testID}, keys: k}, testKey.Trusted())
		if err != nil || !v.Encrypted || v.SignedBy != testKey.ID() {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// Every change of a stored object is found, with the key and without.
func TestEncryptedTampering(t *testing.T) {
	keys := &testKeys{}
	whole := encrypted(t, keys)
	const seg, other = "seg-000001.m4s", "seg-000000.m4s"
	key := func(name string) string { return objectKey(testID, name) }
	for name, c := range map[string]struct {
		change func(o map[string][]byte)
		file   string
	}{
		"nothing":        {func(map[string][]byte) {}, ""},
		"one bit":        {func(o map[string][]byte) { o[key(seg)][len(o[key(seg)])/2] ^= 1 }, seg},
		"the magic":      {func(o map[string][]byte) { o[key(seg)][0] ^= 1 }, seg},
		"the header":     {func(o map[string][]byte) { o[key(seg)][20] ^= 1 }, seg},
		"cut":            {func(o map[string][]byte) { o[key(seg)] = o[key(seg)][:len(o[key(seg)])-1] }, seg},
		"cut to nothing": {func(o map[string][]byte) { o[key(seg)] = nil }, seg},
		"longer":         {func(o map[string][]byte) { o[key(seg)] = append(o[key(seg)], 0) }, seg},
		"missing":        {func(o map[string][]byte) { delete(o, key(seg)) }, seg},
		"swapped":        {func(o map[string][]byte) { o[key(seg)], o[key(other)] = o[key(other)], o[key(seg)] }, other},
		"the list":       {func(o map[string][]byte) { o[key(storedFile)][len(o[key(storedFile)])-70] ^= 1 }, "any"},
		"no list":        {func(o map[string][]byte) { delete(o, key(storedFile)) }, manifestFile},
		"plain instead":  {func(o map[string][]byte) { o[key(seg)] = []byte("no segment") }, seg},
	} {
		for _, k := range []Keys{keys, &testKeys{shredded: true}} {
			store := newMemory()
			for k, b := range whole.objects {
				store.objects[k] = bytes.Clone(b)
			}
			c.change(store.objects)
			_, err := verify(t.Context(), archive{files: stored{store, testID}, keys: k}, testKey.Trusted())
			var found *VerifyError
			switch {
			case c.file == "":
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case !errors.As(err, &found) || found.File != c.file && c.file != "any":
				t.Errorf("%s, key %v: %v, want a finding in %s", name, k, err, c.file)
			}
		}
	}
}

// A store that fails at any operation, and an uploader that starts again, leave one whole recording.
func TestEncryptedRestart(t *testing.T) {
	keys := &testKeys{}
	root := t.TempDir()
	bubble(t, func(t *testing.T) {
		r := newRigIn(t, root, testID, Options{})
		r.typing(9 * time.Second)
		r.seal()
	})
	spool := load(t, filepath.Join(root, testID))
	for at := 1; ; at++ {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, testID), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, b := range spool {
			if err := os.WriteFile(filepath.Join(root, testID, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		store := newMemory()
		ops := 0
		ctx, cancel := context.WithCancel(t.Context())
		store.set(func(string, string) error {
			if ops++; ops >= at {
				cancel()
				return context.Canceled
			}
			return nil
		})
		first := NewUploader(root, store, testKey, slog.New(slog.DiscardHandler), UploaderOptions{Keys: keys, Concurrency: 1, OnState: func(_ string, s State) {
			if s.Sealed {
				cancel()
			}
		}})
		if err := first.Run(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		store.set(nil)
		if ops < at { // it went through
			break
		}
		uploadAll(t, root, store, keys)
		if _, err := verify(t.Context(), archive{files: stored{store, testID}, keys: keys}, testKey.Trusted()); err != nil {
			t.Fatalf("stopped at operation %d: %v", at, err)
		}
	}
}

func TestEncryptSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{0, 1, cryptChunk - 100, cryptChunk - 16, cryptChunk, 3*cryptChunk + 5} {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		key, err := (&testKeys{}).Key(t.Context(), testID)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := encrypt(key, testID, "seg-000000.m4s", bytes.NewReader(b), int64(size), sha256.Sum256(b))
		if err != nil {
			t.Fatal(err)
		}
		a := archive{id: testID, keys: &testKeys{}}
		r, err := a.decrypt(t.Context(), "seg-000000.m4s", io.NopCloser(bytes.NewReader(sealed)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: %d come back, %v", size, len(got), err)
		}
		var corrupt *CorruptError
		if _, err := encrypt(key, testID, "x", bytes.NewReader(b), int64(size)+1, sha256.Sum256(b)); !errors.As(err, &corrupt) {
			t.Errorf("%v, want a CorruptError for the wrong size", err)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	key, err := (&testKeys{}).Key(f.Context(), testID)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := encrypt(key, testID, sessionFile, strings.NewReader("content"), 7, sha256.Sum256([]byte("content")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte(cryptMagic))
	f.Add([]byte("plain"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := archive{id: testID, keys: &testKeys{}}
		r, err := a.decrypt(t.Context(), sessionFile, io.NopCloser(bytes.NewReader(b)))
		if err != nil {
			return
		}
		got, err := io.ReadAll(r)
		if err == nil && strings.HasPrefix(string(b), cryptMagic) && string(got) != "content" {
			t.Errorf("decrypts to %q", got)
		}
	})
}
