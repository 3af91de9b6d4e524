package credssp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/spnego"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestVersions(t *testing.T) {
	for client := minVersion; client <= maxVersion; client++ {
		for server := minVersion; server <= maxVersion+1; server++ {
			cc, sc := clientConfig(), serverConfig()
			cc.Version, sc.Version = client, server
			c, s := NewClient(cc), NewServer(sc)
			messages, cerr, serr := run(t, c, s)
			if cerr != nil || serr != nil {
				t.Fatalf("client %d, server %d: %v, %v", client, server, cerr, serr)
			}
			if got := s.Credentials(); got != cc.Credentials {
				t.Errorf("client %d, server %d: other credentials arrived", client, server)
			}
			if who := s.Identity(); who != (Identity{Domain: "DOM", Username: "alice"}) {
				t.Errorf("client %d, server %d: identified %+v", client, server, who)
			}
			m, err := DecodeTSRequest(messages[2])
			if err != nil || (m.ClientNonce != nil) != (min(client, server) >= hashVersion) {
				t.Errorf("client %d, server %d: a nonce of %d bytes: %v", client, server, len(m.ClientNonce), err)
			}
			if len(messages) != 5 {
				t.Errorf("client %d, server %d: %d messages", client, server, len(messages))
			}
		}
	}
}

// TestTranscript compares every byte of an exchange with what it was.
func TestTranscript(t *testing.T) {
	for _, version := range []int{2, 6} {
		cc := clientConfig()
		cc.Version = version
		messages, cerr, serr := run(t, NewClient(cc), NewServer(serverConfig()))
		if cerr != nil || serr != nil {
			t.Fatal(cerr, serr)
		}
		var text strings.Builder
		for _, m := range messages {
			fmt.Fprintln(&text, hex.EncodeToString(m))
		}
		file := fmt.Sprintf("testdata/transcript-v%d.hex", version)
		if *update {
			if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || text.String() != string(want) {
			t.Errorf("version %d says something else than %s: %v", version, file, err)
		}
	}
}

func TestRestrictedAdmin(t *testing.T) {
	cc := clientConfig()
	cc.RestrictedAdmin = true
	s := NewServer(serverConfig())
	if _, cerr, serr := run(t, NewClient(cc), s); cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	if s.Credentials() != (Credentials{}) || s.Identity().Username != "alice" {
		t.Errorf("%+v came, from %+v", s.Credentials(), s.Identity())
	}
}

// TestNTLMInSPNEGO is a client of Windows that has wrapped its NTLM: its proof comes with the signature of the
// mechanisms, and pubKeyAuth only after the server's.
func TestNTLMInSPNEGO(t *testing.T) {
	cc := clientConfig()
	mech := spnego.NewInitiator(ntlm.NewClient(ntlm.ClientConfig{
		Domain: cc.Domain, Username: cc.Username, Password: cc.Password, ChannelBindings: ChannelBindings(cc.Certificate),
	}), spnego.NTLMSSP)
	s := NewServer(serverConfig())
	say := func(m TSRequest) TSRequest {
		t.Helper()
		m.Version = 6
		out, done, err := s.Step(m.Append(nil))
		if err != nil || done != (m.AuthInfo != nil) {
			t.Fatal(done, err)
		}
		if done {
			return TSRequest{}
		}
		answer, err := DecodeTSRequest(out)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	seal := func(b []byte) []byte {
		t.Helper()
		sealed, err := mech.Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	var token []byte
	for done := false; !done; {
		var out []byte
		var err error
		if out, done, err = mech.Step(token); err != nil {
			t.Fatal(err)
		}
		if !done {
			token = say(TSRequest{NegoToken: out}).NegoToken
		}
	}
	key, nonce := []byte("public key"), make([]byte, nonceBytes)
	answer := say(TSRequest{PubKeyAuth: seal(clientProof(6, key, nonce)), ClientNonce: nonce})
	if proof, err := mech.Unseal(answer.PubKeyAuth); err != nil || !bytes.Equal(proof, serverProof(6, key, nonce)) {
		t.Fatalf("the server's proof: %v", err)
	}
	say(TSRequest{AuthInfo: seal(cc.Append(nil))})
	if s.Credentials() != cc.Credentials || s.Identity().Username != "alice" {
		t.Errorf("other credentials, of %+v", s.Identity())
	}
}

func TestAuthenticate(t *testing.T) {
	a, b := pipe(t)
	s := NewServer(serverConfig())
	served := make(chan error, 1)
	go func() { // ends with the pipe
		served <- s.Authenticate(b)
	}()
	if err := NewClient(clientConfig()).Authenticate(a); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil || s.Credentials().Password != password {
		t.Fatal(err)
	}
}

// TestRefusals are exchanges that fail: what each side says, and that no credentials came.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change         func(*ClientConfig, *ServerConfig)
		client, server error
		code           StatusError // told to the client, 0 for none
	}{
		"wrong password": {
			func(c *ClientConfig, _ *ServerConfig) { c.Password = "wrong-wrong" },
			desktop.ErrAuth, ntlm.ErrCredentials, StatusLogonFailure,
		},
		"unknown user": {
			func(c *ClientConfig, _ *ServerConfig) { c.Username = "bob" },
			desktop.ErrAuth, ntlm.ErrCredentials, StatusLogonFailure,
		},
		"another key, bindings": {
			func(c *ClientConfig, _ *ServerConfig) { c.Certificate = certificate("another") },
			desktop.ErrCertificate, ntlm.ErrBindings, SecBadBindings,
		},
		"another key, proof": {
			func(c *ClientConfig, s *ServerConfig) {
				c.Certificate = certificate("another")
				c.Certificate.Raw = s.Certificate.Raw
			},
			desktop.ErrCertificate, desktop.ErrCertificate, SecMessageAltered,
		},
		"another key, version 4": {
			func(c *ClientConfig, s *ServerConfig) {
				c.Version = 4
				c.Certificate = certificate("another")
				c.Certificate.Raw = s.Certificate.Raw
			},
			desktop.ErrCertificate, desktop.ErrCertificate, SecMessageAltered,
		},
		"no NTLM":      {func(_ *ClientConfig, s *ServerConfig) { s.Lookup = nil }, desktop.ErrSecurity, desktop.ErrSecurity, SecAlgoMismatch},
		"least is 5":   {func(c *ClientConfig, s *ServerConfig) { c.MinVersion, s.Version = 5, 4 }, desktop.ErrSecurity, nil, 0},
		"no key known": {func(c *ClientConfig, _ *ServerConfig) { c.Certificate = nil }, desktop.ErrCertificate, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cc, sc := clientConfig(), serverConfig()
			c.change(&cc, &sc)
			s := NewServer(sc)
			messages, cerr, serr := run(t, NewClient(cc), s)
			if !errors.Is(cerr, c.client) || !errors.Is(serr, c.server) {
				t.Errorf("client: %v; server: %v", cerr, serr)
			}
			var code StatusError
			if errors.As(cerr, &code); code != c.code {
				t.Errorf("told %v, want %v", code, c.code)
			}
			checkNothingLeft(t, messages)
			if s.Credentials() != (Credentials{}) {
				t.Error("the server has credentials")
			}
			for _, err := range []error{cerr, serr} {
				if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "wrong-wrong")) {
					t.Errorf("%v tells the password", err)
				}
			}
		})
	}
}

// checkNothingLeft fails when a message carries credentials, sealed or not.
func checkNothingLeft(t *testing.T, messages [][]byte) {
	t.Helper()
	for _, b := range messages {
		if m, err := DecodeTSRequest(b); err == nil && m.AuthInfo != nil {
			t.Error("credentials were sent")
		}
		if bytes.Contains(b, wire.AppendUTF16(nil, password)) || bytes.Contains(b, []byte(password)) {
			t.Error("the password is in the clear")
		}
	}
}

// TestVersion2HangsUp: a server that cannot tell codes says nothing.
func TestVersion2HangsUp(t *testing.T) {
	a, b := pipe(t)
	sc, cc := serverConfig(), clientConfig()
	sc.Version, cc.Password = 2, "wrong"
	done := make(chan struct{})
	go func() { // ends with the pipe
		defer close(done)
		_ = NewServer(sc).Authenticate(b)
		b.Close()
	}()
	err := NewClient(cc).Authenticate(a)
	if !errors.Is(err, desktop.ErrAuth) || !strings.Contains(err.Error(), "hung up") {
		t.Errorf("%v", err)
	}
	<-done
}

func TestStatus(t *testing.T) {
	for code, want := range map[StatusError]string{
		0xc000006d: "wrong user name or password", 0xc0000234: "locked out", 0xc0000071: "expired", 0xc0000224: "must be changed",
		0xc0000072: "disabled", 0xc000006e: "restriction", 0xc000015b: "may not log on", 0x80090324: "clocks", 0x12345678: "not known here",
	} {
		err := error(code)
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("0x%08x", uint32(code))) || !errors.Is(err, desktop.ErrAuth) {
			t.Errorf("%v", err)
		}
	}
	// With a sign and without, and known by a client wherever it comes.
	for _, b := range []string{"\x30\x0d\xa0\x03\x02\x01\x06\xa4\x06\x02\x04\xc0\x00\x00\x6d", "\x30\x0e\xa0\x03\x02\x01\x06\xa4\x07\x02\x05\x00\xc0\x00\x00\x6d"} {
		if m, err := DecodeTSRequest([]byte(b)); err != nil || m.ErrorCode != 0xc000006d {
			t.Errorf("%#x, %v", m.ErrorCode, err)
		}
	}
}

func TestEarlyUserAuthResult(t *testing.T) {
	for _, v := range []EarlyUserAuthResult{AuthzSuccess, AuthzAccessDenied} {
		got, err := DecodeEarlyUserAuthResult(v.Append(nil))
		if err != nil || got != v {
			t.Errorf("%v: %v", got, err)
		}
	}
	refusal := TSRequest{Version: 6, ErrorCode: 0xc000015b}.Append(nil)
	for name, c := range map[string]struct {
		said string
		want error
	}{
		"success":   {"\x00\x00\x00\x00rest", nil},
		"denied":    {"\x05\x00\x00\x00", desktop.ErrAuth},
		"a code":    {string(refusal), StatusError(0xc000015b)},
		"other":     {"\x01\x00\x00\x00", desktop.ErrProtocol},
		"TSRequest": {string(TSRequest{Version: 6}.Append(nil)), desktop.ErrProtocol},
		"cut":       {"\x00\x00", desktop.ErrTargetGone},
		"nothing":   {"", desktop.ErrTargetGone},
	} {
		r := strings.NewReader(c.said)
		if err := ReadEarlyUserAuthResult(r); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if rest, _ := io.ReadAll(r); name == "success" && string(rest) != "rest" {
			t.Errorf("%q is left", rest)
		}
	}
}

func TestCredentialsPrintNothing(t *testing.T) {
	c := clientConfig().Credentials
	if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, password) {
		t.Error(shown)
	}
}

func TestSubjectPublicKey(t *testing.T) {
	if got, err := SubjectPublicKey(certificate("bits")); err != nil || string(got) != "bits" {
		t.Errorf("%q, %v", got, err)
	}
	broken := certificate("bits")
	broken.RawSubjectPublicKeyInfo = broken.RawSubjectPublicKeyInfo[:5]
	if _, err := SubjectPublicKey(broken); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("%v", err)
	}
	if _, err := SubjectPublicKey(certificate("")); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("no bits: %v", err)
	}
}
