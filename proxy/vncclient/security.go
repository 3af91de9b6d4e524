package vncclient

import (
	"fmt"
	"slices"
	"strings"

	vnc "github.com/mitchellh/go-vnc"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Security types ([RFC 6143] 7.2 and the registry of rfbproto).
const (
	securityNone     = 1
	securityVncAuth  = 2
	securityVeNCrypt = 19
)

// choose returns the best security type of those offered that the configuration accepts: with TLS, then with
// a password, then none.
func (s *session) choose(offered []byte) (vnc.ClientAuth, error) {
	has := func(t byte) bool { return slices.Contains(offered, t) }
	if has(securityVeNCrypt) {
		return &veNCrypt{s: s}, nil
	}
	if !s.cfg.AllowPlaintext {
		return nil, fmt.Errorf("vncclient: the target offers no security with certificates (VeNCrypt) but %s, "+
			"and security without TLS is not allowed: %w", typeNames(offered), desktop.ErrSecurity)
	}
	if has(securityVncAuth) && s.cfg.Password != "" {
		return &vnc.PasswordAuth{Password: string(s.cfg.Password)}, nil
	}
	if has(securityNone) {
		return new(vnc.ClientAuthNone), nil
	}
	if has(securityVncAuth) {
		return nil, fmt.Errorf("vncclient: the target asks for a password and none is configured: %w", desktop.ErrAuth)
	}
	return nil, fmt.Errorf("vncclient: the target offers only %s: %w", typeNames(offered), desktop.ErrSecurity)
}

// typeNames lists security types for people.
func typeNames[T byte | uint32](types []T) string {
	names := map[uint32]string{
		securityNone: "None", securityVncAuth: "VncAuth", 5: "RA2", 6: "RA2ne", 13: "RSA-AES-256", 16: "Tight",
		18: "TLS", securityVeNCrypt: "VeNCrypt", 20: "SASL", 30: "Apple", vencryptPlain: "Plain",
		257: "TLSNone", 258: "TLSVnc", 259: "TLSPlain",
		vencryptX509None: "X509None", vencryptX509Vnc: "X509Vnc", vencryptX509Plain: "X509Plain",
		263: "TLSSASL", 264: "X509SASL",
	}
	var list []string
	for _, t := range types {
		if n, ok := names[uint32(t)]; ok {
			list = append(list, n)
		} else {
			list = append(list, fmt.Sprintf("type %d", t))
		}
	}
	return strings.Join(list, ", ")
}
