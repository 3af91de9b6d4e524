package scene

import (
	"image"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

const welcome = `This desktop is drawn by the program you started. You see it
as video, and only checked input ever reaches it.

Type here, press the buttons, draw, drag the windows about.
Then end the session and watch its recording.

`

// Measures of the notes, in pixels.
const (
	notesMargin = 16
	notesColumn = 9 // of the fixed-width face
	notesLine   = 20
)

// notes is a text one can edit.
type notes struct {
	win  *window
	text *editor
	top  int // the first row shown
}

func newNotes(size image.Point) *notes {
	return &notes{text: newEditor((size.X-2*notesMargin)/notesColumn, welcome)}
}

// visible returns how many whole rows fit.
func (n *notes) visible() int { return (n.win.size.Y - 2*notesMargin) / notesLine }

func (n *notes) line(r int) image.Rectangle {
	y := notesMargin + (r-n.top)*notesLine
	return image.Rect(0, y, n.win.size.X, y+notesLine)
}

func (n *notes) paint(c canvas) {
	c.fill(image.Rectangle{Max: n.win.size}, paper)
	from, to := n.text.selection()
	caretRow, caretColumn := n.text.place(n.text.caret)
	for r := n.top; r < min(n.top+n.visible(), len(n.text.rows)); r++ {
		line := n.line(r)
		if c.clipped(line) {
			continue
		}
		row := n.text.rows[r]
		x := func(i int) int { return notesMargin + (i-row.start)*notesColumn }
		if a, b := max(from, row.start), min(to, row.end); a < b {
			c.fill(image.Rect(x(a), line.Min.Y, x(b), line.Max.Y), marked)
		}
		for i, char := range n.text.text[row.start:row.end] {
			c.letter(n.win.scene.fonts.mono, image.Pt(x(row.start+i), line.Min.Y), char, ink)
		}
		if r == caretRow && n.win.scene.focused() == n.win {
			x := notesMargin + caretColumn*notesColumn
			c.fill(image.Rect(x-1, line.Min.Y, x+1, line.Max.Y), accent)
		}
	}
}

// update does what change does to the text, keeps the caret in sight and has painted what differs.
func (n *notes) update(change func(e *editor)) {
	e := n.text
	before := append([]row(nil), e.rows...)
	oldText := append([]rune(nil), e.text...)
	oldCaret, _ := e.place(e.caret)
	oldFrom, oldTo := e.selection()
	change(e)
	caret, _ := e.place(e.caret)
	from, to := e.selection()
	selecting := from != to || oldFrom != oldTo
	n.show(caret) // first, as it moves what is painted
	for r := range max(len(before), len(e.rows)) {
		same := r < len(before) && r < len(e.rows) && before[r] == e.rows[r] &&
			string(oldText[before[r].start:before[r].end]) == string(e.text[e.rows[r].start:e.rows[r].end])
		if !same || selecting || r == oldCaret || r == caret {
			n.win.damage(n.line(r))
		}
	}
}

// show scrolls until a row is in sight.
func (n *notes) show(r int) {
	switch {
	case r < n.top:
		n.scrollTo(r)
	case r >= n.top+n.visible():
		n.scrollTo(r - n.visible() + 1)
	}
}

func (n *notes) scrollTo(top int) {
	top = min(max(top, 0), max(len(n.text.rows)-n.visible(), 0))
	if top == n.top {
		return
	}
	by := top - n.top
	n.top = top
	n.win.scroll(image.Rect(0, notesMargin, n.win.size.X, notesMargin+n.visible()*notesLine), by*notesLine)
}

func (n *notes) pointer(p pointerEvent) {
	at := n.text.index(n.top+floorDiv(p.at.Y-notesMargin, notesLine),
		(p.at.X-notesMargin+notesColumn/2)/notesColumn)
	switch {
	case p.pressed&wheelUp != 0:
		n.scrollTo(n.top - 3)
	case p.pressed&wheelDown != 0:
		n.scrollTo(n.top + 3)
	case p.pressed&leftButton != 0 && p.clicks == 2:
		n.update(func(e *editor) { e.selectWord(at) })
	case p.pressed&leftButton != 0 && p.clicks == 3:
		r, _ := n.text.place(at)
		n.update(func(e *editor) {
			e.moveTo(e.rows[r].start, false)
			e.moveTo(e.rows[r].end, true)
		})
	case p.pressed&leftButton != 0:
		n.update(func(e *editor) { e.moveTo(at, false) })
	case p.held&leftButton != 0 && at != n.text.caret && p.clicks == 1:
		n.update(func(e *editor) { e.moveTo(at, true) })
	}
}

func (n *notes) key(k keyEvent) {
	if k.ctrl && !k.alt && n.command(k) {
		return
	}
	e := n.text
	r, _ := e.place(e.caret)
	move := func(to int) { n.update(func(e *editor) { e.moveTo(to, k.shift) }) }
	switch desktop.Keysym(k.keysym) {
	case keyboard.Return, keyboard.KPEnter:
		n.update(func(e *editor) { e.insert("\n") })
	case keyboard.Tab:
		n.update(func(e *editor) { e.insert("\t") })
	case keyboard.BackSpace:
		n.update(func(e *editor) { e.erase(e.caret - 1) })
	case keyboard.Delete, keyboard.KPDelete:
		n.update(func(e *editor) { e.erase(e.caret + 1) })
	case keyboard.Left, keyboard.KPLeft:
		move(e.caret - 1)
	case keyboard.Right, keyboard.KPRight:
		move(e.caret + 1)
	case keyboard.Home, keyboard.KPHome:
		move(e.rows[r].start)
	case keyboard.End, keyboard.KPEnd:
		move(e.index(r, e.columns))
	case keyboard.Up, keyboard.KPUp:
		n.update(func(e *editor) { e.moveRows(-1, k.shift) })
	case keyboard.Down, keyboard.KPDown:
		n.update(func(e *editor) { e.moveRows(1, k.shift) })
	case keyboard.PageUp, keyboard.KPPageUp:
		n.update(func(e *editor) { e.moveRows(-n.visible(), k.shift) })
	case keyboard.PageDown, keyboard.KPPageDown:
		n.update(func(e *editor) { e.moveRows(n.visible(), k.shift) })
	default:
		if k.char >= ' ' && k.ctrl == k.alt { // both are AltGr on some keyboards
			n.update(func(e *editor) { e.insert(string(k.char)) })
		}
	}
}

// command does what a key means with Ctrl and tells whether it means anything.
func (n *notes) command(k keyEvent) bool {
	switch k.char {
	case 'a', 'A':
		n.update(func(e *editor) {
			e.moveTo(0, false)
			e.moveTo(len(e.text), true)
		})
		return true
	case 'c', 'C', 'x', 'X':
		if text := n.text.selected(); text != "" {
			n.win.scene.copy(text)
			if k.char == 'x' || k.char == 'X' {
				n.update(func(e *editor) { e.erase(e.caret) })
			}
		}
		return true
	case 'v', 'V':
		n.update(func(e *editor) { e.insert(n.win.scene.clipboard) })
		return true
	}
	move := func(to int) { n.update(func(e *editor) { e.moveTo(to, k.shift) }) }
	e := n.text
	switch desktop.Keysym(k.keysym) {
	case keyboard.Home:
		move(0)
	case keyboard.End:
		move(len(e.text))
	case keyboard.Left:
		move(e.word(e.caret, -1))
	case keyboard.Right:
		move(e.word(e.caret, 1))
	case keyboard.BackSpace:
		n.update(func(e *editor) { e.erase(e.word(e.caret, -1)) })
	case keyboard.Delete:
		n.update(func(e *editor) { e.erase(e.word(e.caret, 1)) })
	default:
		return false
	}
	return true
}

func (n *notes) cursor(image.Point) *demotarget.Cursor { return demotarget.Beam }

func floorDiv(a, b int) int {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}
