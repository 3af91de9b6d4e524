package e2e

import (
	"context"
	"image"
	"image/png"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/native/screen"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// as returns the gateway as somebody sees it who is signed in with a password.
func (g *gateway) as(name, password string) *gateway {
	g.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(g.t, err)
	other := *g
	other.client = &http.Client{Jar: jar, Timeout: g.client.Timeout}
	other.call("POST", "/sign-in", map[string]string{"username": name, "password": password}, http.StatusOK, nil)
	return &other
}

// addUser adds somebody who may use the gateway, and returns it as they see it.
func (g *gateway) addUser(name, password string, roles ...string) *gateway {
	g.t.Helper()
	first := "first " + password
	g.call("POST", "/users", map[string]any{"username": name, "password": first, "roles": roles}, http.StatusCreated, nil)
	g.as(name, first).call("POST", "/me/password", map[string]string{"current_password": first, "new_password": password}, http.StatusNoContent, nil)
	return g.as(name, password)
}

// looks are kinds of forms, by what catches the eye.
type looks string

const (
	asks      looks = "asks"      // there is a button to press
	complains looks = "complains" // that, and a box that says what was wrong
	waits     looks = "waits"     // a wheel turns
)

// like tells whether a picture is of a form of a kind.
func (l looks) like(img *image.RGBA) bool {
	accent, brick := [3]byte{0x6c, 0xc3, 0xb7}, [3]byte{0x34, 0x16, 0x12}
	button, box, lit := 0, 0, 0
	for i := 0; i < len(img.Pix); i += 4 {
		switch p := [3]byte(img.Pix[i:]); {
		case p == accent:
			button++
		case p == brick:
			box++
		case p[1] > 0xa0:
			lit++
		}
	}
	const large = 3000
	return lit > 300 && (button > large) == (l != waits) && (box > large) == (l == complains)
}

// turns waits until the window shows another form than before, of a kind, and nothing moves but its caret or wheel. It keeps the picture.
func (w *rdpWindow) turns(before *image.RGBA, to looks, name string) *image.RGBA {
	w.t.Helper()
	for end := time.Now().Add(patience); ; {
		last := w.x.Screenshot(w.t)
		time.Sleep(100 * time.Millisecond)
		now := w.x.Screenshot(w.t)
		moved, _ := differing(last, now)
		other := 1 << 20
		if before != nil {
			other, _ = differing(before, now)
		}
		if to.like(now) && moved < 400 && other > 2000 {
			w.keep(name, now)
			return now
		}
		if time.Now().After(end) {
			w.keep("failed", now)
			w.t.Fatalf("the form %s does not come: %d pixels move, %d are others than before", name, moved, other)
		}
	}
}

// keep keeps a picture to be looked at where SCREENS names a folder.
func (w *rdpWindow) keep(name string, img *image.RGBA) {
	w.t.Helper()
	dir := os.Getenv("SCREENS")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, "native-"+name+".png"))
	require.NoError(w.t, err)
	require.NoError(w.t, png.Encode(f, img))
	require.NoError(w.t, f.Close())
}

// enters types a line.
func (w *rdpWindow) enters(line string) {
	w.do("type", "--delay", "30", line)
	w.do("key", "Return")
}

// codeShown reads the code off the window: it draws the form with every letter in it, and compares.
func codeShown(t *testing.T, shown *image.RGBA, form screen.Form) string {
	t.Helper()
	size := shown.Rect.Size()
	// Letters are all of a width, and in the middle; the wheel beside them turns.
	middle := image.Rect(size.X/2-100, 0, size.X/2+100, size.Y)
	draw := func(code string) *image.RGBA {
		s, err := screen.New(size, 0)
		require.NoError(t, err)
		form.Code = code
		s.Show(form)
		ctx, stop := context.WithCancel(t.Context())
		drawn := make(chan error, 1)
		go func() { drawn <- s.Run(ctx) }()
		<-s.Framebuffer().Wake()
		stop()
		require.NoError(t, <-drawn)
		pix, _ := s.Framebuffer().CopyPixels()
		img := image.NewRGBA(image.Rectangle{Max: size})
		for i := 0; i < len(pix); i += 4 {
			img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = pix[i+2], pix[i+1], pix[i], 0xff
		}
		return cut(img, middle)
	}
	blank := draw("         ")
	_, first := differing(draw("W        "), blank) // no letter is wider or higher
	_, last := differing(draw("        W"), blank)
	cell := func(i int) image.Rectangle { return first.Add(image.Pt((last.Min.X-first.Min.X)*i/8, 0)) }
	letters := map[string]*image.RGBA{}
	for text := range strings.FieldsSeq("BCDFGHJKL MNPQRSTVW XZ2456789 -W-------") {
		img := draw(text)
		for i, r := range text {
			letters[string(r)] = cut(img, cell(i))
		}
	}
	code := ""
	for i := range 9 {
		here := cut(cut(shown, middle), cell(i))
		for letter, img := range letters {
			if n, _ := differing(here, img); n == 0 {
				code += letter
			}
		}
	}
	require.Len(t, code, 9, "no code can be read: %q", code)
	return code
}

func cut(img *image.RGBA, r image.Rectangle) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: r.Size()})
	for y := range r.Dy() {
		copy(out.Pix[y*out.Stride:(y+1)*out.Stride], img.Pix[img.PixOffset(r.Min.X, r.Min.Y+y):])
	}
	return out
}

// TestNativeSignIn signs somebody in on the drawn screen of a real xfreerdp: with password and authenticator app, to a desktop that wants a
// reason; and by a code that they approve in the console, to one that wants an approval.
func TestNativeSignIn(t *testing.T) {
	t.Parallel()
	testbed.Require(t, "xfreerdp", "xdotool")
	size := image.Pt(1000, 700)
	desk, safe := testbed.StartXvnc(t, testbed.XvncOptions{Size: size}), testbed.StartXvnc(t, testbed.XvncOptions{Size: size})
	testbed.PaintWallpaper(t, &desk.X)
	testbed.PaintWallpaper(t, &safe.X)
	background(t, safe.Display, "xterm", "-geometry", "60x15+100+80")
	door, settings := nativeDoor(t)
	g := startGateway(t, settings+"identity: {mfa: optional}\ntargets:\n"+
		"  - {id: desk, name: Build host, protocol: vnc, address: '"+desk.Addr+"', tls: {mode: 'off'}}\n"+
		"  - {id: safe, name: Production database, protocol: vnc, address: '"+safe.Addr+"', tls: {mode: 'off'}}\n")
	const password = "korrektes Pferd 7"
	sue := g.addUser("sue", password, "supervisor")
	alice := g.addUser("alice", password, "user")
	g.call("POST", "/policies", map[string]string{
		"id": "build", "name": "Build host", "text": `@reason("required") permit (principal in Role::"user", action == Action::"connect", resource in Target::"desk");`,
	}, http.StatusCreated, nil)
	var key struct{ Secret string }
	alice.call("POST", "/me/factors/totp", nil, http.StatusOK, &key)
	// Each code works once: the one of the step before enrols, that of now signs in.
	code := func(ahead time.Duration) string {
		c, err := totp.GenerateCode(key.Secret, time.Now().Add(ahead))
		require.NoError(t, err)
		return c
	}
	alice.call("POST", "/me/factors/totp/confirm", map[string]string{"code": code(-30 * time.Second)}, http.StatusOK, nil)

	x := testbed.StartXvfb(t, size)
	testbed.OpenBox(t, x.Display)
	w := openRDP(t, x, size, "/v:"+door, "/u:alice@desk", "/p:", "/sec:tls")
	w.do("mousemove", "990", "690") // the pointer is a part of the picture
	form := w.turns(nil, asks, "sign-in")
	w.enters("wrong")
	form = w.turns(form, complains, "sign-in-wrong")
	w.enters(password)
	form = w.turns(form, asks, "second-factor")
	w.enters("000000")
	form = w.turns(form, complains, "second-factor-wrong")
	w.enters(code(0))
	w.turns(form, asks, "reason")
	w.enters("Replace the certificate of the build host")
	w.shows(&desk.X, size.Div(2), "the desktop after the reason")
	begun := g.told("session_started")
	require.Len(t, begun, 1)
	require.Equal(t, "Replace the certificate of the build host", begun[0].Details["reason"])
	w.close()

	w = openRDP(t, x, size, "/v:"+door, "/u:alice", "/p:", "/sec:tls")
	form = w.turns(nil, asks, "sign-in-again")
	w.do("key", "Tab", "Tab", "Return")
	form = w.turns(form, waits, "code")
	shown := codeShown(t, form, screen.Form{
		Title: "Approve in the browser", Foot: "", Links: []screen.Link{{ID: "back", Label: "Back"}, {ID: "cancel", Label: "Cancel"}}, Busy: true, Notice: "Waiting for you to approve…",
		Text: "Sign in to the console, choose “Approve a sign-in” in the menu of your account, and type this code. Never type a code that somebody else gave you.",
	})
	var waiting struct{ User, Client string }
	alice.call("POST", "/native-sign-ins/look", map[string]string{"code": shown}, http.StatusOK, &waiting)
	require.Equal(t, "alice", waiting.User)
	alice.call("POST", "/native-sign-ins/decide", map[string]any{"code": shown, "approve": true}, http.StatusNoContent, nil)
	form = w.turns(form, asks, "desktops")
	w.enters("P") // the first letter
	form = w.turns(form, asks, "ask-for-access")
	w.do("type", "--delay", "30", "Restore the backup of Monday")
	w.do("key", "Tab", "Tab", "Return") // past the ticket
	var list struct {
		Requests []struct {
			ID       string
			Revision int
			Reason   string
		}
	}
	testbed.Eventually(t, patience, "the request", func() bool {
		sue.call("GET", "/access-requests?view=inbox", nil, http.StatusOK, &list)
		return len(list.Requests) == 1
	})
	w.turns(form, waits, "waiting-for-approval")
	require.Equal(t, "Restore the backup of Monday", list.Requests[0].Reason)
	sue.call("POST", "/access-requests/"+list.Requests[0].ID+"/approve", map[string]any{"revision": list.Requests[0].Revision}, http.StatusOK, nil)
	w.shows(&safe.X, size.Div(2), "the desktop after the approval")
	w.close()

	w = openRDP(t, x, size, "/v:"+door, "/u:alice", "/p:", "/sec:tls")
	w.turns(nil, asks, "sign-in-cancelled")
	w.do("key", "Escape")
	require.Equal(t, 12, w.code(), "logged off by the user")
	for _, secret := range []string{password, key.Secret, shown} {
		require.NotContains(t, g.logs(), secret)
	}
}

// told returns the entries of the audit log of an action, newest first: what was done to which object, with what details.
func (g *gateway) told(action string) (out []auditEntry) {
	g.t.Helper()
	var list struct{ Entries []auditEntry }
	g.call("GET", "/audit/entries?action="+action, nil, http.StatusOK, &list)
	return list.Entries
}

type auditEntry struct {
	Object  struct{ ID string }
	Details map[string]string
}
