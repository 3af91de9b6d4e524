package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// selfSigned returns a certificate that signs itself, and its parsed form.
func selfSigned(t *testing.T, names ...string) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "target.test"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, cert
}

// handshake performs TLS with a server that shows cert, and returns what the client's side makes of it.
func handshake(t *testing.T, p Policy, dialled string, cert tls.Certificate, maxVersion uint16) error {
	t.Helper()
	cfg, err := p.ClientConfig(dialled)
	if err != nil {
		return err
	}
	// A real socket: over net.Pipe both sides would wait for the other to read their last word.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		far, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: maxVersion})
		if server.Handshake() == nil {
			_, _ = io.Copy(io.Discard, server)
		}
		far.Close()
	}()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	err = tls.Client(near, cfg).Handshake()
	near.Close()
	<-done
	if err != nil {
		return Error(err)
	}
	return nil
}

func TestPolicy(t *testing.T) {
	ours, cert := selfSigned(t, "target.test")
	nameless, namelessCert := selfSigned(t)
	_, other := selfSigned(t, "target.test")
	pool := func(c *x509.Certificate) *x509.CertPool {
		p := x509.NewCertPool()
		p.AddCert(c)
		return p
	}
	pin, wrong := Of(cert), Of(other)
	for _, c := range []struct {
		name    string
		policy  Policy
		dialled string
		shows   tls.Certificate
		max     uint16
		want    error
		text    string
		first   bool // the fingerprint is reported as one of first use
	}{
		{name: "authority, name dialled", policy: Policy{Roots: pool(cert)}, dialled: "target.test", shows: ours},
		{name: "authority, name configured", policy: Policy{Roots: pool(cert), ServerName: "target.test"}, dialled: "192.0.2.1", shows: ours},
		{name: "TLS 1.2", policy: Policy{Roots: pool(cert)}, dialled: "target.test", shows: ours, max: tls.VersionTLS12},
		{name: "TLS 1.1", policy: Policy{Roots: pool(cert)}, dialled: "target.test", shows: ours, max: tls.VersionTLS11, want: desktop.ErrSecurity},
		{
			name: "another name", policy: Policy{Roots: pool(cert)}, dialled: "else.test", shows: ours, want: desktop.ErrCertificate,
			text: "it showed " + pin.Colons(),
		},
		{
			name: "another authority", policy: Policy{Roots: pool(other)}, dialled: "target.test", shows: ours, want: desktop.ErrCertificate,
			text: "unknown authority",
		},
		{
			name: "no alternative name", policy: Policy{Roots: pool(namelessCert)}, dialled: "target.test", shows: nameless,
			want: desktop.ErrCertificate, text: "SANs",
		},
		{name: "no name to verify", policy: Policy{Roots: pool(cert)}, shows: ours, want: desktop.ErrCertificate, text: "no name"},
		{name: "pin", policy: Policy{Fingerprint: pin, ServerName: "else.test"}, shows: ours},
		{
			name: "another pin, right authority", policy: Policy{Fingerprint: wrong, Roots: pool(cert)}, dialled: "target.test", shows: ours,
			want: desktop.ErrCertificate, text: "it showed " + pin.Colons() + ", the expected one is " + wrong.Colons(),
		},
		{name: "first use", policy: Policy{TrustFirst: true}, shows: ours, first: true},
		{name: "first use, another authority", policy: Policy{TrustFirst: true, Roots: pool(other)}, dialled: "x.test", shows: ours, first: true},
		{name: "first use was before", policy: Policy{TrustFirst: true, Fingerprint: pin}, shows: ours},
		{
			name: "first use was before and of another", policy: Policy{TrustFirst: true, Fingerprint: wrong}, shows: ours,
			want: desktop.ErrCertificate, text: "the expected one is",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var first []Fingerprint
			c.policy.OnFirstUse = func(f Fingerprint) { first = append(first, f) }
			err := handshake(t, c.policy, c.dialled, c.shows, c.max)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
			if (len(first) == 1 && first[0] == pin) != c.first {
				t.Errorf("reported as first use: %v", first)
			}
		})
	}
}

func TestFirstUseWithoutListener(t *testing.T) {
	cert, _ := selfSigned(t)
	if err := handshake(t, Policy{TrustFirst: true}, "", cert, 0); err != nil {
		t.Error(err)
	}
}

func TestError(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{io.EOF, desktop.ErrTargetGone},
		{fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), desktop.ErrTargetGone},
		{os.ErrDeadlineExceeded, desktop.ErrTimeout},
		{errors.New("tls: handshake failure"), desktop.ErrSecurity},
		{fmt.Errorf("more than asked for: %w", desktop.ErrProtocol), desktop.ErrProtocol},
	} {
		got := Error(c.err)
		if !errors.Is(got, c.want) {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
		if !errors.Is(c.want, desktop.ErrSecurity) && errors.Is(got, desktop.ErrSecurity) {
			t.Errorf("%v: %v is a security error too", c.err, got)
		}
	}
}
