package rdpbitmap

import "encoding/binary"

// mixRGB fills dst with pixels made of the bytes of three planes.
func mixRGB(dst, r, g, b []byte) {
	n := len(dst) / bytesPerPixel
	r, g, b = r[:n], g[:n], b[:n]
	for len(r) >= 8 && len(g) >= 8 && len(b) >= 8 && len(dst) >= 32 {
		rr, gg, bb := binary.LittleEndian.Uint64(r), binary.LittleEndian.Uint64(g), binary.LittleEndian.Uint64(b)
		d := dst[:32]
		// Two pixels at a time: the lowest two bytes of each plane, spread to 0 and 32.
		for i := 0; i < 32; i += 8 {
			v := bb&0xFF | bb&0xFF00<<24 | gg&0xFF<<8 | gg&0xFF00<<32 | rr&0xFF<<16 | rr&0xFF00<<40
			binary.LittleEndian.PutUint64(d[i:], v)
			rr, gg, bb = rr>>16, gg>>16, bb>>16
		}
		r, g, b, dst = r[8:], g[8:], b[8:], dst[32:]
	}
	for i := range r {
		binary.LittleEndian.PutUint32(dst[i*4:], uint32(b[i])|uint32(g[i])<<8|uint32(r[i])<<16)
	}
}

// mixYCoCg fills dst with the pixels from x on of a row of luma and chroma ([MS-RDPEGDI] 3.1.9.1.2, without
// the rounding that the transform would lose). loss is the colour loss level, 1 to 7: how far chroma was
// shifted right, one of which is the transform's own. half means that a chroma value is for two pixels.
func mixYCoCg(dst, luma, co, cg []byte, x, loss int, half, swap bool) {
	shift := uint(loss - 1)
	n := len(dst) / bytesPerPixel
	luma = luma[x : x+n]
	step := uint(0)
	if half {
		step = 1
	}
	for i, l := range luma {
		k := (x + i) >> step
		o, g := int(int8(co[k]<<shift)), int(int8(cg[k]<<shift))
		y := int(l)
		red, green, blue := clamp(y-g+o), clamp(y+g), clamp(y-g-o)
		if swap {
			red, blue = blue, red
		}
		binary.LittleEndian.PutUint32(dst[i*4:], blue|green<<8|red<<16)
	}
}

// clamp brings v, which is within -1024 to 1023, to 0 to 255.
func clamp(v int) uint32 {
	if uint(v) > 255 {
		return uint32(^v>>63) & 255
	}
	return uint32(v)
}
