package native

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
)

// File is one end of a socket that another process gets.
type File = *os.File

// Options are what a Door is made of. All are needed unless said otherwise.
type Options struct {
	Tickets  Tickets
	Identity Identity
	Desks    Desks
	// Certificate is asked for each connection.
	Certificate func() (*tls.Certificate, error)
	Limits      Limits
	// HandshakeTimeout bounds how long a client may take to say who it is, SignInTimeout how long a person may sit before the
	// sign-in screen without doing anything.
	HandshakeTimeout, SignInTimeout time.Duration
	Name                            string // of the gateway, for people
	Audit                           audit.Recorder
	Registry                        prometheus.Registerer
	Logger                          *slog.Logger
}

// Door lets native clients in. Serve may be called for several listeners.
type Door struct {
	Options
	crowd   *crowd
	refused *refusals
	codes   *codes
	returns *returns
	metrics metrics
}

// New returns a Door.
func New(opts Options) *Door {
	return &Door{
		Options: opts, crowd: newCrowd(opts.Limits), refused: newRefusals(opts.Audit, opts.Logger), codes: newCodes(), returns: newReturns(), metrics: newMetrics(opts.Registry),
	}
}

// Serve lets clients in until ctx ends, and closes l. It returns when all are gone: those in sessions go with their sessions,
// which whoever ends ctx ends as well.
func (d *Door) Serve(ctx context.Context, l net.Listener, security rdpserver.Security) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var guests sync.WaitGroup
	defer guests.Wait()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Too many open files, mostly: those who are here leave some day.
			d.Logger.Error("native client not accepted", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		source := sourceOf(conn)
		place, cause := d.crowd.enter(source, conn)
		if place == nil {
			conn.Close()
			d.refuse(ctx, refusal{cause: cause, source: source})
			continue
		}
		guests.Go(func() {
			defer place.leave()
			d.welcome(ctx, conn, source, place, security)
		})
	}
}

func sourceOf(conn net.Conn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// welcome finds out who a client is.
func (d *Door) welcome(ctx context.Context, conn net.Conn, source netip.Addr, place *place, security rdpserver.Security) {
	d.metrics.accepted.Inc()
	d.metrics.present.Inc()
	defer d.metrics.present.Dec()
	cert, err := d.Certificate()
	if err != nil {
		conn.Close()
		d.Logger.Error("no certificate for native clients", "error", err)
		return
	}
	log := d.Logger.With("client_address", source.String())
	var tried string // the name of the one-time password that was asked for
	client, err := rdpserver.Accept(ctx, conn, rdpserver.AcceptConfig{
		Certificate: *cert, Security: security, Timeout: d.HandshakeTimeout, Logger: log,
		Lookup: func(_, username string) (ntlm.Hash, bool) {
			hash, ok := d.Tickets.Prove(username)
			if ok {
				tried = username
			} else {
				d.refuseProof(ctx, username, source)
			}
			return hash, ok
		},
	})
	if tried != "" {
		// Whatever went wrong after the proof, it was proved: a client that only tries to sign in uses its password up.
		proved := !errors.Is(err, rdpserver.ErrAuthentication)
		d.Tickets.Proved(tried, proved)
		if !proved {
			d.refuseProof(ctx, tried, source)
		}
	}
	if err != nil {
		place.known()
		if ctx.Err() == nil && !place.evicted() {
			d.metrics.failed.WithLabelValues(handshakeFailure(err)).Inc()
			log.Debug("native client did not say who it is", "error", err)
		}
		return
	}
	place.known()
	g := &guest{d: d, client: client, hello: client.Hello, source: source, log: log.With("client_name", client.Hello.ClientName)}
	g.run(ctx)
}

func handshakeFailure(err error) string {
	switch {
	case errors.Is(err, rdpserver.ErrNegotiation):
		return "negotiation"
	case errors.Is(err, rdpserver.ErrAuthentication):
		return "authentication"
	case errors.Is(err, rdpserver.ErrTimeout):
		return "timeout"
	case rdpserver.IsProtocol(err):
		return "protocol"
	}
	return "connection"
}

// refuseProof writes down why a one-time password was not proved.
func (d *Door) refuseProof(ctx context.Context, id string, source netip.Addr) {
	e := d.Tickets.Refused(ctx, id)
	d.refuse(ctx, refusal{cause: string(e.Cause), source: source, bound: e.Bound})
}

// refuse counts a refusal and writes it down.
func (d *Door) refuse(ctx context.Context, r refusal) {
	d.metrics.refused.WithLabelValues(r.cause).Inc()
	d.refused.note(ctx, r)
}
