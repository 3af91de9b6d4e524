package kerberos

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// AcceptorConfig is what an Acceptor needs.
type AcceptorConfig struct {
	// Key returns the service's key of an encryption type and version, as a keytab has it.
	Key func(keyType, version int32) (key desktop.Secret, ok bool)
	// ChannelBindings is the application data of the TLS channel's bindings ([RFC 5929]). Where it is set, initiators that
	// send other bindings are refused; initiators that send none are not.
	ChannelBindings []byte
	Random          io.Reader        // crypto/rand when nil
	Now             func() time.Time // time.Now when nil
}

// Acceptor is the side that a ticket is for. It keeps no cache of replays: what CredSSP sends next is sealed with a key
// that a replayed request does not tell.
type Acceptor struct {
	protection
	cfg    AcceptorConfig
	realm  string
	client []string
}

// NewAcceptor returns an Acceptor at its beginning.
func NewAcceptor(cfg AcceptorConfig) *Acceptor {
	cfg.Random = cmp.Or(cfg.Random, rand.Reader)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Acceptor{cfg: cfg}
}

// User returns the name that was proved, after Step was done.
func (a *Acceptor) User() (realm string, name []string) { return a.realm, a.client }

// Step takes the AP-REQ and returns the AP-REP; then it is done.
func (a *Acceptor) Step(in []byte) (out []byte, done bool, err error) {
	if a.established {
		return nil, false, errState
	}
	out, err = a.accept(in)
	return out, err == nil, err
}

func (a *Acceptor) accept(in []byte) ([]byte, error) {
	id, r := openToken("AP-REQ", in)
	if r.Err() == nil && id != tokenAPReq {
		_ = r.Refuse("token %#04x, want %#04x", id, tokenAPReq)
	}
	m, err := decodeAPReq(r)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	t, err := a.openTicket(m.ticket)
	if err != nil {
		return nil, err
	}
	session, err := newKey(t.key.keyType, t.key.value)
	if err != nil {
		return nil, err
	}
	plain, err := session.decrypt(m.authenticator.cipher, usageAuthenticator)
	if err != nil {
		return nil, fmt.Errorf("kerberos: Authenticator: %w", err)
	}
	auth, err := decodeAuthenticator(plain)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	if err := a.check(t, auth); err != nil {
		return nil, err
	}
	a.realm, a.client = t.realm, t.client.names
	return a.reply(session, auth)
}

// openTicket decrypts the ticket with the service's key.
func (a *Acceptor) openTicket(b []byte) (ticketPart, error) {
	sealed, err := decodeTicket(b)
	if err != nil {
		return ticketPart{}, fmt.Errorf("kerberos: %w", err)
	}
	value, ok := a.cfg.Key(sealed.keyType, sealed.version)
	if !ok {
		return ticketPart{}, fmt.Errorf("kerberos: no key of type %d, version %d: %w", sealed.keyType, sealed.version, ErrRefused)
	}
	k, err := newKey(sealed.keyType, []byte(value))
	if err != nil {
		return ticketPart{}, err
	}
	plain, err := k.decrypt(sealed.cipher, usageTicket)
	if err != nil {
		return ticketPart{}, fmt.Errorf("kerberos: Ticket: %w", err)
	}
	t, err := decodeTicketPart(plain)
	if err != nil {
		return ticketPart{}, fmt.Errorf("kerberos: %w", err)
	}
	return t, nil
}

// check compares the authenticator with the ticket, the clock and the channel ([RFC 4120] 3.2.3).
func (a *Acceptor) check(t ticketPart, auth authenticator) error {
	now := a.cfg.Now()
	switch skew := now.Sub(auth.time); {
	case auth.realm != t.realm || !slices.Equal(auth.client.names, t.client.names):
		return fmt.Errorf("kerberos: the ticket is another's: %w", ErrRefused)
	case skew.Abs() > maxSkew:
		return fmt.Errorf("kerberos: the clocks differ by %v: %w", skew.Round(time.Second), ErrRefused)
	case now.After(t.end.Add(maxSkew)) || now.Add(maxSkew).Before(t.start):
		return fmt.Errorf("kerberos: the ticket has expired or is not valid yet: %w", ErrRefused)
	case len(a.cfg.ChannelBindings) > 0 && auth.bindings != [16]byte{} && auth.bindings != bindings(a.cfg.ChannelBindings):
		return fmt.Errorf("kerberos: bound to another TLS channel: %w", ErrRefused)
	}
	return nil
}

// reply makes the AP-REP, with a key of this side's own.
func (a *Acceptor) reply(session key, auth authenticator) ([]byte, error) {
	random := make([]byte, session.GetKeyByteSize()+4)
	if _, err := io.ReadFull(a.cfg.Random, random); err != nil {
		return nil, fmt.Errorf("kerberos: random bytes: %w", err)
	}
	part := apRepPart{
		time: auth.time, micros: auth.micros, subkey: encryptionKey{session.GetETypeID(), random[4:]},
		sequence: binary.BigEndian.Uint32(random) >> 2,
	}
	sealed, err := session.encrypt(part.der(), usageAPRep)
	if err != nil {
		return nil, err
	}
	k, err := newKey(part.subkey.keyType, part.subkey.value)
	if err != nil {
		return nil, err
	}
	a.protection = protect(k, true, true, part.sequence, auth.sequence)
	return appendToken(tokenAPRep, apRepDER(encryptedData{keyType: session.GetETypeID(), cipher: sealed})), nil
}
