package objectstoretest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// LockStore is a store that locks.
type LockStore interface {
	objectstore.Store
	objectstore.Locker
}

// RunLock runs the suite of stores that lock. s is empty; pass returns once that time is over for the store.
func RunLock(t *testing.T, s LockStore, pass func(until time.Time)) {
	const folder, key, other = "recordings/a", "recordings/a/seg", "recordings/a/other"
	refused := func(what, key string) {
		t.Helper()
		if err := s.Delete(t.Context(), key); !errors.Is(err, objectstore.ErrLocked) {
			t.Errorf("%s: delete %s: %v, want ErrLocked", what, key, err)
		}
		if got := Get(t, s, key); string(got) != key {
			t.Errorf("%s: %s holds %q", what, key, got)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	locked := func(key string, l objectstore.Lock) {
		t.Helper()
		must(s.Put(t.Context(), key, bytes.NewReader([]byte(key)), int64(len(key)), objectstore.PutOptions{SHA256: sha256.Sum256([]byte(key)), Lock: l}))
	}
	until := time.Now().Add(time.Second)
	must(s.Lock(t.Context(), folder, objectstore.Lock{Until: until})) // there is nothing yet
	locked(key, objectstore.Lock{Until: until})
	locked(key, objectstore.Lock{Until: until}) // again, after a restart: what was there is no way out of the lock
	locked(other, objectstore.Lock{Until: until, Hold: true})
	refused("put with a lock", key)
	expectKeys(t, s, "", other, key)

	longer := until.Add(time.Second)
	must(s.Lock(t.Context(), folder, objectstore.Lock{Until: longer, Hold: true}))
	must(s.Lock(t.Context(), folder, objectstore.Lock{Until: until, Hold: true})) // no time is made shorter
	must(s.Lock(t.Context(), folder, objectstore.Lock{Hold: true}))
	pass(until)
	refused("time made longer", key)
	pass(longer)
	refused("on hold", key)
	refused("on hold", other)
	must(s.Lock(t.Context(), folder, objectstore.Lock{}))
	must(s.Delete(t.Context(), key))
	must(s.Delete(t.Context(), other))
	expectKeys(t, s, "")
	if err := s.Delete(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("delete again: %v, want ErrNotFound", err)
	}
	// What comes later in the same place is not locked by what was there.
	Put(t, s, key, []byte(key))
	must(s.Delete(t.Context(), key))
}
