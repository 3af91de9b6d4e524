package ntlm

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ServerConfig is what a Server needs.
type ServerConfig struct {
	// Lookup returns the hash of a user's password. The names come from the network, unproved.
	Lookup func(domain, username string) (Hash, bool)
	// Computer is the server's NetBIOS name, told to clients before they prove anything.
	Computer string
	// ChannelBindings is the application data of the TLS channel's bindings ([RFC 5929]). Where it is set, clients that
	// send other bindings are refused; clients that send none are not.
	ChannelBindings []byte
	Random          io.Reader        // crypto/rand when nil
	Now             func() time.Time // time.Now when nil
}

// Server is the side that is shown a proof ([MS-NLMP] 3.2.5.1).
type Server struct {
	*session
	cfg                  ServerConfig
	negotiate, challenge []byte // as received and as sent; nil before
	serverChallenge      [8]byte
	domain, username     string
}

// NewServer returns a Server at its beginning.
func NewServer(cfg ServerConfig) *Server {
	cfg.Random = cmp.Or(cfg.Random, rand.Reader)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{cfg: cfg}
}

// Step takes the NEGOTIATE_MESSAGE and returns the CHALLENGE_MESSAGE, then takes the AUTHENTICATE_MESSAGE; then it is
// done and Seal and Unseal work. A proof that does not fit is ErrCredentials.
func (s *Server) Step(in []byte) (out []byte, done bool, err error) {
	switch {
	case s.session != nil:
		return nil, false, errState
	case s.challenge == nil:
		out, err = s.greet(in)
		return out, false, err
	}
	err = s.check(in)
	return nil, err == nil, err
}

// User returns the names that were proved, as the client wrote them, after Step was done.
func (s *Server) User() (domain, username string) { return s.domain, s.username }

func (s *Server) greet(negotiate []byte) ([]byte, error) {
	m, err := DecodeNegotiate(negotiate)
	if err != nil {
		return nil, fmt.Errorf("ntlm: %w", err)
	}
	if m.Flags&needed != needed {
		return nil, fmt.Errorf("ntlm: NEGOTIATE_MESSAGE flags %#08x: %w", m.Flags, ErrWeak)
	}
	if err := fill(s.cfg.Random, s.serverChallenge[:]); err != nil {
		return nil, err
	}
	name := wire.AppendUTF16(nil, s.cfg.Computer)
	s.negotiate = append([]byte{}, negotiate...)
	s.challenge = Challenge{
		Flags:           m.Flags&offered | flagRequestTarget | flagTargetTypeServer | flagTargetInfo,
		TargetName:      s.cfg.Computer,
		ServerChallenge: s.serverChallenge,
		TargetInfo: AVPairs{
			{avNbDomainName, name},
			{avNbComputerName, name},
			{avDNSDomainName, name},
			{avDNSComputerName, name},
			{avTimestamp, fileTime(s.cfg.Now())},
		},
	}.Append(nil)
	return s.challenge, nil
}

// check verifies the AUTHENTICATE_MESSAGE ([MS-NLMP] 3.2.5.1.2).
func (s *Server) check(authenticate []byte) error {
	m, err := DecodeAuthenticate(authenticate)
	if err != nil {
		return fmt.Errorf("ntlm: %w", err)
	}
	if m.Flags&needed != needed {
		return fmt.Errorf("ntlm: AUTHENTICATE_MESSAGE flags %#08x: %w", m.Flags, ErrWeak)
	}
	if len(m.NTResponse) < 16+clientChallengeHead { // NTLM version 1 and anonymous
		return fmt.Errorf("ntlm: a response of %d bytes: %w", len(m.NTResponse), ErrCredentials)
	}
	if len(m.EncryptedSessionKey) != 16 {
		return wire.Errorf("ntlm: an EncryptedRandomSessionKey of %d bytes", len(m.EncryptedSessionKey))
	}
	temp := m.NTResponse[16:]
	pairs, err := DecodeAVPairs(temp[clientChallengeHead:])
	if err != nil {
		return fmt.Errorf("ntlm: NTLMv2_CLIENT_CHALLENGE: %w", err)
	}
	hash, known := s.cfg.Lookup(m.Domain, m.Username) // an unknown user takes the same way, with no hash
	ntProof, sessionBaseKey := proof(ntowfv2(hash, m.Username, m.Domain), s.serverChallenge[:], temp)
	if !hmac.Equal(ntProof, m.NTResponse[:16]) || !known {
		return fmt.Errorf("ntlm: %w", ErrCredentials)
	}
	key := rc4Once(sessionBaseKey, m.EncryptedSessionKey)
	if pairs.flags()&avFlagMIC != 0 && !s.micFits(key, authenticate, m.MIC) {
		return fmt.Errorf("ntlm: MIC: %w", ErrAltered)
	}
	if err := s.checkBindings(pairs); err != nil {
		return err
	}
	s.domain, s.username = m.Domain, m.Username
	s.session = serverSession(key)
	return nil
}

// micFits verifies the MIC over the three messages ([MS-NLMP] 3.2.5.1.2).
func (s *Server) micFits(key, authenticate []byte, mic [micBytes]byte) bool {
	if len(authenticate) < micOffset+micBytes {
		return false
	}
	zeroed := append([]byte{}, authenticate...)
	clear(zeroed[micOffset : micOffset+micBytes])
	return hmac.Equal(hmacMD5(key, s.negotiate, s.challenge, zeroed), mic[:])
}

// checkBindings compares the channel bindings that the client has sent, if it has.
func (s *Server) checkBindings(pairs AVPairs) error {
	sent := pairs.get(avChannelBindings, 16)
	if len(s.cfg.ChannelBindings) == 0 || sent == nil || [16]byte(sent) == [16]byte{} {
		return nil
	}
	if !hmac.Equal(sent, channelBindings(s.cfg.ChannelBindings)) {
		return fmt.Errorf("ntlm: %w", ErrBindings)
	}
	return nil
}
