package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestConnectRefused connects to targets that cannot work: each says what is wrong, and the log holds no secret.
func TestConnectRefused(t *testing.T) {
	testbed.Require(t, "Xvnc", "x11vnc")
	cert := testbed.NewCert(t, "localhost", "127.0.0.1")
	x := testbed.StartXvnc(t, testbed.XvncOptions{Security: []string{"VncAuth", "X509Vnc"}, Password: "Vnc0Pass", Cert: cert})
	ssh := banner(t, "SSH-2.0-OpenSSH_9.2\r\n")
	mute := banner(t, "")
	g := startGateway(t, fmt.Sprintf(`session: {connect_timeout: 3s}
targets:
  - {id: password, name: Wrong password, protocol: vnc, address: "%[1]s", password: Wr0ngPass, tls: {mode: pin, fingerprint: "%[3]x"}}
  - {id: pin, name: Wrong pin, protocol: vnc, address: "%[1]s", password: Vnc0Pass, tls: {mode: pin, fingerprint: "%[2]s"}}
  - {id: verify, name: Unknown issuer, protocol: vnc, address: "%[1]s", password: Vnc0Pass, tls: {mode: verify}}
  - {id: pinned, name: Right pin, protocol: vnc, address: "%[1]s", password: Vnc0Pass, tls: {mode: pin, fingerprint: "%[3]x"}}
  - {id: nobody, name: Unreachable, protocol: vnc, address: "127.0.0.1:%[4]d", tls: {mode: "off"}}
  - {id: ssh, name: Not VNC, protocol: vnc, address: "%[5]s", tls: {mode: "off"}}
  - {id: mute, name: Says nothing, protocol: vnc, address: "%[6]s", tls: {mode: "off"}}
`, x.Addr, strings.Repeat("ab", 32), cert.Fingerprint, testbed.FreePort(t), ssh, mute))
	for target, want := range map[string]struct {
		status int
		code   string
	}{
		"password": {http.StatusBadGateway, "target_auth_failed"},
		"pin":      {http.StatusBadGateway, "target_certificate"},
		"verify":   {http.StatusBadGateway, "target_certificate"},
		"nobody":   {http.StatusBadGateway, "target_unreachable"},
		"ssh":      {http.StatusBadGateway, "target_wrong_protocol"},
		"mute":     {http.StatusGatewayTimeout, "target_timeout"},
		"missing":  {http.StatusNotFound, "target_not_found"},
	} {
		t.Run(target, func(t *testing.T) {
			var p problem
			g.call("POST", "/sessions", map[string]any{"target_id": target}, want.status, &p)
			require.Equal(t, want.code, p.Code)
			require.NotEmpty(t, p.Detail)
		})
	}
	s := g.connect("pinned")
	require.Equal(t, "active", s.State)
	g.terminate(s.ID)
	g.ended(s.ID, 15*time.Second)
	require.NotContains(t, g.logs(), "Wr0ngPass")
	require.NotContains(t, g.logs(), "Vnc0Pass")
}

// TestTargetVanishes cuts the line to the target in the middle of a session.
func TestTargetVanishes(t *testing.T) {
	x, _, _ := desktop(t, "unused")
	line := testbed.StartFaultProxy(t, x.Addr)
	g := startGateway(t, fmt.Sprintf("targets:\n  - {id: far, name: Far, protocol: vnc, address: %q, password: Vnc0Pass, tls: {mode: \"off\"}}\n", line.Addr))
	s := g.connect("far")
	v := g.watch(s.ID, "control")
	line.Cut()
	end := g.ended(s.ID, 10*time.Second)
	require.Equal(t, "target_closed", end.End.Code)
	require.True(t, v.saw("ended target_closed"))
	g.sealed(s.ID, 20*time.Second)
	probe(t, g.export(s.ID))
}

// TestViewerNonsense sends a running session what a broken or lying browser may send; the session goes on.
func TestViewerNonsense(t *testing.T) {
	_, typed, target := desktop(t, "one")
	g := startGateway(t, "targets:"+target)
	s := g.connect("one")
	v := g.watch(s.ID, "control")

	for name, c := range map[string]struct {
		path, kind, body, code string
		status                 int
	}{
		"malformed offer":   {"/sessions/" + s.ID + "/whep", "application/sdp", "v=0\r\nnonsense", "offer_malformed", http.StatusUnprocessableEntity},
		"no such session":   {"/sessions/01ARZ3NDEKTSV4RRFFQ69G5FAV/whep", "application/sdp", "v=0\r\n", "session_not_found", http.StatusNotFound},
		"not a session id":  {"/sessions/nonsense/terminate", "application/json", "{}", "request_invalid", http.StatusBadRequest},
		"wrong media type":  {"/sessions/" + s.ID + "/whep", "text/html", "v=0\r\n", "", http.StatusUnsupportedMediaType},
		"body not JSON":     {"/sessions", "application/json", "{", "request_invalid", http.StatusBadRequest},
		"target id missing": {"/sessions", "application/json", "{}", "request_invalid", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := g.client.Post(g.url+"/api/v1"+c.path, c.kind, strings.NewReader(c.body))
			require.NoError(t, err)
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, res.StatusCode, "%s", b)
			require.Contains(t, res.Header.Get("Content-Type"), "application/problem+json")
			require.Contains(t, string(b), c.code)
		})
	}
	focus(v)
	for _, m := range []map[string]any{
		{"t": "button", "x": -5, "y": 1e9, "w": 1024, "h": 768, "buttons": 1},
		{"t": "button", "x": 5, "y": 5, "w": 0, "h": 0, "buttons": 0},
		{"t": "wheel", "x": 5, "y": 5, "w": 1024, "h": 768, "dx": 1e9, "dy": -1e9},
		{"t": "no such thing"},
	} {
		v.send("input", m)
	}
	require.NoError(t, v.channels["input"].SendText(`{"t":`))
	for part := range 70 { // 70 × 16 KiB is over the megabyte
		v.send("clipboard", map[string]any{"t": "clip", "id": 1, "part": part, "parts": 70, "text": strings.Repeat("x", 16<<10)})
	}
	v.send("input", map[string]any{"t": "release"})
	focus(v)
	v.typeText("still here\n")
	waitFile(t, typed, "still here\n")
	require.Equal(t, "active", g.session(s.ID).State)
}

// banner listens, greets every caller and then says nothing more.
func banner(t *testing.T, greeting string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, greeting)
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String()
}
