package credssp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// middle is a man in the middle: he has a TLS key of his own, which the client was made to accept, and relays CredSSP
// to the real server. He reads all that both sides say within TLS.
type middle struct {
	toServer, toClient func(n int, m TSRequest) TSRequest // may alter message n of a side

	mu   sync.Mutex
	seen []TSRequest // of the client
}

// relay plays the game over two TLS connections until one side ends it.
func (m *middle) relay(client, server net.Conn) {
	var wg sync.WaitGroup
	pass := func(from, to net.Conn, change func(int, TSRequest) TSRequest, note bool) {
		defer to.Close()
		for n := 0; ; n++ {
			b, err := readTSRequest(from)
			if err != nil {
				return
			}
			request, err := DecodeTSRequest(b)
			if err != nil {
				return
			}
			if note {
				m.mu.Lock()
				m.seen = append(m.seen, request)
				m.mu.Unlock()
			}
			if change != nil {
				b = change(n, request).Append(nil)
			}
			if _, err := to.Write(b); err != nil {
				return
			}
		}
	}
	wg.Go(func() { pass(client, server, m.toServer, true) })
	wg.Go(func() { pass(server, client, m.toClient, false) })
	wg.Wait()
}

// tlsPair returns both ends of a TLS connection to a server with this certificate.
func tlsPair(t *testing.T, cert *testbed.Cert) (client, server *tls.Conn) {
	t.Helper()
	a, b := pipe(t)
	client = tls.Client(a, &tls.Config{RootCAs: cert.Pool, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	server = tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert.TLS}, MinVersion: tls.VersionTLS12})
	shaken := make(chan error, 1)
	go func() { shaken <- server.HandshakeContext(t.Context()) }() // ends with the pipe
	if err := errors.Join(client.HandshakeContext(t.Context()), <-shaken); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// TestManInTheMiddle proves that credentials never reach somebody with another TLS key, whatever he does with the
// messages, and that the client says what may be wrong.
func TestManInTheMiddle(t *testing.T) {
	real, his := testbed.NewCert(t, "localhost"), testbed.NewCert(t, "localhost")
	leaf := func(c *testbed.Cert) *x509.Certificate {
		cert, err := x509.ParseCertificate(c.TLS.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	hisKey, err := SubjectPublicKey(leaf(his))
	if err != nil {
		t.Fatal(err)
	}
	dropCode := func(_ int, m TSRequest) TSRequest {
		if m.ErrorCode != 0 {
			m.ErrorCode, m.PubKeyAuth = 0, make([]byte, 48)
		}
		return m
	}
	lowered := func(_ int, m TSRequest) TSRequest {
		m.Version, m.ClientNonce = 2, nil
		return m
	}
	var echo []byte
	// A server that does not look at the channel bindings of NTLM, as most: only pubKeyAuth is between him and the
	// credentials.
	unbound := *leaf(real)
	unbound.Raw = his.TLS.Certificate[0]
	for name, c := range map[string]struct {
		middle *middle
		want   error
	}{
		"relays":             {&middle{}, desktop.ErrCertificate},
		"hides the code":     {&middle{toClient: dropCode}, desktop.ErrCertificate},
		"lowers the version": {&middle{toServer: lowered, toClient: func(n int, m TSRequest) TSRequest { return dropCode(n, lowered(n, m)) }}, desktop.ErrAuth},
		"echoes the client's proof": {&middle{
			toServer: func(_ int, m TSRequest) TSRequest {
				if m.PubKeyAuth != nil {
					echo = slices.Clone(m.PubKeyAuth)
				}
				return m
			},
			toClient: func(_ int, m TSRequest) TSRequest {
				if m.ErrorCode != 0 {
					m.ErrorCode, m.PubKeyAuth = 0, echo
				}
				return m
			},
		}, desktop.ErrCertificate},
		"sends the key bare": {&middle{toClient: func(_ int, m TSRequest) TSRequest {
			if m.ErrorCode != 0 {
				m.ErrorCode, m.PubKeyAuth = 0, serverProof(2, hisKey, nil)
			}
			return m
		}}, desktop.ErrCertificate},
		"hangs up": {&middle{toClient: func(n int, m TSRequest) TSRequest {
			if n > 0 {
				return TSRequest{Version: -1} // ends the client's reading
			}
			return m
		}}, desktop.ErrProtocol},
	} {
		play := func(t *testing.T, cert *x509.Certificate) {
			clientEnd, hisServerEnd := tlsPair(t, his)
			hisClientEnd, serverEnd := tlsPair(t, real)
			c.middle.seen = nil
			var wg sync.WaitGroup
			wg.Go(func() { c.middle.relay(hisServerEnd, hisClientEnd) })
			s := NewServer(ServerConfig{Certificate: cert, Lookup: lookup})
			var serverErr error
			wg.Go(func() {
				serverErr = s.Authenticate(serverEnd)
				serverEnd.Close()
			})
			cfg := clientConfig()
			cfg.Random, cfg.Now = nil, nil
			cfg.Certificate = clientEnd.ConnectionState().PeerCertificates[0] // accepted, by mistake
			err := NewClient(cfg).Authenticate(clientEnd)
			clientEnd.Close()
			wg.Wait()
			if !errors.Is(err, c.want) || serverErr == nil {
				t.Errorf("client: %v; server: %v", err, serverErr)
			}
			if len(c.middle.seen) < 2 {
				t.Fatalf("he has seen %d messages, nothing was tried", len(c.middle.seen))
			}
			var seen [][]byte
			for _, m := range c.middle.seen {
				seen = append(seen, m.Append(nil))
			}
			checkNothingLeft(t, seen)
			if s.Credentials() != (Credentials{}) {
				t.Error("the server got credentials")
			}
		}
		t.Run(name, func(t *testing.T) { play(t, &unbound) })
		t.Run(name+", server with bindings", func(t *testing.T) { play(t, leaf(real)) })
	}
	t.Run("nobody between", func(t *testing.T) { // else the above proves nothing
		clientEnd, serverEnd := tlsPair(t, real)
		s := NewServer(ServerConfig{Certificate: leaf(real), Lookup: lookup})
		served := make(chan error, 1)
		go func() { served <- s.Authenticate(serverEnd) }() // ends with the pipe
		cfg := clientConfig()
		cfg.Random, cfg.Now = nil, nil
		cfg.Certificate = clientEnd.ConnectionState().PeerCertificates[0]
		if err := errors.Join(NewClient(cfg).Authenticate(clientEnd), <-served); err != nil || s.Credentials() != cfg.Credentials {
			t.Errorf("%v", err)
		}
	})
}
