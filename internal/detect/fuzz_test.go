package detect_test

import (
	"encoding/binary"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
)

// FuzzLine feeds any keys: a Detector never panics, its lines are bounded and valid, and looking ahead changes nothing.
func FuzzLine(f *testing.F) {
	for _, keys := range []string{
		"rm -rf x<BS>/<Enter>", "ls<Enter><Up><C-r>l<C-r><Esc>x<Enter>", "<clip:a\\nb>x<C-v><S-Ins><middle><C-u><C-y><Enter>",
		"a<Tab>b<C-a><M-d><C-t><click>c<M-.><control>", "<C-a><S-Left><C-x><acute>e<F3><Down><Enter>",
	} {
		var seed []byte
		for _, e := range script(f, keys) {
			if k, ok := e.(recording.KeyEvent); ok {
				seed = append(seed, byte(map[bool]int{true: 1}[k.Down]))
				seed = binary.BigEndian.AppendUint32(seed, k.Keysym)
			} else {
				seed = append(seed, 2, 0, 0, 0, 'x')
			}
		}
		f.Add(seed)
	}
	set := freezing(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		d, blind := detect.New(detect.Options{Rules: set, Windows: len(in)%2 == 0}), detect.New(detect.Options{Rules: set, Windows: len(in)%2 == 0})
		for i := 0; i+5 <= len(in) && i < 5*2000; i += 5 {
			n := binary.BigEndian.Uint32(in[i+1 : i+5])
			var e recording.Event
			switch in[i] % 8 {
			case 2:
				e = recording.ClipboardEvent{Actor: "a", Direction: recording.ToTarget, Text: string(in[i:])}
			case 3:
				e = recording.PointerEvent{Actor: "a", Buttons: uint8(n), Action: recording.PointerDown, Held: n&256 != 0}
			case 4:
				e = recording.TextEvent{Actor: "a", Text: string(in[i+1 : i+5])}
			case 5:
				e = recording.JustificationEvent{Actor: "a", Answer: []string{recording.AnswerGiven, recording.AnswerRefused}[n&1]}
			default:
				e = recording.KeyEvent{Actor: "a", Keysym: n, Down: in[i]&1 != 0, Held: in[i] == 7}
			}
			d.Peek(e)
			out := d.Feed(int64(i), e)
			require.Equal(t, blind.Feed(int64(i), e), out)
			for _, l := range out.Lines {
				require.LessOrEqual(t, utf8.RuneCountInString(l.Text), 4096)
				require.True(t, utf8.ValidString(l.Text))
				require.NotEmpty(t, l.Text)
			}
		}
		require.Equal(t, blind.Finish(), d.Finish())
	})
}

// FuzzRules reads any file of rules and tries any text on it, and on the starter's: what is taken can be written and read again as
// the same, excerpts are bounded, and leaving rules out by plain strings leaves none out that fits.
func FuzzRules(f *testing.F) {
	f.Add([]byte("rules:\n- {id: a, name: A, severity: low, action: alert, sources: [typed], any: ['(?i)foo|ba[rz]+', '^(kill|ſ)\\b'], none: [x]}\n"), "foo bar; kill x")
	f.Add([]byte("lists:\n- {name: l, words: [rm, a.b]}\nrules:\n- {id: a, name: A, severity: low, action: freeze, sources: [clipboard], lists: [l]}\n"), "sudo r'm' -rf /")
	f.Add([]byte("rules: &x\n- *x"), "sh -c 'ssh h \"rm ${IFS} -rf\" $(`x`)'")
	f.Add([]byte("rules:\n- {id: a, name: A, severity: low, action: alert, sources: [typed], all: ['^cmd', 'x$']}\n"), "C:\\x\\cmd.exe /c r^eg \\\\srv\\x")
	shipped := starter(f)
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		for _, h := range shipped.Match(detect.Typed, text) {
			require.LessOrEqual(t, len(h.Excerpt), 300)
			require.True(t, utf8.ValidString(h.Excerpt))
		}
		got, err := detect.ParseYAML(file)
		if err != nil {
			return
		}
		set, err := detect.Compile(got.Rules, got.Lists)
		require.NoError(t, err)
		for _, source := range detect.Sources() {
			require.Equal(t, ids(detect.MatchSlowly(set, source, text)), ids(set.Match(source, text)))
		}
		b, err := got.YAML()
		require.NoError(t, err)
		again, err := detect.ParseYAML(b)
		require.NoError(t, err)
		require.Equal(t, len(got.Rules), len(again.Rules))
	})
}
