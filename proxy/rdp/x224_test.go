package rdp

import (
	"errors"
	"strings"
	"testing"
)

func x224PDUs(t testing.TB) []pduCase {
	const token = "Cookie: msts=3640205228.15629.0000"
	return []pduCase{
		{name: "4.1.1", bytes: tpkt(t, unhex(t, `0300002c27e00000000000436f6f6b69653a206d737473686173683d656c746f6e73
			0d0a0100080000000000`)), pdu: &ConnectionRequest{Cookie: "eltons", Negotiable: true}},
		{name: "4.1.2", bytes: tpkt(t, unhex(t, "030000130ed000001234000200080000000000")), pdu: &ConnectionConfirm{Negotiated: true}},
		{
			name: "NLA", bytes: unhex(t, "0ee00000000000 0103080003000000"),
			pdu: &ConnectionRequest{Negotiable: true, Flags: 3, Protocols: ProtocolTLS | ProtocolHybrid},
		},
		{name: "of a client without negotiation", bytes: unhex(t, "06e00000000000"), pdu: &ConnectionRequest{}},
		{
			name: "with a routing token", bytes: append(append(unhex(t, "32e00000000000"), token+"\r\n"...), 1, 0, 8, 0, 1, 0, 0, 0),
			pdu: &ConnectionRequest{RoutingToken: []byte(token), Negotiable: true, Protocols: ProtocolTLS},
		},
		{
			name: "with an empty cookie", bytes: append(unhex(t, "19e00000000000"), "Cookie: mstshash=\r\n"...),
			pdu: &ConnectionRequest{}, once: true,
		},
		{
			name: "with correlation", bytes: append(unhex(t, "32e00000000000 0108080001000000 06002400"), make([]byte, 32)...),
			pdu: &ConnectionRequest{Negotiable: true, Flags: correlationInfoPresent, Protocols: ProtocolTLS}, once: true,
		},
		{
			name: "TLS", bytes: unhex(t, "0ed00000123400 021f080001000000"),
			pdu: &ConnectionConfirm{Negotiated: true, Flags: 0x1f, Protocol: ProtocolTLS},
		},
		{name: "of a server without negotiation", bytes: unhex(t, "06d00000123400"), pdu: &ConnectionConfirm{}},
		{
			name: "refusal", bytes: unhex(t, "0ed00000123400 0300080005000000"),
			pdu: &ConnectionConfirm{Negotiated: true, Failure: FailureHybridRequired},
		},
		{name: "data", bytes: unhex(t, "02f080 010203"), pdu: &dataTPDU{[]byte{1, 2, 3}}, open: true},
		{name: "no data", bytes: unhex(t, "02f080"), pdu: &dataTPDU{[]byte{}}, open: true},
	}
}

func TestX224Malformed(t *testing.T) {
	request, confirm, data := &ConnectionRequest{}, &ConnectionConfirm{}, &dataTPDU{}
	refuseAll(t, []malformed{
		{"empty", request, nil, "X.224 TPDU"},
		{"confirm for a request", request, unhex(t, "06d00000000000"), "code 0xd0, want 0xe0"},
		{"length too small", request, unhex(t, "05e00000000000"), "length indicator 5, 6 bytes follow"},
		{"length too large", confirm, unhex(t, "07d00000000000"), "length indicator 7, 6 bytes follow"},
		{"request of type 2", request, unhex(t, "0ee00000000000 0200080000000000"), "type 2"},
		{"request of length 9", request, unhex(t, "0ee00000000000 0100090000000000"), "length 9"},
		{"request with a rest", request, unhex(t, "0fe00000000000 0100080000000000 00"), "1 bytes left over"},
		{"correlation missing", request, unhex(t, "0ee00000000000 0108080000000000"), "RDP_NEG_REQ"},
		{"cookie without end", request, append(unhex(t, "17e00000000000"), "Cookie: mstshash="...), "type 67"},
		{"confirm of type 9", confirm, unhex(t, "0ed00000000000 0900080000000000"), "type 9"},
		{"confirm of length 7", confirm, unhex(t, "0ed00000000000 0200070000000000"), "length 7"},
		{"failure 0", confirm, unhex(t, "0ed00000000000 0300080000000000"), "failure code 0"},
		{"half a confirm", confirm, unhex(t, "0ad00000000000 02000800"), "RDP_NEG_RSP"},
		{"data without end of TSDU", data, unhex(t, "02f000"), "0xf0 0x0"},
		{"data with a longer header", data, unhex(t, "03f08000"), "0x3"},
		{"data of another code", data, unhex(t, "02e080"), "0xe0"},
	})
}

func TestX224Disconnect(t *testing.T) {
	if _, err := DecodeX224Data(unhex(t, "0680 00000000 00")); !errors.Is(err, ErrDisconnected) {
		t.Errorf("disconnect request: %v", err)
	}
}

func TestNegotiationFailures(t *testing.T) {
	seen := map[string]bool{}
	for f := FailureTLSRequired; f <= FailureTLSWithUserRequired+1; f++ {
		text := f.String()
		if !strings.HasPrefix(text, "it ") || seen[text] {
			t.Errorf("%d is %q", f, text)
		}
		seen[text] = true
	}
}
