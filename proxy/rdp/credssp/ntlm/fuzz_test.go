package ntlm

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// seeds are the three messages of a good exchange.
func seeds(f *testing.F) [3][]byte {
	c, s := pair("secret", "secret")
	m, err := messages(f, c, s, nil)
	if err != nil {
		f.Fatal(err)
	}
	return m
}

// stable fails when what was decoded does not come back from its own encoding.
func stable[T interface{ Append([]byte) []byte }](t *testing.T, m T, decode func([]byte) (T, error)) {
	t.Helper()
	again, err := decode(m.Append(nil))
	if err != nil || !reflect.DeepEqual(again, m) {
		t.Fatalf("%+v became %+v: %v", m, again, err)
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add(seeds(f)[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeNegotiate(b); err == nil {
			stable(t, m, DecodeNegotiate)
		}
		_, s := pair("a", "a")
		_, _, _ = s.Step(b)
	})
}

func FuzzChallenge(f *testing.F) {
	f.Add(seeds(f)[1])
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeChallenge(b); err == nil {
			if m.Flags&flagTargetInfo != 0 && len(m.TargetInfo) == 0 {
				m.TargetInfo = nil
			}
			stable(t, m, DecodeChallenge)
		}
		c, _ := pair("a", "a")
		_, _, _ = c.Step(nil)
		_, _, _ = c.Step(b)
	})
}

func FuzzAuthenticate(f *testing.F) {
	m := seeds(f)
	f.Add(m[2])
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeAuthenticate(b); err == nil {
			stable(t, m, DecodeAuthenticate)
		}
		_, s := pair("secret", "secret")
		if _, _, err := s.Step(m[0]); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Step(b); err == nil && !bytes.Equal(b, m[2]) {
			// Bytes outside all fields are covered by the MIC, if there is one.
			if a, err := DecodeAuthenticate(b); err != nil || ntProofOf(a, "secret") == nil {
				t.Fatal("a forged proof was taken")
			}
		}
	})
}

// ntProofOf returns the proof if it was computed with the password.
func ntProofOf(m Authenticate, password desktop.Secret) []byte {
	var challenge [8]byte
	_, _ = newCounter().Read(challenge[:])
	want, _ := proof(ntowfv2(NTHash(password), m.Username, m.Domain), challenge[:], m.NTResponse[16:])
	if bytes.Equal(want, m.NTResponse[:16]) {
		return want
	}
	return nil
}

func FuzzAVPairs(f *testing.F) {
	f.Add(AVPairs{{avTimestamp, make([]byte, 8)}, {avFlags, []byte{2, 0, 0, 0}}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := DecodeAVPairs(b); err == nil {
			stable(t, p, DecodeAVPairs)
		}
	})
}
