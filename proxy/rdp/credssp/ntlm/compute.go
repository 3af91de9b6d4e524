package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"strings"
	"time"
	"unicode"

	"golang.org/x/crypto/md4" //nolint:staticcheck // NTLM is made of it

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// NTHash returns the hash of a password: NTOWFv1 ([MS-NLMP] 3.3.1).
func NTHash(password desktop.Secret) Hash {
	h := md4.New()
	h.Write(wire.AppendUTF16(nil, string(password)))
	return Hash(h.Sum(nil))
}

// ntowfv2 returns the key of all proofs: NTOWFv2 ([MS-NLMP] 3.3.2).
func ntowfv2(hash Hash, username, domain string) []byte {
	return hmacMD5(hash[:], wire.AppendUTF16(nil, upper(username)), wire.AppendUTF16(nil, domain))
}

// upper is Windows' simple folding: character by character, and none outside the first plane.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xffff {
			return r
		}
		return unicode.ToUpper(r)
	}, s)
}

// appendClientChallenge appends NTLMv2_CLIENT_CHALLENGE ([MS-NLMP] 2.2.2.7), "temp" in 3.3.2.
func appendClientChallenge(b, timestamp, nonce, targetInfo []byte) []byte {
	b = append(b, 1, 1, 0, 0, 0, 0, 0, 0) // RespType, HiRespType, Reserved1, Reserved2
	b = append(b, timestamp...)
	b = append(b, nonce...)
	b = append(b, 0, 0, 0, 0)
	b = append(b, targetInfo...)
	return append(b, 0, 0, 0, 0)
}

// clientChallengeHead is how many bytes lie before the target information.
const clientChallengeHead = 28

// proof returns NTProofStr and SessionBaseKey ([MS-NLMP] 3.3.2) for a client challenge.
func proof(key, serverChallenge, clientChallenge []byte) (ntProof, sessionBaseKey []byte) {
	ntProof = hmacMD5(key, serverChallenge, clientChallenge)
	return ntProof, hmacMD5(key, ntProof)
}

// channelBindings returns the value of MsvAvChannelBindings: MD5 of gss_channel_bindings_struct with no addresses
// ([MS-NLMP] 3.1.5.1.2, [RFC 2744] 3.11) around the application data.
func channelBindings(data []byte) []byte {
	h := md5.New()
	h.Write(make([]byte, 16)) // addresses' types and lengths
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
	h.Write(data)
	return h.Sum(nil)
}

// fileTime returns a time as FILETIME: 100 ns since 1601.
func fileTime(t time.Time) []byte {
	const unixEpoch = 116444736000000000
	return binary.LittleEndian.AppendUint64(nil, uint64(t.UnixNano()/100+unixEpoch))
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// rc4Once encrypts or decrypts with a key used once.
func rc4Once(key, b []byte) []byte {
	out := make([]byte, len(b))
	newRC4(key).XORKeyStream(out, b)
	return out
}

func newRC4(key []byte) *rc4.Cipher {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic(err) // keys here have 16 bytes
	}
	return c
}
