package license

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// messageType is bMsgType of a preamble ([MS-RDPBCGR] 2.2.1.12.1.1).
type messageType uint8

const (
	licenseRequest            messageType = 0x01
	platformChallenge         messageType = 0x02
	newLicense                messageType = 0x03
	upgradeLicense            messageType = 0x04
	newLicenseRequest         messageType = 0x13
	platformChallengeResponse messageType = 0x15
	errorAlert                messageType = 0xff
)

const (
	preambleBytes = 4
	versionMask   = 0x0f
	version2      = 2 // RDP 4.0, and xrdp
	version3      = 3
	extendedError = 0x80
)

// decodePreamble returns a message's type and what follows the preamble. Bytes behind the message are passed over.
func decodePreamble(b []byte) (messageType, []byte, error) {
	r := wire.NewReader("LICENSE_PREAMBLE", b)
	kind, flags, size := messageType(r.Uint8()), r.Uint8(), int(r.Uint16())
	if r.Err() != nil {
		return 0, nil, r.Err()
	}
	if v := flags & versionMask; v != version2 && v != version3 {
		return 0, nil, r.Refuse("version %d, want %d or %d", v, version2, version3)
	}
	if size < preambleBytes || size > len(b) {
		return 0, nil, r.Refuse("message of %d bytes, %d came", size, len(b))
	}
	return kind, b[preambleBytes:size:size], nil
}

// appendMessage appends a message with its preamble; fn appends what follows it.
func appendMessage(b []byte, kind messageType, flags uint8, fn func(b []byte) []byte) []byte {
	start := len(b)
	b = fn(append(b, byte(kind), flags, 0, 0))
	binary.LittleEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// blobType is wBlobType of a LICENSE_BINARY_BLOB ([MS-RDPBCGR] 2.2.1.12.1.2).
type blobType uint16

const (
	blobAny           blobType = 0 // no type is checked
	blobRandom        blobType = 0x02
	blobCertificate   blobType = 0x03
	blobError         blobType = 0x04
	blobEncryptedData blobType = 0x09
	blobKeyExchange   blobType = 0x0d
	blobScope         blobType = 0x0e
	blobUserName      blobType = 0x0f
	blobMachineName   blobType = 0x10
)

// readBlob reads a blob; that of an empty one is not looked at.
func readBlob(r *wire.Reader, want blobType) []byte {
	kind, n := blobType(r.Uint16()), int(r.Uint16())
	if n > 0 && want != blobAny && kind != want {
		_ = r.Refuse("blob of type %d, want %d", kind, want)
	}
	return r.Bytes(n)
}

func appendBlob(b []byte, kind blobType, data []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(kind))
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(data))), data...)
}

// request is SERVER_LICENSE_REQUEST ([MS-RDPELE] 2.2.2.1) as far as a client without licences needs it.
type request struct {
	random [randomBytes]byte
	// key is of the server's certificate; hasKey is unset when none came, which servers allow themselves inside TLS.
	key    publicKey
	hasKey bool
}

func (q *request) decode(b []byte) error {
	r := wire.NewReader("SERVER_LICENSE_REQUEST", b)
	var out request
	copy(out.random[:], r.Bytes(randomBytes))
	r.Skip(4) // version of the product
	for _, field := range []string{"company name", "product id"} {
		n := r.Uint32()
		if n > maxProductText {
			return r.Refuse("%s of %d bytes exceeds %d", field, n, maxProductText)
		}
		r.Skip(int(n))
	}
	algorithms := readBlob(r, blobKeyExchange)
	if r.Err() == nil && !offersRSA(algorithms) {
		return r.Refuse("no RSA among %d key exchange algorithms", len(algorithms)/4)
	}
	certificate := readBlob(r, blobCertificate)
	scopes := r.Uint32()
	if scopes > maxScopes {
		return r.Refuse("%d scopes exceed %d", scopes, maxScopes)
	}
	for range scopes {
		readBlob(r, blobScope)
	}
	if r.Err() != nil {
		return r.Err()
	}
	if len(certificate) > 0 {
		key, err := decodeCertificate(certificate)
		if err != nil {
			return r.Fail(err)
		}
		out.key, out.hasKey = key, true
	}
	*q = out
	return nil
}

// offersRSA tells whether a list of algorithms has RSA in it; an empty list leaves it to the client.
func offersRSA(b []byte) bool {
	for i := 0; i+4 <= len(b); i += 4 {
		if binary.LittleEndian.Uint32(b[i:]) == algorithmRSA {
			return true
		}
	}
	return len(b) == 0
}

// platformID says Windows NT 5.2 or later and Microsoft ([MS-RDPELE] 2.2.2.2): licence servers know no other platform.
const platformID = 0x04010000

// appendNewLicenseRequest appends CLIENT_NEW_LICENSE_REQUEST ([MS-RDPELE] 2.2.2.2).
func appendNewLicenseRequest(b []byte, random *[randomBytes]byte, premaster []byte, user, machine string) []byte {
	return appendMessage(b, newLicenseRequest, version3|extendedError, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, algorithmRSA)
		b = binary.LittleEndian.AppendUint32(b, platformID)
		b = append(b, random[:]...)
		b = appendBlob(b, blobRandom, premaster)
		b = appendBlob(b, blobUserName, ansi(user))
		return appendBlob(b, blobMachineName, ansi(machine))
	})
}

// ansi returns a name in ISO 8859-1 with its terminator, cut to maxName; what it lacks becomes a question mark.
func ansi(s string) []byte {
	b := make([]byte, 0, len(s)+1)
	for _, r := range s {
		if len(b) == maxName {
			break
		}
		if r == 0 || r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return append(b, 0)
}

// decodeSealed reads the end of a platform challenge and of a new licence: an encrypted blob and a MAC of what is in it.
// It returns that in clear.
func (k *keys) decodeSealed(r *wire.Reader, limit int) ([]byte, error) {
	sealed := readBlob(r, blobAny) // servers leave the type open ([MS-RDPELE] notes 12 and 15)
	mac := r.Bytes(macBytes)
	if r.Err() != nil {
		return nil, r.Err()
	}
	if len(sealed) > limit {
		return nil, r.Refuse("encrypted data of %d bytes exceeds %d", len(sealed), limit)
	}
	data := k.crypt(sealed)
	if !k.verify(data, mac) {
		return nil, r.Refuse("the MAC of %d bytes is wrong", len(data))
	}
	return data, nil
}

// Fields of PLATFORM_CHALLENGE_RESPONSE_DATA ([MS-RDPELE] 2.2.2.5.1).
const (
	responseVersion = 0x0100
	clientTypeOther = 0xff00
	detailFull      = 3 // licences with their whole chain of certificates, of 6.5 KB and more
)

// hardwareIDBytes is the size of CLIENT_HARDWARE_ID without its platform ([MS-RDPELE] 2.2.2.3.1).
const hardwareIDBytes = 16

// appendChallengeResponse appends CLIENT_PLATFORM_CHALLENGE_RESPONSE ([MS-RDPELE] 2.2.2.5).
func (k *keys) appendChallengeResponse(b, challenge []byte, hardware *[hardwareIDBytes]byte) []byte {
	le := binary.LittleEndian
	var data []byte
	for _, v := range []uint16{responseVersion, clientTypeOther, detailFull, uint16(len(challenge))} {
		data = le.AppendUint16(data, v)
	}
	data = append(data, challenge...)
	id := append(le.AppendUint32(nil, platformID), hardware[:]...)
	return appendMessage(b, platformChallengeResponse, version3|extendedError, func(b []byte) []byte {
		b = appendBlob(b, blobEncryptedData, k.crypt(data))
		b = appendBlob(b, blobEncryptedData, k.crypt(id))
		mac := k.mac(append(data, id...))
		return append(b, mac[:]...)
	})
}
