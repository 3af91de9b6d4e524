package ntlm

import (
	"encoding/binary"
	"slices"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// AvId ([MS-NLMP] 2.2.2.1).
const (
	avEOL             = 0x0000
	avNbComputerName  = 0x0001
	avNbDomainName    = 0x0002
	avDNSComputerName = 0x0003
	avDNSDomainName   = 0x0004
	avFlags           = 0x0006
	avTimestamp       = 0x0007
	avTargetName      = 0x0009
	avChannelBindings = 0x000a
)

// avFlagMIC in MsvAvFlags says that the AUTHENTICATE_MESSAGE has a MIC.
const avFlagMIC = 0x00000002

// AVPair is AV_PAIR ([MS-NLMP] 2.2.2.1).
type AVPair struct {
	ID    uint16
	Value []byte
}

// AVPairs is a target information, without its MsvAvEOL.
type AVPairs []AVPair

// DecodeAVPairs decodes a list up to its MsvAvEOL, which must be there; what follows is passed over. Values alias b.
func DecodeAVPairs(b []byte) (AVPairs, error) {
	r := wire.NewReader("AV_PAIR", b)
	var pairs AVPairs
	for {
		id, n := r.Uint16(), int(r.Uint16())
		value := r.Bytes(n)
		if r.Err() != nil || id == avEOL {
			return pairs, r.Err()
		}
		if len(pairs) == maxAVPairs {
			return nil, r.Refuse("more than %d pairs", maxAVPairs)
		}
		pairs = append(pairs, AVPair{id, value})
	}
}

// Append appends the list and MsvAvEOL.
func (p AVPairs) Append(b []byte) []byte {
	for _, pair := range p {
		b = binary.LittleEndian.AppendUint16(b, pair.ID)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(pair.Value)))
		b = append(b, pair.Value...)
	}
	return append(b, 0, 0, 0, 0)
}

// get returns the value of the first pair with this id and n bytes, or nil.
func (p AVPairs) get(id uint16, n int) []byte {
	for _, pair := range p {
		if pair.ID == id && len(pair.Value) == n {
			return pair.Value
		}
	}
	return nil
}

// flags returns MsvAvFlags.
func (p AVPairs) flags() uint32 {
	if v := p.get(avFlags, 4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// with returns the list with one pair set; p is left as it is.
func (p AVPairs) with(id uint16, value []byte) AVPairs {
	set := slices.DeleteFunc(slices.Clone(p), func(pair AVPair) bool { return pair.ID == id })
	return append(set, AVPair{id, value})
}
