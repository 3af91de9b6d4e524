package rdp

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// pduCase is a PDU and its bytes. Every file of tests has a table of its layer; together they feed decode, encode and the
// seeds of the fuzz targets.
type pduCase struct {
	name  string // a section number: the example of [MS-RDPBCGR] there
	bytes []byte
	pdu   pdu
	once  bool // the bytes say the same in another form: we write it our way
	open  bool // bytes behind it are passed over
}

func allPDUs(t testing.TB) []pduCase {
	return slices.Concat(x224PDUs(t), mcsPDUs(t), settingsPDUs(t), securityPDUs(t), sharePDUCases(t), activationPDUs(t),
		finalizationPDUs(t), redirectionPDUs(t), updatePDUs(t), bitmapPDUs(t), surfacePDUs(t), pointerPDUs(t), inputPDUs(t))
}

// allowed tells whether an error is one a decoder may give: the bytes are malformed or too few, or the peer says goodbye.
func allowed(err error) bool {
	return errors.Is(err, wire.ErrMalformed) || errors.Is(err, ErrDisconnected) || errors.Is(err, io.ErrUnexpectedEOF)
}

// stable checks that what we write of p is read as what we write.
func stable(t testing.TB, p pdu) {
	t.Helper()
	first := p.Append(nil)
	again := fresh(p)
	if err := again.Decode(first); err != nil {
		t.Fatalf("%+v was written as %x and refused: %v", p, first, err)
	}
	if second := again.Append(nil); !bytes.Equal(first, second) {
		t.Fatalf("%+v was written as %x, and read as %+v as %x", p, first, again, second)
	}
}

func TestPDUs(t *testing.T) {
	for _, c := range allPDUs(t) {
		t.Run(reflect.TypeOf(c.pdu).Elem().Name()+" "+c.name, func(t *testing.T) {
			got := fresh(c.pdu)
			if err := got.Decode(c.bytes); err != nil || !reflect.DeepEqual(got, c.pdu) {
				t.Errorf("decoded\n%#v, want\n%#v: %v", got, c.pdu, err)
			}
			out := c.pdu.Append([]byte{0xee})
			if out[0] != 0xee || !c.once && !bytes.Equal(out[1:], c.bytes) {
				t.Errorf("encoded\n%x, want\n%x", out[1:], c.bytes)
			}
			if err := got.Decode(out[1:]); err != nil || !c.once && !reflect.DeepEqual(got, c.pdu) {
				t.Errorf("our own encoding %x became %+v: %v", out[1:], got, err)
			}
			stable(t, c.pdu)
			more := append(bytes.Clone(c.bytes), 0xff)
			if err := fresh(c.pdu).Decode(more); c.open != (err == nil) || err != nil && !allowed(err) {
				t.Errorf("a byte more: %v", err)
			}
		})
	}
}

// Every PDU cut short anywhere is an error or another PDU, and nothing else.
func TestTruncatedPDUs(t *testing.T) {
	for _, c := range allPDUs(t) {
		t.Run(reflect.TypeOf(c.pdu).Elem().Name()+" "+c.name, func(t *testing.T) {
			const head, tail = 1024, 16 // of PDUs that would take a minute
			for n := range c.bytes {
				if n > head && n < len(c.bytes)-tail {
					continue
				}
				short := fresh(c.pdu)
				// The capacity is cut too: nothing may look behind the slice.
				if err := short.Decode(slices.Clip(bytes.Clone(c.bytes[:n]))); err == nil {
					stable(t, short)
				} else if !allowed(err) {
					t.Fatalf("%d bytes: %v", n, err)
				}
			}
		})
	}
}

// malformed are bytes that a decoder has to refuse with a text that names what is wrong.
type malformed struct {
	name  string
	pdu   pdu // of the type to decode into
	bytes []byte
	text  string
}

func refuseAll(t *testing.T, cases []malformed) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := fresh(c.pdu).Decode(c.bytes)
			if !errors.Is(err, wire.ErrMalformed) || !bytes.Contains([]byte(err.Error()), []byte(c.text)) {
				t.Errorf("error %v, want %q", err, c.text)
			}
		})
	}
}

// set returns a copy of b with other bytes at an offset.
func set(b []byte, at int, to ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], to)
	return b
}
