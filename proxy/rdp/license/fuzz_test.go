package license

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// FuzzStep gives a message to a client in each of its states. Where a MAC is wanted, a second run has the right one:
// nobody finds one by chance. It never panics, an answer is a whole message, and the exchange ends once.
func FuzzStep(f *testing.F) {
	s := newServer(f, nil, proprietary(key512().n))
	f.Add(uint8(awaitRequest), s.request())
	f.Add(uint8(awaitRequest), newServer(f, nil, chain(odd509(f, key512().n))).request())
	f.Add(uint8(awaitRequest), newServer(f, nil, chain(plain509(f), plain509(f))).request())
	f.Add(uint8(awaitRequest), AppendValidClient(nil))
	f.Add(uint8(awaitChallenge), message(2, le32(0), blob(1, []byte("challenge")), make([]byte, 16)))
	f.Add(uint8(awaitChallenge), message(0xff, le32(3), le32(transitionResend), blob(4, nil)))
	f.Add(uint8(awaitLicense), message(3, blob(9, []byte("license")), make([]byte, 16)))
	f.Fuzz(func(t *testing.T, at uint8, in []byte) {
		for _, seal := range []bool{false, true} {
			c, s := NewClient(Config{Random: &counting{}}), newServer(t, nil, nil)
			if at%3 > 0 {
				challenge := s.newRequest(must(t, c, s.request()))
				if at%3 > 1 {
					must(t, c, challenge)
				}
			}
			if seal {
				in = s.seal(in)
			}
			out, done, err := c.Step(in)
			if done && err != nil || out != nil && (done || err != nil) || len(out) > len(in)+2048 {
				t.Fatalf("%d bytes out, done %v, error %v", len(out), done, err)
			}
			if err != nil && !errors.Is(err, wire.ErrMalformed) && !errors.As(err, new(*AlertError)) {
				t.Fatalf("%v is neither malformed nor an alert", err)
			}
			if out != nil && int(binary.LittleEndian.Uint16(out[2:])) != len(out) {
				t.Fatalf("an answer of %d bytes says %d", len(out), binary.LittleEndian.Uint16(out[2:]))
			}
			if _, _, again := c.Step(in); (done || err != nil) && !errors.Is(again, ErrOver) {
				t.Fatalf("after the end: %v", again)
			}
		}
	})
}

// seal puts the MAC of the data in the blob of a challenge or license where it belongs, if there is a place for it.
func (s *server) seal(b []byte) []byte {
	at := 4
	if len(b) > 0 && b[0] == 2 {
		at = 8
	}
	if len(b) < at+4 || s.key == nil {
		return b
	}
	end := at + 4 + int(binary.LittleEndian.Uint16(b[at+2:]))
	if len(b) < end+16 {
		return b
	}
	return cat(b[:end], s.mac(s.rc4(b[at+4:end])), b[end+16:])
}

// FuzzCertificate finds keys in hostile certificates: within the caps, and good for one encryption.
func FuzzCertificate(f *testing.F) {
	f.Add(proprietary(key512().n))
	f.Add(chain(odd509(f, key512().n)))
	f.Add(chain(plain509(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := decodeCertificate(b)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		bits := k.modulus.BitLen()
		if bits < minModulusBits || bits > maxModulusBits || bits > 8*len(b) {
			t.Fatalf("modulus of %d bits from %d bytes", bits, len(b))
		}
		if out := k.encrypt(make([]byte, premasterBytes)); len(out) != (bits+7)/8+modulusPadded {
			t.Fatalf("%d bytes for %d bits", len(out), bits)
		}
	})
}
