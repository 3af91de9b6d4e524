package credssp

import (
	"cmp"
	"crypto/hmac"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/spnego"
)

// ServerConfig is what a Server needs.
type ServerConfig struct {
	// Certificate is the one that this side shows in the TLS handshake.
	Certificate *x509.Certificate
	// Lookup returns the hash of a user's password for NTLM. The names come from the network, unproved. Nil refuses NTLM.
	Lookup func(domain, username string) (ntlm.Hash, bool)
	// KerberosKey returns the service's key of an encryption type and version. Nil refuses Kerberos.
	KerberosKey func(keyType, version int32) (desktop.Secret, bool)
	Computer    string           // the name told to clients before they prove anything
	Version     int              // to offer; 6 when zero
	Random      io.Reader        // crypto/rand when nil
	Now         func() time.Time // time.Now when nil
}

// Identity is who has proved a password or a ticket to a Server.
type Identity struct {
	Domain   string // of NTLM, or the realm of Kerberos
	Username string
	Kerberos bool
}

// serverState is what a Server waits for.
type serverState int

const (
	serverNego  serverState = iota // a token of the client
	serverProve                    // the client's pubKeyAuth
	serverInfo                     // authInfo
	serverDone                     // nothing; also after an error
)

// Server is the side that is logged on to.
type Server struct {
	cfg         ServerConfig
	mech        spnego.Mechanism // nil before the first token
	identify    func() Identity
	state       serverState
	key         []byte
	version     int // of the client, as first told; 0 before
	credentials Credentials
}

// NewServer returns a Server at its beginning.
func NewServer(cfg ServerConfig) *Server {
	cfg.Version = cmp.Or(cfg.Version, maxVersion)
	return &Server{cfg: cfg}
}

// Identity returns who has been authenticated, after Step was done.
func (s *Server) Identity() Identity {
	if s.identify == nil {
		return Identity{}
	}
	return s.identify()
}

// Credentials returns what the client has delegated, after Step was done. They need not be those of Identity, and are
// empty in Restricted Admin mode.
func (s *Server) Credentials() Credentials { return s.credentials }

// Authenticate runs the exchange over an established TLS connection, on which the caller has set a deadline. A client
// that is refused is told why, as far as it needs to know.
func (s *Server) Authenticate(conn io.ReadWriter) error {
	for range maxSteps {
		in, err := readTSRequest(conn)
		if err != nil {
			return streamError("reading from the client", err)
		}
		out, done, err := s.Step(in)
		if len(out) > 0 {
			if _, werr := conn.Write(out); werr != nil && err == nil {
				return streamError("writing to the client", werr)
			}
		}
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("credssp: no end after %d messages: %w", maxSteps, desktop.ErrProtocol)
}

// Step takes one whole TSRequest of the client and returns the one to send, which there is with an error as well: it
// tells the client the code.
func (s *Server) Step(in []byte) (out []byte, done bool, err error) {
	state := s.state
	s.state = serverDone // unless all goes well
	if state == serverDone {
		return nil, false, errState
	}
	m, err := DecodeTSRequest(in)
	if err != nil {
		return nil, false, streamError("a message of the client", err)
	}
	if s.version == 0 {
		s.version = m.Version
	}
	if m.Version != s.version || m.Version < minVersion {
		return nil, false, fmt.Errorf("credssp: the client's version %d, first %d: %w", m.Version, s.version, desktop.ErrProtocol)
	}
	answer := TSRequest{Version: s.cfg.Version}
	switch state {
	case serverNego:
		err = s.negotiate(m, &answer)
	case serverProve:
		err = s.prove(m, &answer)
	default:
		err = s.finish(m)
		return nil, err == nil, err
	}
	if err == nil {
		return answer.Append(nil), false, nil
	}
	if s.agreed() < codeVersion {
		return nil, false, err
	}
	return TSRequest{Version: s.cfg.Version, NegoToken: answer.NegoToken, ErrorCode: uint32(codeOf(err))}.Append(nil), false, err
}

func (s *Server) agreed() int { return min(s.version, s.cfg.Version) }

// negotiate goes on with the mechanism, and with pubKeyAuth if the last token came with it.
func (s *Server) negotiate(m TSRequest, answer *TSRequest) error {
	if m.NegoToken == nil {
		return fmt.Errorf("credssp: a message without a token where one is due: %w", desktop.ErrProtocol)
	}
	if err := s.choose(m.NegoToken); err != nil {
		return err
	}
	token, done, err := s.mech.Step(m.NegoToken)
	answer.NegoToken = token
	if err != nil {
		return streamError("authentication", err)
	}
	s.state = serverNego
	if !done {
		return nil
	}
	s.state = serverProve
	if m.PubKeyAuth == nil && token != nil {
		return nil
	}
	return s.prove(m, answer)
}

// choose makes the mechanism for the first token: NTLM bare, or what SPNEGO agrees on.
func (s *Server) choose(token []byte) error {
	if s.mech != nil {
		return nil
	}
	var err error
	if s.cfg.Certificate == nil {
		return errors.New("credssp: no certificate of this side")
	}
	if s.key, err = SubjectPublicKey(s.cfg.Certificate); err != nil {
		return fmt.Errorf("credssp: the certificate of this side: %w", err)
	}
	if !ntlm.IsMessage(token) {
		s.mech = spnego.NewAcceptor(s.mechanism)
		return nil
	}
	if s.mech = s.mechanism(spnego.NTLMSSP); s.mech == nil {
		return fmt.Errorf("credssp: NTLM is not accepted: %w", desktop.ErrSecurity)
	}
	return nil
}

// mechanism returns a new one, or nil for those not accepted.
func (s *Server) mechanism(oid spnego.OID) spnego.Mechanism {
	bindings := ChannelBindings(s.cfg.Certificate)
	switch {
	case oid == spnego.NTLMSSP && s.cfg.Lookup != nil:
		m := ntlm.NewServer(ntlm.ServerConfig{
			Lookup: s.cfg.Lookup, Computer: s.cfg.Computer, ChannelBindings: bindings, Random: s.cfg.Random, Now: s.cfg.Now,
		})
		s.identify = func() Identity {
			domain, username := m.User()
			return Identity{Domain: domain, Username: username}
		}
		return m
	case (oid == spnego.MSKerberos || oid == spnego.Kerberos) && s.cfg.KerberosKey != nil:
		m := kerberos.NewAcceptor(kerberos.AcceptorConfig{
			Key: s.cfg.KerberosKey, ChannelBindings: bindings, Random: s.cfg.Random, Now: s.cfg.Now,
		})
		s.identify = func() Identity {
			realm, name := m.User()
			return Identity{Domain: realm, Username: strings.Join(name, "/"), Kerberos: true}
		}
		return m
	}
	return nil
}

// prove verifies the client's pubKeyAuth and answers it.
func (s *Server) prove(m TSRequest, answer *TSRequest) error {
	s.state = serverDone
	if m.PubKeyAuth == nil || s.agreed() >= hashVersion && m.ClientNonce == nil {
		return fmt.Errorf("credssp: no pubKeyAuth or no nonce where they are due: %w", desktop.ErrProtocol)
	}
	proof, err := s.mech.Unseal(m.PubKeyAuth)
	if err != nil || !hmac.Equal(proof, clientProof(s.agreed(), s.key, m.ClientNonce)) {
		return fmt.Errorf("credssp: the client sees another TLS key: there may be a man in the middle: %w", desktop.ErrCertificate)
	}
	if answer.PubKeyAuth, err = s.mech.Seal(serverProof(s.agreed(), s.key, m.ClientNonce)); err != nil {
		return streamError("pubKeyAuth", err)
	}
	s.state = serverInfo
	return nil
}

// finish opens the credentials.
func (s *Server) finish(m TSRequest) error {
	if m.AuthInfo == nil {
		return fmt.Errorf("credssp: no authInfo where it is due: %w", desktop.ErrProtocol)
	}
	b, err := s.mech.Unseal(m.AuthInfo)
	if err != nil {
		return streamError("authInfo", err)
	}
	if s.credentials, err = DecodeTSCredentials(b); err != nil {
		return streamError("authInfo", err)
	}
	return nil
}

// codeOf is what a client is told about an error.
func codeOf(err error) StatusError {
	switch {
	case errors.Is(err, ntlm.ErrCredentials), errors.Is(err, kerberos.ErrRefused), errors.Is(err, kerberos.ErrAltered):
		return StatusLogonFailure
	case errors.Is(err, ntlm.ErrBindings):
		return SecBadBindings
	case errors.Is(err, desktop.ErrCertificate), errors.Is(err, ntlm.ErrAltered):
		return SecMessageAltered
	case errors.Is(err, desktop.ErrSecurity):
		return SecAlgoMismatch
	case errors.Is(err, desktop.ErrProtocol):
		return SecInvalidToken
	}
	return SecInternalError
}
