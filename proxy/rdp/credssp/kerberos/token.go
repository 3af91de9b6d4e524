package kerberos

import (
	"crypto/hmac"
	"encoding/binary"
	"slices"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Per-message tokens ([RFC 4121] 4.2.6).
const (
	tokenMIC    = 0x0404
	tokenWrap   = 0x0504
	tokenHeader = 16

	flagSentByAcceptor = 0x01
	flagSealed         = 0x02
	flagAcceptorSubkey = 0x04
)

// protection seals and signs with the key that the exchange left. The zero value, before that, refuses.
type protection struct {
	key             key
	acceptor        bool  // this side is
	subkey          uint8 // flagAcceptorSubkey if the key is the acceptor's
	outSeq, inSeq   uint64
	established     bool
	sealOut, sealIn uint32 // key usages
	signOut, signIn uint32
}

func protect(k key, acceptor, acceptorSubkey bool, outSeq, inSeq uint32) protection {
	p := protection{
		key: k, acceptor: acceptor, outSeq: uint64(outSeq), inSeq: uint64(inSeq), established: true,
		sealOut: usageInitiatorSeal, sealIn: usageAcceptorSeal, signOut: usageInitiatorSign, signIn: usageAcceptorSign,
	}
	if acceptor {
		p.sealOut, p.sealIn, p.signOut, p.signIn = p.sealIn, p.sealOut, p.signIn, p.signOut
	}
	if acceptorSubkey {
		p.subkey = flagAcceptorSubkey
	}
	return p
}

// header returns the first 16 bytes of this side's next token and counts it. rrc is 0xffff in MIC tokens.
func (p *protection) header(id uint16, flags uint8, ec, rrc uint16) []byte {
	if p.acceptor {
		flags |= flagSentByAcceptor
	}
	h := binary.BigEndian.AppendUint16(make([]byte, 0, tokenHeader), id)
	h = append(h, flags|p.subkey, 0xff)
	h = binary.BigEndian.AppendUint16(h, ec)
	h = binary.BigEndian.AppendUint16(h, rrc)
	h = binary.BigEndian.AppendUint64(h, p.outSeq)
	p.outSeq++
	return h
}

// checkHeader verifies the first 16 bytes of the peer's next token and counts it.
func (p *protection) checkHeader(h []byte, id uint16, flags uint8) error {
	if !p.acceptor {
		flags |= flagSentByAcceptor
	}
	if got := binary.BigEndian.Uint16(h); got != id || h[3] != 0xff {
		return wire.Errorf("kerberos: token %#04x, want %#04x", got, id)
	}
	if seq := binary.BigEndian.Uint64(h[8:]); h[2] != flags|p.subkey || seq != p.inSeq {
		return ErrAltered
	}
	p.inSeq++
	return nil
}

// Seal encrypts and signs a message: GSS_Wrap ([RFC 4121] 4.2.4). It is rotated as Windows does ([MS-KILE] 3.4.5.4.1),
// so that all that is not the message's own length comes first.
func (p *protection) Seal(message []byte) ([]byte, error) {
	if !p.established {
		return nil, errState
	}
	h := p.header(tokenWrap, flagSealed, 0, 0)
	b, err := p.key.encrypt(slices.Concat(message, h), p.sealOut)
	if err != nil {
		return nil, err
	}
	rrc := tokenHeader + p.key.overhead()
	binary.BigEndian.PutUint16(h[6:], uint16(rrc))
	at := len(b) - rrc
	return slices.Concat(h, b[at:], b[:at]), nil
}

// Unseal decrypts a message and verifies its signature.
func (p *protection) Unseal(sealed []byte) ([]byte, error) {
	if !p.established {
		return nil, errState
	}
	if len(sealed) <= tokenHeader {
		return nil, wire.Errorf("kerberos: a sealed message of %d bytes", len(sealed))
	}
	h, b := sealed[:tokenHeader], sealed[tokenHeader:]
	if err := p.checkHeader(h, tokenWrap, flagSealed); err != nil {
		return nil, err
	}
	ec, at := int(binary.BigEndian.Uint16(h[4:])), int(binary.BigEndian.Uint16(h[6:]))%len(b)
	plain, err := p.key.decrypt(slices.Concat(b[at:], b[:at]), p.sealIn)
	if err != nil {
		return nil, err
	}
	if len(plain) < tokenHeader+ec {
		return nil, wire.Errorf("kerberos: %d bytes sealed with EC %d", len(plain), ec)
	}
	// What was encrypted behind the message is the header, with RRC zero ([RFC 4121] 4.2.4).
	inner := plain[len(plain)-tokenHeader:]
	if !hmac.Equal(inner[:6], h[:6]) || !hmac.Equal(inner[8:], h[8:]) {
		return nil, ErrAltered
	}
	return plain[:len(plain)-tokenHeader-ec], nil
}

// Sign returns the MIC token of a message: GSS_GetMIC ([RFC 4121] 4.2.6.1).
func (p *protection) Sign(message []byte) ([]byte, error) {
	if !p.established {
		return nil, errState
	}
	h := p.header(tokenMIC, 0, 0xffff, 0xffff)
	sum, err := p.key.GetChecksumHash(p.key.value, slices.Concat(message, h), p.signOut)
	if err != nil {
		return nil, ErrRefused
	}
	return append(h, sum...), nil
}

// Verify is Sign's counterpart.
func (p *protection) Verify(message, mic []byte) error {
	if !p.established {
		return errState
	}
	if len(mic) != tokenHeader+p.key.overhead() {
		return wire.Errorf("kerberos: a MIC of %d bytes", len(mic))
	}
	if err := p.checkHeader(mic[:tokenHeader], tokenMIC, 0); err != nil {
		return err
	}
	if !p.key.VerifyChecksum(p.key.value, slices.Concat(message, mic[:tokenHeader]), mic[tokenHeader:], p.signIn) {
		return ErrAltered
	}
	return nil
}
