package detect

import (
	"slices"
	"strings"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// modifiers are what is held while another key goes down.
type modifiers struct{ shift, ctrl, alt, meta uint8 } // a bit for each of the two keys

// note takes in a modifier going up or down. It reports whether k is one.
func (m *modifiers) note(k desktop.Keysym, down bool) bool {
	set := func(of *uint8, bit uint8) bool {
		if *of &^= bit; down {
			*of |= bit
		}
		return true
	}
	switch k {
	case keyboard.ShiftL:
		return set(&m.shift, 1)
	case keyboard.ShiftR:
		return set(&m.shift, 2)
	case keyboard.ControlL:
		return set(&m.ctrl, 1)
	case keyboard.ControlR:
		return set(&m.ctrl, 2)
	case keyboard.AltL:
		return set(&m.alt, 1)
	case keyboard.AltR:
		return set(&m.alt, 2)
	case keyboard.SuperL, keyboard.MetaL:
		return set(&m.meta, 1)
	case keyboard.SuperR, keyboard.MetaR:
		return set(&m.meta, 2)
	}
	return keyboard.IsModifier(k)
}

// held tells whether any is down that may make a key run or end something.
func (m modifiers) held() bool { return m.ctrl|m.alt|m.meta != 0 }

// press is a key going down, with all a reading needs to know.
type press struct {
	us   int64
	key  desktop.Keysym
	text []rune // what the key types; nil: nothing
	mods modifiers
	clip string // what a paste pastes
}

// letter is the letter of the key in lower case, for combinations; 0: it has none.
func (p *press) letter() rune {
	if len(p.text) != 1 {
		return 0
	}
	c := p.text[0]
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// numlockOff maps the keypad's keys to those they stand for.
var numlockOff = map[desktop.Keysym]desktop.Keysym{
	keyboard.KPHome: keyboard.Home, keyboard.KPEnd: keyboard.End, keyboard.KPLeft: keyboard.Left, keyboard.KPRight: keyboard.Right,
	keyboard.KPUp: keyboard.Up, keyboard.KPDown: keyboard.Down, keyboard.KPInsert: keyboard.Insert, keyboard.KPDelete: keyboard.Delete,
	keyboard.KPPageUp: keyboard.PageUp, keyboard.KPPageDown: keyboard.PageDown, keyboard.KPEnter: keyboard.Return,
}

// key takes in a key and returns the lines it ended.
func (r *reading) key(p *press) []entry {
	if r.quoted {
		if r.quoted = false; len(p.text) > 0 && p.mods.ctrl == 0 {
			r.insert(p.text, p.us)
			return nil
		}
		r.uncertain = true
	}
	if r.meta {
		r.meta, p.mods.alt = false, p.mods.alt|1
	}
	if r.finding {
		if done, ended := r.searchKey(p); done {
			return ended
		}
	}
	// Ctrl and Alt together are AltGr where the character is no letter.
	altGr := p.mods.ctrl != 0 && p.mods.alt != 0
	switch c := p.letter(); {
	case p.mods.meta != 0:
		return nil // the desktop's own
	case altGr && c != 0 && (c < 'a' || c > 'z'):
		r.insert(p.text, p.us)
		return nil
	case altGr:
		return nil
	case p.mods.alt != 0 && p.key == keyboard.Return:
		if r.joined { // whether it runs the line, programs see differently
			r.crossed = true
			return nil
		}
		return r.ended(endedEnter)
	case p.mods.ctrl != 0 && c != 0:
		return r.control(p, c)
	case p.mods.alt != 0 && !r.window:
		r.metaKey(p, c)
		return nil
	case p.mods.alt != 0:
		return nil // a menu
	case len(p.text) > 0:
		r.insert(p.text, p.us)
		return nil
	}
	return r.named(p)
}

// named is a key that types nothing.
func (r *reading) named(p *press) []entry {
	extend, word := p.mods.shift != 0, p.mods.ctrl != 0
	switch p.key {
	case keyboard.Return:
		return r.ended(endedEnter)
	case keyboard.BackSpace:
		switch {
		case r.window && r.deleteSelection():
		case word && r.window:
			r.cut(r.wordLeft(wordRune), r.at)
		case r.at > 0:
			r.cut(r.at-1, r.at)
		}
	case keyboard.Delete:
		switch {
		case r.window && r.deleteSelection():
		case word && r.window:
			r.cut(r.at, r.wordRight(wordRune))
		case r.at < len(r.line):
			r.cut(r.at, r.at+1)
		}
	case keyboard.Left:
		if i := r.at - 1; word {
			r.move(r.wordLeft(wordRune), extend)
		} else {
			r.move(i, extend)
		}
	case keyboard.Right:
		if i := r.at + 1; word {
			r.move(r.wordRight(wordRune), extend)
		} else {
			r.move(i, extend)
		}
	case keyboard.Home:
		r.move(0, extend)
	case keyboard.End:
		r.move(len(r.line), extend)
	case keyboard.Up:
		r.recall(1, p.us)
	case keyboard.Down:
		r.recall(-1, p.us)
	case keyboard.PageUp, keyboard.PageDown:
		r.uncertain = r.begun
	case keyboard.Insert:
		if p.mods.shift != 0 {
			return r.paste(p.clip, p.us)
		}
		r.uncertain = r.begun // it may overwrite from now on
	case keyboard.Tab, 0xfe20: // ISO_Left_Tab is Tab with Shift
		if r.window {
			return r.ended(endedTab)
		}
		if r.begun {
			r.incomplete = true
		}
	case keyboard.Escape:
		if r.window {
			r.line, r.at, r.anchor = r.line[:0], 0, -1
		} else {
			r.meta = true
		}
	case keyboard.F1 + 2: // F3 repeats the last line of the Windows console
		if r.window && len(r.line) == 0 {
			r.recall(1, p.us)
		}
	}
	return nil
}

// control is a letter with Ctrl.
func (r *reading) control(p *press, c rune) []entry {
	switch c { // what both readings agree on
	case 'c':
		if _, _, selected := r.selection(); selected {
			return nil // copied
		}
		return r.ended(endedAbort)
	case 'm', 'j':
		if !r.window || c == 'm' {
			return r.ended(endedEnter)
		}
	case 'v':
		if p.mods.shift != 0 || r.window {
			return r.paste(p.clip, p.us)
		}
		r.quoted = true
		return nil
	case 'h':
		if r.at > 0 {
			r.cut(r.at-1, r.at)
		}
		return nil
	}
	if r.window {
		r.windowControl(c)
		return nil
	}
	return r.shellControl(p, c)
}

func (r *reading) windowControl(c rune) {
	switch c {
	case 'a':
		r.anchor, r.at = 0, len(r.line)
	case 'x':
		if from, to, any := r.selection(); any {
			r.cut(from, to)
		}
	case 'z', 'y':
		r.uncertain = r.begun
	}
}

// shellControl is readline's.
func (r *reading) shellControl(p *press, c rune) []entry {
	keep := func(gone []rune) {
		if len(gone) > 0 {
			r.kill = gone
		}
	}
	switch c {
	case 'a':
		r.move(0, false)
	case 'e':
		r.move(len(r.line), false)
	case 'b':
		r.move(r.at-1, false)
	case 'f':
		r.move(r.at+1, false)
	case 'd':
		if r.at < len(r.line) {
			r.cut(r.at, r.at+1)
		}
	case 'u':
		keep(r.cut(0, r.at))
	case 'k':
		keep(r.cut(r.at, len(r.line)))
	case 'w':
		keep(r.cut(r.wordLeft(notSpace), r.at))
	case 'y':
		r.insert(slices.Clone(r.kill), p.us)
	case 't':
		if i := min(r.at, len(r.line)-1); i > 0 {
			r.line[i-1], r.line[i] = r.line[i], r.line[i-1]
			r.at = i + 1
		}
	case 'i':
		r.incomplete = r.incomplete || r.begun
	case 'o':
		return r.ended(endedEnter)
	case 'p':
		r.recall(1, p.us)
	case 'n':
		r.recall(-1, p.us)
	case 'r', 's':
		r.touch(p.us)
		r.finding, r.search, r.found, r.uncertain = true, nil, 0, true
	case 'g':
		r.line, r.at = r.line[:0], 0
	case '_', 'x':
		r.uncertain = r.begun
	}
	return nil
}

// metaKey is a key with Alt, or after Esc, in a shell.
func (r *reading) metaKey(p *press, c rune) {
	letters := func(change func(string) string) {
		to := r.wordRight(wordRune)
		for i := r.at; i < to; i++ {
			if u := []rune(change(string(r.line[i]))); len(u) == 1 {
				r.line[i] = u[0]
			}
		}
		r.at = to
	}
	switch {
	case p.key == keyboard.BackSpace:
		r.kill = r.cut(r.wordLeft(wordRune), r.at)
	case p.key == keyboard.Left, c == 'b':
		r.move(r.wordLeft(wordRune), false)
	case p.key == keyboard.Right, c == 'f':
		r.move(r.wordRight(wordRune), false)
	case c == 'd':
		r.kill = r.cut(r.at, r.wordRight(wordRune))
	case c == 'u':
		letters(strings.ToUpper)
	case c == 'l':
		letters(strings.ToLower)
	case c == '.', c == '_':
		if word := r.lastWord(); word != "" {
			r.insert([]rune(word), p.us)
		} else {
			r.touch(p.us)
			r.incomplete = true
		}
		r.uncertain = true
	case c == '<', c == '>':
		r.recall(map[rune]int{'<': len(r.history), '>': -len(r.history) - 1}[c], p.us)
	case c != 0:
		r.uncertain = r.begun
	}
}

// searchKey is a key during a search of the history. done is unset for keys that end the search and then do what they do.
func (r *reading) searchKey(p *press) (done bool, ended []entry) {
	c := p.letter()
	switch {
	case p.mods.ctrl != 0 && c == 'r':
		r.found++
		r.find()
	case p.mods.ctrl != 0 && c == 's':
		r.found = max(0, r.found-1)
		r.find()
	case p.mods.ctrl != 0 && (c == 'g' || c == 'c'):
		r.accept()
		r.line, r.at = r.line[:0], 0
	case p.mods.ctrl == 0 && p.mods.alt == 0 && len(p.text) > 0:
		if len(r.search) < maxLineRunes {
			r.search = append(r.search, p.text...)
		}
		r.found = 0
		r.find()
	case p.key == keyboard.BackSpace:
		if n := len(r.search); n > 0 {
			r.search = r.search[:n-1]
		}
		r.found = 0
		r.find()
	default:
		r.accept()
		return p.key == keyboard.Escape, nil
	}
	return true, nil
}

// ended ends the line.
func (r *reading) ended(how string) []entry {
	if e, any := r.end(how); any {
		return []entry{e}
	}
	return nil
}

// paste puts text into the line; each of its line ends ends a line.
func (r *reading) paste(text string, us int64) []entry {
	var out []entry
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for n, part := range strings.SplitAfter(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		body, whole := strings.CutSuffix(part, "\n")
		if body != "" {
			r.insert([]rune(body), us)
		}
		if whole {
			out = append(out, r.ended(endedEnter)...)
		}
		if n == maxPastedLines {
			r.truncated = true
			break
		}
	}
	return out
}
