// Package serve is the control plane put together: API and console, identity, targets, the workers, the uploader and
// the database, and the order in which they start and stop.
//
// It starts from the bottom: the data folder's lock, the database, the store, what an earlier life left behind, and last
// the listener. It stops from the top: no new requests, sessions end in good order and their recordings are sealed in
// the spool, the uploader goes on for a moment, the database closes. What is not uploaded by then is at the next start.
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

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/telemetry"
	"github.com/vitrine-psm/vitrine/internal/turnserver"
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

	newWorkers newWorkers // nil: newManager; tests set it
}

// Gateway is a running control plane.
type Gateway struct {
	cfg      *config.Config
	log      *slog.Logger
	lock     *os.File
	db       *store.Store
	objects  ObjectStore
	identity *identity.Service
	uploader *recording.Uploader
	workers  workers
	server   *api.Server
	registry *prometheus.Registry
	listener api.Listener
	metrics  net.Listener       // nil: none
	relay    *turnserver.Server // nil: none

	// FirstPassword is that of identity.FirstUser when this start has made it, else "".
	FirstPassword string
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
	if g.db, err = store.Open(ctx, cfg.Database.Path); err != nil {
		return err
	}
	if g.objects, err = OpenObjects(cfg.Recording.Store); err != nil {
		return err
	}
	targets, err := target.NewRepository(cfg.Targets)
	if err != nil {
		return err
	}
	if g.identity, err = identity.New(g.db.Users, g.db.BrowserSessions, identity.Options{Logger: g.log.With("component", "identity")}); err != nil {
		return err
	}
	if g.FirstPassword, err = g.identity.EnsureFirstUser(ctx); err != nil {
		return err
	}
	book := &ledger{db: g.db, log: g.log.With("component", "ledger")}
	library := recording.NewLibrary(cfg.SpoolDir, g.objects)
	g.uploader = recording.NewUploader(cfg.SpoolDir, g.objects, g.log, recording.UploaderOptions{OnState: book.uploaded})
	if err := book.reconcile(ctx, library, g.uploader.Finished); err != nil {
		return err
	}
	if opts.newWorkers == nil {
		opts.newWorkers = newManager
	}
	watch := newObserver(book, g.uploader)
	if g.workers, err = opts.newWorkers(cfg, opts.Version, g.log, watch); err != nil {
		return err
	}
	watch.workers = g.workers // before there is a session
	g.observeUploads()

	if err := g.listen(); err != nil {
		return err
	}
	var through api.Relay
	if g.relay != nil {
		watch.ending, through = g.relay.End, relay{g.relay, cfg.TURN.RelayOnly}
	}
	running := &sessions{workers: g.workers, db: g.db, ledger: book, size: cfg.Session.DefaultSize}
	g.server, err = api.New(api.Options{
		Identity: g.identity, Authorizer: policy.Permissions{}, Targets: targets, Certificates: g.db.Certificates,
		Sessions: running, Recordings: recordings{running}, Library: library, Relay: through,
		Console: opts.Console, Ready: g.db.Ping, Metrics: telemetry.NewHTTPMetrics(g.registry), Logger: g.log.With("component", "http"),
		TrustedProxies: cfg.HTTP.TrustedProxies, PublicURL: cfg.HTTP.PublicURL, TLS: cfg.HTTP.TLS.Enabled(),
	})
	return err
}

func (g *Gateway) listen() error {
	var err error
	if g.listener.TLS, err = serverTLS(g.cfg.HTTP.TLS, g.log); err != nil {
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
	return g.listenRelay()
}

// ResetFirstUser gives the first user a new random password, which it returns.
func (g *Gateway) ResetFirstUser(ctx context.Context) (string, error) {
	password := identity.NewPassword()
	return password, g.identity.SetPassword(ctx, identity.FirstUser, password)
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
	var below errgroup.Group
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
	front.Go(func() error { return api.Serve(ctx, g.listener, g.server, g.log) })
	if g.metrics != nil {
		front.Go(func() error { return g.serveMetrics(ctx) })
	}
	front.Go(func() error {
		<-ctx.Done()
		g.log.Info("stopping")
		return g.drain(context.WithoutCancel(ctx))
	})
	err := front.Wait()
	stopRelay()
	g.flush(uploads)
	stopUploads()
	return errors.Join(err, below.Wait())
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
	if g.relay != nil {
		errs = append(errs, g.relay.Close())
	}
	if g.objects != nil {
		errs = append(errs, g.objects.Close())
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
