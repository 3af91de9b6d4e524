package license

import (
	"crypto/md5"  //nolint:gosec // the protocol demands it; TLS around it protects
	"crypto/rc4"  //nolint:gosec // likewise
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/subtle"
	"encoding/binary"
	"slices"
)

const (
	randomBytes    = 32
	premasterBytes = 48
	keyBytes       = md5.Size
	macBytes       = md5.Size
)

// keys are the licensing encryption key and the MAC salt key ([MS-RDPELE] 5.1.2).
type keys struct {
	encryption [keyBytes]byte
	salt       [keyBytes]byte
}

// deriveKeys derives both from what the two sides have exchanged.
func deriveKeys(premaster *[premasterBytes]byte, client, server *[randomBytes]byte) keys {
	master := saltedHashes(premaster[:], client[:], server[:])
	blob := saltedHashes(master[:], server[:], client[:])
	k := keys{salt: [keyBytes]byte(blob[:keyBytes])}
	k.encryption = md5.Sum(slices.Concat(blob[keyBytes:2*keyBytes], client[:], server[:]))
	return k
}

// saltedHashes returns SaltedHash(secret, 'A') + SaltedHash(secret, 'BB') + SaltedHash(secret, 'CCC').
func saltedHashes(secret, first, second []byte) [premasterBytes]byte {
	var out [premasterBytes]byte
	for i, letters := range []string{"A", "BB", "CCC"} {
		inner := sha1.Sum(slices.Concat([]byte(letters), secret, first, second))
		sum := md5.Sum(slices.Concat(secret, inner[:]))
		copy(out[i*md5.Size:], sum[:])
	}
	return out
}

// mac returns MACData of data ([MS-RDPELE] 5.1.5).
func (k *keys) mac(data []byte) [macBytes]byte {
	inner := sha1.New()
	inner.Write(k.salt[:])
	inner.Write(slices.Repeat([]byte{0x36}, 40))
	inner.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
	inner.Write(data)
	outer := md5.New()
	outer.Write(k.salt[:])
	outer.Write(slices.Repeat([]byte{0x5c}, 48))
	outer.Write(inner.Sum(nil))
	return [macBytes]byte(outer.Sum(nil))
}

// verify tells whether mac is that of data.
func (k *keys) verify(data, mac []byte) bool {
	want := k.mac(data)
	return subtle.ConstantTimeCompare(want[:], mac) == 1
}

// crypt encrypts or decrypts one field ([MS-RDPELE] 5.1.3, 5.1.4): every field starts the key stream again.
func (k *keys) crypt(data []byte) []byte {
	c, err := rc4.NewCipher(k.encryption[:])
	if err != nil {
		panic("license: a key of 16 bytes is one RC4 takes: " + err.Error())
	}
	out := make([]byte, len(data))
	c.XORKeyStream(out, data)
	return out
}
