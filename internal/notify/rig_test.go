package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// How long tests wait for what happens at once, and how often they look.
const (
	waitLong = 10 * time.Second
	tick     = 2 * time.Millisecond
)

const (
	hookSecret   = "a secret of some length"
	mailPassword = "correct horse battery"
)

// rig is a Service that runs, without long waits between tries.
type rig struct {
	*Service
	t   *testing.T
	log *lockedBuffer
}

func newRig(t *testing.T, db *store.Store, opts Options) *rig {
	t.Helper()
	r := &rig{t: t, log: &lockedBuffer{}}
	opts.DB, opts.Logger = db, slog.New(slog.NewTextHandler(r.log, nil))
	if opts.MaxWaiting == 0 {
		opts.MaxWaiting = 1000
	}
	var err error
	r.Service, err = New(opts)
	require.NoError(t, err)
	r.wait = func(int) time.Duration { return 0 }
	return r
}

// run delivers until the test ends, or stop is called.
func (r *rig) run() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(r.t, <-done)
		for _, w := range r.webhooks {
			w.client.CloseIdleConnections()
		}
		require.NotContains(r.t, r.log.String(), hookSecret)
		require.NotContains(r.t, r.log.String(), mailPassword)
		require.NotContains(r.t, r.log.String(), "token=")
	})
	r.t.Cleanup(stop)
	return stop
}

func (r *rig) publish(e Event) {
	r.t.Helper()
	require.NoError(r.t, r.Publish(r.t.Context(), e))
}

// retry makes what waits due at once.
func (r *rig) retry() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *rig) waiting() int {
	n, err := r.db.Outbox.Waiting(context.WithoutCancel(r.t.Context()))
	require.NoError(r.t, err)
	return n
}

func (r *rig) failed() int {
	n, err := r.db.Outbox.Failed(context.WithoutCancel(r.t.Context()))
	require.NoError(r.t, err)
	return n
}

// eventually retries until good.
func (r *rig) eventually(good func() bool) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { r.retry(); return good() }, waitLong, tick)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// certificate makes a certificate for 127.0.0.1 and the file of the authority that vouches for it: itself.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
