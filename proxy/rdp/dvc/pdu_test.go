package dvc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

type pdu interface {
	Append(b []byte) []byte
	Decode(b []byte) error
}

// pdus feeds decode, encode and the fuzz seeds. Those named by a section are the specification's examples.
var pdus = []struct {
	name, hex string
	pdu       pdu
	loose     bool // the example has random bits where we write zeros
}{
	{
		name: "4.1.1", hex: "580002003333 1111 3d0a a704", loose: true,
		pdu: &CapsRequest{Version: 2, PriorityCharge: [4]uint16{13107, 4369, 2621, 1191}},
	},
	{name: "caps 1", hex: "50000100", pdu: &CapsRequest{Version: 1}},
	{name: "caps 3", hex: "500003000100020003000400", pdu: &CapsRequest{Version: 3, PriorityCharge: [4]uint16{1, 2, 3, 4}}},
	{name: "4.1.2", hex: "50000200", pdu: &CapsResponse{Version: 2}},
	{name: "4.2.1", hex: "10037465737464766300", pdu: &CreateRequest{ChannelID: 3, Name: "testdvc"}},
	{name: "create, priority 2, wide id", hex: "1a00000100 6100", pdu: &CreateRequest{ChannelID: 0x10000, Priority: 2, Name: "a"}},
	{name: "4.2.2", hex: "100300000000", pdu: &CreateResponse{ChannelID: 3}},
	{name: "create refused", hex: "11000101 0000c0", pdu: &CreateResponse{ChannelID: 0x100, Status: StatusNoListener}},
	{
		name: "4.3.1", hex: "24037b0c" + strings.Repeat("71", 1596),
		pdu: &DataFirst{ChannelID: 3, Length: 3195, Data: bytes.Repeat([]byte{0x71}, 1596)},
	},
	{name: "first, wide length", hex: "2803000001000102", pdu: &DataFirst{ChannelID: 3, Length: 0x10000, Data: []byte{1, 2}}},
	{name: "4.3.2", hex: "3003717171", pdu: &Data{ChannelID: 3, Data: []byte("qqq")}},
	{name: "first, compressed", hex: "64037b0ce006", pdu: &DataFirst{Compressed: true, ChannelID: 3, Length: 3195, Data: []byte{0xe0, 6}}},
	{name: "data, compressed", hex: "7003e006", pdu: &Data{Compressed: true, ChannelID: 3, Data: []byte{0xe0, 6}}},
	{name: "4.4.1", hex: "4003", pdu: &Close{ChannelID: 3}},
	{
		name: "soft-sync request", hex: "8000 12000000 0300 0100 01000000 0100 07000000",
		pdu: &SoftSyncRequest{
			Flags: SoftSyncTCPFlushed | SoftSyncChannelListPresent,
			Lists: []SoftSyncChannelList{{TunnelType: TunnelUDPReliable, ChannelIDs: []uint32{7}}},
		},
	},
	{
		name: "soft-sync response", hex: "9000 02000000 01000000 03000000",
		pdu: &SoftSyncResponse{TunnelTypes: []uint32{TunnelUDPReliable, TunnelUDPLossy}},
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fresh(p pdu) pdu { return reflect.New(reflect.TypeOf(p).Elem()).Interface().(pdu) }

func TestPDUs(t *testing.T) {
	for _, c := range pdus {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			got := fresh(c.pdu)
			if err := got.Decode(b); err != nil || !reflect.DeepEqual(got, c.pdu) {
				t.Errorf("decoded %+v, %v", got, err)
			}
			if out := c.pdu.Append([]byte{0xee}); !c.loose && !bytes.Equal(out[1:], b) {
				t.Errorf("encoded %x, want %x", out[1:], b)
			}
			for n := range min(len(b), 16) {
				short := fresh(c.pdu)
				err := short.Decode(b[:n])
				if err == nil && !bytes.HasPrefix(b, short.Append(nil)) {
					t.Errorf("%d bytes decoded to %+v", n, short)
				} else if err != nil && (!errors.Is(err, wire.ErrMalformed) || !reflect.DeepEqual(short, fresh(c.pdu))) {
					t.Errorf("%d bytes: %v, left %+v", n, err, short)
				}
			}
		})
	}
}

func TestRefusedPDUs(t *testing.T) {
	long := "1003" + strings.Repeat("61", maxNameBytes+1) + "00"
	for _, c := range []struct {
		want, hex string
		pdu       pdu
	}{
		{"Cmd is 5, not 1", "5003", &CreateRequest{}},
		{"cbId is 3", "1303", &CreateRequest{}},
		{"Len is 3", "2c03000000", &DataFirst{}},
		{"3 bytes of a message of 2", "200302010203", &DataFirst{}},
		{"no end within 256 of 2 bytes", "10036161", &CreateRequest{}},
		{"no end within 256 of 258 bytes", long, &CreateRequest{}},
		{"1 bytes left over", "400303", &Close{}},
		{"Version is 0", "50000000", &CapsRequest{}},
		{"Version is 4", "50000400", &CapsResponse{}},
		{"Length 5, but 8 bytes", "8000 05000000 0300 0000", &SoftSyncRequest{}},
		{"NumberOfTunnels 3 exceeds 2", "8000 08000000 0300 0300", &SoftSyncRequest{}},
		{"NumberOfDVCs 2, with 4 bytes left", "8000 12000000 0300 0100 01000000 0200 07000000", &SoftSyncRequest{}},
		{"NumberOfTunnels 4294967295 exceeds 2", "9000 ffffffff", &SoftSyncResponse{}},
	} {
		err := c.pdu.Decode(unhex(t, c.hex))
		if !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
		if !reflect.DeepEqual(c.pdu, fresh(c.pdu)) {
			t.Errorf("%s: left %+v", c.want, c.pdu)
		}
	}
}

// FuzzPDUs: what decodes encodes to bytes that decode to the same.
func FuzzPDUs(f *testing.F) {
	for _, c := range pdus {
		f.Add(unhex(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []pdu{
			&CapsRequest{}, &CapsResponse{}, &CreateRequest{}, &CreateResponse{}, &DataFirst{}, &Data{}, &Close{},
			&SoftSyncRequest{}, &SoftSyncResponse{},
		} {
			if err := p.Decode(b); err != nil {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatalf("%T: %v", p, err)
				}
				continue
			}
			out := p.Append(nil)
			if len(out) > len(b) {
				t.Fatalf("%T: %d bytes became %d", p, len(b), len(out))
			}
			again := fresh(p)
			if err := again.Decode(out); err != nil || !bytes.Equal(again.Append(nil), out) {
				t.Fatalf("%T: %x became %x: %v", p, b, out, err)
			}
		}
	})
}
