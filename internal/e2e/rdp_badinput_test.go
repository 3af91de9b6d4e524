package e2e

import (
	"fmt"
	"image"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

const wrongPassword = "Wr0ng!Passw0rd"

// TestRDPRefused connects to RDP targets that cannot work: page and API say what is wrong, nothing is left, and the log
// holds no secret.
func TestRDPRefused(t *testing.T) {
	requireConsole(t)
	withTLS := testbed.StartShadow(t, testbed.ShadowOptions{})
	withNLA := testbed.StartShadow(t, testbed.ShadowOptions{NLA: true})
	old := testbed.StartXRDP(t, testbed.XRDPOptions{SecurityLayer: "rdp"})
	dying := testbed.StartTLSInterceptor(t, withTLS.Addr, withTLS.Cert)
	dying.CutAfter(200) // in the middle of the handshake
	target := func(id, address, more string) string {
		return fmt.Sprintf("  - {id: %[1]s, name: %[1]s, protocol: rdp, address: %[2]q, %[3]s}\n", id, address, more)
	}
	pin := func(c *testbed.Cert) string { return fmt.Sprintf("tls: {mode: pin, fingerprint: %x}", c.Fingerprint) }
	user := fmt.Sprintf("username: %s, password: %q, ", withNLA.Username, withNLA.Password)
	g := startGateway(t, debugLog+"session: {connect_timeout: 10s}\ntargets:\n"+
		target("wrong-password", withNLA.Addr, fmt.Sprintf("username: %s, password: %q, ", withNLA.Username, wrongPassword)+pin(withNLA.Cert))+
		target("wrong-pin", withNLA.Addr, user+"tls: {mode: pin, fingerprint: "+strings.Repeat("ab", 32)+"}")+
		target("unknown-authority", withNLA.Addr, user+"tls: {mode: verify}")+
		target("without-nla", withTLS.Addr, user+"rdp: {security: nla}, "+pin(withTLS.Cert))+
		target("nla-only", withNLA.Addr, "rdp: {security: tls}, "+pin(withNLA.Cert))+
		target("rdp-security-only", old.Addr, user+pin(withTLS.Cert))+
		target("ssh", banner(t, "SSH-2.0-OpenSSH_9.2\r\n"), user+pin(withTLS.Cert))+
		target("nobody", fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t)), user+pin(withTLS.Cert))+
		target("dying", dying.Addr, pin(withTLS.Cert))+
		target("good", withNLA.Addr, user+pin(withNLA.Cert)))
	b := openBrowser(t, g)
	for _, c := range []struct {
		target, code string
		says         []string // in the page
	}{
		{"wrong-password", "target_auth_failed", []string{"refused the credentials"}},
		{"wrong-pin", "target_certificate", []string{"certificate was not accepted", "it showed", "ab:ab:ab"}},
		{"unknown-authority", "target_certificate", []string{"certificate was not accepted", "unknown authority"}},
		{"without-nla", "target_security", []string{"no security that is allowed", "network level authentication"}},
		{"nla-only", "target_security", []string{"no security that is allowed", "network level authentication"}},
		{"rdp-security-only", "target_security", []string{"no security that is allowed", "RDP"}},
		{"ssh", "target_wrong_protocol", []string{"not a desktop of this kind"}},
		{"nobody", "target_unreachable", []string{"cannot be reached", "refused"}},
		{"dying", "target_closed", []string{"closed the connection"}},
	} {
		t.Run(c.target, func(t *testing.T) {
			during(t, g, b)
			var p problem
			g.call("POST", "/sessions", map[string]any{"target_id": c.target}, http.StatusBadGateway, &p)
			require.Equal(t, c.code, p.Code)
			said := b.refused(c.target)
			t.Logf("%s", said)
			b.screenshot("rdp-refused-" + c.target)
			for _, words := range append(c.says, c.code) {
				require.Contains(t, said, words)
			}
			g.requireAlone()
		})
	}
	require.Positive(t, dying.Cut(), "no connection was cut")
	id := b.connect("good") // the failures before have not shut the door
	b.end()
	g.sealed(id, patience)
	b.silent()
	g.requireNoSecrets(withNLA.Password, wrongPassword)
}

// TestRDPTargetDies cuts the line in the middle of a PDU and of a session, with nothing configured that would try again.
func TestRDPTargetDies(t *testing.T) {
	requireConsole(t)
	s := testbed.StartShadow(t, testbed.ShadowOptions{})
	line := testbed.StartTLSInterceptor(t, s.Addr, s.Cert)
	g := startGateway(t, debugLog+fmt.Sprintf("session: {reconnect: 0s}\ntargets:\n  - {id: desk, name: Desk, protocol: rdp, address: %q, tls: {mode: pin, fingerprint: %x}}\n",
		line.Addr, s.Cert.Fingerprint))
	b := openBrowser(t, g)
	id := b.connect("Desk")
	line.CutAfter(len(line.FromServer()) + 50_000) // some way into what follows
	testbed.PaintWallpaper(t, s.Screen)
	testbed.Eventually(t, patience, "the cut", func() bool {
		testbed.Run(t, s.Screen.Display, "xsetroot", "-solid", "#204060")
		testbed.PaintWallpaper(t, s.Screen)
		return line.Cut() > 0
	})
	b.says("The session has ended")
	p := b.says("target_closed")
	require.Contains(t, p.Text, "closed the connection")
	b.screenshot("rdp-target-died")
	require.Equal(t, "target_closed", g.ended(id, patience).End.Code)
	require.Equal(t, "worker", g.sealed(id, patience).SealedBy)
	probe(t, g.export(id))
	g.requireAlone()
	b.silent()
}

// TestRDPReconnects cuts the line and mends it: the same desktop comes back by itself, to viewers that stayed.
func TestRDPReconnects(t *testing.T) {
	requireConsole(t)
	x := testbed.StartXRDP(t, testbed.XRDPOptions{})
	line := testbed.StartFaultProxy(t, x.Addr)
	g := startGateway(t, debugLog+fmt.Sprintf("session: {reconnect: 2m}\ntargets:\n  - {id: desk, name: Desk, protocol: rdp, address: %q, username: %s, password: %q, tls: {mode: verify, ca_file: %s}}\n",
		line.Addr, x.Username, x.Password, filepath.Join(x.Home, "../etc/cert.pem")))
	b := openBrowser(t, g)
	id := b.connect("Desk")
	screen := x.Session(t)
	testbed.PaintWallpaper(t, screen)
	b.shows("desktop", "the desktop", h264Tolerance, func() *image.RGBA { return screen.Screenshot(t) })
	viewers := g.session(id).Viewers
	require.Len(t, viewers, 1)

	line.Cut()
	b.says("Reconnecting to the desktop")
	b.says("is being made anew")
	b.screenshot("rdp-reconnecting")
	require.Equal(t, "frozen", g.session(id).State)
	testbed.Run(t, screen.Display, "xsetroot", "-solid", "#204060") // changes that nobody sees
	testbed.PaintWallpaper(t, screen)
	typed := filepath.Join(t.TempDir(), "typed")
	testbed.XTerm(t, screen.Display, "cat >"+typed)
	line.Resume()

	b.until("the desktop again", func(p page) bool { return !strings.Contains(p.Text, "is being made anew") })
	require.Equal(t, "active", g.session(id).State)
	require.Equal(t, viewers, g.session(id).Viewers, "the viewer did not stay")
	require.Len(t, x.Sessions(), 1, "it is another desktop")
	b.shows("desktop", "the desktop after the break", h264Tolerance, func() *image.RGBA { return screen.Screenshot(t) })
	b.typeText(typedWords + "\n")
	waitFile(t, typed, typedWords+"\n")
	b.end()
	g.sealed(id, patience)
	g.requireAlone()
	var states []string
	for _, e := range g.events(id) {
		if e["kind"] == "state" {
			states = append(states, fmt.Sprint(e["state"], " ", e["reason"]))
		}
	}
	require.Contains(t, strings.Join(states, "\n"), "frozen target_reconnecting\nactive", "%q", states)
	b.silent()
	g.requireNoSecrets(x.Password)
}

// TestRDPFirstUse trusts the certificate a target shows first, no other after it, and again what comes after it was told
// to forget.
func TestRDPFirstUse(t *testing.T) {
	requireConsole(t)
	first := testbed.StartShadow(t, testbed.ShadowOptions{})
	second := testbed.StartShadow(t, testbed.ShadowOptions{})
	var target atomic.Value
	target.Store(first.Addr)
	g := startGateway(t, debugLog+fmt.Sprintf("targets:\n  - {id: desk, name: Desk, protocol: rdp, address: %q, tls: {mode: first_use}}\n", detour(t, &target)))
	b := openBrowser(t, g)
	trusted := func() string {
		var list struct {
			Targets []struct {
				Certificate struct{ Trust, Fingerprint string }
			}
		}
		g.call("GET", "/targets", nil, http.StatusOK, &list)
		require.Len(t, list.Targets, 1)
		require.Equal(t, "first_use", list.Targets[0].Certificate.Trust)
		return list.Targets[0].Certificate.Fingerprint
	}
	visit := func(shown *testbed.Shadow) {
		t.Helper()
		id := b.connect("Desk")
		testbed.Eventually(t, patience, "the certificate is remembered", func() bool { return trusted() == fmt.Sprintf("%x", shown.Cert.Fingerprint) })
		b.end()
		g.sealed(id, patience)
	}
	require.Empty(t, trusted())
	visit(first)
	visit(first)
	target.Store(second.Addr)
	said := b.refused("Desk")
	t.Log(said)
	b.screenshot("rdp-first-use-refused")
	require.Contains(t, said, "target_certificate")
	require.Contains(t, said, "certificate was not accepted")
	require.Equal(t, fmt.Sprintf("%x", first.Cert.Fingerprint), trusted(), "what was refused is remembered")
	b.do("goto", nil, "path", "/targets")
	b.says("Certificate trusted on first use")
	b.click("button", "Forget the certificate of Desk")
	b.says("Forget this certificate?")
	b.screenshot("rdp-first-use-forget")
	b.click("button", "Forget")
	b.says("Trusts the first certificate it sees")
	b.screenshot("rdp-first-use")
	require.Empty(t, trusted())
	visit(second)
	g.requireAlone()
	b.silent()
}

// detour passes connections on to the address that target holds when they come.
func detour(t *testing.T, target *atomic.Value) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target.Load().(string))
			if err != nil {
				near.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					defer near.Close()
					defer far.Close()
					_, _ = io.Copy(way[0], way[1])
				}()
			}
		}
	}()
	return l.Addr().String()
}
