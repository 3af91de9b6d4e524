package export

import (
	"fmt"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/review"
)

// captionTime is how long a caption stands unless the next comes before.
const captionTime = 4 * time.Second

// maxCaption bounds a caption, in characters: what is longer is in the event log.
const maxCaption = 120

// caption is a text that stands for a while, on the clock of the picture: 0 is its first.
type caption struct {
	from, until time.Duration
	text        string
}

// captions are the texts of a recording as captions. Texts of the picture are left out: it is there itself.
func captions(texts []review.Text, start, end time.Duration) []caption {
	var out []caption
	for _, t := range texts {
		if t.Kind == review.KindScreen {
			continue
		}
		at := min(max(time.Duration(t.US)*time.Microsecond-start, 0), max(end-start, 0))
		if n := len(out); n > 0 && out[n-1].until > at {
			out[n-1].until = at
		}
		out = append(out, caption{at, at + captionTime, label(t)})
	}
	return out
}

// within are the captions between two moments, on the clock of the first.
func within(list []caption, from, until time.Duration) []caption {
	var out []caption
	for _, c := range list {
		if c.until > from && c.from < until {
			out = append(out, caption{max(c.from-from, 0), min(c.until, until) - from, c.text})
		}
	}
	return out
}

func label(t review.Text) string {
	what := map[string]string{
		review.KindLine: "typed", review.KindClipboard: "clipboard", review.KindTitle: "title", review.KindAlert: "ALERT",
		review.KindMessage: "message", review.KindJustification: "justification",
	}[t.Kind]
	if t.Actor != "" {
		what = t.Actor + ", " + what
	}
	text := strings.Join(strings.Fields(t.Text), " ")
	if r := []rune(text); len(r) > maxCaption {
		text = string(r[:maxCaption-1]) + "…"
	}
	return what + ": " + text
}

// webVTT writes captions as a track of text. What would end a cue or begin markup is written as itself; programs that turn
// the track into another kind may understand commands of ASS as well.
func webVTT(list []caption) string {
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for _, c := range list {
		if c.until <= c.from {
			continue
		}
		fmt.Fprintf(&b, "\n%s --> %s\n%s\n", vttTime(c.from), vttTime(c.until), escape.Replace(assText(c.text)))
	}
	return b.String()
}

func vttTime(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d:%02d.%03d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60, d.Milliseconds()%1000)
}

// assHead begins a script in Advanced SubStation Alpha, which libass draws: a line of time at the top, events at the bottom.
const assHead = `[Script Info]
ScriptType: v4.00+
PlayResX: %d
PlayResY: %d
WrapStyle: 0

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, Bold, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV
Style: Time,DejaVu Sans Mono,%d,&H00FFFFFF,&H60000000,&H60000000,0,3,4,0,9,8,8,8
Style: Event,DejaVu Sans,%d,&H00FFFFFF,&H60000000,&H60000000,0,3,4,0,2,8,8,12

[Events]
Format: Layer, Start, End, Style, MarginL, MarginR, MarginV, Text
`

// ass writes what is burnt into the picture: the wall-clock time, second by second, and captions.
func ass(width, height int, began time.Time, length time.Duration, withTime bool, list []caption) string {
	var b strings.Builder
	size := max(height/40, 12)
	fmt.Fprintf(&b, assHead, width, height, size, size)
	for at := time.Duration(0); withTime && at < length; {
		now := began.Add(at)
		until := at + now.Truncate(time.Second).Add(time.Second).Sub(now)
		fmt.Fprintf(&b, "Dialogue: 0,%s,%s,Time,0,0,0,%s\n", assTime(at), assTime(until), now.UTC().Format("2006-01-02 15:04:05")+" UTC")
		at = until
	}
	for _, c := range list {
		if c.until > c.from {
			fmt.Fprintf(&b, "Dialogue: 1,%s,%s,Event,0,0,0,%s\n", assTime(c.from), assTime(c.until), assText(c.text))
		}
	}
	return b.String()
}

func assTime(d time.Duration) string {
	return fmt.Sprintf("%d:%02d:%02d.%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60, d.Milliseconds()%1000/10)
}

// assText writes text that means nothing but itself: braces begin commands and backslashes escapes, which cannot be written
// otherwise, so a character that looks the same takes their place.
func assText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '{':
			return '｛'
		case r == '}':
			return '｝'
		case r == '\\':
			return '＼'
		case r < ' ' || r == 0x7f:
			return ' '
		}
		return r
	}, s)
}
