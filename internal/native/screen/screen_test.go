package screen

import (
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// person sits at a screen.
type person struct {
	*Screen
	t *testing.T
}

func sit(t *testing.T, size image.Point, percent int) person {
	s, err := New(size, percent)
	require.NoError(t, err)
	return person{s, t}
}

func (p person) key(keys ...desktop.Keysym) {
	for _, k := range keys {
		require.NoError(p.t, p.Input(desktop.KeyEvent{Keysym: k, Down: true}))
		require.NoError(p.t, p.Input(desktop.KeyEvent{Keysym: k}))
	}
}

func (p person) types(text string) {
	for _, r := range text {
		p.key(desktop.Keysym(r))
	}
}

func (p person) act() Act {
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
	defer cancel()
	a, err := p.Next(ctx)
	require.NoError(p.t, err)
	return a
}

// click finds what has that focus (and choice) and clicks in its middle.
func (p person) click(focus, choice int) {
	require.NoError(p.t, p.draw())
	for _, h := range p.hits {
		if h.focus == focus && h.choice == choice {
			at := image.Pt((h.at.Min.X+h.at.Max.X)/2, (h.at.Min.Y+h.at.Max.Y)/2)
			require.NoError(p.t, p.Input(desktop.PointerEvent{Pos: at, Buttons: desktop.ButtonLeft}))
			require.NoError(p.t, p.Input(desktop.PointerEvent{Pos: at}))
			return
		}
	}
	p.t.Fatalf("nothing at %d, %d", focus, choice)
}

// picture draws and returns what is shown, as the framebuffer has it.
func (p person) picture() *image.RGBA {
	require.NoError(p.t, p.draw())
	size := p.fb.Size()
	img := image.NewRGBA(image.Rectangle{Max: size})
	require.NoError(p.t, p.fb.DrawSome(img.Bounds(), func(pix []byte, stride int) []image.Rectangle {
		for y := range size.Y {
			for x := range size.X {
				q := pix[y*stride+x*4:]
				img.SetRGBA(x, y, color.RGBA{q[2], q[1], q[0], 0xff})
			}
		}
		return nil
	}))
	return img
}

// save keeps a picture to be looked at, where SCREENS names a folder.
func (p person) save(name string) {
	require.NoError(p.t, p.draw())
	dir := os.Getenv("SCREENS")
	if dir == "" {
		return
	}
	img := p.picture()
	f, err := os.Create(filepath.Join(dir, name+".png"))
	require.NoError(p.t, err)
	require.NoError(p.t, png.Encode(f, img))
	require.NoError(p.t, f.Close())
}

var signIn = Form{
	Title: "Sign in", Text: "to open Production database on this gateway.",
	Fields: []Field{{Name: "user", Label: "User name"}, {Name: "password", Label: "Password", Secret: true}},
	Submit: "Sign in", Links: []Link{{"code", "Approve in the browser"}, {"cancel", "Cancel"}},
	Foot: "vitrine.example.com · every session is recorded",
}

func TestKeyboard(t *testing.T) {
	p := sit(t, image.Pt(500, 560), 0)
	p.Show(signIn)
	p.types("aliXce")
	p.key(keyLeft, keyLeft, keyBackspace, keyEnd)
	p.key(keyEnter) // to the password, which is empty
	p.types("s3cr%t")
	require.NoError(t, p.Input(desktop.TextInput{Text: "ü\n€"}))
	p.key(0x1e8, 0xfe51, 'E') // č, and a dead key
	p.save("sign-in")
	p.key(keyEnter)
	a := p.act()
	require.Equal(t, Act{ID: Submitted, Values: map[string]string{"user": "alice", "password": "s3cr%tü€čÉ"}}, a)

	wrong := signIn
	wrong.Error = "The name or the password is wrong."
	p.Show(wrong)
	p.save("sign-in-wrong")
	require.Equal(t, 1, p.focus, "the password is to be typed again")
	require.Empty(t, p.fields[1].text)
	require.Equal(t, "alice", string(p.fields[0].text))
	p.key(keyTab, keyTab)
	p.key(keyEnter)
	require.Equal(t, "code", p.act().ID)
	require.NoError(t, p.Input(desktop.KeyEvent{Keysym: keyShiftL, Down: true}))
	p.key(keyTab, keyTab, keyTab)
	require.NoError(t, p.Input(desktop.KeyEvent{Keysym: keyShiftL}))
	require.Equal(t, 0, p.focus)
	p.key(keyEscape)
	require.Equal(t, "cancel", p.act().ID)

	for _, once := range []bool{true, false} {
		f := Form{Title: "Your second factor", Fields: []Field{{Name: "code", Code: true, Once: once, Max: 6}}, Submit: "Go on"}
		p.Show(f)
		p.types("000000")
		f.Error = "The code is wrong or was used before."
		p.Show(f)
		require.Equal(t, once, len(p.fields[0].text) == 0, "a wrong code is gone, what can be corrected stays")
	}
	p.Show(signIn)

	p.types(strings.Repeat("x", 500))
	require.Len(t, p.fields[0].text, maxField)
	p.save("sign-in-long")
	p.Forget()
	require.Empty(t, p.fields[0].text)

	busy := signIn
	busy.Busy, busy.Notice = true, "Checking…"
	p.Show(busy)
	p.types("y")
	p.key(keyEnter)
	p.save("sign-in-busy")
	require.Empty(t, p.acts, "nothing happens while it is busy")
}

func TestMouse(t *testing.T) {
	p := sit(t, image.Pt(500, 560), 0)
	p.Show(signIn)
	p.click(1, -1)
	p.types("pw")
	p.click(0, -1)
	p.types("bob")
	p.click(2, -1)
	a := p.act()
	require.Equal(t, Submitted, a.ID)
	require.Equal(t, "bob", a.Values["user"])
	require.Equal(t, "pw", a.Values["password"])
	p.click(4, -1)
	require.Equal(t, "cancel", p.act().ID)
}

func choices(n int) []Choice {
	var out []Choice
	for i := range n {
		out = append(out, Choice{ID: string(rune('a' + i)), Title: string(rune('A'+i)) + "-server with a name that is rather long for the place there is", Detail: "10.0.0." + string(rune('0'+i%10)) + " · as operator"})
	}
	return out
}

func TestChoices(t *testing.T) {
	p := sit(t, image.Pt(500, 560), 0)
	p.Show(Form{Title: "Which desktop?", Choices: choices(20), Submit: "Open", Links: []Link{{"cancel", "Cancel"}}})
	require.NoError(t, p.draw())
	p.key(keyDown, keyDown, keyEnter)
	require.Equal(t, "c", p.act().Choice)
	p.types("q")
	p.save("choices")
	p.key(keyEnter)
	require.Equal(t, "q", p.act().Choice)
	require.LessOrEqual(t, p.first, p.choice)
	require.Greater(t, p.first+p.inView, p.choice)
	p.key(keyHome, keyPageDown)
	require.NoError(t, p.Input(desktop.WheelEvent{DY: 30}))
	p.click(0, 19)
	require.Empty(t, p.acts)
	p.click(0, 19)
	require.Equal(t, "t", p.act().Choice)
}

// TestSizes draws at every size a client may have, however small: nothing may go beyond the picture.
func TestSizes(t *testing.T) {
	forms := []Form{signIn, {Title: "Which desktop?", Choices: choices(9), Submit: "Open"}, {
		Title: "Approve in the browser", Text: "Open the console, choose “Approve a sign-in” and type this code.", Code: "BDFK-2479", Notice: "Waiting for you to approve…", Busy: true,
		Links: []Link{{"cancel", "Cancel"}},
	}, {
		Title: "Production database", Notice: "Reaching the desktop…", Busy: true,
	}, {Title: strings.Repeat("Долгое имя ", 20), Error: strings.Repeat("x", 300), Fields: []Field{{Name: "reason", Label: "Reason", Hint: "Why you need this desktop. It is written down with the session."}}, Submit: "Ask"}}
	sizes := []image.Point{{desktop.MinSide, desktop.MinSide}, {201, 200}}
	if !testing.Short() {
		sizes = append(sizes, image.Pt(641, 480), image.Pt(1000, 701), image.Pt(1920, 1080))
	}
	for _, size := range sizes {
		for i, f := range forms {
			p := sit(t, size, 150)
			p.Show(f)
			p.save("size-" + size.String() + "-" + string(rune('0'+i)))
		}
	}
}

func TestOnlyChangesAreDrawn(t *testing.T) {
	p := sit(t, image.Pt(640, 480), 0)
	p.Show(signIn)
	require.NoError(t, p.draw())
	before := p.canvas
	p.types("a")
	require.NoError(t, p.draw())
	area := 0
	for _, r := range blit(make([]byte, 640*480*4), 640*4, before, p.canvas) {
		area += r.Dx() * r.Dy()
	}
	require.Positive(t, area)
	require.Less(t, area, 2000, "a letter")
	require.Empty(t, blit(nil, 0, p.canvas, p.canvas))
}

func TestRun(t *testing.T) {
	p := sit(t, image.Pt(400, 300), 0)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- p.Run(ctx) }()
	p.Show(signIn)
	<-p.fb.Wake()
	require.NoError(t, p.Resize(image.Pt(420, 330)))
	p.types("alice")
	p.key(keyEscape)
	require.Equal(t, "cancel", p.act().ID)
	stop()
	require.NoError(t, <-over)
	_, err := p.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzInput has somebody do anything at all on each form: it is drawn, and the fields hold no more than they may.
func FuzzInput(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 'a', 1, 0, 0xff, 0x0d, 1, 2, 0, 50, 60})
	f.Add(uint8(1), []byte{3, 0, 200, 0, 0, 0xff, 0x56, 1})
	f.Add(uint8(2), []byte("\x01\x00e\u0301\ufffd"))
	forms := []Form{signIn, {Title: "Which desktop?", Choices: choices(9), Submit: "Open", Links: []Link{{"cancel", "Cancel"}}}, {Fields: []Field{{Name: "code", Code: true, Max: 6}}}, {Busy: true}}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		p := sit(t, image.Pt(desktop.MinSide, desktop.MinSide), 0)
		p.Show(forms[int(which)%len(forms)])
		for n := 0; len(b) >= 4 && n < 50; b, n = b[4:], n+1 {
			var in desktop.Input
			switch b[0] % 5 {
			case 0:
				in = desktop.KeyEvent{Keysym: desktop.Keysym(b[1])<<8 | desktop.Keysym(b[2]), Down: b[3]&1 != 0}
			case 1:
				in = desktop.TextInput{Text: string(b[1:])}
			case 2:
				in = desktop.PointerEvent{Pos: image.Pt(int(b[2]), int(b[3])), Buttons: desktop.Buttons(b[1])}
			case 3:
				in = desktop.WheelEvent{DX: int(int8(b[1])), DY: int(int8(b[2]))}
			case 4:
				in = desktop.KeyEvent{Keysym: 0x01000000 + desktop.Keysym(b[1])<<8 | desktop.Keysym(b[2]), Down: true}
			}
			require.NoError(t, p.Input(in))
		}
		require.NoError(t, p.draw())
		for _, d := range p.fields {
			require.LessOrEqual(t, len(d.text), d.most())
			require.True(t, d.caret >= 0 && d.caret <= len(d.text))
		}
		for len(p.acts) > 0 {
			<-p.acts
		}
	})
}
