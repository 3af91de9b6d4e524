package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/identity/oidc"
	"github.com/vitrine-psm/vitrine/internal/identity/passkey"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/rules"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/telemetry"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Sessions of the fixture.
const (
	runningID = "01JA000000000000000000000A" // alice's, active
	endedID   = "01JA0000000000000000000009" // alice's, ended, sealed
	bobsID    = "01JA0000000000000000000008" // bob's, active
	unknownID = "01JA0000000000000000000000"
)

const password = "correct horse"

// quickHashing makes hashing cheap enough for tests.
var quickHashing = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// fixture is a Server on real identity, policy and library, and on fake sessions.
type fixture struct {
	t            testing.TB
	server       *Server
	sessions     *fakeSessions
	policy       *fakePolicy
	audit        *fakeAudit
	log          *bytes.Buffer
	spool        string
	stored       string // folder of the object store
	router       routers.Router
	cookie       *http.Cookie // sent with every request, when set
	aliceID      string
	identity     *identity.Service
	certificates *store.TargetCertificates
	targets      *target.Repository
	aborted      bool // an answer was broken off
	access       *accessrequest.Service
	review       *review.Service
	notify       *notify.Service
	who          *identity.Service
	db           *store.Store
	factors      *factor.Service
	mfa          identity.MFA
}

func newFixture(t testing.TB, change ...func(*Options)) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{
		t: t, policy: &fakePolicy{}, audit: &fakeAudit{}, log: &bytes.Buffer{},
		spool: filepath.Join(dir, "spool"), stored: filepath.Join(dir, "store"),
	}
	db, err := store.Open(t.Context(), storetest.Migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	logger, err := telemetry.NewLogger(&lockedWriter{w: f.log}, "debug", "text")
	require.NoError(t, err)
	relying, err := passkey.New(fixtureOrigin)
	require.NoError(t, err)
	sealedSeeds := &plainSeeds{m: map[string]string{}}
	f.factors = factor.New(db.SecondFactors, db.Ceremonies, sealedSeeds, factor.Options{RP: relying, Logger: logger})
	f.mfa = identity.MFA{Mode: config.MFAOptional, Factors: f.factors, Ceremonies: db.Ceremonies}
	openid, err := oidc.New(nil, fixtureOrigin, db.Ceremonies, oidc.Options{})
	require.NoError(t, err)
	f.db = db
	who, err := identity.New(identity.TablesOf(db), identity.Options{Hashing: quickHashing, Logger: logger, MFA: f.mfa})
	require.NoError(t, err)
	alice, err := who.CreateUser(t.Context(), identity.NewUser{Name: "alice", Password: password, Roles: []policy.Role{policy.Administrator}})
	require.NoError(t, err)
	f.identity = who
	f.aliceID = alice.ID
	f.certificates = db.Certificates
	f.sessions = newFakeSessions(alice.ID)

	objects, err := objectstore.OpenDisk(f.stored)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(f.spool, 0o700))

	cfg, err := config.Parse([]byte(`targets:
  - {id: desk, name: Desk, description: A desk, protocol: vnc, address: "desk.test:5900", password: hunter2, tags: [a, b]}
  - {id: bare, name: Bare, protocol: vnc, address: "bare.test:5900"}
  - {id: win, name: Windows, protocol: rdp, address: "win.test:3389", tls: {mode: first_use}}
`), "", nil)
	require.NoError(t, err)
	sealed, err := vault.Open(t.Context(), db, config.Secrets{MasterKeyFile: filepath.Join(dir, "master.key")}, nil, logger)
	require.NoError(t, err)
	targets := target.NewRepository(db, sealed)
	require.NoError(t, targets.Configure(t.Context(), cfg.Targets))
	f.targets = targets
	told, err := notify.New(notify.Options{DB: db, MaxWaiting: 100})
	require.NoError(t, err)
	f.access = accessrequest.New(accessrequest.Options{
		DB: db, Notifier: told, People: nobody{}, Journal: nobody{},
		Rules: accessrequest.Rules{MaxWindow: 8 * time.Hour, MaxAhead: 24 * time.Hour, PendingTimeout: time.Hour, ReasonMin: 3, MaxPending: 5, BreakGlass: time.Hour},
	})
	f.notify, f.who = told, who
	engine := policy.NewEngine(policy.Kept(policy.StoreOf(db)), policy.EngineOptions{Zone: time.UTC})
	book := policy.NewBook(policy.StoreOf(db), engine)
	require.NoError(t, book.Seed(t.Context()))
	require.NoError(t, engine.Load(t.Context()))
	library := recording.NewLibrary(f.spool, objects, nil)
	f.review = review.New(review.Options{DB: db, Library: library, Logger: logger})
	base, err := rules.Configured(&config.Detection{Enabled: true})
	require.NoError(t, err)
	opts := Options{
		Rules: rules.NewBook(db, base, logger), Alerts: db.Alerts,
		Access: f.access, Notifications: told,
		Identity: who, Authorizer: f.policy, Targets: targets, Certificates: db.Certificates,
		Providers: CredentialProviders{Vaults: []string{"corp"}, Commands: []string{"pass"}}, Sessions: f.sessions, Recordings: fakeRecordings{f.sessions},
		Library: library, Evidence: f, Audit: f.audit, Reviews: db.Reviews, Notes: db.RecordingNotes, Replays: f.review,
		Idempotency: db.IdempotencyKeys,
		Users:       who, Setup: who,
		Policies: book, Explainer: engine, People: who,
		TwoSteps: who, Factors: f.factors, SignInProviders: openid, MFA: MFA{On: true, PasskeyOrigin: fixtureOrigin, StepUpAge: 10 * time.Minute},
		Console: fstest.MapFS{
			"index.html":        {Data: []byte("<!doctype html>" + strings.Repeat("<p>console</p>", 100))},
			"assets/app-1a2.js": {Data: []byte(strings.Repeat("export const a = 1;", 100))},
			"favicon.svg":       {Data: []byte("<svg/>")},
			".gitkeep":          {},
		},
		Ready:   func(context.Context) error { return nil },
		Metrics: telemetry.NewHTTPMetrics(prometheus.NewRegistry()),
		Logger:  logger,
	}
	for _, c := range change {
		c(&opts)
	}
	f.server, err = New(opts)
	require.NoError(t, err)

	f.router, err = documentRouter()
	require.NoError(t, err)
	return f
}

var documentRouter = sync.OnceValues(func() (routers.Router, error) {
	doc, err := loadDocument()
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// signing returns the key that signs the fixture's recordings.
func (f *fixture) signing() *signkey.Key {
	f.t.Helper()
	k, err := signkey.Open(filepath.Join(f.stored, "key"), "test")
	require.NoError(f.t, err)
	return k
}

// Trust implements Evidence.
func (f *fixture) Trust() (recording.Trust, error) { return f.signing().Trusted(), nil }

// seal makes a sealed recording of ended in the store, by the real recorder and uploader.
func (f *fixture) seal(end recording.EndReason) {
	f.t.Helper()
	f.record(endedID).seal(f.t, end)
	objects, err := objectstore.OpenDisk(f.stored)
	require.NoError(f.t, err)
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	up := recording.NewUploader(f.spool, objects, f.signing(), slog.New(slog.DiscardHandler), recording.UploaderOptions{
		OnState: func(_ string, s recording.State) {
			if s.Sealed {
				cancel()
			}
		},
	})
	require.NoError(f.t, up.Run(ctx))
	require.FileExists(f.t, filepath.Join(f.stored, "recordings", endedID, "manifest.json"))
}

// running is a recorder at work.
type running struct {
	*recording.Recorder
	done chan error
	stop context.CancelFunc
}

// record begins a recording of a few pictures and events.
func (f *fixture) record(id string) *running {
	f.t.Helper()
	dir := filepath.Join(f.spool, id)
	require.NoError(f.t, os.Mkdir(dir, 0o700))
	closed := make(chan string, 100)
	rec, err := recording.NewRecorder(dir, recording.SessionInfo{SessionID: id, StartedAt: time.Now()}, recording.Options{
		OnClosed: func(name string) { closed <- name },
		Thumbnail: func(known uint64) ([]byte, uint64) {
			if known == 1 {
				return nil, 1
			}
			return []byte("\xff\xd8\xffpicture"), 1
		},
	})
	require.NoError(f.t, err)
	ctx, cancel := context.WithCancel(f.t.Context())
	r := &running{Recorder: rec, done: make(chan error, 1), stop: cancel}
	go func() { r.done <- rec.Run(ctx) }()
	clip := fmp4test.New(f.t)
	for i := range 10 {
		require.NoError(f.t, rec.WriteUnit(f.t.Context(), clip.Unit(time.Duration(i)*time.Second)))
		clip.IDR()
	}
	require.NoError(f.t, rec.Event(recording.KeyEvent{Actor: "alice", Key: "a", Down: true}))
	for name := range closed {
		if strings.HasPrefix(name, "seg-") {
			break
		}
	}
	return r
}

func (r *running) seal(t testing.TB, end recording.EndReason) {
	t.Helper()
	require.NoError(t, r.Seal(end))
	r.stop()
	<-r.done
}

type request struct {
	method, path string
	kind         string // content type; "" with a body: JSON
	body         string
	header       http.Header
	from         string // the client's address and port; "": 192.0.2.1
}

// do sends a request and holds an answer of the API against openapi.yaml.
func (f *fixture) do(r request) *http.Response {
	f.t.Helper()
	req := httptest.NewRequestWithContext(f.t.Context(), r.method, r.path, strings.NewReader(r.body))
	maps.Copy(req.Header, r.header)
	if r.from != "" {
		req.RemoteAddr = r.from
	}
	if r.kind == "" && r.body != "" {
		r.kind = "application/json"
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	if f.cookie != nil {
		req.AddCookie(f.cookie)
	}
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != nil {
				require.Equal(f.t, http.ErrAbortHandler, v)
				f.aborted = true
			}
		}()
		f.server.ServeHTTP(w, req)
	}()
	res := w.Result()
	f.conforms(req, res, w.Body.Bytes())
	return res
}

func (f *fixture) conforms(req *http.Request, res *http.Response, body []byte) {
	f.t.Helper()
	route, params, err := f.router.FindRoute(req)
	if err != nil || res.Header.Get("Content-Encoding") != "" {
		return
	}
	require.NoError(f.t, openapi3filter.ValidateResponse(f.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}), "%s %s does not answer as openapi.yaml says: %s", req.Method, req.URL.Path, body)
}

func (f *fixture) signIn() *fixture {
	f.t.Helper()
	res := f.do(request{method: "POST", path: "/api/v1/sign-in", body: `{"username":"alice","password":"` + password + `"}`})
	require.Equal(f.t, http.StatusOK, res.StatusCode)
	f.cookie = res.Cookies()[0]
	return f
}

func bodyOf(t testing.TB, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(b)
}

// fakePolicy allows what is not denied.
type fakePolicy struct {
	denied map[policy.Action]bool
	decide func(policy.Query) bool // when set
	err    error

	obligations policy.Obligations // of every yes
}

func (p *fakePolicy) Authorize(ctx context.Context, q policy.Query) (policy.Decision, error) {
	if p.err != nil {
		return policy.Decision{}, p.err
	}
	own := q.Action == policy.ViewLive && q.Resource.Owner == q.Subject.ID // as the policies Vitrine comes with have it
	if p.denied[q.Action] && !own || p.decide != nil && !p.decide(q) {
		return policy.Decision{Reason: "the test forbids it", Policies: []string{"forbidden-by-test"}}, nil
	}
	d, err := policy.Permissions{}.Authorize(ctx, q)
	d.Obligations = p.obligations
	return d, err
}

// fakeAudit remembers entries, or fails with err.
type fakeAudit struct {
	mu      sync.Mutex
	err     error
	entries []audit.Entry
}

func (a *fakeAudit) Record(_ context.Context, e audit.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.entries = append(a.entries, e)
	}
	return a.err
}

// last is the newest entry.
func (a *fakeAudit) last() audit.Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.entries[len(a.entries)-1]
}

// fakeSessions has three sessions, remembers what was asked and fails with err.
type fakeSessions struct {
	list []Session

	mu    sync.Mutex
	err   error
	block chan struct{} // Create waits for it, when set
	calls []string
	got   NewSession
	offer Offer
}

func newFakeSessions(alice string) *fakeSessions {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	session := func(id, user, name, state string) Session {
		return Session{Session: store.Session{
			ID: id, UserID: user, UserName: name, TargetID: "desk", TargetName: "Desk", TargetProtocol: "vnc", TargetAddress: "desk.test:5900",
			State: state, StartedAt: start, Width: 1024, Height: 768, DesktopName: "d", ClientAddress: "192.0.2.1",
		}}
	}
	f := &fakeSessions{list: []Session{
		session(runningID, alice, "alice", "active"), session(endedID, alice, "alice", "ended"), session(bobsID, "b", "bob", "active"),
	}}
	f.list[0].Viewers = []Viewer{{ID: "mine", PersonID: alice, PersonName: "alice", Role: "control", Address: "192.0.2.1"}}
	f.list[0].FrameRate, f.list[0].Bitrate = 12.5, 1e6
	f.list[1].EndCode, f.list[1].EndMessage, f.list[1].EndedAt = "user_disconnected", "bye", start.Add(time.Minute)
	f.list[2].Viewers = []Viewer{{ID: "theirs", PersonID: "b", PersonName: "bob", Role: "view"}}
	return f
}

func (f *fakeSessions) note(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	return f.err
}

func (f *fakeSessions) Create(ctx context.Context, n NewSession) (Session, error) {
	f.got = n
	if err := f.note("create"); err != nil {
		return Session{}, err
	}
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return Session{}, context.Cause(ctx)
		}
	}
	return f.list[0], nil
}

func (f *fakeSessions) Thumbnail(_ context.Context, id string) (Thumbnail, error) {
	return Thumbnail{JPEG: []byte("\xff\xd8\xff" + id), Tag: "tag-" + id}, f.note("thumbnail " + id)
}

func (f *fakeSessions) find(id string) (Session, error) {
	for _, s := range f.list {
		if s.ID == id {
			return s, nil
		}
	}
	return Session{}, store.ErrNotFound
}

func (f *fakeSessions) List(_ context.Context, filter store.SessionFilter) ([]Session, error) {
	if err := f.note("list"); err != nil {
		return nil, err
	}
	var out []Session
	for _, s := range f.list {
		running := s.State != store.StateEnded
		if len(out) < filter.Limit && (filter.Before == "" || s.ID < filter.Before) && (filter.Running == nil || *filter.Running == running) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (f *fakeSessions) Offer(_ context.Context, id string, o Offer) (Answer, error) {
	f.offer = o
	return Answer{Viewer: "fresh", SDP: "v=0\r\n"}, f.note("offer " + id)
}

func (f *fakeSessions) AddCandidates(_ context.Context, id, viewer, fragment string) error {
	return f.note("candidates " + id + " " + viewer + " " + fragment)
}

func (f *fakeSessions) CloseViewer(_ context.Context, id, viewer string) error {
	return f.note("close " + id + " " + viewer)
}

func (f *fakeSessions) Terminate(_ context.Context, id string, by policy.Subject, code, message string) error {
	return f.note("terminate " + id + " " + by.Name + " " + code + " " + message)
}

func (f *fakeSessions) Freeze(_ context.Context, id string, by policy.Subject, reason string) error {
	return f.note("freeze " + id + " " + by.Name + " " + reason)
}

func (f *fakeSessions) Resume(_ context.Context, id string, by policy.Subject) error {
	return f.note("resume " + id + " " + by.Name)
}

func (f *fakeSessions) TakeControl(_ context.Context, id string, by policy.Subject, viewer string, fromOther bool) error {
	return f.note(fmt.Sprintf("take %s %s %s %v", id, by.Name, viewer, fromOther))
}

func (f *fakeSessions) ReleaseControl(_ context.Context, id string, by policy.Subject) error {
	return f.note("release " + id + " " + by.Name)
}

func (f *fakeSessions) Message(_ context.Context, id string, from policy.Subject, text string) (string, error) {
	return "m1", f.note("message " + id + " " + from.Name + " " + text)
}

func (f *fakeSessions) Answer(_ context.Context, id string, by policy.Subject, a Reply) (bool, error) {
	return !a.Refuse, f.note(fmt.Sprintf("answer %s %s %s %s %q %v", id, by.Name, a.Question, a.Viewer, a.Reason, a.Refuse))
}

// fakeRecordings gives every session a recording.
type fakeRecordings struct{ *fakeSessions }

func (f fakeRecordings) Get(_ context.Context, id string) (Recording, error) {
	s, err := f.find(id)
	if err != nil {
		return Recording{}, err
	}
	r := Recording{Recording: store.Recording{SessionID: id, State: store.RecordingRunning, Bytes: 5, Duration: time.Second, PendingFiles: 2}, Session: s}
	if s.State == store.StateEnded {
		r.State, r.SealedBy = store.RecordingSealed, "worker"
	}
	return r, nil
}

func (f fakeRecordings) List(ctx context.Context, filter store.SessionFilter) ([]Recording, error) {
	list, err := f.fakeSessions.List(ctx, filter)
	var out []Recording
	for _, s := range list {
		r, err := f.Get(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, err
}

func (f *fakeSessions) Get(_ context.Context, id string) (Session, error) {
	if f.err != nil && errors.Is(f.err, errBroken) {
		return Session{}, f.err
	}
	return f.find(id)
}

// How long tests wait for what happens at once, and how often they look.
const (
	waitLong = 10 * time.Second
	tick     = time.Millisecond
)

// errBroken is a failure that is nobody's fault but the gateway's.
var errBroken = errors.New("the database is on fire at /secret/path")

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
