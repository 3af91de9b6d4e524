package detect

import (
	"slices"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// Options are what a Detector is made of.
type Options struct {
	Rules *Set // nil: none
	// Windows says that the target is a Windows desktop more likely than a terminal: its reading of lines is the one recorded.
	Windows bool
}

// Detector follows one session. It is not safe for concurrent use.
type Detector struct {
	rules   *Set
	primary int // of readings
	actor   string
	shape   [3]reading // shell, window, joined
	mods    modifiers
	mark    rune // of a dead key that waits for its character; 0: none
	clip    string
	buttons uint8
	asked   []match // what fits an act that was held back, or is asked about all the same
	cleared []match // what was justified; each passes once, by whoever was asked
	trying  []match // what fits the present event
	memo    []memo
}

// The readings.
const (
	shell = iota
	window
	joined
)

// match is a rule that fits a text.
type match struct {
	rule   string // id
	source Source
	text   string
}

// memo is what was found in a text of late: Peek and Feed look at the same ones.
type memo struct {
	source Source
	text   string
	hits   []Hit
}

const memos = 6

// Outcome is what follows from an event.
type Outcome struct {
	Lines []recording.LineEvent
	Hits  []Hit
}

// New returns a Detector at the beginning of a session.
func New(o Options) *Detector {
	d := &Detector{rules: o.Rules, primary: shell}
	if o.Windows {
		d.primary = window
	}
	d.shape[window].window, d.shape[joined].joined = true, true
	for i := range d.shape {
		d.shape[i].reset()
	}
	return d
}

// SetRules changes the rules from now on.
func (d *Detector) SetRules(s *Set) { d.rules, d.memo = s, nil }

// Peek tells the strictest action that a rule asks for if e happens, and the hits that ask for it. It changes nothing. For
// most events, which can end no line, it costs next to nothing.
func (d *Detector) Peek(e recording.Event) (Action, []Hit) {
	if !d.rules.holds || !d.mayEnd(e) {
		return ActionAlert, nil
	}
	saved := d.save()
	out := d.feed(0, e)
	d.restore(saved)
	worst := ActionAlert
	for _, h := range out.Hits {
		if h.Rule.Action.rank() > worst.rank() {
			worst = h.Rule.Action
		}
	}
	return worst, slices.DeleteFunc(out.Hits, func(h Hit) bool { return h.Rule.Action != worst })
}

// Feed takes in an event at µs and says what follows. One that was held back changes nothing of what is being typed.
func (d *Detector) Feed(us int64, e recording.Event) Outcome {
	if !held(e) {
		out := d.feed(us, e)
		if slices.ContainsFunc(out.Hits, func(h Hit) bool { return h.Rule.Action == ActionJustify }) {
			for _, m := range d.trying {
				if !slices.Contains(d.asked, m) && len(d.asked) < maxCleared {
					d.asked = append(d.asked, m)
				}
			}
		}
		return out
	}
	saved := d.save()
	out := d.feed(us, e)
	asked := d.trying
	d.restore(saved)
	d.asked = slices.Clone(asked)
	out.Lines = nil
	return out
}

// Finish ends the line that is being typed, because the session ends.
func (d *Detector) Finish() Outcome {
	var out Outcome
	d.endAll(&out, endedSession)
	return out
}

func held(e recording.Event) bool {
	switch e := e.(type) {
	case recording.KeyEvent:
		return e.Held
	case recording.TextEvent:
		return e.Held
	case recording.PointerEvent:
		return e.Held
	case recording.ClipboardEvent:
		return e.Held
	}
	return false
}

// state is what a held event must not change.
type state struct {
	shape   [3]reading
	actor   string
	mark    rune
	clip    string
	buttons uint8
	asked   []match
	cleared []match
}

func (d *Detector) save() state {
	s := state{actor: d.actor, mark: d.mark, clip: d.clip, buttons: d.buttons, asked: d.asked, cleared: slices.Clone(d.cleared)}
	for i := range d.shape {
		s.shape[i] = d.shape[i].clone()
	}
	return s
}

func (d *Detector) restore(s state) {
	d.shape, d.actor, d.mark, d.clip, d.buttons, d.asked, d.cleared = s.shape, s.actor, s.mark, s.clip, s.buttons, s.asked, s.cleared
}

// mayEnd tells whether an event may end a line, or be tried on its own.
func (d *Detector) mayEnd(e recording.Event) bool {
	switch e := e.(type) {
	case recording.KeyEvent:
		if !e.Down {
			return false
		}
		switch desktop.Keysym(e.Keysym) {
		case keyboard.Return, keyboard.KPEnter, keyboard.Tab, 0xfe20, keyboard.Insert, keyboard.KPInsert:
			return true
		}
		if !d.mods.held() && !d.shape[shell].meta {
			return false
		}
		return strings.ContainsRune("mjocvMJOCV", rune(e.Keysym&0xff)) || keyboard.IsMeta(desktop.Keysym(e.Keysym))
	case recording.TextEvent:
		return strings.ContainsAny(e.Text, "\r\n\t")
	case recording.PointerEvent:
		return e.Action == recording.PointerDown
	case recording.ClipboardEvent:
		return true
	}
	return false
}

func (d *Detector) feed(us int64, e recording.Event) Outcome {
	var out Outcome
	d.trying = d.trying[:0]
	switch e := e.(type) {
	case recording.KeyEvent:
		d.by(&out, e.Actor)
		d.key(&out, us, e)
	case recording.TextEvent:
		d.by(&out, e.Actor)
		d.each(&out, func(r *reading) []entry { return r.paste(e.Text, us) })
	case recording.PointerEvent:
		d.by(&out, e.Actor)
		d.pointer(&out, us, e)
	case recording.ClipboardEvent:
		d.clipboard(&out, e)
	case recording.ControlEvent:
		d.handOver(&out)
		d.mods = modifiers{}
	case recording.JustificationEvent:
		d.justify(&out, e)
	case recording.NameEvent:
		d.try(&out, Title, e.Name)
	case recording.TitleEvent:
		d.try(&out, Title, e.Text)
	case recording.ScreenEvent:
		d.try(&out, Screen, e.Text)
	}
	return out
}

// by notes who types. A line has one author. What another was asked, or gave a reason for, is not theirs.
func (d *Detector) by(out *Outcome, actor string) {
	if actor == d.actor {
		return
	}
	if d.actor != "" {
		d.handOver(out)
	}
	d.actor, d.asked, d.cleared = actor, nil, nil
}

// handOver ends the line because the desktop changes hands. In a terminal it stands there still, for whoever presses Enter next.
func (d *Detector) handOver(out *Outcome) {
	d.leave(out, endedControl)
	d.mark = 0
}

// justify takes in an answer. A reason lets what was asked about pass once, and of a clipboard text that was asked about, each of its lines.
func (d *Detector) justify(out *Outcome, e recording.JustificationEvent) {
	asked := d.asked
	d.asked = nil
	if e.Answer != recording.AnswerGiven {
		return
	}
	d.by(out, e.Actor)
	for _, m := range asked {
		d.clear(m)
		if m.source != Clipboard {
			continue
		}
		n := 0
		for line := range strings.Lines(strings.ReplaceAll(m.text, "\r", "\n")) {
			if n++; n > maxPastedLines {
				break
			}
			line = strings.TrimRight(line, " \n")
			for _, h := range d.match(Typed, line) {
				if h.Rule.ID == m.rule {
					d.clear(match{m.rule, Typed, line})
				}
			}
		}
	}
}

func (d *Detector) clear(m match) {
	if len(d.cleared) == maxCleared {
		d.cleared = slices.Delete(d.cleared, 0, 1)
	}
	d.cleared = append(d.cleared, m)
}

// passes tells whether m was justified, which it is then no more.
func (d *Detector) passes(m match) bool {
	i := slices.Index(d.cleared, m)
	if i >= 0 {
		d.cleared = slices.Delete(d.cleared, i, i+1)
	}
	return i >= 0
}

func (d *Detector) key(out *Outcome, us int64, e recording.KeyEvent) {
	k := desktop.Keysym(e.Keysym)
	if k == 0 {
		return // the recording keeps no keys
	}
	if d.mods.note(k, e.Down) {
		return
	}
	if !e.Down {
		return
	}
	if mark, ok := keyboard.Dead(k); ok && !d.mods.held() {
		d.mark = mark
		return
	}
	if plain, ok := numlockOff[k]; ok {
		k = plain
	}
	p := press{us: us, key: k, mods: d.mods, clip: d.clip}
	if c, ok := keyboard.Rune(k); ok {
		p.text = []rune{c}
		if d.mark != 0 {
			p.text, d.mark = []rune(keyboard.Compose(d.mark, c)), 0
		}
	}
	// Alt-Tab, Super and the like bring another window to the front: for windows the line ends.
	switched := d.mods.meta != 0 || d.mods.alt != 0 && k == keyboard.Tab || d.mods.ctrl != 0 && k == keyboard.Escape
	if switched {
		d.leave(out, endedTab)
		return
	}
	d.each(out, func(r *reading) []entry {
		mine := p
		return r.key(&mine)
	})
}

// pointer takes in a button. A click puts the cursor elsewhere in windows, and does nothing to the line of a terminal; the
// middle one pastes.
func (d *Detector) pointer(out *Outcome, us int64, e recording.PointerEvent) {
	pressed := e.Buttons &^ d.buttons
	d.buttons = e.Buttons
	switch {
	case e.Action != recording.PointerDown:
	case pressed&uint8(desktop.ButtonMiddle) != 0:
		d.each(out, func(r *reading) []entry {
			if r.begun || d.clip != "" {
				r.touch(us)
				r.uncertain = true
			}
			return r.paste(d.clip, us)
		})
	default:
		d.leave(out, endedClick)
	}
}

// leave ends the line except where a click ends none.
func (d *Detector) leave(out *Outcome, how string) {
	d.each(out, func(r *reading) []entry {
		if r.joined {
			r.crossed, r.uncertain = r.crossed || r.begun, r.uncertain || r.begun
			return nil
		}
		return r.ended(how)
	})
}

func (d *Detector) clipboard(out *Outcome, e recording.ClipboardEvent) {
	if e.Direction == recording.ToTarget {
		d.by(out, e.Actor)
		d.clip = e.Text[:min(len(e.Text), maxClip)]
	}
	d.try(out, Clipboard, e.Text)
}

func (d *Detector) endAll(out *Outcome, how string) {
	d.each(out, func(r *reading) []entry { return r.ended(how) })
	d.mark = 0
}

// each lets every reading take something in, writes down what the one that counts has ended, and tries the rules on all.
func (d *Detector) each(out *Outcome, take func(*reading) []entry) {
	var ended [3][]entry
	any := false
	for i := range d.shape {
		crossed := d.shape[i].crossed
		ended[i] = take(&d.shape[i])
		if i == joined && !crossed {
			ended[i] = nil // it says what the shell says
		}
		any = any || len(ended[i]) > 0
	}
	if !any {
		return
	}
	lines, other := ended[d.primary], ended[shell+window-d.primary]
	for n, e := range lines {
		line := recording.LineEvent{
			Actor: d.actor, Text: e.text, FirstUS: e.firstUS, Ended: e.ended, Certainty: e.certainty, Truncated: e.truncated,
		}
		if n < len(other) && other[n].text != e.text && other[n].firstUS == e.firstUS {
			line.Other = other[n].text
			if line.Certainty == recording.Certain {
				line.Certainty = recording.Uncertain
			}
		}
		out.Lines = append(out.Lines, line)
	}
	d.tryLines(out, ended[:])
}

// tryLines tries the rules on every text that was ended. A line that was given up was not run.
func (d *Detector) tryLines(out *Outcome, ended [][]entry) {
	var seen []string
	for _, entries := range ended {
		for _, e := range entries {
			if e.ended == endedAbort || slices.Contains(seen, e.text) {
				continue
			}
			seen = append(seen, e.text)
			d.tryRun(out, Typed, e.text, e.ended != endedControl)
		}
	}
}

// try adds the hits of a text, each rule once, but for what was justified.
func (d *Detector) try(out *Outcome, source Source, text string) { d.tryRun(out, source, text, true) }

// tryRun is try; what has not run yet uses up no justification, nor is it asked about twice.
func (d *Detector) tryRun(out *Outcome, source Source, text string, ran bool) {
	if d.rules == nil || text == "" {
		return
	}
	for _, h := range d.match(source, text) {
		m := match{h.Rule.ID, source, text}
		if ran && d.passes(m) || !ran && (slices.Contains(d.cleared, m) || slices.Contains(d.asked, m)) {
			continue
		}
		d.trying = append(d.trying, m)
		h.Actor = d.actor
		if !slices.ContainsFunc(out.Hits, func(o Hit) bool { return o.Rule.ID == h.Rule.ID }) {
			out.Hits = append(out.Hits, h)
		}
	}
}

func (d *Detector) match(source Source, text string) []Hit {
	for _, m := range d.memo {
		if m.source == source && m.text == text {
			return m.hits
		}
	}
	hits := d.rules.Match(source, text)
	if len(text) <= maxText {
		if len(d.memo) == memos {
			d.memo = slices.Delete(d.memo, 0, 1)
		}
		d.memo = append(d.memo, memo{source, text, hits})
	}
	return hits
}
