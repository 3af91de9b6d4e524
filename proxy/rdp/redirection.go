package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Flags of a redirection packet: the fields present, and what to do ([MS-RDPBCGR] 2.2.13.1).
const (
	RedirectTargetNetAddress   = 0x00000001
	RedirectLoadBalanceInfo    = 0x00000002
	RedirectUsername           = 0x00000004
	RedirectDomain             = 0x00000008
	RedirectPassword           = 0x00000010
	RedirectDontStoreUsername  = 0x00000020
	RedirectSmartcardLogon     = 0x00000040
	RedirectNoRedirect         = 0x00000080 // information only: stay here
	RedirectTargetFQDN         = 0x00000100
	RedirectTargetNetBIOSName  = 0x00000200
	RedirectTargetNetAddresses = 0x00000800
	RedirectClientTsvURL       = 0x00001000
	RedirectServerTsvCapable   = 0x00002000
	RedirectPasswordEncrypted  = 0x00004000
	RedirectGUID               = 0x00008000
	RedirectTargetCertificate  = 0x00010000
)

const redirectionFlags = 0x0400 // SEC_REDIRECTION_PKT, at the packet's start

// Redirection is RDP_SERVER_REDIRECTION_PACKET ([MS-RDPBCGR] 2.2.13.1): connect there instead. It may hold a password.
type Redirection struct {
	SessionID        uint32
	Flags            uint32
	TargetNetAddress string
	LoadBalanceInfo  []byte
	Username, Domain string
	Password         []byte // as the server wants it back: a cookie, or UTF-16
	TargetFQDN       string
	TargetNetBIOS    string
	TsvURL           []byte
	GUID             []byte
	Certificate      []byte
}

// fields returns the variable fields in the order of the wire.
func (p *Redirection) fields() []redirectField {
	return []redirectField{
		{RedirectTargetNetAddress, &p.TargetNetAddress, nil},
		{RedirectLoadBalanceInfo, nil, &p.LoadBalanceInfo},
		{RedirectUsername, &p.Username, nil},
		{RedirectDomain, &p.Domain, nil},
		{RedirectPassword, nil, &p.Password},
		{RedirectTargetFQDN, &p.TargetFQDN, nil},
		{RedirectTargetNetBIOSName, &p.TargetNetBIOS, nil},
		{RedirectClientTsvURL, nil, &p.TsvURL},
		{RedirectGUID, nil, &p.GUID},
		{RedirectTargetCertificate, nil, &p.Certificate},
	}
}

type redirectField struct {
	flag uint32
	text *string
	raw  *[]byte
}

// Append appends the packet, without what it is wrapped in.
func (p *Redirection) Append(b []byte) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = le.AppendUint32(b, redirectionFlags)
	b = le.AppendUint32(b, p.SessionID)
	b = le.AppendUint32(b, p.Flags)
	for _, f := range p.fields() {
		switch {
		case p.Flags&f.flag == 0:
		case f.text != nil:
			b = le.AppendUint32(b, uint32(wire.UTF16Bytes(*f.text)+2))
			b = append(wire.AppendUTF16(b, *f.text), 0, 0)
		default:
			b = append(le.AppendUint32(b, uint32(len(*f.raw))), *f.raw...)
		}
	}
	le.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// Decode reads the packet. Addresses beyond the first are passed over.
func (p *Redirection) Decode(b []byte) error {
	r := wire.NewReader("RDP_SERVER_REDIRECTION_PACKET", b)
	flags, _ := r.Uint16(), r.Uint16()
	if r.Err() == nil && flags != redirectionFlags {
		return r.Refuse("flags %#x, want %#x", flags, redirectionFlags)
	}
	out := Redirection{SessionID: r.Uint32(), Flags: r.Uint32()}
	for _, f := range out.fields() {
		if out.Flags&f.flag == 0 {
			continue
		}
		n := r.Uint32()
		if n > maxRedirectField {
			return r.Refuse("field %#x of %d bytes exceeds %d", f.flag, n, maxRedirectField)
		}
		raw := r.Bytes(int(n))
		if f.text != nil {
			*f.text = wire.UTF16(raw)
		} else {
			*f.raw = raw
		}
	}
	if r.Err() != nil {
		return r.Err()
	}
	out.Flags &^= RedirectTargetNetAddresses
	*p = out
	return nil
}
