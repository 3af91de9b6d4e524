package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// signatureBytes is the size of NTLMSSP_MESSAGE_SIGNATURE ([MS-NLMP] 2.2.2.9.2).
const signatureBytes = 16

// Magic constants of SIGNKEY and SEALKEY ([MS-NLMP] 3.4.5.2, 3.4.5.3), with their terminators.
const (
	clientSigning = "session key to client-to-server signing key magic constant\x00"
	serverSigning = "session key to server-to-client signing key magic constant\x00"
	clientSealing = "session key to client-to-server sealing key magic constant\x00"
	serverSealing = "session key to server-to-client sealing key magic constant\x00"
)

// session is what the exchange leaves: keys and counters of both directions ([MS-NLMP] 3.4).
type session struct{ out, in *direction }

type direction struct {
	signKey, sealKey []byte
	cipher           *rc4.Cipher // its state goes on from message to message
	sequence         uint32
}

func newDirection(exportedSessionKey []byte, signing, sealing string) *direction {
	sign := md5.Sum(append(append([]byte{}, exportedSessionKey...), signing...))
	seal := md5.Sum(append(append([]byte{}, exportedSessionKey...), sealing...))
	return &direction{signKey: sign[:], sealKey: seal[:], cipher: newRC4(seal[:])}
}

func clientSession(key []byte) *session {
	return &session{newDirection(key, clientSigning, clientSealing), newDirection(key, serverSigning, serverSealing)}
}

func serverSession(key []byte) *session {
	c := clientSession(key)
	return &session{out: c.in, in: c.out}
}

// mac appends the signature of the next message ([MS-NLMP] 3.4.4.2) and counts it.
func (d *direction) mac(b, message []byte) []byte {
	sequence := binary.LittleEndian.AppendUint32(nil, d.sequence)
	d.sequence++
	checksum := hmacMD5(d.signKey, sequence, message)[:8]
	d.cipher.XORKeyStream(checksum, checksum)
	b = append(b, 1, 0, 0, 0)
	b = append(b, checksum...)
	return append(b, sequence...)
}

// Seal encrypts and signs a message: GSS_WrapEx ([MS-NLMP] 3.4.6), the signature in front.
func (s *session) Seal(message []byte) ([]byte, error) {
	if s == nil {
		return nil, errState
	}
	sealed := make([]byte, signatureBytes+len(message))
	s.out.cipher.XORKeyStream(sealed[signatureBytes:], message)
	s.out.mac(sealed[:0], message)
	return sealed, nil
}

// Unseal decrypts a message and verifies its signature.
func (s *session) Unseal(sealed []byte) ([]byte, error) {
	if s == nil {
		return nil, errState
	}
	if len(sealed) < signatureBytes {
		return nil, wire.Errorf("ntlm: a sealed message of %d bytes", len(sealed))
	}
	message := make([]byte, len(sealed)-signatureBytes)
	s.in.cipher.XORKeyStream(message, sealed[signatureBytes:])
	if !hmac.Equal(s.in.mac(nil, message), sealed[:signatureBytes]) {
		return nil, ErrAltered
	}
	return message, nil
}

// Sign returns the signature of a message that SPNEGO protects. The cipher then begins anew ([MS-SPNG] 3.3.5.1).
func (s *session) Sign(message []byte) ([]byte, error) {
	if s == nil {
		return nil, errState
	}
	mic := s.out.mac(nil, message)
	s.out.cipher = newRC4(s.out.sealKey)
	return mic, nil
}

// Verify is Sign's counterpart.
func (s *session) Verify(message, mic []byte) error {
	if s == nil {
		return errState
	}
	want := s.in.mac(nil, message)
	s.in.cipher = newRC4(s.in.sealKey)
	if !hmac.Equal(want, mic) {
		return ErrAltered
	}
	return nil
}
