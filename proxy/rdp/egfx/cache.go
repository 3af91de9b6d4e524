package egfx

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// SurfaceToCache is RDPGFX_SURFACE_TO_CACHE_PDU ([MS-RDPEGFX] 2.2.2.6).
type SurfaceToCache struct {
	SurfaceID uint16
	Key       uint64
	Slot      uint16 // from 1
	Rect      Rect16
}

// Command returns CmdSurfaceToCache.
func (*SurfaceToCache) Command() Command { return CmdSurfaceToCache }

// Append appends the message.
func (m *SurfaceToCache) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, m.SurfaceID)
		b = binary.LittleEndian.AppendUint64(b, m.Key)
		return m.Rect.append(binary.LittleEndian.AppendUint16(b, m.Slot))
	})
}

// Decode reads the message's body.
func (m *SurfaceToCache) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_SURFACE_TO_CACHE_PDU", body)
	m.SurfaceID, m.Key, m.Slot = r.Uint16(), r.Uint64(), r.Uint16()
	m.Rect = readRect(r)
	return r.End()
}

// CacheToSurface is RDPGFX_CACHE_TO_SURFACE_PDU ([MS-RDPEGFX] 2.2.2.7).
type CacheToSurface struct {
	Slot      uint16
	SurfaceID uint16
	Points    []Point16
}

// Command returns CmdCacheToSurface.
func (*CacheToSurface) Command() Command { return CmdCacheToSurface }

// Append appends the message.
func (m *CacheToSurface) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, m.Slot)
		return appendPoints(binary.LittleEndian.AppendUint16(b, m.SurfaceID), m.Points)
	})
}

// Decode reads the message's body.
func (m *CacheToSurface) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_CACHE_TO_SURFACE_PDU", body)
	m.Slot, m.SurfaceID = r.Uint16(), r.Uint16()
	m.Points = readPoints(r, m.Points, int(r.Uint16()))
	return r.End()
}

// EvictCacheEntry is RDPGFX_EVICT_CACHE_ENTRY_PDU ([MS-RDPEGFX] 2.2.2.8).
type EvictCacheEntry struct {
	Slot uint16
}

// Command returns CmdEvictCacheEntry.
func (*EvictCacheEntry) Command() Command { return CmdEvictCacheEntry }

// Append appends the message.
func (m *EvictCacheEntry) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte { return binary.LittleEndian.AppendUint16(b, m.Slot) })
}

// Decode reads the message's body.
func (m *EvictCacheEntry) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_EVICT_CACHE_ENTRY_PDU", body)
	m.Slot = r.Uint16()
	return r.End()
}

// CacheImportOffer is RDPGFX_CACHE_IMPORT_OFFER_PDU ([MS-RDPEGFX] 2.2.2.16): what a client kept from another session.
type CacheImportOffer struct {
	Entries []CacheEntry
}

// CacheEntry is RDPGFX_CACHE_ENTRY_METADATA ([MS-RDPEGFX] 2.2.2.16.1).
type CacheEntry struct {
	Key   uint64
	Bytes uint32
}

// Command returns CmdCacheImportOffer.
func (*CacheImportOffer) Command() Command { return CmdCacheImportOffer }

// Append appends the message.
func (m *CacheImportOffer) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(m.Entries)))
		for _, e := range m.Entries {
			b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(b, e.Key), e.Bytes)
		}
		return b
	})
}

// Decode reads the message's body.
func (m *CacheImportOffer) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_CACHE_IMPORT_OFFER_PDU", body)
	count := int(r.Uint16())
	if count > maxCacheEntries || 12*count > r.Len() {
		return r.Refuse("cacheEntriesCount %d, with %d bytes left and a cap of %d", count, r.Len(), maxCacheEntries)
	}
	m.Entries = m.Entries[:0]
	for range count {
		m.Entries = append(m.Entries, CacheEntry{Key: r.Uint64(), Bytes: r.Uint32()})
	}
	return r.End()
}

// CacheImportReply is RDPGFX_CACHE_IMPORT_REPLY_PDU ([MS-RDPEGFX] 2.2.2.17): the slots of the first entries offered.
type CacheImportReply struct {
	Slots []uint16
}

// Command returns CmdCacheImportReply.
func (*CacheImportReply) Command() Command { return CmdCacheImportReply }

// Append appends the message.
func (m *CacheImportReply) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(m.Slots)))
		for _, slot := range m.Slots {
			b = binary.LittleEndian.AppendUint16(b, slot)
		}
		return b
	})
}

// Decode reads the message's body.
func (m *CacheImportReply) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_CACHE_IMPORT_REPLY_PDU", body)
	count := int(r.Uint16())
	if count > maxCacheEntries || 2*count > r.Len() {
		return r.Refuse("importedEntriesCount %d, with %d bytes left and a cap of %d", count, r.Len(), maxCacheEntries)
	}
	m.Slots = m.Slots[:0]
	for range count {
		m.Slots = append(m.Slots, r.Uint16())
	}
	return r.End()
}
