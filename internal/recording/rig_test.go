package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testID = "01J0000000000000000000TEST"

var testEnd = EndReason{Code: "user_disconnected", Message: "The user disconnected."}

// rig is a recorder that runs, fed with real pictures.
type rig struct {
	t    *testing.T
	root string // the spool
	dir  string // the session's folder
	clip *fmp4test.Clip
	rec  *Recorder
	ran  chan error // what Run returned

	mu     sync.Mutex
	closed []string
	idrs   int
}

func newRig(t *testing.T, opts Options) *rig {
	t.Helper()
	return newRigIn(t, t.TempDir(), testID, opts)
}

func newRigIn(t *testing.T, root, id string, opts Options) *rig {
	t.Helper()
	r := &rig{t: t, root: root, dir: filepath.Join(root, id), clip: fmp4test.New(t), ran: make(chan error, 1)}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	opts.OnClosed = func(name string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.closed = append(r.closed, name)
	}
	opts.RequestIDR = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.idrs++
	}
	rec, err := NewRecorder(r.dir, SessionInfo{
		SessionID: id, StartedAt: time.Now(), User: Person{"u1", "alice"},
		Target: Target{"demo", "Demo desktop", "vnc", "127.0.0.1:5900"}, ClientAddress: "127.0.0.1", Recorder: "vitrine test",
	}, opts)
	if err != nil {
		t.Fatal(err)
	}
	r.rec = rec
	ctx, cancel := context.WithCancel(t.Context())
	go func() { r.ran <- rec.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = rec.Seal(testEnd) // nothing for those that sealed
	})
	return r
}

// picture feeds the next picture, shown now.
func (r *rig) picture() {
	r.t.Helper()
	if err := r.rec.WriteUnit(r.t.Context(), r.clip.Unit(r.rec.Elapsed())); err != nil {
		r.t.Fatal(err)
	}
}

// typing feeds a picture and a key every 125 ms for d.
func (r *rig) typing(d time.Duration) {
	r.t.Helper()
	for end := r.rec.Elapsed() + d; r.rec.Elapsed() < end; time.Sleep(125 * time.Millisecond) {
		r.picture()
		r.event(KeyEvent{Actor: "alice", Keysym: 'a', Key: "a", Down: true})
	}
}

func (r *rig) event(e Event) {
	r.t.Helper()
	if err := r.rec.Event(e); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) seal() {
	r.t.Helper()
	if err := r.rec.Seal(testEnd); err != nil {
		r.t.Fatal(err)
	}
	if err := <-r.ran; err != nil {
		r.t.Fatal(err)
	}
}

// index is what a player of the running session is told, every file of which must be there.
func (r *rig) index() *Index {
	r.t.Helper()
	ctx := r.t.Context()
	rec, err := NewLibrary(r.root, newMemory(), nil).Open(ctx, testID)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rec.Close()
	x, err := rec.Index(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range x.Segments {
		body, size, err := rec.File(ctx, s.Name)
		if err != nil {
			r.t.Fatalf("%s: %v", s.Name, err)
		}
		b, err := io.ReadAll(body)
		if err != nil || int64(len(b)) != size || size != s.Bytes {
			r.t.Errorf("%s: %d bytes of %d, the index says %d, %v", s.Name, len(b), size, s.Bytes, err)
		}
	}
	return x
}

// copyTo copies the session's folder as it is now: what a kill would leave.
func (r *rig) copyTo(root string) string {
	r.t.Helper()
	dir := filepath.Join(root, filepath.Base(r.dir))
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// manifest reads and verifies a sealed folder.
func manifestOf(t testing.TB, dir string) *Manifest {
	t.Helper()
	if _, err := VerifyFolder(context.Background(), dir, nil); err != nil {
		t.Fatalf("verify: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// pictures walks the segments of a sealed folder, checks them against the manifest and returns the samples' starts,
// and the end.
func pictures(t testing.TB, dir string, m *Manifest) (starts []Ticks, end Ticks) {
	t.Helper()
	for _, e := range m.Files {
		if e.Kind != KindSegment {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name))
		if err != nil {
			t.Fatal(err)
		}
		seg, err := fmp4.InspectFunc(b, func(start, _ uint64) { starts = append(starts, Ticks(start)) })
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		if Ticks(seg.Start) != e.Start || Ticks(seg.End) != e.End() || seg.Samples != e.Samples || seg.Sync != e.Sync {
			t.Errorf("%s holds %+v, the manifest says %+v", e.Name, seg, e)
		}
		if end != 0 && e.Start != end {
			t.Errorf("%s starts at %d, the one before ends at %d", e.Name, e.Start, end)
		}
		end = e.End()
	}
	return starts, end
}

// eventsOf reads all events of a sealed folder.
func eventsOf(t testing.TB, dir string, m *Manifest) []map[string]any {
	t.Helper()
	var events []map[string]any
	for _, e := range m.Files {
		if e.Kind != KindEvents {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range bytes.Lines(b) {
			var v map[string]any
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatalf("%s: %v", e.Name, err)
			}
			events = append(events, v)
			n++
		}
		if n != e.Count {
			t.Errorf("%s holds %d events, the manifest says %d", e.Name, n, e.Count)
		}
	}
	return events
}

// exportOf writes the one-file form of a recording and returns its path.
func exportOf(t *testing.T, rec *Recording) string {
	t.Helper()
	x, err := rec.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "export.mp4")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(x.Write(t.Context(), f), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// ffprobe returns when the last picture ends, in seconds on the session's clock, and the number of packets.
func ffprobe(t *testing.T, path string) (end float64, packets int) {
	t.Helper()
	testbed.Require(t, "ffprobe", "ffmpeg")
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-count_packets", "-show_entries",
		"stream=start_time,duration,nb_read_packets", "-of", "csv=p=0", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v: %s", err, out)
	}
	var start, duration float64
	if _, err := fmt.Sscanf(strings.ReplaceAll(string(out), ",", " "), "%g %g %d", &start, &duration, &packets); err != nil {
		t.Fatalf("ffprobe: %s", out)
	}
	return start + duration, packets
}

// decode decodes every picture; the decoder may not complain.
func decode(t *testing.T, path string) {
	t.Helper()
	testbed.Require(t, "ffmpeg")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-i", path, "-fps_mode", "passthrough", "-f", "null", "-").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v: %s", err, out)
	}
}

// noSync makes flushes free, for tests that recover thousands of times.
type noSync struct{ spoolfs.FS }

func (n noSync) Sync() error { return nil }

func (n noSync) Open(name string, flag int) (spoolfs.File, error) {
	f, err := n.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return noSyncFile{f}, nil
}

type noSyncFile struct{ spoolfs.File }

func (noSyncFile) Sync() error { return nil }

func openFS(t testing.TB, dir string) spoolfs.FS {
	t.Helper()
	fsys, err := spoolfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return noSync{fsys}
}

// bubble runs f with a fake clock.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// decodedSizes counts the decoded pictures by size, in order.
func decodedSizes(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "frame=width,height", "-of", "csv=p=0:s=x", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v: %s", err, out)
	}
	var parts []string
	last, n := "", 0
	for _, size := range append(strings.Fields(string(out)), "") {
		if size = strings.Trim(size, "x"); size != last && n > 0 {
			parts = append(parts, last+":"+strconv.Itoa(n))
			n = 0
		}
		last = size
		n++
	}
	return strings.Join(parts, " ")
}

// testKey signs the tests' manifests.
var testKey = func() *signkey.Key {
	dir, err := os.MkdirTemp("", "vitrine-key-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	k, err := signkey.Open(filepath.Join(dir, "key"), "test")
	if err != nil {
		panic(err)
	}
	return k
}()
