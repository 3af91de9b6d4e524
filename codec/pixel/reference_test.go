package pixel

// The conversion of convert.c in plain Go, one pixel at a time: what the tests hold the C against.

const shift = 15

func refY(r, g, b int32) uint8 {
	return uint8((2366*b + 23436*g + 6966*r + 1<<(shift-1)) >> shift)
}

// refC takes sums over 2×2 pixels.
func refC(r, g, b int32) (cb, cr uint8) {
	const round = 128<<(shift+2) + 1<<(shift+1)
	u := (16384*b - 12630*g - 3754*r + round) >> (shift + 2)
	v := (16384*r - 14882*g - 1502*b + round) >> (shift + 2)
	return uint8(min(u, 255)), uint8(min(v, 255))
}

// at returns the pixel at (x, y), coordinates beyond the picture moved to its edge.
func (s *Source) at(x, y int) (r, g, b int32) {
	p := s.Pix[min(y, s.Height-1)*s.Stride+min(x, s.Width-1)*bytesPerPixel:]
	return int32(p[2]), int32(p[1]), int32(p[0])
}

func refConvert(dst *Planes, src Source, runs []Run) {
	for _, run := range runs {
		for y := int(run.Y) * BlockSize; y < int(run.Y+1)*BlockSize; y++ {
			for x := int(run.X0) * BlockSize; x < int(run.X1)*BlockSize; x++ {
				dst.Y[y*dst.StrideY+x] = refY(src.at(x, y))
				if x%2 != 0 || y%2 != 0 {
					continue
				}
				var sum [3]int32
				for _, d := range [4][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
					r, g, b := src.at(x+d[0], y+d[1])
					sum[0], sum[1], sum[2] = sum[0]+r, sum[1]+g, sum[2]+b
				}
				i := y/2*dst.StrideC + x/2
				dst.Cb[i], dst.Cr[i] = refC(sum[0], sum[1], sum[2])
			}
		}
	}
}
