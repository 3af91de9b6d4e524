package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fingerprint is the SHA-256 hash of a certificate in DER. Zero is none. It is public: whoever connects is shown it.
type Fingerprint [sha256.Size]byte

// Of returns the fingerprint of a certificate.
func Of(cert *x509.Certificate) Fingerprint { return sha256.Sum256(cert.Raw) }

// ParseFingerprint reads a fingerprint in hexadecimal, with or without colons between bytes.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(s), ":", ""))
	if err != nil || len(b) != len(f) {
		return f, fmt.Errorf("trust: certificate fingerprint is not %d bytes in hexadecimal", len(f))
	}
	return Fingerprint(b), nil
}

// String returns the fingerprint in hexadecimal, without colons.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Colons returns the fingerprint the way certificate viewers show it, for people to compare.
func (f Fingerprint) Colons() string {
	return strings.ReplaceAll(fmt.Sprintf("% x", f[:]), " ", ":")
}
