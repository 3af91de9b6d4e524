package credssp

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "pässw0rd-of-tests"

// certificate returns a certificate with nothing but a key of these bits.
func certificate(bits string) *x509.Certificate {
	spki := der.Element(der.Sequence, der.Element(der.Sequence), der.Element(der.BitString, append([]byte{0}, bits...)))
	return &x509.Certificate{RawSubjectPublicKeyInfo: spki, Raw: []byte("certificate of " + bits), SignatureAlgorithm: x509.SHA256WithRSA}
}

// counter is a source of bytes that are the same every time.
type counter byte

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(*c)
		*c++
	}
	return len(b), nil
}

func then() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func lookup(_, username string) (ntlm.Hash, bool) { return ntlm.NTHash(password), username == "alice" }

func clientConfig() ClientConfig {
	return ClientConfig{
		Credentials: Credentials{Domain: "DOM", Username: "alice", Password: password},
		Certificate: certificate("public key"), ServerName: "host", Workstation: "gate", Random: new(counter), Now: then,
	}
}

func serverConfig() ServerConfig {
	return ServerConfig{Certificate: certificate("public key"), Lookup: lookup, Computer: "SRV", Random: new(counter), Now: then}
}

// run steps both sides to their ends and returns all messages in order. What the server says with its error reaches
// the client.
func run(t testing.TB, c *Client, s *Server) (messages [][]byte, clientErr, serverErr error) {
	t.Helper()
	var in []byte
	for range maxSteps {
		out, done, err := c.Step(in)
		if err != nil {
			return messages, err, serverErr
		}
		messages = append(messages, out)
		in, _, serverErr = s.Step(out)
		if len(in) > 0 {
			messages = append(messages, in)
		}
		if done || len(in) == 0 {
			return messages, nil, serverErr
		}
	}
	t.Fatal("no end")
	return nil, nil, nil
}

// pipe returns both ends of a connection with a deadline.
func pipe(t *testing.T) (a, b net.Conn) {
	t.Helper()
	a, b = net.Pipe()
	for _, conn := range []net.Conn{a, b} {
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { conn.Close() })
	}
	return a, b
}

// recorded is a connection on which everything was said beforehand.
type recorded struct {
	io.Reader
	wrote []byte
}

func (r *recorded) Write(b []byte) (int, error) {
	r.wrote = append(r.wrote, b...)
	return len(b), nil
}

// hasSentinel reports whether an error says what to do about it.
func hasSentinel(err error) bool {
	for _, known := range sentinels {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
