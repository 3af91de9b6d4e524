package serve

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/native"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/internal/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// How long tests wait for what comes soon, and how often they look.
const (
	waitLong = 20 * time.Second
	tick     = 5 * time.Millisecond
)

// gateway is a Gateway on fake workers that record for real.
type gateway struct {
	opened   *Gateway
	t        *testing.T
	dir      string
	url      string
	password string
	workers  *fakeWorkers
	client   *http.Client
	stop     context.CancelFunc
	done     chan error
	log      *bytes.Buffer
}

const targetsYAML = `
targets:
  - {id: desk, name: Desk, protocol: vnc, address: "desk.test:5900", password: hunter2}
`

// start serves from dir, again if it was used before.
func start(t *testing.T, dir, yaml string) *gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return startOn(t, dir, yaml, l)
}

// startOn is start on a listener, which the gateway closes.
func startOn(t *testing.T, dir, yaml string, l net.Listener) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: dir, log: &bytes.Buffer{}, done: make(chan error, 1)}
	if !strings.Contains(yaml, "native:") {
		yaml = "native: {listen: 127.0.0.1:0}\n" + yaml
	}
	cfg, err := config.Parse([]byte("data_dir: data\n"+yaml), dir, nil)
	require.NoError(t, err)
	db := filepath.Join(dir, "data", "vitrine.db")
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) { // making its tables takes long, and is tested elsewhere
		require.NoError(t, os.MkdirAll(filepath.Dir(db), 0o700))
		require.NoError(t, os.Rename(storetest.Migrated(t), db))
	}
	opened, err := Open(t.Context(), Options{
		Config: cfg, Console: fstest.MapFS{"index.html": {Data: []byte("console")}}, Version: "test",
		Logger: slog.New(slog.NewTextHandler(&lockedWriter{w: g.log}, nil)), Listener: l,
		newWorkers: func(cfg *config.Config, _ string, _ *slog.Logger, o *observer) (workers, error) {
			g.workers = &fakeWorkers{t: t, spool: cfg.SpoolDir, observer: o, running: map[string]*fakeWorker{}, rules: map[string][]byte{}}
			return g.workers, nil
		},
		hashing: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	require.NoError(t, err)
	g.url, g.opened = opened.URL(), opened
	if opened.SetupCode != "" {
		g.password, err = opened.ResetFirstUser(t.Context())
		require.NoError(t, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	go func() { g.done <- errors.Join(opened.Run(ctx), opened.Close()) }()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	g.client = &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	return g
}

// end stops the gateway in order.
func (g *gateway) end() {
	g.t.Helper()
	g.stop()
	require.NoError(g.t, <-g.done)
	require.NotContains(g.t, g.log.String(), "hunter2")
}

func (g *gateway) call(method, path, body string, into any) int {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+"/api/v1"+path, strings.NewReader(body))
	require.NoError(g.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := g.client.Do(req)
	require.NoError(g.t, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	require.NoError(g.t, err)
	if into != nil {
		require.NoError(g.t, json.Unmarshal(content, into), "%s", content)
	}
	return res.StatusCode
}

func (g *gateway) signIn(password string) {
	g.t.Helper()
	body, err := json.Marshal(map[string]string{"username": identity.FirstUser, "password": password})
	require.NoError(g.t, err)
	require.Equal(g.t, 200, g.call("POST", "/sign-in", string(body), nil))
}

type sessionOut struct {
	ID, State string
	End       *struct{ Code, Message string }
	Width     int
	Viewers   []struct{ ID string }
}

type recordingOut struct {
	State      string
	Bytes      int64
	DurationMS int64  `json:"duration_ms"`
	SealedBy   string `json:"sealed_by"`
	Error      string
	Pending    int `json:"pending_files"`
}

func (g *gateway) create() sessionOut {
	g.t.Helper()
	var s sessionOut
	require.Equal(g.t, 201, g.call("POST", "/sessions", `{"target_id":"desk"}`, &s))
	return s
}

func (g *gateway) sealed(id string) recordingOut {
	g.t.Helper()
	var r recordingOut
	require.Eventually(g.t, func() bool {
		r = recordingOut{}
		return g.call("GET", "/recordings/"+id, "", &r) == 200 && r.State == "sealed"
	}, waitLong, tick)
	return r
}

func TestLifeOfASession(t *testing.T) {
	g := start(t, t.TempDir(), "session: {default_size: 1600x900}\n"+targetsYAML)
	require.NotEmpty(t, g.password)
	g.signIn(g.password)

	s := g.create()
	require.Equal(t, "active", s.State)
	require.Equal(t, 1600, s.Width, "the default size is asked for")
	require.Len(t, s.Viewers, 1)
	var r recordingOut
	require.Equal(t, 200, g.call("GET", "/recordings/"+s.ID, "", &r))
	require.Equal(t, "recording", r.State)

	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", `{"reason":"done"}`, nil))
	require.Equal(t, 200, g.call("GET", "/sessions/"+s.ID, "", &s))
	require.Equal(t, "ended", s.State)
	require.Equal(t, "user_disconnected", s.End.Code)
	require.Equal(t, "done", s.End.Message)
	r = g.sealed(s.ID)
	require.Equal(t, "worker", r.SealedBy)
	require.Positive(t, r.Bytes)
	require.Positive(t, r.DurationMS)

	var p struct{ Code string }
	require.Equal(t, 409, g.call("POST", "/sessions/"+s.ID+"/terminate", "", &p))
	require.Equal(t, "session_ended", p.Code)
	require.Equal(t, 204, g.call("DELETE", "/sessions/"+s.ID+"/whep/anyone", "", nil), "the viewer has gone with its session")
	require.Equal(t, 404, g.call("DELETE", "/sessions/01JA0000000000000000000000/whep/anyone", "", &p))
	require.Equal(t, 404, g.call("POST", "/sessions/01JA0000000000000000000000/terminate", "", &p))
	require.Equal(t, "session_not_found", p.Code)
	var v struct{ OK bool }
	require.Equal(t, 200, g.call("POST", "/recordings/"+s.ID+"/verify", "", &v))
	require.True(t, v.OK)
	g.end()
	require.NotContains(t, g.log.String(), g.password)
}

func TestFailedAttemptIsRemembered(t *testing.T) {
	g := start(t, t.TempDir(), targetsYAML)
	g.signIn(g.password)
	g.workers.fail = &api.Error{Status: 502, Code: "target_unreachable", Detail: "Nobody answers."}
	var p struct{ Code string }
	require.Equal(t, 502, g.call("POST", "/sessions", `{"target_id":"desk"}`, &p))
	require.Equal(t, "target_unreachable", p.Code)
	var list struct{ Sessions []sessionOut }
	require.Equal(t, 200, g.call("GET", "/sessions?state=ended", "", &list))
	require.Len(t, list.Sessions, 1)
	require.Equal(t, "target_unreachable", list.Sessions[0].End.Code)
	var recordings struct{ Recordings []recordingOut }
	require.Equal(t, 200, g.call("GET", "/recordings", "", &recordings))
	require.Empty(t, recordings.Recordings, "nothing was recorded")
	g.end()
}

// TestStopSealsSessions: stopping ends the sessions, and their recordings are in the store when Run returns.
func TestStopSealsSessions(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, targetsYAML)
	g.signIn(g.password)
	first := g.create()
	g.end()

	again := start(t, dir, targetsYAML)
	require.Empty(t, again.password, "the first user is made once")
	again.signIn(g.password)
	var s sessionOut
	require.Equal(t, 200, again.call("GET", "/sessions/"+first.ID, "", &s))
	require.Equal(t, "shutdown", s.End.Code)
	require.Equal(t, "worker", again.sealed(first.ID).SealedBy)
	again.end()
	left, err := os.ReadDir(filepath.Join(dir, "data", "spool"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestRestartAfterACrash starts on a copy of the data folder of a gateway at work: what a power cut leaves.
func TestRestartAfterACrash(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, targetsYAML)
	g.signIn(g.password)
	s := g.create()
	require.Eventually(t, func() bool { // the pictures are on disk, and nothing is being written
		segments, err := filepath.Glob(filepath.Join(dir, "data", "spool", s.ID, "seg-*.m4s"))
		var r recordingOut
		return err == nil && len(segments) == 1 && size(t, segments[0]) > 0 &&
			g.call("GET", "/recordings/"+s.ID, "", &r) == 200 && r.Pending == 0
	}, waitLong, tick)
	var copied string
	require.Eventually(t, func() bool { // files of different moments are no gateway that ever was
		copied = t.TempDir()
		before := files(dir)
		return os.CopyFS(copied, os.DirFS(dir)) == nil && maps.Equal(before, files(dir))
	}, waitLong, tick)
	g.end()

	// The row of a second session, whose worker had not recorded anything.
	const lost = "01JA0000000000000000000001"
	db, err := store.Open(t.Context(), filepath.Join(copied, "data", "vitrine.db"))
	require.NoError(t, err)
	require.NoError(t, db.Sessions.Create(t.Context(), store.Session{ID: lost, State: stateConnecting, StartedAt: time.Now()}))
	require.NoError(t, db.Recordings.Put(t.Context(), store.Recording{SessionID: lost, State: store.RecordingRunning}))
	require.NoError(t, db.Close())

	g2 := start(t, copied, targetsYAML)
	g2.signIn(g.password)
	for _, id := range []string{s.ID, lost} {
		var out sessionOut
		require.Equal(t, 200, g2.call("GET", "/sessions/"+id, "", &out))
		require.Equal(t, "ended", out.State)
		require.Equal(t, endRestarted, out.End.Code)
	}
	require.Equal(t, "recovery", g2.sealed(s.ID).SealedBy)
	var r recordingOut
	require.Equal(t, 200, g2.call("GET", "/recordings/"+lost, "", &r))
	require.Equal(t, "failed", r.State)
	require.Equal(t, "Nothing was recorded.", r.Error)
	g2.end()
}

// files returns when each file of a folder was last written to, and how long it is. What SQLite shares between processes is of no matter.
func files(dir string) map[string]string {
	all := map[string]string{}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "-shm") {
			return nil // what is gone is missing afterwards, too
		}
		if info, err := entry.Info(); err == nil {
			all[path] = fmt.Sprint(info.Size(), info.ModTime())
		}
		return nil
	})
	return all
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	return info.Size()
}

// forget makes a sealed recording look as it did before its seal was written down.
func forget(t *testing.T, file, session string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `UPDATE recordings SET state = 'uploading', sealed_by = '', bytes = 0, duration_us = 0 WHERE session_id = $1`, session)
	require.NoError(t, err)
}

func TestSettleFindsWhatWasSealed(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, targetsYAML)
	g.signIn(g.password)
	s := g.create()
	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	want := g.sealed(s.ID)
	g.end()
	// As if the last word had not reached the database.
	forget(t, filepath.Join(dir, "data", "vitrine.db"), s.ID)

	g2 := start(t, dir, targetsYAML)
	g2.signIn(g.password)
	require.Equal(t, want, g2.sealed(s.ID))
	g2.end()
}

func TestTwoOnOneFolder(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, targetsYAML)
	cfg, err := config.Parse([]byte("data_dir: data\nhttp: {listen: 127.0.0.1:0}\n"), dir, nil)
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Config: cfg, Console: fstest.MapFS{}, Logger: slog.New(slog.DiscardHandler)})
	require.ErrorIs(t, err, ErrRunning)
	g.end()
}

func TestMetrics(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	g := start(t, t.TempDir(), fmt.Sprintf("metrics: {listen: %q}\n", address))
	res, err := g.client.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `vitrine_build_info{version="test"} 1`)
	require.Contains(t, string(body), "vitrine_spool_sessions 0")
	g.end()
}

// TestCertificateAtFirstUse: what the first session took the later ones are held to, until it is forgotten.
func TestCertificateAtFirstUse(t *testing.T) {
	g := start(t, t.TempDir(), `targets: [{id: desk, protocol: rdp, address: "host:3389", tls: {mode: first_use}}]`)
	g.signIn(g.password)
	type target struct {
		Certificate struct{ Trust, Fingerprint string }
	}
	fingerprint := func() string {
		var list struct{ Targets []target }
		require.Equal(t, 200, g.call("GET", "/targets", "", &list))
		require.Equal(t, "first_use", list.Targets[0].Certificate.Trust)
		return list.Targets[0].Certificate.Fingerprint
	}
	ours, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)

	first := g.create()
	require.Empty(t, g.workers.last.Target.TLS.Fingerprint)
	rival := g.create() // begins before the first has told
	require.Empty(t, fingerprint())
	workerObserver{g.workers.observer}.CertificateTrusted(first.ID, ours)
	require.Equal(t, ours, fingerprint())
	workerObserver{g.workers.observer}.CertificateTrusted(first.ID, ours)

	// One of the two was not the target: the later one ends.
	workerObserver{g.workers.observer}.CertificateTrusted(rival.ID, other)
	require.Equal(t, ours, fingerprint())
	var s sessionOut
	require.Equal(t, 200, g.call("GET", "/sessions/"+rival.ID, "", &s))
	require.Equal(t, "ended", s.State)
	require.Equal(t, "target_certificate", s.End.Code)
	require.Equal(t, 200, g.call("GET", "/sessions/"+first.ID, "", &s))
	require.Equal(t, "active", s.State)

	g.create()
	require.Equal(t, ours, g.workers.last.Target.TLS.Fingerprint, "a pin by now")
	require.Equal(t, 204, g.call("DELETE", "/targets/desk/certificate", "", nil))
	require.Empty(t, fingerprint())
	g.create()
	require.Empty(t, g.workers.last.Target.TLS.Fingerprint)
	g.end()
}

// fakeWorkers records sessions in its own process.
type fakeWorkers struct {
	t        *testing.T
	spool    string
	observer *observer
	fail     error
	last     api.NewSession

	mu        sync.Mutex
	running   map[string]*fakeWorker
	told      []access.Ending
	clipboard []access.Clipboard
	rules     map[string][]byte // of detection, by session
}

type fakeWorker struct {
	live
	rec  *recording.Recorder
	stop context.CancelFunc
	done chan error
}

func (f *fakeWorkers) Create(ctx context.Context, id string, n api.NewSession, _ target.Credential, rules []byte) (live, error) {
	if f.last = n; f.fail != nil {
		return live{}, f.fail
	}
	dir := filepath.Join(f.spool, id)
	require.NoError(f.t, os.Mkdir(dir, 0o700))
	rec, err := recording.NewRecorder(dir, recording.SessionInfo{SessionID: id, StartedAt: time.Now()}, recording.Options{
		OnClosed: func(name string) { f.observer.fileClosed(id, name) },
		Thumbnail: func(known uint64) ([]byte, uint64) {
			if known == 1 {
				return nil, 1
			}
			return []byte("\xff\xd8\xffpicture"), 1
		},
	})
	require.NoError(f.t, err)
	runCtx, stop := context.WithCancel(context.Background())
	w := &fakeWorker{
		live: live{State: stateActive, Width: n.Width, Height: n.Height, Viewers: []api.Viewer{{ID: "v", PersonID: n.Subject.ID, Role: "control"}}},
		rec:  rec, stop: stop, done: make(chan error, 1),
	}
	go func() { w.done <- rec.Run(runCtx) }()
	clip := fmp4test.New(f.t)
	for i := range 3 {
		require.NoError(f.t, rec.WriteUnit(ctx, clip.Unit(time.Duration(i)*time.Second)))
	}
	f.observer.changed(id, store.Progress{State: w.State, Width: n.Width, Height: n.Height})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[id] = w
	f.rules[id] = rules
	return w.live, nil
}

func (f *fakeWorkers) Get(id string) (live, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.running[id]
	if !ok {
		return live{}, false
	}
	return w.live, true
}

func (f *fakeWorkers) Offer(context.Context, string, api.Offer) (api.Answer, error) {
	return api.Answer{}, nil
}
func (f *fakeWorkers) AddCandidates(context.Context, string, string, string) error { return nil }
func (f *fakeWorkers) CloseViewer(context.Context, string, string) error           { return nil }

func (f *fakeWorkers) take(id string) *fakeWorker {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.running[id]
	delete(f.running, id)
	return w
}

func (f *fakeWorkers) Announce(_ context.Context, _ string, e access.Ending) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, e)
	return nil
}

func (f *fakeWorkers) Freeze(context.Context, string, policy.Subject, string) error { return nil }
func (f *fakeWorkers) Resume(context.Context, string, policy.Subject) error         { return nil }
func (f *fakeWorkers) TakeControl(context.Context, string, policy.Subject, string, bool) error {
	return nil
}
func (f *fakeWorkers) ReleaseControl(context.Context, string, policy.Subject) error { return nil }
func (f *fakeWorkers) Answer(context.Context, string, policy.Subject, api.Reply) (bool, error) {
	return false, nil
}

func (f *fakeWorkers) Message(context.Context, string, policy.Subject, string) (string, error) {
	return "m1", nil
}

func (f *fakeWorkers) OpenNative(context.Context, string, native.Passage) error { return nil }

func (f *fakeWorkers) Permit(_ context.Context, _ string, c access.Clipboard) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clipboard = append(f.clipboard, c)
	return nil
}

func (f *fakeWorkers) SetRules(_ context.Context, id string, rules []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[id] != nil {
		f.rules[id] = rules
	}
	return nil
}

func (f *fakeWorkers) Thumbnail(context.Context, string, uint64) ([]byte, uint64, error) {
	return []byte("\xff\xd8\xffpicture"), 1, nil
}

func (f *fakeWorkers) Terminate(_ context.Context, id string, _ policy.Subject, code, message string) error {
	w := f.take(id)
	err := w.rec.Seal(recording.EndReason{Code: code, Message: message})
	w.stop()
	<-w.done
	f.observer.ended(id, code, message)
	return err
}

func (f *fakeWorkers) Shutdown(ctx context.Context) error {
	f.mu.Lock()
	var ids []string
	for id := range f.running {
		ids = append(ids, id)
	}
	f.mu.Unlock()
	var errs []error
	for _, id := range ids {
		errs = append(errs, f.Terminate(ctx, id, policy.Subject{}, "shutdown", "The gateway stops."))
	}
	return errors.Join(errs...)
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
