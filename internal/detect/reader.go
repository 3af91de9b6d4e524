package detect

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// How a line ended.
const (
	endedEnter   = "enter"   // it was run, or handed in
	endedClick   = "click"   // the pointer went somewhere else
	endedTab     = "tab"     // the next field of a window
	endedAbort   = "abort"   // Ctrl-C
	endedControl = "control" // the desktop changed hands
	endedSession = "session" // the session ended
)

// entry is a line as one reading has it.
type entry struct {
	text      string
	firstUS   int64
	ended     string
	certainty recording.Certainty
	truncated bool
}

// reading is one way to understand keys.
type reading struct {
	window bool // Ctrl-A selects, Ctrl-V pastes, Tab goes to the next field, Esc clears
	joined bool // clicks end no line

	line    []rune
	at      int // of the cursor in line
	anchor  int // other end of the selection; -1: none
	firstUS int64
	begun   bool // a key of this line was seen

	uncertain, incomplete, truncated bool
	crossed                          bool // of joined: a click came between the keys of the line

	kill    []rune
	meta    bool // Esc came before
	quoted  bool // Ctrl-V came before
	search  []rune
	finding bool // in a search of the history
	found   int  // how far back the search stands

	history []string // oldest first
	runes   int      // of history
	back    int      // how far back in the history the line is; 0: it is new
	saved   []rune   // the new line, while it is not
}

// clone makes a copy that shares nothing that changes in place.
func (r *reading) clone() reading {
	c := *r
	c.line, c.kill, c.search, c.saved = slices.Clone(r.line), slices.Clone(r.kill), slices.Clone(r.search), slices.Clone(r.saved)
	c.history = slices.Clip(r.history)
	return c
}

// touch notes that a key of the line came.
func (r *reading) touch(us int64) {
	if !r.begun {
		r.begun, r.firstUS = true, us
	}
}

// end ends the line and returns it, unless there is nothing in it.
func (r *reading) end(how string) (entry, bool) {
	if r.finding {
		r.accept()
	}
	text := strings.TrimRight(string(r.line), " ")
	if how == endedEnter && !r.window && strings.ContainsAny(text, "!^") {
		if full, known := expand(text, r.history); full != text || !known {
			text, r.uncertain, r.incomplete = cutRunes(full, maxLineRunes), true, r.incomplete || !known
		}
	}
	e := entry{text: text, firstUS: r.firstUS, ended: how, truncated: r.truncated, certainty: recording.Certain}
	switch {
	case r.incomplete:
		e.certainty = recording.Incomplete
	case r.uncertain:
		e.certainty = recording.Uncertain
	}
	if how == endedEnter {
		r.remember(text)
	}
	r.reset()
	return e, strings.TrimSpace(text) != ""
}

// cutRunes is the beginning of a text of at most n characters.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

func (r *reading) reset() {
	r.line, r.at, r.anchor = r.line[:0], 0, -1
	r.begun, r.uncertain, r.incomplete, r.truncated, r.crossed = false, false, false, false, false
	r.meta, r.quoted, r.finding, r.search, r.found = false, false, false, nil, 0
	r.back, r.saved = 0, nil
}

// remember keeps a line for history keys. A line that repeats the last one is kept once, as shells do by default.
func (r *reading) remember(text string) {
	if strings.TrimSpace(text) == "" || len(r.history) > 0 && r.history[len(r.history)-1] == text {
		return
	}
	r.history = append(slices.Clip(r.history), text)
	r.runes += len(text)
	for len(r.history) > maxHistory || r.runes > maxHistoryRunes {
		r.runes -= len(r.history[0])
		r.history = r.history[1:]
	}
}

// insert types text at the cursor, in the place of what is selected.
func (r *reading) insert(text []rune, us int64) {
	r.touch(us)
	r.deleteSelection()
	if room := maxLineRunes - len(r.line); len(text) > room {
		text, r.truncated = text[:max(room, 0)], true
	}
	r.line = slices.Insert(r.line, r.at, text...)
	r.at += len(text)
}

// cut removes line[from:to] and puts the cursor there.
func (r *reading) cut(from, to int) []rune {
	from, to = max(0, min(from, len(r.line))), max(0, min(to, len(r.line)))
	gone := slices.Clone(r.line[from:to])
	r.line = slices.Delete(r.line, from, to)
	r.at, r.anchor = from, -1
	return gone
}

func (r *reading) selection() (from, to int, any bool) {
	if r.anchor < 0 || r.anchor == r.at {
		return 0, 0, false
	}
	return min(r.anchor, r.at), max(r.anchor, r.at), true
}

func (r *reading) deleteSelection() bool {
	from, to, any := r.selection()
	if any {
		r.cut(from, to)
	}
	r.anchor = -1
	return any
}

// move puts the cursor at i; with extend, what lies between is selected.
func (r *reading) move(i int, extend bool) {
	switch {
	case !r.window || !extend:
		r.anchor = -1
	case r.anchor < 0:
		r.anchor = r.at
	}
	r.at = max(0, min(i, len(r.line)))
}

func wordRune(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) || c == '_' }

// wordLeft is where the word before the cursor begins; words are what is says.
func (r *reading) wordLeft(is func(rune) bool) int {
	i := r.at
	for i > 0 && !is(r.line[i-1]) {
		i--
	}
	for i > 0 && is(r.line[i-1]) {
		i--
	}
	return i
}

func (r *reading) wordRight(is func(rune) bool) int {
	i := r.at
	for i < len(r.line) && !is(r.line[i]) {
		i++
	}
	for i < len(r.line) && is(r.line[i]) {
		i++
	}
	return i
}

func notSpace(c rune) bool { return !unicode.IsSpace(c) }

// recall puts a line of the history in the place of the present one: by steps back, or forward when negative. What is not
// among the lines of this session cannot be known.
func (r *reading) recall(steps int, us int64) {
	r.touch(us)
	if r.back == 0 {
		r.saved = slices.Clone(r.line)
	}
	r.back = max(0, min(r.back+steps, len(r.history)+1))
	r.uncertain, r.anchor = true, -1
	switch {
	case r.back == 0:
		r.line = append(r.line[:0], r.saved...)
		r.uncertain = false
	case r.back > len(r.history):
		r.line, r.incomplete = r.line[:0], true // older than the session
	default:
		r.line, r.incomplete = append(r.line[:0], []rune(r.history[len(r.history)-r.back])...), false
	}
	r.at = len(r.line)
}

// find makes the line the latest one of the history, but for the first skip, that has the words searched for.
func (r *reading) find() {
	skip := r.found
	for _, line := range slices.Backward(r.history) {
		if len(r.search) > 0 && strings.Contains(line, string(r.search)) {
			if skip == 0 {
				r.line = append(r.line[:0], []rune(line)...)
				r.at, r.incomplete = len(r.line), false
				return
			}
			skip--
		}
	}
	// Not of this session. What was searched for is in what will be run.
	r.line = append(r.line[:0], r.search...)
	r.at, r.incomplete = len(r.line), len(r.search) > 0
}

// accept ends a search and keeps what it found.
func (r *reading) accept() { r.finding, r.search, r.found = false, nil, 0 }

// lastWord is the last word of the last line, which Alt-. inserts.
func (r *reading) lastWord() string {
	if len(r.history) == 0 {
		return ""
	}
	words := strings.Fields(r.history[len(r.history)-1])
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
