package kerberos

import (
	"reflect"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
)

// stable fails when what was decoded does not come back from its own encoding.
func stable[T any](t *testing.T, m T, encoded []byte, decode func([]byte) (T, error)) {
	t.Helper()
	if again, err := decode(encoded); err != nil || !reflect.DeepEqual(again, m) {
		t.Fatalf("%+v became %+v: %v", m, again, err)
	}
}

// FuzzAcceptor gives an acceptor requests, and its decoders what is sealed within them.
func FuzzAcceptor(f *testing.F) {
	i, _ := sides(f, aes256SHA1)
	req, _, err := i.Step(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(req)
	f.Add(i.sent.der())
	f.Add(ticketPart{realm: "R", client: principal{1, []string{"alice"}}, end: then()}.der())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, a := sides(t, aes256SHA1)
		_, _, _ = a.Step(b)
		if m, err := decodeAuthenticator(b); err == nil {
			_ = m.der()
		}
		if p, err := decodeTicketPart(b); err == nil {
			stable(t, p.client, p.client.der(), func(b []byte) (principal, error) {
				r := der.NewReader("TEST", der.Element(der.Context(0), b))
				return readPrincipal(r, der.Context(0)), r.End()
			})
		}
	})
}

// FuzzInitiator gives an initiator answers, and its decoder what is sealed within them.
func FuzzInitiator(f *testing.F) {
	i, a := sides(f, aes256SHA1)
	req, _, err := i.Step(nil)
	if err != nil {
		f.Fatal(err)
	}
	rep, _, err := a.Step(req)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rep)
	f.Add(appendToken(tokenError, errorDER(37)))
	part := apRepPart{time: then().Truncate(1e9), micros: 7, subkey: encryptionKey{aes256SHA1, make([]byte, 32)}, sequence: 9}
	f.Add(part.der())
	f.Fuzz(func(t *testing.T, b []byte) {
		i, _ := sides(t, aes256SHA1)
		if _, _, err := i.Step(nil); err != nil {
			t.Fatal(err)
		}
		if _, done, err := i.Step(b); done != (err == nil) || done != i.established {
			t.Fatalf("done %v, established %v: %v", done, i.established, err)
		}
		if p, err := decodeAPRepPart(b); err == nil && p.subkey.value != nil {
			stable(t, p, p.der(), decodeAPRepPart)
		}
	})
}

// FuzzTokens gives sealed messages and signatures.
func FuzzTokens(f *testing.F) {
	i, a := sides(f, aes256SHA1)
	establish(f, i, a)
	sealed, _ := i.Seal([]byte("hello"))
	mic, _ := i.Sign([]byte("hello"))
	f.Add(sealed)
	f.Add(mic)
	f.Fuzz(func(t *testing.T, b []byte) {
		a := *a
		_, _ = a.Unseal(b)
		_ = a.Verify([]byte("hello"), b)
	})
}
