package kerberos

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
)

// krb5 is the mechanism's object identifier, 1.2.840.113554.1.2.2, in GSS-API's framing of tokens.
const krb5 = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"

// TOK_ID of the context tokens ([RFC 4121] 4.1).
const (
	tokenAPReq = 0x0100
	tokenAPRep = 0x0200
	tokenError = 0x0300
)

// msg-type and pvno ([RFC 4120] 5.10).
const (
	messageAPReq = 14
	messageAPRep = 15
	messageError = 30
	version5     = 5
)

// The checksum of GSS-API in an Authenticator ([RFC 4121] 4.1.1).
const (
	checksumGSS   = 0x8003
	checksumBytes = 24
	gssMutual     = 0x02
	gssReplay     = 0x04
	gssSequence   = 0x08
	gssConf       = 0x10
	gssInteg      = 0x20
)

// appendToken frames a message for GSS-API ([RFC 4121] 4.1).
func appendToken(id uint16, message []byte) []byte {
	return der.Element(der.Application(0), der.Element(der.ObjectID, []byte(krb5)), binary.BigEndian.AppendUint16(nil, id), message)
}

// openToken returns the TOK_ID and a Reader of the message in GSS-API's framing.
func openToken(name string, b []byte) (uint16, *der.Reader) {
	r := der.NewReader(name, b)
	frame := r.Enter(der.Application(0))
	_ = r.End()
	if oid := frame.Element(der.ObjectID); frame.Err() == nil && string(oid) != krb5 {
		_ = frame.Refuse("framed as another mechanism")
	}
	id := frame.Raw(2)
	if id == nil {
		return 0, frame
	}
	return binary.BigEndian.Uint16(id), frame
}

// encryptedData is EncryptedData ([RFC 4120] 5.2.9).
type encryptedData struct {
	keyType, version int32
	cipher           []byte
}

func readEncryptedData(r *der.Reader, outer byte) encryptedData {
	wrapped := r.Enter(outer)
	s := wrapped.Enter(der.Sequence)
	_ = wrapped.End()
	e := encryptedData{keyType: int32(s.Int(der.Context(0)))}
	if s.Next(der.Context(1)) {
		e.version = int32(s.Int(der.Context(1)))
	}
	e.cipher = s.Wrapped(der.Context(2), der.OctetString)
	_ = s.End()
	return e
}

func (e encryptedData) der() []byte {
	return der.Element(der.Sequence, der.Int(der.Context(0), int64(e.keyType)), der.Wrap(der.Context(2), der.OctetString, e.cipher))
}

// principal is a PrincipalName ([RFC 4120] 5.2.2).
type principal struct {
	nameType int32
	names    []string
}

func readPrincipal(r *der.Reader, outer byte) principal {
	wrapped := r.Enter(outer)
	s := wrapped.Enter(der.Sequence)
	_ = wrapped.End()
	p := principal{nameType: int32(s.Int(der.Context(0)))}
	list := s.Enter(der.Context(1))
	names := list.Enter(der.Sequence)
	_ = list.End()
	for names.More() {
		if len(p.names) == maxNames {
			_ = r.Refuse("a name of more than %d components", maxNames)
			break
		}
		p.names = append(p.names, string(names.Element(der.GeneralString)))
	}
	_ = s.End()
	return p
}

func (p principal) der() []byte {
	var names [][]byte
	for _, n := range p.names {
		names = append(names, der.Element(der.GeneralString, []byte(n)))
	}
	return der.Element(der.Sequence, der.Int(der.Context(0), int64(p.nameType)), der.Wrap(der.Context(1), der.Sequence, names...))
}

// encryptionKey is EncryptionKey ([RFC 4120] 5.2.9).
type encryptionKey struct {
	keyType int32
	value   []byte
}

func readKey(r *der.Reader, outer byte) encryptionKey {
	wrapped := r.Enter(outer)
	s := wrapped.Enter(der.Sequence)
	_ = wrapped.End()
	k := encryptionKey{keyType: int32(s.Int(der.Context(0))), value: s.Wrapped(der.Context(1), der.OctetString)}
	_ = s.End()
	return k
}

func (k encryptionKey) der() []byte {
	return der.Element(der.Sequence, der.Int(der.Context(0), int64(k.keyType)), der.Wrap(der.Context(1), der.OctetString, k.value))
}

// kerberosTime is KerberosTime ([RFC 4120] 5.2.3), of whole seconds.
const kerberosTime = "20060102150405Z"

func timeDER(t time.Time) []byte {
	return der.Element(der.GeneralTime, []byte(t.UTC().Format(kerberosTime)))
}

func readTime(r *der.Reader, outer byte) time.Time {
	text := r.Wrapped(outer, der.GeneralTime)
	if r.Err() != nil {
		return time.Time{}
	}
	t, err := time.Parse(kerberosTime, string(text))
	if err != nil {
		_ = r.Refuse("a KerberosTime of %d bytes that is none", len(text))
	}
	return t
}

// readHeader reads pvno and msg-type, which begin every message at these contexts.
func readHeader(s *der.Reader, message int64) {
	version, kind := s.Int(der.Context(0)), s.Int(der.Context(1))
	if s.Err() == nil && (version != version5 || kind != message) {
		_ = s.Refuse("version %d and type %d, want %d and %d", version, kind, version5, message)
	}
}

func header(message int64) []byte {
	return append(der.Int(der.Context(0), version5), der.Int(der.Context(1), message)...)
}

// within enters the SEQUENCE that is alone in an application element, which is alone in r.
func within(r *der.Reader, tag byte) *der.Reader {
	outer := r.Enter(tag)
	_ = r.End()
	s := outer.Enter(der.Sequence)
	_ = outer.End()
	return s
}

// krbError decodes KRB-ERROR ([RFC 4120] 5.9.1) as far as its number.
func krbError(r *der.Reader) error {
	s := within(r, der.Application(messageError))
	readHeader(s, messageError)
	for n := 2; n <= 5; n++ { // ctime, cusec, stime, susec
		s.Skip(der.Context(n))
	}
	code := s.Int(der.Context(6))
	if s.Err() != nil {
		return fmt.Errorf("kerberos: %w", s.Err())
	}
	return fmt.Errorf("kerberos: the target says %s: %w", codeText(int(code)), ErrRefused)
}
