package ntlm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \n\t", r) {
			return -1
		}
		return r
	}, s))
	if err != nil {
		panic(err)
	}
	return b
}

func wantHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !bytes.Equal(got, unhex(want)) {
		t.Errorf("%s is %x, want %s", what, got, want)
	}
}

// TestPublishedVectors computes the example of [MS-NLMP] 4.2.1 and 4.2.4.
func TestPublishedVectors(t *testing.T) {
	key := ntowfv2(NTHash("Password"), "User", "Domain")
	wantHex(t, "NTOWFv2", key, "0c868a403bfd7a93a3001ef22ef02e3f")
	serverChallenge, nonce := unhex("0123456789abcdef"), unhex("aaaaaaaaaaaaaaaa")
	info := AVPairs{
		{avNbDomainName, wire.AppendUTF16(nil, "Domain")},
		{avNbComputerName, wire.AppendUTF16(nil, "Server")},
	}.Append(nil)
	temp := appendClientChallenge(nil, make([]byte, 8), nonce, info)
	wantHex(t, "temp", temp, `01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00
		01000c005300650072007600650072000000000000000000`)
	ntProof, base := proof(key, serverChallenge, temp)
	wantHex(t, "NTProofStr", ntProof, "68cd0ab851e51c96aabc927bebef6a1c")
	wantHex(t, "SessionBaseKey", base, "8de40ccadbc14a82f15cb0ad0de95ca3")
	wantHex(t, "LMv2 response", hmacMD5(key, serverChallenge, nonce), "86c35097ac9cec102554764a57cccc19")
	exported := unhex("55555555555555555555555555555555")
	wantHex(t, "EncryptedRandomSessionKey", rc4Once(base, exported), "c5dad2544fc9799094ce1ce90bc9d03e")
	client := clientSession(exported)
	wantHex(t, "client's sealing key", client.out.sealKey, "59f600973cc4960a25480a7c196e4c58")
	wantHex(t, "client's signing key", client.out.signKey, "4788dc861b4782f35d43fd98fe1a2d39")
	sealed, err := client.Seal(wire.AppendUTF16(nil, "Plaintext"))
	if err != nil {
		t.Fatal(err)
	}
	wantHex(t, "sealed", sealed, "010000007fb38ec5c55d4976000000 00 54e50165bf1936dc996020c1811b0f06fb5f")
}

// TestHashOfRealTool compares with what winpr-hash writes into a SAM file.
func TestHashOfRealTool(t *testing.T) {
	testbed.Require(t, "winpr-hash")
	for _, password := range []string{"Passw0rd!", "pässwörd", "日本"} {
		out, err := exec.CommandContext(t.Context(), "winpr-hash", "-u", "u", "-p", password).Output()
		if err != nil {
			t.Fatal(err)
		}
		hash := NTHash(desktop.Secret(password))
		wantHex(t, "the hash of "+password, hash[:], strings.TrimSpace(string(out)))
	}
}

// counter is a source of bytes that are the same every time.
type counter byte

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(*c)
		*c++
	}
	return len(b), nil
}

func newCounter() io.Reader { return new(counter) }

func then() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func pair(password, expected desktop.Secret) (*Client, *Server) {
	c := NewClient(ClientConfig{
		Domain: "Dömain", Username: "uſer", Password: password, Workstation: "gate", TargetName: "TERMSRV/host",
		ChannelBindings: []byte("tls-server-end-point:x"), Random: newCounter(), Now: then,
	})
	s := NewServer(ServerConfig{
		Lookup: func(domain, user string) (Hash, bool) {
			return NTHash(expected), domain == "Dömain" && user == "uſer"
		},
		Computer: "SRV", ChannelBindings: []byte("tls-server-end-point:x"), Random: newCounter(), Now: then,
	})
	return c, s
}

// messages returns what c and s say to each other, each changed by tamper first, and the server's verdict.
func messages(t testing.TB, c *Client, s *Server, tamper func(n int, b []byte) []byte) ([3][]byte, error) {
	t.Helper()
	if tamper == nil {
		tamper = func(_ int, b []byte) []byte { return b }
	}
	var m [3][]byte
	var done bool
	var err error
	m[0], done, err = c.Step(nil)
	if err != nil || done {
		t.Fatal(done, err)
	}
	if m[1], done, err = s.Step(tamper(0, m[0])); err != nil {
		return m, err
	}
	if done {
		t.Fatal("the server is done before a proof")
	}
	if m[2], done, err = c.Step(tamper(1, m[1])); err != nil {
		return m, err
	}
	if !done {
		t.Fatal("the client is not done")
	}
	out, done, err := s.Step(tamper(2, m[2]))
	if done != (err == nil) || out != nil {
		t.Fatal(done, out, err)
	}
	return m, err
}

func TestExchange(t *testing.T) {
	c, s := pair("secret", "secret")
	if _, err := messages(t, c, s, nil); err != nil {
		t.Fatal(err)
	}
	if domain, user := s.User(); domain != "Dömain" || user != "uſer" {
		t.Errorf("proved: %q %q", domain, user)
	}
	mic, err := c.Sign([]byte("mechanisms"))
	if err != nil || s.Verify([]byte("mechanisms"), mic) != nil {
		t.Fatal("a signature does not verify", err)
	}
	for i := range 3 {
		text := fmt.Appendf(nil, "message %d", i)
		for _, way := range [][2]*session{{c.session, s.session}, {s.session, c.session}} {
			sealed, err := way[0].Seal(text)
			if err != nil || bytes.Contains(sealed, text) {
				t.Fatal("not sealed", err)
			}
			if got, err := way[1].Unseal(sealed); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%q: %v", got, err)
			}
		}
	}
	sealed, _ := c.Seal([]byte("x"))
	sealed[20-4]++
	if _, err := s.Unseal(sealed); !errors.Is(err, ErrAltered) {
		t.Errorf("altered: %v", err)
	}
	if _, _, err := c.Step(nil); !errors.Is(err, errState) {
		t.Errorf("the client steps on: %v", err)
	}
	if _, _, err := s.Step(nil); !errors.Is(err, errState) {
		t.Errorf("the server steps on: %v", err)
	}
}

func TestSealBeforeTheEnd(t *testing.T) {
	c, _ := pair("a", "a")
	_, seal := c.Seal(nil)
	_, unseal := c.Unseal(make([]byte, 16))
	_, sign := c.Sign(nil)
	for _, err := range []error{seal, unseal, sign, c.Verify(nil, nil)} {
		if !errors.Is(err, errState) {
			t.Errorf("before the end: %v", err)
		}
	}
}

// TestRefusals runs exchanges that must fail, and with what.
func TestRefusals(t *testing.T) {
	flags := func(at int, keep uint32) func(int, int, []byte) []byte {
		return func(n, want int, b []byte) []byte {
			if n == want {
				b[at], b[at+1], b[at+2], b[at+3] = b[at]&byte(keep), b[at+1]&byte(keep>>8), b[at+2]&byte(keep>>16), b[at+3]&byte(keep>>24)
			}
			return b
		}
	}
	const none = ^uint32(flagExtendedSecurity)
	for name, c := range map[string]struct {
		password desktop.Secret
		tamper   func(n int, b []byte) []byte
		want     error
	}{
		"wrong password":   {"wrong", nil, ErrCredentials},
		"weak client":      {"secret", func(n int, b []byte) []byte { return flags(12, none)(n, 0, b) }, ErrWeak},
		"weak server":      {"secret", func(n int, b []byte) []byte { return flags(20, none)(n, 1, b) }, ErrWeak},
		"weak proof":       {"secret", func(n int, b []byte) []byte { return flags(60, none)(n, 2, b) }, ErrWeak},
		"no information":   {"secret", func(n int, b []byte) []byte { return flags(20, ^uint32(flagTargetInfo))(n, 1, b) }, ErrWeak},
		"altered greeting": {"secret", func(n int, b []byte) []byte { return flags(12, ^uint32(flag56))(n, 0, b) }, ErrAltered},
		"altered MIC": {"secret", func(n int, b []byte) []byte {
			if n == 2 {
				b[micOffset]++
			}
			return b
		}, ErrAltered},
		"cut": {"secret", func(n int, b []byte) []byte {
			if n == 2 {
				return b[:80]
			}
			return b
		}, wire.ErrMalformed},
		"wrong type": {"secret", func(n int, b []byte) []byte {
			if n == 1 {
				b[8] = 3
			}
			return b
		}, wire.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(c.password, "secret")
			_, err := messages(t, client, server, func(n int, b []byte) []byte {
				b = bytes.Clone(b)
				if c.tamper != nil {
					return c.tamper(n, b)
				}
				return b
			})
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if _, err := server.Seal(nil); !errors.Is(err, errState) {
				t.Errorf("the server seals: %v", err)
			}
		})
	}
}

func TestUnknownUserAndBindings(t *testing.T) {
	c, s := pair("secret", "secret")
	c.cfg.Username = "nobody"
	if _, err := messages(t, c, s, nil); !errors.Is(err, ErrCredentials) {
		t.Errorf("unknown user: %v", err)
	}
	c, s = pair("secret", "secret")
	c.cfg.ChannelBindings = []byte("tls-server-end-point:y")
	if _, err := messages(t, c, s, nil); !errors.Is(err, ErrBindings) {
		t.Errorf("another channel: %v", err)
	}
	c, s = pair("secret", "secret")
	c.cfg.ChannelBindings = nil
	if _, err := messages(t, c, s, nil); err != nil {
		t.Errorf("no bindings: %v", err)
	}
}

// TestServerWithoutClock is one that tells no time: the client takes its own and answers LMv2 as well.
func TestServerWithoutClock(t *testing.T) {
	c, _ := pair("secret", "secret")
	if _, _, err := c.Step(nil); err != nil {
		t.Fatal(err)
	}
	out, done, err := c.Step(Challenge{Flags: offered | flagTargetInfo, TargetInfo: AVPairs{{avNbDomainName, []byte("D\x00")}}}.Append(nil))
	if err != nil || !done {
		t.Fatal(err)
	}
	m, err := DecodeAuthenticate(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.NTResponse[16+8:16+16], fileTime(then())) || !bytes.Equal(m.LMResponse[16:], []byte{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("time %x, LM %x", m.NTResponse[24:32], m.LMResponse)
	}
}

func TestFileTime(t *testing.T) {
	if got := fileTime(time.Unix(0, 0)); hex.EncodeToString(got) != "00803ed5deb19d01" {
		t.Errorf("1970 is %x", got)
	}
}

// TestFieldsPastTheEnd has lengths and offsets that wrap around or leave the message.
func TestFieldsPastTheEnd(t *testing.T) {
	good := Challenge{Flags: offered | flagTargetInfo, TargetName: "SRV", TargetInfo: AVPairs{{avTimestamp, make([]byte, 8)}}}.Append(nil)
	if _, err := DecodeChallenge(good); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{12, 40} { // TargetNameFields, TargetInfoFields
		for _, f := range []field{{8, 0xfffffffc}, {8, 0xffffffff}, {0xffff, 0}, {8, uint32(len(good) - 7)}, {1, uint32(len(good))}} {
			b := bytes.Clone(good)
			b[at], b[at+1] = byte(f.length), byte(f.length>>8)
			b[at+4], b[at+5], b[at+6], b[at+7] = byte(f.offset), byte(f.offset>>8), byte(f.offset>>16), byte(f.offset>>24)
			if _, err := DecodeChallenge(b); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%d bytes at offset %#x taken: %v", f.length, f.offset, err)
			}
		}
	}
	var many AVPairs
	for range maxAVPairs + 1 {
		many = append(many, AVPair{avNbDomainName, nil})
	}
	for name, b := range map[string][]byte{
		"too many": many.Append(nil), "no end": {1, 0, 0, 0}, "value cut": {1, 0, 2, 0, 0, 0, 0}, "nothing": nil,
	} {
		if _, err := DecodeAVPairs(b); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("AV pairs, %s: %v", name, err)
		}
	}
}

func TestHashPrintsNothing(t *testing.T) {
	h := NTHash("x")
	b, err := json.Marshal(struct{ H Hash }{h})
	shown := fmt.Sprintf("%v %+v %#v %s %x %d", h, h, struct{ H Hash }{h}, h, h, h) + string(b) + h.LogValue().String() + h.String()
	if err != nil || strings.Contains(shown, fmt.Sprint(h[0])) || strings.Contains(shown, hex.EncodeToString(h[:2])) {
		t.Errorf("shows %s, %v", shown, err)
	}
}
