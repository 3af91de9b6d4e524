package credssp

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/spnego"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ClientConfig is what a Client needs.
type ClientConfig struct {
	Credentials
	// Certificate is the one that the server has shown in the TLS handshake, and proved to hold the key of.
	Certificate *x509.Certificate
	// ServerName is the target's host name, for the service principal name TERMSRV/host; may be empty.
	ServerName  string
	Workstation string // the client's name, may be empty
	// RestrictedAdmin sends empty credentials instead of the user's: the target then logs on with what was proved. The
	// connection must have asked for that mode ([MS-RDPBCGR] 2.2.1.1.1).
	RestrictedAdmin bool
	// Ticket makes the client authenticate by Kerberos and not by NTLM; there is no falling back.
	Ticket *kerberos.Ticket
	// MinVersion is the least version of CredSSP to accept from the server; 2 when zero. Below 5 a man in the middle whose
	// certificate was accepted can misuse the exchange against the server (CVE-2018-0886).
	MinVersion int
	// Version is the version to offer; 6 when zero.
	Version int
	Random  io.Reader        // crypto/rand when nil
	Now     func() time.Time // time.Now when nil
}

// servicePrefix is the service of a service principal name ([MS-CSSP] 3.1.5).
const servicePrefix = "TERMSRV/"

// clientState is what a Client waits for.
type clientState int

const (
	clientStart clientState = iota
	clientNego              // a token of the server
	clientProve             // the server's pubKeyAuth
	clientDone              // nothing; also after an error
)

// Client is the side that logs on.
type Client struct {
	cfg     ClientConfig
	mech    spnego.Mechanism
	state   clientState
	key     []byte // subjectPublicKey of the server's certificate
	nonce   []byte
	version int  // of the server, as first told; 0 before
	proved  bool // the server's pubKeyAuth has verified: nothing secret leaves before
	shown   bool // a proof of the password has been sent
}

// NewClient returns a Client at its beginning.
func NewClient(cfg ClientConfig) *Client {
	cfg.Random = cmp.Or(cfg.Random, rand.Reader)
	cfg.MinVersion = max(cfg.MinVersion, minVersion)
	cfg.Version = cmp.Or(cfg.Version, maxVersion)
	return &Client{cfg: cfg}
}

// Authenticate runs the exchange over an established TLS connection, on which the caller has set a deadline.
func (c *Client) Authenticate(conn io.ReadWriter) error {
	var in []byte
	for range maxSteps {
		out, done, err := c.Step(in)
		if err != nil {
			return err
		}
		if _, err := conn.Write(out); err != nil {
			return c.broken(err)
		}
		if done {
			return nil
		}
		if in, err = readTSRequest(conn); err != nil {
			return c.broken(err)
		}
	}
	return fmt.Errorf("credssp: no end after %d messages: %w", maxSteps, desktop.ErrProtocol)
}

// broken words why the connection gives no more. A server that hangs up on a proof of the password has refused it, as
// those of version 2 do and FreeRDP's: who took that for a broken line would try again and lock the account.
func (c *Client) broken(err error) error {
	if c.shown && !c.proved && !errors.Is(err, wire.ErrMalformed) && streamErrorIs(err, desktop.ErrTargetGone) {
		return fmt.Errorf("credssp: the target hung up on the proof of the password, which means that it is wrong "+
			"or that the user may not log on: %w: %w", desktop.ErrAuth, err)
	}
	return streamError("reading from the target", err)
}

func streamErrorIs(err, kind error) bool { return errors.Is(streamError("", err), kind) }

// Step takes one whole TSRequest of the server, nothing at the beginning, and returns the one to send. When it is done,
// what it returned is the last.
func (c *Client) Step(in []byte) (out []byte, done bool, err error) {
	state := c.state
	c.state = clientDone // unless all goes well
	if state == clientStart {
		out, err = c.begin()
		return out, false, err
	}
	if state == clientDone {
		return nil, false, errState
	}
	m, err := c.receive(in)
	if err != nil {
		return nil, false, err
	}
	if state == clientNego {
		out, err = c.negotiate(m)
		return out, false, err
	}
	out, err = c.finish(m)
	return out, err == nil, err
}

func (c *Client) begin() ([]byte, error) {
	if c.cfg.Certificate == nil {
		return nil, fmt.Errorf("credssp: no certificate of the target: %w", desktop.ErrCertificate)
	}
	var err error
	if c.key, err = SubjectPublicKey(c.cfg.Certificate); err != nil {
		return nil, fmt.Errorf("credssp: the target's certificate: %w: %w", desktop.ErrCertificate, err)
	}
	c.nonce = make([]byte, nonceBytes)
	if _, err := io.ReadFull(c.cfg.Random, c.nonce); err != nil {
		return nil, fmt.Errorf("credssp: random bytes: %w", err)
	}
	c.mech = c.mechanism()
	token, _, err := c.mech.Step(nil)
	if err != nil {
		return nil, streamError("authentication", err)
	}
	c.state = clientNego
	return TSRequest{Version: c.cfg.Version, NegoToken: token}.Append(nil), nil
}

func (c *Client) mechanism() spnego.Mechanism {
	bindings := ChannelBindings(c.cfg.Certificate)
	if c.cfg.Ticket != nil {
		return spnego.NewInitiator(kerberos.NewInitiator(kerberos.InitiatorConfig{
			Ticket: *c.cfg.Ticket, ChannelBindings: bindings, Random: c.cfg.Random, Now: c.cfg.Now,
		}), spnego.MSKerberos, spnego.Kerberos)
	}
	target := ""
	if c.cfg.ServerName != "" {
		target = servicePrefix + c.cfg.ServerName
	}
	return ntlm.NewClient(ntlm.ClientConfig{
		Domain: c.cfg.Domain, Username: c.cfg.Username, Password: c.cfg.Password, Workstation: c.cfg.Workstation,
		TargetName: target, ChannelBindings: bindings, Random: c.cfg.Random, Now: c.cfg.Now,
	})
}

// receive decodes a message and checks what every one has.
func (c *Client) receive(in []byte) (TSRequest, error) {
	m, err := DecodeTSRequest(in)
	if err != nil {
		return m, streamError("a message of the target", err)
	}
	if m.ErrorCode != 0 {
		return m, StatusError(m.ErrorCode)
	}
	if c.version == 0 {
		c.version = m.Version
	}
	switch {
	case m.Version != c.version:
		return m, fmt.Errorf("credssp: the target's version became %d, was %d: %w", m.Version, c.version, desktop.ErrProtocol)
	case m.Version < c.cfg.MinVersion:
		return m, fmt.Errorf("credssp: the target's version %d is under %d: %w", m.Version, c.cfg.MinVersion, desktop.ErrSecurity)
	}
	return m, nil
}

// agreed is the version both sides have.
func (c *Client) agreed() int { return min(c.version, c.cfg.Version) }

// negotiate goes on with the mechanism; when that is done, pubKeyAuth goes with its last token.
func (c *Client) negotiate(m TSRequest) ([]byte, error) {
	if m.NegoToken == nil || m.PubKeyAuth != nil {
		return nil, fmt.Errorf("credssp: a message without a token where one is due: %w", desktop.ErrProtocol)
	}
	token, done, err := c.mech.Step(m.NegoToken)
	if err != nil {
		return nil, streamError("authentication", err)
	}
	c.shown = true
	answer := TSRequest{Version: c.cfg.Version, NegoToken: token}
	c.state = clientNego
	if done {
		if answer.PubKeyAuth, err = c.mech.Seal(clientProof(c.agreed(), c.key, c.nonce)); err != nil {
			return nil, streamError("pubKeyAuth", err)
		}
		if c.agreed() >= hashVersion {
			answer.ClientNonce = c.nonce
		}
		c.state = clientProve
	}
	return answer.Append(nil), nil
}

// finish verifies the server's proof and only then seals the credentials.
func (c *Client) finish(m TSRequest) ([]byte, error) {
	if m.PubKeyAuth == nil {
		return nil, fmt.Errorf("credssp: no pubKeyAuth where one is due: %w", desktop.ErrProtocol)
	}
	proof, err := c.mech.Unseal(m.PubKeyAuth)
	if err != nil || !hmac.Equal(proof, serverProof(c.agreed(), c.key, c.nonce)) {
		return nil, fmt.Errorf("credssp: the target does not prove that the TLS key is its own: there may be a man in the "+
			"middle; the credentials were not sent: %w", desktop.ErrCertificate)
	}
	c.proved = true
	credentials := c.cfg.Credentials
	if c.cfg.RestrictedAdmin {
		credentials = Credentials{}
	}
	sealed, err := c.mech.Seal(credentials.Append(nil))
	if err != nil {
		return nil, streamError("authInfo", err)
	}
	return TSRequest{Version: c.cfg.Version, AuthInfo: sealed}.Append(nil), nil
}
