package rfbenc

import (
	"encoding/binary"
	"math/bits"
)

// fillRow writes pixel px over row, whose length is a multiple of four.
func fillRow(row []byte, px uint32) {
	pair := uint64(px)<<32 | uint64(px)
	for len(row) >= 8 {
		binary.LittleEndian.PutUint64(row, pair)
		row = row[8:]
	}
	if len(row) >= 4 {
		binary.LittleEndian.PutUint32(row, px)
	}
}

// fillRect writes px over w×h pixels whose first byte is pix[0].
func fillRect(pix []byte, stride, w, h int, px uint32) {
	if w == 0 || h == 0 {
		return
	}
	first := pix[:w*bytesPerPixel]
	fillRow(first, px)
	for y := 1; y < h; y++ {
		copy(pix[y*stride:], first)
	}
}

// unpackBGR expands three-byte pixels, blue first, from src into row.
func unpackBGR(row, src []byte) {
	for ; len(row) >= 4 && len(src) >= 4; row, src = row[4:], src[3:] {
		binary.LittleEndian.PutUint32(row, binary.LittleEndian.Uint32(src)&0xffffff)
	}
	if len(row) >= 4 && len(src) >= 3 {
		row[0], row[1], row[2], row[3] = src[0], src[1], src[2], 0
	}
}

// unpackRGB expands three-byte pixels, red first, from src into row. Four at a time take half the instructions: the compiler stores
// the zero byte of a single one by itself.
func unpackRGB(row, src []byte) {
	for len(row) >= 16 && len(src) >= 14 {
		a, b := bits.ReverseBytes64(binary.LittleEndian.Uint64(src)), bits.ReverseBytes64(binary.LittleEndian.Uint64(src[6:]))
		binary.LittleEndian.PutUint64(row, a>>40|(a>>16&0xffffff)<<32)
		binary.LittleEndian.PutUint64(row[8:], b>>40|(b>>16&0xffffff)<<32)
		row, src = row[16:], src[12:]
	}
	for ; len(row) >= 4 && len(src) >= 4; row, src = row[4:], src[3:] {
		binary.LittleEndian.PutUint32(row, binary.BigEndian.Uint32(src)>>8)
	}
	if len(row) >= 4 && len(src) >= 3 {
		row[0], row[1], row[2], row[3] = src[2], src[1], src[0], 0
	}
}

// grow returns b with length n, reusing its storage where that is large enough. The content is undefined.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
