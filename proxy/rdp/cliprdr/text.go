package cliprdr

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// appendText appends text as the format has it: CRLF line ends, unless lf is set, and a NUL. It tells whether the format is
// text at all.
func appendText(b []byte, format uint32, text string, lf bool) ([]byte, bool) {
	if text = toLF(text); !lf {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	switch format {
	case FormatUnicodeText:
		return append(wire.AppendUTF16(b, text), 0, 0), true
	case FormatText:
		for _, r := range text {
			b = append(b, codePageByte(r))
		}
		return append(b, 0), true
	}
	return b, false
}

// textOf returns what data is as text: up to the first NUL, valid UTF-8, LF line ends.
func textOf(format uint32, data []byte) string {
	if format == FormatUnicodeText {
		return toLF(wire.UTF16(data))
	}
	return toLF(fromCodePage(data))
}

// toLF makes every line end an LF.
func toLF(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// c1 is what Windows-1252 has from 0x80 to 0x9F; the rest is Latin-1. Zeros are holes.
var c1 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

// fromCodePage returns 8-bit text up to its first NUL. The message does not say in which code page it is: UTF-8 when it can
// be, as Unix servers have it, else Windows-1252.
func fromCodePage(data []byte) string {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		data = data[:i]
	}
	if utf8.Valid(data) {
		return string(data)
	}
	var s strings.Builder
	for _, b := range data {
		r := rune(b)
		if b >= 0x80 && b < 0xA0 {
			if r = c1[b-0x80]; r == 0 {
				r = utf8.RuneError
			}
		}
		s.WriteRune(r)
	}
	return s.String()
}

// codePageByte returns a character in Windows-1252, '?' when it is not there.
func codePageByte(r rune) byte {
	if r < 0x80 || r >= 0xA0 && r <= 0xFF {
		return byte(r)
	}
	for i, c := range c1 {
		if c == r && c != 0 {
			return byte(0x80 + i)
		}
	}
	return '?'
}
