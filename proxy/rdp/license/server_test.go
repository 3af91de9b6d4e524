package license

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// server is the other side of an exchange, written from the specification and not from the code it tests.
type server struct {
	t           testing.TB
	n, d        *big.Int // nil: no certificate is sent
	certificate []byte
	random      [32]byte
	salt, key   []byte
	challenge   []byte
	user        string
	machine     string
	hardwareID  []byte
}

func newServer(t testing.TB, k *rsaKey, certificate []byte) *server {
	s := &server{t: t, certificate: certificate, challenge: []byte("T\x00E\x00S\x00T\x00\x00\x00")}
	if k != nil {
		s.n, s.d = k.n, k.d
	}
	for i := range s.random {
		s.random[i] = byte(200 + i)
	}
	return s
}

func le16(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
func le32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func blob(kind int, data []byte) []byte { return cat(le16(kind), le16(len(data)), data) }

func message(kind byte, parts ...[]byte) []byte {
	body := cat(parts...)
	return cat([]byte{kind, 3}, le16(len(body)+4), body)
}

// request is a SERVER_LICENSE_REQUEST as Windows sends it ([MS-RDPELE] 4.1).
func (s *server) request() []byte {
	company, product := utf16("Microsoft Corporation\x00"), utf16("A02\x00")
	return message(1, s.random[:], le32(0x60000), le32(len(company)), company, le32(len(product)), product,
		blob(0x0d, le32(1)), blob(3, s.certificate), le32(1), blob(0x0e, []byte("microsoft.com\x00")))
}

func utf16(s string) []byte { return wire.AppendUTF16(nil, s) }

// take reads fields off a client's message.
type take struct {
	t testing.TB
	b []byte
}

func (k *take) bytes(n int) []byte {
	k.t.Helper()
	if n > len(k.b) {
		k.t.Fatalf("%d bytes wanted of the client's message, %d left", n, len(k.b))
	}
	out := k.b[:n]
	k.b = k.b[n:]
	return out
}
func (k *take) u16() int { return int(binary.LittleEndian.Uint16(k.bytes(2))) }
func (k *take) u32() int { return int(binary.LittleEndian.Uint32(k.bytes(4))) }

func (k *take) blob(kind int) []byte {
	k.t.Helper()
	if got := k.u16(); got != kind {
		k.t.Fatalf("blob of type %#x, want %#x", got, kind)
	}
	return k.bytes(k.u16())
}

func (s *server) open(b []byte, kind byte) *take {
	s.t.Helper()
	k := &take{s.t, b}
	if got := k.bytes(1)[0]; got != kind {
		s.t.Fatalf("message %#x, want %#x", got, kind)
	}
	if flags := k.bytes(1)[0]; flags&15 != 3 {
		s.t.Fatalf("preamble flags %#x", flags)
	}
	if n := k.u16(); n != len(b) {
		s.t.Fatalf("message size %d of %d bytes", n, len(b))
	}
	return k
}

// newRequest takes CLIENT_NEW_LICENSE_REQUEST, makes the keys and returns the platform challenge.
func (s *server) newRequest(b []byte) []byte {
	s.t.Helper()
	k := s.open(b, 0x13)
	if alg, platform := k.u32(), k.u32(); alg != 1 || platform != 0x04010000 {
		s.t.Fatalf("algorithm %d, platform %#x", alg, platform)
	}
	client := k.bytes(32)
	encrypted := bytes.Clone(k.blob(2))
	s.user, s.machine = string(k.blob(0x0f)), string(k.blob(0x10))
	if len(k.b) > 0 {
		s.t.Fatalf("%d bytes left over", len(k.b))
	}
	premaster := make([]byte, 48)
	if s.n != nil {
		if want := (s.n.BitLen()+7)/8 + 8; len(encrypted) != want || !bytes.Equal(encrypted[want-8:], make([]byte, 8)) {
			s.t.Fatalf("premaster secret of %d bytes, want %d with 8 zeros", len(encrypted), want)
		}
		reverse(encrypted)
		m := new(big.Int).Exp(new(big.Int).SetBytes(encrypted), s.d, s.n)
		m.FillBytes(premaster)
		reverse(premaster)
		if bytes.Equal(premaster, make([]byte, 48)) {
			s.t.Fatal("the premaster secret is zero in spite of a certificate")
		}
	} else if !bytes.Equal(encrypted, make([]byte, len(encrypted))) {
		s.t.Fatal("without a certificate the encrypted secret is not zero")
	}
	s.derive(premaster, client)
	return s.platformChallenge()
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// derive follows [MS-RDPELE] 5.1.2 to the letter.
func (s *server) derive(premaster, client []byte) {
	salted := func(secret, letters string, first, second []byte) string {
		inner := sha1.New()
		inner.Write([]byte(letters + secret))
		inner.Write(first)
		inner.Write(second)
		sum := md5.Sum([]byte(secret + string(inner.Sum(nil))))
		return string(sum[:])
	}
	p := string(premaster)
	master := salted(p, "A", client, s.random[:]) + salted(p, "BB", client, s.random[:]) + salted(p, "CCC", client, s.random[:])
	session := salted(master, "A", s.random[:], client) + salted(master, "BB", s.random[:], client)
	s.salt = []byte(session[:16])
	sum := md5.Sum([]byte(session[16:32] + string(client) + string(s.random[:])))
	s.key = sum[:]
}

func (s *server) rc4(b []byte) []byte {
	c, err := rc4.NewCipher(s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	out := make([]byte, len(b))
	c.XORKeyStream(out, b)
	return out
}

func (s *server) mac(b []byte) []byte {
	inner := sha1.Sum(cat(s.salt, bytes.Repeat([]byte{0x36}, 40), le32(len(b)), b))
	sum := md5.Sum(cat(s.salt, bytes.Repeat([]byte{0x5c}, 48), inner[:]))
	return sum[:]
}

// platformChallenge has a blob type without meaning, as in [MS-RDPELE] 4.4.
func (s *server) platformChallenge() []byte {
	return message(2, le32(0xffffffff), blob(0xf750, s.rc4(s.challenge)), s.mac(s.challenge))
}

// response takes CLIENT_PLATFORM_CHALLENGE_RESPONSE and returns a license of the given message type.
func (s *server) response(b []byte, kind byte) []byte {
	s.t.Helper()
	k := s.open(b, 0x15)
	data, id := s.rc4(k.blob(9)), s.rc4(k.blob(9))
	if mac := k.bytes(16); !bytes.Equal(mac, s.mac(cat(data, id))) || len(k.b) > 0 {
		s.t.Fatalf("MAC %x, %d bytes left over", mac, len(k.b))
	}
	if want := cat(le16(0x100), le16(0xff00), le16(3), le16(len(s.challenge)), s.challenge); !bytes.Equal(data, want) {
		s.t.Fatalf("challenge response %x, want %x", data, want)
	}
	if len(id) != 20 || !bytes.HasPrefix(id, le32(0x04010000)) {
		s.t.Fatalf("hardware id %x", id)
	}
	s.hardwareID = id
	return s.license(kind)
}

func (s *server) license(kind byte) []byte {
	info := cat(le32(0x60000), le32(14), []byte("microsoft.com\x00"), le32(2), utf16("\x00"), le32(2), utf16("\x00"),
		le32(3000), make([]byte, 3000))
	return message(kind, blob(9, s.rc4(info)), s.mac(info))
}

type rsaKey struct{ n, d *big.Int }

const testExponent = 65537

// key512 has the size of old servers, which crypto/rsa no longer makes.
var key512 = sync.OnceValue(func() *rsaKey {
	one, e := big.NewInt(1), big.NewInt(testExponent)
	for {
		p, err1 := rand.Prime(rand.Reader, 256)
		q, err2 := rand.Prime(rand.Reader, 256)
		if err1 != nil || err2 != nil {
			panic("no primes")
		}
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		n := new(big.Int).Mul(p, q)
		if d := new(big.Int).ModInverse(e, phi); d != nil && n.BitLen() == 512 {
			return &rsaKey{n, d}
		}
	}
})

var key2048 = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func wide(k *rsa.PrivateKey) *rsaKey { return &rsaKey{k.N, k.D} }

// proprietary is a SERVER_CERTIFICATE with the key in the server's own form.
func proprietary(n *big.Int) []byte {
	size := (n.BitLen() + 7) / 8
	modulus := make([]byte, size+8)
	n.FillBytes(modulus[:size])
	reverse(modulus[:size])
	key := cat([]byte("RSA1"), le32(size+8), le32(8*size), le32(size-1), le32(testExponent), modulus)
	return cat(le32(1), le32(1), le32(1), le16(6), le16(len(key)), key, le16(8), le16(72), make([]byte, 72))
}

// chain is a SERVER_CERTIFICATE with X.509 certificates, temporary and padded as Windows sends it.
func chain(certificates ...[]byte) []byte {
	b := cat(le32(0x80000002-1<<32), le32(len(certificates)))
	for _, c := range certificates {
		b = cat(b, le32(len(c)), c)
	}
	return cat(b, make([]byte, 8+4*len(certificates)))
}

// plain509 is a certificate like any.
func plain509(t testing.TB) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "licence server"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
	}
	b, err := x509.CreateCertificate(rand.Reader, template, template, &key2048().PublicKey, key2048())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// odd509 is a certificate in the form of a terminal server's ([MS-RDPELE] 4.1): the key's algorithm is sha1WithRSA and
// the names are of BMPString, so that crypto/x509 finds no key in it.
func odd509(t testing.TB, n *big.Int) []byte {
	t.Helper()
	type algorithm struct {
		ID   asn1.ObjectIdentifier
		Null asn1.RawValue
	}
	type tbs struct {
		Version                   int `asn1:"explicit,tag:0"`
		Serial                    int
		Signature                 algorithm
		Issuer, Validity, Subject asn1.RawValue
		Key                       struct {
			Algorithm algorithm
			Bits      asn1.BitString
		}
	}
	null := asn1.RawValue{Tag: asn1.TagNull}
	var c struct {
		TBS       tbs
		Algorithm algorithm
		Signature asn1.BitString
	}
	name := asn1.RawValue{FullBytes: []byte{0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3, 0x1e, 4, 0, 'T', 0, 'S'}}
	key, err := asn1.Marshal(struct {
		N *big.Int
		E int
	}{n, testExponent})
	if err != nil {
		t.Fatal(err)
	}
	sign := algorithm{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 29}, null}
	c.TBS = tbs{Version: 2, Serial: 1 << 32, Signature: sign, Issuer: name, Validity: asn1.RawValue{FullBytes: []byte{0x30, 0}}, Subject: name}
	c.TBS.Key.Algorithm = algorithm{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 15}, null}
	c.TBS.Key.Bits = asn1.BitString{Bytes: key, BitLength: 8 * len(key)}
	c.Algorithm, c.Signature = sign, asn1.BitString{Bytes: []byte{1}, BitLength: 8}
	b, err := asn1.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
