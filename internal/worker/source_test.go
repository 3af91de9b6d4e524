package worker

import (
	"image"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
	"github.com/vitrine-psm/vitrine/proxy/rdpclient"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// asRDP makes a request for a target of that protocol, with the defaults of the configuration.
func asRDP(r *CreateRequest) {
	r.Target.Protocol = config.ProtocolRDP
	r.Credential = target.Credential{Username: "ann", Password: target.NewPassword([]byte("hunter2"))}
	r.Target.TLS = target.TLS{FirstUse: true}
	r.Target.RDP = &config.RDP{Security: config.RDPSecurityAuto, Keyboard: config.RDPScancodes, ColorDepth: 32}
}

// TestRDPConfig: what the configuration says arrives at the client, by way of worker.proto.
func TestRDPConfig(t *testing.T) {
	yes, no := true, false
	req := request("host:3389")
	asRDP(&req)
	req.Credential.Domain = "CORP"
	req.Target.ClipboardFromTarget = false
	req.Target.TLS = target.TLS{FirstUse: true, Fingerprint: strings.Repeat("ab", 32)}
	req.Target.RDP = &config.RDP{
		Security: config.RDPSecurityNLA, RestrictedAdmin: true, KeyboardLayout: 0x0807, Keyboard: config.RDPUnicode, ColorDepth: 16,
		Graphics: []config.RDPGraphics{config.RDPGraphicsEGFX, config.RDPGraphicsRemoteFX}, LoadBalanceInfo: "farm",
		Performance: config.RDPPerformance{Wallpaper: &no, Themes: &yes, FontSmoothing: &yes, Composition: &no, Animations: &no, WindowDrag: &yes},
	}
	req.ticket = &kerberos.Ticket{Realm: "R", NameType: 1, Client: []string{"ann"}, Ticket: []byte{1}, KeyType: 18, Key: "key"}
	sent := startRequest(&ManagerConfig{Reconnect: 90 * time.Second}, req)

	var shown trust.Fingerprint
	c := sourceConfig{
		target: sent.GetTarget(), log: slog.New(slog.DiscardHandler), size: image.Pt(800, 600),
		firstUse: func(f trust.Fingerprint) { shown = f },
	}
	policy, err := trustPolicy(c)
	require.NoError(t, err)
	require.True(t, policy.TrustFirst)
	require.Equal(t, strings.Repeat("ab", 32), policy.Fingerprint.String())
	policy.OnFirstUse(trust.Fingerprint{7})
	require.Equal(t, trust.Fingerprint{7}, shown)

	got := rdpConfig(c, trust.Policy{})
	got.Logger = nil
	want := rdpclient.Config{
		Domain: "CORP", Username: "ann", Password: desktop.Secret("hunter2"), Security: rdpclient.SecurityNLA, RestrictedAdmin: true,
		Kerberos: req.ticket, LoadBalanceInfo: []byte("farm"), Size: image.Pt(800, 600), ColorDepth: 16,
		Graphics:       rdpclient.GraphicsPipeline | rdpclient.GraphicsRemoteFX,
		Performance:    rdp.PerfDisableWallpaper | rdp.PerfDisableMenuAnimations | rdp.PerfEnableFontSmoothing,
		KeyboardLayout: 0x0807, UnicodeKeys: true, ReconnectFor: 90 * time.Second,
	}
	want.Clipboard.ToTarget = true
	require.Equal(t, want, got)

	sent = startRequest(&ManagerConfig{}, req)
	c.target = sent.GetTarget()
	require.Negative(t, rdpConfig(c, trust.Policy{}).ReconnectFor, "no window is none, not the default")
	require.Nil(t, startRequest(&ManagerConfig{}, request("h:1")).GetTarget().GetRdp())
}
