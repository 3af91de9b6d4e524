package rdp

import (
	"bytes"
	"image"
	"strings"
	"testing"
)

func exampleCookie(t testing.TB) *ReconnectCookie {
	return &ReconnectCookie{LogonID: 2, Random: [16]byte(unhex(t, "a802e725e24c82b752a553503498a1a8"))}
}

func finalizationPDUs(t testing.TB) []pduCase {
	return []pduCase{
		{name: "4.1.20", bytes: unhex(t, "0400000000000000"), pdu: &control{ControlCooperate}, open: true},
		{name: "4.1.21", bytes: unhex(t, "0200ef03ea030000"), pdu: &control{ControlGranted}, once: true, open: true},
		{name: "acknowledge", bytes: unhex(t, "04030201"), pdu: &frameAck{0x01020304}, open: true},
		{name: "another connection", bytes: unhex(t, "05000000"), pdu: &errorInfo{ErrorInfoOtherConnection}, open: true},
		{name: "4.3.3", bytes: example(t, "4.3.3")[shareHeader+shareDataHeader:], open: true, pdu: &SaveSessionInfo{Cookie: exampleCookie(t)}},
		{
			name: "plain notification", bytes: append(unhex(t, "02000000"), make([]byte, 576)...), open: true,
			pdu: &SaveSessionInfo{LoggedOn: true},
		},
		{name: "first version", bytes: unhex(t, "00000000"), once: true, open: true, pdu: &SaveSessionInfo{LoggedOn: true}},
		{name: "long version", bytes: unhex(t, "01000000"), once: true, open: true, pdu: &SaveSessionInfo{LoggedOn: true}},
		{
			name: "logon error", bytes: append(unhex(t, "03000000 1200 02000000 08000000 06000000 15000000"), make([]byte, 570)...), open: true,
			pdu: &SaveSessionInfo{HasError: true, LogonError: 6, LogonErrorData: 21},
		},
	}
}

func TestFinalizationBodies(t *testing.T) {
	area := image.Rect(1, 2, 0x104, 0x204)
	for name, c := range map[string]struct{ got, want []byte }{
		"synchronize":     {AppendSynchronize(nil, 1002), unhex(t, "0100ea03")},
		"control":         {AppendControl(nil, ControlGranted, 1007, 1002), unhex(t, "0200ef03ea030000")},
		"font list":       {AppendFontList(nil), unhex(t, "0000000003003200")},
		"font map":        {AppendFontMap(nil), unhex(t, "0000000003000400")},
		"refresh rect":    {AppendRefreshRect(nil, area), unhex(t, "01000000 0100020003010302")},
		"suppress output": {AppendSuppressOutput(nil, area), unhex(t, "01000000 0100020003010302")},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s is %x, want %x", name, c.got, c.want)
		}
	}
}

func TestSaveSessionInfoMalformed(t *testing.T) {
	s := &SaveSessionInfo{}
	refuseAll(t, []malformed{
		{"type 4", s, unhex(t, "04000000"), "type 4"},
		{"cookie cut", s, unhex(t, "03000000 2600 01000000 1c000000 1c000000 01000000 02000000 a802"), "TS_SAVE_SESSION_INFO_PDU_DATA"},
		{
			"cookie of 29 bytes", s, append(unhex(t, "03000000 2600 01000000 1d000000 1d000000 01000000"), make([]byte, 30)...),
			"auto-reconnect cookie of 29 bytes",
		},
		{"errors cut", s, unhex(t, "03000000 1200 02000000 08000000 06000000"), "TS_SAVE_SESSION_INFO_PDU_DATA"},
	})
}

func TestErrorInfoTexts(t *testing.T) {
	seen := map[string]ErrorInfo{}
	for e, text := range errorInfos {
		if other, dup := seen[text]; dup || text == "" || e.String() != text {
			t.Errorf("%#x and %#x are both %q", uint32(e), uint32(other), text)
		}
		seen[text] = e
	}
	for e, text := range map[ErrorInfo]string{
		0x10c9: "did not understand the gateway (error info 0x10c9)", 0x1195: "did not understand", 0x7777: "did not understand",
		0x500: "error info 0x500",
	} {
		if !strings.Contains(e.String(), text) {
			t.Errorf("%#x is %q, want %q", uint32(e), e, text)
		}
	}
}
