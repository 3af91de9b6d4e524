package license

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ErrOver is returned by Step after the exchange has ended.
var ErrOver = errors.New("license: the exchange is over")

// Config is what a client tells of itself, and where its randomness comes from.
type Config struct {
	// Username is written into the server's list of licences; it is sent in ISO 8859-1.
	Username string
	// MachineName is too, and the hardware id is a hash of it: it names the gateway and has to stay the same, because a
	// server that counts devices gives every name a licence.
	MachineName string
	// Random makes the client's random and secret; nil is crypto/rand.
	Random io.Reader
}

// Client is the client's side of one exchange. It is not safe for concurrent use.
type Client struct {
	cfg      Config
	state    state
	messages int    // received
	last     []byte // sent, in case the server wants it again
	keys     keys
}

type state uint8

const (
	awaitRequest   state = iota // nothing but an alert may come before a license request
	awaitChallenge              // a new license request has been sent
	awaitLicense                // the platform challenge has been answered
	over
)

// NewClient returns a Client that waits for the server's first message.
func NewClient(cfg Config) *Client {
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return &Client{cfg: cfg}
}

// Step takes a licensing message: the data of a PDU behind its security header, in which the caller has found
// SEC_LICENSE_PKT. out, unless it is nil, is the reply, before which the caller puts a security header with
// SEC_LICENSE_PKT; it is the caller's until the next Step. done is set when the server has let the client in. An error
// ends the exchange: *AlertError is what the server sent, all others are about what it sent and wrap wire.ErrMalformed,
// or come from Config.Random.
func (c *Client) Step(in []byte) (out []byte, done bool, err error) {
	if c.state == over {
		return nil, false, ErrOver
	}
	out, done, err = c.step(in)
	if done || err != nil {
		*c = Client{state: over} // no secret outlives the exchange
		return nil, done, err
	}
	if out != nil {
		c.last = out
	}
	return out, false, nil
}

func (c *Client) step(in []byte) (out []byte, done bool, err error) {
	if c.messages++; c.messages > maxMessages {
		return nil, false, wire.Errorf("license: no end after %d messages", maxMessages)
	}
	kind, body, err := decodePreamble(in)
	if err != nil {
		return nil, false, err
	}
	switch {
	case kind == errorAlert:
		return c.alert(body)
	case kind == licenseRequest && c.state == awaitRequest:
		out, err = c.request(body)
	case kind == platformChallenge && c.state == awaitChallenge:
		out, err = c.challenge(body)
	case (kind == newLicense || kind == upgradeLicense) && c.state == awaitLicense:
		err = c.license(body)
		return nil, err == nil, err
	default:
		err = wire.Errorf("license: message type %#x out of sequence (state %d)", uint8(kind), c.state)
	}
	return out, false, err
}

// alert takes a LICENSE_ERROR_MESSAGE ([MS-RDPELE] 3.1.5.3).
func (c *Client) alert(body []byte) (out []byte, done bool, err error) {
	e, err := decodeAlert(body)
	switch {
	case err != nil:
		return nil, false, err
	case e.Code == codeValidClient:
		return nil, true, nil
	case e.Transition == transitionReset:
		c.state, c.last = awaitRequest, nil
		return nil, false, nil
	case e.Transition == transitionResend && c.last != nil:
		return c.last, false, nil
	}
	return nil, false, &e
}

// request answers a SERVER_LICENSE_REQUEST with a request for a new license.
func (c *Client) request(body []byte) ([]byte, error) {
	var q request
	if err := q.decode(body); err != nil {
		return nil, err
	}
	var random [randomBytes]byte
	if _, err := io.ReadFull(c.cfg.Random, random[:]); err != nil {
		return nil, err
	}
	// A server that sends no certificate still has a key, which nobody told us. Zero is zero under every key, and TLS keeps
	// what follows from it.
	var premaster [premasterBytes]byte
	encrypted := make([]byte, 64+modulusPadded) // as of a key of 512 bits
	if q.hasKey {
		if _, err := io.ReadFull(c.cfg.Random, premaster[:]); err != nil {
			return nil, err
		}
		encrypted = q.key.encrypt(premaster[:])
	}
	c.keys = deriveKeys(&premaster, &random, &q.random)
	c.state = awaitChallenge
	return appendNewLicenseRequest(nil, &random, encrypted, c.cfg.Username, c.cfg.MachineName), nil
}

// challenge answers a SERVER_PLATFORM_CHALLENGE ([MS-RDPELE] 2.2.2.4).
func (c *Client) challenge(body []byte) ([]byte, error) {
	r := wire.NewReader("SERVER_PLATFORM_CHALLENGE", body)
	r.Skip(4) // reserved
	challenge, err := c.keys.decodeSealed(r, maxChallenge)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(c.cfg.MachineName))
	hardware := [hardwareIDBytes]byte(sum[:hardwareIDBytes])
	c.state = awaitLicense
	return c.keys.appendChallengeResponse(nil, challenge, &hardware), nil
}

// license takes a SERVER_NEW_LICENSE or SERVER_UPGRADE_LICENSE ([MS-RDPELE] 2.2.2.6, 2.2.2.7). What is in it is not kept,
// so only its MAC is looked at.
func (c *Client) license(body []byte) error {
	_, err := c.keys.decodeSealed(wire.NewReader("SERVER_NEW_LICENSE", body), len(body))
	return err
}
