package spnego

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func ntlmPair() (*ntlm.Client, *ntlm.Server) {
	return ntlm.NewClient(ntlm.ClientConfig{Username: "u", Password: "p"}),
		ntlm.NewServer(ntlm.ServerConfig{Lookup: func(_, u string) (ntlm.Hash, bool) { return ntlm.NTHash("p"), u == "u" }})
}

// negotiate runs both sides to their ends; change may alter what the initiator says.
func negotiate(i, a Mechanism, change func(n int, b []byte) []byte) error {
	var in []byte
	var accepted bool
	for n := range 8 {
		out, done, err := i.Step(in)
		if err != nil {
			return err
		}
		if done {
			if !accepted || out != nil {
				return errors.New("the initiator is done alone")
			}
			return nil
		}
		if in, accepted, err = a.Step(change(n, out)); err != nil {
			return err
		}
	}
	return errors.New("no end")
}

func same(_ int, b []byte) []byte { return b }

// unprefer puts Kerberos in front of NTLM in the first token, as Windows has it, with a token of that.
func unprefer(i *Initiator) { i.offer.MechTypes = []OID{MSKerberos, NTLMSSP} }

// optimist is a client of NTLM whose first token was of another mechanism.
type optimist struct {
	*ntlm.Client
	began bool
}

func (o *optimist) Step(in []byte) ([]byte, bool, error) {
	if !o.began {
		o.began = true
		return []byte("AP-REQ"), false, nil
	}
	return o.Client.Step(in)
}

func onlyNTLM(s *ntlm.Server) func(OID) Mechanism {
	return func(oid OID) Mechanism {
		if oid == NTLMSSP {
			return s
		}
		return nil
	}
}

func TestNTLMInside(t *testing.T) {
	c, s := ntlmPair()
	i, a := NewInitiator(c, NTLMSSP), NewAcceptor(onlyNTLM(s))
	if err := negotiate(i, a, same); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the cipher began anew behind the MIC, the count went on
		sealed, err := i.Seal([]byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Unseal(sealed); err != nil || string(got) != "hello" {
			t.Fatalf("%q: %v", got, err)
		}
	}
	if _, _, err := i.Step(nil); !errors.Is(err, errState) {
		t.Errorf("the initiator steps on: %v", err)
	}
	if _, _, err := a.Step(nil); !errors.Is(err, errState) {
		t.Errorf("the acceptor steps on: %v", err)
	}
}

// TestSecondChoice is the acceptor without Kerberos whom a client offers that first.
func TestSecondChoice(t *testing.T) {
	c, s := ntlmPair()
	a := NewAcceptor(onlyNTLM(s))
	out, done, err := a.Step(NegTokenInit{MechTypes: []OID{MSKerberos, NTLMSSP}, MechToken: []byte("AP-REQ")}.Append(nil))
	if err != nil || done {
		t.Fatal(done, err)
	}
	first, err := DecodeNegTokenResp(out)
	if err != nil || first.State != requestMIC || first.SupportedMech != NTLMSSP || first.ResponseToken != nil {
		t.Fatalf("%+v, %v", first, err)
	}
	list := NegTokenInit{MechTypes: []OID{MSKerberos, NTLMSSP}}.list()
	hello, _, _ := c.Step(nil)
	out, _, err = a.Step(NegTokenResp{State: noState, ResponseToken: hello}.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := DecodeNegTokenResp(out)
	if err != nil {
		t.Fatal(err)
	}
	proof, _, err := c.Step(challenge.ResponseToken)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("proved", func(t *testing.T) {
		mic, _ := c.Sign(list)
		out, done, err := a.Step(NegTokenResp{State: noState, ResponseToken: proof, MechListMIC: mic}.Append(nil))
		if err != nil || !done {
			t.Fatal(done, err)
		}
		last, err := DecodeNegTokenResp(out)
		if err != nil || last.State != acceptCompleted || c.Verify(list, last.MechListMIC) != nil {
			t.Errorf("%+v, %v", last, err)
		}
	})
}

// TestDowngrade is somebody who takes the preferred mechanism out of the offer.
func TestDowngrade(t *testing.T) {
	c, s := ntlmPair()
	i := NewInitiator(c, NTLMSSP)
	unprefer(i)
	err := negotiate(i, NewAcceptor(onlyNTLM(s)), func(n int, b []byte) []byte {
		if n == 0 {
			return NegTokenInit{MechTypes: []OID{NTLMSSP}, MechToken: i.offer.MechToken}.Append(nil)
		}
		return b
	})
	if !errors.Is(err, ntlm.ErrAltered) {
		t.Errorf("the acceptor says %v", err)
	}
	// Likewise with the client's MIC taken out on its way.
	c, s = ntlmPair()
	i = NewInitiator(c, NTLMSSP)
	unprefer(i)
	err = negotiate(i, NewAcceptor(onlyNTLM(s)), func(n int, b []byte) []byte {
		if n == 0 {
			return NegTokenInit{MechTypes: []OID{NTLMSSP}, MechToken: i.offer.MechToken}.Append(nil)
		}
		token, err := DecodeNegTokenResp(b)
		if err != nil {
			t.Fatal(err)
		}
		token.MechListMIC = nil
		return token.Append(nil)
	})
	if !errors.Is(err, ErrUnproved) {
		t.Errorf("the initiator says %v", err)
	}
}

func TestSecondChoiceOfInitiator(t *testing.T) {
	c, s := ntlmPair()
	i := NewInitiator(&optimist{Client: c}, MSKerberos, NTLMSSP)
	a := NewAcceptor(onlyNTLM(s))
	out, _, err := i.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, _, err = a.Step(out); err != nil {
		t.Fatal(err)
	}
	// Our initiator has one mechanism under several names and does not begin another.
	if _, _, err := i.Step(out); !errors.Is(err, ErrUnproved) {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	_, s := ntlmPair()
	a := NewAcceptor(onlyNTLM(s))
	out, _, err := a.Step(NegTokenInit{MechTypes: []OID{MSKerberos}}.Append(nil))
	if answer, derr := DecodeNegTokenResp(out); !errors.Is(err, ErrNoMechanism) || derr != nil || answer.State != reject {
		t.Errorf("nothing in common: %+v, %v", answer, err)
	}
	for name, c := range map[string]struct {
		answer NegTokenResp
		want   error
	}{
		"rejected":       {NegTokenResp{State: reject}, ErrNoMechanism},
		"another":        {NegTokenResp{State: acceptIncomplete, SupportedMech: Kerberos}, ErrNoMechanism},
		"too early":      {NegTokenResp{State: acceptCompleted, SupportedMech: NTLMSSP}, ErrUnproved},
		"goes not on":    {NegTokenResp{State: acceptIncomplete, SupportedMech: NTLMSSP}, ErrUnproved},
		"broken message": {NegTokenResp{State: acceptIncomplete, ResponseToken: []byte("x")}, wire.ErrMalformed},
	} {
		client, _ := ntlmPair()
		i := NewInitiator(client, NTLMSSP)
		if _, _, err := i.Step(nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := i.Step(c.answer.Append(nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, s = ntlmPair()
	a = NewAcceptor(onlyNTLM(s))
	if _, _, err := a.Step(NegTokenInit{MechTypes: []OID{NTLMSSP}}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Step(NegTokenResp{State: noState, MechListMIC: []byte("x")}.Append(nil)); !errors.Is(err, ErrUnproved) {
		t.Errorf("a MIC before the end: %v", err)
	}
	if _, _, err := a.Step(NegTokenResp{State: noState}.Append(nil)); !errors.Is(err, ErrUnproved) {
		t.Errorf("nothing said: %v", err)
	}
}

func TestTooManyMechanisms(t *testing.T) {
	many := NegTokenInit{MechTypes: make([]OID, maxMechTypes+1)}
	for n := range many.MechTypes {
		many.MechTypes[n] = NTLMSSP
	}
	if _, err := DecodeNegTokenInit(many.Append(nil)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("%v", err)
	}
}

// TestHints decodes NegTokenInit2, which has a field more.
func TestHints(t *testing.T) {
	list := NegTokenInit{MechTypes: []OID{NTLMSSP}}.list()
	body := der.Wrap(der.Context(0), der.Sequence, der.Element(der.Context(0), list),
		der.Wrap(der.Context(1), der.BitString, []byte{1, 0}), der.Wrap(der.Context(2), der.OctetString, []byte("t")),
		der.Element(der.Context(3), der.Element(der.Sequence)), der.Wrap(der.Context(4), der.OctetString, []byte("mic")))
	got, err := DecodeNegTokenInit(der.Element(der.Application(0), der.Element(der.ObjectID, []byte(spnego)), body))
	if err != nil || string(got.MechToken) != "t" || len(got.MechTypes) != 1 || !bytes.Equal(got.mechTypeSeq, list) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzNegTokenInit(f *testing.F) {
	f.Add(NegTokenInit{MechTypes: []OID{MSKerberos, NTLMSSP}, MechToken: []byte("token")}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := DecodeNegTokenInit(b)
		if err == nil {
			again, err := DecodeNegTokenInit(token.Append(nil))
			token.mechTypeSeq, again.mechTypeSeq = nil, nil
			if err != nil || !reflect.DeepEqual(again, token) {
				t.Fatalf("%+v became %+v: %v", token, again, err)
			}
		}
		_, s := ntlmPair()
		_, _, _ = NewAcceptor(onlyNTLM(s)).Step(b)
	})
}

func FuzzNegTokenResp(f *testing.F) {
	f.Add(NegTokenResp{State: acceptIncomplete, SupportedMech: NTLMSSP, ResponseToken: []byte("r"), MechListMIC: []byte("m")}.Append(nil))
	f.Add(NegTokenResp{State: noState}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := DecodeNegTokenResp(b)
		if err == nil {
			if again, err := DecodeNegTokenResp(token.Append(nil)); err != nil || !reflect.DeepEqual(again, token) {
				t.Fatalf("%+v became %+v: %v", token, again, err)
			}
		}
		c, _ := ntlmPair()
		i := NewInitiator(c, NTLMSSP)
		_, _, _ = i.Step(nil)
		_, _, _ = i.Step(b)
	})
}
