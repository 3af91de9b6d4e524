package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// OriginatorServer is the originatorId of a Confirm Active ([MS-RDPBCGR] 2.2.1.13.2.1).
const OriginatorServer = 0x03ea

var sourceDescriptor = []byte("RDP\x00")

// maxSourceDescriptor bounds a source descriptor in bytes: a name for people ([MS-RDPBCGR] 2.2.1.13.1.1).
const maxSourceDescriptor = 1024

// DemandActive is the body of a Demand Active PDU ([MS-RDPBCGR] 2.2.1.13.1.1).
type DemandActive struct {
	ShareID      uint32
	Capabilities []Capability
}

// Append appends the body.
func (d *DemandActive) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, d.ShareID)
	b = appendCapabilities(b, sourceDescriptor, d.Capabilities)
	return binary.LittleEndian.AppendUint32(b, 0) // session id
}

// Decode reads the body.
func (d *DemandActive) Decode(b []byte) error {
	r := wire.NewReader("TS_DEMAND_ACTIVE_PDU", b)
	out := DemandActive{ShareID: r.Uint32()}
	out.Capabilities = readCapabilities(r)
	if r.Err() != nil {
		return r.Err()
	}
	*d = out
	return nil
}

// ConfirmActive is the body of a Confirm Active PDU ([MS-RDPBCGR] 2.2.1.13.2.1).
type ConfirmActive struct {
	ShareID      uint32
	Capabilities []Capability
}

// Append appends the body.
func (c *ConfirmActive) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, c.ShareID)
	b = binary.LittleEndian.AppendUint16(b, OriginatorServer)
	return appendCapabilities(b, sourceDescriptor, c.Capabilities)
}

// Decode reads the body.
func (c *ConfirmActive) Decode(b []byte) error {
	r := wire.NewReader("TS_CONFIRM_ACTIVE_PDU", b)
	out := ConfirmActive{ShareID: r.Uint32()}
	r.Skip(2)
	out.Capabilities = readCapabilities(r)
	if r.Err() != nil {
		return r.Err()
	}
	*c = out
	return nil
}

// appendCapabilities appends the part both PDUs share: the lengths, the source descriptor, the sets.
func appendCapabilities(b, descriptor []byte, sets []Capability) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(descriptor)))
	lengthAt := len(b)
	b = append(append(b, 0, 0), descriptor...)
	start := len(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(sets)))
	b = append(b, 0, 0)
	for _, c := range sets {
		b = AppendCapability(b, c)
	}
	binary.LittleEndian.PutUint16(b[lengthAt:], uint16(len(b)-start))
	return b
}

func readCapabilities(r *wire.Reader) []Capability {
	descriptor := int(r.Uint16())
	if descriptor > maxSourceDescriptor {
		_ = r.Refuse("source descriptor of %d bytes exceeds %d", descriptor, maxSourceDescriptor)
		return nil
	}
	total := int(r.Uint16())
	r.Skip(descriptor)
	if r.Err() == nil && total < 4 {
		_ = r.Refuse("combined capabilities of %d bytes", total)
		return nil
	}
	// Servers are known to count wrong here, so the sets are read by their own lengths, within the PDU.
	n := int(r.Uint16())
	r.Skip(2)
	return decodeCapabilities(r, n)
}
