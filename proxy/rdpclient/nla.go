package rdpclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// boundVersion is the first version of CredSSP whose key proof cannot be turned around by somebody in the middle
// (CVE-2018-0886).
const boundVersion = 5

// authenticate signs in before the target shows anything: network level authentication ([MS-RDPBCGR] 5.4.5). The
// credentials leave only after the target has proved that the key of this TLS connection is its own.
func (s *session) authenticate(t *tls.Conn, serverName string) error {
	credentials := credssp.Credentials{Domain: s.cfg.Domain, Username: s.cfg.Username, Password: s.cfg.Password}
	if r := s.kept.redirect; r != nil && r.Username != "" {
		credentials.Username, credentials.Domain = r.Username, r.Domain
		if len(r.Password) > 0 {
			credentials.Password = desktop.Secret(wire.UTF16(r.Password))
		}
	}
	if credentials.Username == "" || credentials.Password == "" && s.cfg.Kerberos == nil {
		return fmt.Errorf("rdpclient: the target asks for a username and a password, and they are not configured: %w", desktop.ErrAuth)
	}
	minVersion := 0
	if s.cfg.TLS.TrustFirst && s.cfg.TLS.Fingerprint == (trust.Fingerprint{}) {
		minVersion = boundVersion // nobody has vouched for the certificate yet
	}
	client := credssp.NewClient(credssp.ClientConfig{
		MinVersion:  minVersion,
		Credentials: credentials, Certificate: t.ConnectionState().PeerCertificates[0], ServerName: serverName,
		Workstation: s.cfg.ClientName, RestrictedAdmin: s.cfg.RestrictedAdmin, Ticket: s.cfg.Kerberos,
	})
	if err := client.Authenticate(t); err != nil {
		return authError("network level authentication", err)
	}
	if s.protocol == rdp.ProtocolHybridEx {
		if err := credssp.ReadEarlyUserAuthResult(t); err != nil {
			return authError("network level authentication", err)
		}
	}
	return nil
}

// authError words a failed sign-in. Targets that refuse credentials without a word close the connection at this point.
func authError(doing string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("rdpclient: %s: %w: it closed the connection", doing, desktop.ErrAuth)
	}
	return streamError(doing, err)
}
