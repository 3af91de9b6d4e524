package dvc

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// The flags of a SoftSyncRequest.
const (
	SoftSyncTCPFlushed         = 0x01
	SoftSyncChannelListPresent = 0x02
)

// The types of tunnel.
const (
	TunnelUDPReliable = 1 // TUNNELTYPE_UDPFECR
	TunnelUDPLossy    = 3 // TUNNELTYPE_UDPFECL
)

// SoftSyncRequest is DYNVC_SOFT_SYNC_REQUEST ([MS-RDPEDYC] 2.2.5.1): from now on the server uses tunnels for some
// channels. A peer that did not announce multitransport never sees one.
type SoftSyncRequest struct {
	Flags uint16
	Lists []SoftSyncChannelList
}

// SoftSyncChannelList is DYNVC_SOFT_SYNC_CHANNEL_LIST ([MS-RDPEDYC] 2.2.5.1.1).
type SoftSyncChannelList struct {
	TunnelType uint32
	ChannelIDs []uint32
}

// Append appends the PDU.
func (p *SoftSyncRequest) Append(b []byte) []byte {
	b = append(b, byte(CmdSoftSyncRequest)<<4, 0)
	lengthAt := len(b)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint16(b, p.Flags)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Lists)))
	for _, list := range p.Lists {
		b = binary.LittleEndian.AppendUint32(b, list.TunnelType)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(list.ChannelIDs)))
		for _, id := range list.ChannelIDs {
			b = binary.LittleEndian.AppendUint32(b, id)
		}
	}
	binary.LittleEndian.PutUint32(b[lengthAt:], uint32(len(b)-lengthAt))
	return b
}

// Decode reads the PDU.
func (p *SoftSyncRequest) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_SOFT_SYNC_REQUEST", b)
	_, _ = readFirst(r, CmdSoftSyncRequest)
	r.Skip(1)
	if length := r.Uint32(); r.Err() == nil && uint64(length) != uint64(r.Len())+4 {
		return r.Refuse("Length %d, but %d bytes", length, r.Len()+4)
	}
	d := SoftSyncRequest{Flags: r.Uint16()}
	tunnels := r.Uint16()
	if tunnels > maxTunnels {
		return r.Refuse("NumberOfTunnels %d exceeds %d", tunnels, maxTunnels)
	}
	for range tunnels {
		list := SoftSyncChannelList{TunnelType: r.Uint32()}
		count := int(r.Uint16())
		if count > maxSoftSyncChannels || 4*count > r.Len() {
			return r.Refuse("NumberOfDVCs %d, with %d bytes left and a cap of %d", count, r.Len(), maxSoftSyncChannels)
		}
		list.ChannelIDs = readUint32s(r, count)
		d.Lists = append(d.Lists, list)
	}
	if err := r.End(); err != nil {
		return err
	}
	*p = d
	return nil
}

// SoftSyncResponse is DYNVC_SOFT_SYNC_RESPONSE ([MS-RDPEDYC] 2.2.5.2).
type SoftSyncResponse struct {
	TunnelTypes []uint32
}

// Append appends the PDU.
func (p *SoftSyncResponse) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, byte(CmdSoftSyncResponse)<<4, 0), uint32(len(p.TunnelTypes)))
	for _, tunnel := range p.TunnelTypes {
		b = binary.LittleEndian.AppendUint32(b, tunnel)
	}
	return b
}

// Decode reads the PDU.
func (p *SoftSyncResponse) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_SOFT_SYNC_RESPONSE", b)
	_, _ = readFirst(r, CmdSoftSyncResponse)
	r.Skip(1)
	count := r.Uint32()
	if count > maxTunnels {
		return r.Refuse("NumberOfTunnels %d exceeds %d", count, maxTunnels)
	}
	tunnels := readUint32s(r, int(count))
	if err := r.End(); err != nil {
		return err
	}
	p.TunnelTypes = tunnels
	return nil
}

// readUint32s reads count numbers; the caller has capped count.
func readUint32s(r *wire.Reader, count int) []uint32 {
	if count == 0 || r.Err() != nil {
		return nil
	}
	out := make([]uint32, count)
	for i := range out {
		out[i] = r.Uint32()
	}
	return out
}
