package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// RDP is what only targets of protocol rdp have. The database keeps it as JSON.
type RDP struct {
	// Security says which security protocols are good. Standard RDP security never is.
	Security RDPSecurity `yaml:"security" json:"security"`
	// RestrictedAdmin signs in without giving the target the password, which only some Windows servers take.
	RestrictedAdmin bool `yaml:"restricted_admin,omitempty" json:"restricted_admin,omitempty"`
	// Kerberos signs in by a ticket of the realm instead of NTLM.
	Kerberos *Kerberos `yaml:"kerberos,omitempty" json:"kerberos,omitempty"`

	KeyboardLayout KeyboardLayout `yaml:"keyboard_layout,omitempty" json:"keyboard_layout,omitempty"` // the target's; empty: its own choice
	Keyboard       RDPKeyboard    `yaml:"keyboard" json:"keyboard"`

	ColorDepth  int            `yaml:"color_depth" json:"color_depth"`               // bits a pixel
	Graphics    []RDPGraphics  `yaml:"graphics,omitempty" json:"graphics,omitempty"` // ways the picture may come; empty: egfx and bitmap, which lose nothing
	Performance RDPPerformance `yaml:"performance" json:"performance"`

	// LoadBalanceInfo is for a load balancer in front of the target, which sees it in clear.
	LoadBalanceInfo string `yaml:"load_balance_info,omitempty" json:"load_balance_info,omitempty"`
	// RedirectTo are the other machines the target may send a session to: host names, "*.example.com", IP addresses or
	// networks. Empty: none.
	RedirectTo []string `yaml:"redirect_to,omitempty" json:"redirect_to,omitempty"`
}

// Kerberos is where the ticket for a target comes from.
type Kerberos struct {
	Realm string   `yaml:"realm" json:"realm"`
	KDCs  []string `yaml:"kdcs,omitempty" json:"kdcs,omitempty"` // host or host:port; empty: found by DNS
	SPN   string   `yaml:"spn,omitempty" json:"spn,omitempty"`   // empty: TERMSRV/ and the host of the address
}

// RDPPerformance says what of its looks the target shows. Not set is shown for what is read, and left out for what only
// moves.
type RDPPerformance struct {
	Wallpaper     *bool `yaml:"wallpaper" json:"wallpaper,omitempty"`
	Themes        *bool `yaml:"themes" json:"themes,omitempty"`
	FontSmoothing *bool `yaml:"font_smoothing" json:"font_smoothing,omitempty"`
	Composition   *bool `yaml:"composition" json:"composition,omitempty"`
	Animations    *bool `yaml:"animations" json:"animations,omitempty"`
	WindowDrag    *bool `yaml:"window_drag" json:"window_drag,omitempty"` // the window itself and not its frame
}

// RDPSecurity is a choice of security protocols.
type RDPSecurity string

// The choices.
const (
	RDPSecurityAuto RDPSecurity = "auto" // network level authentication where there is, else TLS
	RDPSecurityNLA  RDPSecurity = "nla"  // network level authentication only
	RDPSecurityTLS  RDPSecurity = "tls"  // TLS only: the target asks for the credentials itself, or takes those sent
)

// RDPKeyboard is how keys travel.
type RDPKeyboard string

// How keys travel.
const (
	RDPScancodes RDPKeyboard = "scancodes" // by their place: the target's layout says what they mean
	RDPUnicode   RDPKeyboard = "unicode"   // by the character they made at the browser
)

// RDPGraphics is a way in which the picture comes.
type RDPGraphics string

// The ways.
const (
	RDPGraphicsBitmap   RDPGraphics = "bitmap" // works always, also when it is not named
	RDPGraphicsRemoteFX RDPGraphics = "remotefx"
	RDPGraphicsNSCodec  RDPGraphics = "nscodec"
	RDPGraphicsEGFX     RDPGraphics = "egfx"
)

// Bounds of values.
const (
	maxLoadBalanceInfo = 238 // bytes: what an X.224 connection request has room for
	maxRedirectTo      = 64
	maxKDCs            = 16
)

// derive fills what is not set.
func (r *RDP) derive() {
	if r.Security == "" {
		r.Security = RDPSecurityAuto
	}
	if r.Keyboard == "" {
		r.Keyboard = RDPScancodes
	}
	if r.ColorDepth == 0 {
		r.ColorDepth = 32
	}
	p := &r.Performance
	for _, d := range []struct {
		key   **bool
		shown bool
	}{
		{&p.Wallpaper, true},
		{&p.Themes, true},
		{&p.FontSmoothing, true},
		{&p.Composition, true},
		{&p.Animations, false},
		{&p.WindowDrag, false},
	} {
		if *d.key == nil {
			*d.key = new(d.shown)
		}
	}
}

// rdp checks what a target of this protocol needs and has.
func (v *validator) rdp(path string, t *Target) {
	if t.TLS.Mode == TLSOff {
		v.fail(path+".tls.mode", "%q is not for protocol rdp: without TLS it has only RDP's own security, which is broken "+
			"and never spoken here; use verify, pin or first_use", t.TLS.Mode)
	}
	if t.Domain != "" && strings.ContainsAny(t.Username, `\@`) {
		v.fail(path+".username", "%q names a domain, and domain is %q", t.Username, t.Domain)
	}
	if !v.apart && !t.Password.IsZero() && t.Username == "" {
		v.fail(path+".username", "is needed with a password")
	}
	r := t.RDP
	if r == nil {
		return
	}
	path += ".rdp"
	v.oneOf(path+".security", string(r.Security), string(RDPSecurityAuto), string(RDPSecurityNLA), string(RDPSecurityTLS))
	v.oneOf(path+".keyboard", string(r.Keyboard), string(RDPScancodes), string(RDPUnicode))
	if !slices.Contains([]int{16, 24, 32}, r.ColorDepth) {
		v.fail(path+".color_depth", "%d is not one of 16, 24, 32", r.ColorDepth)
	}
	for i, g := range r.Graphics {
		v.oneOf(fmt.Sprintf("%s.graphics[%d]", path, i), string(g),
			string(RDPGraphicsBitmap), string(RDPGraphicsRemoteFX), string(RDPGraphicsNSCodec), string(RDPGraphicsEGFX))
	}
	credentials := v.apart || t.Username != "" && !t.Password.IsZero()
	switch {
	case r.Security == RDPSecurityNLA && !credentials:
		v.fail(path+".security", "%q needs username and password", r.Security)
	case r.RestrictedAdmin && r.Security == RDPSecurityTLS:
		v.fail(path+".restricted_admin", "needs network level authentication, and security is %q", r.Security)
	case r.RestrictedAdmin && !credentials:
		v.fail(path+".restricted_admin", "needs username and password")
	}
	if n := len(r.LoadBalanceInfo); n > maxLoadBalanceInfo {
		v.fail(path+".load_balance_info", "holds %d bytes, more than %d", n, maxLoadBalanceInfo)
	} else if strings.ContainsAny(r.LoadBalanceInfo, "\r\n\x00") {
		v.fail(path+".load_balance_info", "holds a line end or a zero byte")
	}
	if n := len(r.RedirectTo); n > maxRedirectTo {
		v.fail(path+".redirect_to", "holds %d, more than %d", n, maxRedirectTo)
	}
	for i, p := range r.RedirectTo {
		if !validHostPattern(p) {
			v.fail(fmt.Sprintf("%s.redirect_to[%d]", path, i), "%q is not a host name, *.domain, IP address or network", p)
		}
	}
	if r.Kerberos != nil {
		v.kerberos(path, r.Security, credentials, r.Kerberos)
	}
}

// realm is the name of a Kerberos realm as it is usual: a domain.
var realm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$`)

func (v *validator) kerberos(path string, security RDPSecurity, credentials bool, k *Kerberos) {
	path += ".kerberos"
	if !realm.MatchString(k.Realm) {
		v.fail(path+".realm", "%q is not a realm such as EXAMPLE.COM", k.Realm)
	}
	if security == RDPSecurityTLS {
		v.fail(path, "needs network level authentication, and security is %q", security)
	}
	if !credentials {
		v.fail(path, "needs username and password")
	}
	if len(k.KDCs) > maxKDCs {
		v.fail(path+".kdcs", "holds %d, more than %d", len(k.KDCs), maxKDCs)
	}
	for i, kdc := range k.KDCs {
		at := fmt.Sprintf("%s.kdcs[%d]", path, i)
		if _, _, err := net.SplitHostPort(kdc); err == nil {
			v.address(at, kdc)
		} else if !hostName.MatchString(kdc) {
			if _, err := netip.ParseAddr(kdc); err != nil {
				v.fail(at, "%q is neither host nor host:port", kdc)
			}
		}
	}
	if service, host, ok := strings.Cut(k.SPN, "/"); k.SPN != "" && (!ok || service == "" || host == "") {
		v.fail(path+".spn", "%q is not a name such as TERMSRV/host.example.com", k.SPN)
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

func validHostPattern(p string) bool {
	if len(p) > 253 {
		return false
	}
	if _, err := netip.ParseAddr(p); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(p); err == nil {
		return true
	}
	return hostName.MatchString(strings.TrimPrefix(p, "*."))
}
