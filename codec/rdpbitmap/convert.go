package rdpbitmap

import "encoding/binary"

// expand15 turns 5 bits each of red, green and blue into BGRX with 8. It is linear over single bits, so that
// expand15(a^b) is expand15(a)^expand15(b): what Interleaved relies on.
func expand15(v uint32) uint32 {
	x := v&0x1F<<3 | v&0x3E0<<6 | v&0x7C00<<9
	return x | x>>5&0x070707
}

// expand16 does the same for 5, 6 and 5 bits.
func expand16(v uint32) uint32 {
	x := v&0x1F<<3 | v&0x7E0<<5 | v&0xF800<<8
	return x | x>>5&0x070007 | x>>6&0x000300
}

// toBGRX fills dst with pixels from src, which has enough for all. Pixels of 8 bits become the index in the
// place of blue.
func toBGRX(dst, src []byte, bitsPerPixel int) {
	n := len(dst) / bytesPerPixel
	switch bitsPerPixel {
	case 8:
		src = src[:n]
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[i*4:], uint32(v))
		}
	case 15:
		for len(dst) >= 8 && len(src) >= 4 {
			v := binary.LittleEndian.Uint32(src)
			w := uint64(expand15(v&0xFFFF)) | uint64(expand15(v>>16))<<32
			binary.LittleEndian.PutUint64(dst, w)
			dst, src = dst[8:], src[4:]
		}
		if len(dst) >= 4 {
			binary.LittleEndian.PutUint32(dst, expand15(uint32(binary.LittleEndian.Uint16(src))))
		}
	case 16:
		for len(dst) >= 8 && len(src) >= 4 {
			v := binary.LittleEndian.Uint32(src)
			w := uint64(expand16(v&0xFFFF)) | uint64(expand16(v>>16))<<32
			binary.LittleEndian.PutUint64(dst, w)
			dst, src = dst[8:], src[4:]
		}
		if len(dst) >= 4 {
			binary.LittleEndian.PutUint32(dst, expand16(uint32(binary.LittleEndian.Uint16(src))))
		}
	case 24:
		for len(dst) >= 8 && len(src) >= 8 { // two pixels in six bytes, read as eight
			v := binary.LittleEndian.Uint64(src)
			binary.LittleEndian.PutUint64(dst, v&0xFFFFFF|v<<8&(0xFFFFFF<<32))
			dst, src = dst[8:], src[6:]
		}
		for len(dst) >= 4 && len(src) >= 3 {
			binary.LittleEndian.PutUint32(dst, uint32(src[0])|uint32(src[1])<<8|uint32(src[2])<<16)
			dst, src = dst[4:], src[3:]
		}
	case 32:
		copy(dst, src)
	}
}

// look replaces the indices that toBGRX left by their colours.
func (p *Palette) look(row []byte) {
	for ; len(row) >= 4; row = row[4:] {
		*(*[4]byte)(row) = p[row[0]]
	}
}

// fill sets all of p, whole pixels, to v.
func fill(p []byte, v uint32) {
	w := uint64(v) | uint64(v)<<32
	if len(p) <= 128 {
		for ; len(p) >= 8; p = p[8:] {
			binary.LittleEndian.PutUint64(p, w)
		}
		if len(p) >= 4 {
			binary.LittleEndian.PutUint32(p, v)
		}
		return
	}
	const seed = 64
	for i := 0; i < seed; i += 8 {
		binary.LittleEndian.PutUint64(p[i:], w)
	}
	repeat(p, seed)
}

// repeat fills p with its own first n bytes, doubling what it copies.
func repeat(p []byte, n int) {
	for n < len(p) {
		n += copy(p[n:], p[:n])
	}
}

// xor sets dst to above with v applied to every pixel.
func xor(dst, above []byte, v uint32) {
	w := uint64(v) | uint64(v)<<32
	for len(dst) >= 8 && len(above) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(above)^w)
		dst, above = dst[8:], above[8:]
	}
	if len(dst) >= 4 && len(above) >= 4 {
		binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(above)^v)
	}
}
