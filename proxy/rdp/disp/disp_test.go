package disp

import (
	"bytes"
	"errors"
	"image"
	"reflect"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// capsWire is what Windows sends: 16 monitors of 8192×8192.
const capsWire = "\x05\x00\x00\x00\x14\x00\x00\x00\x10\x00\x00\x00\x00\x20\x00\x00\x00\x20\x00\x00"

// layoutWire is one monitor of 1920×1080 at 100%.
const layoutWire = "\x02\x00\x00\x00\x38\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00" +
	"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x07\x00\x00\x38\x04\x00\x00" +
	"\x00\x02\x00\x00\x20\x01\x00\x00\x00\x00\x00\x00\x64\x00\x00\x00\x64\x00\x00\x00"

func TestCaps(t *testing.T) {
	var c Caps
	want := Caps{MaxNumMonitors: 16, MaxMonitorAreaFactorA: 8192, MaxMonitorAreaFactorB: 8192}
	if err := c.Decode([]byte(capsWire)); err != nil || c != want {
		t.Fatalf("%+v: %v", c, err)
	}
	if b := c.Append(nil); string(b) != capsWire {
		t.Errorf("%x", b)
	}
	for name, in := range map[string]string{
		"empty": "", "cut": capsWire[:19], "type": "\x02" + capsWire[1:], "length short": capsWire[:4] + "\x13" + capsWire[5:],
		"length 0": capsWire[:4] + "\x00" + capsWire[5:], "length beyond": capsWire[:4] + "\x15" + capsWire[5:],
		"no monitors": capsWire[:8] + "\x00" + capsWire[9:], "no area": capsWire[:12] + "\x00\x00" + capsWire[14:],
		"longer": capsWire[:4] + "\x18" + capsWire[5:] + "\x00\x00\x00\x00",
	} {
		if err := c.Decode([]byte(in)); !errors.Is(err, wire.ErrMalformed) || c != want {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestLayout(t *testing.T) {
	var l Layout
	if err := l.Decode([]byte(layoutWire)); err != nil {
		t.Fatal(err)
	}
	m := l.Monitors[0]
	if m.Bounds() != image.Rect(0, 0, 1920, 1080) || m.Flags != FlagPrimary || !m.Physical() || !m.Scaled() || m.PhysicalHeight != 288 {
		t.Errorf("%+v", m)
	}
	if b := l.Append(nil); string(b) != layoutWire {
		t.Errorf("%x", b)
	}
	for name, in := range map[string]string{
		"empty": "", "cut": layoutWire[:55], "type": capsWire, "size": layoutWire[:8] + "\x24" + layoutWire[9:],
		"no monitors": layoutWire[:12] + "\x00" + layoutWire[13:], "count": layoutWire[:12] + "\x02" + layoutWire[13:],
		"count of 4294967295": layoutWire[:12] + "\xff\xff\xff\xff" + layoutWire[16:],
		"odd width":           layoutWire[:28] + "\x81" + layoutWire[29:],
	} {
		if err := l.Decode([]byte(in)); !errors.Is(err, wire.ErrMalformed) || len(l.Monitors) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLayoutCheck(t *testing.T) {
	one := func(edit func(m *Monitor)) []Monitor {
		l := SingleMonitor(image.Pt(800, 600))
		edit(&l.Monitors[0])
		return l.Monitors
	}
	second := func(left, top int32) []Monitor {
		l := SingleMonitor(image.Pt(800, 600))
		return append(l.Monitors, Monitor{Left: left, Top: top, Width: 1024, Height: 768})
	}
	for _, c := range []struct {
		name     string
		monitors []Monitor
		want     string // part of the error, empty when there is none
	}{
		{"one", one(func(*Monitor) {}), ""},
		{"right of it", second(800, 0), ""},
		{"left of it", second(-1024, 10), ""},
		{"none", nil, "0 monitors"},
		{"too many", make([]Monitor, 17), "17 monitors"},
		{"narrow", one(func(m *Monitor) { m.Width = 198 }), "198×600"},
		{"wide", one(func(m *Monitor) { m.Width = 8194 }), "8194×600"},
		{"odd", one(func(m *Monitor) { m.Width = 801 }), "801×600"},
		{"low", one(func(m *Monitor) { m.Height = 199 }), "800×199"},
		{"high", one(func(m *Monitor) { m.Height = 8193 }), "800×8193"},
		{"turned", one(func(m *Monitor) { m.Orientation = 45 }), "45 degrees"},
		{"no primary", one(func(m *Monitor) { m.Flags = 0 }), "0 primary"},
		{"primary elsewhere", one(func(m *Monitor) { m.Left = 1 }), "at 1,0"},
		{"two primaries", append(one(func(*Monitor) {}), one(func(*Monitor) {})...), "overlap"},
		{"overlap", second(799, 599), "overlap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Layout{Monitors: c.monitors}.Check()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else if !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestCapsCheck(t *testing.T) {
	l := SingleMonitor(image.Pt(1920, 1080))
	two := Layout{Monitors: append(l.Monitors[:1:1], Monitor{Left: 1920, Width: 1920, Height: 1080})}
	for _, c := range []struct {
		caps Caps
		l    Layout
		ok   bool
	}{
		{Caps{1, 1920, 1080}, l, true},
		{Caps{1, 1920, 1079}, l, false},
		{Caps{1, 1 << 31, 1 << 31}, l, true},
		{Caps{1 << 31, 1 << 31, 1 << 31}, two, true},
		{Caps{1, 8192, 8192}, two, false},
		{Caps{2, 1920, 1080}, two, true},
		{Caps{2, 1920, 1079}, two, false},
		{Caps{16, 8192, 8192}, Layout{}, false},
	} {
		if err := c.caps.Check(c.l); (err == nil) != c.ok {
			t.Errorf("%+v with %d monitors: %v", c.caps, len(c.l.Monitors), err)
		}
	}
}

func TestSingleMonitor(t *testing.T) {
	for in, want := range map[image.Point]image.Point{
		{X: 1920, Y: 1080}: {X: 1920, Y: 1080}, {X: 1367, Y: 769}: {X: 1366, Y: 769}, {X: 0, Y: -5}: {X: 200, Y: 200},
		{X: 201, Y: 199}: {X: 200, Y: 200}, {X: 8193, Y: 1 << 40}: {X: 8192, Y: 8192},
	} {
		l := SingleMonitor(in)
		if got := l.Monitors[0].Bounds().Size(); got != want {
			t.Errorf("%v gives %v, want %v", in, got, want)
		}
		if err := l.Check(); err != nil {
			t.Errorf("%v: %v", in, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(capsWire))
	f.Add([]byte(layoutWire))
	f.Add(Layout{Monitors: []Monitor{{Flags: 1, Width: 800, Height: 600}, {Left: -200, Width: 200, Height: 200}}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Caps
		if err := c.Decode(b); err == nil {
			if again := c.Append(nil); !bytes.HasPrefix(b, again) {
				t.Fatalf("%x became %x", b, again)
			}
		} else if !errors.Is(err, wire.ErrMalformed) {
			t.Fatal(err)
		}
		var l, again Layout
		if err := l.Decode(b); err == nil {
			if err := again.Decode(l.Append(nil)); err != nil || !reflect.DeepEqual(l, again) {
				t.Fatalf("%+v became %+v: %v", l, again, err)
			}
		} else if !errors.Is(err, wire.ErrMalformed) {
			t.Fatal(err)
		}
	})
}
