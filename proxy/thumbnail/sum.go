package thumbnail

import "encoding/binary"

// addRow adds a row of BGRX pixels to sums, which has two words for every two pixels: each word holds four sums of 16 bits,
// the first blue and red of both pixels, the second green (and what has no meaning) of both. 257 rows fit, ten times as many as the largest desktop needs.
func addRow(sums []uint64, row []byte) {
	const mask = 0x00ff00ff00ff00ff
	for len(row) >= 32 && len(sums) >= 8 { // eight pixels a step, without bounds checks
		r, s := row[:32:32], sums[:8:8]
		a, b := binary.LittleEndian.Uint64(r), binary.LittleEndian.Uint64(r[8:])
		c, d := binary.LittleEndian.Uint64(r[16:]), binary.LittleEndian.Uint64(r[24:])
		s[0] += a & mask
		s[1] += a >> 8 & mask
		s[2] += b & mask
		s[3] += b >> 8 & mask
		s[4] += c & mask
		s[5] += c >> 8 & mask
		s[6] += d & mask
		s[7] += d >> 8 & mask
		row, sums = row[32:], sums[8:]
	}
	i := 0
	for ; len(row) >= 8 && i+1 < len(sums); i += 2 {
		two := binary.LittleEndian.Uint64(row)
		sums[i] += two & mask
		sums[i+1] += two >> 8 & mask
		row = row[8:]
	}
	if len(row) >= 4 {
		one := uint64(binary.LittleEndian.Uint32(row))
		sums[i] += one & mask
		sums[i+1] += one >> 8 & mask
	}
}
