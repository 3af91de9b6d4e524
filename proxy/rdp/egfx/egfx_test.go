package egfx

import (
	"bytes"
	"encoding/hex"
	"errors"
	"image"
	"reflect"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// messages feeds decode, encode and the fuzz seeds: each whole message as the tables of the specification have it.
var messages = []struct {
	name, hex string
	message   Message
}{
	{
		"2.2.2.1", "0100 0000 1b000000 0700 0a00 20 0100 0200 0300 0400 02000000 aabb",
		&WireToSurface1{SurfaceID: 7, Codec: CodecPlanar, PixelFormat: FormatXRGB, DestRect: Rect16{1, 2, 3, 4}, Data: []byte{0xaa, 0xbb}},
	},
	{
		"2.2.2.2", "0200 0000 16000000 0700 0900 04030201 21 01000000 cc",
		&WireToSurface2{SurfaceID: 7, Codec: CodecCAProgressive, ContextID: 0x01020304, PixelFormat: FormatARGB, Data: []byte{0xcc}},
	},
	{"2.2.2.3", "0300 0000 0e000000 0700 04030201", &DeleteEncodingContext{SurfaceID: 7, ContextID: 0x01020304}},
	{
		"2.2.2.4", "0400 0000 20000000 0700 112233ff 0200 0000 0000 4000 4000 0100 0200 0300 0400",
		&SolidFill{SurfaceID: 7, Color: Color32{B: 0x11, G: 0x22, R: 0x33, XA: 0xff}, Rects: []Rect16{{0, 0, 64, 64}, {1, 2, 3, 4}}},
	},
	{
		"2.2.2.5", "0500 0000 1e000000 0100 0200 0000 0000 1000 1000 0200 0500 0600 ffff 0080",
		&SurfaceToSurface{Source: 1, Dest: 2, Rect: Rect16{0, 0, 16, 16}, Points: []Point16{{5, 6}, {-1, -32768}}},
	},
	{
		"2.2.2.6", "0600 0000 1c000000 0100 0807060504030201 0900 0100 0200 0300 0400",
		&SurfaceToCache{SurfaceID: 1, Key: 0x0102030405060708, Slot: 9, Rect: Rect16{1, 2, 3, 4}},
	},
	{"2.2.2.7", "0700 0000 12000000 0900 0100 0100 0500 0600", &CacheToSurface{Slot: 9, SurfaceID: 1, Points: []Point16{{5, 6}}}},
	{"2.2.2.8", "0800 0000 0a000000 0900", &EvictCacheEntry{Slot: 9}},
	{"2.2.2.9", "0900 0000 0f000000 0100 8007 3804 20", &CreateSurface{SurfaceID: 1, Width: 1920, Height: 1080, PixelFormat: FormatXRGB}},
	{"2.2.2.10", "0a00 0000 0a000000 0100", &DeleteSurface{SurfaceID: 1}},
	{"2.2.2.11", "0b00 0000 10000000 04030201 08070605", &StartFrame{Timestamp: 0x01020304, FrameID: 0x05060708}},
	{"2.2.2.12", "0c00 0000 0c000000 08070605", &EndFrame{FrameID: 0x05060708}},
	{
		"2.2.2.13", "0d00 0000 14000000 ffffffff 08070605 02000000",
		&FrameAcknowledge{QueueDepth: SuspendAcknowledge, FrameID: 0x05060708, FramesDecoded: 2},
	},
	{
		"2.2.2.14", "0e00 0000 54010000 80070000 38040000 01000000 ffffffff 00000000 7f070000 37040000 01000000" + strings.Repeat("00", 300),
		&ResetGraphics{Width: 1920, Height: 1080, Monitors: []Monitor{{Left: -1, Right: 1919, Bottom: 1079, Flags: 1}}},
	},
	{"2.2.2.15", "0f00 0000 14000000 0100 0000 04030201 08070605", &MapSurfaceToOutput{SurfaceID: 1, X: 0x01020304, Y: 0x05060708}},
	{
		"2.2.2.16", "1000 0000 16000000 0100 0807060504030201 00100000",
		&CacheImportOffer{Entries: []CacheEntry{{Key: 0x0102030405060708, Bytes: 4096}}},
	},
	{"2.2.2.17", "1100 0000 10000000 0300 0600 0900 0200", &CacheImportReply{Slots: []uint16{6, 9, 2}}},
	{
		"2.2.2.18", "1200 0000 2e000000 0200 04000800 04000000 02000000 00010a00 10000000" + strings.Repeat("00", 16),
		&CapsAdvertise{Sets: []CapSet{NewCapSet(CapVersion8, CapSmallCache), NewCapSet(CapVersion101, 0)}},
	},
	{
		"2.2.2.19", "1300 0000 14000000 01070a00 04000000 22000000",
		&CapsConfirm{Set: NewCapSet(CapVersion107, CapSmallCache|CapAVCDisabled)},
	},
	{
		"2.2.2.20", "1500 0000 1a000000 0100 0807060504030201 40000000 30000000",
		&MapSurfaceToWindow{SurfaceID: 1, WindowID: 0x0102030405060708, Width: 64, Height: 48},
	},
	{
		"2.2.2.21", "1600 0000 14000000 01000000 02000000 0300 0400",
		&QoEFrameAcknowledge{FrameID: 1, Timestamp: 2, TimeDiffSE: 3, TimeDiffEDR: 4},
	},
	{
		"2.2.2.22", "1700 0000 1c000000 0100 0000 01000000 02000000 03000000 04000000",
		&MapSurfaceToScaledOutput{SurfaceID: 1, X: 1, Y: 2, TargetWidth: 3, TargetHeight: 4},
	},
	{
		"2.2.2.23", "1800 0000 22000000 0100 0807060504030201 40000000 30000000 03000000 04000000",
		&MapSurfaceToScaledWindow{SurfaceID: 1, WindowID: 0x0102030405060708, Width: 64, Height: 48, TargetWidth: 3, TargetHeight: 4},
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fresh(m Message) Message { return reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message) }

func TestMessages(t *testing.T) {
	for _, c := range messages {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			command, body, rest, err := Next(append(bytes.Clone(b), 1, 2, 3))
			if err != nil || command != c.message.Command() || len(rest) != 3 {
				t.Fatalf("command %d, %d bytes after it, %v", command, len(rest), err)
			}
			got := fresh(c.message)
			for range 2 { // the second time with memory of the first
				if err := got.Decode(body); err != nil || !reflect.DeepEqual(got, c.message) {
					t.Errorf("decoded %+v, %v", got, err)
				}
			}
			if out := c.message.Append([]byte{0xee}); !bytes.Equal(out[1:], b) {
				t.Errorf("encoded %x, want %x", out[1:], b)
			}
			for n := range body {
				err := got.Decode(body[:n])
				if padding := command == CmdResetGraphics && n >= 32; (err == nil) != padding || err != nil && !errors.Is(err, wire.ErrMalformed) {
					t.Errorf("%d of %d bytes: %v", n, len(body), err)
				}
			}
			if err := got.Decode(append(bytes.Clone(body), 0)); (err == nil) != (command == CmdResetGraphics) {
				t.Errorf("with a byte more: %v", err)
			}
		})
	}
}

func TestRefusedMessages(t *testing.T) {
	for _, c := range []struct {
		want, hex string
		message   Message
	}{
		{"rectangle from 3,2 to 1,4", "0700 0a00 20 0300 0200 0100 0400 00000000", &WireToSurface1{}},
		{"rectangle from 1,4 to 3,2", "0100 0807060504030201 0900 0100 0400 0300 0200", &SurfaceToCache{}},
		{"pixelFormat 34 is none", "0100 8007 3804 22", &CreateSurface{}},
		{"bitmapDataLength 3, but 2 bytes", "0700 0a00 20 0100 0200 0300 0400 03000000 aabb", &WireToSurface1{}},
		{"bitmapDataLength 4294967295, but 0 bytes", "0700 0900 04030201 21 ffffffff", &WireToSurface2{}},
		{"65535 rectangles in 8 bytes", "0700 112233ff ffff 0000 0000 4000 4000", &SolidFill{}},
		{"65535 points in 4 bytes", "0900 0100 ffff 0500 0600", &CacheToSurface{}},
		{"monitorCount 17 exceeds 16", "80070000 38040000 11000000", &ResetGraphics{}},
		{"32767×1080 pixels, with at most 32766", "ff7f0000 38040000 00000000", &ResetGraphics{}},
		{"cacheEntriesCount 5462", "5615", &CacheImportOffer{}},
		{"cacheEntriesCount 2, with 12 bytes left", "0200 0807060504030201 00100000", &CacheImportOffer{}},
		{"importedEntriesCount 3, with 4 bytes left", "0300 0600 0900", &CacheImportReply{}},
		{"capsSetCount 65", "4100" + strings.Repeat("04000800 00000000", 65), &CapsAdvertise{}},
		{"capsDataLength 257 exceeds 256", "04000800 01010000" + strings.Repeat("00", 257), &CapsConfirm{}},
	} {
		err := c.message.Decode(unhex(t, c.hex))
		if !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
	for want, header := range map[string]string{
		"7 bytes of 8": "01000000080000", "pduLength 7 of 8": "0100000007000000", "pduLength 9 of 8": "0100000009000000",
		"pduLength 4294967295": "01000000ffffffff",
	} {
		if _, _, _, err := Next(unhex(t, header)); !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestClientCaps: no set lets the server send H.264, and none says what its version has no word for.
func TestClientCaps(t *testing.T) {
	seen := map[CapVersion]bool{}
	var names []string
	for _, set := range ClientCaps() {
		if seen[set.Version] {
			t.Errorf("%v twice", set.Version)
		}
		seen[set.Version] = true
		names = append(names, set.Version.String())
		flags := set.Flags()
		switch {
		case set.Version < CapVersion10 && flags != CapSmallCache,
			set.Version >= CapVersion10 && flags&(CapAVCDisabled|CapAVCThinClient) != CapAVCDisabled,
			set.Version == CapVersion103 && flags != CapAVCDisabled,
			set.Version != CapVersion107 && flags&CapScaledMapDisabled != 0, !set.SmallCache():
			t.Errorf("%v has flags %#x", set.Version, flags)
		}
	}
	if got := strings.Join(names, " "); got != "8.0 8.1 10.0 10.2 10.3 10.4 10.5 10.6 10.7" {
		t.Error(got)
	}
	if NewCapSet(CapVersion107, 0).SmallCache() || NewCapSet(CapVersion101, 0).SmallCache() || !NewCapSet(CapVersion8, CapThinClient).SmallCache() {
		t.Error("small cache")
	}
}

func TestGeometry(t *testing.T) {
	if got := (Rect16{1, 2, 0xffff, 0xfffe}).Rectangle(); got != image.Rect(1, 2, 0xffff, 0xfffe) {
		t.Error(got)
	}
	if got := (Point16{-32768, 32767}).Point(); got != image.Pt(-32768, 32767) {
		t.Error(got)
	}
}

func TestDecodeAllocations(t *testing.T) {
	fill := &SolidFill{Rects: make([]Rect16, 100)}
	_, body, _, err := Next(fill.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		if err := fill.Decode(body); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzMessages: each message of a stream that decodes encodes to one that decodes to the same.
func FuzzMessages(f *testing.F) {
	var all []byte
	for _, c := range messages {
		b := unhex(f, c.hex)
		f.Add(b)
		all = append(all, b...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			command, body, rest, err := Next(b)
			if err != nil {
				return
			}
			for _, c := range messages {
				if c.message.Command() != command {
					continue
				}
				m := fresh(c.message)
				if err := m.Decode(body); err != nil {
					if !errors.Is(err, wire.ErrMalformed) {
						t.Fatal(err)
					}
					break
				}
				out := m.Append(nil)
				if len(out) > max(headerBytes+len(body), resetGraphicsBytes) {
					t.Fatalf("%d bytes became %d", len(body), len(out))
				}
				again := fresh(m)
				if _, body, _, err = Next(out); err != nil {
					t.Fatal(err)
				}
				if err := again.Decode(body); err != nil || !bytes.Equal(again.Append(nil), out) {
					t.Fatalf("%T: %x: %v", m, out, err)
				}
			}
			b = rest
		}
	})
}
