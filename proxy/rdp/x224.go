package rdp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// X.224 TPDU codes ([X.224] 13).
const (
	x224ConnectionRequest = 0xe0
	x224ConnectionConfirm = 0xd0
	x224DisconnectRequest = 0x80
	x224Data              = 0xf0
	x224EOT               = 0x80
)

// Protocol is a set of security protocols ([MS-RDPBCGR] 2.2.1.1.1).
type Protocol uint32

// The security protocols.
const (
	ProtocolRDP      Protocol = 0 // standard RDP security, never spoken here
	ProtocolTLS      Protocol = 1
	ProtocolHybrid   Protocol = 2 // CredSSP in TLS: NLA
	ProtocolRDSTLS   Protocol = 4
	ProtocolHybridEx Protocol = 8 // NLA with an early user authorization result
	ProtocolRDSAAD   Protocol = 16
)

// NegotiationFailure is why a server refuses the protocols a client asked for ([MS-RDPBCGR] 2.2.1.2.2).
type NegotiationFailure uint32

// The failures.
const (
	FailureTLSRequired         NegotiationFailure = 1
	FailureTLSNotAllowed       NegotiationFailure = 2
	FailureNoCertificate       NegotiationFailure = 3
	FailureInconsistentFlags   NegotiationFailure = 4
	FailureHybridRequired      NegotiationFailure = 5
	FailureTLSWithUserRequired NegotiationFailure = 6
)

func (f NegotiationFailure) String() string {
	switch f {
	case FailureTLSRequired:
		return "it requires TLS"
	case FailureTLSNotAllowed:
		return "it speaks standard RDP security only"
	case FailureNoCertificate:
		return "it has no certificate for TLS"
	case FailureInconsistentFlags:
		return "it finds the request inconsistent"
	case FailureHybridRequired:
		return "it requires network level authentication"
	case FailureTLSWithUserRequired:
		return "it requires TLS with a client certificate"
	}
	return fmt.Sprintf("it refuses with code %d", uint32(f))
}

// Flags of a negotiation request ([MS-RDPBCGR] 2.2.1.1.1).
const (
	RestrictedAdminRequired = 0x01
	RedirectedAuthRequired  = 0x02
	correlationInfoPresent  = 0x08
)

// Flags of a negotiation response ([MS-RDPBCGR] 2.2.1.2.1).
const (
	ExtendedClientDataSupported = 0x01
	GFXSupported                = 0x02
	RestrictedAdminSupported    = 0x08
	RedirectedAuthSupported     = 0x10
)

const (
	negotiationRequest  = 1
	negotiationResponse = 2
	negotiationFailure  = 3
	negotiationBytes    = 8
	correlationBytes    = 36
)

// ConnectionRequest is a Client X.224 Connection Request ([MS-RDPBCGR] 2.2.1.1), without TPKT.
type ConnectionRequest struct {
	// RoutingToken, of at most MaxRoutingToken bytes, is sent as it is, with CR LF behind it; else Cookie is, as a mstshash.
	RoutingToken []byte
	Cookie       string
	// Negotiable tells whether the client speaks anything but standard RDP security.
	Negotiable bool
	Flags      uint8
	Protocols  Protocol
}

// MaxRoutingToken bounds a routing token in bytes: the length of a connection request has eight bits, of which 255 is
// reserved, and the header, a line end and the negotiation come out of it ([X.224] 13.2.1).
const MaxRoutingToken = 254 - 6 - 2 - negotiationBytes

const cookiePrefix = "Cookie: mstshash="

// Append appends the TPDU.
func (c *ConnectionRequest) Append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, x224ConnectionRequest, 0, 0, 0, 0, 0)
	switch {
	case len(c.RoutingToken) > 0:
		b = append(append(b, c.RoutingToken...), '\r', '\n')
	case c.Cookie != "":
		b = append(append(append(b, cookiePrefix...), c.Cookie...), '\r', '\n')
	}
	if c.Negotiable {
		b = append(b, negotiationRequest, c.Flags&^correlationInfoPresent, negotiationBytes, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(c.Protocols))
	}
	b[start] = byte(len(b) - start - 1)
	return b
}

// Decode reads the TPDU.
func (c *ConnectionRequest) Decode(b []byte) error {
	rest, err := decodeX224(b, x224ConnectionRequest)
	if err != nil {
		return err
	}
	*c = ConnectionRequest{}
	if i := bytes.Index(rest, []byte("\r\n")); i >= 0 {
		if cookie, ok := strings.CutPrefix(string(rest[:i]), cookiePrefix); ok {
			c.Cookie = cookie
		} else {
			c.RoutingToken = rest[:i:i]
		}
		rest = rest[i+2:]
	}
	if len(rest) == 0 {
		return nil
	}
	r := wire.NewReader("RDP_NEG_REQ", rest)
	if kind := r.Uint8(); kind != negotiationRequest {
		return r.Refuse("type %d, want %d", kind, negotiationRequest)
	}
	c.Negotiable = true
	c.Flags = r.Uint8()
	if n := r.Uint16(); r.Err() == nil && n != negotiationBytes {
		return r.Refuse("length %d, want %d", n, negotiationBytes)
	}
	c.Protocols = Protocol(r.Uint32())
	if c.Flags&correlationInfoPresent != 0 {
		r.Skip(correlationBytes)
	}
	return r.End()
}

// ConnectionConfirm is a Server X.224 Connection Confirm ([MS-RDPBCGR] 2.2.1.2), without TPKT.
type ConnectionConfirm struct {
	// Negotiated is unset when the server knows no negotiation: standard RDP security.
	Negotiated bool
	Failure    NegotiationFailure // not zero: refused
	Flags      uint8
	Protocol   Protocol // selected
}

// Append appends the TPDU.
func (c *ConnectionConfirm) Append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, x224ConnectionConfirm, 0, 0, 0x12, 0x34, 0)
	switch {
	case c.Failure != 0:
		b = append(b, negotiationFailure, 0, negotiationBytes, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(c.Failure))
	case c.Negotiated:
		b = append(b, negotiationResponse, c.Flags, negotiationBytes, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(c.Protocol))
	}
	b[start] = byte(len(b) - start - 1)
	return b
}

// Decode reads the TPDU.
func (c *ConnectionConfirm) Decode(b []byte) error {
	rest, err := decodeX224(b, x224ConnectionConfirm)
	if err != nil {
		return err
	}
	*c = ConnectionConfirm{}
	if len(rest) == 0 {
		return nil
	}
	r := wire.NewReader("RDP_NEG_RSP", rest)
	kind, flags, n, value := r.Uint8(), r.Uint8(), r.Uint16(), r.Uint32()
	switch {
	case r.Err() != nil:
	case n != negotiationBytes:
		return r.Refuse("length %d, want %d", n, negotiationBytes)
	case kind == negotiationResponse:
		c.Negotiated, c.Flags, c.Protocol = true, flags, Protocol(value)
	case kind == negotiationFailure:
		if value == 0 {
			return r.Refuse("failure code 0")
		}
		c.Negotiated, c.Failure = true, NegotiationFailure(value)
	default:
		return r.Refuse("type %d, want %d or %d", kind, negotiationResponse, negotiationFailure)
	}
	return r.End()
}

// decodeX224 checks the header of a connection TPDU and returns its variable part.
func decodeX224(b []byte, code uint8) ([]byte, error) {
	r := wire.NewReader("X.224 TPDU", b)
	length := int(r.Uint8())
	if got := r.Uint8(); r.Err() == nil && got&0xf0 != code {
		return nil, r.Refuse("code %#x, want %#x", got, code)
	}
	r.Skip(5) // references and class
	if r.Err() == nil && length != len(b)-1 {
		return nil, r.Refuse("length indicator %d, %d bytes follow", length, len(b)-1)
	}
	rest := r.Rest()
	return rest, r.Err()
}

// AppendX224Data appends a TPKT with an X.224 Data TPDU whose payload fn appends.
func AppendX224Data(b []byte, fn func(b []byte) []byte) []byte {
	return AppendTPKT(b, func(b []byte) []byte { return fn(append(b, 2, x224Data, x224EOT)) })
}

// DecodeX224Data returns the payload of an X.224 Data TPDU. ErrDisconnected tells that the peer ended the connection.
func DecodeX224Data(b []byte) ([]byte, error) {
	r := wire.NewReader("X.224 data TPDU", b)
	length, code := r.Uint8(), r.Uint8()
	if r.Err() == nil && code == x224DisconnectRequest {
		return nil, ErrDisconnected
	}
	eot := r.Uint8()
	if r.Err() == nil && (length != 2 || code != x224Data || eot != x224EOT) {
		return nil, r.Refuse("header %#x %#x %#x, want 0x2 0xf0 0x80", length, code, eot)
	}
	rest := r.Rest()
	return rest, r.Err()
}
