package rdp

import (
	"errors"
	"slices"
	"testing"
)

func inputPDUs(t testing.TB) []pduCase {
	events := []InputEvent{
		{Kind: InputScancode, Code: 0x1e},
		{Kind: InputScancode, Flags: KeyRelease | KeyExtended, Code: 0x1d},
		{Kind: InputUnicodeKey, Flags: KeyRelease, Code: 0x20ac},
		{Kind: InputSync, Flags: SyncNumLock | SyncCapsLock},
		{Kind: InputMouse, Flags: MouseMove, X: 427, Y: 367},
		{Kind: InputMouse, Flags: MouseWheel | MouseWheelNegative | (-WheelNotch & 0xff), X: 1, Y: 2},
		{Kind: InputMouseButton, Flags: MouseXDown | MouseXButton2, X: 3, Y: 4},
	}
	many := slices.Repeat(events[:1], 16)
	return []pduCase{
		// The example is encrypted; this is what was.
		{name: "4.7", bytes: unhex(t, "04 800a 20 0008 ab02 6f01"), pdu: &fastInput{[]InputEvent{{Kind: InputMouse, Flags: MouseMove, X: 683, Y: 367}}}},
		{
			name: "every kind", bytes: unhex(t, `1c 8020 001e 031d 81ac20 66 20 0008 ab01 6f01 20 8803 0100 0200 40 0280 0300 0400`),
			pdu: &fastInput{events},
		},
		{name: "sixteen events", bytes: append(unhex(t, "00 8024 10"), []byte{
			0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e,
		}...), pdu: &fastInput{many}},
		{name: "with a timestamp", bytes: unhex(t, "08 09 c0 01020304 00 1e"), once: true, pdu: &fastInput{events[:1]}},
		{name: "nothing", bytes: unhex(t, "00 8004 00"), pdu: &fastInput{}},
		{name: "slow, every kind", bytes: unhex(t, `07000000
			00000000 0400 0000 1e00 0000
			00000000 0400 0081 1d00 0000
			00000000 0500 0080 ac20 0000
			00000000 0000 0000 0600 0000
			00000000 0180 0008 ab01 6f01
			00000000 0180 8803 0100 0200
			00000000 0280 0280 0300 0400`), pdu: &slowInput{events}, open: true},
		{
			name: "slow, with an unused event", bytes: unhex(t, "02000000 00000000 0200 000000000000 00000000 0400 0042 4500 0000"), once: true, open: true,
			pdu: &slowInput{[]InputEvent{{Kind: InputScancode, Flags: KeyExtended1, Code: 0x45}}},
		},
		{name: "slow, nothing", bytes: unhex(t, "00000000"), pdu: &slowInput{}, open: true},
	}
}

func TestInputMalformed(t *testing.T) {
	fast, slow := &fastInput{}, &slowInput{}
	refuseAll(t, []malformed{
		{"encrypted", fast, unhex(t, "84 04 00 1e"), "encrypted (0x84)"},
		{"unknown event", fast, unhex(t, "04 04 e0 1e"), "event code 7"},
		{"relative mouse", fast, unhex(t, "04 08 a0 0000000000"), "event code 5"},
		{"fewer than counted", fast, unhex(t, "08 04 00 1e"), "TS_FP_INPUT_PDU"},
		{"more than counted", fast, unhex(t, "04 06 00 1e 00 1e"), "2 bytes left over"},
		{"255 that are not there", fast, unhex(t, "00 03 ff"), "TS_FP_INPUT_PDU"},
		{"no count", fast, unhex(t, "00 02"), "TS_FP_INPUT_PDU"},
		{"mouse cut", fast, unhex(t, "04 06 20 0008 ab"), "TS_FP_INPUT_PDU"},
		{"256 slow events", slow, unhex(t, "00010000"), "256 events exceed 255"},
		{"unknown slow event", slow, unhex(t, "01000000 00000000 0300 000000000000"), "message type 0x3"},
		{"slow event cut", slow, unhex(t, "01000000 00000000 0180 0008ab02"), "6 bytes wanted"},
		{"slow event missing", slow, unhex(t, "01000000"), "TS_INPUT_PDU_DATA"},
	})
}

func TestInputHandlerError(t *testing.T) {
	stop := errors.New("stop")
	refuse := func(InputEvent) error { return stop }
	if err := DecodeFastPathInput(0x08, unhex(t, "001e 001e"), refuse); !errors.Is(err, stop) {
		t.Errorf("fast: %v", err)
	}
	if err := DecodeInput(unhex(t, "01000000 00000000 0400 0000 1e00 0000"), refuse); !errors.Is(err, stop) {
		t.Errorf("slow: %v", err)
	}
}
