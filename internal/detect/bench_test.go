package detect_test

import (
	"testing"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// BenchmarkTyping is a session that types the benign lines, with all starter rules and one that holds back, as the worker does: each
// event is peeked at and fed. ns/op is for a key event, of which a fast typist makes 20 a second (10 keys, down and up): "%core" is
// what that takes of a core, "line-ns" what a whole line takes.
func BenchmarkTyping(b *testing.B) {
	f := detect.Starter()
	f.Rules = append(f.Rules, detect.Rule{
		ID: "x", Name: "X", Severity: detect.High, Action: detect.ActionFreeze, Sources: []detect.Source{detect.Typed}, Any: []string{"^never"},
	})
	set, err := detect.Compile(f.Rules, f.Lists)
	if err != nil {
		b.Fatal(err)
	}
	var events []recording.Event
	lines := linesOf(b, "benign")
	for _, line := range lines {
		for _, c := range line + "\n" {
			k := recording.KeyEvent{Actor: "eve", Keysym: uint32(keyboard.FromRune(c)), Key: keyboard.Name(keyboard.FromRune(c)), Down: true}
			events = append(events, k)
			k.Down = false
			events = append(events, k)
		}
	}
	d := detect.New(detect.Options{Rules: set})
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		e := events[i%len(events)]
		d.Peek(e)
		d.Feed(int64(i), e)
	}
	perKey := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(perKey*20/1e9*100, "%core")
	b.ReportMetric(perKey*float64(len(events))/float64(len(lines)), "line-ns")
}

// BenchmarkPaste tries the rules on a clipboard of 256 KiB of ordinary lines.
func BenchmarkPaste(b *testing.B) {
	set := starter(b)
	var text string
	for lines := linesOf(b, "benign"); len(text) < 256<<10; {
		for _, line := range lines {
			text += line + "\n"
		}
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		set.Match(detect.Clipboard, text)
	}
}
