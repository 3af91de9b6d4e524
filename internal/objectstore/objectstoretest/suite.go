// Package objectstoretest is the suite every objectstore backend passes.
package objectstoretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// Run runs the suite. open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) objectstore.Store) {
	t.Run("round trip", func(t *testing.T) { roundTrip(t, open(t)) })
	t.Run("replace", func(t *testing.T) { replace(t, open(t)) })
	t.Run("ranges", func(t *testing.T) { ranges(t, open(t)) })
	t.Run("wrong content", func(t *testing.T) { wrongContent(t, open(t)) })
	t.Run("failing reader", func(t *testing.T) { failingReader(t, open(t)) })
	t.Run("missing", func(t *testing.T) { missing(t, open(t)) })
	t.Run("keys", func(t *testing.T) { keys(t, open(t)) })
	t.Run("list", func(t *testing.T) { list(t, open(t)) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, open(t)) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, open(t)) })
}

// Put stores data under key with its true checksum.
func Put(t testing.TB, s objectstore.Store, key string, data []byte) {
	t.Helper()
	if err := put(t.Context(), s, key, data); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func put(ctx context.Context, s objectstore.Store, key string, data []byte) error {
	return s.Put(ctx, key, bytes.NewReader(data), int64(len(data)), objectstore.PutOptions{
		ContentType: "application/octet-stream", SHA256: sha256.Sum256(data),
	})
}

// Get reads a whole object.
func Get(t testing.TB, s objectstore.Store, key string) []byte {
	t.Helper()
	data, err := get(t.Context(), s, key, objectstore.Range{})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return data
}

func get(ctx context.Context, s objectstore.Store, key string, rng objectstore.Range) ([]byte, error) {
	body, err := s.Get(ctx, key, rng)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func roundTrip(t *testing.T, s objectstore.Store) {
	// 17 MiB is beyond what S3 clients send in one part by default.
	for _, size := range []int{0, 1, 4095, 1 << 20, 17 << 20} {
		data := random(size)
		before := time.Now().Add(-time.Minute)
		Put(t, s, "a/b/object", data)
		if !bytes.Equal(Get(t, s, "a/b/object"), data) {
			t.Fatalf("%d bytes came back changed", size)
		}
		o, err := s.Stat(t.Context(), "a/b/object")
		if err != nil {
			t.Fatal(err)
		}
		if o.Key != "a/b/object" || o.Size != int64(size) || o.SHA256 != sha256.Sum256(data) || o.Modified.Before(before) {
			t.Fatalf("stat of %d bytes: %+v", size, o)
		}
	}
}

func replace(t *testing.T, s objectstore.Store) {
	Put(t, s, "k", []byte("the first, which is longer"))
	open, err := s.Get(t.Context(), "k", objectstore.Range{})
	if err != nil {
		t.Fatal(err)
	}
	Put(t, s, "k", []byte("second"))
	if got := Get(t, s, "k"); string(got) != "second" {
		t.Fatalf("got %q", got)
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
}

func ranges(t *testing.T, s objectstore.Store) {
	data := random(1000)
	Put(t, s, "k", data)
	for _, r := range []objectstore.Range{{}, {Offset: 0, Length: 1}, {Offset: 0, Length: 1000}, {Offset: 0, Length: 5000}, {Offset: 1, Length: 0}, {Offset: 999, Length: 0}, {Offset: 999, Length: 1}, {Offset: 999, Length: 7}, {Offset: 100, Length: 200}} {
		end := len(data)
		if r.Length > 0 {
			end = min(end, int(r.Offset+r.Length))
		}
		got, err := get(t.Context(), s, "k", r)
		if err != nil || !bytes.Equal(got, data[r.Offset:end]) {
			t.Errorf("range %+v: %d bytes, %v", r, len(got), err)
		}
	}
	for _, r := range []objectstore.Range{{Offset: 1000, Length: 0}, {Offset: 1000, Length: 1}, {Offset: 5000, Length: 1}, {Offset: -1, Length: 0}, {Offset: 0, Length: -1}} {
		if _, err := get(t.Context(), s, "k", r); !errors.Is(err, objectstore.ErrRange) {
			t.Errorf("range %+v: %v, want ErrRange", r, err)
		}
	}
}

func wrongContent(t *testing.T, s objectstore.Store) {
	Put(t, s, "k", []byte("before"))
	data := []byte("content")
	wrong := sha256.Sum256([]byte("contend"))
	right := sha256.Sum256(data)
	for name, c := range map[string]struct {
		size int64
		sum  [32]byte
	}{
		"checksum":  {int64(len(data)), wrong},
		"too short": {int64(len(data)) + 1, right},
		"too long":  {int64(len(data)) - 1, right},
	} {
		for _, key := range []string{"k", "fresh"} {
			err := s.Put(t.Context(), key, bytes.NewReader(data), c.size, objectstore.PutOptions{SHA256: c.sum})
			if !errors.Is(err, objectstore.ErrChecksum) {
				t.Errorf("%s: %v, want ErrChecksum", name, err)
			}
		}
	}
	if got := Get(t, s, "k"); string(got) != "before" {
		t.Errorf("the object before became %q", got)
	}
	if _, err := s.Stat(t.Context(), "fresh"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("a refused object exists: %v", err)
	}
	expectKeys(t, s, "", "k")
}

type brokenReader struct {
	*bytes.Reader
	after int
}

var errBroken = errors.New("disk on fire")

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.after <= 0 {
		return 0, errBroken
	}
	n, err := b.Reader.Read(p[:min(len(p), b.after)])
	b.after -= n
	return n, err
}

func failingReader(t *testing.T, s objectstore.Store) {
	data := random(3 << 20)
	err := s.Put(t.Context(), "k", &brokenReader{bytes.NewReader(data), 2 << 20}, int64(len(data)), objectstore.PutOptions{SHA256: sha256.Sum256(data)})
	if err == nil {
		t.Fatal("put of a reader that failed succeeded")
	}
	expectKeys(t, s, "")
}

func missing(t *testing.T, s objectstore.Store) {
	Put(t, s, "a/b", []byte("x"))
	for _, key := range []string{"nothing", "a", "a/b/c", "a/c"} {
		if _, err := get(t.Context(), s, key, objectstore.Range{}); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("get %s: %v, want ErrNotFound", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("stat %s: %v, want ErrNotFound", key, err)
		}
		if err := s.Delete(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("delete %s: %v, want ErrNotFound", key, err)
		}
	}
	if err := s.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), "a/b"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("stat after delete: %v", err)
	}
	expectKeys(t, s, "")
}

func keys(t *testing.T, s objectstore.Store) {
	for _, key := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", ".hidden", "a/.put-0", "a b", "a\\b", "ä", "a\x00", strings.Repeat("a", 600)} {
		if err := put(t.Context(), s, key, nil); !errors.Is(err, objectstore.ErrKey) {
			t.Errorf("put %q: %v, want ErrKey", key, err)
		}
		if _, err := s.Get(t.Context(), key, objectstore.Range{}); !errors.Is(err, objectstore.ErrKey) {
			t.Errorf("get %q: %v, want ErrKey", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, objectstore.ErrKey) {
			t.Errorf("stat %q: %v, want ErrKey", key, err)
		}
		if err := s.Delete(t.Context(), key); !errors.Is(err, objectstore.ErrKey) {
			t.Errorf("delete %q: %v, want ErrKey", key, err)
		}
	}
}

func list(t *testing.T, s objectstore.Store) {
	expectKeys(t, s, "")
	all := []string{"a-b", "a/0", "a/b/1", "a/b/2", "a0", "b", "recordings/x/seg-000000.m4s", "recordings/x/seg-000001.m4s"}
	for _, key := range all {
		Put(t, s, key, []byte(key))
	}
	expectKeys(t, s, "", all...)
	expectKeys(t, s, "a/", "a/0", "a/b/1", "a/b/2")
	expectKeys(t, s, "a/b", "a/b/1", "a/b/2")
	expectKeys(t, s, "a", "a-b", "a/0", "a/b/1", "a/b/2", "a0")
	expectKeys(t, s, "recordings/x/seg-000001", "recordings/x/seg-000001.m4s")
	expectKeys(t, s, "nothing/")
	for o, err := range s.List(t.Context(), "a/") {
		if err != nil || o.Size != int64(len(o.Key)) || o.Modified.IsZero() {
			t.Errorf("listed %+v, %v", o, err)
		}
		break // stopping early must be safe
	}
}

func expectKeys(t *testing.T, s objectstore.Store, prefix string, want ...string) {
	t.Helper()
	var got []string
	for o, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("list %q: %q, want %q", prefix, got, want)
	}
}

func concurrent(t *testing.T, s objectstore.Store) {
	// The same key from several sides: one of them wins, whole.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := put(t.Context(), s, "same", bytes.Repeat([]byte{byte(i)}, 100_000)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := Get(t, s, "same")
	if len(got) != 100_000 || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) {
		t.Error("the object is a mixture")
	}
	expectKeys(t, s, "", "same")
}

func cancelled(t *testing.T, s objectstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := put(ctx, s, "k", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v, want context.Canceled", err)
	}
	expectKeys(t, s, "")
}
