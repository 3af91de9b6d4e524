package scene

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func rowsOf(e *editor) []string {
	var rows []string
	for _, r := range e.rows {
		rows = append(rows, string(e.text[r.start:r.end]))
	}
	return rows
}

func TestWrap(t *testing.T) {
	for text, want := range map[string][]string{
		"":                {""},
		"\n":              {"", ""},
		"one two":         {"one two"},
		"one two three":   {"one two ", "three"},
		"abcdefghijklmno": {"abcdefghij", "klmno"},
		"0123456789":      {"0123456789"},
		"0123456789\nx":   {"0123456789", "x"},
		"a  b  c  d  e":   {"a  b  c  ", "d  e"},
	} {
		if got := rowsOf(newEditor(10, text)); !slices.Equal(got, want) {
			t.Errorf("%q wraps to %q, want %q", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	e := newEditor(80, "go, to the_2nd  end")
	var forward, back []int
	for i := 0; i < len(e.text); {
		i = e.word(i, 1)
		forward = append(forward, i)
	}
	for i := len(e.text); i > 0; {
		i = e.word(i, -1)
		back = append(back, i)
	}
	if !slices.Equal(forward, []int{2, 6, 14, 19}) || !slices.Equal(back, []int{16, 7, 4, 0}) {
		t.Errorf("forward %v, back %v", forward, back)
	}
	for index, want := range map[int]string{0: "go", 1: "go", 4: "to", 9: "the_2nd", 19: "end"} {
		if e.selectWord(index); e.selected() != want {
			t.Errorf("the word at %d is %q, want %q", index, e.selected(), want)
		}
	}
}

// Moving by rows keeps the column across shorter rows.
func TestMoveRows(t *testing.T) {
	e := newEditor(10, "abcdefgh\nxy\nabcdefgh")
	e.moveTo(6, false)
	e.moveRows(1, false)
	if _, column := e.place(e.caret); column != 2 {
		t.Errorf("column %d in the short row", column)
	}
	e.moveRows(1, false)
	if r, column := e.place(e.caret); r != 2 || column != 6 {
		t.Errorf("row %d, column %d", r, column)
	}
	e.moveRows(-9, true)
	if e.caret != 0 || e.selected() != "abcdefgh\nxy\nabcdef" {
		t.Errorf("caret %d, selected %q", e.caret, e.selected())
	}
}

func TestInsertIsBounded(t *testing.T) {
	e := newEditor(10, strings.Repeat("x", maxText-2))
	e.insert("12345")
	if len(e.text) != maxText || !strings.HasSuffix(string(e.text), "x12") {
		t.Errorf("%d characters, ending in %q", len(e.text), string(e.text[len(e.text)-4:]))
	}
	e.moveTo(maxText-2, true)
	e.insert("abc\x1b\u202e")
	if !strings.HasSuffix(string(e.text), "xab") {
		t.Errorf("ending in %q", string(e.text[len(e.text)-4:]))
	}
}

// Whatever is done, caret and rows stay within the text and rows hold all of it.
func TestEditorHoldsTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	e := newEditor(7, "")
	for step := range 5000 {
		switch n := rng.IntN(len(e.text) + 3); rng.IntN(8) {
		case 0, 1, 2:
			e.insert([]string{"a", "word ", "\n", "\t", "äö", "longer than a row"}[rng.IntN(6)])
		case 3:
			e.erase(e.caret - 1)
		case 4:
			e.erase(e.caret + 1)
		case 5:
			e.moveTo(n, rng.IntN(2) == 0)
		case 6:
			e.moveRows(rng.IntN(5)-2, rng.IntN(2) == 0)
		case 7:
			e.selectWord(min(n, len(e.text)))
		}
		if e.caret < 0 || e.caret > len(e.text) || e.anchor < 0 || e.anchor > len(e.text) {
			t.Fatalf("step %d: caret %d, anchor %d of %d", step, e.caret, e.anchor, len(e.text))
		}
		if got := strings.Join(rowsOf(e), ""); got != strings.ReplaceAll(string(e.text), "\n", "") {
			t.Fatalf("step %d: rows hold %q of %q", step, got, string(e.text))
		}
		if r, column := e.place(e.caret); column > e.columns || r >= len(e.rows) {
			t.Fatalf("step %d: row %d, column %d", step, r, column)
		}
		if len(e.text) > 200 {
			e.moveTo(0, false)
			e.moveTo(150, true)
			e.erase(0)
		}
	}
}
