package rdp

import (
	"reflect"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// written is a case whose bytes are our own, for PDUs too long to write down: it shows that nothing gets lost.
func written(name string, p pdu) pduCase { return pduCase{name: name, bytes: p.Append(nil), pdu: p} }

func settingsPDUs(t testing.TB) []pduCase {
	core := ClientCoreData{
		Version: 0x00080004, Width: 1280, Height: 1024, KeyboardLayout: 0x409, ClientBuild: 3790, ClientName: "ELTONS-DEV2",
		HighColorDepth: 24, SupportedDepths: Depth24 | Depth16 | Depth15, EarlyCapabilities: SupportErrorInfo,
	}
	return []pduCase{
		{name: "4.1.3", bytes: clientBlocks(t), once: true, pdu: &ClientSettings{Core: core, Cluster: true, Channels: []ChannelDef{
			{"rdpdr", ChannelInitialized | ChannelCompressRDP},
			{"cliprdr", ChannelInitialized | ChannelEncryptRDP | ChannelCompressRDP | ChannelShowProtocol},
			{"rdpsnd", ChannelInitialized | ChannelEncryptRDP},
		}}},
		{name: "4.1.4", bytes: serverBlocks(t), once: true, pdu: &ServerSettings{
			Version: Version5, HasRequested: true, EncryptionMethod: 2, EncryptionLevel: 2, IOChannel: 1003, Channels: []uint16{1004, 1005, 1006},
		}},
		written("everything", &ClientSettings{
			Core: ClientCoreData{
				Version: Version107, Width: 3840, Height: 2160, ClientBuild: 1, ClientName: "gateway", HighColorDepth: 24,
				SupportedDepths: 15, EarlyCapabilities: Want32BPPSession | SupportHeartbeat, ConnectionType: ConnectionTypeLAN,
				SelectedProtocol: ProtocolHybridEx, DesktopScaleFactor: 150,
			},
			Channels: make31(), Cluster: true, RedirectedSession: 7, MessageChannel: true,
		}),
		{
			name: "of xrdp, with a core block of 8 bytes", bytes: unhex(t, "010c080004000800 030c0800eb030000"), once: true,
			pdu: &ServerSettings{Version: Version5, IOChannel: 1003, Channels: []uint16{}},
		},
		{name: "with padding and a message channel", bytes: unhex(t, `010c10000c000800 03000000 09000000 030c0c00eb030100ec030000
			020c0c000000000000000000 040c0600ed03`), pdu: &ServerSettings{
			Version: Version107, HasRequested: true,
			RequestedProtocols: ProtocolTLS | ProtocolHybrid, EarlyCapabilities: 9, IOChannel: 1003, Channels: []uint16{1004}, MessageChannel: 1005,
		}},
		{
			name: "with a block nobody knows", bytes: unhex(t, "010c0800 04000800 ff0f0600abcd 030c0800eb030000"), once: true,
			pdu: &ServerSettings{Version: Version5, IOChannel: 1003, Channels: []uint16{}},
		},
	}
}

func make31() []ChannelDef {
	c := make([]ChannelDef, MaxChannels)
	for i := range c {
		c[i] = ChannelDef{Name: "chan" + string(rune('A'+i)), Options: uint32(i)}
	}
	return c
}

// Old clients end the core block anywhere behind its fixed part; what they left out is zero.
func TestClientCoreShort(t *testing.T) {
	whole := (&ClientCoreData{
		Version: 1, Width: 2, Height: 3, ClientName: "n", HighColorDepth: 4, SupportedDepths: 5, EarlyCapabilities: 6,
		ConnectionType: 7, SelectedProtocol: 8, DesktopScaleFactor: 9,
	}).append(nil)[blockHeader:]
	for n := range len(whole) + 1 {
		var c ClientCoreData
		err := c.decode(whole[:n])
		if n < minClientCoreBody {
			if err == nil {
				t.Errorf("%d bytes were taken", n)
			}
			continue
		}
		want := ClientCoreData{Version: 1, Width: 2, Height: 3, ClientName: "n"}
		if n >= minClientCoreBody+10 {
			want.HighColorDepth = 4
		}
		if n >= minClientCoreBody+12 {
			want.SupportedDepths = 5
		}
		if n >= minClientCoreBody+14 {
			want.EarlyCapabilities = 6
		}
		if n >= minClientCoreBody+79 {
			want.ConnectionType = 7
		}
		if n >= minClientCoreBody+84 {
			want.SelectedProtocol = 8
		}
		if n >= minClientCoreBody+98 {
			want.DesktopScaleFactor = 9
		}
		if err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%d bytes: %+v, want %+v: %v", n, c, want, err)
		}
	}
}

// A name longer than its field is cut, and the terminator stays.
func TestSettingsCutNames(t *testing.T) {
	in := ClientSettings{Core: ClientCoreData{ClientName: "sixteen letters and more"}, Channels: []ChannelDef{{Name: "ninechars"}}}
	var out ClientSettings
	if err := out.Decode(in.Append(nil)); err != nil || out.Core.ClientName != "sixteen letters" || out.Channels[0].Name != "ninecha" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestSettingsMalformed(t *testing.T) {
	client, server := &ClientSettings{}, &ServerSettings{}
	core := (&ClientSettings{Core: ClientCoreData{ClientName: "x"}}).Append(nil)
	serverCore, network := unhex(t, "010c080004000800"), unhex(t, "030c0800eb030000")
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	many := join(core, unhex(t, "03c0880120000000"), make([]byte, 32*12))
	refuseAll(t, []malformed{
		{"no blocks", client, nil, "TS_UD_CS_CORE is missing"},
		{"no blocks of a server", server, nil, "TS_UD_SC_CORE is missing"},
		{"no network block", server, serverCore, "TS_UD_SC_NET is missing"},
		{"no core block", server, network, "TS_UD_SC_CORE is missing"},
		{"block of 3 bytes", server, unhex(t, "010c0300"), "length 3 is shorter than the header of 4"},
		{"block of 0 bytes", client, unhex(t, "01c00000"), "length 0 is shorter"},
		{"block beyond the end", client, set(core, 2, 0xff, 0xff), "65531 bytes wanted"},
		{"half a header", server, join(serverCore, network, []byte{4, 0x0c, 6}), "TS_UD_HEADER"},
		{"core block too short", client, unhex(t, "01c00800 04000800"), "TS_UD_CS_CORE"},
		{"core block empty", server, unhex(t, "010c0400"), "TS_UD_SC_CORE"},
		{"32 channels", client, many, "channelCount 32 exceeds 31"},
		{"4 billion channels", client, set(many, len(core)+4, 0xff, 0xff, 0xff, 0xff), "channelCount 4294967295 exceeds 31"},
		{"channels missing", client, join(core, unhex(t, "03c0080001000000")), "TS_UD_CS_NET"},
		{"32 channel ids", server, join(serverCore, unhex(t, "030c0800eb032000")), "channelCount 32 exceeds 31"},
		{"channel ids missing", server, join(serverCore, unhex(t, "030c0800eb030100")), "TS_UD_SC_NET"},
		{"security block short", server, join(serverCore, network, unhex(t, "020c080000000000")), "TS_UD_SC_SEC1"},
		{"message channel short", server, join(serverCore, network, unhex(t, "040c0500ee")), "TS_UD_SC_MCS_MSGCHANNEL"},
		{"cluster block short", client, join(core, unhex(t, "04c0080001000000")), "TS_UD_CS_CLUSTER"},
	})
}

// A decoder that fails leaves what it was given as it was.
func TestSettingsUntouched(t *testing.T) {
	s := ServerSettings{IOChannel: 5}
	if err := s.Decode(unhex(t, "010c0800040008000000")); err == nil || s.IOChannel != 5 {
		t.Errorf("%+v, %v", s, err)
	}
	c := ClientSettings{RedirectedSession: 5}
	if err := c.Decode(wire.AppendUTF16(nil, "no blocks")); err == nil || c.RedirectedSession != 5 {
		t.Errorf("%+v, %v", c, err)
	}
}
