package kerberos

import (
	"cmp"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// InitiatorConfig is what an Initiator needs.
type InitiatorConfig struct {
	Ticket Ticket
	// ChannelBindings is the application data of the TLS channel's bindings ([RFC 5929]); may be empty.
	ChannelBindings []byte
	Random          io.Reader        // crypto/rand when nil
	Now             func() time.Time // time.Now when nil
}

// Initiator is the side with the ticket.
type Initiator struct {
	protection
	cfg     InitiatorConfig
	session key
	sent    authenticator
	started bool
}

// NewInitiator returns an Initiator at its beginning.
func NewInitiator(cfg InitiatorConfig) *Initiator {
	cfg.Random = cmp.Or(cfg.Random, rand.Reader)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Initiator{cfg: cfg}
}

// Step takes nothing and returns the AP-REQ, then takes the AP-REP; then it is done, with nothing left to say.
func (i *Initiator) Step(in []byte) (out []byte, done bool, err error) {
	switch {
	case i.established:
		return nil, false, errState
	case !i.started:
		i.started = true
		out, err = i.request()
		return out, false, err
	}
	err = i.reply(in)
	return nil, err == nil, err
}

func (i *Initiator) request() ([]byte, error) {
	t := &i.cfg.Ticket
	if err := t.check(); err != nil {
		return nil, err
	}
	var err error
	if i.session, err = newKey(t.KeyType, []byte(t.Key)); err != nil {
		return nil, err
	}
	random := make([]byte, i.session.GetKeyByteSize()+4)
	if _, err := io.ReadFull(i.cfg.Random, random); err != nil {
		return nil, fmt.Errorf("kerberos: random bytes: %w", err)
	}
	now := i.cfg.Now()
	i.sent = authenticator{
		realm:    t.Realm,
		client:   principal{t.NameType, t.Client},
		bindings: bindings(i.cfg.ChannelBindings),
		flags:    gssMutual | gssReplay | gssSequence | gssConf | gssInteg,
		micros:   int64(now.Nanosecond() / 1000),
		time:     now.Truncate(time.Second),
		subkey:   encryptionKey{t.KeyType, random[4:]},
		sequence: binary.BigEndian.Uint32(random) >> 2, // some take it for signed, and it must not wrap
	}
	sealed, err := i.session.encrypt(i.sent.der(), usageAuthenticator)
	if err != nil {
		return nil, err
	}
	return appendToken(tokenAPReq, apReq{t.Ticket, encryptedData{keyType: t.KeyType, cipher: sealed}}.der()), nil
}

// reply verifies the AP-REP ([RFC 4120] 3.2.5): who made it holds the session key, out of the ticket.
func (i *Initiator) reply(in []byte) error {
	id, r := openToken("AP-REP", in)
	if id == tokenError && r.Err() == nil {
		return krbError(r)
	}
	if r.Err() == nil && id != tokenAPRep {
		_ = r.Refuse("token %#04x, want %#04x", id, tokenAPRep)
	}
	sealed, err := decodeAPRep(r)
	if err != nil {
		return fmt.Errorf("kerberos: %w", err)
	}
	plain, err := i.session.decrypt(sealed.cipher, usageAPRep)
	if err != nil {
		return fmt.Errorf("kerberos: AP-REP: %w", err)
	}
	part, err := decodeAPRepPart(plain)
	if err != nil {
		return fmt.Errorf("kerberos: %w", err)
	}
	if !part.time.Equal(i.sent.time) || part.micros != i.sent.micros {
		return fmt.Errorf("kerberos: AP-REP answers another request: %w", ErrAltered)
	}
	chosen, acceptors := i.sent.subkey, part.subkey.value != nil
	if acceptors {
		chosen = part.subkey
	}
	k, err := newKey(chosen.keyType, chosen.value)
	if err != nil {
		return err
	}
	i.protection = protect(k, false, acceptors, i.sent.sequence, part.sequence)
	return nil
}

// bindings returns MD5 of gss_channel_bindings_struct with no addresses ([RFC 4121] 4.1.1.2) around the application
// data; zero for none.
func bindings(data []byte) (sum [16]byte) {
	if len(data) == 0 {
		return sum
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data)))
	return md5.Sum(append(b, data...))
}
