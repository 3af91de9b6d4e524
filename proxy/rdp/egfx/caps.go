package egfx

import (
	"encoding/binary"
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// CapVersion is the version of a capability set ([MS-RDPEGFX] 2.2.1.6).
type CapVersion uint32

// The values of CapVersion.
const (
	CapVersion8   CapVersion = 0x00080004
	CapVersion81  CapVersion = 0x00080105
	CapVersion10  CapVersion = 0x000a0002
	CapVersion101 CapVersion = 0x000a0100
	CapVersion102 CapVersion = 0x000a0200
	CapVersion103 CapVersion = 0x000a0301
	CapVersion104 CapVersion = 0x000a0400
	CapVersion105 CapVersion = 0x000a0502
	CapVersion106 CapVersion = 0x000a0600
	CapVersion107 CapVersion = 0x000a0701
)

// String returns the version as people write it: 8.0, 8.1, 10.0 to 10.7.
func (v CapVersion) String() string { return fmt.Sprintf("%d.%d", v>>16, v>>8&0xff) }

// The flags of capability sets ([MS-RDPEGFX] 2.2.3). Which of them exist depends on the version.
const (
	CapThinClient        = 0x00000001 // 8.0, 8.1: RemoteFX in place of RemoteFX Progressive, a cache of 16 MB
	CapSmallCache        = 0x00000002 // not 10.3, which implies it: a cache of 16 MB, not 100
	CapAVC420Enabled     = 0x00000010 // 8.1
	CapAVCDisabled       = 0x00000020 // 10.0 and 10.2 on
	CapAVCThinClient     = 0x00000040 // 10.3 on
	CapScaledMapDisabled = 0x00000080 // 10.7
)

// CapSet is RDPGFX_CAPSET ([MS-RDPEGFX] 2.2.1.6).
type CapSet struct {
	Version CapVersion
	Data    []byte // four bytes of flags, or 16 zeros in version 10.1
}

// NewCapSet returns a set with flags. Version 10.1 has none.
func NewCapSet(version CapVersion, flags uint32) CapSet {
	if version == CapVersion101 {
		return CapSet{Version: version, Data: make([]byte, 16)}
	}
	return CapSet{Version: version, Data: binary.LittleEndian.AppendUint32(nil, flags)}
}

// Flags returns the set's flags: none for one without.
func (c CapSet) Flags() uint32 {
	if c.Version == CapVersion101 || len(c.Data) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(c.Data)
}

// SmallCache tells whether the bitmap cache has 16 MB and 4,096 slots instead of 100 MB and 25,600, once the server has
// confirmed the set ([MS-RDPEGFX] 3.3.1.4).
func (c CapSet) SmallCache() bool {
	return c.Version == CapVersion103 || c.Flags()&(CapThinClient|CapSmallCache) != 0
}

// ClientCaps returns the sets of a client that decodes everything but H.264:
//
//   - AVC is not enabled (8.1) and disabled (10.0 on). 10.1 is left out, because it has no flag to say so.
//   - The cache is small: a gateway holds one for each of its sessions, and the server is near.
//   - THINCLIENT is not set: RemoteFX would come in place of Progressive, which is sharp in the end and costs less.
//   - Scaled mapping is disabled where it can be (10.7), so that the picture stays the target's own.
func ClientCaps() []CapSet {
	const flags10 = CapSmallCache | CapAVCDisabled
	return []CapSet{
		NewCapSet(CapVersion8, CapSmallCache),
		NewCapSet(CapVersion81, CapSmallCache),
		NewCapSet(CapVersion10, flags10),
		NewCapSet(CapVersion102, flags10),
		NewCapSet(CapVersion103, CapAVCDisabled),
		NewCapSet(CapVersion104, flags10),
		NewCapSet(CapVersion105, flags10),
		NewCapSet(CapVersion106, flags10),
		NewCapSet(CapVersion107, flags10|CapScaledMapDisabled),
	}
}

func (c CapSet) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Version))
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(c.Data))), c.Data...)
}

func readCapSet(r *wire.Reader) CapSet {
	set := CapSet{Version: CapVersion(r.Uint32())}
	n := r.Uint32()
	if n > maxCapSetBytes {
		_ = r.Refuse("capsDataLength %d exceeds %d", n, maxCapSetBytes)
	}
	set.Data = r.Bytes(int(n))
	return set
}

// CapsAdvertise is RDPGFX_CAPS_ADVERTISE_PDU ([MS-RDPEGFX] 2.2.2.18), the client's first message.
type CapsAdvertise struct {
	Sets []CapSet
}

// Command returns CmdCapsAdvertise.
func (*CapsAdvertise) Command() Command { return CmdCapsAdvertise }

// Append appends the message.
func (m *CapsAdvertise) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(m.Sets)))
		for _, set := range m.Sets {
			b = set.append(b)
		}
		return b
	})
}

// Decode reads the message's body.
func (m *CapsAdvertise) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_CAPS_ADVERTISE_PDU", body)
	count := int(r.Uint16())
	if count > maxCapSets || 8*count > r.Len() {
		return r.Refuse("capsSetCount %d, with %d bytes left and a cap of %d", count, r.Len(), maxCapSets)
	}
	m.Sets = m.Sets[:0]
	for range count {
		m.Sets = append(m.Sets, readCapSet(r))
	}
	return r.End()
}

// CapsConfirm is RDPGFX_CAPS_CONFIRM_PDU ([MS-RDPEGFX] 2.2.2.19): the set the server has chosen.
type CapsConfirm struct {
	Set CapSet
}

// Command returns CmdCapsConfirm.
func (*CapsConfirm) Command() Command { return CmdCapsConfirm }

// Append appends the message.
func (m *CapsConfirm) Append(b []byte) []byte { return appendMessage(b, m.Command(), m.Set.append) }

// Decode reads the message's body.
func (m *CapsConfirm) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_CAPS_CONFIRM_PDU", body)
	m.Set = readCapSet(r)
	return r.End()
}
