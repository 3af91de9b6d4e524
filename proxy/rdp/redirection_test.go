package rdp

import (
	"bytes"
	"strings"
	"testing"
)

func redirectionPDUs(t testing.TB) []pduCase {
	password := bytes.Index(exampleRedirection(t), []byte("DSHL")) - 4
	target := Redirection{
		SessionID:        2,
		Flags:            0x31d,
		TargetNetAddress: "2001:4898:2b:2:9de7:4569:fb39:ef29",
		Username:         "administrator",
		Domain:           "TS-STRESS1",
		Password:         exampleRedirection(t)[password : password+0x78],
		TargetFQDN:       "jiazou-test2.ts-stress1.nttest.microsoft.com",
		TargetNetBIOS:    "JIAZOU-TEST2",
	}
	return []pduCase{
		{name: "4.6", bytes: exampleRedirection(t), once: true, open: true, pdu: &target},
		{
			name: "load balancing only", bytes: unhex(t, "0004 1500 07000000 02000000 05000000 746f6b656e"), open: true,
			pdu: &Redirection{SessionID: 7, Flags: RedirectLoadBalanceInfo, LoadBalanceInfo: []byte("token")},
		},
		{name: "nothing", bytes: unhex(t, "0004 0c00 01000000 80000000"), open: true, pdu: &Redirection{SessionID: 1, Flags: RedirectNoRedirect}},
		func() pduCase {
			c := written("everything", &Redirection{
				SessionID: 1, Flags: RedirectTargetNetAddress | RedirectLoadBalanceInfo | RedirectUsername | RedirectDomain | RedirectPassword |
					RedirectTargetFQDN | RedirectTargetNetBIOSName | RedirectClientTsvURL | RedirectGUID | RedirectTargetCertificate,
				TargetNetAddress: "10.0.0.1", LoadBalanceInfo: []byte{1}, Username: "u", Domain: "d", Password: []byte{2, 3},
				TargetFQDN: "host.example", TargetNetBIOS: "HOST", TsvURL: []byte{4}, GUID: make([]byte, 16), Certificate: []byte{5, 6, 7},
			})
			c.open = true
			return c
		}(),
	}
}

// exampleRedirection is the packet in the enhanced security redirection PDU 4.6: behind MCS, the share control header and
// two bytes of padding.
func exampleRedirection(t testing.TB) []byte {
	t.Helper()
	var p DomainPDU
	if err := p.Decode(x224(t, example(t, "4.6"))); err != nil {
		t.Fatal(err)
	}
	s, rest, ok, err := DecodeShareControl(p.Data)
	if err != nil || !ok || s.Kind != ShareRedirection || len(rest) > 0 {
		t.Fatalf("kind %d, %d bytes behind it: %v", s.Kind, len(rest), err)
	}
	return s.Body[2:]
}

func TestRedirectionMalformed(t *testing.T) {
	p := &Redirection{}
	field := func(flag uint32, length string) []byte {
		return append((&Redirection{Flags: 0}).Append(nil)[:8], append([]byte{byte(flag), byte(flag >> 8), byte(flag >> 16), 0}, unhex(t, length)...)...)
	}
	refuseAll(t, []malformed{
		{"empty", p, nil, "RDP_SERVER_REDIRECTION_PACKET"},
		{"other flags", p, unhex(t, "0008 0c00 01000000 00000000"), "flags 0x800, want 0x400"},
		{"field of 4 GB", p, field(RedirectPassword, "ffffffff"), "field 0x10 of 4294967295 bytes exceeds 16384"},
		{"field of 16385 bytes", p, append(field(RedirectTargetCertificate, "01400000"), make([]byte, 16385)...), "of 16385 bytes"},
		{"field beyond the end", p, field(RedirectUsername, "04000000 6100"), "4 bytes wanted"},
		{"field missing", p, field(RedirectDomain, ""), "4 bytes wanted"},
	})
	longest := strings.Repeat("x", maxRedirectField/2-1)
	big := Redirection{Flags: RedirectUsername, Username: longest}
	if err := p.Decode(big.Append(nil)); err != nil || p.Username != longest {
		t.Errorf("a field as long as allowed: %v", err)
	}
}
