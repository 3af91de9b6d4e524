// Package serve is the control plane put together: API and console, identity, targets, the workers, the uploader and
// the database, and the order in which they start and stop.
//
// It starts from the bottom: the data folder's lock, the database, the store, what an earlier life left behind, and last
// the listener. It stops from the top: no new requests, sessions end in good order and their recordings are sealed in
// the spool, the uploader goes on for a moment, the audit log is signed, the database closes. What is not uploaded by then is at the next start.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/audit/stream"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/export"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/identity/oidc"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/telemetry"
	"github.com/vitrine-psm/vitrine/internal/turnserver"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// How long the stages of stopping may take. The sum is less than the minute service managers are told to wait.
const (
	drainTimeout = 25 * time.Second // sessions end and seal
	flushTimeout = 10 * time.Second // sealed recordings reach the store
	flushLook    = 100 * time.Millisecond
)

// Options are what a Gateway is made of.
type Options struct {
	Config  *config.Config
	Console fs.FS // the console's files
	Version string
	Logger  *slog.Logger
	// Listener takes the place of config's http.listen when set. The Gateway closes it.
	Listener net.Listener
	// NativeListener takes the place of config's native.listen when set. The Gateway closes it.
	NativeListener net.Listener

	newWorkers newWorkers       // nil: newManager; tests set it
	hashing    *argon2id.Params // nil: identity's; tests set it
}

// Gateway is a running control plane.
type Gateway struct {
	cfg      *config.Config
	log      *slog.Logger
	lock     *os.File
	db       *store.Store
	vault    *vault.Vault
	objects  ObjectStore
	audit    *audit.Log
	reader   *audit.Reader
	sinks    *stream.Streamer // nil: none
	identity *identity.Service

	factors  *factor.Service
	openid   *oidc.Providers
	passkeys string // the origin they are for; empty: there are none

	engine   *policy.Engine
	targets  targetsByID
	keeper   *access.Keeper
	policies *policy.Book
	health   *health
	custody  *custody.Service
	exports  *export.Service
	uploader *recording.Uploader
	review   *review.Service
	workers  workers
	server   *api.Server
	registry *prometheus.Registry
	listener api.Listener
	metrics  net.Listener // nil: none
	// challenges takes ACME's questions over plain HTTP; nil: none.
	challenges        net.Listener
	challengesHandler http.Handler
	relay             *turnserver.Server // nil: none
	native            *nativeDoor        // nil: none

	notify *notify.Service
	people *people // whom to tell
	access *accessrequest.Service

	detection *detection
	alerts    *alerts

	// SetupCode makes the first user, by the console's set-up page; "" when there are users.
	SetupCode string
}

// Open gets everything ready to run, listeners included, and puts right what an earlier life left. It starts nothing.
// Close what it returns, whether Run was called or not.
func Open(ctx context.Context, opts Options) (*Gateway, error) {
	g := &Gateway{cfg: opts.Config, log: opts.Logger, registry: telemetry.NewRegistry(opts.Version)}
	g.listener.Listener = opts.Listener
	if err := g.open(ctx, opts); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *Gateway) open(ctx context.Context, opts Options) error {
	cfg := g.cfg
	var err error
	if g.lock, err = lockData(cfg.DataDir); err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.SpoolDir, 0o700); err != nil {
		return fmt.Errorf("serve: spool: %w", err)
	}
	if g.db, err = store.Open(ctx, cfg.Database.Source()); err != nil {
		return err
	}
	if g.objects, err = OpenObjects(cfg.Recording); err != nil {
		return err
	}
	if g.audit, err = OpenAudit(ctx, cfg, g.db, g.objects, g.log.With("component", "audit")); err != nil {
		return err
	}
	g.observeAudit()
	g.reader = &audit.Reader{Audit: g.db.Audit, Log: g.audit, Verify: func(ctx context.Context) (audit.Report, error) {
		return VerifyAudit(ctx, cfg, g.db, nil, nil)
	}}
	if g.sinks, err = g.openSinks(opts.Version); err != nil {
		return err
	}
	if g.sinks != nil {
		g.reader.Sinks = g.sinks.States
	}
	targets, credentials, err := g.openTargets(ctx)
	if err != nil {
		return err
	}
	g.targets = targets
	if err := g.openIdentity(ctx, opts.hashing); err != nil {
		return err
	}
	if g.SetupCode, err = g.identity.NewSetupCode(ctx); err != nil {
		return err
	}
	if err := g.openPolicies(ctx); err != nil {
		return err
	}
	if err := g.openCustody(ctx); err != nil {
		return err
	}
	library := recording.NewLibrary(cfg.SpoolDir, g.objects, recordingKeys{g.vault})
	signing, err := openEvidence(cfg.Evidence)
	if err != nil {
		return err
	}
	book := &ledger{db: g.db, audit: g.audit, library: library, log: g.log.With("component", "ledger")}
	uploads := recording.UploaderOptions{OnState: book.uploaded, Custody: g.custody}
	var keys *recordingKeys
	if cfg.Recording.Encrypt {
		keys, uploads.Keys = &recordingKeys{g.vault}, writingKeys{recordingKeys{g.vault}}
	}
	g.openReview(library)
	g.openExports(library, signing)
	book.changed = g.review.Changed
	g.uploader = recording.NewUploader(cfg.SpoolDir, g.objects, signing, g.log, uploads)
	if err := book.reconcile(ctx, library, g.uploader.Finished); err != nil {
		return err
	}
	if g.detection, err = g.openDetection(); err != nil {
		return err
	}
	if opts.newWorkers == nil {
		opts.newWorkers = newManager
	}
	watch := newObserver(book, g.uploader)
	if g.workers, err = opts.newWorkers(cfg, opts.Version, g.log, watch); err != nil {
		return err
	}
	watch.workers, g.detection.workers = g.workers, g.workers // before there is a session
	g.observeUploads()
	g.checkOCR(ctx)

	if err := g.listen(opts.NativeListener); err != nil {
		return err
	}
	var through api.Relay
	if g.relay != nil {
		watch.ending, through = g.relay.End, relay{g.relay, cfg.TURN.RelayOnly}
	}
	running := &sessions{workers: g.workers, credentials: credentials, db: g.db, audit: g.audit, ledger: book, evidence: signing, keys: keys, custody: g.custody, size: cfg.Session.DefaultSize, detection: g.detection}
	g.health = g.openHealth(signing)
	running.spool, running.refused = func() error { return spoolReady(cfg) }, newRefusals(g.registry)
	running.thumbnails, running.risks = newThumbnails(g.workers.Thumbnail), g.newRisks()
	g.openAdmission(running)
	watch.over, watch.told = g.keeper.Ended, g.tellOfEnd
	if err := g.openAccess(targets); err != nil {
		return err
	}
	g.alerts = newAlerts(g.db, g.audit, g.people, g.notify, time.Duration(cfg.Detection.Alerts), g.log)
	watch.alert, watch.justified, running.risks.alerts = g.alerts.raise, g.alerts.justified, g.alerts.severities
	watch.quiet = func(id string) {
		g.detection.over(id)
		g.alerts.over(id)
	}
	g.openNative(running, targets)
	var nativeClients api.Native
	if g.native != nil {
		nativeClients = g.native
	}
	g.server, err = api.New(api.Options{
		Native:   nativeClients,
		Identity: g.identity, Authorizer: g.engine, Targets: targets, Certificates: g.db.Certificates,
		Providers: providerNames(cfg.Credentials),
		Sessions:  running, Desk: running.desk, Recordings: recordings{running}, Library: library, Evidence: signing,
		Reviews: g.db.Reviews, Notes: g.db.RecordingNotes, Replays: g.review, Audit: g.audit, AuditLog: g.reader, Relay: through,
		Custody: g.custody, Exports: g.exports, Health: g.health,
		Policies: g.policies, Explainer: g.engine, People: g.identity,
		Idempotency: g.db.IdempotencyKeys,
		Limits: api.Limits{
			Requests: cfg.Limits.RequestsPerMinute, Connects: cfg.Limits.ConnectsPerMinute, SourceConnects: cfg.Limits.SourceConnectsPerMinute,
		},
		Access: g.access, Notifications: g.notify, Rules: g.detection.book, Alerts: g.db.Alerts,
		Users: g.identity, Setup: g.identity,
		TwoSteps: g.identity, Factors: g.factors, SignInProviders: g.openid, MFA: g.mfaOf(),
		Console: opts.Console, Ready: g.db.Ping, Metrics: telemetry.NewHTTPMetrics(g.registry), Logger: g.log.With("component", "http"),
		TrustedProxies: cfg.HTTP.TrustedProxies, PublicURL: cfg.HTTP.PublicURL, TLS: cfg.HTTP.SecureListener(),
	})
	if err != nil {
		return err
	}
	// Last, when everything else is in order: a gateway that may not say that it runs does not.
	return g.audit.Record(ctx, audit.Entry{
		Actor: system("gateway"), Action: audit.ActionGatewayStarted, Outcome: audit.Success, Object: audit.Object{Kind: "gateway"},
		Details: map[string]string{"version": opts.Version, "config_sha256": configDigest(cfg)},
	})
}

func (g *Gateway) listen(native net.Listener) error {
	err := g.listenerTLS()
	if err != nil {
		return err
	}
	if g.listener.Listener == nil {
		if g.listener.Listener, err = net.Listen("tcp", g.cfg.HTTP.Listen); err != nil {
			return fmt.Errorf("serve: %w", err)
		}
	}
	if g.cfg.Metrics.Listen != "" {
		if g.metrics, err = net.Listen("tcp", g.cfg.Metrics.Listen); err != nil {
			return fmt.Errorf("serve: metrics: %w", err)
		}
	}
	if err := g.listenNative(native); err != nil {
		return err
	}
	return g.listenRelay()
}

// URL is the address of the console.
func (g *Gateway) URL() string {
	if g.cfg.HTTP.PublicURL != "" {
		return g.cfg.HTTP.PublicURL
	}
	scheme := "http"
	if g.listener.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + g.listener.Addr().String()
}

// Run serves until ctx ends or a part fails, and then stops everything in order.
func (g *Gateway) Run(ctx context.Context) error {
	g.log.Info("serving", "address", g.listener.Addr().String(), "tls", g.listener.TLS != nil, "targets", len(g.cfg.Targets))
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	// The uploader outlives the others: it has to take what they leave. The relay carries to viewers why their session ends.
	uploads, stopUploads := context.WithCancel(context.WithoutCancel(ctx))
	defer stopUploads()
	relaying, stopRelay := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRelay()
	signing, stopSigning := context.WithCancel(context.WithoutCancel(ctx)) // its last checkpoint covers what the others write
	defer stopSigning()
	var below, last errgroup.Group
	last.Go(func() error { return g.audit.Run(signing) })
	if g.sinks != nil {
		last.Go(func() error { return g.sinks.Run(signing) })
	}
	if g.relay != nil {
		below.Go(func() error {
			err := g.relay.Run(relaying)
			if err != nil {
				fail(err)
			}
			return err
		})
	}
	below.Go(func() error {
		err := g.uploader.Run(uploads)
		if err != nil {
			fail(err) // without it the spool fills up
		}
		return err
	})

	front, ctx := errgroup.WithContext(ctx)
	front.Go(func() error { return g.identity.Run(ctx) })
	front.Go(func() error { return g.reader.Run(ctx) })
	front.Go(func() error { return g.engine.Run(ctx) })
	front.Go(func() error { return g.notify.Run(ctx) })
	front.Go(func() error { return g.access.Run(ctx) })
	front.Go(func() error { return g.custody.Run(ctx) })
	front.Go(func() error { return g.exports.Run(ctx) })
	front.Go(func() error { return g.keeper.Run(ctx) })
	front.Go(func() error { return g.health.Run(ctx) })
	front.Go(func() error { return g.review.Run(ctx) })
	front.Go(func() error { return g.detection.book.Run(ctx) })
	front.Go(func() error { return g.alerts.Run(ctx) })
	front.Go(func() error { return api.Serve(ctx, g.listener, g.server, g.log) })
	if g.native != nil {
		front.Go(func() error { return g.native.run(ctx) })
	}
	if g.challenges != nil {
		front.Go(func() error {
			return api.Serve(ctx, api.Listener{Listener: g.challenges}, g.challengesHandler, g.log)
		})
	}
	if g.metrics != nil {
		front.Go(func() error { return g.serveMetrics(ctx) })
	}
	front.Go(func() error {
		<-ctx.Done()
		g.log.Info("stopping")
		g.notify.CloseStreams() // they would hold the listener
		return g.drain(context.WithoutCancel(ctx))
	})
	err := front.Wait()
	stopRelay()
	g.flush(uploads)
	stopUploads()
	err = errors.Join(err, below.Wait())
	if e := g.audit.Record(context.WithoutCancel(ctx), audit.Entry{
		Actor: system("gateway"), Action: audit.ActionGatewayStopped, Outcome: audit.Success, Object: audit.Object{Kind: "gateway"},
	}); e != nil {
		err = errors.Join(err, e)
	}
	stopSigning()
	return errors.Join(err, last.Wait())
}

// drain ends the sessions while the listener finishes what it has.
func (g *Gateway) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := g.workers.Shutdown(ctx); err != nil {
		g.log.Error("not all sessions ended in good order", "error", err)
	}
	return nil
}

// flush waits for a moment for the store to take what the sessions left.
func (g *Gateway) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	tick := time.NewTicker(flushLook)
	defer tick.Stop()
	for g.uploader.Metrics().Sessions > 0 {
		select {
		case <-ctx.Done():
			g.log.Warn("recordings are left in the spool for the next start", "sessions", g.uploader.Metrics().Sessions)
			return
		case <-tick.C:
		}
	}
}

// Close releases everything. Call it after Run has returned.
func (g *Gateway) Close() error {
	var errs []error
	if g.listener.Listener != nil {
		if err := g.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if g.metrics != nil {
		if err := g.metrics.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if g.challenges != nil {
		if err := g.challenges.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if g.native != nil {
		errs = append(errs, g.native.close())
	}
	if g.relay != nil {
		errs = append(errs, g.relay.Close())
	}
	if g.objects != nil {
		errs = append(errs, g.objects.Close())
	}
	if g.openid != nil {
		g.openid.Close()
	}
	if g.db != nil {
		errs = append(errs, g.db.Close())
	}
	if g.lock != nil {
		errs = append(errs, g.lock.Close())
	}
	return errors.Join(errs...)
}

func (g *Gateway) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", telemetry.MetricsHandler(g.registry))
	return api.Serve(ctx, api.Listener{Listener: g.metrics}, mux, g.log)
}

// observeUploads shows the uploader's figures.
func (g *Gateway) observeUploads() {
	counter := func(name, help string, value func(recording.Metrics) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(g.uploader.Metrics())) })
	}
	g.registry.MustRegister(
		counter("vitrine_upload_files_total", "Recording files the store has confirmed.", func(m recording.Metrics) uint64 { return m.Files }),
		counter("vitrine_upload_bytes_total", "Bytes in them.", func(m recording.Metrics) uint64 { return m.Bytes }),
		counter("vitrine_upload_failures_total", "Passes over a recording that failed.", func(m recording.Metrics) uint64 { return m.Failures }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vitrine_spool_sessions", Help: "Sessions with something in the spool."},
			func() float64 { return float64(g.uploader.Metrics().Sessions) }),
	)
}
