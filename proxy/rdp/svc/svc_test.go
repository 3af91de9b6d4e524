package svc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// chunk returns the bytes of one chunk.
func chunk(length, flags uint32, data string) []byte {
	return append(Header{Length: length, Flags: flags}.Append(nil), data...)
}

func TestChunks(t *testing.T) {
	const show = FlagShowProtocol
	for _, c := range []struct {
		message string
		size    int
		want    []string
	}{
		{"", 4, []string{"0 0x13 "}},
		{"abcd", 4, []string{"4 0x13 abcd"}},
		{"abcde", 4, []string{"5 0x11 abcd", "5 0x12 e"}},
		{"abcdefghi", 3, []string{"9 0x11 abc", "9 0x10 def", "9 0x12 ghi"}},
		{"ab", 0, []string{"2 0x11 a", "2 0x12 b"}},
		{strings.Repeat("x", MaxChunkBytes+1), 1 << 20, []string{
			fmt.Sprintf("%d 0x11 %s", MaxChunkBytes+1, strings.Repeat("x", MaxChunkBytes)), fmt.Sprintf("%d 0x12 x", MaxChunkBytes+1),
		}},
	} {
		var got []string
		a := NewAssembler(1 << 20)
		var message []byte
		for h, data := range Chunks([]byte(c.message), c.size, show) {
			got = append(got, fmt.Sprintf("%d %#x %s", h.Length, h.Flags, data))
			m, err := a.Add(append(h.Append(nil), data...))
			if err != nil {
				t.Fatal(err)
			}
			message = m
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%.20q by %d: %.200q", c.message, c.size, got)
		}
		if message == nil || string(message) != c.message {
			t.Errorf("%.20q by %d came back as %.20q", c.message, c.size, message)
		}
	}
	for range Chunks([]byte("abc"), 1, 0) {
		break // stopping early is no panic
	}
}

func TestAssembler(t *testing.T) {
	const first, last, both = FlagFirst, FlagLast, FlagFirst | FlagLast
	type step struct {
		chunk []byte
		want  string // the message, "-" when none is complete
		err   error
	}
	ok := func(want string, c []byte) step { return step{c, want, nil} }
	bad := func(c []byte) step { return step{c, "-", wire.ErrMalformed} }
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"one chunk", []step{ok("ab", chunk(2, both, "ab"))}},
		{"suspend and resume are passed over", []step{ok("ab", chunk(2, both|FlagSuspend|FlagResume|FlagShowProtocol, "ab"))}},
		{"two messages", []step{ok("-", chunk(3, first, "ab")), ok("abc", chunk(3, last, "c")), ok("d", chunk(1, both, "d"))}},
		{"nothing in two chunks", []step{ok("-", chunk(0, first, "")), ok("", chunk(0, last, ""))}},
		{"empty last chunk", []step{ok("-", chunk(2, first, "ab")), ok("ab", chunk(2, last, ""))}},
		{"no header", []step{bad([]byte{1, 0, 0, 0, 3, 0, 0})}},
		{"compressed", []step{bad(chunk(2, both|FlagCompressed, "ab"))}},
		{"no first", []step{bad(chunk(2, last, "ab"))}},
		{"first twice", []step{ok("-", chunk(4, first, "ab")), bad(chunk(4, first, "ab"))}},
		{"more than the length", []step{bad(chunk(1, both, "ab"))}},
		{"more than the length later", []step{ok("-", chunk(3, first, "ab")), bad(chunk(3, 0, "cd"))}},
		{"less than the length", []step{ok("-", chunk(4, first, "ab")), bad(chunk(4, last, "c"))}},
		{"another length", []step{ok("-", chunk(4, first, "ab")), bad(chunk(5, last, "cd"))}},
		{"length of 4 GB", []step{{chunk(0xffffffff, first, "ab"), "-", ErrTooLong}, ok("-", chunk(0xffffffff, 0, "cd"))}},
		{"above the cap, then another", []step{
			{chunk(11, first, "abcdef"), "-", ErrTooLong}, ok("-", chunk(11, last, "ghijk")), ok("x", chunk(1, both, "x")),
		}},
		{"above the cap in one chunk", []step{{chunk(11, both, "abcdefghijk"), "-", ErrTooLong}, ok("x", chunk(1, both, "x"))}},
		{"above the cap and short", []step{{chunk(11, first, "abcdef"), "-", ErrTooLong}, bad(chunk(11, last, ""))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := NewAssembler(10)
			for i, s := range c.steps {
				m, err := a.Add(s.chunk)
				got := "-"
				if m != nil {
					got = string(m)
				}
				if got != s.want || !errors.Is(err, s.err) || (err != nil) != (s.err != nil) {
					t.Fatalf("step %d: %q and %v, want %q and %v", i, got, err, s.want, s.err)
				}
			}
		})
	}
}

// TestAnnouncedLengthCostsNothing announces much and sends little.
func TestAnnouncedLengthCostsNothing(t *testing.T) {
	a := NewAssembler(1 << 30)
	if _, err := a.Add(chunk(1<<30, FlagFirst, "ab")); err != nil || cap(a.buf) > 1024 {
		t.Fatalf("%d bytes for 2: %v", cap(a.buf), err)
	}
}

func FuzzAssembler(f *testing.F) {
	join := func(chunks ...[]byte) (b []byte) {
		for _, c := range chunks {
			b = append(binary.LittleEndian.AppendUint16(b, uint16(len(c))), c...)
		}
		return b
	}
	f.Add(join(chunk(2, FlagFirst|FlagLast, "ab"), chunk(3, FlagFirst, "abc")))
	f.Add(join(chunk(4, FlagFirst, "ab"), chunk(4, 0, "c"), chunk(4, FlagLast, "d")))
	f.Add(join(chunk(1000, FlagFirst, "ab"), chunk(1000, FlagLast, "c")))
	f.Add(join(chunk(3, FlagFirst|FlagCompressed, "ab")))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 500
		a := NewAssembler(limit)
		for len(b) >= 2 {
			n := min(int(binary.LittleEndian.Uint16(b)), len(b)-2)
			m, err := a.Add(b[2 : 2+n])
			b = b[2+n:]
			if err != nil && !errors.Is(err, ErrTooLong) {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatal(err)
				}
				return
			}
			if len(m) > limit || cap(a.buf) > 4*limit {
				t.Fatalf("a message of %d bytes, %d kept", len(m), cap(a.buf))
			}
			if m == nil {
				continue
			}
			again := NewAssembler(limit)
			for h, data := range Chunks(m, 7, 0) {
				got, err := again.Add(append(h.Append(nil), data...))
				if err != nil || got != nil && !bytes.Equal(got, m) {
					t.Fatalf("%q came back as %q: %v", m, got, err)
				}
			}
		}
	})
}
