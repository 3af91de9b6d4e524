package ocr

import "encoding/binary"

// Of TIFF 6.0: what a grey page needs, in the order of the numbers.
const (
	tagWidth, tagLength    = 256, 257
	tagBits, tagCompress   = 258, 259
	tagPhotometric         = 262
	tagStrips, tagSamples  = 273, 277
	tagRows, tagStripBytes = 278, 279
	entries                = 9
	typeShort, typeLong    = 3, 4
	uncompressed           = 1
	blackIsZero            = 1
)

// tiffOf writes pages as one file, uncompressed.
func tiffOf(pages []page) []byte {
	const directory = 2 + 12*entries + 4
	size := 8
	for _, p := range pages {
		size += directory + len(p.grey) + len(p.grey)%2
	}
	out := append(make([]byte, 0, size), 'I', 'I', 42, 0)
	order := binary.LittleEndian
	out = order.AppendUint32(out, 8)
	for i, p := range pages {
		pixels := len(out) + directory
		next := 0
		if i < len(pages)-1 {
			next = pixels + len(p.grey) + len(p.grey)%2 // directories begin at even places
		}
		out = order.AppendUint16(out, entries)
		for _, e := range [entries][3]int{
			{tagWidth, typeLong, p.width},
			{tagLength, typeLong, p.height},
			{tagBits, typeShort, 8},
			{tagCompress, typeShort, uncompressed},
			{tagPhotometric, typeShort, blackIsZero},
			{tagStrips, typeLong, pixels},
			{tagSamples, typeShort, 1},
			{tagRows, typeLong, p.height},
			{tagStripBytes, typeLong, len(p.grey)},
		} {
			out = order.AppendUint16(out, uint16(e[0]))
			out = order.AppendUint16(out, uint16(e[1]))
			out = order.AppendUint32(out, 1)
			out = order.AppendUint32(out, uint32(e[2])) // a short is in the first half
		}
		out = order.AppendUint32(out, uint32(next))
		out = append(out, p.grey...)
		if len(p.grey)%2 == 1 {
			out = append(out, 0)
		}
	}
	return out
}
