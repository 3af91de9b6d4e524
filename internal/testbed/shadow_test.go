package testbed

import (
	"crypto/sha256"
	"crypto/tls"
	"image"
	"os"
	"path/filepath"
	"testing"
)

func TestShadow(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	for name, c := range map[string]struct {
		nla       bool
		protocol  uint32
		client    []string
		tolerance int // of a colour
	}{
		"TLS and RemoteFX": {protocol: protocolTLS, client: []string{"/sec:tls", "/rfx"}, tolerance: 40},
		"NLA and planar":   {nla: true, protocol: protocolHybrid, client: []string{"/sec:nla", "/gfx"}},
	} {
		var pid int
		t.Run(name, func(t *testing.T) {
			size := image.Pt(800, 600)
			s := StartShadow(t, ShadowOptions{Size: size, NLA: c.nla})
			pid = s.Pid()
			if kind, chosen := negotiate(t, s.Addr, protocolTLS|protocolHybrid); kind != typeNegResponse || chosen != c.protocol {
				t.Errorf("it answers with type %d, %d", kind, chosen)
			}
			if kind, _ := negotiate(t, s.Addr, protocolRDP); kind != typeNegFailure {
				t.Errorf("asked for RDP's own security, it answers with type %d", kind)
			}
			client := connect(t, s.Addr, s.Username, s.Password, size, c.client...)
			typed := filepath.Join(t.TempDir(), "typed")
			Eventually(t, startTimeout, "the desktop at the client", func() bool {
				return differ(client.Screenshot(t), s.Screen.Screenshot(t), c.tolerance) == 0
			})
			Type(t, client.Display, "echo Hi there >"+typed)
			Run(t, client.Display, "xdotool", "key", "Return")
			Eventually(t, startTimeout, "what was typed", func() bool {
				b, _ := os.ReadFile(typed)
				return string(b) == "Hi there\n"
			})
		})
		if pid != 0 {
			gone(t, pid)
		}
	}
}

// TestShadowCert checks that the server shows the certificate it is given.
func TestShadowCert(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	s := StartShadow(t, ShadowOptions{Bare: true})
	conn := dialTLS(t, s.Addr, &tls.Config{InsecureSkipVerify: true})
	if got := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw); got != s.Cert.Fingerprint {
		t.Errorf("it shows %x, want %x", got, s.Cert.Fingerprint)
	}
}
