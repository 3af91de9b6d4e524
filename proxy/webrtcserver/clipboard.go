package webrtcserver

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// errClipboardLarge is told to the person whose text is refused.
var errClipboardLarge = fmt.Errorf("the text is larger than %d KiB", desktop.MaxClipboardBytes>>10)

// assembly puts the parts of one incoming clipboard text together.
type assembly struct {
	id    int64
	next  int // the part expected, 0 when none is under way
	parts int
	text  strings.Builder

	refused    int64 // the text whose further parts are ignored
	hasRefused bool

	newest  int64 // the highest id of a text that is done with, or under way
	awaited bool  // a text is to come that none of the parts were of
	await   int64 // its id
}

// pending reports whether more parts are expected.
func (a *assembly) pending() bool { return a.next > 0 }

// awaits tells whether a text is still to come, for which what the person does next must wait. Ids rise.
func (a *assembly) awaits(id int64) bool {
	a.awaited, a.await = id > a.newest, id
	return a.awaited
}

// add takes one part. done is set with the last one; an error refuses the whole text, once.
func (a *assembly) add(m *clipMessage) (text string, done bool, err error) {
	a.newest = max(a.newest, m.ID)
	if a.newest >= a.await {
		a.awaited = false
	}
	if m.Part == 0 {
		a.reset() // a text that was under way is given up for a newer one
		a.id, a.parts = m.ID, m.Parts
	} else if a.hasRefused && m.ID == a.refused {
		return "", false, nil
	}
	if m.Part != a.next || m.ID != a.id || m.Parts != a.parts {
		a.refuse(m.ID)
		return "", false, errors.New("parts out of order")
	}
	if a.text.Len()+len(m.Text) > desktop.MaxClipboardBytes {
		a.refuse(m.ID)
		return "", false, errClipboardLarge
	}
	a.text.WriteString(m.Text)
	a.next++
	if a.next < a.parts {
		return "", false, nil
	}
	text = a.text.String()
	a.reset()
	// The contract says LF; a browser on Windows may forget.
	return strings.ReplaceAll(text, "\r\n", "\n"), true, nil
}

// reset forgets a text under way, and its memory.
func (a *assembly) reset() { *a = assembly{newest: a.newest, awaited: a.awaited, await: a.await} }

// refuse forgets a text under way, and what is still to come of it.
func (a *assembly) refuse(id int64) {
	a.reset()
	a.refused, a.hasRefused = id, true
}

// splitClipboard returns the messages that carry a text. text is valid UTF-8 within the cap.
func splitClipboard(id int64, text string) [][]byte {
	var parts []string
	for len(text) > sentClipPartBytes {
		n := sentClipPartBytes
		for !utf8.RuneStart(text[n]) {
			n--
		}
		parts, text = append(parts, text[:n]), text[n:]
	}
	parts = append(parts, text)
	msgs := make([][]byte, len(parts))
	for i, part := range parts {
		msgs[i] = encode(clipReply{T: "clip", ID: id, Part: i, Parts: len(parts), Text: part})
	}
	return msgs
}
