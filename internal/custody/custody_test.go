package custody

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Service on a database and a store of objects.
type rig struct {
	*Service
	t     *testing.T
	now   time.Time
	keys  *keys
	audit *journal
}

type keys struct{ has map[string]bool }

func (k *keys) Has(_ context.Context, session string) (bool, error) { return k.has[session], nil }

func (k *keys) Forget(_ context.Context, session string) error {
	delete(k.has, session)
	return nil
}

type journal struct {
	mu      sync.Mutex
	err     error
	entries []audit.Entry
}

func (j *journal) Record(_ context.Context, e audit.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.entries = append(j.entries, e)
	}
	return j.err
}

func (j *journal) actions() (out []string) {
	for _, e := range j.entries {
		out = append(out, e.Action+" "+string(e.Outcome))
	}
	return out
}

func newRig(t *testing.T, objects objectstore.Store, retention time.Duration) *rig {
	db, err := store.Open(t.Context(), storetest.Migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	r := &rig{t: t, now: time.Now(), keys: &keys{map[string]bool{}}, audit: &journal{}}
	r.Service = New(Options{DB: db, Objects: objects, Keys: r.keys, Audit: r.audit, Retention: retention, Node: "test", Now: func() time.Time { return r.now }})
	return r
}

func (r *rig) disk() *objectstore.Disk {
	d, err := objectstore.OpenDisk(filepath.Join(r.t.TempDir(), "store"))
	require.NoError(r.t, err)
	r.t.Cleanup(func() { d.Close() })
	d.Clock = func() time.Time { return r.now }
	return d
}

var files = []string{"seg-000000.m4s", "stored.json", "manifest.sig", "manifest.json"}

// seal makes a sealed recording as the uploader does, of a session that lasted for a while.
func (r *rig) seal(id string, obliged, lasted time.Duration) string {
	t := r.t
	require.NoError(t, r.DB.Sessions.Create(t.Context(), store.Session{ID: id, State: "ended", StartedAt: r.now}))
	require.NoError(t, r.Begin(t.Context(), id, obliged, r.now))
	require.NoError(t, r.DB.Recordings.Put(t.Context(), store.Recording{SessionID: id, State: store.RecordingRunning}))
	r.keys.has[id] = true
	for _, name := range files {
		lock, err := r.Lock(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, r.Objects.Put(t.Context(), recording.Folder(id)+"/"+name, strings.NewReader(name), int64(len(name)),
			objectstore.PutOptions{SHA256: sha256.Sum256([]byte(name)), Lock: lock}))
	}
	lock, err := r.Ended(t.Context(), id, r.now.Add(lasted))
	require.NoError(t, err)
	require.NoError(t, r.Objects.(objectstore.Locker).Lock(t.Context(), recording.Folder(id), lock))
	require.NoError(t, r.DB.Recordings.Put(t.Context(), store.Recording{SessionID: id, State: store.RecordingSealed, Bytes: 7}))
	return id
}

func (r *rig) deletes(want ...string) {
	r.t.Helper()
	n, err := r.Delete(r.t.Context())
	require.NoError(r.t, err)
	require.Equal(r.t, len(want), n)
	for _, id := range want {
		require.Empty(r.t, r.objects(id))
		c, err := r.DB.Custodies.Get(r.t.Context(), id)
		require.NoError(r.t, err)
		require.False(r.t, c.DeletedAt.IsZero())
		rec, err := r.DB.Recordings.Get(r.t.Context(), id)
		require.NoError(r.t, err)
		require.Equal(r.t, store.RecordingDeleted, rec.State)
		require.EqualValues(r.t, 7, rec.Bytes, "the tombstone says how much it was")
		require.False(r.t, r.keys.has[id], "its key is shredded")
	}
}

func (r *rig) objects(id string) (names []string) {
	for o, err := range r.Objects.List(r.t.Context(), recording.Folder(id)+"/") {
		require.NoError(r.t, err)
		names = append(names, o.Key)
	}
	return names
}

// onDisk is a rig on a folder.
func onDisk(t *testing.T, retention time.Duration) *rig {
	r := newRig(t, nil, retention)
	r.Objects = r.disk()
	return r
}

func TestRetention(t *testing.T) {
	r := onDisk(t, 48*time.Hour)
	start := r.now
	policy := r.seal("policy", 24*time.Hour, 3*time.Hour)
	configured := r.seal("configured", 0, time.Hour)
	r.Retention = 0
	ever := r.seal("ever", 0, time.Hour)
	require.NoError(t, r.DB.Sessions.Create(t.Context(), store.Session{ID: "old"}))
	require.NoError(t, r.DB.Recordings.Put(t.Context(), store.Recording{SessionID: "old", State: store.RecordingSealed}))

	r.now = start.Add(26 * time.Hour) // a day after its begin, but not after its end
	r.deletes()
	require.ErrorIs(t, r.Objects.Delete(t.Context(), recording.Folder(policy)+"/"+files[0]), objectstore.ErrLocked, "the folder holds it, too")
	r.now = start.Add(27 * time.Hour)
	r.deletes(policy)
	r.now = start.Add(49 * time.Hour)
	r.deletes(configured)
	r.now = start.Add(1e5 * time.Hour)
	r.deletes()
	require.Len(t, r.objects(ever), len(files))

	require.Equal(t, []string{"recording_deletion_begun success", "recording_deleted success"}, r.audit.actions()[:2])
	sum := sha256.Sum256([]byte("manifest.json"))
	for _, e := range r.audit.entries {
		require.Equal(t, hex.EncodeToString(sum[:]), e.Details["manifest_sha256"])
		require.Equal(t, e.SessionID, e.Object.ID)
	}
	require.Equal(t, "4", r.audit.entries[1].Details["objects"])
}

func TestHold(t *testing.T) {
	r := onDisk(t, time.Hour)
	id, start := r.seal("held", 0, 0), r.now
	require.NoError(t, r.Hold(t.Context(), id, "alice", "a case"))
	require.ErrorIs(t, r.Hold(t.Context(), "nothing", "alice", "a case"), store.ErrNotFound)
	r.now = start.Add(1000 * time.Hour)
	r.deletes()
	require.ErrorIs(t, r.Shred(t.Context(), id, "bob", "asked to"), store.ErrHeld)
	require.True(t, r.keys.has[id])
	require.ErrorIs(t, r.Objects.Delete(t.Context(), recording.Folder(id)+"/"+files[0]), objectstore.ErrLocked, "nobody else removes it either")
	require.NoError(t, r.Release(t.Context(), id))
	require.ErrorIs(t, r.Release(t.Context(), id), store.ErrNotHeld)
	r.deletes(id)
	require.ErrorIs(t, r.Hold(t.Context(), id, "alice", "too late"), store.ErrDeleted)

	// A session that still runs can be held: what it stores from then on is.
	running := "running"
	require.NoError(t, r.DB.Sessions.Create(t.Context(), store.Session{ID: running}))
	require.NoError(t, r.Begin(t.Context(), running, 0, r.now))
	require.NoError(t, r.DB.Recordings.Put(t.Context(), store.Recording{SessionID: running, State: store.RecordingRunning}))
	require.NoError(t, r.Hold(t.Context(), running, "alice", "look"))
	lock, err := r.Lock(t.Context(), running)
	require.NoError(t, err)
	require.Equal(t, objectstore.Lock{Until: r.now.Add(time.Hour).Truncate(time.Microsecond).UTC(), Hold: true}, lock)
}

func TestShred(t *testing.T) {
	r := onDisk(t, time.Hour)
	id := r.seal("secret", 0, 0)
	require.NoError(t, r.Shred(t.Context(), id, "alice", "asked to"))
	require.NoError(t, r.Shred(t.Context(), id, "alice", "again"), "what broke off can be done again")
	require.False(t, r.keys.has[id])
	require.Len(t, r.objects(id), len(files), "what there was can still be verified")
	plain := r.seal("plain", 0, 0)
	delete(r.keys.has, plain)
	require.ErrorIs(t, r.Shred(t.Context(), plain, "alice", "asked to"), ErrNotEncrypted)
	require.NoError(t, r.DB.Sessions.Create(t.Context(), store.Session{ID: "running"}))
	require.NoError(t, r.DB.Recordings.Put(t.Context(), store.Recording{SessionID: "running", State: store.RecordingUploading}))
	require.ErrorIs(t, r.Shred(t.Context(), "running", "alice", "asked to"), ErrNotSealed)
}

// failing is a store that fails after some removals.
type failing struct {
	*objectstore.Disk
	left int
	err  error
}

func (f *failing) Delete(ctx context.Context, key string) error {
	if f.left--; f.left < 0 {
		return f.err
	}
	return f.Disk.Delete(ctx, key)
}

// However often it breaks off, a deletion comes to its end, and is in the audit log once.
func TestDeletionBreaksOff(t *testing.T) {
	broken := errors.New("the store is away")
	for after := range len(files) {
		r := onDisk(t, time.Hour)
		disk := r.Objects.(*objectstore.Disk)
		id := r.seal("s", 0, 0)
		r.Objects = &failing{disk, after, broken}
		r.now = r.now.Add(time.Hour)
		r.deletes()
		c, err := r.DB.Custodies.Get(t.Context(), id)
		require.NoError(t, err)
		require.NotEmpty(t, c.DeletionError)
		require.NotContains(t, c.DeletionError, broken.Error())
		if held := r.Hold(t.Context(), id, "alice", "a case"); after == 0 {
			require.NoError(t, held, "it is whole")
			require.NoError(t, r.Release(t.Context(), id))
		} else {
			require.ErrorIs(t, held, store.ErrDeleted)
		}
		r.deletes() // not yet
		r.Objects = disk
		r.now = r.now.Add(tryAgain)
		r.deletes(id)
		require.Equal(t, 1, count(r.audit.actions(), "recording_deleted success"))
		require.Equal(t, 1, count(r.audit.actions(), "recording_deleted failed"))
	}
	// What cannot be written to the audit log does not happen.
	r := onDisk(t, time.Hour)
	id := r.seal("s", 0, 0)
	r.audit.err, r.now = audit.ErrUnavailable, r.now.Add(time.Hour)
	_, err := r.Delete(t.Context())
	require.ErrorIs(t, err, audit.ErrUnavailable)
	require.Len(t, r.objects(id), len(files))
	r.audit.err = nil
	r.deletes(id)
}

func count(list []string, s string) (n int) {
	for _, x := range list {
		if x == s {
			n++
		}
	}
	return n
}

func TestOneNodeAtATime(t *testing.T) {
	r := onDisk(t, time.Hour)
	r.seal("s", 0, 0)
	r.now = r.now.Add(time.Hour)
	other := New(r.Options)
	other.Node = "other"
	mine, err := other.lease(t.Context())
	require.NoError(t, err)
	require.True(t, mine)
	r.deletes()
	r.now = r.now.Add(leaseTime) // the other one has died
	r.deletes("s")
}

// TestMinIO: the server itself refuses to remove what is locked or held, whoever asks, and the job removes all of it, all
// versions, when the time has come.
func TestMinIO(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a MinIO")
	}
	server := testbed.StartMinIO(t)
	m, err := objectstore.NewMinIO(objectstore.MinIOConfig{
		Endpoint: server.Endpoint, AccessKey: server.AccessKey, SecretKey: objectstore.Secret(server.SecretKey), Bucket: "recordings", CreateBucket: true,
		LockMode: objectstore.Compliance,
	})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	require.NoError(t, m.CheckLock(t.Context()))
	r := newRig(t, m, 0)
	start := time.Now()
	r.now = start
	over := r.seal("over", 2*time.Second, 0)
	held := r.seal("held", 2*time.Second, 0)
	require.NoError(t, r.Hold(t.Context(), held, "alice", "a case"))

	// A gateway whose clock is wrong deletes nothing: the server has its own.
	r.now = start.Add(time.Hour)
	r.deletes()
	require.Len(t, r.objects(over), len(files))
	c, err := r.DB.Custodies.Get(t.Context(), over)
	require.NoError(t, err)
	require.Equal(t, "The store holds it longer than the gateway does.", c.DeletionError)
	require.True(t, c.DeletingSince.IsZero())

	if wait := time.Until(start.Add(3*time.Second + 100*time.Millisecond)); wait > 0 { // whole seconds, by the server's clock
		time.Sleep(wait)
	}
	r.now = r.now.Add(tryAgain)
	r.deletes(over)
	require.Len(t, r.objects(held), len(files))
	for _, name := range files {
		require.ErrorIs(t, m.Delete(t.Context(), recording.Folder(held)+"/"+name), objectstore.ErrLocked)
	}
	require.NoError(t, r.Release(t.Context(), held))
	r.deletes(held)
	require.True(t, slices.Contains(r.audit.actions(), "recording_deleted failed"))
}
