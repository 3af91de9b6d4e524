// Package spnego negotiates which mechanism authenticates ([RFC 4178], [MS-SPNG]), as CredSSP needs it: for Kerberos,
// which Windows takes in no other wrapping, and for clients that offer NTLM so.
//
// Initiator and Acceptor are themselves a Mechanism: they step until the negotiation is proved unaltered, and then seal
// by the mechanism chosen. They do no I/O and log nothing.
package spnego

import (
	"errors"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
)

// OID is an object identifier in DER, without tag and length.
type OID string

// The mechanisms there are.
const (
	NTLMSSP    OID = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" // 1.3.6.1.4.1.311.2.2.10
	Kerberos   OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"     // 1.2.840.113554.1.2.2
	MSKerberos OID = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"     // 1.2.840.48018.1.2.2, a slip of Windows 2000 that stayed
	spnego     OID = "\x2b\x06\x01\x05\x05\x02"                 // 1.3.6.1.5.5.2
)

// Mechanism is one side of an authentication: steps, and what it protects afterwards.
type Mechanism interface {
	// Step takes what the peer has said, nothing at an initiator's beginning, and returns what to say.
	Step(in []byte) (out []byte, done bool, err error)
	// Seal encrypts and signs; Unseal undoes the peer's Seal.
	Seal(message []byte) ([]byte, error)
	Unseal(sealed []byte) ([]byte, error)
	// Sign signs the list of mechanisms; Verify checks the peer's signature of it.
	Sign(message []byte) ([]byte, error)
	Verify(message, mic []byte) error
}

var (
	// ErrNoMechanism says: the sides have no mechanism in common, or the peer refused.
	ErrNoMechanism = errors.New("no mechanism of authentication in common")
	// ErrUnproved says: the negotiation may have been altered on its way.
	ErrUnproved = errors.New("the negotiation of the mechanism is not proved")
)

// maxMechTypes bounds the mechanisms of a NegTokenInit; Windows offers up to five.
const maxMechTypes = 16

// negState ([RFC 4178] 4.2.2).
const (
	acceptCompleted  = 0
	acceptIncomplete = 1
	reject           = 2
	requestMIC       = 3
	noState          = -1 // the field is absent
)

// NegTokenInit is the initiator's first token ([RFC 4178] 4.2.1). Decoded slices alias the input.
type NegTokenInit struct {
	MechTypes   []OID
	MechToken   []byte // of the first mechanism; nil when absent
	mechTypeSeq []byte // MechTypes as they were encoded, for the MIC
}

// DecodeNegTokenInit decodes the token in its GSS-API framing ([RFC 2743] 3.1). NegTokenInit2 ([MS-SPNG] 2.2.1) is
// taken as well; its hints are passed over.
func DecodeNegTokenInit(b []byte) (NegTokenInit, error) {
	r := der.NewReader("NegTokenInit", b)
	frame := r.Enter(der.Application(0))
	_ = r.End()
	if oid := frame.Element(der.ObjectID); frame.Err() == nil && OID(oid) != spnego {
		_ = frame.Refuse("framed as another mechanism")
	}
	choice := frame.Enter(der.Context(0))
	_ = frame.End()
	body := choice.Enter(der.Sequence)
	_ = choice.End()

	var t NegTokenInit
	types := body.Enter(der.Context(0))
	t.mechTypeSeq = types.Whole(der.Sequence)
	_ = types.End()
	list := der.NewReader("NegTokenInit", t.mechTypeSeq).Enter(der.Sequence)
	for body.Err() == nil && list.More() {
		if len(t.MechTypes) == maxMechTypes {
			return NegTokenInit{}, list.Refuse("more than %d mechTypes", maxMechTypes)
		}
		t.MechTypes = append(t.MechTypes, OID(list.Element(der.ObjectID)))
	}
	body.Skip(der.Context(1)) // reqFlags
	if body.Next(der.Context(2)) {
		t.MechToken = body.Wrapped(der.Context(2), der.OctetString)
	}
	body.Skip(der.Context(3)) // mechListMIC, which nobody can make yet, or negHints
	body.Skip(der.Context(4))
	return t, errors.Join(body.End(), list.Err())
}

// Append appends the token.
func (t NegTokenInit) Append(b []byte) []byte {
	fields := [][]byte{der.Element(der.Context(0), t.list())}
	if t.MechToken != nil {
		fields = append(fields, der.Wrap(der.Context(2), der.OctetString, t.MechToken))
	}
	body := der.Wrap(der.Context(0), der.Sequence, fields...)
	return der.Append(b, der.Application(0), der.Element(der.ObjectID, []byte(spnego)), body)
}

// list returns MechTypeList, which the MIC is over.
func (t NegTokenInit) list() []byte {
	var types [][]byte
	for _, oid := range t.MechTypes {
		types = append(types, der.Element(der.ObjectID, []byte(oid)))
	}
	return der.Element(der.Sequence, types...)
}

// NegTokenResp is every token but the first ([RFC 4178] 4.2.2). Decoded slices alias the input.
type NegTokenResp struct {
	State         int // negState, or noState
	SupportedMech OID // "" when absent
	ResponseToken []byte
	MechListMIC   []byte
}

// DecodeNegTokenResp decodes the token.
func DecodeNegTokenResp(b []byte) (NegTokenResp, error) {
	r := der.NewReader("NegTokenResp", b)
	choice := r.Enter(der.Context(1))
	_ = r.End()
	body := choice.Enter(der.Sequence)
	_ = choice.End()
	t := NegTokenResp{State: noState}
	if body.Next(der.Context(0)) {
		state := body.Wrapped(der.Context(0), der.Enumerated)
		if body.Err() == nil && (len(state) != 1 || state[0] > requestMIC) {
			return t, body.Refuse("a negState of %d bytes, or over %d", len(state), requestMIC)
		}
		if body.Err() == nil {
			t.State = int(state[0])
		}
	}
	if body.Next(der.Context(1)) {
		t.SupportedMech = OID(body.Wrapped(der.Context(1), der.ObjectID))
	}
	if body.Next(der.Context(2)) {
		t.ResponseToken = body.Wrapped(der.Context(2), der.OctetString)
	}
	if body.Next(der.Context(3)) {
		t.MechListMIC = body.Wrapped(der.Context(3), der.OctetString)
	}
	return t, body.End()
}

// Append appends the token.
func (t NegTokenResp) Append(b []byte) []byte {
	var fields [][]byte
	if t.State != noState {
		fields = append(fields, der.Wrap(der.Context(0), der.Enumerated, []byte{byte(t.State)}))
	}
	if t.SupportedMech != "" {
		fields = append(fields, der.Wrap(der.Context(1), der.ObjectID, []byte(t.SupportedMech)))
	}
	if t.ResponseToken != nil {
		fields = append(fields, der.Wrap(der.Context(2), der.OctetString, t.ResponseToken))
	}
	if t.MechListMIC != nil {
		fields = append(fields, der.Wrap(der.Context(3), der.OctetString, t.MechListMIC))
	}
	return der.Append(b, der.Context(1), der.Element(der.Sequence, fields...))
}
