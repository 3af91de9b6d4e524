package review

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// Text is something in a recording that can be looked for.
type Text struct {
	US    int64  `json:"t"` // on the session's clock, in µs
	Kind  string `json:"k"`
	Actor string `json:"a,omitempty"`
	Text  string `json:"s"`
}

// The kinds of texts, as events are called in FORMAT.md.
const (
	KindLine          = "line" // typed
	KindClipboard     = "clipboard"
	KindTitle         = "title"  // of a window, or of the desktop
	KindScreen        = "screen" // read from the picture
	KindAlert         = "alert"
	KindMessage       = "message"       // to the person in the session
	KindJustification = "justification" // given by them
)

// Kinds returns the kinds of texts, in a fixed order.
func Kinds() []string {
	return []string{KindLine, KindClipboard, KindTitle, KindScreen, KindAlert, KindMessage, KindJustification}
}

// bitsOf is the set of kinds in a block, and of those somebody looks for. Kinds it does not know have no bit.
func bitsOf(kinds ...string) (bits int64) {
	for i, known := range Kinds() {
		for _, k := range kinds {
			if k == known {
				bits |= 1 << i
			}
		}
	}
	return bits
}

// fields are those of the events that are read here.
type fields struct {
	Actor   string `json:"actor"`
	Text    string `json:"text"`
	Message string `json:"message"`
	Name    string `json:"name"`
	Excerpt string `json:"excerpt"`
	Reason  string `json:"reason"`
	Title   string `json:"title"`
	Other   string `json:"other"`
	ShownUS int64  `json:"shown_us"`
	Answer  string `json:"answer"`
}

// unsaid are answers to the question why that come without a reason.
var unsaid = map[string]string{
	recording.AnswerRefused: "not done", recording.AnswerExpired: "no answer in time", recording.AnswerWithdrawn: "taken back by a supervisor",
}

// textOf is what can be looked for in an event, and the moment to go to; false when nothing can.
func textOf(us int64, kind string, line []byte) (Text, bool) {
	t := Text{US: us, Kind: kind}
	switch kind {
	case KindLine, KindClipboard, KindTitle, KindScreen, KindAlert, KindMessage, KindJustification:
	case "name":
		t.Kind = KindTitle
	default:
		return Text{}, false
	}
	var f fields
	if json.Unmarshal(line, &f) != nil {
		return Text{}, false // a line that is no JSON is for verification to find
	}
	t.Actor = f.Actor
	if kind == KindScreen && f.ShownUS > 0 && f.ShownUS < us { // it is read after it was there, and may be gone by then
		t.US = f.ShownUS
	}
	var parts []string
	for _, s := range []string{f.Name, f.Title, f.Text, f.Excerpt, f.Message, f.Reason} {
		if s = strings.TrimSpace(s); s != "" {
			parts = append(parts, s)
		}
	}
	if kind == KindJustification && unsaid[f.Answer] != "" {
		parts = append(parts, unsaid[f.Answer])
	}
	t.Text = strings.Join(parts, ": ")
	if kind == KindLine && f.Other != "" && f.Other != f.Text { // a second reading of the same keys
		t.Text += "\n" + f.Other
	}
	t.Text = cut(t.Text, maxTextBytes)
	return t, t.Text != ""
}

// cut returns the first n bytes of s, or a few less so that no character is cut in two.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// fold makes text comparable: lower case, and one space for each control character and other space. Characters stay as many
// as they are, so that what is found in it is at the same place in s.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		}
		return unicode.ToLower(r)
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// terms are what a person looks for: words, or "several words in quotes" as they are, folded.
func terms(q string) []string {
	var list []string
	add := func(s string) {
		if s = strings.TrimSpace(fold(s)); s != "" && len(list) < maxTerms {
			list = append(list, s)
		}
	}
	for i, part := range strings.Split(q, `"`) {
		if i%2 == 1 && strings.Count(q, `"`) > i { // closed
			add(part)
			continue
		}
		for word := range strings.FieldsSeq(part) {
			add(word)
		}
	}
	return list
}

// Piece is a part of a snippet.
type Piece struct {
	Text string
	Hit  bool // it is what was looked for
}

// snippet shows where the terms are in text: around the first of them. ok is false when not all of them are in it.
func snippet(text string, terms []string) (pieces []Piece, ok bool) {
	folded, runes := []rune(fold(text)), []rune(strings.ToValidUTF8(text, "\uFFFD"))
	lower := string(folded)
	hit := make([]bool, len(runes))
	first := len(runes)
	for _, term := range terms {
		at := strings.Index(lower, term)
		if at < 0 {
			return nil, false
		}
		n := utf8.RuneCountInString(term)
		for byteAt, runeAt := 0, 0; at >= 0; {
			runeAt += utf8.RuneCountInString(lower[byteAt : byteAt+at])
			first = min(first, runeAt)
			for i := runeAt; i < runeAt+n; i++ {
				hit[i] = true
			}
			byteAt, runeAt = byteAt+at+len(term), runeAt+n
			if runeAt > first+snippetAfter {
				break
			}
			at = strings.Index(lower[byteAt:], term)
		}
	}
	from := max(0, first-snippetBefore)
	to := min(len(runes), first+snippetAfter)
	if from > 0 {
		pieces = append(pieces, Piece{Text: "…"})
	}
	for i := from; i < to; {
		end := i + 1
		for end < to && hit[end] == hit[i] {
			end++
		}
		pieces = append(pieces, Piece{Text: string(runes[i:end]), Hit: hit[i]})
		i = end
	}
	if to < len(runes) {
		pieces = append(pieces, Piece{Text: "…"})
	}
	return pieces, true
}
