package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ShareKind is the type of a share control PDU ([MS-RDPBCGR] 2.2.8.1.1.1.1).
type ShareKind uint8

// The share control PDUs.
const (
	ShareDemandActive  ShareKind = 1
	ShareConfirmActive ShareKind = 3
	ShareDeactivateAll ShareKind = 6
	ShareData          ShareKind = 7
	ShareRedirection   ShareKind = 10
)

// version is PDUVersion, as a part of pduType: zero for redirections ([MS-RDPBCGR] 2.2.13.3.1).
func (k ShareKind) version() uint16 {
	if k == ShareRedirection {
		return 0
	}
	return shareVersion
}

const (
	shareVersion     = 0x10
	shareHeader      = 6
	flowMarker       = 0x8000
	deactivateNoBody = 4 // of some servers: no source, no body
)

// AppendShareControl appends a share control PDU whose body fn appends.
func AppendShareControl(b []byte, kind ShareKind, source uint16, fn func(b []byte) []byte) []byte {
	start := len(b)
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(kind)|kind.version())
	b = fn(binary.LittleEndian.AppendUint16(b, source))
	binary.LittleEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

// SharePDU is a share control PDU.
type SharePDU struct {
	Kind   ShareKind
	Source uint16
	Body   []byte
}

// DecodeShareControl reads the first share control PDU of b and returns what follows it: servers put several into one MCS
// PDU. Flow PDUs ([T.128] 8.5) are passed over; ok is unset when there was nothing else.
func DecodeShareControl(b []byte) (p SharePDU, rest []byte, ok bool, err error) {
	r := wire.NewReader("TS_SHARECONTROLHEADER", b)
	for r.Len() > 0 {
		total := int(r.Uint16())
		if total == flowMarker {
			r.Skip(6)
			continue
		}
		kind := r.Uint16()
		p.Kind = ShareKind(kind & 0x0f)
		version := kind & 0xf0
		known := version == shareVersion || version == p.Kind.version()
		if r.Err() == nil && (total < shareHeader && total != deactivateNoBody || !known) {
			return p, nil, false, r.Refuse("length %d, type %#x", total, kind)
		}
		if total > deactivateNoBody {
			p.Source = r.Uint16()
			p.Body = r.Bytes(total - shareHeader)
		}
		rest = r.Rest()
		return p, rest, r.Err() == nil, r.Err()
	}
	return p, nil, false, r.Err()
}

// DataKind is the type of a share data PDU ([MS-RDPBCGR] 2.2.8.1.1.1.2).
type DataKind uint8

// The share data PDUs.
const (
	DataUpdate            DataKind = 0x02
	DataControl           DataKind = 0x14
	DataPointer           DataKind = 0x1b
	DataInput             DataKind = 0x1c
	DataSynchronize       DataKind = 0x1f
	DataRefreshRect       DataKind = 0x21
	DataPlaySound         DataKind = 0x22
	DataSuppressOutput    DataKind = 0x23
	DataShutdownRequest   DataKind = 0x24
	DataShutdownDenied    DataKind = 0x25
	DataSaveSessionInfo   DataKind = 0x26
	DataFontList          DataKind = 0x27
	DataFontMap           DataKind = 0x28
	DataKeyboardIndicator DataKind = 0x29
	DataKeyboardIME       DataKind = 0x2d
	DataSetErrorInfo      DataKind = 0x2f
	DataAutoReconnectFail DataKind = 0x32
	DataStatusInfo        DataKind = 0x36
	DataMonitorLayout     DataKind = 0x37
	DataFrameAcknowledge  DataKind = 0x38
)

const (
	shareDataHeader = 12
	streamLow       = 1
	packetCompress  = 0x20 // PACKET_COMPRESSED
)

// AppendShareData appends a share data PDU in its share control PDU; fn appends the body.
func AppendShareData(b []byte, kind DataKind, source uint16, shareID uint32, fn func(b []byte) []byte) []byte {
	return AppendShareControl(b, ShareData, source, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, shareID)
		b = append(b, 0, streamLow)
		lengthAt := len(b)
		b = append(b, 0, 0, byte(kind), 0, 0, 0)
		b = fn(b)
		// The length counts from the share control header on ([MS-RDPBCGR] 2.2.8.1.1.1.2).
		binary.LittleEndian.PutUint16(b[lengthAt:], uint16(len(b)-lengthAt+shareHeader+6))
		return b
	})
}

// DataPDU is the body of a share data PDU.
type DataPDU struct {
	Kind    DataKind
	ShareID uint32
	Body    []byte
}

// Decode reads a share data header, as the body of a share control PDU. Compressed bodies are refused: that is never
// offered.
func (p *DataPDU) Decode(b []byte) error {
	r := wire.NewReader("TS_SHAREDATAHEADER", b)
	p.ShareID = r.Uint32()
	r.Skip(4)
	p.Kind = DataKind(r.Uint8())
	compressed := r.Uint8()
	r.Skip(2)
	if r.Err() == nil && compressed&packetCompress != 0 {
		return r.Refuse("compressed (%#x), which was not offered", compressed)
	}
	p.Body = r.Rest()
	return r.Err()
}
