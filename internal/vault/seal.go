package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// Names of the layers, which their additional data begin with.
const (
	layerSecret  = "vitrine secret"
	layerDataKey = "vitrine data key"
)

// binding is the additional data of a layer: what a value is for. Lengths keep the parts apart.
func binding(parts ...string) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}

// seal encrypts plaintext with key and binds it.
func seal(key, plaintext, bound []byte) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1+gcm.NonceSize(), sealOverhead+len(plaintext))
	out[0] = sealVersion
	rand.Read(out[1:]) // never fails
	return gcm.Seal(out, out[1:], plaintext, bound), nil
}

// open decrypts what seal has made, or returns ErrCorrupt.
func open(key, sealed, bound []byte) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < sealOverhead {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(sealed))
	}
	if len(sealed) > sealOverhead+MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(sealed))
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: version %d", ErrCorrupt, sealed[0])
	}
	nonce, text := sealed[1:1+gcm.NonceSize()], sealed[1+gcm.NonceSize():]
	plaintext, err := gcm.Open(nil, nonce, text, bound)
	if err != nil {
		return nil, ErrCorrupt // the library's error says no more
	}
	return plaintext, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return cipher.NewGCM(block)
}
