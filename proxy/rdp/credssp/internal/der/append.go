package der

// Append appends an element whose content is all parts, one behind the other.
func Append(b []byte, tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = appendLength(append(b, tag), n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Element is Append to nothing.
func Element(tag byte, parts ...[]byte) []byte { return Append(nil, tag, parts...) }

// Wrap returns an element inner alone within an element outer: [n] EXPLICIT.
func Wrap(outer, inner byte, content ...[]byte) []byte {
	return Element(outer, Element(inner, content...))
}

// Int returns [n] INTEGER.
func Int(outer byte, n int64) []byte {
	octets := 1
	for v := n; v > 127 || v < -128; v >>= 8 {
		octets++
	}
	content := make([]byte, octets)
	for i := octets - 1; i >= 0; i-- {
		content[i] = byte(n)
		n >>= 8
	}
	return Wrap(outer, Integer, content)
}

// appendLength appends a length in as few octets as it needs.
func appendLength(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	octets := 1
	for v := n; v > 0xff; v >>= 8 {
		octets++
	}
	b = append(b, 0x80|byte(octets))
	for i := octets - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}
