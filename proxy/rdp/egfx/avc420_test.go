package egfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func TestAVC420(t *testing.T) {
	s := AVC420{
		Rects:     []Rect16{{0, 0, 16, 16}, {32, 16, 64, 48}},
		Qualities: []Quality{{QP: 22, Quality: 100}, {QP: 51, Progressive: true, Quality: 3}},
		Data:      []byte("\x00\x00\x00\x01\x67"),
	}
	want := "\x02\x00\x00\x00" + "\x00\x00\x00\x00\x10\x00\x10\x00" + "\x20\x00\x10\x00\x40\x00\x30\x00" + "\x16\x64" + "\xb3\x03" + "\x00\x00\x00\x01\x67"
	if b := s.Append(nil); string(b) != want {
		t.Fatalf("%x", b)
	}
	var got AVC420
	if err := got.Decode([]byte(want)); err != nil || !reflect.DeepEqual(got, s) {
		t.Fatalf("%+v: %v", got, err)
	}
	for name, in := range map[string]string{
		"nothing": "", "count of 4294967295": "\xff\xff\xff\xff" + want[4:], "one more than there is": "\x03" + want[1:25],
		"inverted": want[:4] + "\x20\x00\x00\x00\x10\x00\x10\x00" + want[12:],
	} {
		if err := got.Decode([]byte(in)); !errors.Is(err, wire.ErrMalformed) || !reflect.DeepEqual(got, s) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := AVC420{Data: []byte{1}}
	if b := none.Append(nil); string(b) != "\x00\x00\x00\x00\x01" {
		t.Errorf("%x", b)
	}
}

func FuzzAVC420(f *testing.F) {
	f.Add((&AVC420{Rects: []Rect16{{0, 0, 16, 16}}, Data: []byte{0, 0, 0, 1}}).Append(nil))
	f.Add(binary.LittleEndian.AppendUint32(nil, 0xffffffff))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s AVC420
		if err := s.Decode(b); err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if out := s.Append(nil); len(out) != len(b) || !bytes.Equal(out[:4], b[:4]) {
			t.Fatalf("%x came back as %x", b, out)
		}
	})
}
