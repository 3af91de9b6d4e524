package recording

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// memory is a store in memory that can be down. before is asked before every operation.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	order   []string
	before  func(op, key string) error
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

func (m *memory) ask(op, key string) error {
	m.mu.Lock()
	before := m.before
	m.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(op, key)
}

func (m *memory) set(before func(op, key string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = before
}

func (m *memory) Put(_ context.Context, key string, r io.ReadSeeker, size int64, opt objectstore.PutOptions) error {
	if err := m.ask("put", key); err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(b)) != size || sha256.Sum256(b) != opt.SHA256 {
		return objectstore.ErrChecksum
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = b
	m.order = append(m.order, key)
	return nil
}

func (m *memory) Get(_ context.Context, key string, _ objectstore.Range) (io.ReadCloser, error) {
	if err := m.ask("get", key); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[key]
	if !ok {
		return nil, objectstore.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(string(b))), nil
}

func (m *memory) Stat(_ context.Context, key string) (objectstore.Object, error) {
	if err := m.ask("stat", key); err != nil {
		return objectstore.Object{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[key]
	if !ok {
		return objectstore.Object{}, objectstore.ErrNotFound
	}
	return objectstore.Object{Key: key, Size: int64(len(b)), SHA256: sha256.Sum256(b)}, nil
}

func (m *memory) List(_ context.Context, prefix string) iter.Seq2[objectstore.Object, error] {
	return func(yield func(objectstore.Object, error) bool) {
		m.mu.Lock()
		var keys []string
		for k := range m.objects {
			if strings.HasPrefix(k, prefix) {
				keys = append(keys, k)
			}
		}
		m.mu.Unlock()
		slices.Sort(keys)
		for _, k := range keys {
			if !yield(objectstore.Object{Key: k}, nil) {
				return
			}
		}
	}
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

// states remembers what an uploader tells.
type states struct {
	mu   sync.Mutex
	last map[string]State
	all  []State
}

func (s *states) on(id string, st State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]State{}
	}
	s.last[id] = st
	s.all = append(s.all, st)
}

func (s *states) of(id string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id]
}

// startUploader runs an uploader until stop is called or the test ends.
func startUploader(t *testing.T, root string, store objectstore.Store, st *states) (u *Uploader, stop func()) {
	t.Helper()
	u = NewUploader(root, store, testKey, slog.New(slog.DiscardHandler), UploaderOptions{OnState: st.on})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("uploader: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return u, stop
}

// inStore verifies a recording in the store and returns its manifest.
func inStore(t testing.TB, store objectstore.Store, id string) *Manifest {
	t.Helper()
	src := stored{store, id}
	if _, err := verify(context.Background(), archive{files: src}, testKey.Trusted()); err != nil {
		t.Fatalf("verify: %v", err)
	}
	b, err := readRaw(context.Background(), src, manifestFile, maxJournalBytes)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func empty(t testing.TB, root string) bool {
	t.Helper()
	list, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	return len(list) == 0
}

// While a session runs its closed files move to the store; when it is sealed the manifest follows, last, and the
// spool is empty. At every step the library reads everything that was ever closed.
func TestUploadWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := newMemory()
		r := newRig(t, Options{})
		var st states
		u, _ := startUploader(t, r.root, store, &st)
		lib := NewLibrary(r.root, store, nil)
		u.Notify(testID, sessionFile)
		looked := 0
		store.set(func(op, key string) error {
			if op == "get" {
				return nil
			}
			looked++
			rec, err := lib.Open(context.Background(), testID)
			if err != nil {
				return fmt.Errorf("reader: %w", err)
			}
			defer rec.Close()
			for i := range rec.entries {
				if _, err := rec.read(context.Background(), rec.entries[i].Name); err != nil {
					t.Errorf("before %s of %s: %v", op, key, err)
				}
			}
			return nil
		})
		r.typing(40 * time.Second)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := st.of(testID); !s.Running || s.Sealed || s.Uploaded < 10 || s.Pending != 0 || s.Err != nil || s.Bytes == 0 || s.Duration < 30*time.Second {
			t.Errorf("while running: %+v", s)
		}
		list, err := os.ReadDir(r.dir)
		if err != nil || len(list) > 6 { // session, journal, init, the open tail
			t.Errorf("%d files are still in the spool, %v", len(list), err)
		}
		r.seal()
		u.Finished(testID, EndReason{"unused", ""})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := st.of(testID); !s.Sealed || s.SealedBy != ByWorker || s.Running || s.Pending != 0 {
			t.Errorf("at the end: %+v", s)
		}
		store.set(nil)
		m := inStore(t, store, testID)
		if m.End != testEnd || store.order[len(store.order)-1] != objectKey(testID, manifestFile) || looked < 20 {
			t.Errorf("end %+v, last stored %s, looked %d times", m.End, store.order[len(store.order)-1], looked)
		}
		if !empty(t, r.root) {
			t.Error("the spool is not empty")
		}
		if got := u.Metrics(); got.Sessions != 0 || got.Files != uint64(len(m.Files)) || got.Failures != 0 {
			t.Errorf("metrics %+v", got)
		}
		// Told once more, by somebody late: no news.
		n := len(st.all)
		u.Finished(testID, workerGone)
		time.Sleep(time.Minute)
		if len(st.all) != n {
			t.Errorf("told %+v after the end", st.all[n:])
		}
	})
}

var errDown = errors.New("connection refused")

// A store that is down delays; it is asked less and less often, and nothing is lost.
func TestStoreDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := newMemory()
		asked := 0
		down := func(string, string) error { asked++; return errDown }
		store.set(down)
		r := newRig(t, Options{})
		var st states
		u, _ := startUploader(t, r.root, store, &st)
		u.Notify(testID, sessionFile)
		for range 60 {
			r.typing(time.Minute)
			u.Notify(testID, "")
		}
		r.seal()
		u.Finished(testID, testEnd)
		time.Sleep(time.Second)
		if s := st.of(testID); !errors.Is(s.Err, errDown) || s.Pending < 900 || s.Uploaded != 0 {
			t.Errorf("while down: %+v", s)
		}
		if asked < 80 || asked > 400 {
			t.Errorf("asked %d times in an hour", asked)
		}
		store.set(nil)
		time.Sleep(time.Minute)
		if s := st.of(testID); !s.Sealed || s.Err != nil {
			t.Errorf("when up again: %+v", s)
		}
		if m := inStore(t, store, testID); m.SealedBy != ByWorker || !empty(t, r.root) {
			t.Errorf("sealed by %s", m.SealedBy)
		}
	})
}

// A store that fails or lies at any single operation never makes a spool file disappear before the store has it.
func TestStoreFailsAtAnyOperation(t *testing.T) {
	sealed := t.TempDir()
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.typing(6 * time.Second)
		r.seal()
		r.copyTo(sealed)
	})
	for n := 1; ; n++ {
		count := 0
		bubble(t, func(t *testing.T) {
			root := t.TempDir()
			if err := os.CopyFS(root, os.DirFS(sealed)); err != nil {
				t.Fatal(err)
			}
			store := newMemory()
			store.set(func(op, key string) error {
				if count++; count == n {
					if op == "stat" { // the store lost or changed what it took
						store.mu.Lock()
						store.objects[key] = append(store.objects[key], 'x')
						store.mu.Unlock()
						return nil
					}
					return errDown
				}
				for _, e := range manifestOfSpool(root) {
					if _, err := os.Stat(filepath.Join(root, testID, e.Name)); err != nil {
						store.mu.Lock()
						b := store.objects[objectKey(testID, e.Name)]
						store.mu.Unlock()
						if sha256.Sum256(b) != e.SHA256 {
							t.Errorf("%s is neither in the spool nor in the store", e.Name)
						}
					}
				}
				return nil
			})
			var st states
			_, stop := startUploader(t, root, store, &st)
			time.Sleep(time.Minute)
			stop()
			store.set(nil)
			inStore(t, store, testID)
			if !empty(t, root) || !st.of(testID).Sealed {
				t.Errorf("operation %d failed: %+v", n, st.of(testID))
			}
		})
		if count < n {
			if n < 10 {
				t.Errorf("only %d operations", n)
			}
			break
		}
	}
}

// manifestOfSpool lists the files of the test's session while its folder is there.
func manifestOfSpool(root string) []Entry {
	b, err := os.ReadFile(filepath.Join(root, testID, manifestFile))
	if err != nil {
		return nil
	}
	m, err := ParseManifest(b)
	if err != nil {
		return nil
	}
	return m.Files
}

// serve stops in the middle of uploading, at every operation in turn, and starts again.
func TestUploaderRestarts(t *testing.T) {
	sealed := t.TempDir()
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.typing(6 * time.Second)
		synctest.Wait()
		r.copyTo(sealed) // killed, so that recovery is interrupted too
	})
	for n := 1; ; n++ {
		count := 0
		bubble(t, func(t *testing.T) {
			root := t.TempDir()
			if err := os.CopyFS(root, os.DirFS(sealed)); err != nil {
				t.Fatal(err)
			}
			store := newMemory()
			var st states
			ctx, cancel := context.WithCancel(t.Context())
			store.set(func(string, string) error {
				if count++; count >= n {
					cancel()
					return context.Canceled
				}
				return nil
			})
			u := NewUploader(root, store, testKey, slog.New(slog.DiscardHandler), UploaderOptions{OnState: st.on})
			first := make(chan error, 1)
			go func() { first <- u.Run(ctx) }()
			time.Sleep(time.Minute)
			cancel()
			if err := <-first; err != nil {
				t.Error(err)
			}
			store.set(nil)
			_, stop := startUploader(t, root, store, &st)
			time.Sleep(time.Minute)
			stop()
			if m := inStore(t, store, testID); m.SealedBy != ByRecovery || !empty(t, root) {
				t.Errorf("stopped at operation %d: sealed by %s", n, m.SealedBy)
			}
		})
		if count < n {
			break
		}
	}
}

// After a restart of serve, sessions whose workers live go on; those whose workers died meanwhile are recovered.
func TestRestartTellsLivingFromDead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		root := t.TempDir()
		const living, dead, young, old = "01J0000000000000000000A1VE", "01J0000000000000000000DEAD", "01J0000000000000000000Y0NG", "01J000000000000000000000AD"
		alive := newRigIn(t, root, living, Options{})
		gone := newRigIn(t, t.TempDir(), dead, Options{})
		alive.typing(6 * time.Second)
		gone.typing(6 * time.Second)
		synctest.Wait()
		gone.copyTo(root)
		for _, id := range []string{young, old} { // serve made the folder, the worker never wrote
			if err := os.Mkdir(filepath.Join(root, id), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for id, at := range map[string]time.Time{young: time.Now(), old: time.Now().Add(-time.Hour)} {
			if err := os.Chtimes(filepath.Join(root, id), at, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(root, discarded+dead), 0o700); err != nil {
			t.Fatal(err)
		}
		store := newMemory()
		var st states
		u, _ := startUploader(t, root, store, &st)
		time.Sleep(15 * time.Second)
		if s := st.of(living); !s.Running || s.Sealed || s.Uploaded == 0 {
			t.Errorf("living: %+v", s)
		}
		if s := st.of(dead); !s.Sealed || s.SealedBy != ByRecovery {
			t.Errorf("dead: %+v", s)
		}
		if m := inStore(t, store, dead); m.End != workerGone {
			t.Errorf("end %+v", m.End)
		}
		names := func() (names []string) {
			list, err := os.ReadDir(root)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				names = append(names, e.Name())
			}
			return names
		}
		if got := names(); !slices.Equal(got, []string{living, young}) {
			t.Errorf("spool holds %v", got)
		}
		u.Finished(young, testEnd) // it could not start
		alive.typing(6 * time.Second)
		alive.seal()
		time.Sleep(15 * time.Second)
		if m := inStore(t, store, living); m.SealedBy != ByWorker {
			t.Errorf("living was sealed by %s", m.SealedBy)
		}
		if !empty(t, root) {
			t.Errorf("spool holds %v", names())
		}
	})
}

// The reason given to Finished is in the manifest of a worker that was killed.
func TestFinishedGivesTheReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		root := t.TempDir()
		r := newRig(t, Options{})
		r.typing(time.Second)
		synctest.Wait()
		r.copyTo(root)
		store := newMemory()
		var st states
		u := NewUploader(root, store, testKey, slog.New(slog.DiscardHandler), UploaderOptions{OnState: st.on})
		u.Finished(testID, EndReason{"worker_hung", "The worker did not answer."})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := u.Run(ctx); err != nil {
			t.Error(err)
		}
		if m := inStore(t, store, testID); m.End.Code != "worker_hung" {
			t.Errorf("end %+v", m.End)
		}
	})
}

// A file damaged in the spool is not stored as if it were whole, keeps the recording from being sealed, and nothing
// else from being stored.
func TestDamagedInTheSpool(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"altered": func(p string) error {
			b, err := os.ReadFile(p)
			if err == nil {
				b[len(b)/2] ^= 1
				err = os.WriteFile(p, b, 0o600)
			}
			return err
		},
		"truncated": func(p string) error { return os.Truncate(p, 10) },
		"missing":   os.Remove,
	} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Options{})
			r.typing(9 * time.Second)
			r.seal()
			if err := damage(filepath.Join(r.dir, "seg-000001.m4s")); err != nil {
				t.Fatal(err)
			}
			store := newMemory()
			var st states
			startUploader(t, r.root, store, &st)
			time.Sleep(5 * time.Minute)
			s := st.of(testID)
			var corrupt *CorruptError
			if s.Sealed || s.Pending != 1 || !errors.As(s.Err, &corrupt) || corrupt.File != "seg-000001.m4s" {
				t.Errorf("%s: %+v", name, s)
			}
			if _, ok := store.objects[objectKey(testID, "seg-000001.m4s")]; ok {
				t.Errorf("%s: the damaged file was stored", name)
			}
			if _, ok := store.objects[objectKey(testID, "seg-000002.m4s")]; !ok {
				t.Errorf("%s: the next file was not stored", name)
			}
		})
	}
}

// A session that has thousands of files waiting does not hold another one up.
func TestFairness(t *testing.T) {
	bubble(t, func(t *testing.T) {
		root := t.TempDir()
		const big, small = "01J00000000000000000000B1G", "01J000000000000000000SMA11"
		b := newRigIn(t, root, big, Options{})
		b.typing(10 * time.Minute)
		b.seal()
		s := newRigIn(t, root, small, Options{})
		s.picture()
		s.seal()
		store := newMemory()
		store.set(func(op, _ string) error { time.Sleep(100 * time.Millisecond); return nil })
		var st states
		startUploader(t, root, store, &st)
		time.Sleep(5 * time.Second)
		if !st.of(small).Sealed {
			t.Error("the small session waits for the big one")
		}
		if st.of(big).Sealed {
			t.Error("the big session is done already: the test shows nothing")
		}
	})
}

// The real thing: MinIO stops while a session is recorded and comes back.
func TestMinIOStopsMidSession(t *testing.T) {
	server := testbed.StartMinIO(t)
	store, err := objectstore.NewMinIO(objectstore.MinIOConfig{
		Endpoint: server.Endpoint, AccessKey: server.AccessKey, SecretKey: objectstore.Secret(server.SecretKey),
		Bucket: "recordings", Prefix: "node-1", CreateBucket: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	r := newRig(t, Options{})
	var st states
	u := NewUploader(r.root, store, testKey, slog.New(slog.DiscardHandler), UploaderOptions{
		OnState: st.on, Poll: 50 * time.Millisecond, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	defer func() { cancel(); <-done }()
	u.Notify(testID, sessionFile)
	pictures := 0
	until := func(what string, ok func(State) bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !ok(st.of(testID)); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %+v", what, st.of(testID))
			}
			if pictures%5 == 0 {
				r.clip.IDR() // a segment each time
			}
			if !errors.Is(r.rec.WriteUnit(ctx, r.clip.Unit(r.rec.Elapsed())), ErrSealed) {
				pictures++
			}
		}
	}
	until("first segments", func(s State) bool { return s.Uploaded > 4 && s.Err == nil })
	server.Stop()
	until("down", func(s State) bool { return s.Err != nil && s.Pending > 4 })
	server.Start()
	until("up again", func(s State) bool { return s.Err == nil && s.Uploaded > 10 })
	server.Stop()
	r.seal()
	u.Finished(testID, testEnd)
	time.Sleep(100 * time.Millisecond)
	server.Start()
	until("sealed", func(s State) bool { return s.Sealed })
	m := inStore(t, store, testID)
	samples := 0
	for _, e := range m.Files {
		samples += e.Samples
	}
	if samples != pictures || !empty(t, r.root) {
		t.Errorf("%d pictures recorded, %d in the store", pictures, samples)
	}
}
