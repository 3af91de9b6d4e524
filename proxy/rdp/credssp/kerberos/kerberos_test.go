package kerberos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/spnego"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const spn = "TERMSRV/localhost"

func then() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC) }

// forge makes a ticket as a KDC would, sealed with serviceKey.
func forge(t testing.TB, keyType int32, serviceKey, sessionKey []byte) Ticket {
	t.Helper()
	k, err := newKey(keyType, serviceKey)
	if err != nil {
		t.Fatal(err)
	}
	part := ticketPart{
		key: encryptionKey{keyType, sessionKey}, realm: "REALM", client: principal{1, []string{"alice"}}, end: then().Add(time.Hour),
	}
	sealed, err := k.encrypt(part.der(), usageTicket)
	if err != nil {
		t.Fatal(err)
	}
	return Ticket{
		Realm: "REALM", NameType: 1, Client: []string{"alice"}, KeyType: keyType, Key: desktop.Secret(sessionKey),
		Ticket: ticketDER(encryptedData{keyType: keyType, cipher: sealed}),
	}
}

// sides are an initiator with a forged ticket and its acceptor.
func sides(t testing.TB, keyType int32) (*Initiator, *Acceptor) {
	t.Helper()
	size := map[int32]int{aes128SHA1: 16, aes256SHA1: 32}[keyType]
	service, session := bytes.Repeat([]byte{7}, size), bytes.Repeat([]byte{9}, size)
	i := NewInitiator(InitiatorConfig{Ticket: forge(t, keyType, service, session), ChannelBindings: []byte("x"), Now: then})
	a := NewAcceptor(AcceptorConfig{
		Key:             func(kind, _ int32) (desktop.Secret, bool) { return desktop.Secret(service), kind == keyType },
		ChannelBindings: []byte("x"), Now: then,
	})
	return i, a
}

// establish runs both sides to their ends.
func establish(t testing.TB, i, a spnego.Mechanism) {
	t.Helper()
	req, _, err := i.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	rep, done, err := a.Step(req)
	if err != nil || !done {
		t.Fatal(done, err)
	}
	if out, done, err := i.Step(rep); err != nil || !done || out != nil {
		t.Fatal(out, done, err)
	}
}

// exchange seals and signs in both directions.
func exchange(t *testing.T, i, a spnego.Mechanism) {
	t.Helper()
	for n := range 3 {
		text := bytes.Repeat([]byte("m"), n*17)
		for _, way := range [][2]spnego.Mechanism{{i, a}, {a, i}} {
			sealed, err := way[0].Seal(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := way[1].Unseal(sealed); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%q: %v", got, err)
			}
			if _, err := way[1].Unseal(sealed); !errors.Is(err, ErrAltered) {
				t.Errorf("a message comes twice: %v", err)
			}
			mic, err := way[0].Sign(text)
			if err != nil || way[1].Verify(text, mic) != nil {
				t.Errorf("signature: %v", err)
			}
		}
	}
}

func TestExchange(t *testing.T) {
	for _, keyType := range []int32{aes128SHA1, aes256SHA1} {
		t.Run(fmt.Sprint(keyType), func(t *testing.T) {
			i, a := sides(t, keyType)
			establish(t, i, a)
			exchange(t, i, a)
			if realm, name := a.User(); realm != "REALM" || len(name) != 1 || name[0] != "alice" {
				t.Errorf("proved: %s %v", realm, name)
			}
			sealed, _ := i.Seal([]byte("hello"))
			sealed[len(sealed)-1]++
			if _, err := a.Unseal(sealed); !errors.Is(err, ErrAltered) {
				t.Errorf("altered: %v", err)
			}
		})
	}
}

func TestInsideSPNEGO(t *testing.T) {
	i, a := sides(t, aes256SHA1)
	si := spnego.NewInitiator(i, spnego.MSKerberos, spnego.Kerberos)
	sa := spnego.NewAcceptor(func(oid spnego.OID) spnego.Mechanism {
		if oid == spnego.MSKerberos {
			return a
		}
		return nil
	})
	establish(t, si, sa)
	exchange(t, si, sa)
}

// TestLayoutOfSealed is what Windows relies on: 60 bytes of its own first, then as many as the message has.
func TestLayoutOfSealed(t *testing.T) {
	i, a := sides(t, aes256SHA1)
	establish(t, i, a)
	sealed, err := i.Seal(make([]byte, 100))
	if err != nil || len(sealed) != 160 || !bytes.Equal(sealed[:8], []byte{5, 4, 6, 0xff, 0, 0, 0, 28}) {
		t.Errorf("%d bytes, % x: %v", len(sealed), sealed[:8], err)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(i *Initiator, a *Acceptor)
		want   error
	}{
		"another key": {func(_ *Initiator, a *Acceptor) {
			a.cfg.Key = func(int32, int32) (desktop.Secret, bool) { return desktop.Secret(make([]byte, 32)), true }
		}, ErrAltered},
		"no key": {func(_ *Initiator, a *Acceptor) {
			a.cfg.Key = func(int32, int32) (desktop.Secret, bool) { return "", false }
		}, ErrRefused},
		"session key":  {func(i *Initiator, _ *Acceptor) { i.cfg.Ticket.Key = desktop.Secret(make([]byte, 32)) }, ErrAltered},
		"another name": {func(i *Initiator, _ *Acceptor) { i.cfg.Ticket.Client = []string{"bob"} }, ErrRefused},
		"bindings":     {func(i *Initiator, _ *Acceptor) { i.cfg.ChannelBindings = []byte("y") }, ErrRefused},
		"clock":        {func(i *Initiator, _ *Acceptor) { i.cfg.Now = func() time.Time { return then().Add(6 * time.Minute) } }, ErrRefused},
		"expired": {func(i *Initiator, a *Acceptor) {
			i.cfg.Now = func() time.Time { return then().Add(2 * time.Hour) }
			a.cfg.Now = i.cfg.Now
		}, ErrRefused},
	} {
		i, a := sides(t, aes256SHA1)
		c.change(i, a)
		req, _, err := i.Step(nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, done, err := a.Step(req); done || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestTicketsThatCannotBeUsed(t *testing.T) {
	good := forge(t, aes256SHA1, make([]byte, 32), make([]byte, 32))
	for name, change := range map[string]func(*Ticket){
		"no ticket": func(t *Ticket) { t.Ticket = nil }, "huge": func(t *Ticket) { t.Ticket = make([]byte, maxTicketBytes+1) },
		"nobody": func(t *Ticket) { t.Client = nil }, "RC4": func(t *Ticket) { t.KeyType = 23 }, "short key": func(t *Ticket) { t.Key = "x" },
	} {
		ticket := good
		change(&ticket)
		if _, _, err := NewInitiator(InitiatorConfig{Ticket: ticket}).Step(nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestAnswers gives an initiator what no honest acceptor would.
func TestAnswers(t *testing.T) {
	i, a := sides(t, aes256SHA1)
	req, _, err := i.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	rep, _, err := a.Step(req)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer []byte
		want   error
	}{
		"its own request": {req, wire.ErrMalformed},
		"cut":             {rep[:len(rep)-1], wire.ErrMalformed},
		"altered":         {append(bytes.Clone(rep[:len(rep)-1]), rep[len(rep)-1]^1), ErrAltered},
		"an error":        {appendToken(tokenError, errorDER(37)), ErrRefused},
		"not Kerberos":    {[]byte("hello"), wire.ErrMalformed},
	} {
		if _, done, err := i.Step(c.answer); done || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, _, err := i.Step(appendToken(tokenError, errorDER(37))); !strings.Contains(err.Error(), "the clocks differ too much") {
		t.Errorf("a clock's error is %v", err)
	}
	other, _ := sides(t, aes256SHA1)
	other.cfg.Now = func() time.Time { return then().Add(time.Second) }
	if _, _, err := other.Step(nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Step(rep); !errors.Is(err, ErrAltered) {
		t.Errorf("an answer to another request: %v", err)
	}
	if _, done, err := i.Step(rep); err != nil || !done {
		t.Errorf("the good answer: %v", err)
	}
}

func TestStepOutOfTurn(t *testing.T) {
	i, a := sides(t, aes256SHA1)
	_, seal := i.Seal(nil)
	_, unseal := i.Unseal(nil)
	_, sign := i.Sign(nil)
	verify := i.Verify(nil, nil)
	establish(t, i, a)
	_, _, again := i.Step(nil)
	_, _, accept := a.Step(nil)
	for _, err := range []error{seal, unseal, sign, verify, again, accept} {
		if !errors.Is(err, errState) {
			t.Errorf("%v", err)
		}
	}
}

func TestKeysPrintNothing(t *testing.T) {
	k, err := newKey(aes128SHA1, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	ticket := Ticket{Key: "0123456789abcdef"}
	b, err := json.Marshal(ticket)
	shown := fmt.Sprintf("%v %+v %#v %s %+v %v", k, k, k, k, ticket, k.LogValue()) + string(b)
	if err != nil || strings.Contains(shown, "0123") || strings.Contains(shown, "48 49") {
		t.Errorf("shows %s, %v", shown, err)
	}
}

// realm is a KDC with a user and a service.
func realm(t *testing.T) *testbed.KDC {
	t.Helper()
	k := testbed.StartKDC(t)
	k.AddUser(t, "alice", "Passw0rd!")
	k.AddService(t, spn)
	return k
}

func obtainFrom(t *testing.T, k *testbed.KDC) Ticket {
	t.Helper()
	ticket, err := Obtain(t.Context(), Config{Realm: k.Realm, KDCs: []string{k.Addr}, Username: "alice", Password: "Passw0rd!", SPN: spn})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func loadKeytab(t *testing.T, k *testbed.KDC) *keytab.Keytab {
	t.Helper()
	kt, err := keytab.Load(k.Keytab)
	if err != nil {
		t.Fatal(err)
	}
	return kt
}

func TestRealKDC(t *testing.T) {
	k := realm(t)
	ticket := obtainFrom(t, k)
	kt := loadKeytab(t, k)
	i := NewInitiator(InitiatorConfig{Ticket: ticket})
	req, _, err := i.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("gokrb5 takes the request", func(t *testing.T) {
		_, r := openToken("AP-REQ", req)
		var m messages.APReq
		if err := m.Unmarshal(r.Whole(0x6e)); err != nil {
			t.Fatal(err)
		}
		if ok, err := m.Verify(kt, maxSkew, types.HostAddress{}, nil); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	})
	t.Run("our acceptor", func(t *testing.T) {
		a := NewAcceptor(AcceptorConfig{Key: func(kind, version int32) (desktop.Secret, bool) {
			key, _, err := kt.GetEncryptionKey(types.NewPrincipalName(2, spn), k.Realm, int(version), kind)
			return desktop.Secret(key.KeyValue), err == nil
		}})
		rep, done, err := a.Step(req)
		if err != nil || !done {
			t.Fatal(err)
		}
		if _, done, err := i.Step(rep); err != nil || !done {
			t.Fatal(err)
		}
		exchange(t, i, a)
		if r, name := a.User(); r != k.Realm || name[0] != "alice" {
			t.Errorf("proved: %s %v", r, name)
		}
	})
}

// TestRealAcceptor meets MIT's library, bare and by its own SPNEGO.
func TestRealAcceptor(t *testing.T) {
	testbed.Require(t, "python3")
	k := realm(t)
	ticket := obtainFrom(t, k)
	for name, m := range map[string]spnego.Mechanism{
		"Kerberos":        NewInitiator(InitiatorConfig{Ticket: ticket}),
		"SPNEGO":          spnego.NewInitiator(NewInitiator(InitiatorConfig{Ticket: ticket}), spnego.Kerberos),
		"SPNEGO, Windows": spnego.NewInitiator(NewInitiator(InitiatorConfig{Ticket: ticket}), spnego.MSKerberos, spnego.Kerberos),
	} {
		t.Run(name, func(t *testing.T) {
			ask := acceptor(t, k)
			var in []byte
			for done := false; !done; {
				out, finished, err := m.Step(in)
				if err != nil {
					t.Fatal(err)
				}
				if done = finished; !done {
					in = unhex(strings.TrimPrefix(ask("accept", out), "more "))
				}
			}
			if got := string(unhex(ask("name", nil))); got != "alice@"+k.Realm {
				t.Errorf("the acceptor knows %q", got)
			}
			for _, text := range []string{"hello", strings.Repeat("long ", 300)} {
				sealed, err := m.Seal([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				if got := string(unhex(ask("unwrap", sealed))); got != text {
					t.Errorf("the acceptor reads %q", got)
				}
				if got, err := m.Unseal(unhex(ask("wrap", []byte(text)))); err != nil || string(got) != text {
					t.Errorf("%q: %v", got, err)
				}
				if err := m.Verify([]byte(text), unhex(ask("mic", []byte(text)))); err != nil {
					t.Errorf("its signature: %v", err)
				}
			}
		})
	}
}

// acceptor starts testdata/acceptor.py and returns how to ask it.
func acceptor(t *testing.T, k *testbed.KDC) func(verb string, data []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/acceptor.py")
	cmd.Env = append(os.Environ(), k.Env...)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	return func(verb string, data []byte) string {
		t.Helper()
		if _, err := fmt.Fprintf(in, "%s %x\n", verb, data); err != nil {
			t.Fatal(err)
		}
		line, err := lines.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "error") {
			t.Fatalf("%s: %s%v", verb, line, err)
		}
		return strings.TrimSpace(line)
	}
}

func TestObtainRefused(t *testing.T) {
	k := realm(t)
	k.Admin(t, "addprinc -pw x -allow_tix locked")
	k.Admin(t, `addprinc -pw x -pwexpire yesterday stale`)
	good := Config{Realm: k.Realm, KDCs: []string{k.Addr}, Username: "alice", Password: "Passw0rd!", SPN: spn}
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
		text   string
	}{
		"wrong password":  {func(c *Config) { c.Password = "wrong" }, desktop.ErrAuth, "wrong password"},
		"unknown user":    {func(c *Config) { c.Username = "nobody" }, desktop.ErrAuth, "unknown user"},
		"locked":          {func(c *Config) { c.Username, c.Password = "locked", "x" }, desktop.ErrAuth, "disabled"},
		"expired":         {func(c *Config) { c.Username, c.Password = "stale", "x" }, desktop.ErrAuth, "expired"},
		"unknown service": {func(c *Config) { c.SPN = "TERMSRV/other" }, ErrService, "service principal name"},
		"nobody there":    {func(c *Config) { c.KDCs = []string{"127.0.0.1:1"} }, ErrUnreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			_, err := Obtain(t.Context(), cfg)
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "Passw0rd") {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v does not say %q", err, c.text)
			}
		})
	}
}

// TestObtainGivesUp has a KDC that takes the request and says nothing.
func TestObtainGivesUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	bored := errors.New("bored")
	var held net.Conn
	accepted := make(chan struct{})
	go func() { // ends with the listener
		defer close(accepted)
		if held, _ = l.Accept(); held != nil {
			cancel(bored)
		}
	}()
	_, err = Obtain(ctx, Config{Realm: "R", KDCs: []string{l.Addr().String()}, Username: "u", Password: "p", SPN: spn})
	if !errors.Is(err, bored) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v", err)
	}
	<-accepted
	held.Close() // what was left behind ends here
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return []byte(err.Error())
	}
	return b
}
