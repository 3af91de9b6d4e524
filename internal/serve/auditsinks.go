package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitrine-psm/vitrine/internal/audit/stream"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/notify"
)

// openSinks makes what the audit log is sent on to; nil when that is nowhere.
func (g *Gateway) openSinks(version string) (*stream.Streamer, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	var sinks []stream.Sink
	for _, c := range g.cfg.Audit.Sinks {
		sender, err := newSender(c, stream.Header{Host: host, Version: version, Format: stream.Format(c.Format)})
		if err != nil {
			return nil, fmt.Errorf("serve: audit sink %s: %w", c.Name, err)
		}
		sinks = append(sinks, stream.Sink{Name: c.Name, Type: c.Type, Sender: sender})
	}
	if len(sinks) == 0 {
		return nil, nil
	}
	s := stream.New(stream.Options{
		Audit: g.db.Audit, Log: g.audit, Sinks: sinks, Owner: ulid.Make().String(), Logger: g.log.With("component", "audit_sinks"),
	})
	g.registry.MustRegister(sinkLag{s, prometheus.NewDesc("vitrine_audit_sink_behind", "Audit entries not sent on to the sink yet.", []string{"sink"}, nil)})
	return s, nil
}

// sinkLag shows how far sinks are behind.
type sinkLag struct {
	streamer *stream.Streamer
	desc     *prometheus.Desc
}

func (s sinkLag) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

func (s sinkLag) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	states, err := s.streamer.States(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(s.desc, err)
		return
	}
	for _, state := range states {
		ch <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, float64(state.Behind), state.Name)
	}
}

func newSender(c config.AuditSink, header stream.Header) (stream.Sender, error) {
	switch c.Type {
	case config.SinkFile:
		return &stream.File{Path: c.Path}, nil
	case config.SinkWebhook:
		poster, err := notify.NewPoster(notify.Webhook{Name: c.Name, URL: c.URL, Secret: c.Secret.Reveal(), CAFile: c.CAFile})
		return hook{poster}, err
	}
	s := &stream.Syslog{Network: c.Network, Address: c.Address, Header: header}
	if c.Network != config.SyslogTLS {
		return s, nil
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, err
	}
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.ServerName != "" {
		s.TLS.ServerName = c.ServerName
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		if s.TLS.RootCAs = x509.NewCertPool(); !s.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, err
		}
		s.TLS.Certificates = []tls.Certificate{pair}
	}
	return s, nil
}

// hook posts entries as {"type":"audit.entries","entries":[…]}, signed as notifications are. The id names what is in it,
// so that a receiver knows what it has had.
type hook struct{ poster *notify.Poster }

var _ stream.Sender = hook{}

func (h hook) Send(ctx context.Context, items []stream.Item) error {
	body := struct {
		Type    string            `json:"type"`
		Entries []json.RawMessage `json:"entries"`
	}{Type: "audit.entries"}
	for _, i := range items {
		entry := json.RawMessage(i.JSON)
		if !json.Valid(entry) { // altered in the database; it is sent on as text
			quoted, err := json.Marshal(i.JSON)
			if err != nil {
				return err
			}
			entry = quoted
		}
		body.Entries = append(body.Entries, entry)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // entries stay the bytes that were hashed
	if err := enc.Encode(body); err != nil {
		return err
	}
	return h.poster.Post(ctx, fmt.Sprintf("audit_%d_%d", items[0].Index, items[len(items)-1].Index), text.String())
}

func (h hook) Close() error { return h.poster.Close() }
