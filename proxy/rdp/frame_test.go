package rdp

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// frames are three PDUs of both kinds and all forms of length, as a stream.
func frames() (stream []byte, want []Frame) {
	long := bytes.Repeat([]byte{0xab}, 0x7fff-3)
	big := bytes.Repeat([]byte{0xcd}, MaxFrame-tpktHeader)
	want = []Frame{
		{Header: tpktVersion, Payload: []byte{2, 0xf0, 0x80}},
		{FastPath: true, Header: 0x04, Payload: []byte{1, 2}},
		{FastPath: true, Header: 0xc0, Payload: long},
		{Header: tpktVersion, Payload: big},
		{FastPath: true, Header: 0x00, Payload: []byte{}},
		{Header: tpktVersion, Payload: []byte{}},
	}
	stream = append(stream, 3, 0, 0, 7, 2, 0xf0, 0x80)
	stream = append(stream, 0x04, 4, 1, 2)
	stream = append(append(stream, 0xc0, 0xff, 0xff), long...)
	stream = append(append(stream, 3, 0, 0xff, 0xff), big...)
	stream = append(stream, 0, 2)
	return append(stream, 3, 0xee, 0, 4), want
}

func TestFrameReader(t *testing.T) {
	stream, want := frames()
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves": iotest.HalfReader(bytes.NewReader(stream)), "data with EOF": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			f := NewFrameReader(r)
			for i, w := range want {
				got, err := f.Next()
				if err != nil || got.FastPath != w.FastPath || got.Header != w.Header || !bytes.Equal(got.Payload, w.Payload) {
					t.Fatalf("frame %d: fast-path %v, header %#x, %d bytes: %v", i, got.FastPath, got.Header, len(got.Payload), err)
				}
			}
			for range 2 {
				if _, err := f.Next(); err != io.EOF { //nolint:errorlint // it has to be io.EOF itself
					t.Errorf("at the end: %v", err)
				}
			}
		})
	}
}

// A stream that ends within a PDU is not one that ends.
func TestFrameReaderCut(t *testing.T) {
	for _, whole := range [][]byte{{3, 0, 0, 7, 2, 0xf0, 0x80}, {0x04, 4, 1, 2}, {0x04, 0x80, 5, 1, 2}} {
		for n := 1; n < len(whole); n++ {
			f := NewFrameReader(iotest.OneByteReader(bytes.NewReader(whole[:n])))
			if err := f.Wait(); err != nil {
				t.Errorf("%x: waiting for the first byte: %v", whole[:n], err)
			}
			if _, err := f.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%x: %v", whole[:n], err)
			}
		}
	}
	broken := errors.New("broken")
	for n := range 5 {
		f := NewFrameReader(io.MultiReader(bytes.NewReader([]byte{3, 0, 0, 7, 2}[:n]), iotest.ErrReader(broken)))
		if _, err := f.Next(); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestFrameReaderRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"neither kind": {2, 0, 0, 7}, "ssh": []byte("SSH-2.0"), "TLS alert": {0x15, 3, 1, 0, 2},
		"TPKT of 3": {3, 0, 0, 3}, "TPKT of 0": {3, 0, 0, 0}, "fast-path of 1": {0, 1}, "fast-path of 0": {0, 0},
		"fast-path of 2 in three bytes": {0, 0x80, 2},
	} {
		if _, err := NewFrameReader(bytes.NewReader(b)).Next(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFrameReaderBuffered(t *testing.T) {
	f := NewFrameReader(bytes.NewReader([]byte{3, 0, 0, 5, 9, 0x04, 3, 8}))
	if f.Buffered() != 0 {
		t.Errorf("%d bytes before anything was read", f.Buffered())
	}
	if err := f.Wait(); err != nil || f.Buffered() != 8 {
		t.Errorf("%d bytes after Wait: %v", f.Buffered(), err)
	}
	first, err := f.Next()
	if err != nil || f.Buffered() != 3 {
		t.Errorf("%d bytes behind the first frame: %v", f.Buffered(), err)
	}
	if !bytes.Equal(first.Payload, []byte{9}) {
		t.Errorf("payload %x", first.Payload)
	}
	if _, err := f.Next(); err != nil || f.Buffered() != 0 {
		t.Errorf("%d bytes behind the last frame: %v", f.Buffered(), err)
	}
}

func TestAppendTPKT(t *testing.T) {
	got := AppendTPKT([]byte{7}, func(b []byte) []byte { return append(b, 1, 2) })
	if want := []byte{7, 3, 0, 0, 6, 1, 2}; !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
