package rdp

import (
	"bytes"
	"errors"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func updatePDUs(t testing.TB) []pduCase {
	return []pduCase{
		{name: "one", bytes: unhex(t, "00 8008 0b 0200 abcd"), pdu: &updates{[]Update{{UpdatePointerNew, []byte{0xab, 0xcd}}}}},
		{
			name: "two in one PDU", bytes: unhex(t, "00 0c 05 0000 03 0000 01 0100 aa"), once: true,
			pdu: &updates{[]Update{{UpdatePointerHidden, []byte{}}, {UpdateSynchronize, []byte{}}, {UpdateBitmap, []byte{0xaa}}}},
		},
		{
			name: "in three fragments", bytes: unhex(t, "00 06 24 0100 01  00 06 34 0100 02  00 06 14 0100 03"), once: true,
			pdu: &updates{[]Update{{UpdateSurfaceCommands, []byte{1, 2, 3}}}},
		},
		{
			name: "in fragments of one PDU", bytes: unhex(t, "00 0a 24 0100 01 14 0100 02"), once: true,
			pdu: &updates{[]Update{{UpdateSurfaceCommands, []byte{1, 2}}}},
		},
		{
			name: "in empty fragments", bytes: unhex(t, "00 08 25 0000 15 0000"), once: true,
			pdu: &updates{[]Update{{UpdatePointerHidden, []byte{}}}},
		},
		written("as large as a PDU", &updates{[]Update{{UpdateSurfaceCommands, bytes.Repeat([]byte{1}, maxFragment)}}}),
		written("larger than a PDU", &updates{[]Update{{UpdateBitmap, bytes.Repeat([]byte{1}, 2*maxFragment+1)}, {UpdateBitmap, []byte{2}}}}),
	}
}

func TestAppendUpdateFragments(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, maxFragment: 1, maxFragment + 1: 2, 2 * maxFragment: 2, 2*maxFragment + 1: 3} {
		f := NewFrameReader(bytes.NewReader(AppendUpdate(nil, Update{UpdateBitmap, make([]byte, n)})))
		got := 0
		for ; ; got++ {
			if _, err := f.Next(); err != nil {
				break
			}
		}
		if got != want {
			t.Errorf("%d bytes take %d PDUs, want %d", n, got, want)
		}
	}
}

func TestFragmentsMalformed(t *testing.T) {
	u := &updates{}
	refuseAll(t, []malformed{
		{"encrypted", u, unhex(t, "80 05 05 0000"), "encrypted (0x80)"},
		{"with checksum", u, unhex(t, "40 05 05 0000"), "encrypted (0x40)"},
		{"compressed", u, unhex(t, "00 06 84 21 0000"), "compressed (0x84)"},
		{"last without first", u, unhex(t, "00 06 14 0100 01"), "update 4 goes on without having begun"},
		{"next without first", u, unhex(t, "00 06 34 0100 01"), "goes on without having begun"},
		{"first after first", u, unhex(t, "00 06 24 0100 01 00 06 24 0100 01"), "update 4 begins within update 4"},
		{"single after first", u, unhex(t, "00 06 24 0100 01 00 05 05 0000"), "update 5 begins within update 4"},
		{"of two kinds", u, unhex(t, "00 06 24 0100 01 00 06 11 0100 01"), "update 4 goes on as update 1"},
		{"longer than its PDU", u, unhex(t, "00 06 04 0200 01"), "2 bytes wanted"},
		{"header cut", u, unhex(t, "00 04 04 00"), "TS_FP_UPDATE"},
	})
}

// A bomb of fragments is refused before it is put together, and costs no more than the cap.
func TestFragmentsBomb(t *testing.T) {
	var f Fragments
	never := func(Update) error { t.Error("an update came out"); return nil }
	payload := append(unhex(t, "24 ff7f"), make([]byte, 0x7fff)...)
	total := 0
	for {
		err := f.Decode(0, payload, never)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Error(err)
			}
			break
		}
		total += 0x7fff
		payload[0] = 0x34
	}
	if total > MaxUpdate || total < MaxUpdate-0x7fff || cap(f.buf) > 2*MaxUpdate {
		t.Errorf("refused after %d bytes, buffer of %d", total, cap(f.buf))
	}
}

// What the handler returns is what the caller gets, and nothing is decoded after it.
func TestFragmentsHandlerError(t *testing.T) {
	stop := errors.New("stop")
	var f Fragments
	calls := 0
	err := f.Decode(0, unhex(t, "050000 030000"), func(Update) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls: %v", calls, err)
	}
}
