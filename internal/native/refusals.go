package native

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/ticket"
)

// refusal is somebody who was not let in.
type refusal struct {
	cause  string
	source netip.Addr
	bound  *ticket.Bound // what the ticket is for; nil: none
	name   string        // of the person, where they are known
}

const (
	// quietFor is how long refusals of one kind from one address are only counted, after one was written down.
	quietFor = time.Minute
	// maxKinds bounds those that are counted; beyond, all go into one entry for everybody else.
	maxKinds = 1000
)

// refusals writes refusals into the audit log, a flood of them as one entry a minute with their number.
type refusals struct {
	audit audit.Recorder
	log   *slog.Logger
	now   func() time.Time

	mu   sync.Mutex
	seen map[refusalKey]*quiet // at most maxKinds, and one
}

type refusalKey struct {
	cause, user string
	source      netip.Addr
}

type quiet struct {
	until time.Time
	count int // not written down
}

func newRefusals(a audit.Recorder, log *slog.Logger) *refusals {
	return &refusals{audit: a, log: log, now: time.Now, seen: map[refusalKey]*quiet{}}
}

// note writes r down, unless one like it was a moment ago.
func (f *refusals) note(ctx context.Context, r refusal) {
	key := refusalKey{cause: r.cause, source: r.source}
	if r.bound != nil {
		key.user = r.bound.UserID
	}
	count, write := f.count(key)
	if !write {
		return
	}
	e := audit.Entry{
		Actor: audit.Actor{Kind: audit.KindAnonymous}, Source: r.source.String(), Action: "native_client_refused", Outcome: audit.Denied,
		Object: audit.Object{Kind: "gateway"}, Details: map[string]string{"cause": r.cause},
	}
	if b := r.bound; b != nil {
		// Whose ticket it was, not who came with it.
		e.Object = audit.Object{Kind: "target", ID: b.TargetID}
		e.Details["ticket_user_id"], e.Details["ticket_user_name"] = b.UserID, b.UserName
	}
	if r.name != "" {
		e.Details["user_name"] = r.name
	}
	if count > 0 {
		e.Details["repeated"] = strconv.Itoa(count)
	}
	f.log.WarnContext(ctx, "native client refused", "cause", r.cause, "client_address", r.source.String(), "repeated", count)
	if err := f.audit.Record(ctx, e); err != nil {
		f.log.ErrorContext(ctx, "not in the audit log", "action", e.Action, "error", err)
	}
}

// count counts a refusal and tells whether to write it down, and how many there were before it that were not.
func (f *refusals) count(key refusalKey) (before int, write bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	q := f.seen[key]
	if q == nil && len(f.seen) >= maxKinds {
		for k, old := range f.seen {
			if now.After(old.until) {
				delete(f.seen, k)
			}
		}
		if len(f.seen) >= maxKinds {
			key = refusalKey{cause: key.cause}
			q = f.seen[key]
		}
	}
	if q == nil {
		q = &quiet{}
		f.seen[key] = q
	}
	if now.Before(q.until) {
		q.count++
		return 0, false
	}
	before, q.count, q.until = q.count, 0, now.Add(quietFor)
	return before, true
}

// metrics count what happens at the door.
type metrics struct {
	accepted, handed prometheus.Counter
	present          prometheus.Gauge
	refused, failed  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		accepted: prometheus.NewCounter(prometheus.CounterOpts{Name: "vitrine_native_connections_total", Help: "Connections of native clients that were taken."}),
		handed:   prometheus.NewCounter(prometheus.CounterOpts{Name: "vitrine_native_sessions_total", Help: "Native clients handed to sessions."}),
		present:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "vitrine_native_connections", Help: "Native clients that are connected."}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitrine_native_refused_total", Help: "Native clients that were refused."}, []string{"cause"}),
		failed:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitrine_native_handshake_failures_total", Help: "Connections that ended before the client had said who it is."}, []string{"stage"}),
	}
	if r != nil {
		r.MustRegister(m.accepted, m.handed, m.present, m.refused, m.failed)
	}
	return m
}
