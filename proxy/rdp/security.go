package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Flags of a basic security header ([MS-RDPBCGR] 2.2.8.1.1.2.1).
const (
	SecEncrypt         = 0x0008
	SecInfoPacket      = 0x0040
	SecLicensePacket   = 0x0080
	SecRedirection     = 0x0400
	SecAutodetectReq   = 0x1000
	SecAutodetectRsp   = 0x2000
	SecHeartbeat       = 0x4000
	securityHeaderSize = 4
)

// AppendSecurityHeader appends a basic security header.
func AppendSecurityHeader(b []byte, flags uint16) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(flags))
}

// DecodeSecurityHeader returns the flags of a basic security header and what follows it. Encrypted PDUs are refused.
func DecodeSecurityHeader(b []byte) (flags uint16, rest []byte, err error) {
	r := wire.NewReader("TS_SECURITY_HEADER", b)
	flags = r.Uint16()
	r.Skip(2)
	if flags&SecEncrypt != 0 {
		return 0, nil, r.Refuse("the PDU is encrypted (flags %#x), which TLS makes needless", flags)
	}
	rest = r.Rest()
	return flags, rest, r.Err()
}

// Heartbeat is a Server Heartbeat PDU ([MS-RDPBCGR] 2.2.16.1): the server promises one every Period seconds.
type Heartbeat struct {
	Period          uint8 // seconds
	Warn, Reconnect uint8 // missed heartbeats after which the client warns, and reconnects
}

// Append appends the PDU with its security header.
func (h *Heartbeat) Append(b []byte) []byte {
	return append(AppendSecurityHeader(b, SecHeartbeat), 0, h.Period, h.Warn, h.Reconnect)
}

// Decode reads the PDU behind its security header.
func (h *Heartbeat) Decode(b []byte) error {
	r := wire.NewReader("TS_HEARTBEAT_PDU", b)
	r.Skip(1)
	*h = Heartbeat{Period: r.Uint8(), Warn: r.Uint8(), Reconnect: r.Uint8()}
	return r.End()
}

// Autodetection ([MS-RDPBCGR] 2.2.14.1.1, 2.2.14.2.1): only the round trip is answered, because nothing else is announced.
const (
	autodetectRequest  = 0
	autodetectResponse = 1
	rttRequestConnect  = 0x1001
	rttRequest         = 0x0001
	rttResponse        = 0x0000
	autodetectHeader   = 6
)

// RTTRequest asks for an answer at once ([MS-RDPBCGR] 2.2.14.1.1).
type RTTRequest struct{ Sequence uint16 }

// Append appends the PDU with its security header.
func (q *RTTRequest) Append(b []byte) []byte {
	b = append(AppendSecurityHeader(b, SecAutodetectReq), autodetectHeader, autodetectRequest)
	b = binary.LittleEndian.AppendUint16(b, q.Sequence)
	return binary.LittleEndian.AppendUint16(b, rttRequest)
}

// Decode reads an autodetection request behind its security header; ok is unset for one that wants no answer here.
func (q *RTTRequest) Decode(b []byte) (ok bool, err error) {
	r := wire.NewReader("Autodetect request", b)
	length, kind := r.Uint8(), r.Uint8()
	q.Sequence = r.Uint16()
	request := r.Uint16()
	if r.Err() == nil && (length < autodetectHeader || kind != autodetectRequest) {
		return false, r.Refuse("header of %d bytes, type %d", length, kind)
	}
	return request == rttRequest || request == rttRequestConnect, r.Err()
}

// AppendRTTResponse appends the answer to a request, with its security header ([MS-RDPBCGR] 2.2.14.2.1).
func AppendRTTResponse(b []byte, sequence uint16) []byte {
	b = append(AppendSecurityHeader(b, SecAutodetectRsp), autodetectHeader, autodetectResponse)
	b = binary.LittleEndian.AppendUint16(b, sequence)
	return binary.LittleEndian.AppendUint16(b, rttResponse)
}

// DecodeRTTResponse returns the sequence number of an answer behind its security header; ok is unset for an answer to something
// else.
func DecodeRTTResponse(b []byte) (sequence uint16, ok bool, err error) {
	r := wire.NewReader("Autodetect response", b)
	length, kind := r.Uint8(), r.Uint8()
	sequence = r.Uint16()
	response := r.Uint16()
	if r.Err() == nil && (length < autodetectHeader || kind != autodetectResponse) {
		return 0, false, r.Refuse("header of %d bytes, type %d", length, kind)
	}
	return sequence, response == rttResponse, r.Err()
}
