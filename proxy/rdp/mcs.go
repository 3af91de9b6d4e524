package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Application tags of the MCS connect PDUs, in BER ([T.125] 7).
const (
	mcsConnectInitial  = 0x7f65
	mcsConnectResponse = 0x7f66
)

// MCS is the kind of a domain PDU: its choice in PER, which takes six bits ([T.125] 7, DomainMCSPDU).
type MCS uint8

// The domain PDUs used.
const (
	MCSErectDomainRequest          MCS = 1
	MCSDisconnectProviderUltimatum MCS = 8
	MCSAttachUserRequest           MCS = 10
	MCSAttachUserConfirm           MCS = 11
	MCSChannelJoinRequest          MCS = 14
	MCSChannelJoinConfirm          MCS = 15
	MCSSendDataRequest             MCS = 25
	MCSSendDataIndication          MCS = 26
)

// Reasons of a disconnect provider ultimatum.
const (
	ReasonProviderInitiated = 1
	ReasonUserRequested     = 3
)

const (
	mcsUserBase         = 1001 // user ids are sent less this
	mcsDataPriority     = 0x70 // high priority, begin and end of the data
	mcsSegmentation     = 0x30 // the begin and end bits of it
	mcsDomainParameters = 8    // numbers in one set of them
	mcsDomainSelector   = 1
	berTrue             = 0xff
	// maxConnectUserData bounds the user data of connect PDUs in bytes: 31 channels and 16 monitors take under 2 KB.
	maxConnectUserData = 16 << 10
)

// MaxChannelData is how many bytes one send data PDU carries.
const MaxChannelData = 0x3fff // of a PER length determinant

// domainParameters are what the connect PDUs negotiate ([MS-RDPBCGR] 2.2.1.3): target, minimum, maximum.
var domainParameters = [3][mcsDomainParameters]uint32{
	{34, 2, 0, 1, 0, 1, 0xffff, 2},
	{1, 1, 1, 1, 0, 1, 0x420, 2},
	{0xffff, 0xfc17, 0xffff, 1, 0, 1, 0xffff, 2},
}

func appendDomainParameters(b []byte, p *[mcsDomainParameters]uint32) []byte {
	return appendBER(b, berSequence, func(b []byte) []byte {
		for _, v := range p {
			b = appendBERInteger(b, v)
		}
		return b
	})
}

// appendBER appends a value whose contents fn appends.
func appendBER(b []byte, tag uint8, fn func(b []byte) []byte) []byte {
	body := fn(nil)
	return append(appendBERLength(append(b, tag), len(body)), body...)
}

// AppendConnectInitial appends an MCS Connect Initial with a GCC conference create request ([MS-RDPBCGR] 2.2.1.3) whose
// settings blocks fn appends.
func AppendConnectInitial(b []byte, fn func(b []byte) []byte) []byte {
	var body []byte
	body = append(body, berOctets, 1, mcsDomainSelector, berOctets, 1, mcsDomainSelector, berBoolean, 1, berTrue)
	for i := range domainParameters {
		body = appendDomainParameters(body, &domainParameters[i])
	}
	gcc := appendConferenceCreateRequest(nil, fn(nil))
	body = append(appendBERLength(append(body, berOctets), len(gcc)), gcc...)
	b = binary.BigEndian.AppendUint16(b, mcsConnectInitial)
	return append(appendBERLength(b, len(body)), body...)
}

// DecodeConnectInitial returns the settings blocks of an MCS Connect Initial.
func DecodeConnectInitial(b []byte) ([]byte, error) {
	r := wire.NewReader("MCS Connect Initial", b)
	if tag := r.Uint16BE(); r.Err() == nil && tag != mcsConnectInitial {
		return nil, r.Refuse("tag %#x, want %#x", tag, mcsConnectInitial)
	}
	in := r.Sub("MCS Connect Initial", berLength(r))
	berValue(in, berOctets)
	berValue(in, berOctets)
	berValue(in, berBoolean)
	for range domainParameters {
		berValue(in, berSequence)
	}
	return connectUserData(in, decodeConferenceCreateRequest)
}

// AppendConnectResponse appends a successful MCS Connect Response with a GCC conference create response ([MS-RDPBCGR]
// 2.2.1.4) whose settings blocks fn appends.
func AppendConnectResponse(b []byte, fn func(b []byte) []byte) []byte {
	body := []byte{berEnumerated, 1, 0, berInteger, 1, 0}
	body = appendDomainParameters(body, &domainParameters[0])
	gcc := appendConferenceCreateResponse(nil, fn(nil))
	body = append(appendBERLength(append(body, berOctets), len(gcc)), gcc...)
	b = binary.BigEndian.AppendUint16(b, mcsConnectResponse)
	return append(appendBERLength(b, len(body)), body...)
}

// DecodeConnectResponse returns the settings blocks of an MCS Connect Response.
func DecodeConnectResponse(b []byte) ([]byte, error) {
	r := wire.NewReader("MCS Connect Response", b)
	if tag := r.Uint16BE(); r.Err() == nil && tag != mcsConnectResponse {
		return nil, r.Refuse("tag %#x, want %#x", tag, mcsConnectResponse)
	}
	in := r.Sub("MCS Connect Response", berLength(r))
	if result := berUint(in, berEnumerated); in.Err() == nil && result != 0 {
		return nil, in.Refuse("the conference was refused with result %d", result)
	}
	berUint(in, berInteger)
	berValue(in, berSequence)
	return connectUserData(in, decodeConferenceCreateResponse)
}

func connectUserData(r *wire.Reader, decode func(b []byte) ([]byte, error)) ([]byte, error) {
	data := berValue(r, berOctets)
	if r.Err() != nil {
		return nil, r.Err()
	}
	if len(data) > maxConnectUserData {
		return nil, r.Refuse("user data of %d bytes exceeds %d", len(data), maxConnectUserData)
	}
	return decode(data)
}

// DomainPDU is an MCS domain PDU ([T.125] 7; [MS-RDPBCGR] 2.2.1.5 to 2.2.1.9). Which fields count depends on Kind.
type DomainPDU struct {
	Kind MCS
	// Result is of the confirms: zero is success.
	Result uint8
	// User is who joins or sends; of an attach user confirm it is who has been let in.
	User uint16
	// Channel is joined or sent on; of a join confirm it is the one requested.
	Channel uint16
	// Reason is of a disconnect provider ultimatum: 1 provider initiated, 3 user requested.
	Reason uint8
	// Data is of send data PDUs, at most MaxChannelData bytes, and lies within what was decoded.
	Data []byte
}

// Append appends the PDU.
func (p *DomainPDU) Append(b []byte) []byte {
	first := byte(p.Kind) << 2
	user := p.User - mcsUserBase
	switch p.Kind {
	case MCSErectDomainRequest:
		return append(b, first, 1, 0, 1, 0)
	case MCSAttachUserRequest:
		return append(b, first)
	case MCSAttachUserConfirm:
		if p.User == 0 { // nobody was let in
			return append(b, first, p.Result<<4)
		}
		return binary.BigEndian.AppendUint16(append(b, first|2, p.Result<<4), user)
	case MCSChannelJoinRequest:
		b = binary.BigEndian.AppendUint16(append(b, first), user)
		return binary.BigEndian.AppendUint16(b, p.Channel)
	case MCSChannelJoinConfirm:
		b = binary.BigEndian.AppendUint16(append(b, first|2, p.Result<<4), user)
		b = binary.BigEndian.AppendUint16(b, p.Channel)
		return binary.BigEndian.AppendUint16(b, p.Channel)
	case MCSSendDataRequest, MCSSendDataIndication:
		b = binary.BigEndian.AppendUint16(append(b, first), user)
		b = binary.BigEndian.AppendUint16(b, p.Channel)
		b = appendPERLength(append(b, mcsDataPriority), len(p.Data))
		return append(b, p.Data...)
	case MCSDisconnectProviderUltimatum:
		return append(b, first|p.Reason>>1&3, p.Reason<<7)
	}
	return b
}

// Decode reads the PDU.
func (p *DomainPDU) Decode(b []byte) error {
	r := wire.NewReader("MCS domain PDU", b)
	first := r.Uint8()
	*p = DomainPDU{Kind: MCS(first >> 2)}
	switch p.Kind {
	case MCSErectDomainRequest:
		// Two heights, of use to nobody: integers, which rdesktop writes as numbers of 16 bits.
		if r.Len() == 4 {
			r.Skip(4)
			break
		}
		r.Skip(perLength(r))
		r.Skip(perLength(r))
	case MCSAttachUserRequest:
	case MCSAttachUserConfirm:
		if p.Result = r.Uint8() >> 4; first&2 != 0 {
			p.User = readUser(r)
		}
	case MCSChannelJoinRequest:
		p.User, p.Channel = readUser(r), r.Uint16BE()
	case MCSChannelJoinConfirm:
		p.Result, p.User, p.Channel = r.Uint8()>>4, readUser(r), r.Uint16BE()
		if first&2 != 0 {
			if got := r.Uint16BE(); r.Err() == nil && p.Result == 0 && got != p.Channel {
				return r.Refuse("channel %d joined, %d requested", got, p.Channel)
			}
		}
	case MCSSendDataRequest, MCSSendDataIndication:
		p.User, p.Channel = readUser(r), r.Uint16BE()
		if seg := r.Uint8(); r.Err() == nil && seg&mcsSegmentation != mcsSegmentation {
			return r.Refuse("segmented data (%#x)", seg)
		}
		p.Data = r.Bytes(perLength(r))
	case MCSDisconnectProviderUltimatum:
		p.Reason = first&3<<1 | r.Uint8()>>7
	default:
		return r.Refuse("kind %d is not known", p.Kind)
	}
	return r.End()
}

// readUser reads a user id.
func readUser(r *wire.Reader) uint16 {
	u := uint32(r.Uint16BE()) + mcsUserBase
	if u > 0xffff {
		_ = r.Refuse("user id %d", u)
		return 0
	}
	return uint16(u)
}

// AppendChannelData appends a whole PDU, TPKT and all, with data that fn appends on a channel: kind is
// MCSSendDataRequest for clients, MCSSendDataIndication for servers.
func AppendChannelData(b []byte, kind MCS, user, channel uint16, fn func(b []byte) []byte) []byte {
	return AppendX224Data(b, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint16(append(b, byte(kind)<<2), user-mcsUserBase)
		b = binary.BigEndian.AppendUint16(b, channel)
		b = append(b, mcsDataPriority, 0, 0) // a length in two bytes, known afterwards
		start := len(b)
		b = fn(b)
		binary.BigEndian.PutUint16(b[start-2:], uint16(len(b)-start)|0x8000)
		return b
	})
}
