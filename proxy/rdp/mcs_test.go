package rdp

import (
	"bytes"
	"errors"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func mcsPDUs(t testing.TB) []pduCase {
	return []pduCase{
		{name: "4.1.5", bytes: x224(t, unhex(t, "0300000c02f0800401000100")), pdu: &DomainPDU{Kind: MCSErectDomainRequest}},
		{name: "4.1.6", bytes: x224(t, unhex(t, "0300000802f08028")), pdu: &DomainPDU{Kind: MCSAttachUserRequest}},
		{name: "4.1.7", bytes: x224(t, unhex(t, "0300000b02f0802e000006")), pdu: &DomainPDU{Kind: MCSAttachUserConfirm, User: 1007}},
		{
			name: "4.1.8.1.1", bytes: x224(t, unhex(t, "0300000c02f08038000603ef")),
			pdu: &DomainPDU{Kind: MCSChannelJoinRequest, User: 1007, Channel: 1007},
		},
		{
			name: "4.1.8.1.2", bytes: x224(t, unhex(t, "0300000f02f0803e00000603ef03ef")),
			pdu: &DomainPDU{Kind: MCSChannelJoinConfirm, User: 1007, Channel: 1007},
		},
		{
			name: "4.2.3", bytes: x224(t, unhex(t, "0300000902f0802180")),
			pdu: &DomainPDU{Kind: MCSDisconnectProviderUltimatum, Reason: ReasonUserRequested},
		},
		{name: "nobody let in", bytes: unhex(t, "2c80"), pdu: &DomainPDU{Kind: MCSAttachUserConfirm, Result: 8}},
		{
			name: "join refused", bytes: unhex(t, "3c30000603ef"), once: true,
			pdu: &DomainPDU{Kind: MCSChannelJoinConfirm, Result: 3, User: 1007, Channel: 1007},
		},
		{
			name: "data of a client", bytes: unhex(t, "64000603eb7003010203"),
			pdu: &DomainPDU{Kind: MCSSendDataRequest, User: 1007, Channel: 1003, Data: []byte{1, 2, 3}},
		},
		{
			name: "data of a server", bytes: append(unhex(t, "68000103eb708080"), make([]byte, 128)...),
			pdu: &DomainPDU{Kind: MCSSendDataIndication, User: 1002, Channel: 1003, Data: make([]byte, 128)},
		},
		{
			name: "the most data", bytes: append(unhex(t, "68000103eb70bfff"), make([]byte, MaxChannelData)...),
			pdu: &DomainPDU{Kind: MCSSendDataIndication, User: 1002, Channel: 1003, Data: make([]byte, MaxChannelData)},
		},
		{
			name: "provider initiated", bytes: unhex(t, "2080"),
			pdu: &DomainPDU{Kind: MCSDisconnectProviderUltimatum, Reason: ReasonProviderInitiated},
		},
		{name: "4.1.3", bytes: x224(t, example(t, "4.1.3")), once: true, open: true, pdu: &connectInitial{clientBlocks(t)}},
		{name: "4.1.4", bytes: x224(t, example(t, "4.1.4")), once: true, open: true, pdu: &connectResponse{serverBlocks(t)}},
	}
}

// clientBlocks and serverBlocks are the user data of the examples 4.1.3 and 4.1.4, found by their H.221 keys.
func clientBlocks(t testing.TB) []byte { return blocks(t, "4.1.3", "Duca\x81\x1c", 0x11c) }
func serverBlocks(t testing.TB) []byte { return blocks(t, "4.1.4", "McDn\x81\x08", 0x108) }

func blocks(t testing.TB, section, key string, n int) []byte {
	t.Helper()
	_, b, ok := bytes.Cut(example(t, section), []byte(key))
	if !ok || len(b) != n {
		t.Fatalf("%d bytes of settings in %s, want %d", len(b), section, n)
	}
	return b
}

// The examples were written by a stack with the same parameters but for sizes, so ours differ little.
func TestConnectPDUsAsInTheExamples(t *testing.T) {
	initial := AppendConnectInitial(nil, func(b []byte) []byte { return append(b, clientBlocks(t)...) })
	want := x224(t, example(t, "4.1.3"))
	if len(initial) < 300 || !bytes.Equal(initial[len(initial)-300:], want[len(want)-300:]) {
		t.Errorf("%x, want the end of %x", initial, want)
	}
	// In the response, the length of the connect PDU (0x2a) is one of those that are known to be wrong.
	response := AppendConnectResponse(nil, func(b []byte) []byte { return append(b, serverBlocks(t)...) })
	want = x224(t, example(t, "4.1.4"))
	const fromH221 = 0x108 + 6
	if !bytes.Equal(response[len(response)-fromH221:], want[len(want)-fromH221:]) {
		t.Errorf("%x, want the end of %x", response, want)
	}
}

func TestAppendChannelData(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, MaxChannelData} {
		data := bytes.Repeat([]byte{0x5a}, n)
		var p DomainPDU
		err := p.Decode(x224(t, AppendChannelData(nil, MCSSendDataRequest, 1007, 1003, func(b []byte) []byte { return append(b, data...) })))
		if err != nil || p.Kind != MCSSendDataRequest || p.User != 1007 || p.Channel != 1003 || !bytes.Equal(p.Data, data) {
			t.Errorf("%d bytes: %+v, %v", n, p, err)
		}
	}
}

func TestMCSMalformed(t *testing.T) {
	pdu, initial, response := &DomainPDU{}, &connectInitial{}, &connectResponse{}
	ci, cr := x224(t, example(t, "4.1.3")), x224(t, example(t, "4.1.4"))
	gcc := bytes.Index(cr, []byte("McDn"))
	gcr := bytes.Index(ci, []byte("Duca"))
	refuseAll(t, []malformed{
		{"empty", pdu, nil, "MCS domain PDU"},
		{"unknown kind", pdu, unhex(t, "fc00"), "kind 63 is not known"},
		{"user id beyond 16 bits", pdu, unhex(t, "2e00ffff"), "user id 66536"},
		{"another channel joined", pdu, unhex(t, "3e00000603ef03ee"), "channel 1006 joined, 1007 requested"},
		{"segmented", pdu, unhex(t, "68000103eb6001ff"), "segmented data (0x60)"},
		{"fragmented length", pdu, unhex(t, "68000103eb70c1ff"), "fragmented length 0xc1"},
		{"data too long", pdu, unhex(t, "68000103eb70bfff00"), "16383 bytes wanted"},
		{"data too short", pdu, unhex(t, "68000103eb70010000"), "1 bytes left over"},

		{"a response for an initial", initial, cr, "tag 0x7f66, want 0x7f65"},
		{"indefinite length", initial, set(ci, 2, 0x80), "indefinite length"},
		{"length of five octets", initial, set(ci, 2, 0x85, 0, 0, 0), "length of 5 octets"},
		{"length of 127 octets", initial, set(ci, 2, 0xff), "length of 127 octets"},
		{"huge length", initial, set(ci, 2, 0x84, 0xff, 0xff, 0xff, 0xff), "length 4294967295"},
		{"length beyond the end", initial, set(ci, 3, 0x01, 0x95), "length 405, 404 bytes left"},
		{"inner length beyond the end", initial, set(ci, 6, 0x84, 0x7f, 0xff, 0xff, 0xff), "length 2147483647"},
		{"no user data", initial, set(ci, gcr-7, 0), "has no user data"},
		{"another key", initial, set(ci, gcr, 'd'), `the H.221 key is not "Duca"`},
		{"user data beyond the end", initial, set(ci, gcr+4, 0xbf, 0xff), "16383 bytes wanted"},

		{"refused", response, set(cr, 7, 1), "refused with result 1"},
		{"result of no octets", response, append(unhex(t, "7f66 8200ff 0a00"), make([]byte, 253)...), "integer of 0 octets"},
		{"result of six octets", response, append(unhex(t, "7f66 8200ff 0a06 000000000001"), make([]byte, 247)...), "integer of 6 octets"},
		{"another object identifier", response, set(cr, gcc-13, 9), "not that of T.124"},
		{"a request's choice", response, set(cr, gcc-9, 0), "choice 0x0, want 0x14"},
		{"two sets", response, set(cr, gcc-3, 2), "2 sets of user data"},
		{"another kind of key", response, set(cr, gcc-2, 0), "user data key 0x0"},
		{"longer key", response, set(cr, gcc-1, 255), "the H.221 key is not"},
	})
}

func TestMCSUserDataTooLong(t *testing.T) {
	inner := appendBER(nil, berEnumerated, func(b []byte) []byte { return append(b, 0) })
	inner = appendBERInteger(inner, 0)
	inner = appendDomainParameters(inner, &domainParameters[0])
	inner = append(append(inner, berOctets, 0x83, 0, 0x40, 1), make([]byte, maxConnectUserData+1)...)
	b := append([]byte{0x7f, 0x66, 0x83, byte(len(inner) >> 16), byte(len(inner) >> 8), byte(len(inner))}, inner...)
	if _, err := DecodeConnectResponse(b); !errors.Is(err, wire.ErrMalformed) || !bytes.Contains([]byte(err.Error()), []byte("16385 bytes exceeds 16384")) {
		t.Errorf("%v", err)
	}
}

func TestBERIntegers(t *testing.T) {
	for _, v := range []uint32{0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 23, 1<<24 - 1, 1 << 24, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		r := wire.NewReader("INTEGER", appendBERInteger(nil, v))
		if got := berUint(r, berInteger); got != v || r.End() != nil {
			t.Errorf("%d became %d: %v", v, got, r.Err())
		}
	}
	for _, n := range []int{0, 127, 128, 255, 256, 65535} {
		r := wire.NewReader("length", append(appendBERLength(nil, n), make([]byte, n)...))
		if got := berLength(r); got != n || r.Len() != n {
			t.Errorf("length %d became %d: %v", n, got, r.Err())
		}
	}
}

// TestErectDomain reads the heights that rdesktop writes as numbers of 16 bits.
func TestErectDomain(t *testing.T) {
	var p DomainPDU
	if err := p.Decode(unhex(t, "0400010001")); err != nil || p.Kind != MCSErectDomainRequest {
		t.Errorf("%v: %v", p.Kind, err)
	}
}
