package license

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// must takes one step that is neither the last nor an error.
func must(t testing.TB, c *Client, in []byte) []byte {
	t.Helper()
	out, done, err := c.Step(in)
	if err != nil || done {
		t.Fatalf("done %v, error %v", done, err)
	}
	return out
}

// finish takes the last step.
func finish(t testing.TB, c *Client, in []byte) {
	t.Helper()
	if out, done, err := c.Step(in); out != nil || !done || err != nil {
		t.Fatalf("out %x, done %v, error %v", out, done, err)
	}
	if _, done, err := c.Step(in); !errors.Is(err, ErrOver) || done {
		t.Errorf("after the end: done %v, error %v", done, err)
	}
}

// refused takes a step that has to fail.
func refused(t testing.TB, c *Client, in []byte, text string) {
	t.Helper()
	out, done, err := c.Step(in)
	if err == nil || out != nil || done || !strings.Contains(err.Error(), text) {
		t.Fatalf("out %x, done %v, error %v, want %q", out, done, err, text)
	}
	var alert *AlertError
	if !errors.Is(err, wire.ErrMalformed) && !errors.As(err, &alert) {
		t.Errorf("%v is neither malformed nor an alert", err)
	}
	if _, _, err := c.Step(in); !errors.Is(err, ErrOver) {
		t.Errorf("after the error: %v", err)
	}
}

func TestValidClient(t *testing.T) {
	for name, text := range map[string]string{
		"[MS-RDPBCGR] 4.1.11": "ff031000 07000000 02000000 04000000",
		"xrdp":                "ff021000 07000000 02000000 28140000",
		"more behind it":      "ff031000 07000000 02000000 04000000 abcd",
		"with information":    "ff831400 07000000 02000000 0400 0400 01020304",
	} {
		t.Run(name, func(t *testing.T) { finish(t, NewClient(Config{}), unhex(t, text)) })
	}
	if got, want := AppendValidClient([]byte{1}), unhex(t, "01 ff031000 07000000 02000000 04000000"); !bytes.Equal(got, want) {
		t.Errorf("ours is %x, want %x", got, want)
	}
}

func TestExchange(t *testing.T) {
	certificates := []struct {
		name string
		key  *rsaKey
		cert []byte
	}{
		{"proprietary, 512 bits", key512(), proprietary(key512().n)},
		{"proprietary, 2048 bits", wide(key2048()), proprietary(key2048().N)},
		{"X.509, 2048 bits", wide(key2048()), chain(plain509(t))},
		{"X.509 of a terminal server, 512 bits", key512(), chain(plain509(t), odd509(t, key512().n))},
		{"none", nil, nil},
	}
	for _, c := range certificates {
		for end, kind := range map[string]byte{"new license": 3, "upgrade license": 4, "valid client": 0xff} {
			t.Run(c.name+", "+end, func(t *testing.T) {
				s, client := newServer(t, c.key, c.cert), NewClient(Config{Username: "jürgen 日", MachineName: "gateway"})
				challenge := s.newRequest(must(t, client, s.request()))
				last := s.response(must(t, client, challenge), kind)
				if kind == 0xff {
					last = AppendValidClient(nil)
				}
				finish(t, client, last)
				if s.user != "j\xfcrgen ?\x00" || s.machine != "gateway\x00" {
					t.Errorf("user %q, machine %q", s.user, s.machine)
				}
			})
		}
	}
}

// A device that comes again is the same to the licence server, and another one is another.
func TestHardwareID(t *testing.T) {
	ids := map[string]string{}
	for _, name := range []string{"gateway", "gateway", "other", strings.Repeat("long", 200)} {
		s, client := newServer(t, nil, nil), NewClient(Config{MachineName: name})
		s.response(must(t, client, s.newRequest(must(t, client, s.request()))), 3)
		if id, seen := ids[name]; seen && id != string(s.hardwareID) {
			t.Errorf("%q was %x and is %x", name, id, s.hardwareID)
		}
		ids[name] = string(s.hardwareID)
		if len(s.machine) > maxName+1 {
			t.Errorf("machine name of %d bytes", len(s.machine))
		}
	}
	if ids["gateway"] == ids["other"] {
		t.Errorf("two machines of one id: %x", ids)
	}
}

// counting gives 0, 1, 2, … for randomness.
type counting struct{ n byte }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = c.n
		c.n++
	}
	return len(b), nil
}

// The vector was computed by a program of its own from [MS-RDPELE] 5.1.2 to 5.1.5.
func TestKeys(t *testing.T) {
	var client, server [randomBytes]byte
	var premaster [premasterBytes]byte
	all := &counting{}
	all.Read(client[:])
	all.Read(server[:])
	all.Read(premaster[:])
	k := deriveKeys(&premaster, &client, &server)
	mac := k.mac([]byte("TEST"))
	for what, c := range map[string][2][]byte{
		"MAC salt key":   {k.salt[:], unhex(t, "1800410b694adfa1bea6b6d8a0f236c2")},
		"encryption key": {k.encryption[:], unhex(t, "d2021da2c79f6e97fbd7ac935d9d79a0")},
		"MAC":            {mac[:], unhex(t, "89f6e463857fd41d3d959b10fa2b6722")},
		"encrypted":      {k.crypt([]byte("TEST")), unhex(t, "537d901a")},
		"and again":      {k.crypt([]byte("TEST")), unhex(t, "537d901a")},
	} {
		if !bytes.Equal(c[0], c[1]) {
			t.Errorf("%s is %x, want %x", what, c[0], c[1])
		}
	}
	if k.verify([]byte("TEST"), mac[:15]) || k.verify([]byte("TESU"), mac[:]) || !k.verify([]byte("TEST"), mac[:]) {
		t.Error("verify is wrong")
	}
}

func TestEncrypt(t *testing.T) {
	secret := make([]byte, premasterBytes)
	secret[0], secret[47] = 3, 1 // little endian: 1<<376 + 3
	n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 512), big.NewInt(569))
	m := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 376), big.NewInt(3))
	want := new(big.Int).Mod(new(big.Int).Mul(m, new(big.Int).Mul(m, m)), n)
	got := publicKey{n, 3}.encrypt(secret)
	if len(got) != 72 || !bytes.Equal(got[64:], make([]byte, 8)) || littleEndian(got).Cmp(want) != 0 {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestAlerts(t *testing.T) {
	alert := func(code, transition int) []byte { return message(0xff, le32(code), le32(transition), blob(4, nil)) }
	for code, text := range map[int]string{
		3: "invalid MAC", 4: "issuer", 6: "no licence server", 8: "invalid client", 11: "product", 12: "length", 99: "error 0x63",
	} {
		refused(t, NewClient(Config{}), alert(code, transitionAbort), text)
		_, _, err := NewClient(Config{}).Step(alert(code, transitionNone))
		var e *AlertError
		if !errors.As(err, &e) || e.Code != uint32(code) || e.Transition != transitionNone {
			t.Errorf("%d: %v", code, err)
		}
	}
	refused(t, NewClient(Config{}), message(0xff, le32(6), le32(1), le16(4)), "LICENSE_ERROR_MESSAGE")
	refused(t, NewClient(Config{}), alert(6, transitionResend), "no licence server") // there is nothing to repeat

	t.Run("resend and reset", func(t *testing.T) {
		s, client := newServer(t, nil, nil), NewClient(Config{})
		first := must(t, client, s.request())
		if again := must(t, client, alert(3, transitionResend)); !bytes.Equal(again, first) {
			t.Errorf("%x again became %x", first, again)
		}
		if out := must(t, client, alert(3, transitionReset)); out != nil {
			t.Errorf("a reset was answered with %x", out)
		}
		finish(t, client, s.response(must(t, client, s.newRequest(must(t, client, s.request()))), 3))
	})
	t.Run("for ever", func(t *testing.T) {
		client := NewClient(Config{})
		for range maxMessages {
			must(t, client, alert(3, transitionReset))
		}
		refused(t, client, alert(3, transitionReset), "no end after 16 messages")
	})
}

func TestSequence(t *testing.T) {
	s := newServer(t, nil, nil)
	s.derive(make([]byte, 48), make([]byte, 32))
	for name, in := range map[string][]byte{
		"challenge first": s.platformChallenge(), "license first": s.license(3), "a client's message": message(0x13), "type 0": message(0),
	} {
		t.Run(name, func(t *testing.T) { refused(t, NewClient(Config{}), in, "out of sequence") })
	}
	at := func(steps int) (*Client, *server) {
		s, c := newServer(t, nil, nil), NewClient(Config{})
		out := must(t, c, s.request())
		challenge := s.newRequest(out)
		if steps > 1 {
			must(t, c, challenge)
		}
		return c, s
	}
	c, s := at(1)
	refused(t, c, s.request(), "out of sequence")
	c, s = at(1)
	refused(t, c, s.license(3), "out of sequence")
	c, s = at(2)
	refused(t, c, s.platformChallenge(), "out of sequence")
	for name, spoil := range map[string]func(b []byte) []byte{
		"MAC":       func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"data":      func(b []byte) []byte { b[12] ^= 1; return b },
		"truncated": func(b []byte) []byte { return message(b[0], b[4:len(b)-1]) },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := at(1)
			refused(t, c, spoil(s.platformChallenge()), "SERVER_PLATFORM_CHALLENGE")
			c, s = at(2)
			refused(t, c, spoil(s.license(3)), "SERVER_NEW_LICENSE")
		})
	}
	c, s = at(1)
	s.challenge = make([]byte, maxChallenge+1)
	refused(t, c, s.platformChallenge(), "exceeds 4096")
}

func TestMalformedRequest(t *testing.T) {
	s := newServer(t, nil, proprietary(key512().n))
	good := s.request()
	for n := range good {
		if n < preambleBytes {
			refused(t, NewClient(Config{}), good[:n], "LICENSE_PREAMBLE")
			continue
		}
		refused(t, NewClient(Config{}), good[:n], "bytes")
		refused(t, NewClient(Config{}), message(1, good[4:n]), "SERVER_LICENSE_REQUEST")
	}
	with := func(certificate []byte) []byte { return (&server{t: t, certificate: certificate}).request() }
	set := func(b []byte, at int, to ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], to)
		return b
	}
	const company, algorithm = 40, 40 + 4 + 44 + 4 + 8
	own := proprietary(key512().n)
	leaf := odd509(t, key512().n)
	for name, c := range map[string]struct {
		in   []byte
		text string
	}{
		"version 1":            {set(good, 1, 0x81), "version 1"},
		"size 3":               {set(good, 2, 3, 0), "message of 3 bytes"},
		"huge company name":    {set(good, company, 0xff, 0xff, 0xff, 0x7f), "company name of 2147483647 bytes exceeds 1024"},
		"huge product id":      {set(good, algorithm-12, 1, 4, 0, 0), "product id of 1025 bytes"},
		"no RSA":               {set(good, algorithm+4, 2), "no RSA"},
		"another blob":         {set(good, algorithm, 3), "blob of type 3, want 13"},
		"many scopes":          {set(good, len(good)-22, 65), "65 scopes exceed 64"},
		"too few scopes":       {set(good, len(good)-22, 2), "SERVER_LICENSE_REQUEST"},
		"certificate version":  {with(set(own, 0, 3)), "version 3"},
		"signature algorithm":  {with(set(own, 4, 2)), "signature algorithm 2"},
		"key blob length":      {with(set(own, 14, 0xff, 0xff)), "PROPRIETARYSERVERCERTIFICATE"},
		"magic":                {with(set(own, 16, 'X')), "magic"},
		"keylen 8":             {with(set(own, 20, 8, 0)), "keylen 8"},
		"keylen huge":          {with(set(own, 20, 0xff, 0xff, 0xff, 0xff)), "keylen 4294967295"},
		"keylen beyond":        {with(set(own, 20, 73)), "RSA_PUBLIC_KEY"},
		"modulus zero":         {with(set(own, 36, make([]byte, 64)...)), "modulus of 0 bits"},
		"modulus even":         {with(set(own, 36, 2)), "exponent"},
		"exponent 1":           {with(set(own, 32, 1, 0, 0, 0)), "exponent"},
		"exponent 0":           {with(set(own, 32, 0, 0, 0, 0)), "exponent"},
		"no certificates":      {with(chain()), "0 certificates"},
		"certificates huge":    {with(set(chain(leaf), 4, 0xff, 0xff, 0xff, 0xff)), "4294967295 certificates"},
		"certificate too long": {with(set(chain(leaf), 8, 0xff, 0xff, 0xff, 0xff)), "certificate of 4294967295 bytes"},
		"no certificate in it": {with(chain([]byte("hello"))), "no RSA key"},
		"BER, indefinite":      {with(chain(set(leaf, 1, 0x80))), "no RSA key"},
		"empty certificate":    {with(chain(nil)), "no RSA key"},
		"X.509 modulus small":  {with(chain(odd509(t, big.NewInt(15)))), "modulus of 4 bits"},
		"X.509 modulus huge": {
			with(chain(odd509(t, new(big.Int).Lsh(big.NewInt(1), maxModulusBits+16)))),
			"modulus of 1027 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, NewClient(Config{}), c.in, c.text) })
	}
	for n := range leaf {
		if _, err := decodeX509(leaf[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("%d bytes of a certificate: %v", n, err)
		}
	}
}

func TestRandomFails(t *testing.T) {
	broken := errors.New("no entropy")
	for name, src := range map[string]*bytes.Reader{"at once": bytes.NewReader(nil), "for the secret": bytes.NewReader(make([]byte, 40))} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, key512(), proprietary(key512().n))
			c := NewClient(Config{Random: readerThen{src, broken}})
			if out, done, err := c.Step(s.request()); !errors.Is(err, broken) || out != nil || done {
				t.Errorf("out %x, done %v, error %v", out, done, err)
			}
		})
	}
}

// readerThen reads r and then fails.
type readerThen struct {
	r   *bytes.Reader
	err error
}

func (r readerThen) Read(b []byte) (int, error) {
	if r.r.Len() > 0 {
		return r.r.Read(b)
	}
	return iotest.ErrReader(r.err).Read(b)
}
