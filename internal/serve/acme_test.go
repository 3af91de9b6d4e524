package serve

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestACME: certificates come from a real ACME server, by both kinds of challenge, for the configured names only, and are
// kept for the next start.
func TestACME(t *testing.T) {
	if testing.Short() {
		t.Skip("starts an ACME server")
	}
	for _, challenge := range []string{"tls-alpn-01", "http-01"} {
		t.Run(challenge, func(t *testing.T) {
			secure, plain, nowhere := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t)), fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t)), fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
			ca, listenHTTP := testbed.StartPebble(t, secure, nowhere), ""
			if challenge == "http-01" {
				ca, listenHTTP = testbed.StartPebble(t, nowhere, plain), fmt.Sprintf(", listen_http: %q", plain)
			}
			dir := t.TempDir()
			l, err := net.Listen("tcp", secure)
			require.NoError(t, err)
			yaml := fmt.Sprintf("http: {tls: {acme: {domains: [gw.example.com, second.example.com], email: a@example.com, directory_url: %q, ca_file: %q%s}}}\n",
				ca.DirectoryURL, ca.CAFile, listenHTTP)
			g := startOn(t, dir, yaml, l)
			dial := func(name string) (*tls.Conn, error) {
				return tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", secure, &tls.Config{ServerName: name, RootCAs: ca.Roots})
			}
			conn, err := dial("gw.example.com")
			require.NoError(t, err, "%s", g.log)
			serial := conn.ConnectionState().PeerCertificates[0].SerialNumber
			conn.Close()
			_, err = dial("attacker.example.com")
			require.Error(t, err, "nobody makes us ask for other names")
			if listenHTTP != "" {
				client := &http.Client{
					Transport:     &http.Transport{DisableKeepAlives: true},
					CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
				}
				res, err := client.Get("http://" + plain + "/sessions")
				require.NoError(t, err)
				res.Body.Close()
				require.Equal(t, http.StatusFound, res.StatusCode)
				require.Equal(t, "https://127.0.0.1/sessions", res.Header.Get("Location"))
			}
			cache := filepath.Join(dir, "data", "tls", "acme")
			files, err := os.ReadDir(cache)
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for _, f := range files {
				info, err := f.Info()
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
			}
			g.end()

			l, err = net.Listen("tcp", secure)
			require.NoError(t, err)
			g = startOn(t, dir, yaml, l)
			defer g.end()
			conn, err = dial("gw.example.com")
			require.NoError(t, err)
			defer conn.Close()
			require.Equal(t, serial, conn.ConnectionState().PeerCertificates[0].SerialNumber, "the one that was kept")
		})
	}
}
