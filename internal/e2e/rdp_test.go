package e2e

import (
	"fmt"
	"image"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// Texts that tests type and copy. What is typed takes Shift for some of its keys.
const (
	typedWords = `Hello, World #1 \ {x}|<y>`
	copiedHere = "from the browser: Grüße 日本"
	copiedFar  = "from the desktop: Grüße 日本"
)

// TestRDP takes each server through a whole session in Chromium, from the page of targets to the recording.
func TestRDP(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *desk{
		"xrdp-Xorg":  func(t *testing.T) *desk { return xrdpDesk(t, "Xorg") },
		"xrdp-Xvnc":  func(t *testing.T) *desk { return xrdpDesk(t, "Xvnc") },
		"shadow-TLS": func(t *testing.T) *desk { return shadowDesk(t, false) },
		"shadow-NLA": func(t *testing.T) *desk { return shadowDesk(t, true) },
		"weston":     westonDesk,
		"gnome":      gnomeDesk,
	} {
		t.Run(name, func(t *testing.T) {
			requireConsole(t)
			d := start(t)
			g := startGateway(t, debugLog+"targets:\n  - {id: desk, name: Desk, protocol: rdp, "+d.settings+"}\n")
			b := openBrowser(t, g)
			b.says("RDP")
			began := time.Now()
			id := b.connect("Desk")
			t.Logf("a picture after %v", time.Since(began))
			d.arrange()
			d.seen(b)
			d.worked(b)
			if d.display != nil {
				d.copied(b)
			}
			d.resized(b)
			last := b.picture("desktop")
			b.end()

			end := g.ended(id, patience)
			require.Equal(t, "user_disconnected", end.End.Code)
			r := g.sealed(id, patience)
			require.Equal(t, "worker", r.SealedBy)
			g.requireAlone()
			if name == "xrdp-Xorg" {
				wall := end.EndedAt.Sub(end.StartedAt)
				require.InDelta(t, wall.Seconds(), float64(r.DurationMS)/1000, 2)
				require.InDelta(t, float64(r.DurationMS)/1000, probe(t, g.export(id)).Seconds(), 0.5)
			}
			d.recorded(b, id, last)
			b.silent()
			g.requireNoSecrets(d.password)
		})
	}
}

// TestRDPDepthsAndKeyboards shows desktops of fewer colours, whose keyboards are not American, and types what takes
// those keyboards.
func TestRDPDepthsAndKeyboards(t *testing.T) {
	type key struct {
		Code string `json:"code"`
		Key  string `json:"key"`
		Down bool   `json:"down"`
	}
	for _, c := range []struct {
		session, layout string
		depth           int
		tolerance       int // the colours themselves are fewer: 5 bits a part
		keys            []key
		types           string
	}{
		{"Xorg", "de-DE", 16, h264Tolerance + 8, []key{
			{"AltRight", "AltGraph", true},
			{"KeyQ", "@", true},
			{"KeyQ", "@", false},
			{"AltRight", "AltGraph", false},
			{"BracketLeft", "ü", true},
			{"BracketLeft", "ü", false},
			{"KeyY", "z", true},
			{"KeyY", "z", false},
		}, "@üz"},
		{"Xvnc", "fr-FR", 24, h264Tolerance, []key{
			// Nothing that Xvnc's own keyboard lacks: it learns such keys as they come, and programs may miss the first.
			{"Digit1", "&", true},
			{"Digit1", "&", false},
			{"KeyQ", "a", true},
			{"KeyQ", "a", false},
			{"Semicolon", "m", true},
			{"Semicolon", "m", false},
		}, "&am"},
	} {
		t.Run(fmt.Sprintf("%s-%d-%s", c.session, c.depth, c.layout), func(t *testing.T) {
			requireConsole(t)
			d := xrdpDesk(t, c.session)
			settings := strings.Replace(d.settings, "keyboard_layout: en-US", fmt.Sprintf("keyboard_layout: %s, color_depth: %d", c.layout, c.depth), 1)
			g := startGateway(t, debugLog+"targets:\n  - {id: desk, name: Desk, protocol: rdp, "+settings+"}\n")
			b := openBrowser(t, g)
			id := b.connect("Desk")
			d.arrange()
			b.shows("desktop", "the picture of the desktop", c.tolerance, d.screen)
			b.do("keys", nil, "keys", append(c.keys, key{"Enter", "Enter", true}, key{"Enter", "Enter", false}))
			waitFile(t, d.typing(), c.types+"\n")
			last := b.picture("desktop")
			b.end()
			g.sealed(id, patience)
			require.Contains(t, typedText(g.events(id)), c.types+"\n")
			b.do("goto", nil, "path", "/recordings/"+id)
			b.do("seek", nil, "part", 0.999)
			b.shows("recording", "the end of the recording", 2*c.tolerance, func() *image.RGBA { return last })
			b.silent()
			g.requireNoSecrets(d.password)
		})
	}
}

// seen compares the picture with the desktop.
func (d *desk) seen(b *browser) {
	b.t.Helper()
	b.mouse(0, 0, "") // any motion makes sure that keys have somewhere to go
	d.park(b)
	b.shows("desktop", "the picture of the desktop", h264Tolerance, d.screen)
	d.before = d.screen()
	b.screenshot("rdp-" + b.t.Name()[len("TestRDP/"):])
}

// worked types, clicks and turns the wheel, and looks for it on the target.
func (d *desk) worked(b *browser) {
	b.t.Helper()
	file := d.typing()
	if d.still { // by now it is not
		testbed.Eventually(b.t, patience, "a window on the desktop", func() bool {
			return alike(b.picture("desktop"), d.screen(), h264Tolerance) != ""
		})
	}
	d.focus(b, file)
	if !d.still {
		b.shows("desktop", "the terminal", h264Tolerance, d.screen)
		d.before = d.screen()
	}
	d.typed(b, file)
	told, click, wheel := d.clicking()
	testbed.Eventually(b.t, patience, "the click on the target", func() bool {
		b.mouse(d.at.X, d.at.Y, "left")
		return strings.Contains(read(told), click)
	})
	testbed.Eventually(b.t, patience, "the wheel on the target", func() bool {
		b.wheel(d.at.X, d.at.Y, 120)
		return strings.Contains(read(told), wheel)
	})
}

// typed types a line into the terminal that writes it to a file.
func (d *desk) typed(b *browser, file string) {
	b.t.Helper()
	arrived := func() bool { return strings.HasSuffix(read(file), "\n"+typedWords+"\n") }
	for tries := 1; d.again && tries < 4; tries++ {
		b.typeText(typedWords + "\n")
		for end := time.Now().Add(patience / 4); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if arrived() {
				return
			}
		}
		b.t.Logf("typed, and this came: %q", read(file))
	}
	b.typeText(typedWords + "\n")
	testbed.Eventually(b.t, patience, "the text in the terminal", arrived)
}

// copied carries text over both ways.
func (d *desk) copied(b *browser) {
	b.t.Helper()
	b.do("copy", nil, "text", copiedHere)
	b.press("Control+v")
	testbed.Eventually(b.t, patience, "the clipboard of the target", func() bool {
		return testbed.ClipboardGet(b.t, d.display()) == copiedHere
	})
	testbed.ClipboardSet(b.t, d.display(), copiedFar)
	testbed.Eventually(b.t, patience, "the clipboard of the browser", func() bool {
		var text string
		b.do("clipboard", &text)
		return text == copiedFar
	})
}

// resized asks for a desktop of the window's size; a target that cannot says so, and goes on.
func (d *desk) resized(b *browser) {
	b.t.Helper()
	const bar = 44 // CSS pixels of the tools above the desktop
	want := image.Pt(1200, 720)
	before := d.screen().Rect.Size()
	b.do("viewport", nil, "width", want.X, "height", want.Y+bar)
	b.clickText("Resize")
	if !d.resizes {
		b.says("cannot")
		b.screenshot("rdp-no-resize")
		b.clickText("Fit")
		require.Equal(b.t, "active", b.gateway.session(strings.TrimPrefix(b.page().Path, "/sessions/")).State)
		p := b.page()
		require.Equal(b.t, before, image.Pt(p.W, p.H))
		return
	}
	b.until("the size of the window", func(p page) bool { return image.Pt(p.W, p.H) == want })
	testbed.Eventually(b.t, patience, "the size of the target", func() bool { return d.screen().Rect.Size() == want })
	b.mouse(want.X-1, want.Y-1, "")
	b.shows("desktop", "the picture at its new size", h264Tolerance, d.screen)
	b.clickText("Fit")
}

// recorded looks for all of it in the recording.
func (d *desk) recorded(b *browser, id string, last *image.RGBA) {
	b.t.Helper()
	events := b.gateway.events(id)
	require.Contains(b.t, typedText(events), typedWords+"\n")
	kinds := map[string]bool{}
	for _, e := range events {
		kind, _ := e["kind"].(string)
		direction, _ := e["direction"].(string)
		kinds[kind+direction] = true
	}
	require.True(b.t, kinds["pointer"] && kinds["wheel"], "%v", kinds)
	require.Equal(b.t, d.display != nil, kinds["clipboardto_target"] && kinds["clipboardfrom_target"], "%v", kinds)

	b.do("goto", nil, "path", "/recordings/"+id)
	b.searchEvents(typedWords) // the list is longer than the window where it took many keys until the target heard one
	b.says(typedWords)
	b.do("seek", nil, "part", 0.999)
	// Neither is exactly the desktop.
	b.shows("recording", "the end of the recording", 2*h264Tolerance, func() *image.RGBA { return last })
	b.screenshot("rdp-recording")
	if d.still {
		b.do("seek", nil, "part", 0.001)
	} else {
		b.clickText(typedWords + "⏎")
	}
	b.shows("recording", "the recording before anything was typed", h264Tolerance, func() *image.RGBA { return d.before })
}

// debugLog makes serve and workers tell all they ever tell.
const debugLog = "log: {level: debug}\n"

func read(file string) string {
	b, _ := os.ReadFile(file) // which comes to be
	return string(b)
}
