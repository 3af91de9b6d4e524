package serve

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSelfSigned(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	folder, now := filepath.Join(t.TempDir(), "tls"), time.Now()
	cert, key, err := selfSigned(folder, "gw.example.com:8443", now, logger)
	require.NoError(t, err)
	for _, file := range []string{cert, key} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	sum := sha256.Sum256(pair.Certificate[0])
	require.Contains(t, log.String(), hex.EncodeToString(sum[:]))
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	for _, name := range []string{"localhost", "gw.example.com", "127.0.0.1", "::1"} {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool})
		require.NoError(t, err, name)
	}
	require.Error(t, pair.Leaf.VerifyHostname("other.example.com"))

	again := func(at time.Time) *x509.Certificate {
		cert, key, err := selfSigned(folder, ":8443", at, logger)
		require.NoError(t, err)
		pair, err := tls.LoadX509KeyPair(cert, key)
		require.NoError(t, err)
		return pair.Leaf
	}
	require.Equal(t, pair.Leaf.SerialNumber, again(now.Add(300*24*time.Hour)).SerialNumber, "people have accepted it: it stays")
	require.NotEqual(t, pair.Leaf.SerialNumber, again(now.Add(390*24*time.Hour)).SerialNumber, "it was about to expire")
	require.NoError(t, os.WriteFile(cert, []byte("damaged"), 0o600))
	_, _, err = selfSigned(folder, ":8443", now, logger)
	require.Error(t, err, "what is there and cannot be read is looked at by a person")
}

// TestCertificateIsReadAgain: a renewed certificate is taken without a restart, a broken one is not.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	renew := func(age time.Duration) {
		require.NoError(t, browsersOwn.make(dir, cert, key, "gw.test:1", time.Now()))
		when := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(cert, when, when))
	}
	renew(time.Hour)
	c := &certificate{cert: cert, key: key, log: slog.New(slog.DiscardHandler)}
	require.NoError(t, c.load())
	serial := func() string {
		pair, err := c.get(nil)
		require.NoError(t, err)
		return pair.Leaf.SerialNumber.String()
	}
	first := serial()
	renew(0)
	require.Equal(t, first, serial(), "the file was looked at a moment ago")
	c.looked = time.Time{}
	second := serial()
	require.NotEqual(t, first, second)
	require.NoError(t, os.WriteFile(cert, []byte("half"), 0o600))
	c.looked = time.Time{}
	require.Equal(t, second, serial())
}

// TestFirstRunOffLoopback: with nothing said about TLS, what is off loopback speaks only TLS.
func TestFirstRunOffLoopback(t *testing.T) {
	g := start(t, t.TempDir(), "http: {listen: \"0.0.0.0:8443\"}\n")
	defer g.end()
	require.True(t, strings.HasPrefix(g.url, "https://"), g.url)
	addr := strings.TrimPrefix(g.url, "https://")
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // its certificate is looked at below
	require.NoError(t, err)
	defer conn.Close()
	leaf := conn.ConnectionState().PeerCertificates[0]
	require.NoError(t, leaf.VerifyHostname("127.0.0.1"))
	sum := sha256.Sum256(leaf.Raw)
	require.Contains(t, g.log.String(), hex.EncodeToString(sum[:]))
	plain, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer plain.Close()
	_, err = plain.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	answer := make([]byte, 100)
	n, err := plain.Read(answer)
	require.NoError(t, err)
	require.Contains(t, string(answer[:n]), "400 Bad Request")
}
