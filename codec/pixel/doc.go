// Package pixel turns the framebuffer's BGRX into the planes an H.264 encoder takes: I420, BT.709, full range.
//
// Conversion works on runs of macroblocks, so that a small change costs little. The planes cover the coded picture, whose
// sides are multiples of 16; what lies beyond the visible picture repeats its last column and row, so that padding
// neither costs bits nor bleeds into the picture.
//
// # Maths
//
// With R, G, B and the results in 0…255 ([ITU-R BT.709] with full range, [ISO/IEC 14496-10] E.2.1, matrix_coefficients 1):
//
//	Y  = 0.2126 R + 0.7152 G + 0.0722 B
//	Cb = (B − Y) / 1.8556 + 128
//	Cr = (R − Y) / 1.5748 + 128
//
// The coefficients are integers over 2¹⁵. Each is within 2⁻¹⁶ of its real value and each row adds up exactly (to 2¹⁵ for Y,
// to 0 for Cb and Cr), so grey is exact: Y = v, Cb = Cr = 128. Before rounding a result is at most 255·2·2⁻¹⁶ < 0.008 away
// from the real one, so after rounding it is within 1, and differs at all only where the real value lies that close to a
// half. Chroma is the mean of 2×2 pixels taken before rounding: sited at the centre (chroma_sample_loc_type 1).
package pixel
