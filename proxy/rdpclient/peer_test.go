package rdpclient

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// peerCert is what peers show, made once because RSA keys take their time.
var peerCert = sync.OnceValue(func() *testbed.Cert { return newPeerCert("peer.test") })

// newPeerCert makes a certificate that outlives the test that asks first.
func newPeerCert(hosts ...string) *testbed.Cert {
	dir, err := os.MkdirTemp("", "rdpclient")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	return testbed.NewCert(outlives{dir: dir}, hosts...)
}

// peerCertIn makes a certificate that is valid in bubbles, whose clock begins at another time.
func peerCertIn(t *testing.T, hosts ...string) *testbed.Cert {
	t.Helper()
	var cert *testbed.Cert
	synctest.Test(t, func(*testing.T) { cert = newPeerCert(hosts...) })
	return cert
}

type outlives struct {
	testing.TB
	dir string
}

func (outlives) Helper()                           {}
func (outlives) Fatalf(format string, args ...any) { panic(format) }
func (o outlives) TempDir() string                 { return o.dir }

// scene is what a test is played with.
type scene struct {
	Config
	peer    rdptarget.Options
	redials bool // connections may be made anew
}

// stage is a Client at work in a bubble with a clock of its own, and the servers it meets.
type stage struct {
	*link
	scene scene
	lines chan net.Conn // far ends of connections nobody accepted yet; capacity 64, never closed

	mu       sync.Mutex
	ends     []net.Conn // all far ends
	dialled  []string   // addresses of Redial
	refusing error      // what Redial returns, if set
}

// play runs script against a Client in a bubble, in which it may stop or end by itself. When the script returns, all
// connections are closed and Run must end; what it ended with is returned.
func play(t *testing.T, sc scene, script func(s *stage)) error {
	t.Helper()
	var result error
	cert := peerCert()
	synctest.Test(t, func(t *testing.T) {
		if sc.peer.Certificate.Certificate == nil {
			sc.peer.Certificate = cert.TLS
		}
		if sc.TLS.Roots == nil && !sc.TLS.TrustFirst && sc.TLS.Fingerprint == (trust.Fingerprint{}) {
			sc.TLS.Fingerprint = cert.Fingerprint
		}
		if sc.peer.Size == (image.Point{}) {
			sc.peer.Size = image.Pt(64, 48)
		}
		s := &stage{scene: sc, lines: make(chan net.Conn, 64)}
		s.link = &link{t: t, observer: &recorder{}, log: &safeBuffer{}, done: make(chan struct{})}
		cfg := sc.Config
		cfg.Observer = s.observer
		cfg.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if sc.redials {
			cfg.Redial = s.redial
		}
		var err error
		if s.Client, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		if s.fb, err = desktop.NewFramebuffer(image.Pt(32, 32)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		s.cancel = cancel
		conn := s.line()
		go func() {
			defer close(s.done)
			s.err = s.Run(ctx, conn, s.fb)
		}()
		t.Cleanup(func() {
			s.hangUp()
			s.stop()
			if t.Failed() {
				t.Logf("ended: %v\nlog of the client:\n%s", s.err, s.log.String())
			}
		})
		script(s)
		s.hangUp()
		<-s.done
		result = s.err
	})
	return result
}

// line makes a connection and returns the client's end.
func (s *stage) line() net.Conn {
	near, far := net.Pipe()
	s.ends = append(s.ends, far)
	s.lines <- far
	return near
}

func (s *stage) redial(_ context.Context, address string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialled = append(s.dialled, address)
	if s.refusing != nil {
		return nil, s.refusing
	}
	return s.line(), nil
}

// refuse makes Redial fail with err from now on, or succeed again.
func (s *stage) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = err
}

// addresses returns those that were dialled.
func (s *stage) addresses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dialled)
}

// hangUp closes all connections, and there will be no more.
func (s *stage) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = errors.New("nobody there")
	for _, far := range s.ends {
		far.Close()
	}
}

// peer is the server's end of a connection, played by hand.
type peer struct {
	*rdptarget.Conn
	t *testing.T

	mu     sync.Mutex
	events []rdptarget.Event
	err    error // of reading, once it has failed
}

// accept waits for the client's next connection.
func (s *stage) accept() *peer {
	s.t.Helper()
	return s.acceptAs(s.scene.peer)
}

func (s *stage) acceptAs(o rdptarget.Options) *peer {
	s.t.Helper()
	select {
	case far := <-s.lines:
		return &peer{Conn: rdptarget.New(far, o), t: s.t}
	case <-s.done:
		s.t.Fatalf("no connection: the client ended: %v", s.err)
	}
	return nil
}

// open takes the client's next connection through the handshake.
func (s *stage) open() *peer {
	s.t.Helper()
	p := s.accept()
	p.opens()
	return p
}

// opens takes the client through the handshake.
func (p *peer) opens() {
	p.t.Helper()
	p.must(p.Handshake())
	go p.listen()
	synctest.Wait()
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// listen remembers what the client sends.
func (p *peer) listen() {
	for {
		e, err := p.Next()
		p.mu.Lock()
		if err != nil {
			p.err = err
			p.mu.Unlock()
			return
		}
		p.events = append(p.events, e)
		p.mu.Unlock()
	}
}

// heard returns what the client has sent since the last call.
func (p *peer) heard() []rdptarget.Event {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := p.events
	p.events = nil
	return heard
}

// inputs returns the input events among what the client has sent since the last call, all of which must have come on the
// fast path, or none.
func (p *peer) inputs(fastPath bool) []rdp.InputEvent {
	p.t.Helper()
	var in []rdp.InputEvent
	for _, e := range p.heard() {
		if e.Kind == rdptarget.Input {
			if e.FastPath != fastPath {
				p.t.Errorf("input %v: fast path %v", e.Input, e.FastPath)
			}
			in = append(in, e.Input)
		}
	}
	return in
}

// gone reports whether the client's end is closed.
func (p *peer) gone() bool {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

// wantEnd checks what a session ended with.
func wantEnd(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("ended with %v, want %v", err, want)
	}
}
