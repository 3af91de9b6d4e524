package ntlm

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ClientConfig is what a Client needs.
type ClientConfig struct {
	Domain, Username string // a user principal name goes into Username, with Domain empty
	Password         desktop.Secret
	Workstation      string // the client's name, may be empty
	TargetName       string // the service principal name, e.g. TERMSRV/host; may be empty
	// ChannelBindings is the application data of the TLS channel's bindings ([RFC 5929]); may be empty.
	ChannelBindings []byte
	Random          io.Reader        // crypto/rand when nil
	Now             func() time.Time // time.Now when nil; asked only when the server does not tell the time
}

// Client is the side that proves a password ([MS-NLMP] 3.1.5.1).
type Client struct {
	*session
	cfg       ClientConfig
	negotiate []byte // the first message as sent; nil before
}

// NewClient returns a Client at its beginning.
func NewClient(cfg ClientConfig) *Client {
	cfg.Random = cmp.Or(cfg.Random, rand.Reader)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Client{cfg: cfg}
}

// Step takes nothing and returns the NEGOTIATE_MESSAGE, then takes the CHALLENGE_MESSAGE and returns the
// AUTHENTICATE_MESSAGE; then it is done and Seal and Unseal work.
func (c *Client) Step(in []byte) (out []byte, done bool, err error) {
	switch {
	case c.session != nil:
		return nil, false, errState
	case c.negotiate == nil:
		c.negotiate = Negotiate{Flags: offered}.Append(nil)
		return c.negotiate, false, nil
	}
	out, err = c.authenticate(in)
	return out, err == nil, err
}

// authenticate answers the CHALLENGE_MESSAGE ([MS-NLMP] 3.1.5.1.2).
func (c *Client) authenticate(challenge []byte) ([]byte, error) {
	m, err := DecodeChallenge(challenge)
	if err != nil {
		return nil, fmt.Errorf("ntlm: %w", err)
	}
	if m.Flags&needed != needed || m.Flags&flagTargetInfo == 0 {
		return nil, fmt.Errorf("ntlm: CHALLENGE_MESSAGE flags %#08x: %w", m.Flags, ErrWeak)
	}
	var random struct {
		nonce [8]byte
		key   [16]byte
	}
	if err := fill(c.cfg.Random, random.nonce[:], random.key[:]); err != nil {
		return nil, err
	}
	serversTime := m.TargetInfo.get(avTimestamp, 8)
	timestamp := serversTime
	if timestamp == nil {
		timestamp = fileTime(c.cfg.Now())
	}
	key := ntowfv2(NTHash(c.cfg.Password), c.cfg.Username, c.cfg.Domain)
	temp := appendClientChallenge(nil, timestamp, random.nonce[:], c.targetInfo(m.TargetInfo).Append(nil))
	if 16+len(temp) > maxResponseBytes {
		return nil, wire.Errorf("ntlm: a target information that makes a response of %d bytes", 16+len(temp))
	}
	ntProof, sessionBaseKey := proof(key, m.ServerChallenge[:], temp)
	answer := Authenticate{
		Flags:               offered & (m.Flags | flagVersion),
		LMResponse:          make([]byte, 24),
		NTResponse:          append(ntProof, temp...),
		Domain:              c.cfg.Domain,
		Username:            c.cfg.Username,
		Workstation:         c.cfg.Workstation,
		EncryptedSessionKey: rc4Once(sessionBaseKey, random.key[:]),
	}
	if serversTime == nil { // else a server has no use for it
		answer.LMResponse = append(hmacMD5(key, m.ServerChallenge[:], random.nonce[:]), random.nonce[:]...)
	}
	out := answer.Append(nil)
	copy(out[micOffset:], hmacMD5(random.key[:], c.negotiate, challenge, out))
	c.session = clientSession(random.key[:])
	return out, nil
}

// targetInfo returns the server's pairs with what the client adds.
func (c *Client) targetInfo(pairs AVPairs) AVPairs {
	pairs = pairs.with(avFlags, binary.LittleEndian.AppendUint32(nil, pairs.flags()|avFlagMIC))
	if len(c.cfg.ChannelBindings) > 0 {
		pairs = pairs.with(avChannelBindings, channelBindings(c.cfg.ChannelBindings))
	}
	if c.cfg.TargetName != "" {
		pairs = pairs.with(avTargetName, wire.AppendUTF16(nil, c.cfg.TargetName))
	}
	return pairs
}

// fill fills buffers with random bytes.
func fill(random io.Reader, buffers ...[]byte) error {
	for _, b := range buffers {
		if _, err := io.ReadFull(random, b); err != nil {
			return fmt.Errorf("ntlm: random bytes: %w", err)
		}
	}
	return nil
}
