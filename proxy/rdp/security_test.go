package rdp

import (
	"bytes"
	"strings"
	"testing"
)

func securityPDUs(t testing.TB) []pduCase {
	secure := func(flags byte, b []byte) []byte { return append([]byte{flags, 0, 0, 0}, b...) }
	full := ClientInfo{
		Flags: InfoUnicode | InfoMouse | InfoAutoLogon, Domain: "DÖMAIN", Username: "user😀", Password: "pässword",
		AlternateShell: "cmd", WorkingDir: `C:\`, ClientAddress: "10.0.0.1", PerformanceFlags: PerfEnableFontSmoothing,
		Reconnect: &ReconnectVerifier{LogonID: 7, Verifier: [16]byte{1, 2, 3}},
	}
	longest := ClientInfo{Flags: InfoUnicode, Domain: strings.Repeat("d", maxInfoString/2), Username: strings.Repeat("u", maxInfoString/2)}
	return []pduCase{
		{name: "heartbeat", bytes: unhex(t, "00400000 00050a0f"), pdu: &heartbeat{Heartbeat{Period: 5, Warn: 10, Reconnect: 15}}},
		{name: "round trip", bytes: unhex(t, "00100000 0600 0201 0100"), open: true, pdu: &rttRequestPDU{RTTRequest{Sequence: 0x102}}},
		{
			name: "round trip while connecting", bytes: unhex(t, "00100000 0600 0201 0110"), once: true, open: true,
			pdu: &rttRequestPDU{RTTRequest{Sequence: 0x102}},
		},
		{name: "4.1.10", bytes: secure(SecInfoPacket, example(t, "4.1.10")), once: true, open: true, pdu: &clientInfo{ClientInfo{
			Flags: 0x43b3, Domain: "NTDEV", Username: "eltons", ClientAddress: "157.59.242.156", PerformanceFlags: PerfDisableWallpaper,
		}}},
		{name: "without extension, ANSI", bytes: secure(SecInfoPacket, unhex(t, `00000000 01000000 0100020000000000 0000
			4400 757200 000000`)), once: true, pdu: &clientInfo{ClientInfo{Flags: InfoMouse, Domain: "D", Username: "ur"}}},
		func() pduCase { c := written("everything", &clientInfo{full}); c.open = true; return c }(),
		func() pduCase { c := written("the longest names", &clientInfo{longest}); c.open = true; return c }(),
	}
}

func TestSecurityMalformed(t *testing.T) {
	info := &clientInfo{}
	// The lengths of the five strings come behind the security header, the code page and the flags.
	const lengths = 12
	good := (&clientInfo{ClientInfo{Username: "u"}}).Append(nil)
	const address = lengths + 10 + 5*2 + 2 + 2 // the length of the address
	cookie := (&clientInfo{ClientInfo{Reconnect: &ReconnectVerifier{}}}).Append(nil)
	cookieLength := len(cookie) - reconnectCookieBytes - 2
	refuseAll(t, []malformed{
		{"encrypted", info, set(good, 0, SecInfoPacket|SecEncrypt), "encrypted"},
		{"half a header", info, good[:3], "TS_SECURITY_HEADER"},
		// CVE-2025-68670: a server that trusted the domain's length.
		{"domain of 513 bytes", info, set(good, lengths, 1, 2), "string 0 of 513 bytes exceeds 512"},
		{"domain of 65535 bytes", info, set(good, lengths, 0xff, 0xff), "string 0 of 65535 bytes exceeds 512"},
		{"domain beyond the end", info, set(good[:lengths+22], lengths, 0xff, 1), "TS_INFO_PACKET"},
		{"working directory too long", info, set(good, lengths+8, 2, 2), "string 4 of 514 bytes"},
		{"address too long", info, set(good, address, 81), "client address of 81 bytes exceeds 80"},
		{"directory too long", info, set(good, address+4, 1, 2), "client directory of 513 bytes exceeds 512"},
		{"cookie of 27 bytes", info, set(cookie, cookieLength, 27), "auto-reconnect cookie of 27 bytes"},
		{"cookie that says 29 bytes", info, set(cookie, cookieLength+2, 29), "auto-reconnect cookie of 29 bytes"},
		{"cookie of version 2", info, set(cookie, cookieLength+6, 2), "version 2"},
		{"heartbeat too long", &heartbeat{}, unhex(t, "004000000005050500"), "1 bytes left over"},
		{"request with a short header", &rttRequestPDU{}, unhex(t, "00100000 050001000100"), "header of 5 bytes"},
		{"response for a request", &rttRequestPDU{}, unhex(t, "00100000 060101000100"), "type 1"},
	})
}

func TestRTT(t *testing.T) {
	if got, want := AppendRTTResponse(nil, 0x102), unhex(t, "00200000 0601 0201 0000"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	var q RTTRequest
	if ok, err := q.Decode(unhex(t, "0600 0300 1400")); ok || err != nil { // bandwidth measure start
		t.Errorf("wants an answer %v: %v", ok, err)
	}
}

// The verifier was computed apart: HMAC-MD5 with the example's random bits as the key, of 32 zeros ([MS-RDPBCGR] 5.5).
func TestReconnectVerifier(t *testing.T) {
	k := exampleCookie(t)
	v := k.Verifier()
	if want := unhex(t, "42b79a4816eadad634d68c5edce864b9"); v.LogonID != 2 || !bytes.Equal(v.Verifier[:], want) {
		t.Errorf("%+v, want %x", v, want)
	}
}

// FuzzRTTResponse gives what a client answers to a measurement of the round trip: nothing shorter than its header has a sequence number.
func FuzzRTTResponse(f *testing.F) {
	f.Add([]byte{6, 1, 5, 0, 0, 0})
	f.Add([]byte{14, 1, 5, 0, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		sequence, ok, err := DecodeRTTResponse(b)
		if err != nil && !allowed(err) {
			t.Fatal(err)
		}
		if err == nil && ok && (b[0] < 6 || b[1] != 1 || sequence != uint16(b[2])|uint16(b[3])<<8) {
			t.Fatalf("% x answers %d", b, sequence)
		}
	})
}
