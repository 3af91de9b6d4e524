package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/testbed/link"
)

// TestRelay shows and takes a session whose media is bound to the gateway's loopback interface: from the browser's end of the link no
// way leads there but the relay.
func TestRelay(t *testing.T) {
	for _, tc := range []struct {
		name  string
		turn  string // %[1]s: the address of the gateway's end of the link, %[2]d: a port, %[3]s and %[4]s: certificate and key
		link  link.Conditions
		wants string // a transport that must have been used
	}{
		{"UDP", `{udp: "%[1]s:%[2]d", public_host: "%[1]s", relay_only: true}`, link.Conditions{Delay: 10 * time.Millisecond}, "udp"},
		{"TCP without UDP", `{udp: "%[1]s:%[2]d", tcp: "%[1]s:%[2]d", public_host: "%[1]s", relay_only: true}`, link.Conditions{Delay: 10 * time.Millisecond, BlockUDP: true}, "tcp"},
		{"TLS without UDP", `{tls: "%[1]s:%[2]d", public_host: "%[1]s", cert_file: "%[3]s", key_file: "%[4]s"}`, link.Conditions{Delay: 10 * time.Millisecond, BlockUDP: true}, "tcp"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			requireConsole(t)
			testbed.Require(t, "Xvnc", "xterm", "xdotool", "display", testbed.Python)
			over := testbed.StartLink(t, 1)
			cert := testbed.NewCert(t, over.Host.String())
			chromiumTrusts(t, cert)
			d := &farDesk{t: t, links: []*link.Link{over}, x: testbed.StartXvnc(t, testbed.XvncOptions{Size: exactSize})}
			testbed.PaintWallpaper(t, &d.x.X)
			figures := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
			d.gateway = startGateway(t, fmt.Sprintf("turn: "+tc.turn+"\n", over.Host, testbed.FreePort(t), cert.CertFile, cert.KeyFile)+
				fmt.Sprintf("metrics: {listen: %q}\nlog: {level: debug}\ntargets:\n  - {id: desk, name: Desk, protocol: vnc, address: %q, tls: {mode: \"off\"}}\n", figures, d.x.Addr))
			typed := d.terminal()
			far := d.browse(exactSize)
			over.Set(tc.link)

			far.connect()
			far.b.mouse(60, 60, "left")
			far.b.typeText("through the relay\n")
			waitFile(t, typed, "through the relay\n")
			far.b.mouse(exactSize.X-1, exactSize.Y-1, "") // the pointer is a part of what is seen
			far.requireExact("typing")
			far.b.silent()

			f := scrape(t, figures)
			t.Logf("%v allocations, %v bytes to the browser, %v to the gateway, over %v connections", f["vitrine_turn_allocations_total"],
				f[`vitrine_turn_relayed_bytes_total{direction="to_browser"}`], f[`vitrine_turn_relayed_bytes_total{direction="to_gateway"}`], f["vitrine_turn_connections"])
			require.Greater(t, f[`vitrine_turn_relayed_bytes_total{direction="to_browser"}`], 10_000.0)
			require.Positive(t, f["vitrine_turn_allocations"])
			require.Contains(t, d.gateway.logs(), "transport="+tc.wants)
			if tc.link.BlockUDP {
				require.Positive(t, f["vitrine_turn_connections"])
			}

			far.b.end()
			require.Eventually(t, func() bool {
				f := scrape(t, figures)
				return f["vitrine_turn_allocations"] == 0 && f["vitrine_turn_connections"] == 0
			}, patience, 100*time.Millisecond, "the relay outlives the session")
		})
	}
}

// chromiumTrusts has Chromium take a certificate that nobody signed: one named chromium comes first that starts the other so.
func chromiumTrusts(t *testing.T, cert *testbed.Cert) {
	t.Helper()
	leaf, err := x509.ParseCertificate(cert.TLS.Certificate[0])
	require.NoError(t, err)
	key := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	dir := t.TempDir()
	start := fmt.Sprintf("#!/bin/sh\nexec %q --ignore-certificate-errors-spki-list=%s \"$@\"\n", testbed.Chromium(t), base64.StdEncoding.EncodeToString(key[:]))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "chromium"), []byte(start), 0o700))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// scrape reads the figures of a Prometheus endpoint, by name and labels.
func scrape(t *testing.T, address string) map[string]float64 {
	t.Helper()
	res, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	figures := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && !strings.HasPrefix(name, "#") {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				figures[name] = v
			}
		}
	}
	return figures
}
