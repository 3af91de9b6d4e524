package detect_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// script turns a text into events. <Name> is a key, <C-x>, <M-x>, <S-x>, <CS-x> one with modifiers; <clip:text>, <click>, <middle> and
// <control> are what they say.
func script(t testing.TB, text string) []recording.Event {
	var out []recording.Event
	named := map[string]desktop.Keysym{
		"Enter": keyboard.Return, "KPEnter": keyboard.KPEnter, "BS": keyboard.BackSpace, "Del": keyboard.Delete, "Left": keyboard.Left,
		"Right": keyboard.Right, "Up": keyboard.Up, "Down": keyboard.Down, "Home": keyboard.Home, "End": keyboard.End, "Tab": keyboard.Tab,
		"Esc": keyboard.Escape, "Ins": keyboard.Insert, "KPLeft": keyboard.KPLeft, "F3": keyboard.F1 + 2, "acute": 0xfe51, "LT": '<',
	}
	key := func(k desktop.Keysym, down bool) {
		out = append(out, recording.KeyEvent{Actor: "eve", Keysym: uint32(k), Key: keyboard.Name(k), Down: down})
	}
	tap := func(k desktop.Keysym) { key(k, true); key(k, false) }
	for text != "" {
		if text[0] != '<' {
			r := []rune(text)[0]
			tap(keyboard.FromRune(r))
			text = text[len(string(r)):]
			continue
		}
		word, rest, ok := strings.Cut(text[1:], ">")
		require.True(t, ok, text)
		text = rest
		var mods []desktop.Keysym
		if m, name, ok := strings.Cut(word, "-"); ok && strings.Trim(m, "CMSW") == "" {
			for _, c := range m {
				mods = append(mods, map[rune]desktop.Keysym{'C': keyboard.ControlL, 'M': keyboard.AltL, 'S': keyboard.ShiftR, 'W': keyboard.SuperL}[c])
			}
			word = name
		}
		switch kind, arg, _ := strings.Cut(word, ":"); kind {
		case "clip":
			out = append(out, recording.ClipboardEvent{Actor: "eve", Direction: recording.ToTarget, Text: strings.ReplaceAll(arg, `\n`, "\n")})
		case "text":
			out = append(out, recording.TextEvent{Actor: "eve", Text: arg})
		case "click", "middle":
			buttons := map[string]uint8{"click": 1, "middle": 2}[kind]
			out = append(out, recording.PointerEvent{Actor: "eve", Buttons: buttons, Action: recording.PointerDown},
				recording.PointerEvent{Actor: "eve", Action: recording.PointerUp})
		case "control":
			out = append(out, recording.ControlEvent{Actor: "bob", Action: "taken"})
		default:
			for _, m := range mods {
				key(m, true)
			}
			if k, ok := named[word]; ok {
				tap(k)
			} else {
				tap(keyboard.FromRune([]rune(word)[0]))
			}
			for _, m := range mods {
				key(m, false)
			}
		}
	}
	return out
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		what, keys string
		want       string // of the lines, with how they ended and how sure they are
	}{
		{"plain", "ls -la<Enter>", "ls -la|enter|certain"},
		{"keypad's Enter", "ls<KPEnter>", "ls|enter|certain"},
		{"nothing typed", "<Enter><Enter>", ""},
		{"backspaces", "rm -rf x<BS><BS><BS>f /<Enter>", "rm -rf /|enter|certain"},
		{"backspace at the beginning", "<BS><BS>ls<Enter>", "ls|enter|certain"},
		{"arrows and delete", "lls<Home><Del><End> -a<Enter>", "ls -a|enter|certain"},
		{"inserting in the middle", "rm /<Left>-rf <Enter>", "rm -rf /|enter|certain"},
		{"keypad's arrows", "ab<KPLeft>x<Enter>", "axb|enter|certain"},
		{"Ctrl-U", "mistake<C-u>ls<Enter>", "ls|enter|uncertain|mistakels"},
		{"Ctrl-W", "rm -rf foo<C-w>/<Enter>", "rm -rf /|enter|uncertain|rm -rf foo/"},
		{"Ctrl-A and Ctrl-E", "ls<C-a>sudo <C-e> -l<Enter>", "sudo ls -l|enter|uncertain|sudo  -l"},
		{"kill and yank", "-rf /<C-u>rm <C-y><Enter>", "rm -rf /|enter|uncertain|-rf /rm"},
		{"Alt-B and Alt-D", "cat file<M-b><M-d>x<Enter>", "cat x|enter|uncertain|cat filex"},
		{"Esc as Meta", "cat file<Esc>bmy<Enter>", "cat myfile|enter|uncertain|bmy"},
		{"transposed", "sl<C-t><Enter>", "ls|enter|uncertain|sl"},
		{"history", "ls<Enter>pwd<Enter><Up><Up><Enter>", "ls|enter|certain;pwd|enter|certain;ls|enter|uncertain"},
		{"history, edited", "rm -rf x<Enter><Up><BS>/<Enter>", "rm -rf x|enter|certain;rm -rf /|enter|uncertain"},
		{"back to the new line", "ls<Enter>new<Up><Down><Enter>", "ls|enter|certain;new|enter|certain"},
		{"older than the session", "ls<Enter><Up><Up><Up>x<Enter>", "ls|enter|certain;x|enter|incomplete"},
		{"Ctrl-P", "ls<Enter><C-p><Enter>", "ls|enter|certain;ls|enter|uncertain"},
		{"searched", "cat /etc/shadow<Enter>ls<Enter><C-r>shad<Enter>", "cat /etc/shadow|enter|certain;ls|enter|certain;cat /etc/shadow|enter|uncertain"},
		{"searched twice", "echo a1<Enter>echo a2<Enter><C-r>echo<C-r><Enter>", "echo a1|enter|certain;echo a2|enter|certain;echo a1|enter|uncertain"},
		{"search given up", "ls<Enter><C-r>l<C-g>id<Enter>", "ls|enter|certain;id|enter|uncertain"},
		{"called by !!", "rm -rf /x<Enter>sudo !!<Enter>!s<Enter>", "rm -rf /x|enter|certain;sudo rm -rf /x|enter|uncertain|sudo !!;sudo rm -rf /x|enter|uncertain|!s"},
		{"called, from an earlier session", "sudo !!<Enter>", "sudo !!|enter|incomplete"},
		{"not called", "echo 'done!'<Enter>[ ! -e x ]<Enter>", "echo 'done!'|enter|certain;[ ! -e x ]|enter|certain"},
		{"last word", "cat /etc/shadow<Enter>ls <M-.><Enter>", "cat /etc/shadow|enter|certain;ls /etc/shadow|enter|uncertain|ls"},
		{"completed", "cat /etc/sha<Tab><Enter>", "cat /etc/sha|enter|incomplete"},
		{"given up", "rm -rf /<C-c>ls<Enter>", "rm -rf /|abort|certain;ls|enter|certain"},
		{"Ctrl-M and Ctrl-J", "ls<C-m>id<C-j>", "ls|enter|certain;id|enter|certain"},
		{"pasted", "<clip:rm -rf />sudo <CS-v><Enter>", "sudo rm -rf /|enter|certain"},
		{"pasted by Shift-Insert", "<clip:id><S-Ins><Enter>", "id|enter|certain"},
		{"pasted by the middle button", "<clip:id>sudo <middle><Enter>", "sudo id|enter|uncertain"},
		{"pasted with line ends", `<clip:id\nls\npw><S-Ins>d<Enter>`, "id|enter|certain;ls|enter|certain;pwd|enter|certain"},
		{"Ctrl-V quotes in a terminal", "<clip:id>a<C-v>b<Enter>", "ab|enter|uncertain|aidb"},
		{"composed text", "<text:日本>x<Enter>", "日本x|enter|certain"},
		{"dead key", "caf<acute>e<Enter>", "café|enter|certain"},
		{"other alphabets", "привет ł α €<Enter>", "привет ł α €|enter|certain"},
		{"a click", "user<click>secret<Enter>", "user|click|certain;secret|enter|certain"},
		{"another holds control", "half<control>", "half|control|certain"},
		{"AltGr as Ctrl and Alt", "a<CM-@>b<Enter>", "a@b|enter|certain"},
		{"another window", "half<M-Tab>ls<Enter>", "half|tab|certain;ls|enter|certain"},
		{"Super types nothing", "<W-r>cmd<Enter>", "cmd|enter|certain"},
		{"the session ends", "half", "half|session|certain"},
	} {
		t.Run(c.what, func(t *testing.T) {
			require.Equal(t, c.want, linesFrom(t, detect.New(detect.Options{}), c.keys))
		})
	}
}

func linesFrom(t testing.TB, d *detect.Detector, keys string) string {
	var got []string
	add := func(out detect.Outcome) {
		for _, l := range out.Lines {
			s := l.Text + "|" + l.Ended + "|" + string(l.Certainty)
			if l.Other != "" {
				s += "|" + l.Other
			}
			got = append(got, s)
		}
	}
	for i, e := range script(t, keys) {
		add(d.Feed(int64(i), e))
	}
	add(d.Finish())
	return strings.Join(got, ";")
}

func TestLinesOfWindows(t *testing.T) {
	for _, c := range []struct{ what, keys, want string }{
		{"select all", "wrong<C-a>right<Enter>", "right|enter|uncertain|rightwrong"},
		{"Ctrl-V pastes", "<clip:net user>x<BS><C-v><Enter>", "net user|enter|certain"},
		{"Shift and arrows select", "abcd<S-Left><S-Left>X<Enter>", "abX|enter|uncertain|abXcd"},
		{"cut", "secret<C-a><C-x>open<Enter>", "open|enter|uncertain|opensecret"},
		{"a word", "one two<C-BS>three<Enter>", "one three|enter|uncertain|one twthree"},
		{"Esc clears", "wrong<Esc>dir<Enter>", "dir|enter|uncertain|wrongir"},
		{"Tab goes on", "user<Tab>password<Enter>", "user|tab|certain;password|enter|certain"},
		{"F3 repeats", "dir<Enter><F3><Enter>", "dir|enter|certain;dir|enter|uncertain"},
		{"copied, not given up", "dir<C-a><C-c><End><Enter>", "dir|enter|certain"},
	} {
		t.Run(c.what, func(t *testing.T) {
			require.Equal(t, c.want, linesFrom(t, detect.New(detect.Options{Windows: true}), c.keys))
		})
	}
}

func TestFirstKey(t *testing.T) {
	d := detect.New(detect.Options{})
	for i, e := range script(t, "<Enter>ls<Enter>") {
		for _, l := range d.Feed(int64(i*10), e).Lines {
			require.EqualValues(t, 20, l.FirstUS, "the time of the l")
			require.Equal(t, "eve", l.Actor)
			return
		}
	}
	t.Fatal("no line")
}

func hitsFrom(t testing.TB, d *detect.Detector, keys string) (got []string) {
	for i, e := range script(t, keys) {
		got = append(got, ids(d.Feed(int64(i), e).Hits)...)
	}
	return append(got, ids(d.Finish().Hits)...)
}

// TestEvasions types what rules fit in ways that look different to each reading.
func TestEvasions(t *testing.T) {
	set := starter(t)
	for _, c := range []struct{ what, keys, want string }{
		{"edited", "rm -rf x<BS>/<Enter>", "linux-mass-deletion"},
		{"a click in between", "rm -rf<click> /<Enter>", "linux-mass-deletion"},
		{"from the history", "ls<Enter>rm -rf x<Enter>ls<Enter><Up><Up><BS>/<Enter>", "linux-mass-deletion"},
		{"called", "rm -rf x<Enter>^x^/<Enter>", "linux-mass-deletion"},
		{"called with a word", "ls /etc/shadow<Enter>cat !$<Enter>", "linux-credentials"},
		{"pasted", "<clip:-rf /><S-Ins><Home>rm <Enter>", "linux-mass-deletion"},
		{"pasted in two", "<clip:-rf />rm <middle><Enter>", "linux-mass-deletion"},
		{"pasted in a window", "<clip:reg save HKLM>x<BS><C-v>\\SAM s<Enter>", "windows-credentials"},
		{"Ctrl-J", "rm -rf /<C-j>", "linux-mass-deletion"},
		{"the OK button", "vssadmin delete shadows<click>", "windows-mass-deletion"},
		{"killed and yanked", "rf / -<C-u>rm -<C-y><Enter>", "linux-mass-deletion"},
		{"quoted", "r'm' -r\"f\" /<Enter>", "linux-mass-deletion"},
		{"Esc Enter", "rm -rf<Esc><Enter> /<Enter>", "linux-mass-deletion"},
	} {
		t.Run(c.what, func(t *testing.T) {
			require.Contains(t, hitsFrom(t, detect.New(detect.Options{Rules: set}), c.keys), c.want)
			require.Contains(t, hitsFrom(t, detect.New(detect.Options{Rules: set, Windows: true}), c.keys), c.want)
		})
	}
	require.Empty(t, hitsFrom(t, detect.New(detect.Options{Rules: set}), "rm -rf /<C-c>ls<Enter>"), "it was not run")
}

func freezing(t testing.TB) *detect.Set {
	s, err := detect.Compile([]detect.Rule{{
		ID: "x", Name: "X", Severity: detect.High, Action: detect.ActionFreeze, Sources: []detect.Source{detect.Typed, detect.Clipboard}, Any: []string{"^rm -rf /"},
	}}, nil)
	require.NoError(t, err)
	return s
}

// TestHeldBack: what was held back is still being typed, and a justification lets it go on once.
func TestHeldBack(t *testing.T) {
	d := detect.New(detect.Options{Rules: freezing(t)})
	feed := func(keys string) (held int) {
		for _, e := range script(t, keys) {
			action, hits := d.Peek(e)
			if action == detect.ActionAlert {
				require.Empty(t, d.Feed(0, e).Hits)
				continue
			}
			held++
			require.Len(t, hits, 1)
			k := e.(recording.KeyEvent)
			k.Held = true
			out := d.Feed(0, k)
			require.Len(t, out.Hits, 1)
			require.Empty(t, out.Lines)
		}
		return held
	}
	require.Equal(t, 1, feed("rm -rf /<Enter>"))
	require.Equal(t, 1, feed("<Enter>"), "the line still stands there")
	require.Equal(t, 0, feed("<BS>x<Enter>"), "it was changed before it ran")
	require.Equal(t, 1, feed("rm -rf /<Enter>"))
	d.Feed(0, recording.JustificationEvent{Actor: "eve", Rule: "x", Answer: "given", Releases: true})
	enter := script(t, "<Enter>")[0]
	action, _ := d.Peek(enter)
	require.Equal(t, detect.ActionAlert, action)
	out := d.Feed(0, enter)
	require.Len(t, out.Lines, 1)
	require.Empty(t, out.Hits)
	require.Equal(t, 1, feed("rm -rf /<Enter>"), "one justification is for one line")

	answer := func(actor, answer string) {
		d.Feed(0, recording.JustificationEvent{Actor: actor, Rule: "x", Answer: answer})
	}
	answer("eve", recording.AnswerRefused)
	require.Equal(t, 1, feed("<Enter>"), "a refusal lets nothing pass")
	answer("eve", recording.AnswerGiven) // what was held back was not done: they press Enter again
	require.Equal(t, 1, feed("<BS>/etc<Enter>"), "of another line")
	require.Equal(t, 0, feed("<BS><BS><BS><Enter>"))
	require.Equal(t, 1, feed("rm -rf /<Enter>"))
}

// TestHeldBackFromAnother: a line stands in a terminal whoever presses Enter, and a reason is only its author's.
func TestHeldBackFromAnother(t *testing.T) {
	held := func(d *detect.Detector, actor string) bool {
		e := script(t, "<Enter>")[0].(recording.KeyEvent)
		e.Actor = actor
		action, _ := d.Peek(e)
		e.Held = action != detect.ActionAlert
		d.Feed(0, e)
		return e.Held
	}
	typed := func() *detect.Detector {
		d := detect.New(detect.Options{Rules: freezing(t)})
		for _, e := range script(t, "rm -rf /") {
			require.Empty(t, d.Feed(0, e).Hits)
		}
		return d
	}
	d := typed()
	require.True(t, held(d, "eve"))
	d.Feed(0, recording.ControlEvent{Actor: "eve", Action: "released"})
	d.Feed(0, recording.ControlEvent{Actor: "eve", Action: "taken"})
	require.True(t, held(d, "eve"), "after the page was loaded anew")
	d.Feed(0, recording.JustificationEvent{Actor: "eve", Answer: recording.AnswerGiven})
	require.True(t, held(d, "bob"), "what eve gave a reason for")
	d.Feed(0, recording.JustificationEvent{Actor: "bob", Answer: recording.AnswerGiven})
	require.False(t, held(d, "bob"))

	d = typed()
	for _, e := range script(t, "home") {
		k := e.(recording.KeyEvent)
		k.Actor = "bob"
		d.Feed(0, k)
	}
	require.True(t, held(d, "bob"), "begun by eve, ended by bob")
}

// TestJustifiedClipboard: a reason for a text is one for each line that comes of pasting it, once.
func TestJustifiedClipboard(t *testing.T) {
	d := detect.New(detect.Options{Rules: freezing(t)})
	clip := script(t, `<clip:ls\nrm -rf / \nid\n>`)[0].(recording.ClipboardEvent)
	action, _ := d.Peek(clip)
	require.Equal(t, detect.ActionFreeze, action)
	clip.Held = true
	require.Len(t, d.Feed(0, clip).Hits, 1)
	d.Feed(0, recording.JustificationEvent{Actor: "eve", Answer: recording.AnswerGiven, Releases: true})
	clip.Held = false
	action, _ = d.Peek(clip)
	require.Equal(t, detect.ActionAlert, action)
	require.Empty(t, d.Feed(0, clip).Hits)
	pasted := func() (hits int) {
		for _, e := range script(t, "<S-Ins>") {
			if action, _ := d.Peek(e); action != detect.ActionAlert {
				hits++
			}
			d.Feed(0, e)
		}
		return hits
	}
	require.Zero(t, pasted())
	require.Equal(t, 1, pasted())
}

func TestBounded(t *testing.T) {
	d := detect.New(detect.Options{Rules: starter(t)})
	for range 3 * 4096 {
		d.Feed(0, script(t, "a")[0])
	}
	out := d.Feed(0, script(t, "<Enter>")[0])
	require.True(t, out.Lines[0].Truncated)
	require.Len(t, out.Lines[0].Text, 4096)
}
