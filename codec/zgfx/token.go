package zgfx

// A token is what a prefix code stands for ([MS-RDPEGFX] 3.1.9.1.2, token assignments).
type token struct {
	base   uint32 // of the distance; the byte itself for a literal
	prefix uint8  // bits of the code; for a literal with its value
	value  uint8  // bits of the distance that follow the code
	kind   uint8
}

const (
	kindInvalid = iota // no code begins like this
	kindLiteral
	kindMatch // distance zero is a run of plain bytes
)

// prefixBits is the length of the longest code. It is also that of an arbitrary literal, 0 and eight bits, so that one
// look-up by so many bits finds every literal whole.
const prefixBits = 9

// literals and matches are the codes, written as the specification writes them.
var (
	literals = []struct {
		code string
		b    byte
	}{
		{"11000", 0x00},
		{"11001", 0x01},
		{"110100", 0x02},
		{"110101", 0x03},
		{"110110", 0xFF},
		{"1101110", 0x04},
		{"1101111", 0x05},
		{"1110000", 0x06},
		{"1110001", 0x07},
		{"1110010", 0x08},
		{"1110011", 0x09},
		{"1110100", 0x0A},
		{"1110101", 0x0B},
		{"1110110", 0x3A},
		{"1110111", 0x3B},
		{"1111000", 0x3C},
		{"1111001", 0x3D},
		{"1111010", 0x3E},
		{"1111011", 0x3F},
		{"1111100", 0x40},
		{"1111101", 0x80},
		{"11111100", 0x0C},
		{"11111101", 0x38},
		{"11111110", 0x39},
		{"11111111", 0x66},
	}
	matches = []struct {
		code  string
		value uint8
	}{
		{"10001", 5},
		{"10010", 7},
		{"10011", 9},
		{"10100", 10},
		{"10101", 12},
		{"101100", 14},
		{"101101", 15},
		{"1011100", 18},
		{"1011101", 20},
		{"10111100", 20},
		{"10111101", 21},
		{"101111100", 22},
		{"101111101", 23},
		{"101111110", 24},
	}
)

// tokens is indexed by the next nine bits.
var tokens = makeTokens()

func makeTokens() (t [1 << prefixBits]token) {
	for b := range 256 {
		t[b] = token{base: uint32(b), prefix: prefixBits, kind: kindLiteral}
	}
	for _, l := range literals {
		fillTokens(&t, l.code, token{base: uint32(l.b), prefix: uint8(len(l.code)), kind: kindLiteral})
	}
	base := uint32(0)
	for _, m := range matches {
		fillTokens(&t, m.code, token{base: base, prefix: uint8(len(m.code)), value: m.value, kind: kindMatch})
		base += 1 << m.value // the distances of the codes follow upon each other
	}
	return t
}

// fillTokens sets every entry whose bits begin with code.
func fillTokens(t *[1 << prefixBits]token, code string, tok token) {
	first := 0
	for _, c := range code {
		first = first<<1 | int(c-'0')
	}
	rest := prefixBits - len(code)
	first <<= rest
	for i := range 1 << rest {
		t[first+i] = tok
	}
}
