package testbed

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Pebble is Let's Encrypt's ACME server for tests, in whose world every name is this machine.
type Pebble struct {
	DirectoryURL string
	CAFile       string         // who its own server is known by
	Roots        *x509.CertPool // of the certificates it hands out
}

// StartPebble starts the server that deploy/install-deps.sh built, or the one VITRINE_PEBBLE names. It asks who wants a
// certificate at tlsAddr (tls-alpn-01) or httpAddr (http-01), addresses on loopback.
func StartPebble(t TB, tlsAddr, httpAddr string) *Pebble {
	t.Helper()
	program, err := cached("pebble", "VITRINE_PEBBLE")
	if err != nil {
		unavailable(t, err.Error())
	}
	dir, listen, manage := t.TempDir(), freeAddr(t), freeAddr(t)
	own := NewCert(t, "127.0.0.1")
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": own.CertFile, "privateKey": own.KeyFile,
		"tlsPort": portNumber(t, tlsAddr), "httpPort": portNumber(t, httpAddr),
	}})
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	p := start(t, spawn{
		name: program, args: []string{"-config", file, "-dnsserver", loopbackDNS(t)},
		env: []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0"},
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: own.Pool}}}
	pebble := &Pebble{DirectoryURL: "https://" + listen + "/dir", CAFile: own.CertFile, Roots: x509.NewCertPool()}
	Eventually(t, startTimeout, "pebble answers", func() bool {
		if !p.Alive() {
			t.Fatalf("testbed: pebble has ended\n%s", p.Output())
		}
		res, err := client.Get("https://" + manage + "/roots/0")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		root, err := io.ReadAll(res.Body)
		return err == nil && pebble.Roots.AppendCertsFromPEM(root)
	})
	return pebble
}

func portNumber(t TB, addr string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return a.Port
}

// loopbackDNS is a name server that says 127.0.0.1 of every name, and nothing else.
func loopbackDNS(t TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	done := make(chan struct{})
	go func() { // ends when conn is closed
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
				}}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		select {
		case <-done:
		case <-time.After(startTimeout):
		}
	})
	return conn.LocalAddr().String()
}
