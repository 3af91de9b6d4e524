package vncclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// authority is a certificate authority with one server certificate, valid around the time of synctest's clock.
type authority struct {
	pool *x509.CertPool
	cert tls.Certificate
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	validity := func(c *x509.Certificate) *x509.Certificate {
		c.SerialNumber = big.NewInt(time.Now().UnixNano())
		c.NotBefore, c.NotAfter = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
		return c
	}
	ca := validity(&x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := validity(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}})
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return authority{pool, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
}

func TestVeNCrypt(t *testing.T) {
	const host = "target.test"
	ours, other := newAuthority(t, host), newAuthority(t, host)
	pin := trust.Fingerprint(sha256.Sum256(ours.cert.Certificate[0]))
	challenge := make([]byte, 16)
	login := func(cfg Config) Config {
		cfg.Username, cfg.Password = "ann", "Vnc0Pass"
		return cfg
	}
	verified := trust.Policy{Roots: ours.pool, ServerName: host}
	for _, c := range []struct {
		name    string
		cfg     Config
		offer   []uint32
		subtype uint32
		max     uint16 // TLS version of the server
		want    error  // ErrTargetGone: the session was good
	}{
		{"none, by authority", Config{TLS: verified}, []uint32{258, 260}, 260, 0, desktop.ErrTargetGone},
		{"none, by fingerprint", Config{TLS: trust.Policy{Fingerprint: pin}}, []uint32{260}, 260, 0, desktop.ErrTargetGone},
		{"password", login(Config{TLS: verified}), []uint32{261, 260}, 261, 0, desktop.ErrTargetGone},
		{"password, TLS 1.2", login(Config{TLS: verified}), []uint32{261}, 261, tls.VersionTLS12, desktop.ErrTargetGone},
		{"username", login(Config{TLS: verified}), []uint32{260, 261, 262}, 262, 0, desktop.ErrTargetGone},
		{"pin instead of name", Config{TLS: trust.Policy{Fingerprint: pin, ServerName: "else"}}, []uint32{260}, 260, 0, desktop.ErrTargetGone},
		{"wrong fingerprint", login(Config{TLS: trust.Policy{Fingerprint: trust.Fingerprint{1}}}), []uint32{261}, 261, 0, desktop.ErrCertificate},
		{"wrong fingerprint, right authority", Config{TLS: trust.Policy{Fingerprint: trust.Fingerprint{1}, Roots: ours.pool, ServerName: host}}, []uint32{260}, 260, 0, desktop.ErrCertificate},
		{"wrong authority", Config{TLS: trust.Policy{Roots: other.pool, ServerName: host}}, []uint32{260}, 260, 0, desktop.ErrCertificate},
		{"system's authorities", Config{TLS: trust.Policy{ServerName: host}}, []uint32{260}, 260, 0, desktop.ErrCertificate},
		{"wrong name", Config{TLS: trust.Policy{Roots: ours.pool, ServerName: "other.test"}}, []uint32{260}, 260, 0, desktop.ErrCertificate},
		{"no name", Config{TLS: trust.Policy{Roots: ours.pool}}, []uint32{260}, 260, 0, desktop.ErrCertificate},
		{"TLS 1.1", Config{TLS: verified}, []uint32{260}, 260, tls.VersionTLS11, desktop.ErrSecurity},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := play(t, c.cfg, func(p *peer) {
				p.send("RFB 003.008\n")
				p.expect("RFB 003.008\n")
				p.send(1, securityVeNCrypt)
				p.expect(securityVeNCrypt)
				p.send(0, 2)
				p.expect(0, 2)
				p.send(0, len(c.offer))
				for _, s := range c.offer {
					p.send(s)
				}
				p.expect(c.subtype)
				p.send(1)
				server := tls.Server(p.Conn, &tls.Config{
					Certificates: []tls.Certificate{ours.cert}, MinVersion: tls.VersionTLS10, MaxVersion: c.max,
				})
				if good := errors.Is(c.want, desktop.ErrTargetGone); !good {
					// The server may learn of the refusal in its handshake or after.
					if err := server.Handshake(); err == nil {
						_, _ = io.Copy(io.Discard, server)
					}
					return
				}
				if err := server.Handshake(); err != nil {
					p.t.Error(err)
					return
				}
				p.Conn = server
				switch c.subtype {
				case 261:
					p.send(challenge)
					if _, err := io.ReadFull(p, make([]byte, 16)); err != nil {
						p.t.Error(err)
					}
				case 262:
					p.expect(uint32(3), uint32(8), "ann", "Vnc0Pass")
				}
				p.send(uint32(0))
				p.expect(1)
				p.send(serverInit(64, 48, "secure"))
				p.expectSetup(64, 48)
				p.send(msgBell)
				synctest.Wait()
				p.seen.want(p.t, "connected secure", "bell")
			})
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestVeNCryptWithoutTLS: TigerVNC lists its plaintext types as subtypes too.
func TestVeNCryptWithoutTLS(t *testing.T) {
	wantEnd(t, play(t, Config{AllowPlaintext: true, Password: "x"}, func(p *peer) {
		p.send("RFB 003.008\n")
		p.expect("RFB 003.008\n")
		p.send(2, securityVeNCrypt, securityVncAuth)
		p.expect(securityVeNCrypt)
		p.send(0, 2)
		p.expect(0, 2)
		p.send(0, 2, uint32(258), uint32(securityVncAuth))
		p.expect(uint32(securityVncAuth))
		p.send(make([]byte, 16))
		if _, err := io.ReadFull(p, make([]byte, 16)); err != nil {
			p.t.Error(err)
		}
		p.send(uint32(0))
		p.expect(1)
		p.send(serverInit(64, 48, "plain"))
		p.expectSetup(64, 48)
	}))
}
