package e2e

import (
	"fmt"
	"image"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// What xev tells of a key or a button.
var xevLine = regexp.MustCompile(`(Key|Button)(Press|Release) event, .*\n.*\n.*(?:\(keysym (0x[0-9a-f]+),|button (\d+),)`)

// xevEvents are the events of a log, in words: "+0x61" and "-0x61" for a key, "+b1" and "-b1" for a button.
func xevEvents(log string) []string {
	var out []string
	for _, m := range xevLine.FindAllStringSubmatch(log, -1) {
		what := m[3]
		if m[1] == "Button" {
			what = "b" + m[4]
		}
		out = append(out, map[string]string{"Press": "+", "Release": "-"}[m[2]]+what)
	}
	return out
}

// TestNativeInput types, clicks and turns the wheel in the window of a real xfreerdp: a target over VNC and one over RDP must log that
// sequence and nothing else. Then somebody with a German keyboard writes German.
func TestNativeInput(t *testing.T) {
	t.Parallel()
	testbed.Require(t, "xfreerdp", "xdotool", "xev", "stdbuf", "setxkbmap")
	size := image.Pt(1000, 700)
	vnc := testbed.StartXvnc(t, testbed.XvncOptions{Size: size})
	shadow := testbed.StartShadow(t, testbed.ShadowOptions{Size: size, Bare: true})
	_, settings := nativeDoor(t)
	g := startGateway(t, settings+fmt.Sprintf("targets:\n  - {id: vnc, name: VNC, protocol: vnc, address: %q, tls: {mode: 'off'}}\n"+
		"  - {id: rdp, name: RDP, protocol: rdp, address: %q, tls: {mode: pin, fingerprint: %x}}\n", vnc.Addr, shadow.Addr, shadow.Cert.Fingerprint))
	acts := []struct {
		do, key string   // of xdotool
		logged  []string // what goes down and up again, in that order, as xdotool lets go
		vncOnly bool     // FreeRDP's server knows neither a wheel that turns sideways nor Pause, which it takes for Ctrl and Num Lock
	}{
		{"click", "1", []string{"b1"}, false},
		{"click", "3", []string{"b3"}, false},
		{"click", "2", []string{"b2"}, false},
		{"click", "4", []string{"b4"}, false},
		{"click", "5", []string{"b5"}, false},
		{"click", "6", []string{"b6"}, true},
		{"click", "7", []string{"b7"}, true},
		{"key", "a", []string{"0x61"}, false},
		{"key", "shift+b", []string{"0xffe1", "0x62"}, false},
		{"key", "Up", []string{"0xff52"}, false},
		{"key", "Home", []string{"0xff50"}, false},
		{"key", "KP_Enter", []string{"0xff8d"}, false},
		{"key", "ctrl+Delete", []string{"0xffe3", "0xffff"}, false},
		{"key", "KP_Divide", []string{"0xffaf"}, false},
		{"key", "Insert", []string{"0xff63"}, false},
		{"key", "Next", []string{"0xff56"}, false},
		{"key", "F12", []string{"0xffc9"}, false},
		{"key", "Super_L", []string{"0xffeb"}, false},
		{"key", "Pause", []string{"0xff13"}, true},
		{"key", "Print", []string{"0xff61"}, false},
	}
	for _, target := range []string{"vnc", "rdp"} {
		x := map[string]*testbed.X{"vnc": &vnc.X, "rdp": shadow.Screen}[target]
		var do, want []string
		for _, a := range acts {
			if a.vncOnly && target != "vnc" {
				continue
			}
			do = append(do, a.do, a.key)
			want = append(want, "+"+strings.Join(a.logged, " +"), "-"+strings.Join(a.logged, " -"))
		}
		log := filepath.Join(t.TempDir(), "xev")
		background(t, x.Display, "sh", "-c", fmt.Sprintf("exec stdbuf -oL xev -geometry %dx%d+0+0 -event keyboard -event button -event mouse >%s", size.X, size.Y, log))
		testbed.Eventually(t, patience, "xev", func() bool { return strings.Contains(read(log), "Outer window") })
		w := g.openNative(t, target, size, "/gfx")
		w.shows(x, size.Div(2), target)
		// The client finds where its own pointer is by a motion; what came before counts for nothing.
		testbed.Eventually(t, patience, "the pointer at "+target, func() bool {
			w.do("mousemove", "300", "200", "mousemove", "301", "201")
			return strings.Contains(read(log), "(301,201)")
		})
		before := len(xevEvents(read(log)))
		w.do(do...)
		all, got := strings.Join(want, " "), ""
		for end := time.Now().Add(patience); len(got) < len(all) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			got = strings.Join(xevEvents(read(log))[before:], " ")
			got = strings.Replace(got, "+0x42", "+0x62", 1) // b with Shift: xev tells what it means at that moment
		}
		require.Equal(t, all, got, target)
		w.close()
	}

	// The layout is found out by the client itself, from its X server.
	const words = `Größe: {2 €} [ÄÖÜ] \@|~ yz`
	testbed.Run(t, vnc.Display, "setxkbmap", "de") // Xvnc learns keys it lacks as they come, and programs may miss the first
	typed := filepath.Join(t.TempDir(), "typed")
	testbed.XTerm(t, vnc.Display, "cat >"+typed)
	screen := testbed.StartXvfb(t, size)
	testbed.OpenBox(t, screen.Display)
	testbed.Run(t, screen.Display, "setxkbmap", "de")
	w := openRDP(t, screen, size, g.rdpFile("vnc", size))
	w.shows(&vnc.X, size.Div(2), "the terminal")
	w.do("mousemove", "100", "100")
	testbed.Eventually(t, patience, "the keyboard in the terminal", func() bool {
		w.do("key", "Return")
		return read(typed) != ""
	})
	w.do("type", "--delay", "40", words)
	w.do("key", "Return")
	testbed.Eventually(t, patience, "what was typed", func() bool { return strings.HasSuffix(read(typed), "\n") && strings.Contains(read(typed), "yz") })
	require.Equal(t, words, strings.TrimSpace(read(typed)))
}
