package zgfx

import "encoding/binary"

// AppendUncompressed appends data wrapped as a message of plain segments ([MS-RDPEGFX] 2.2.5.1). It panics when data
// exceeds MaxMessageBytes, which no message of ours does.
func AppendUncompressed(b, data []byte) []byte {
	if len(data) > MaxMessageBytes {
		panic("zgfx: message too long")
	}
	if len(data) <= plainSegmentBytes {
		return append(append(b, segmentedSingle, compressionTypeRDP8), data...)
	}
	count := (len(data) + plainSegmentBytes - 1) / plainSegmentBytes
	b = binary.LittleEndian.AppendUint16(append(b, segmentedMultipart), uint16(count))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	for len(data) > 0 {
		n := min(len(data), plainSegmentBytes)
		b = binary.LittleEndian.AppendUint32(b, uint32(segmentHeaderBytes+n))
		b = append(append(b, compressionTypeRDP8), data[:n]...)
		data = data[n:]
	}
	return b
}
