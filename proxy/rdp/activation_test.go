package rdp

import (
	"bytes"
	"reflect"
	"testing"
)

// as decodes bytes into p, for cases whose fields another test looks at.
func as(t testing.TB, p pdu, b []byte) pdu {
	t.Helper()
	if err := p.Decode(b); err != nil {
		t.Fatal(err)
	}
	return p
}

func everyCapability() []Capability {
	return []Capability{
		&GeneralCapability{OSMajor: 1, OSMinor: 3, ExtraFlags: FastPathOutput | LongCredentials, RefreshRect: true},
		&BitmapCapability{BitsPerPixel: 32, Width: 1920, Height: 1080, Resize: true, DrawingFlags: DrawAllowSkipAlpha},
		&PointerCapability{ColorCacheSize: 20, CacheSize: 21},
		&InputCapability{Flags: InputScancodes | InputFastPath2, KeyboardLayout: 0x407},
		&VirtualChannelCapability{Flags: 1, ChunkSize: 1600},
		&MultifragmentUpdateCapability{MaxRequestSize: MaxUpdate},
		&LargePointerCapability{Flags: LargePointer96 | LargePointer384},
		&SurfaceCommandsCapability{Flags: SurfaceSetBits | SurfaceFrameMarker},
		&BitmapCodecsCapability{Codecs: []BitmapCodec{
			{GUIDNSCodec, 1, NSCodecProperties{DynamicFidelity: true, ColorLossLevel: 3}.Append(nil)},
			{GUIDRemoteFX, 3, AppendRemoteFXClient(nil)},
		}},
		&FrameAcknowledgeCapability{MaxUnacknowledged: 2},
		&RawCapability{Kind: CapOrder, Body: bytes.Repeat([]byte{7}, 84)},
		&RawCapability{Kind: CapFont, Body: []byte{}},
	}
}

func activationPDUs(t testing.TB) []pduCase {
	demand, confirm := example(t, "4.1.12")[shareHeader:], example(t, "4.1.13")[shareHeader:]
	return []pduCase{
		{name: "4.1.12", bytes: demand, pdu: as(t, &DemandActive{}, demand), once: true, open: true},
		{name: "4.1.13", bytes: confirm, pdu: as(t, &ConfirmActive{}, confirm), once: true, open: true},
		func() pduCase {
			c := written("everything", &DemandActive{ShareID: 0x103ea, Capabilities: everyCapability()})
			c.open = true
			return c
		}(),
		func() pduCase {
			c := written("everything", &ConfirmActive{ShareID: 0x103ea, Capabilities: everyCapability()})
			c.open = true
			return c
		}(),
		{
			name: "nothing", bytes: unhex(t, "ea030100 0400 0400 52445000 0000 0000 00000000"), open: true,
			pdu: &DemandActive{ShareID: 0x103ea, Capabilities: []Capability{}},
		},
		// FreeRDP and old servers count the combined length in ways of their own.
		{
			name: "with a wrong combined length", bytes: unhex(t, "ea030100 0000 0400 0100 0000 1b000600 0100"), once: true, open: true,
			pdu: &DemandActive{ShareID: 0x103ea, Capabilities: []Capability{&LargePointerCapability{Flags: 1}}},
		},
	}
}

func TestDemandActiveExample(t *testing.T) {
	var d DemandActive
	if err := d.Decode(example(t, "4.1.12")[shareHeader:]); err != nil {
		t.Fatal(err)
	}
	var kinds []CapabilityType
	for _, c := range d.Capabilities {
		kinds = append(kinds, c.Type())
	}
	want := []CapabilityType{
		CapShare, CapGeneral, CapVirtualChannel, 22, CapFont, CapBitmap, CapOrder, CapColorCache, 18, CapPointer, CapInput, 23, 24,
	}
	if d.ShareID != 0x103ea || !reflect.DeepEqual(kinds, want) {
		t.Errorf("share %#x with %v, want %v", d.ShareID, kinds, want)
	}
	general, ok := FindCapability[*GeneralCapability](d.Capabilities)
	if want := (GeneralCapability{1, 3, 0x41d, true, true}); !ok || *general != want {
		t.Errorf("%+v, want %+v", general, want)
	}
	bitmap, ok := FindCapability[*BitmapCapability](d.Capabilities)
	if want := (BitmapCapability{BitsPerPixel: 24, Width: 1280, Height: 1024, Resize: true}); !ok || *bitmap != want {
		t.Errorf("%+v, want %+v", bitmap, want)
	}
	pointer, ok := FindCapability[*PointerCapability](d.Capabilities)
	if want := (PointerCapability{25, 25}); !ok || *pointer != want {
		t.Errorf("%+v, want %+v", pointer, want)
	}
	if input, ok := FindCapability[*InputCapability](d.Capabilities); !ok || input.Flags != 0x35 {
		t.Errorf("%+v", input)
	}
	if vc, ok := FindCapability[*VirtualChannelCapability](d.Capabilities); !ok || *vc != (VirtualChannelCapability{Flags: 2}) {
		t.Errorf("%+v", vc)
	}
	if c, ok := FindCapability[*LargePointerCapability](d.Capabilities); ok {
		t.Errorf("found %+v where there is none", c)
	}
}

func TestConfirmActiveExample(t *testing.T) {
	var c ConfirmActive
	if err := c.Decode(example(t, "4.1.13")[shareHeader:]); err != nil {
		t.Fatal(err)
	}
	bitmap, ok := FindCapability[*BitmapCapability](c.Capabilities)
	if c.ShareID != 0x103ea || len(c.Capabilities) != 18 || !ok || bitmap.Width != 1280 || bitmap.Height != 1024 {
		t.Errorf("share %#x with %d sets, %+v", c.ShareID, len(c.Capabilities), bitmap)
	}
}

func TestFindCodec(t *testing.T) {
	codecs, _ := FindCapability[*BitmapCodecsCapability](everyCapability())
	if c, ok := codecs.Find(GUIDRemoteFX); !ok || c.ID != 3 || len(c.Properties) != 49 {
		t.Errorf("%+v", c)
	}
	if c, ok := codecs.Find(GUID{1}); ok {
		t.Errorf("found %+v", c)
	}
}

func TestCapabilitiesMalformed(t *testing.T) {
	demand := func(count byte, sets string) []byte {
		return append(unhex(t, "ea030100 0400 ff00 52445000"), append([]byte{count, 0, 0, 0}, unhex(t, sets)...)...)
	}
	d := &DemandActive{}
	refuseAll(t, []malformed{
		{"set of 0 bytes", d, demand(1, "01000000"), "capability set 1 of 0 bytes is shorter than its header of 4"},
		{"set of 3 bytes", d, demand(1, "01000300"), "of 3 bytes"},
		{"set beyond the end", d, demand(1, "0e00ffff 0000"), "65531 bytes wanted"},
		{"fewer sets than counted", d, demand(2, "0e000400"), "TS_DEMAND_ACTIVE_PDU"},
		{"65 sets", d, demand(65, "0e000400"), "65 capability sets exceed 64"},
		{"65535 sets", d, set(demand(0, ""), 12, 0xff, 0xff), "65535 capability sets exceed 64"},
		{"source descriptor too long", d, unhex(t, "ea030100 0104 0400"), "source descriptor of 1025 bytes"},
		{"source descriptor beyond the end", d, unhex(t, "ea030100 0004 0400 5244"), "1024 bytes wanted"},
		{"combined length 3", d, unhex(t, "ea030100 0000 0300 00000000"), "combined capabilities of 3 bytes"},
		{"general set too short", d, demand(1, "01000600 0100"), "capability set"},
		{"bitmap set too short", d, demand(1, "02000800 20000100"), "capability set"},
		{"multifragment set empty", d, demand(1, "1a000400"), "capability set"},
		{"33 codecs", d, demand(1, "1d000500 21"), "33 bitmap codecs exceed 32"},
		{"codec cut", d, demand(1, "1d000600 0100"), "capability set"},
		{"codec properties beyond the set", d, demand(1, "1d001800 01 000102030405060708090a0b0c0d0e0f 01 0100"), "1 bytes wanted"},
		{"confirm cut", &ConfirmActive{}, unhex(t, "ea030100 ea03 0400"), "TS_CONFIRM_ACTIVE_PDU"},
	})
}

// Sets of older versions are shorter; what they lack is zero.
func TestShortCapabilities(t *testing.T) {
	for text, want := range map[string]Capability{
		"01001600 0100 0300 0002 0000 0000 1d04 0000 0000 0000": &GeneralCapability{OSMajor: 1, OSMinor: 3, ExtraFlags: 0x41d},
		"08000800 0100 1900": &PointerCapability{ColorCacheSize: 25},
		"0d000600 0500":      &InputCapability{Flags: 5},
		"14000800 01000000":  &VirtualChannelCapability{Flags: 1},
	} {
		var d DemandActive
		err := d.Decode(append(unhex(t, "ea030100 0000 ff00 01000000"), unhex(t, text)...))
		if err != nil || len(d.Capabilities) != 1 || !reflect.DeepEqual(d.Capabilities[0], want) {
			t.Errorf("%s: %+v, want %+v: %v", text, d.Capabilities, want, err)
		}
	}
}
