package scene

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

var keep = flag.String("keep", "", "folder to write pictures of the desktop to")

// rig is a desktop with its picture and a clock that stands unless moved.
type rig struct {
	t   testing.TB
	s   *Scene
	img *image.RGBA
	now time.Time
	// changed is what the last look painted.
	changed []demotarget.Change
	moves   int // changes that moved pixels, so far
}

func newRig(t testing.TB, size image.Point) *rig {
	r := &rig{t: t, now: time.Date(2026, 5, 4, 10, 30, 0, 0, time.UTC)}
	r.s = New(func() time.Time { return r.now })
	r.resize(size)
	r.s.Tick(r.now)
	r.look()
	return r
}

func (r *rig) resize(size image.Point) {
	r.img = image.NewRGBA(image.Rectangle{Max: size})
	r.s.Resize(size)
}

// look paints what changed and fails unless the picture is what painting everything would give.
func (r *rig) look() {
	r.t.Helper()
	r.changed = nil
	before := image.NewRGBA(r.img.Rect)
	copy(before.Pix, r.img.Pix)
	var last *image.RGBA
	r.s.Paint(r.img, func(c demotarget.Change) {
		r.changed = append(r.changed, c)
		if c.Moved {
			r.moves++
		}
		// What is said about a change is what a viewer does.
		for y := c.Rect.Min.Y; y < c.Rect.Max.Y; y++ {
			src := r.img.Pix[r.img.PixOffset(c.Rect.Min.X, y):]
			copy(before.Pix[before.PixOffset(c.Rect.Min.X, y):], src[:4*c.Rect.Dx()])
		}
		last = before
	})
	if last != nil && !bytes.Equal(last.Pix, r.img.Pix) {
		r.t.Error("the picture changed outside of what was said to")
	}
	whole := image.NewRGBA(r.img.Rect)
	r.s.paint(canvas{dst: whole})
	if !bytes.Equal(whole.Pix, r.img.Pix) {
		r.save("part", r.img)
		r.save("whole", whole)
		for i := range whole.Pix {
			if whole.Pix[i] != r.img.Pix[i] {
				r.t.Fatalf("pixel %d, %d is not what painting everything gives", i%whole.Stride/4, i/whole.Stride)
			}
		}
	}
}

func (r *rig) save(name string, img image.Image) {
	if *keep == "" {
		return
	}
	f, err := os.Create(filepath.Join(*keep, name+".png"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) press(at image.Point, buttons uint8) {
	r.t.Helper()
	r.s.Pointer(at, buttons)
	r.look()
}

func (r *rig) click(at image.Point) {
	r.t.Helper()
	r.press(at, leftButton)
	r.press(at, 0)
}

func (r *rig) dragTo(buttons uint8, points ...image.Point) {
	r.t.Helper()
	for _, at := range points {
		r.press(at, buttons)
	}
	r.press(points[len(points)-1], 0)
}

// keys presses and releases keys one after the other; those named with a + are held together.
func (r *rig) keys(keysyms ...uint32) {
	r.t.Helper()
	for _, k := range keysyms {
		r.s.Key(k, true)
		r.look()
		r.s.Key(k, false)
		r.look()
	}
}

func (r *rig) typeText(text string) {
	r.t.Helper()
	for _, char := range text {
		r.keys(uint32(keyboard.FromRune(char)))
	}
}

// with holds a key while others are pressed.
func (r *rig) with(held uint32, keysyms ...uint32) {
	r.t.Helper()
	r.s.Key(held, true)
	r.keys(keysyms...)
	r.s.Key(held, false)
}

func (r *rig) at(x, y int) color.RGBA { return r.img.RGBAAt(x, y) }

func (r *rig) notes() *notes {
	for _, w := range r.s.windows {
		if n, ok := w.body.(*notes); ok {
			return n
		}
	}
	panic("no notes")
}

func (r *rig) controls() *controls { return r.s.controls }

// middle returns the middle of a rectangle of a window's body on the screen.
func middle(w *window, part image.Rectangle) image.Point {
	return w.content().Min.Add(part.Min.Add(part.Max).Div(2))
}

const ctrl, shift = uint32(keyboard.ControlL), uint32(keyboard.ShiftL)

var fullSize = image.Pt(1280, 800)

func TestFirstPicture(t *testing.T) {
	r := newRig(t, fullSize)
	r.save("first", r.img)
	c := r.controls()
	for i, want := range swatchColours {
		if got := r.img.RGBAAt(middle(c.win, c.swatch(i)).X, middle(c.win, c.swatch(i)).Y); got != want {
			t.Errorf("swatch %d is %v", i, got)
		}
	}
	colours := map[color.RGBA]bool{}
	for y := range fullSize.Y {
		for x := range fullSize.X {
			colours[r.at(x, y)] = true
		}
	}
	if len(colours) < 50 {
		t.Errorf("only %d colours", len(colours))
	}
}

// A still desktop is still, but for the clock's minute.
func TestStillness(t *testing.T) {
	r := newRig(t, fullSize)
	next := r.s.Tick(r.now)
	if next != time.Minute {
		t.Errorf("next move in %v", next)
	}
	r.now = r.now.Add(59 * time.Second)
	if next := r.s.Tick(r.now); next != time.Second {
		t.Errorf("then in %v", next)
	}
	if r.look(); len(r.changed) != 0 {
		t.Errorf("changed %v", r.changed)
	}
	r.now = r.now.Add(time.Second)
	r.s.Tick(r.now)
	if r.look(); len(r.changed) != 1 || r.changed[0].Rect.Dx() > 200 {
		t.Errorf("a minute changed %v", r.changed)
	}
	// Moving the pointer alone paints nothing: the viewer draws it.
	r.press(image.Pt(200, 200), 0)
	if len(r.changed) != 0 {
		t.Errorf("the pointer changed %v", r.changed)
	}
}

func TestTyping(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	n := r.notes()
	e := n.text
	before := slices.Clone(r.img.Pix)
	r.typeText("Grüße, Ω @#")
	if !strings.HasSuffix(string(e.text), "\n\nGrüße, Ω @#") {
		t.Fatalf("text is %q", string(e.text))
	}
	row, _ := e.place(e.caret)
	line := n.line(row).Add(n.win.content().Min)
	inked := 0
	for i := 0; i < len(before); i += 4 {
		if bytes.Equal(before[i:i+4], r.img.Pix[i:i+4]) {
			continue
		}
		at := image.Pt(i%r.img.Stride/4, i/r.img.Stride)
		switch {
		case at.In(line):
			inked++
		case at.In(r.s.journal.win.content()):
		default:
			t.Fatalf("typing changed %v", at)
		}
	}
	if inked < 200 {
		t.Errorf("%d pixels of ink", inked)
	}
	r.save("typed", r.img)
	r.keys(uint32(keyboard.BackSpace), uint32(keyboard.Return), 'x')
	if !strings.HasSuffix(string(e.text), "Grüße, Ω @\nx") {
		t.Errorf("text is %q", string(e.text))
	}
	// Keys that another window has leave the text alone.
	r.click(middle(r.controls().win, image.Rect(200, 140, 210, 150)))
	was := string(e.text)
	r.typeText("abc")
	if string(e.text) != was {
		t.Errorf("text is %q", string(e.text))
	}
	// AltGr may come as Ctrl and Alt.
	r.click(middle(n.win, image.Rect(0, 300, 500, 320)))
	r.s.Key(ctrl, true)
	r.s.Key(uint32(keyboard.AltL), true)
	r.keys('@')
	r.s.Key(uint32(keyboard.AltL), false)
	r.s.Key(ctrl, false)
	if string(e.text) != was+"@" {
		t.Errorf("text is %q", string(e.text))
	}
}

func TestScrollingText(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	n := r.notes()
	for i := range 20 {
		r.typeText(string(rune('a' + i)))
	}
	before := r.moves
	for i := range 20 {
		r.keys(uint32(keyboard.Return), uint32('a'+i))
	}
	// 20 rows scroll the text, 40 keys the journal.
	if n.top == 0 || r.moves-before < 50 {
		t.Errorf("top row %d, %d moves", n.top, r.moves-before)
	}
	r.save("scrolled", r.img)
	for range 20 {
		r.press(middle(n.win, image.Rect(0, 0, 500, 300)), wheelUp)
		r.press(middle(n.win, image.Rect(0, 0, 500, 300)), 0)
	}
	if n.top != 0 {
		t.Errorf("top row %d after the wheel", n.top)
	}
	r.keys(uint32(keyboard.PageDown), uint32(keyboard.Up), uint32(keyboard.End), uint32(keyboard.PageUp))
	r.with(ctrl, uint32(keyboard.End))
	if n.text.caret != len(n.text.text) || n.top == 0 {
		t.Errorf("caret at %d, top row %d", n.text.caret, n.top)
	}
	// With another window above, what moves under it is painted.
	c := r.controls().win
	r.dragTo(leftButton, c.at.Add(image.Pt(100, 10)), image.Pt(400, 200))
	for range 5 {
		r.press(image.Pt(60, 300), wheelUp)
		r.press(image.Pt(60, 300), 0)
	}
}

func TestClipboard(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	e := r.notes().text
	if _, ok := r.s.Copied(); ok {
		t.Fatal("copied already")
	}
	r.with(ctrl, 'a', 'x')
	if text, ok := r.s.Copied(); !ok || text != welcome || len(e.text) != 0 {
		t.Errorf("cut %q, %v; left %q", text, ok, string(e.text))
	}
	if _, ok := r.s.Copied(); ok {
		t.Error("copied twice")
	}
	r.s.Clipboard("from\r\nelsewhere\t\x07!")
	r.with(ctrl, 'v')
	if got := string(e.text); got != "from\nelsewhere    !" {
		t.Errorf("pasted %q", got)
	}
	if _, ok := r.s.Copied(); ok {
		t.Error("a paste copied")
	}
	r.with(shift, uint32(keyboard.Home))
	r.with(ctrl, 'C')
	if text, ok := r.s.Copied(); !ok || text != "elsewhere    !" {
		t.Errorf("copied %q, %v", text, ok)
	}
	// Nothing selected: the clipboard stays.
	r.keys(uint32(keyboard.Right))
	r.with(ctrl, 'c')
	if _, ok := r.s.Copied(); ok {
		t.Error("copied nothing")
	}
}

func TestSelecting(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	n := r.notes()
	at := func(row, column int) image.Point {
		return n.win.content().Min.Add(image.Pt(notesMargin+column*notesColumn, n.line(row).Min.Y+10))
	}
	r.click(at(0, 6))
	r.click(at(0, 6))
	if got := n.text.selected(); got != "desktop" {
		t.Errorf("double click selects %q", got)
	}
	r.save("selected", r.img)
	r.click(at(0, 6))
	if got := n.text.selected(); got != "This desktop is drawn by the program you started. You see it" {
		t.Errorf("triple click selects %q", got)
	}
	r.now = r.now.Add(time.Second)
	r.dragTo(leftButton, at(0, 5), at(0, 9), at(1, 2))
	if got := n.text.selected(); got != "desktop is drawn by the program you started. You see it\nas" {
		t.Errorf("dragging selects %q", got)
	}
	r.typeText("X")
	if got := string(n.text.text[:12]); got != "This X video" {
		t.Errorf("typing over the selection gives %q", got)
	}
	// Two slow clicks are no double click.
	for range 2 {
		r.now = r.now.Add(time.Second)
		r.click(at(0, 2))
	}
	if got := n.text.selected(); got != "" {
		t.Errorf("slow clicks select %q", got)
	}
}

func TestButtons(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	c := r.controls()
	lamp := func(i int) color.RGBA {
		at := c.win.content().Min.Add(c.lamp(i))
		return r.at(at.X, at.Y)
	}
	for i := range lamps {
		r.click(middle(c.win, c.button(i)))
		if lamp(i) != lamps[i] {
			t.Errorf("lamp %d is %v", i, lamp(i))
		}
	}
	r.save("lit", r.img)
	r.now = r.now.Add(time.Second)
	r.click(middle(c.win, c.button(1)))
	if lamp(1) != unlit {
		t.Errorf("lamp 1 is %v", lamp(1))
	}
	// Let go elsewhere, a press is none.
	r.dragTo(leftButton, middle(c.win, c.button(0)), middle(c.win, c.button(countButton)))
	r.press(middle(c.win, c.button(countButton)), rightButton)
	r.press(middle(c.win, c.button(countButton)), 0)
	if lamp(0) != lamps[0] || c.count != 0 {
		t.Errorf("lamp 0 is %v, count %d", lamp(0), c.count)
	}
	for range 12 {
		r.click(middle(c.win, c.button(countButton)))
	}
	if c.count != 12 {
		t.Errorf("count %d", c.count)
	}
}

func TestAnimation(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	c := r.controls()
	r.click(middle(c.win, c.button(animateButton)))
	frames := 0
	for range 90 {
		r.now = r.now.Add(frameTime)
		if next := r.s.Tick(r.now); next > frameTime {
			t.Fatalf("next frame in %v", next)
		}
		r.look()
		for _, ch := range r.changed {
			if !ch.Rect.In(c.track().Add(c.win.content().Min)) && ch.Rect.Dx() < 200 {
				t.Fatalf("the ball changed %v", ch)
			}
		}
		frames += min(len(r.changed), 1)
	}
	if frames < 80 {
		t.Errorf("%d of 90 frames moved", frames)
	}
	r.save("animation", r.img)
	r.click(middle(c.win, c.button(animateButton)))
	if next := r.s.Tick(r.now); next < time.Second {
		t.Errorf("next frame in %v", next)
	}
}

func TestDrawing(t *testing.T) {
	r := newRig(t, fullSize)
	w := r.s.windows[1]
	if w.title != "Sketch" {
		t.Fatal(w.title)
	}
	from := w.content().Min
	spot := from.Add(image.Pt(60, 50))
	r.dragTo(leftButton, from.Add(image.Pt(20, 20)), spot, from.Add(image.Pt(200, 80)), from.Add(image.Pt(600, 90)))
	if r.at(spot.X, spot.Y) != accent {
		t.Errorf("drawn %v", r.at(spot.X, spot.Y))
	}
	r.save("drawn", r.img)
	r.dragTo(rightButton, spot, spot.Add(image.Pt(5, 0)))
	if r.at(spot.X, spot.Y) != paper {
		t.Errorf("erased %v", r.at(spot.X, spot.Y))
	}
}

func TestWindows(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	c := r.controls().win
	bar := c.at.Add(image.Pt(200, 10))
	r.press(bar, leftButton)
	if r.s.Cursor() != demotarget.Move || r.s.focused() != c {
		t.Error("no drag")
	}
	path := []image.Point{{700, 90}, {300, 300}, {0, 0}, {1279, 799}, {500, 350}}
	for _, at := range path {
		r.press(at, leftButton)
		if title := (image.Rectangle{c.at, c.at.Add(image.Pt(c.size.X, titleHeight))}); title.Intersect(image.Rect(0, panelHeight, 1280, 800)).Dx() < 80 {
			t.Errorf("at %v the title is out of reach: %v", at, title)
		}
	}
	r.press(path[len(path)-1], 0)
	r.save("dragged", r.img)
	if want := path[len(path)-1].Sub(image.Pt(200, 10)); c.at != want {
		t.Errorf("window at %v, want %v", c.at, want)
	}
	// The window below comes up by a click, and what it hid shows.
	n := r.notes().win
	r.click(n.content().Min.Add(image.Pt(5, 5)))
	if r.s.focused() != n {
		t.Error("not raised")
	}
	// A click on the wallpaper or the panel is nothing.
	r.click(image.Pt(10, 790))
	r.click(image.Pt(10, 10))
	if r.s.focused() != n {
		t.Error("lost the keys")
	}
}

func TestCursors(t *testing.T) {
	r := newRig(t, fullSize)
	c, n := r.controls(), r.notes()
	for _, test := range []struct {
		at   image.Point
		want *demotarget.Cursor
	}{
		{middle(n.win, image.Rect(0, 0, 100, 100)), demotarget.Beam},
		{middle(c.win, c.button(0)), demotarget.Hand},
		{middle(c.win, c.swatch(0)), demotarget.Arrow},
		{middle(r.s.windows[1], image.Rect(0, 0, 100, 100)), demotarget.Cross},
		{image.Pt(5, 5), demotarget.Arrow},
		{image.Pt(5, 795), demotarget.Arrow},
	} {
		r.press(test.at, 0)
		if r.s.Cursor() != test.want {
			t.Errorf("another shape at %v", test.at)
		}
	}
}

// Sizes from tiny to large, with what was typed and moved kept.
func TestSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	r.typeText("kept")
	for _, size := range []image.Point{{64, 48}, {1, 1}, {203, 151}, {1920, 1080}, {1280, 800}} {
		r.resize(size)
		r.look()
		r.press(size.Div(2), leftButton)
		r.press(image.Pt(65535, 65535), leftButton)
		r.press(size.Div(2), 0)
	}
	if text := string(r.notes().text.text); !strings.Contains(text, "kept") {
		t.Errorf("text is %q", text)
	}
	for _, w := range r.s.windows {
		if !w.frame().Overlaps(image.Rectangle{Max: fullSize}) {
			t.Errorf("%s is gone: %v", w.title, w.frame())
		}
	}
}

func TestJournal(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for long under the race detector")
	}
	r := newRig(t, fullSize)
	r.with(ctrl, uint32(keyboard.Delete))
	r.s.Clipboard("päste")
	r.click(image.Pt(100, 100))
	var got []string
	for _, l := range r.s.journal.lines {
		got = append(got, l.when+" "+l.what)
	}
	want := []string{"10:30:00 key Ctrl+Delete", "10:30:00 clipboard arrived, 6 bytes", "10:30:00 left button at 100, 100"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	r.typeText("the journal forgets what is old")
	if n := len(r.s.journal.lines); n != 7 {
		t.Errorf("%d lines", n)
	}
	r.save("journal", r.img)
}

func BenchmarkTyping(b *testing.B) {
	r := newRig(b, fullSize)
	for b.Loop() {
		r.s.Key('x', true)
		r.s.Paint(r.img, func(demotarget.Change) {})
		r.s.Key(uint32(keyboard.BackSpace), true)
		r.s.Paint(r.img, func(demotarget.Change) {})
	}
}

func BenchmarkEverything(b *testing.B) {
	r := newRig(b, image.Pt(1920, 1080))
	for b.Loop() {
		r.s.paint(canvas{dst: r.img})
	}
}
