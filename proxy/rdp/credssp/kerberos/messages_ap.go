package kerberos

import (
	"encoding/binary"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
)

// apReq is AP-REQ ([RFC 4120] 5.5.1).
type apReq struct {
	ticket        []byte // DER
	authenticator encryptedData
}

// mutualRequired is the AP option that asks for an AP-REP, as a BIT STRING.
const mutualRequired = "\x00\x20\x00\x00\x00"

func decodeAPReq(r *der.Reader) (apReq, error) {
	s := within(r, der.Application(messageAPReq))
	readHeader(s, messageAPReq)
	options := s.Wrapped(der.Context(2), der.BitString)
	if s.Err() == nil && (len(options) != len(mutualRequired) || options[1]&0x20 == 0) {
		_ = s.Refuse("without mutual authentication")
	}
	var m apReq
	wrapped := s.Enter(der.Context(3))
	m.ticket = wrapped.Whole(der.Application(1))
	_ = wrapped.End()
	m.authenticator = readEncryptedData(s, der.Context(4))
	return m, s.End()
}

func (m apReq) der() []byte {
	return der.Element(der.Application(messageAPReq), der.Element(der.Sequence,
		header(messageAPReq), der.Wrap(der.Context(2), der.BitString, []byte(mutualRequired)),
		der.Element(der.Context(3), m.ticket), der.Element(der.Context(4), m.authenticator.der())))
}

// authenticator is Authenticator ([RFC 4120] 5.5.1) with GSS-API's checksum.
type authenticator struct {
	realm    string
	client   principal
	bindings [16]byte // MD5 of the channel bindings, zero when there are none
	flags    uint32   // of GSS-API
	micros   int64
	time     time.Time
	subkey   encryptionKey
	sequence uint32
}

func decodeAuthenticator(b []byte) (authenticator, error) {
	s := within(der.NewReader("Authenticator", b), der.Application(2))
	if v := s.Int(der.Context(0)); s.Err() == nil && v != version5 {
		_ = s.Refuse("version %d, want %d", v, version5)
	}
	a := authenticator{realm: string(s.Wrapped(der.Context(1), der.GeneralString)), client: readPrincipal(s, der.Context(2))}
	wrapped := s.Enter(der.Context(3))
	sum := wrapped.Enter(der.Sequence)
	_ = wrapped.End()
	kind, value := sum.Int(der.Context(0)), sum.Wrapped(der.Context(1), der.OctetString)
	_ = sum.End()
	if s.Err() == nil && (kind != checksumGSS || len(value) < checksumBytes) {
		_ = s.Refuse("a checksum of type %#x with %d bytes, want %#x with %d", kind, len(value), checksumGSS, checksumBytes)
	}
	a.micros, a.time = s.Int(der.Context(4)), readTime(s, der.Context(5))
	if s.Next(der.Context(6)) {
		a.subkey = readKey(s, der.Context(6))
	}
	if s.Next(der.Context(7)) {
		a.sequence = uint32(s.Int(der.Context(7)))
	}
	s.Skip(der.Context(8)) // authorization-data
	if err := s.End(); err != nil {
		return authenticator{}, err
	}
	copy(a.bindings[:], value[4:])
	a.flags = binary.LittleEndian.Uint32(value[20:])
	return a, nil
}

func (a authenticator) der() []byte {
	sum := binary.LittleEndian.AppendUint32(nil, 16)
	sum = append(sum, a.bindings[:]...)
	sum = binary.LittleEndian.AppendUint32(sum, a.flags)
	return der.Element(der.Application(2), der.Element(der.Sequence,
		der.Int(der.Context(0), version5),
		der.Wrap(der.Context(1), der.GeneralString, []byte(a.realm)),
		der.Element(der.Context(2), a.client.der()),
		der.Wrap(der.Context(3), der.Sequence, der.Int(der.Context(0), checksumGSS), der.Wrap(der.Context(1), der.OctetString, sum)),
		der.Int(der.Context(4), a.micros),
		der.Element(der.Context(5), timeDER(a.time)),
		der.Element(der.Context(6), a.subkey.der()),
		der.Int(der.Context(7), int64(a.sequence))))
}

// decodeAPRep decodes AP-REP ([RFC 4120] 5.5.2) as far as what is encrypted.
func decodeAPRep(r *der.Reader) (encryptedData, error) {
	s := within(r, der.Application(messageAPRep))
	readHeader(s, messageAPRep)
	e := readEncryptedData(s, der.Context(2))
	return e, s.End()
}

func apRepDER(e encryptedData) []byte {
	return der.Element(der.Application(messageAPRep), der.Element(der.Sequence,
		header(messageAPRep), der.Element(der.Context(2), e.der())))
}

// apRepPart is EncAPRepPart ([RFC 4120] 5.5.2).
type apRepPart struct {
	time     time.Time
	micros   int64
	subkey   encryptionKey // zero when absent
	sequence uint32
}

func decodeAPRepPart(b []byte) (apRepPart, error) {
	s := within(der.NewReader("EncAPRepPart", b), der.Application(27))
	p := apRepPart{time: readTime(s, der.Context(0)), micros: s.Int(der.Context(1))}
	if s.Next(der.Context(2)) {
		p.subkey = readKey(s, der.Context(2))
	}
	if s.Next(der.Context(3)) {
		p.sequence = uint32(s.Int(der.Context(3)))
	}
	return p, s.End()
}

func (p apRepPart) der() []byte {
	return der.Element(der.Application(27), der.Element(der.Sequence,
		der.Element(der.Context(0), timeDER(p.time)), der.Int(der.Context(1), p.micros),
		der.Element(der.Context(2), p.subkey.der()), der.Int(der.Context(3), int64(p.sequence))))
}

// ticketPart is what an acceptor needs of EncTicketPart ([RFC 4120] 5.3).
type ticketPart struct {
	key        encryptionKey
	realm      string
	client     principal
	start, end time.Time // start is zero when absent
}

// decodeTicket decodes Ticket ([RFC 4120] 5.3) as far as what is encrypted.
func decodeTicket(b []byte) (encryptedData, error) {
	s := within(der.NewReader("Ticket", b), der.Application(1))
	s.Element(der.Context(0)) // tkt-vno
	s.Element(der.Context(1)) // realm
	s.Element(der.Context(2)) // sname: it is enough that our key opens it
	e := readEncryptedData(s, der.Context(3))
	return e, s.End()
}

func decodeTicketPart(b []byte) (ticketPart, error) {
	s := within(der.NewReader("EncTicketPart", b), der.Application(3))
	s.Element(der.Context(0)) // flags
	p := ticketPart{
		key: readKey(s, der.Context(1)), realm: string(s.Wrapped(der.Context(2), der.GeneralString)), client: readPrincipal(s, der.Context(3)),
	}
	s.Element(der.Context(4)) // transited
	s.Element(der.Context(5)) // authtime
	if s.Next(der.Context(6)) {
		p.start = readTime(s, der.Context(6))
	}
	p.end = readTime(s, der.Context(7))
	for n := 8; n <= 10; n++ { // renew-till, caddr, authorization-data
		s.Skip(der.Context(n))
	}
	return p, s.End()
}
