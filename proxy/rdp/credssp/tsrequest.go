package credssp

import (
	"io"

	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
)

// TSRequest is every message of CredSSP ([MS-CSSP] 2.2.1). Absent fields are nil. Decoded slices alias the input.
type TSRequest struct {
	Version     int
	NegoToken   []byte // the one token of negoTokens
	AuthInfo    []byte // TSCredentials, sealed
	PubKeyAuth  []byte // sealed
	ErrorCode   uint32 // NTSTATUS; 0 is none
	ClientNonce []byte
}

// DecodeTSRequest decodes one message.
func DecodeTSRequest(b []byte) (TSRequest, error) {
	r := der.NewReader("TSRequest", b)
	s := r.Enter(der.Sequence)
	_ = r.End()
	var m TSRequest
	version := s.Int(der.Context(0))
	if s.Err() == nil && (version < 0 || version > 0xffff) {
		_ = s.Refuse("version %d", version)
	}
	m.Version = int(version)
	if s.Next(der.Context(1)) {
		m.NegoToken = readNegoData(s)
	}
	octets := func(n int) []byte {
		if !s.Next(der.Context(n)) {
			return nil
		}
		return s.Wrapped(der.Context(n), der.OctetString)
	}
	m.AuthInfo = octets(2)
	m.PubKeyAuth = octets(3)
	if s.Next(der.Context(4)) {
		code := s.Int(der.Context(4)) // above 0x7fffffff by some with a sign, by some without
		if s.Err() == nil && (code < -1<<31 || code >= 1<<32) {
			_ = s.Refuse("errorCode %d", code)
		}
		m.ErrorCode = uint32(code)
	}
	m.ClientNonce = octets(5)
	if s.Err() == nil && m.ClientNonce != nil && len(m.ClientNonce) != nonceBytes {
		_ = s.Refuse("clientNonce of %d bytes, want %d", len(m.ClientNonce), nonceBytes)
	}
	return m, s.End()
}

// readNegoData reads NegoData ([MS-CSSP] 2.2.1.1), in which nobody sends more than one token.
func readNegoData(s *der.Reader) []byte {
	field := s.Enter(der.Context(1))
	list := field.Enter(der.Sequence)
	_ = field.End()
	item := list.Enter(der.Sequence)
	if list.Err() == nil && list.More() {
		_ = list.Refuse("more than one negoToken")
	}
	token := item.Wrapped(der.Context(0), der.OctetString)
	_ = item.End()
	return token
}

// Append appends the message.
func (m TSRequest) Append(b []byte) []byte {
	fields := [][]byte{der.Int(der.Context(0), int64(m.Version))}
	if m.NegoToken != nil {
		item := der.Element(der.Sequence, der.Wrap(der.Context(0), der.OctetString, m.NegoToken))
		fields = append(fields, der.Wrap(der.Context(1), der.Sequence, item))
	}
	octets := func(n int, field []byte) {
		if field != nil {
			fields = append(fields, der.Wrap(der.Context(n), der.OctetString, field))
		}
	}
	octets(2, m.AuthInfo)
	octets(3, m.PubKeyAuth)
	if m.ErrorCode != 0 {
		fields = append(fields, der.Int(der.Context(4), int64(int32(m.ErrorCode))))
	}
	octets(5, m.ClientNonce)
	return der.Append(b, der.Sequence, fields...)
}

// readTSRequest reads one message from a stream, and no byte more.
func readTSRequest(r io.Reader) ([]byte, error) {
	return der.ReadMessage(r, "TSRequest", der.Sequence, maxMessageBytes)
}
