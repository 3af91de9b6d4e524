package der

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func TestIntegers(t *testing.T) {
	for n, want := range map[int64]string{
		0: "\xa0\x03\x02\x01\x00", 127: "\xa0\x03\x02\x01\x7f", 128: "\xa0\x04\x02\x02\x00\x80", -128: "\xa0\x03\x02\x01\x80",
		-0x3fffff93: "\xa0\x06\x02\x04\xc0\x00\x00\x6d", 1 << 40: "\xa0\x08\x02\x06\x01\x00\x00\x00\x00\x00",
	} {
		b := Int(Context(0), n)
		if string(b) != want {
			t.Errorf("%d is % x, want % x", n, b, want)
		}
		r := NewReader("TEST", b)
		if back := r.Int(Context(0)); back != n || r.End() != nil {
			t.Errorf("%d came back as %d: %v", n, back, r.Err())
		}
	}
}

func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000} {
		b := Element(OctetString, make([]byte, n))
		r := NewReader("TEST", b)
		if got := r.Element(OctetString); len(got) != n || r.End() != nil {
			t.Errorf("%d bytes came back as %d: %v", n, len(got), r.Err())
		}
		got, err := ReadMessage(io.MultiReader(bytes.NewReader(b), strings.NewReader("more")), "TEST", OctetString, 0x10000)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("a message of %d bytes: %v", n, err)
		}
	}
	for _, long := range []string{"\x04\x81\x01x", "\x04\x84\x00\x00\x00\x01x"} { // more octets than needed
		if r := NewReader("TEST", []byte(long)); string(r.Element(OctetString)) != "x" || r.End() != nil {
			t.Errorf("% x: %v", long, r.Err())
		}
	}
}

func TestRefused(t *testing.T) {
	for name, b := range map[string]string{
		"nothing": "", "tag alone": "\x04", "another tag": "\x30\x00", "short": "\x04\x02x", "indefinite": "\x04\x80x\x00\x00",
		"five octets": "\x04\x85\x00\x00\x00\x00\x01x", "octets cut": "\x04\x82\x01", "4 GiB": "\x04\x84\xff\xff\xff\xffx",
	} {
		r := NewReader("TEST", []byte(b))
		if got := r.Element(OctetString); got != nil || !errors.Is(r.Err(), wire.ErrMalformed) {
			t.Errorf("%s: %q, %v", name, got, r.Err())
		}
		_, err := ReadMessage(strings.NewReader(b), "TEST", OctetString, 1<<20)
		if !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s, from a stream: %v", name, err)
		}
	}
	if _, err := ReadMessage(strings.NewReader("\x30\x82\x10\x01"), "TEST", Sequence, 0x1000); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a message over the limit: %v", err)
	}
	for _, b := range []string{"\xa0\x02\x02\x00", "\xa0\x0b\x02\x09123456789", "\xa0\x06\x02\x01\x00\x02\x01\x00"} {
		if r := NewReader("TEST", []byte(b)); r.Int(Context(0)) != 0 || r.Err() == nil {
			t.Errorf("INTEGER % x was taken", b)
		}
	}
}

func TestErrorsAreShared(t *testing.T) {
	r := NewReader("TEST", []byte("\x30\x02\x04\x05\x04\x00"))
	in := r.Enter(Sequence)
	if in.Element(OctetString) != nil || r.Err() == nil || r.More() || r.Element(OctetString) != nil || r.End() == nil {
		t.Errorf("the outer reader goes on after %v", in.Err())
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x30\x0c\xa0\x03\x02\x01\x06\xa1\x05\x04\x03abc"))
	f.Add([]byte("\x30\x80\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader("FUZZ", b)
		if n := r.Enter(Sequence); n.Next(Context(0)) {
			v := n.Int(Context(0))
			if n.Err() == nil && NewReader("FUZZ", Int(Context(0), v)).Int(Context(0)) != v {
				t.Fatalf("%d does not come back", v)
			}
		}
		got, err := ReadMessage(bytes.NewReader(b), "FUZZ", Sequence, 1<<16)
		if err == nil && !bytes.HasPrefix(b, got) {
			t.Fatal("a message that was not in the stream")
		}
	})
}
