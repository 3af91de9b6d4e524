package kerberos

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/etype"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Encryption types ([RFC 3962]). RC4 and DES have message formats of their own and no place here; those of [RFC 8009]
// are not Windows' and gokrb5 gets the key's size of one wrong.
const (
	aes128SHA1 = 17
	aes256SHA1 = 18
)

// Key usage numbers ([RFC 4120] 7.5.1, [RFC 4121] 2).
const (
	usageTicket        = 2
	usageAuthenticator = 11
	usageAPRep         = 12
	usageAcceptorSeal  = 22
	usageAcceptorSign  = 23
	usageInitiatorSeal = 24
	usageInitiatorSign = 25
)

// key is an encryption key with its type.
type key struct {
	etype.EType
	value []byte
}

// Format implements fmt.Formatter: a key shows nothing.
func (key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue implements slog.LogValuer.
func (key) LogValue() slog.Value { return slog.StringValue("[redacted]") }

func newKey(keyType int32, value []byte) (key, error) {
	if keyType != aes128SHA1 && keyType != aes256SHA1 {
		return key{}, fmt.Errorf("kerberos: encryption type %d: %w", keyType, ErrRefused)
	}
	e, err := crypto.GetEtype(keyType)
	if err != nil {
		return key{}, fmt.Errorf("kerberos: encryption type %d: %w", keyType, ErrRefused)
	}
	if len(value) != e.GetKeyByteSize() {
		return key{}, wire.Errorf("kerberos: a key of %d bytes, type %d has %d", len(value), keyType, e.GetKeyByteSize())
	}
	return key{e, value}, nil
}

// overhead is how many bytes encryption puts behind the confounder's block: the truncated HMAC.
func (k key) overhead() int { return k.GetHMACBitLength() / 8 }

func (k key) encrypt(message []byte, usage uint32) ([]byte, error) {
	_, b, err := k.EncryptMessage(k.value, message, usage)
	if err != nil {
		return nil, fmt.Errorf("kerberos: encryption: %w", err)
	}
	return b, nil
}

func (k key) decrypt(b []byte, usage uint32) ([]byte, error) {
	if len(b) < k.GetConfounderByteSize()+k.overhead() {
		return nil, wire.Errorf("kerberos: %d bytes encrypted", len(b))
	}
	message, err := k.DecryptMessage(k.value, b, usage)
	if err != nil {
		return nil, ErrAltered // the library's text says no more
	}
	return message, nil
}
