package license

import (
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Values of a SERVER_CERTIFICATE ([MS-RDPBCGR] 2.2.1.4.3.1).
const (
	chainVersionMask        = 0x7fffffff // without the bit that says "temporary"
	chainVersionProprietary = 1
	chainVersionX509        = 2

	algorithmRSA  = 1
	keyBlob       = 6
	rsaMagic      = 0x31415352 // "RSA1"
	modulusPadded = 8          // zeros behind a modulus, and behind what it encrypts
)

// publicKey is an RSA key that nobody vouches for.
type publicKey struct {
	modulus  *big.Int
	exponent uint32
}

// decodeCertificate returns the public key of a SERVER_CERTIFICATE. Signatures are not looked at: see the package comment.
func decodeCertificate(b []byte) (publicKey, error) {
	r := wire.NewReader("SERVER_CERTIFICATE", b)
	switch version := r.Uint32() & chainVersionMask; {
	case r.Err() != nil:
		return publicKey{}, r.Err()
	case version == chainVersionProprietary:
		return decodeProprietary(r.Rest())
	case version == chainVersionX509:
		return decodeChain(r.Rest())
	default:
		return publicKey{}, r.Refuse("version %d is not known", version)
	}
}

// decodeProprietary reads PROPRIETARYSERVERCERTIFICATE behind its version ([MS-RDPBCGR] 2.2.1.4.3.1.1).
func decodeProprietary(b []byte) (publicKey, error) {
	r := wire.NewReader("PROPRIETARYSERVERCERTIFICATE", b)
	signature, key, kind := r.Uint32(), r.Uint32(), r.Uint16()
	if r.Err() == nil && (signature != algorithmRSA || key != algorithmRSA || kind != keyBlob) {
		return publicKey{}, r.Refuse("signature algorithm %d, key algorithm %d, key type %d", signature, key, kind)
	}
	k := r.Sub("RSA_PUBLIC_KEY", int(r.Uint16()))
	magic, length := k.Uint32(), k.Uint32()
	k.Skip(8) // bitlen and datalen follow from keylen
	exponent := k.Uint32()
	if k.Err() == nil && (magic != rsaMagic || length <= modulusPadded || length > maxModulusBits/8+modulusPadded) {
		return publicKey{}, k.Refuse("magic %#x, keylen %d", magic, length)
	}
	modulus := k.Bytes(int(length))
	if k.Err() != nil {
		return publicKey{}, k.Err()
	}
	return newPublicKey(k, littleEndian(modulus[:length-modulusPadded]), new(big.Int).SetUint64(uint64(exponent)))
}

// decodeChain reads X509_CERTIFICATE_CHAIN ([MS-RDPELE] 2.2.1.4.2): the last certificate is the server's.
func decodeChain(b []byte) (publicKey, error) {
	r := wire.NewReader("X509_CERTIFICATE_CHAIN", b)
	n := r.Uint32()
	if r.Err() == nil && (n == 0 || n > maxCertificates) {
		return publicKey{}, r.Refuse("%d certificates, want 1 to %d", n, maxCertificates)
	}
	var leaf []byte
	for range n {
		length := r.Uint32()
		if r.Err() == nil && int64(length) > int64(r.Len()) {
			return publicKey{}, r.Refuse("certificate of %d bytes, %d left", length, r.Len())
		}
		leaf = r.Bytes(int(length))
	}
	if r.Err() != nil {
		return publicKey{}, r.Err()
	}
	return decodeX509(leaf)
}

// decodeX509 finds the key in a certificate ([RFC5280] 4.1). Licence servers issue certificates that crypto/x509 gives no
// key of, because their algorithm for it is sha1WithRSA (1.3.14.3.2.15).
func decodeX509(b []byte) (publicKey, error) {
	r := wire.NewReader("X.509 certificate", nil)
	in := cryptobyte.String(b)
	version := asn1.Tag(0).Constructed().ContextSpecific()
	var certificate, tbs, info, bits, key, modulus, exponent cryptobyte.String
	var unused uint8
	ok := in.ReadASN1(&certificate, asn1.SEQUENCE) && certificate.ReadASN1(&tbs, asn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(version) && tbs.SkipASN1(asn1.INTEGER) && // serial number
		tbs.SkipASN1(asn1.SEQUENCE) && tbs.SkipASN1(asn1.SEQUENCE) && // signature, issuer
		tbs.SkipASN1(asn1.SEQUENCE) && tbs.SkipASN1(asn1.SEQUENCE) && // validity, subject
		tbs.ReadASN1(&info, asn1.SEQUENCE) && info.SkipASN1(asn1.SEQUENCE) && // algorithm
		info.ReadASN1(&bits, asn1.BIT_STRING) && bits.ReadUint8(&unused) && unused == 0 &&
		bits.ReadASN1(&key, asn1.SEQUENCE) &&
		key.ReadASN1(&modulus, asn1.INTEGER) && key.ReadASN1(&exponent, asn1.INTEGER)
	if !ok {
		return publicKey{}, r.Refuse("no RSA key in %d bytes", len(b))
	}
	if len(modulus) > maxModulusBits/8+1 || len(exponent) > 5 { // one byte more for a sign
		return publicKey{}, r.Refuse("modulus of %d bytes, exponent of %d", len(modulus), len(exponent))
	}
	return newPublicKey(r, new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent))
}

func newPublicKey(r *wire.Reader, modulus, exponent *big.Int) (publicKey, error) {
	if bits := modulus.BitLen(); bits < minModulusBits || bits > maxModulusBits {
		return publicKey{}, r.Refuse("modulus of %d bits, want %d to %d", bits, minModulusBits, maxModulusBits)
	}
	// An even modulus is no product of odd primes; 1 as the exponent would send the secret as it is.
	if !exponent.IsUint64() || exponent.Uint64() > maxExponent || exponent.Uint64() < 3 || modulus.Bit(0) == 0 {
		return publicKey{}, r.Refuse("exponent of %d bits, modulus of %d", exponent.BitLen(), modulus.BitLen())
	}
	return publicKey{modulus, uint32(exponent.Uint64())}, nil
}

// encrypt encrypts a secret as [MS-RDPBCGR] 5.3.4.1 has it: RSA without padding, little endian, zeros behind.
func (k publicKey) encrypt(secret []byte) []byte {
	c := littleEndian(secret)
	c.Exp(c, new(big.Int).SetUint64(uint64(k.exponent)), k.modulus)
	out := make([]byte, (k.modulus.BitLen()+7)/8+modulusPadded)
	be := c.Bytes()
	for i, v := range be {
		out[len(be)-1-i] = v
	}
	return out
}

// littleEndian returns the number that b holds.
func littleEndian(b []byte) *big.Int {
	be := make([]byte, len(b))
	for i, v := range b {
		be[len(b)-1-i] = v
	}
	return new(big.Int).SetBytes(be)
}
