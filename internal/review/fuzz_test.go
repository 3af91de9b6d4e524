package review

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzSnippet: whatever people look for in whatever was typed, a snippet is the text's own characters, and what it marks is
// what was looked for.
func FuzzSnippet(f *testing.F) {
	f.Add("sudo cat /etc/shadow", `"cat /etc" SHADOW`)
	f.Add("İstanbul ﬁne \x00\xff text\nmore", `i "`)
	f.Add(strings.Repeat("a", 500), "aa aaa")
	f.Fuzz(func(t *testing.T, text, q string) {
		list := terms(q)
		if len(list) > maxTerms {
			t.Fatalf("%d terms", len(list))
		}
		pieces, ok := snippet(text, list)
		folded := fold(text)
		for _, term := range list {
			if term == "" || fold(term) != term {
				t.Fatalf("term %q", term)
			}
			if ok != strings.Contains(folded, term) && ok {
				t.Fatalf("%q is not in %q", term, text)
			}
		}
		if !ok {
			return
		}
		var b strings.Builder
		for _, p := range pieces {
			if p.Text == "" || p.Hit && len(list) == 0 {
				t.Fatalf("pieces %+v", pieces)
			}
			b.WriteString(p.Text)
		}
		if shown := strings.Trim(b.String(), "…"); !strings.Contains(strings.ToValidUTF8(text, "\uFFFD"), shown) && utf8.ValidString(text) {
			t.Fatalf("%q is not a piece of %q", shown, text)
		}
	})
}
