package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestReader(t *testing.T) {
	r := NewReader("TS_TEST", []byte{1, 2, 3, 4, 5, 6, 7, 0xfe, 0xff, 9, 10})
	if r.Uint8() != 1 || r.Uint16() != 0x0302 || r.Uint32BE() != 0x04050607 || r.Int16() != -2 || r.Len() != 2 {
		t.Fatalf("at %d: %v", r.Offset(), r.Err())
	}
	if p := r.Peek(3); p != nil {
		t.Errorf("peeked past the end: %v", p)
	}
	if err := r.End(); err == nil || !strings.Contains(err.Error(), "TS_TEST: 2 bytes left over") || !errors.Is(err, ErrMalformed) {
		t.Errorf("left over: %v", err)
	}
}

func TestReaderPastTheEnd(t *testing.T) {
	for name, read := range map[string]func(r *Reader){
		"Uint8": func(r *Reader) { r.Skip(3); r.Uint8() }, "Uint16": func(r *Reader) { r.Skip(2); r.Uint16() },
		"Uint32": func(r *Reader) { r.Uint32() }, "Uint64": func(r *Reader) { r.Uint64() },
		"negative": func(r *Reader) { r.Bytes(-1) }, "huge": func(r *Reader) { r.Bytes(1 << 62) },
		"Sub": func(r *Reader) { _ = r.Fail(r.Sub("INNER", 4).Err()) },
	} {
		r := NewReader("TS_TEST", []byte{1, 2, 3})
		read(r)
		if !errors.Is(r.Err(), ErrMalformed) || r.Len() != 0 || r.Uint8() != 0 || r.Bytes(0) != nil || r.Rest() != nil {
			t.Errorf("%s: %v, %d left", name, r.Err(), r.Len())
		}
	}
}

func TestReaderKeepsTheFirstError(t *testing.T) {
	r := NewReader("TS_TEST", nil)
	first := r.Refuse("count %d exceeds %d", 5, 4)
	if r.Uint8(); !errors.Is(r.Refuse("other"), first) || first.Error() != "TS_TEST: count 5 exceeds 4: malformed" {
		t.Errorf("%v", r.Err())
	}
}

func TestUTF16(t *testing.T) {
	for _, text := range []string{"", "Grüße", "日本語", "😀 pair", "a\U0010ffffb"} {
		b := AppendUTF16(nil, text)
		if len(b) != UTF16Bytes(text) || UTF16(b) != text {
			t.Errorf("%q: %d bytes, %d foretold, back %q", text, len(b), UTF16Bytes(text), UTF16(b))
		}
	}
	for in, want := range map[string]string{
		"a\x00\x00\x00b\x00": "a", "a\x00b": "a", "\x00\xd8": "\uFFFD", "\x00\xd8a\x00": "\uFFFDa", "\x00\xdca\x00": "\uFFFDa",
	} {
		if got := UTF16([]byte(in)); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
	if b := AppendFixedUTF16([]byte{7}, "ab😀", 8); len(b) != 9 || UTF16(b[1:]) != "ab" {
		t.Errorf("fixed: %q", b)
	}
}

func FuzzUTF16(f *testing.F) {
	f.Add([]byte("a\x00\x00\xd8\x00\xdc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text := UTF16(b)
		if again := UTF16(AppendUTF16(nil, text)); again != text {
			t.Fatalf("%q became %q", text, again)
		}
	})
}
