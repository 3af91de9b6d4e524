package dvc

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// The versions of the protocol.
const (
	Version1 = 1 // without priorities
	Version2 = 2
	Version3 = 3 // with compressed data
)

// CapsRequest is the server's DYNVC_CAPS_VERSION1, 2 or 3 ([MS-RDPEDYC] 2.2.1.1).
type CapsRequest struct {
	Version uint16
	// PriorityCharge tells the bandwidth of each priority class; version 1 has none.
	PriorityCharge [4]uint16
}

// Append appends the PDU.
func (p *CapsRequest) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, byte(CmdCaps)<<4, 0), p.Version)
	if p.Version >= Version2 {
		for _, charge := range p.PriorityCharge {
			b = binary.LittleEndian.AppendUint16(b, charge)
		}
	}
	return b
}

// Decode reads the PDU. Versions above 3 are accepted as they would be if they only added to it.
func (p *CapsRequest) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_CAPS_VERSION", b)
	_, _ = readFirst(r, CmdCaps) // Windows leaves Sp to chance
	r.Skip(1)                    // Pad
	d := CapsRequest{Version: r.Uint16()}
	if r.Err() == nil && d.Version == 0 {
		return r.Refuse("Version is 0")
	}
	if d.Version >= Version2 {
		for i := range d.PriorityCharge {
			d.PriorityCharge[i] = r.Uint16()
		}
	}
	if d.Version > Version3 {
		r.Rest()
	}
	if err := r.End(); err != nil {
		return err
	}
	*p = d
	return nil
}

// CapsResponse is DYNVC_CAPS_RSP ([MS-RDPEDYC] 2.2.1.2).
type CapsResponse struct {
	Version uint16
}

// Append appends the PDU.
func (p *CapsResponse) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(append(b, byte(CmdCaps)<<4, 0), p.Version)
}

// Decode reads the PDU.
func (p *CapsResponse) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_CAPS_RSP", b)
	_, _ = readFirst(r, CmdCaps)
	r.Skip(1)
	version := r.Uint16()
	if r.Err() == nil && (version < Version1 || version > Version3) {
		return r.Refuse("Version is %d, not 1 to 3", version)
	}
	if err := r.End(); err != nil {
		return err
	}
	p.Version = version
	return nil
}
