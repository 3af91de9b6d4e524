package credssp

import (
	"crypto"
	"crypto/sha256"
	_ "crypto/sha512" // hashes of certificates
	"crypto/x509"
	"slices"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// What is hashed in front of nonce and key, with their terminators ([MS-CSSP] 3.1.5).
const (
	clientToServer = "CredSSP Client-To-Server Binding Hash\x00"
	serverToClient = "CredSSP Server-To-Client Binding Hash\x00"
)

// SubjectPublicKey returns the bits of a certificate's key that CredSSP binds to: the subjectPublicKey of its
// SubjectPublicKeyInfo ([RFC 5280] 4.1).
func SubjectPublicKey(cert *x509.Certificate) ([]byte, error) {
	r := der.NewReader("SubjectPublicKeyInfo", cert.RawSubjectPublicKeyInfo)
	s := r.Enter(der.Sequence)
	_ = r.End()
	s.Element(der.Sequence) // algorithm
	bits := s.Element(der.BitString)
	if err := s.End(); err != nil {
		return nil, err
	}
	if len(bits) < 2 || bits[0] != 0 {
		return nil, wire.Errorf("SubjectPublicKeyInfo: a key of %d bytes", len(bits))
	}
	return bits[1:], nil
}

// ChannelBindings returns the application data of the bindings tls-server-end-point ([RFC 5929] 4.1) of a connection
// whose server has this certificate.
func ChannelBindings(cert *x509.Certificate) []byte {
	hash := crypto.SHA256
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write(cert.Raw)
	return h.Sum([]byte("tls-server-end-point:"))
}

// clientProof is what a client seals into pubKeyAuth ([MS-CSSP] 3.1.5).
func clientProof(version int, key, nonce []byte) []byte {
	if version >= hashVersion {
		return bindingHash(clientToServer, key, nonce)
	}
	return key
}

// serverProof is what a server seals into pubKeyAuth.
func serverProof(version int, key, nonce []byte) []byte {
	if version >= hashVersion {
		return bindingHash(serverToClient, key, nonce)
	}
	plusOne := slices.Clone(key)
	plusOne[0]++
	return plusOne
}

func bindingHash(magic string, key, nonce []byte) []byte {
	sum := sha256.Sum256(slices.Concat([]byte(magic), nonce, key))
	return sum[:]
}
