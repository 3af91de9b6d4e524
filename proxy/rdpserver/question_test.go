package rdpserver

import (
	"image"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// TestAnswer: what keys make of an answer.
func TestAnswer(t *testing.T) {
	var a answer
	press := func(keys ...desktop.Keysym) (reason string, refuse, done bool) {
		for _, k := range keys {
			reason, refuse, done = a.take(desktop.KeyEvent{Keysym: k, Down: true})
			if k != keyboard.ControlL {
				a.take(desktop.KeyEvent{Keysym: k})
			}
		}
		return reason, refuse, done
	}
	press(keyboard.Return)
	require.NotEmpty(t, a.problem, "there is no reason yet")
	press('a', 'b', keyboard.ShiftL, 'C', keyboard.BackSpace, keyboard.Left)
	a.take(desktop.TextInput{Text: "ü\n\x00€"})
	a.take(desktop.PointerEvent{Buttons: desktop.ButtonLeft})
	require.Equal(t, "abü€", string(a.line))
	require.Empty(t, a.problem)
	press(keyboard.ControlL, 'v')
	require.Equal(t, "abü€", string(a.line))
	press(keyboard.BackSpace)
	require.Empty(t, a.line, "Control and BackSpace empties it")
	a.take(desktop.KeyEvent{Keysym: keyboard.ControlL})
	const deadAcute = 0xfe51
	press(deadAcute, 'e', ' ', 'x', ' ')
	reason, refuse, done := press(keyboard.KPEnter)
	require.Equal(t, []any{"é x", false, true}, []any{reason, refuse, done})
	_, refuse, done = press(keyboard.Escape)
	require.Equal(t, []any{true, true}, []any{refuse, done})
	a.take(desktop.TextInput{Text: strings.Repeat("日", 2*maxAnswer)})
	require.Len(t, a.line, maxAnswer)
}

// TestPromptFits: in pictures of all sizes a prompt lies inside, on whole blocks, and shows all of itself that there is room for.
func TestPromptFits(t *testing.T) {
	q := prompt{text: strings.Repeat("Why do you do this? ", 30), line: strings.Repeat("because ", 80), problem: "No.", hint: "Enter"}
	for _, size := range []image.Point{{1, 1}, {17, 9}, {200, 200}, {639, 223}, {641, 225}, {800, 600}, {1920, 1080}, {1921, 1081}} {
		o := q.draw(size)
		require.True(t, o.rect.In(image.Rectangle{Max: size}), "%v in %v", o.rect, size)
		require.Equal(t, o.rect.Size(), o.pix.Bounds().Size())
		for _, edge := range []struct{ at, end int }{{o.rect.Min.X, 0}, {o.rect.Min.Y, 0}, {o.rect.Max.X, size.X}, {o.rect.Max.Y, size.Y}} {
			require.True(t, edge.at%desktop.BlockSize == 0 || edge.at == edge.end, "%v in %v", o.rect, size)
		}
	}
}
