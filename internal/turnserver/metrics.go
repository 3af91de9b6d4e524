package turnserver

import "github.com/prometheus/client_golang/prometheus"

// reason says why something was refused; it is a label.
type reason string

const (
	refusedCredential reason = "credential" // wrong or expired, or its session is over
	refusedQuota      reason = "quota"      // too many allocations
	refusedPeer       reason = "peer"       // a permission for, or a packet to or from, what is not the session's media
	refusedKind       reason = "kind"       // allocations of a kind there is not: TCP, an address family without media
	refusedConnection reason = "connection" // too many connections
)

type metrics struct {
	allocations          prometheus.Counter
	refused              *prometheus.CounterVec
	toGateway, toBrowser prometheus.Counter // bytes
}

func newMetrics(r prometheus.Registerer, s *Server) *metrics {
	relayed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vitrine_turn_relayed_bytes_total", Help: "Bytes of datagrams relayed.",
	}, []string{"direction"})
	m := &metrics{
		allocations: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vitrine_turn_allocations_total", Help: "Allocations made.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vitrine_turn_refused_total", Help: "Requests, packets and connections refused.",
		}, []string{"reason"}),
		toGateway: relayed.WithLabelValues("to_gateway"), toBrowser: relayed.WithLabelValues("to_browser"),
	}
	for _, why := range []reason{refusedCredential, refusedQuota, refusedPeer, refusedKind, refusedConnection} {
		m.refused.WithLabelValues(string(why)) // so that it is there before it happens
	}
	r.MustRegister(m.allocations, m.refused, relayed,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vitrine_turn_allocations", Help: "Allocations there are."},
			func() float64 { return float64(s.relays.count()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vitrine_turn_connections", Help: "TCP and TLS connections there are."},
			func() float64 { return float64(s.clients.count()) }),
	)
	return m
}
