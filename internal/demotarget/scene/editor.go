package scene

import (
	"slices"
	"strings"
	"unicode"
)

// maxText is how many characters an editor holds; what is typed or pasted beyond is dropped.
const maxText = 64 << 10

// editor is a text with a caret and a selection, in rows of a fixed number of columns.
type editor struct {
	text    []rune
	caret   int // index into text
	anchor  int // the other end of the selection; the caret when nothing is selected
	columns int
	rows    []row
	wish    int // the column that moving up and down tries to keep, or -1
}

// row is a part of the text, without the newline that may end it.
type row struct{ start, end int }

func newEditor(columns int, text string) *editor {
	e := &editor{columns: columns, wish: -1}
	e.insert(text)
	return e
}

// wrap breaks the text into rows: at newlines, and where a row is full after its last blank.
func (e *editor) wrap() {
	e.rows = e.rows[:0]
	start := 0
	for i := 0; i <= len(e.text); i++ {
		if i == len(e.text) || e.text[i] == '\n' {
			e.rows = append(e.rows, row{start, i})
			start = i + 1
			continue
		}
		if i-start < e.columns {
			continue
		}
		end := i
		for end > start && e.text[end-1] != ' ' {
			end--
		}
		if end == start {
			end = i // one long word
		}
		e.rows = append(e.rows, row{start, end})
		start = end
	}
}

// place returns the row and the column of an index.
func (e *editor) place(index int) (r, column int) {
	r = len(e.rows) - 1
	for r > 0 && e.rows[r].start > index {
		r--
	}
	return r, index - e.rows[r].start
}

// index returns the index nearest to a row and a column.
func (e *editor) index(r, column int) int {
	if r < 0 {
		return 0
	}
	if r >= len(e.rows) {
		return len(e.text)
	}
	at, last := e.rows[r], e.rows[r].end
	if r+1 < len(e.rows) && e.rows[r+1].start == last && last > at.start {
		last-- // a wrapped row ends before its break, which belongs to the next
	}
	return min(at.start+max(column, 0), last)
}

// selection returns what is selected.
func (e *editor) selection() (start, end int) {
	return min(e.caret, e.anchor), max(e.caret, e.anchor)
}

func (e *editor) selected() string {
	start, end := e.selection()
	return string(e.text[start:end])
}

// insert replaces the selection.
func (e *editor) insert(s string) {
	start, end := e.selection()
	var add []rune
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		switch {
		case r == '\t':
			add = append(add, []rune("    ")...)
		case r == '\n' || unicode.IsGraphic(r):
			add = append(add, r)
		}
	}
	add = add[:min(len(add), maxText-len(e.text)+end-start)]
	e.text = slices.Replace(e.text, start, end, add...)
	e.moveTo(start+len(add), false)
	e.wrap()
}

// erase removes the selection, or what lies between the caret and to.
func (e *editor) erase(to int) {
	if e.anchor == e.caret {
		e.anchor = min(max(to, 0), len(e.text))
	}
	e.insert("")
}

// moveTo moves the caret; extend keeps the other end of the selection.
func (e *editor) moveTo(index int, extend bool) {
	e.caret = min(max(index, 0), len(e.text))
	if !extend {
		e.anchor = e.caret
	}
	e.wish = -1
}

// moveRows moves the caret up (negative) or down.
func (e *editor) moveRows(by int, extend bool) {
	r, column := e.place(e.caret)
	wish := max(column, e.wish)
	e.moveTo(e.index(r+by, wish), extend)
	e.wish = wish
}

// word returns the index before or after the word beside an index.
func (e *editor) word(index, direction int) int {
	inWord := func() bool {
		i := index
		if direction < 0 {
			i--
		}
		r := e.text[i]
		return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'
	}
	inside := func() bool { return index+min(direction, 0) >= 0 && index+min(direction, 0) < len(e.text) }
	for inside() && !inWord() {
		index += direction
	}
	for inside() && inWord() {
		index += direction
	}
	return index
}

// selectWord selects the word around an index.
func (e *editor) selectWord(index int) {
	start := e.word(min(index+1, len(e.text)), -1)
	e.moveTo(start, false)
	e.moveTo(e.word(start, 1), true)
}
