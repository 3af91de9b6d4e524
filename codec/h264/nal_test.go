package h264

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

func fromHex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// streams feed the tests and the fuzzer: byte stream, NAL units, AVCC form.
var streams = []struct{ name, annexB, nals, avcc string }{
	{"empty", "", "", ""},
	{"no start code", "65 88 84", "", ""},
	{"4-byte start code", "00000001 65 88 84", "658884", "00000003 658884"},
	{"3-byte start code", "000001 41 9a", "419a", "00000002 419a"},
	{"rubbish before", "ff 00 000001 41 9a", "419a", "00000002 419a"},
	{"two slices", "00000001 65 88 000001 65 99", "6588 6599", "00000002 6588 00000002 6599"},
	{"trailing zeros", "00000001 65 88 000000 00000001 41 9a 0000", "6588 419a", "00000002 6588 00000002 419a"},
	{"empty units", "000001 000001 00000001 65 88 000001", "6588", "00000002 6588"},
	{"escaped inside", "00000001 65 000003 01 02", "650000030102", "00000006 650000030102"},
	{
		"parameter sets, SEI and delimiter", "00000001 09 10 00000001 67 42c028 00000001 68 ce 00000001 06 05 00000001 65 88",
		"0910 6742c028 68ce 0605 6588", "00000002 6588",
	},
}

func TestSplitNALs(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			var want [][]byte
			for f := range strings.FieldsSeq(s.nals) {
				want = append(want, fromHex(f))
			}
			in := fromHex(s.annexB)
			if got := slices.Collect(SplitNALs(in)); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("units %x, want %x", got, want)
			}
			if got := AppendAVCC([]byte{1}, in); !bytes.Equal(got, append([]byte{1}, fromHex(s.avcc)...)) {
				t.Errorf("AVCC %x, want %s", got, s.avcc)
			}
			for range SplitNALs(in) {
				break // an iterator must bear being left early
			}
		})
	}
}

func TestParameterSets(t *testing.T) {
	for _, c := range []struct {
		name, in, sps, pps string
		fails              bool
	}{
		{"both", "00000001 67 42 00000001 68 ce 00000001 65 88", "6742", "68ce", false},
		{"first of each", "000001 67 01 000001 67 02 000001 68 03 000001 68 04", "6701", "6803", false},
		{"no picture parameter set", "000001 67 42 000001 65 88", "", "", true},
		{"after the slice", "000001 65 88 000001 67 42 000001 68 ce", "", "", true},
		{"nothing", "", "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sps, pps, err := ParameterSets(fromHex(c.in))
			if c.fails {
				if !errors.Is(err, ErrNoParameterSets) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil || !bytes.Equal(sps, fromHex(c.sps)) || !bytes.Equal(pps, fromHex(c.pps)) {
				t.Fatalf("SPS %x, PPS %x, error %v", sps, pps, err)
			}
		})
	}
}

func FuzzSplitNALs(f *testing.F) {
	for _, s := range streams {
		f.Add(fromHex(s.annexB))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var again []byte
		var first [][]byte
		for nal := range SplitNALs(in) {
			if len(nal) == 0 || nal[len(nal)-1] == 0 || bytes.Contains(nal, startCode) {
				t.Fatalf("unit %x of %x", nal, in)
			}
			first = append(first, nal)
			again = append(append(again, 0, 0, 0, 1), nal...)
		}
		if second := slices.Collect(SplitNALs(again)); !slices.EqualFunc(first, second, bytes.Equal) {
			t.Fatalf("%x became %x", first, second)
		}
		if avcc := AppendAVCC(nil, in); len(avcc) > len(in)+4*len(first) {
			t.Fatalf("AVCC of %d bytes from %d", len(avcc), len(in))
		}
		_, _, _ = ParameterSets(in)
	})
}
