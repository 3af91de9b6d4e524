package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

const (
	healthInterval = 15 * time.Second
	healthFresh    = 2 * time.Second // a look that is younger is not taken again for somebody who asks
	healthTimeout  = 12 * time.Second
)

// need is something without which no session begins, for it could not be recorded, or its recording not be proved.
type need struct {
	name  string
	check func(ctx context.Context) error
	// warns is set for what holds up no session yet.
	warns bool
}

// health looks from time to time whether all is there that sessions need, and says so in the log, in metrics and to who manages
// the gateway. It refuses nothing itself: each session asks anew when it begins.
type health struct {
	needs []need
	log   *slog.Logger
	now   func() time.Time

	looking sync.Mutex // one at a time
	mu      sync.Mutex
	at      time.Time
	states  []api.HealthCheck
}

var _ api.Health = (*health)(nil)

// openHealth makes the needs of this gateway.
func (g *Gateway) openHealth(signing evidence) *health {
	h := &health{log: g.log.With("component", "health"), now: time.Now}
	h.needs = []need{
		{name: "database", check: g.db.Ping},
		{name: "audit_log", check: g.audit.Writable},
		{name: "evidence_key", check: func(context.Context) error { return signing.ready() }},
		{name: "spool", check: func(context.Context) error { return spoolReady(g.cfg) }},
	}
	if g.cfg.Recording.Encrypt {
		h.needs = append(h.needs, need{name: "recording_keys", check: g.vault.Check})
	}
	h.needs = append(h.needs, need{name: "recording_store", warns: true, check: g.uploading})
	g.registry.MustRegister(h)
	return h
}

// uploading tells what keeps recordings from leaving the spool.
func (g *Gateway) uploading(ctx context.Context) error {
	list, err := g.db.Recordings.Unsealed(ctx)
	if err != nil {
		return err
	}
	n, why := 0, ""
	for _, r := range list {
		if r.State != store.RecordingFailed && r.Error != "" {
			n, why = n+1, r.Error
		}
	}
	if n > 0 {
		return fmt.Errorf("%d recordings wait in the spool: %s", n, why)
	}
	return nil
}

// spoolReady refuses what a full spool would end at once.
func spoolReady(cfg *config.Config) error {
	var st unix.Statfs_t
	if err := unix.Statfs(cfg.SpoolDir, &st); err != nil {
		return fmt.Errorf("serve: spool %s: %w", cfg.SpoolDir, err)
	}
	if free := int64(min(st.Bavail*uint64(st.Bsize), 1<<62)); free < int64(cfg.Recording.MinFree) {
		return fmt.Errorf("%w: %s has %d bytes free, less than recording.min_free, %d", errSpoolFull, cfg.SpoolDir, free, int64(cfg.Recording.MinFree))
	}
	return nil
}

var errSpoolFull = errors.New("serve: no room for recordings")

// noRoom says to people who need not know more that nothing can be recorded.
func noRoom(err error) error {
	return &api.Error{
		Status: http.StatusInsufficientStorage, Code: "spool_full", Err: err,
		Detail: "The gateway has no room for another recording, so no session may begin.",
	}
}

// Run looks until ctx ends.
func (h *health) Run(ctx context.Context) error {
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for {
		h.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look takes a look, unless somebody just has.
func (h *health) look(ctx context.Context) {
	h.looking.Lock()
	defer h.looking.Unlock()
	h.mu.Lock()
	before, at := h.states, h.at
	h.mu.Unlock()
	if now := h.now(); at.Add(healthFresh).After(now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	states := make([]api.HealthCheck, len(h.needs))
	var group sync.WaitGroup
	for i, n := range h.needs {
		group.Go(func() {
			s := api.HealthCheck{Name: n.name, State: api.HealthOK, Since: h.now()}
			if err := n.check(ctx); err != nil {
				if s.State, s.Detail = api.HealthFailing, detailOf(err); n.warns {
					s.State = api.HealthWarning
				}
			}
			if i < len(before) && before[i].State == s.State {
				s.Since = before[i].Since
			}
			states[i] = s
		})
	}
	group.Wait()
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return // the gateway stops
	}
	for i, s := range states {
		switch was := i < len(before) && before[i].State != api.HealthOK; {
		case s.State == api.HealthFailing && (i >= len(before) || before[i].State != s.State):
			h.log.ErrorContext(ctx, "no session can begin", "need", s.Name, "error", s.Detail)
		case s.State == api.HealthWarning && (i >= len(before) || before[i].State != s.State):
			h.log.WarnContext(ctx, "something needs attention", "need", s.Name, "error", s.Detail)
		case s.State == api.HealthOK && was:
			h.log.InfoContext(ctx, "in order again", "need", s.Name)
		}
	}
	h.mu.Lock()
	h.at, h.states = h.now(), states
	h.mu.Unlock()
}

// detailOf words why something is not in order, for who manages the gateway.
func detailOf(err error) string {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	return err.Error()
}

// Checks implements api.Health.
func (h *health) Checks(ctx context.Context) []api.HealthCheck {
	h.look(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states
}

var healthMetric = prometheus.NewDesc("vitrine_ready", "Whether what sessions need is in order: 1, or 0. Without it none begins, but for recording_store.", []string{"need"}, nil)

// Describe implements prometheus.Collector.
func (h *health) Describe(to chan<- *prometheus.Desc) { to <- healthMetric }

// Collect implements prometheus.Collector.
func (h *health) Collect(to chan<- prometheus.Metric) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.states {
		value := 0.0
		if s.State == api.HealthOK {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(healthMetric, prometheus.GaugeValue, value, s.Name)
	}
}

// refusals counts sessions that did not begin because they could not be recorded.
type refusals struct{ *prometheus.CounterVec }

func newRefusals(registry *prometheus.Registry) refusals {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vitrine_sessions_refused_total", Help: "Sessions that did not begin because something was missing that they need.",
	}, []string{"reason"})
	registry.MustRegister(c)
	return refusals{c}
}

// refusalCodes are the reasons that are counted.
var refusalCodes = map[string]bool{
	"spool_full": true, "recording_failed": true, "recording_key_unavailable": true, "evidence_key_unavailable": true, endNoCustody: true, "audit_unavailable": true,
}

func (r refusals) count(err error) {
	if r.CounterVec == nil {
		return
	}
	code := ""
	if e, ok := errors.AsType[*api.Error](err); ok {
		code = e.Code
	} else if errors.Is(err, audit.ErrUnavailable) {
		code = "audit_unavailable"
	} else if errors.Is(err, vault.ErrUnavailable) {
		code = "recording_key_unavailable"
	}
	if refusalCodes[code] {
		r.WithLabelValues(code).Inc()
	}
}
