package wire

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendUTF16 appends text as UTF-16, little endian, without a terminator.
func AppendUTF16(b []byte, text string) []byte {
	for _, r := range text {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			b = binary.LittleEndian.AppendUint16(b, uint16(high))
			b = binary.LittleEndian.AppendUint16(b, uint16(low))
		} else {
			b = binary.LittleEndian.AppendUint16(b, uint16(r))
		}
	}
	return b
}

// UTF16Bytes returns how many bytes AppendUTF16 appends.
func UTF16Bytes(text string) int {
	n := 0
	for _, r := range text {
		n += 2 * utf16.RuneLen(r)
	}
	return n
}

// UTF16 returns UTF-16, little endian, as text up to its first NUL. Halves of pairs become U+FFFD, an odd last byte is
// passed over.
func UTF16(b []byte) string {
	out := make([]byte, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(binary.LittleEndian.Uint16(b[i:]))
		if r == 0 {
			break
		}
		if utf16.IsSurrogate(r) {
			next := rune(utf8.RuneError)
			if i+3 < len(b) {
				next = rune(binary.LittleEndian.Uint16(b[i+2:]))
			}
			if r = utf16.DecodeRune(r, next); r != utf8.RuneError {
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// AppendFixedUTF16 appends text in a field of n bytes, cut so that at least one terminator remains, filled with zeros.
func AppendFixedUTF16(b []byte, text string, n int) []byte {
	end := len(b) + n
	for _, r := range text {
		if len(b)+2*utf16.RuneLen(r) > end-2 {
			break
		}
		b = AppendUTF16(b, string(r))
	}
	for len(b) < end {
		b = append(b, 0)
	}
	return b
}
