// Package zgfx undoes RDP 8.0 bulk compression ([MS-RDPEGFX] 2.2.5, 3.1.9.1), in which a server wraps every message of
// the graphics channel, and wraps messages without compressing them, which every client must accept.
//
// # Format
//
// A message is RDP_SEGMENTED_DATA: one segment to the end, or a list of them with the size of what comes out.
//
//	E0  segment                                                          single
//	E1  segmentCount:2  uncompressedSize:4  (size:4 segment){segmentCount}  multipart
//
// A segment is RDP8_BULK_ENCODED_DATA: a header byte and then plain bytes, or, with PACKET_COMPRESSED, a bit string, most
// significant bit first, whose last byte counts the unused bits of the one before. The string is made of literals,
// matches (distance and length) in a history of 2,500,000 bytes that lives as long as the channel, and runs of plain
// bytes, each behind a prefix code of at most nine bits.
//
// Nothing here does I/O or starts a goroutine.
package zgfx

import (
	"errors"
	"fmt"
)

// ErrData is wrapped by every error about data that the format forbids or a cap refuses.
var ErrData = errors.New("malformed bulk data")

// dataError returns an error that wraps ErrData.
func dataError(format string, args ...any) error {
	return fmt.Errorf("zgfx: "+format+": %w", append(args, ErrData)...)
}

// The descriptors of RDP_SEGMENTED_DATA ([MS-RDPEGFX] 2.2.5.1) and the header bits of RDP8_BULK_ENCODED_DATA (2.2.5.3).
const (
	segmentedSingle    = 0xE0
	segmentedMultipart = 0xE1

	compressionTypeMask = 0x0F
	compressionTypeRDP8 = 0x04
	packetCompressed    = 0x20

	descriptorBytes      = 1
	multipartHeaderBytes = 2 + 4 // segmentCount, uncompressedSize
	segmentSizeBytes     = 4
	segmentHeaderBytes   = 1
)
