package webrtcserver

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image"
	"image/png"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func decodePNG(t *testing.T, b64 string) *image.NRGBA {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(b64)
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	return img.(*image.NRGBA)
}

func TestInput(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	for _, c := range []struct {
		what string
		say  []string
		want []desktop.Input
	}{
		{
			"AZERTY a",
			[]string{`{"t":"key","code":"KeyQ","key":"a","down":true}`, `{"t":"key","code":"KeyQ","key":"a","down":false}`},
			[]desktop.Input{desktop.KeyEvent{Keysym: 'a', Scancode: 0x10, Down: true}, desktop.KeyEvent{Keysym: 'a', Scancode: 0x10}},
		},
		{"locks", []string{`{"t":"locks","num":true,"kana":true}`}, []desktop.Input{desktop.LockKeys{Num: true, Kana: true}}},
		{"text", []string{`{"t":"text","text":"日本 é🙂"}`}, []desktop.Input{desktop.TextInput{Text: "日本 é🙂"}}},
		{"Ctrl-Alt-Del", []string{`{"t":"combo","codes":["ControlLeft","AltLeft","Delete"]}`}, []desktop.Input{
			desktop.KeyEvent{Keysym: 0xffe3, Scancode: 0x1d, Down: true},
			desktop.KeyEvent{Keysym: 0xffe9, Scancode: 0x38, Down: true},
			desktop.KeyEvent{Keysym: 0xffff, Scancode: 0xe053, Down: true},
			desktop.KeyEvent{Keysym: 0xffff, Scancode: 0xe053},
			desktop.KeyEvent{Keysym: 0xffe9, Scancode: 0x38},
			desktop.KeyEvent{Keysym: 0xffe3, Scancode: 0x1d},
		}},
		{
			"button, browser shows another size",
			[]string{`{"t":"button","x":960,"y":540,"w":1920,"h":1080,"buttons":3}`},
			[]desktop.Input{desktop.PointerEvent{Pos: image.Pt(640, 360), Buttons: desktop.ButtonLeft | desktop.ButtonMiddle}},
		},
		{
			"wheel while a button is held",
			[]string{`{"t":"wheel","x":10,"y":20,"w":1280,"h":720,"buttons":3,"dx":0,"dy":-1e9}`},
			[]desktop.Input{desktop.WheelEvent{Pos: image.Pt(10, 20), Buttons: 3, DY: -desktop.MaxWheelNotches}},
		},
		{"release", []string{`{"t":"release"}`}, []desktop.Input{desktop.PointerEvent{Pos: image.Pt(10, 20)}}},
	} {
		for _, msg := range c.say {
			b.say(channelInput, msg)
		}
		require.Equal(t, c.want, s.inputs(len(c.want)), c.what)
	}
	b.say(channelMotion, `{"t":"move","x":-40,"y":5000,"w":1280,"h":720,"buttons":0,"n":1}`)
	require.Equal(t, desktop.PointerEvent{Pos: image.Pt(0, 719)}, s.inputs(1)[0])
	b.say(channelInput, `{"t":"move","x":7,"y":8,"w":1280,"h":720,"buttons":0,"n":3}`)
	require.Equal(t, desktop.PointerEvent{Pos: image.Pt(7, 8)}, s.inputs(1)[0])
	b.say(channelMotion, `{"t":"move","x":1,"y":1,"w":1280,"h":720,"buttons":0,"n":2}`) // overtaken on the other channel
	b.say(channelMotion, `{"t":"move","x":9,"y":9,"w":1280,"h":720,"buttons":0,"n":4}`)
	require.Equal(t, desktop.PointerEvent{Pos: image.Pt(9, 9)}, s.inputs(1)[0])
	require.Empty(t, s.handler.refused)
}

// The target's size changed a moment ago; the browser still shows the old one.
func TestPointerSurvivesResize(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	require.NoError(t, s.screen.Resize(image.Pt(640, 360)))
	b.say(channelInput, `{"t":"button","x":1279,"y":719,"w":1280,"h":720,"buttons":1}`)
	require.Equal(t, desktop.PointerEvent{Pos: image.Pt(639, 359), Buttons: 1}, s.inputs(1)[0])
}

func TestResizeRequests(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	b.say(channelControl, `{"t":"resize","width":1600,"height":900}`)
	require.Equal(t, image.Pt(1600, 900), event[resized](s, "a resize").size)
	// Of many, the last one counts.
	for w := 1000; w <= 1100; w += 10 {
		b.say(channelControl, `{"t":"resize","width":`+strconv.Itoa(w)+`,"height":5}`)
	}
	n := 0
	for event[resized](s, "a resize").size != image.Pt(1100, desktop.MinSide) {
		n++
	}
	require.Less(t, n, 10)
	b.say(channelControl, `{"t":"resize","width":8192,"height":8192}`)
	require.Contains(t, b.hear(channelControl, "notice")["message"], "size out of bounds")
}

func clip(id, part, parts int, text string) string {
	return string(encode(struct {
		T     string `json:"t"`
		ID    int    `json:"id"`
		Part  int    `json:"part"`
		Parts int    `json:"parts"`
		Text  string `json:"text"`
	}{"clip", id, part, parts, text}))
}

func TestClipboardToTarget(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	part := strings.Repeat("é", maxClipPartBytes/2)
	const parts = desktop.MaxClipboardBytes / maxClipPartBytes
	for i := range parts {
		b.say(channelClipboard, clip(1, i, parts, part))
	}
	require.Equal(t, desktop.ClipboardText{Text: strings.Repeat(part, parts)}, s.inputs(1)[0])

	for i := range parts + 1 {
		b.say(channelClipboard, clip(2, i, parts+1, part))
	}
	refused := b.hear(channelClipboard, "clip_refused")
	require.Equal(t, 2.0, refused["id"])
	require.Equal(t, errClipboardLarge.Error(), refused["message"])

	b.say(channelClipboard, clip(3, 0, 1, "line\r\nline"))
	require.Equal(t, desktop.ClipboardText{Text: "line\nline"}, s.inputs(1)[0])
	require.Empty(t, b.messages[channelClipboard], "one refusal for one text")

	failure := errors.New("the policy forbids it")
	s.handler.fail.Store(&failure)
	b.say(channelClipboard, clip(4, 0, 1, "x"))
	require.Equal(t, failure.Error(), b.hear(channelClipboard, "clip_refused")["message"])
}

// Ctrl-V sent right after a long text must not overtake it.
func TestKeysWaitForTheClipboard(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	b.say(channelInput, `{"t":"await","clip":1}`)
	b.say(channelInput, `{"t":"combo","codes":["ControlLeft","KeyV"]}`)
	b.say(channelControl, `{"t":"ping","id":1}`) // the keys are there before the text, or about to be
	b.hear(channelControl, "pong")
	b.say(channelClipboard, clip(1, 0, 2, "new "))
	b.say(channelControl, `{"t":"ping","id":2}`)
	b.hear(channelControl, "pong")
	b.say(channelClipboard, clip(1, 1, 2, "text"))
	require.Equal(t, desktop.ClipboardText{Text: "new text"}, s.inputs(1)[0])
	require.Equal(t, desktop.KeyEvent{Keysym: 0xffe3, Scancode: 0x1d, Down: true}, s.inputs(4)[0])

	b.say(channelClipboard, clip(2, 0, 1, "newer"))
	require.Equal(t, desktop.ClipboardText{Text: "newer"}, s.inputs(1)[0])
	b.say(channelInput, `{"t":"await","clip":2}`) // it is there already
	b.say(channelInput, `{"t":"text","text":"go on"}`)
	require.Equal(t, desktop.TextInput{Text: "go on"}, s.inputs(1)[0])
}

// TestAwaitedTextThatNeverComes: keys wait for a text that was told of for as long as for the next part of one, and no longer.
func TestAwaitedTextThatNeverComes(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	began := time.Now()
	b.say(channelInput, `{"t":"await","clip":9007199254740991}`)
	b.say(channelInput, `{"t":"text","text":"go on"}`)
	require.Equal(t, desktop.TextInput{Text: "go on"}, s.inputs(1)[0])
	require.GreaterOrEqual(t, time.Since(began), clipTimeout-100*time.Millisecond)
}

func TestClipboardThatNeverEnds(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	b.say(channelClipboard, clip(1, 0, 2, "half"))
	b.say(channelInput, `{"t":"text","text":"go on"}`)
	require.Contains(t, b.hear(channelClipboard, "clip_refused")["message"], "in time")
	require.Equal(t, desktop.TextInput{Text: "go on"}, s.inputs(1)[0])
}

func TestClipboardFromTarget(t *testing.T) {
	s := newSession(t)
	require.NoError(t, s.SendClipboard("nobody listens"))
	b := s.join(alice, RoleControl)
	watching := s.join(bob, RoleView)
	for _, text := range []string{
		"", "short", "with <html> & \u2028", strings.Repeat("日", desktop.MaxClipboardBytes/3),
		strings.Repeat("\x01", desktop.MaxClipboardBytes),
	} {
		require.NoError(t, s.SendClipboard(text))
		var got strings.Builder
		for {
			m := b.hear(channelClipboard, "clip")
			got.WriteString(m["text"].(string))
			if m["part"].(float64)+1 == m["parts"].(float64) {
				break
			}
		}
		require.Equal(t, len(text), got.Len())
		require.True(t, text == got.String())
	}
	require.Error(t, s.SendClipboard(strings.Repeat("x", desktop.MaxClipboardBytes+1)))
	require.Error(t, s.SendClipboard("\xff"))
	require.Empty(t, watching.messages[channelClipboard])
}
