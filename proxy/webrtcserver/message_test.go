package webrtcserver

import (
	"encoding/json"
	"image"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// messageCases feed the decoder's test and its fuzz target.
var messageCases = []struct {
	channel, json string
	want          message // nil: refused
	why           string
}{
	{channelInput, `{"t":"key","code":"KeyA","key":"a","down":true}`, &keyMessage{"KeyA", "a", true}, ""},
	{channelInput, `{"t":"key","code":"KeyA","key":"a","down":true,"repeat":true,"x":[{}]}`, &keyMessage{"KeyA", "a", true}, ""},
	{channelInput, `{"t":"text","text":"日本"}`, &textMessage{"日本"}, ""},
	{channelInput, `{"t":"locks","caps":true,"num":false,"scroll":true}`, &locksMessage{Caps: true, Scroll: true}, ""},
	{channelInput, `{"t":"button","x":10.5,"y":-20,"w":1920,"h":1080,"buttons":31}`, &buttonMessage{place{10.5, -20, 1920, 1080, 31}}, ""},
	{channelInput, `{"t":"wheel","x":1,"y":2,"w":3,"h":4,"buttons":0,"dx":-0.4,"dy":1}`, &wheelMessage{place{1, 2, 3, 4, 0}, -0.4, 1}, ""},
	{channelInput, `{"t":"release"}`, &releaseMessage{}, ""},
	{channelInput, `{"t":"combo","codes":["ControlLeft"]}`, &comboMessage{[]string{"ControlLeft"}}, ""},
	{channelInput, `{"t":"await","clip":3}`, &awaitMessage{3}, ""},
	{channelInput, `{"t":"move","x":1,"y":2,"w":3,"h":4,"buttons":0,"n":18}`, &moveMessage{place{1, 2, 3, 4, 0}, 18}, ""},
	{channelMotion, `{"t":"move","x":1,"y":2,"w":3,"h":4,"buttons":0,"n":17}`, &moveMessage{place{1, 2, 3, 4, 0}, 17}, ""},
	{channelClipboard, `{"t":"clip","id":1,"part":0,"parts":2,"text":""}`, &clipMessage{1, 0, 2, ""}, ""},
	{channelControl, `{"t":"ping","id":7}`, &pingMessage{7}, ""},
	{channelControl, `{"t":"resize","width":1600,"height":900}`, &resizeMessage{1600, 900}, ""},
	{channelControl, `{"t":"refresh"}`, &refreshMessage{}, ""},

	{channelInput, ``, nil, "malformed JSON at byte 0"},
	{channelInput, `null`, nil, "unknown kind"},
	{channelInput, `[]`, nil, "wrong type"},
	{channelInput, `{"t":"key","code":"KeyA","key":"a"} {}`, nil, "malformed JSON"},
	{channelInput, `{"t":7}`, nil, `field "t" has the wrong type`},
	{channelInput, `{"t":"ping","id":7}`, nil, "unknown kind"},
	{channelMotion, `{"t":"key","code":"KeyA","key":"a","down":true}`, nil, "unknown kind"},
	{"no such channel", `{"t":"ping"}`, nil, "unknown kind"},
	{channelInput, `{"t":"key"}`, nil, "neither code nor key"},
	{channelInput, `{"t":"key","code":"` + strings.Repeat("K", 33) + `"}`, nil, "exceeds 32 bytes"},
	{channelInput, `{"t":"key","code":"KeyA","key":"a","down":"yes"}`, nil, `field "down" has the wrong type`},
	{channelInput, `{"t":"text","text":""}`, nil, "text of 0 bytes"},
	{channelInput, `{"t":"text","text":"` + strings.Repeat("x", 4097) + `"}`, nil, "text of 4097 bytes"},
	{channelInput, "{\"t\":\"text\",\"text\":\"\xff\"}", nil, "not UTF-8"},
	{channelInput, `{"t":"locks","caps":1}`, nil, `field "caps" has the wrong type`},
	{channelInput, `{"t":"combo","codes":[]}`, nil, "0 keys"},
	{channelInput, `{"t":"combo","codes":["a","b","c","d","e","f","g","h","i"]}`, nil, "9 keys"},
	{channelInput, `{"t":"button","x":1,"y":1,"w":0,"h":1080,"buttons":0}`, nil, "desktop of 0×1080"},
	{channelInput, `{"t":"button","x":1,"y":1,"w":-5,"h":1080,"buttons":0}`, nil, "desktop of -5×1080"},
	{channelInput, `{"t":"button","x":1,"y":1,"w":1920,"h":99999,"buttons":0}`, nil, "99999"},
	{channelInput, `{"t":"button","x":1,"y":1,"buttons":0}`, nil, "desktop of 0×0"},
	{channelInput, `{"t":"button","x":-70000,"y":1,"w":1920,"h":1080,"buttons":0}`, nil, "coordinates beyond"},
	{channelInput, `{"t":"button","x":1,"y":1e300,"w":1920,"h":1080,"buttons":0}`, nil, "coordinates beyond"},
	{channelInput, `{"t":"button","x":1e999,"y":1,"w":1920,"h":1080,"buttons":0}`, nil, "wrong type"},
	{channelInput, `{"t":"button","x":NaN,"y":1,"w":1920,"h":1080,"buttons":0}`, nil, "malformed JSON"},
	{channelInput, `{"t":"button","x":1,"y":1,"w":1920,"h":1080,"buttons":32}`, nil, "buttons 0x20"},
	{channelInput, `{"t":"button","x":1,"y":1,"w":1920,"h":1080,"buttons":-1}`, nil, "buttons"},
	{channelMotion, `{"t":"move","x":1,"y":2,"w":3,"h":4,"buttons":0,"n":-1}`, nil, `field "n"`},
	{channelClipboard, `{"t":"clip","id":1,"part":2,"parts":2,"text":""}`, nil, "part 2 of 2"},
	{channelClipboard, `{"t":"clip","id":1,"part":0,"parts":1025,"text":""}`, nil, "of 1025"},
	{channelClipboard, `{"t":"clip","id":1,"part":0,"parts":1,"text":"` + strings.Repeat("x", 16<<10+1) + `"}`, nil, "exceeds 16384"},
	{channelControl, `{"t":"resize","width":0,"height":900}`, nil, "0×900"},
	{channelControl, strings.Repeat(" ", 64<<10) + `{"t":"refresh"}`, nil, "exceed 65536"},
}

func TestDecodeMessage(t *testing.T) {
	for _, c := range messageCases {
		got, err := decodeMessage(c.channel, []byte(c.json))
		if c.want == nil {
			require.ErrorContains(t, err, c.why, "%.80s", c.json)
			continue
		}
		require.NoError(t, err, c.json)
		require.Equal(t, c.want, got, c.json)
	}
}

// What a message says may be a password; what is wrong with it must not repeat it.
func TestRefusalsQuoteNothing(t *testing.T) {
	const secret = "hunter2"
	for _, msg := range []string{
		secret, `{"t":"` + secret + `"}`, `{"t":"text","text":["` + secret + `"]}`,
		`{"t":"key","code":"` + strings.Repeat(secret, 9) + `"}`, `{"t":"text","text":"` + strings.Repeat(secret, 1000) + `"}`,
		`{"t":"text","text":"` + secret, `{"t":"key","down":"` + secret + `"}`,
	} {
		_, err := decodeMessage(channelInput, []byte(msg))
		require.Error(t, err)
		require.NotContains(t, err.Error(), secret)
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		x, y float64
		w, h int
		size image.Point
		want image.Point
	}{
		{10, 20, 1920, 1080, image.Pt(1920, 1080), image.Pt(10, 20)},
		{10.9, 20.9, 1920, 1080, image.Pt(1920, 1080), image.Pt(10, 20)},
		{1919, 1079, 1920, 1080, image.Pt(1280, 720), image.Pt(1279, 719)},
		{0, 0, 1, 1, image.Pt(8192, 8192), image.Pt(0, 0)},
		{960, 540, 1920, 1080, image.Pt(3840, 2160), image.Pt(1920, 1080)},
		{-0.5, -1, 1920, 1080, image.Pt(1920, 1080), image.Pt(0, 0)},
		{-65536, 65536, 1920, 1080, image.Pt(1920, 1080), image.Pt(0, 1079)},
		{65536, 65536, 1, 1, image.Pt(8192, 8192), image.Pt(8191, 8191)},
		{1920, 1080, 1920, 1080, image.Pt(1920, 1080), image.Pt(1919, 1079)},
	} {
		p := place{X: c.x, Y: c.y, W: c.w, H: c.h}
		require.NoError(t, p.check())
		require.Equal(t, c.want, p.scale(c.size), "%+v in %v", p, c.size)
	}
}

func TestNotches(t *testing.T) {
	for d, want := range map[float64]int{
		0: 0, 1: 1, -1: -1, 0.4: 0, 0.5: 1, -2.6: -3, 1e300: desktop.MaxWheelNotches, -17: -desktop.MaxWheelNotches,
	} {
		require.Equal(t, want, notches(d), "%v", d)
	}
}

// Any message is refused or means something within the caps, and means the same said again.
func FuzzDecodeMessage(f *testing.F) {
	for _, c := range messageCases {
		f.Add(c.channel, []byte(c.json))
	}
	f.Fuzz(func(t *testing.T, channel string, data []byte) {
		m, err := decodeMessage(channel, data)
		if err != nil {
			return
		}
		var head struct {
			T string `json:"t"`
		}
		require.NoError(t, json.Unmarshal(data, &head))
		body, err := json.Marshal(m)
		require.NoError(t, err)
		again := []byte(`{"t":"` + head.T + `",` + strings.TrimPrefix(string(body), "{"))
		if string(body) == "{}" {
			again = []byte(`{"t":"` + head.T + `"}`)
		}
		if len(again) <= maxMessageBytes { // escapes may be longer than what they stand for
			same, err := decodeMessage(channel, again)
			require.NoError(t, err)
			require.Equal(t, m, same)
		}
		size := image.Pt(1280, 720)
		var h held
		switch m := m.(type) {
		case *buttonMessage:
			requireInside(t, m.scale(size), size)
		case *moveMessage:
			requireInside(t, m.scale(size), size)
		case *wheelMessage:
			requireInside(t, m.scale(size), size)
		case *keyMessage:
			h.key(m.Code, m.Key, m.Down)
			require.LessOrEqual(t, len(h.releaseAll()), 1)
		case *comboMessage:
			require.Zero(t, len(combo(m.Codes))%2)
		case *clipMessage:
			var a assembly
			text, _, _ := a.add(m)
			require.LessOrEqual(t, len(text), desktop.MaxClipboardBytes)
		}
	})
}

func requireInside(t *testing.T, p, size image.Point) {
	t.Helper()
	require.True(t, p.In(image.Rectangle{Max: size}), "%v", p)
}
