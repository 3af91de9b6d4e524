package worker

import (
	"crypto/x509"
	"errors"
	"image"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
	"github.com/vitrine-psm/vitrine/proxy/rdpclient"
	"github.com/vitrine-psm/vitrine/proxy/trust"
	"github.com/vitrine-psm/vitrine/proxy/vncclient"
)

// protocols are those newSource speaks.
var protocols = []string{config.ProtocolVNC, config.ProtocolRDP}

// sourceConfig is what the target's side is made of.
type sourceConfig struct {
	target   *workerpb.Target
	observer desktop.Observer
	log      *slog.Logger
	size     image.Point             // wished; zero: the target's own
	firstUse func(trust.Fingerprint) // hears of a certificate taken at first use
	dial     *net.UnixConn           // nil: there are no new connections
}

// newSource makes the target's side.
func newSource(c sourceConfig) (desktop.Source, error) {
	policy, err := trustPolicy(c)
	if err != nil {
		return nil, err
	}
	t := c.target
	if t.GetProtocol() == config.ProtocolRDP {
		return rdpclient.New(rdpConfig(c, policy))
	}
	return vncclient.New(vncclient.Config{
		Username: t.GetUsername(), Password: desktop.Secret(t.GetPassword()), TLS: policy, AllowPlaintext: t.GetAllowPlaintext(),
		Observer: c.observer, Logger: c.log.With("component", "vnc"),
	})
}

// trustPolicy says which certificates of the target are good.
func trustPolicy(c sourceConfig) (trust.Policy, error) {
	tls := c.target.GetTls()
	policy := trust.Policy{ServerName: tls.GetServerName(), TrustFirst: tls.GetFirstUse(), OnFirstUse: c.firstUse}
	if pem := tls.GetCaPem(); len(pem) > 0 {
		policy.Roots = x509.NewCertPool()
		if !policy.Roots.AppendCertsFromPEM(pem) {
			return policy, errors.New("worker: no certificate among the target's authorities")
		}
	}
	if hex := tls.GetFingerprint(); hex != "" {
		var err error
		if policy.Fingerprint, err = trust.ParseFingerprint(hex); err != nil {
			return policy, err
		}
	}
	return policy, nil
}

func rdpConfig(c sourceConfig, policy trust.Policy) rdpclient.Config {
	t, r := c.target, c.target.GetRdp()
	cfg := rdpclient.Config{
		Domain: t.GetDomain(), Username: t.GetUsername(), Password: desktop.Secret(t.GetPassword()), TLS: policy,
		Security: rdpSecurity[config.RDPSecurity(r.GetSecurity())], RestrictedAdmin: r.GetRestrictedAdmin(),
		Kerberos: kerberosTicket(r.GetKerberosTicket()), LoadBalanceInfo: r.GetLoadBalanceInfo(),
		Size: c.size, ColorDepth: int(r.GetColorDepth()), Graphics: rdpGraphics(r.GetGraphics()),
		Performance: rdpPerformance(r.GetPerformance()), KeyboardLayout: r.GetKeyboardLayout(), UnicodeKeys: r.GetUnicodeKeys(),
		ReconnectFor: time.Duration(r.GetReconnectSeconds()) * time.Second,
		Observer:     c.observer, Logger: c.log.With("component", "rdp"),
	}
	cfg.Clipboard.ToTarget, cfg.Clipboard.FromTarget = t.GetClipboardToTarget(), t.GetClipboardFromTarget()
	if cfg.ReconnectFor == 0 {
		cfg.ReconnectFor = -1 // never
	}
	if c.dial != nil {
		cfg.Redial = newRedialer(c.dial).redial
	}
	return cfg
}

var rdpSecurity = map[config.RDPSecurity]rdpclient.Security{
	config.RDPSecurityAuto: rdpclient.SecurityAny,
	config.RDPSecurityNLA:  rdpclient.SecurityNLA,
	config.RDPSecurityTLS:  rdpclient.SecurityTLS,
}

func rdpGraphics(names []string) rdpclient.Graphics {
	var set rdpclient.Graphics
	for name, graphics := range map[config.RDPGraphics]rdpclient.Graphics{
		config.RDPGraphicsEGFX: rdpclient.GraphicsPipeline, config.RDPGraphicsRemoteFX: rdpclient.GraphicsRemoteFX,
		config.RDPGraphicsNSCodec: rdpclient.GraphicsNSCodec, config.RDPGraphicsBitmap: rdpclient.GraphicsBitmaps,
	} {
		if slices.Contains(names, string(name)) {
			set |= graphics
		}
	}
	return set
}

// rdpPerformance returns TS_EXTENDED_INFO_PACKET's performanceFlags ([MS-RDPBCGR] 2.2.1.11.1.1.1).
func rdpPerformance(p *workerpb.RDPPerformance) uint32 {
	var flags uint32
	for _, f := range []struct {
		when bool
		flag uint32
	}{
		{!p.GetWallpaper(), rdp.PerfDisableWallpaper},
		{!p.GetThemes(), rdp.PerfDisableTheming},
		{!p.GetAnimations(), rdp.PerfDisableMenuAnimations},
		{!p.GetWindowDrag(), rdp.PerfDisableFullWindowDrag},
		{p.GetFontSmoothing(), rdp.PerfEnableFontSmoothing},
		{p.GetComposition(), rdp.PerfEnableDesktopComposition},
	} {
		if f.when {
			flags |= f.flag
		}
	}
	return flags
}

func kerberosTicket(t *workerpb.KerberosTicket) *kerberos.Ticket {
	if t == nil {
		return nil
	}
	return &kerberos.Ticket{
		Realm: t.GetRealm(), NameType: t.GetNameType(), Client: t.GetClient(), Ticket: t.GetTicket(),
		KeyType: t.GetKeyType(), Key: desktop.Secret(t.GetKey()),
	}
}
