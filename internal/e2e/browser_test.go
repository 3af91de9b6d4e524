package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// patience is how long things that happen at once may take on a machine under load.
const patience = time.Minute

// browser is a Chromium that web/e2e/remote.mjs holds on a string.
type browser struct {
	t       testing.TB
	gateway *gateway
	in      io.Writer
	out     *bufio.Reader
	process *os.Process
}

// openBrowser starts Chromium and signs in to the console as admin.
func openBrowser(t testing.TB, g *gateway) *browser {
	t.Helper()
	return openBrowserIn(t, g, "admin", func(start func() error) error { return start() })
}

// openBrowserAs starts Chromium and signs in to the console as somebody else.
func openBrowserAs(t testing.TB, g *gateway, person string) *browser {
	t.Helper()
	return openBrowserIn(t, g, person, func(start func() error) error { return start() })
}

// openBrowserIn is openBrowserAs with a place where processes are to be started.
func openBrowserIn(t testing.TB, g *gateway, person string, place func(start func() error) error) *browser {
	t.Helper()
	cmd := exec.Command("node", "e2e/remote.mjs", g.url)
	cmd.Dir = "../../web"
	cmd.Env = append(os.Environ(), "VITRINE_CHROMIUM="+testbed.Chromium(t))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, place(cmd.Start))
	b := &browser{t: t, gateway: g, in: in, out: bufio.NewReader(out), process: cmd.Process}
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = fmt.Fprintf(in, `{"do":"screenshot","name":"failed-%s-%s"}`+"\n", strings.ReplaceAll(t.Name(), "/", "-"), person)
		}
		in.Close() // it closes Chromium and ends
		stop := time.AfterFunc(patience, b.kill)
		defer stop.Stop()
		_ = cmd.Wait() // killed when a command hung, which has failed the test
	})
	b.answer("start", nil)
	b.do("signIn", nil, "username", person, "password", adminPassword)
	return b
}

// during makes what a gateway and its browsers run into the failure of a part of their test.
func during(part *testing.T, g *gateway, browsers ...*browser) {
	whole := g.t
	set := func(t testing.TB) {
		g.t = t
		for _, b := range browsers {
			b.t = t
		}
	}
	set(part)
	part.Cleanup(func() { set(whole) })
}

// requireConsole skips the test, or fails it in CI, where there is no console or nothing to look at it with. It
// comes before anything is started.
func requireConsole(t testing.TB) {
	t.Helper()
	testbed.Require(t, "node")
	testbed.Chromium(t)
	for file, remedy := range map[string]string{
		"../../web/node_modules/playwright-core/package.json": "npm ci in web",
		"../../web/dist/index.html":                           "make build",
	} {
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: run %s", file, remedy)
		}
		t.Skipf("SKIPPED, NOTHING WAS TESTED: %s is missing: run %s", file, remedy)
	}
}

func (b *browser) kill() { _ = syscall.Kill(-b.process.Pid, syscall.SIGKILL) }

// do sends a command with its arguments, name and value by turns, and reads what it gives into out.
func (b *browser) do(command string, out any, arguments ...any) {
	b.t.Helper()
	message := map[string]any{"do": command}
	for i := 0; i < len(arguments); i += 2 {
		message[arguments[i].(string)] = arguments[i+1]
	}
	line, err := json.Marshal(message)
	require.NoError(b.t, err)
	_, err = b.in.Write(append(line, '\n'))
	require.NoError(b.t, err)
	b.answer(command, out)
}

func (b *browser) answer(command string, out any) {
	b.t.Helper()
	stop := time.AfterFunc(3*patience, b.kill) // each command has deadlines of its own
	defer stop.Stop()
	line, err := b.out.ReadBytes('\n')
	require.NoError(b.t, err, "the browser is gone: %s", command)
	var answer struct {
		Value json.RawMessage
		Error string
	}
	require.NoError(b.t, json.Unmarshal(line, &answer))
	require.Empty(b.t, answer.Error, "%s in the browser", command)
	if out != nil {
		require.NoError(b.t, json.Unmarshal(answer.Value, out))
	}
}

// page is what can be seen.
type page struct {
	Path, Text string
	Alerts     []string
	Spilt      bool // an alert's text does not fit into its box
	W, H       int  // of the picture
	Focus      bool // a dialog's text field has the keys
}

func (b *browser) page() page {
	b.t.Helper()
	var p page
	b.do("page", &p)
	return p
}

// until waits until the page is as wanted and returns it.
func (b *browser) until(what string, good func(page) bool) page {
	b.t.Helper()
	var p page
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if p = b.page(); good(p) {
			return p
		}
		if time.Now().After(end) {
			require.Fail(b.t, what, "%+v", p)
		}
	}
}

// says waits until the page holds a text.
func (b *browser) says(text string) page {
	b.t.Helper()
	return b.until("the page says "+text, func(p page) bool { return strings.Contains(p.Text, text) })
}

// connect clicks on a target's Connect and waits for its picture. It returns the session's id.
func (b *browser) connect(name string) string {
	b.t.Helper()
	b.do("goto", nil, "path", "/targets")
	b.do("click", nil, "role", "button", "name", "Connect to "+name)
	p := b.until("a picture of "+name, func(p page) bool { return p.W > 0 || len(p.Alerts) > 0 })
	require.Empty(b.t, p.Alerts)
	return strings.TrimPrefix(p.Path, "/sessions/")
}

// refused clicks on a target's Connect and returns what the console says instead of showing it.
func (b *browser) refused(name string) string {
	b.t.Helper()
	b.do("goto", nil, "path", "/targets")
	b.do("click", nil, "role", "button", "name", "Connect to "+name)
	p := b.until("why "+name+" is not there", func(p page) bool { return p.W > 0 || len(p.Alerts) > 0 })
	require.Zero(b.t, p.W, "a picture of %s", name)
	require.False(b.t, p.Spilt, "the text runs out of its box")
	return strings.Join(p.Alerts, "\n")
}

// picture returns what a video shows, nil while that is nothing.
func (b *browser) picture(testID string) *image.RGBA {
	b.t.Helper()
	var file string
	b.do("picture", &file, "testId", testID)
	if file == "" {
		return nil
	}
	return decodePNG(b.t, file)
}

// decodePNG decodes a PNG file in base64.
func decodePNG(t testing.TB, file string) *image.RGBA {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(file)
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(raw))
	require.NoError(t, err)
	out := image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out
}

// still returns the blurred picture that a frozen page shows, nil while there is none.
func (b *browser) still() image.Image {
	b.t.Helper()
	var file string
	b.do("still", &file)
	if file == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(file)
	require.NoError(b.t, err)
	img, err := jpeg.Decode(bytes.NewReader(raw))
	require.NoError(b.t, err)
	return img
}

// shows waits until a video shows the desktop that want returns: see alike.
func (b *browser) shows(testID, what string, tolerance int, want func() *image.RGBA) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		difference := alike(b.picture(testID), want(), tolerance)
		if difference == "" {
			return
		}
		if time.Now().After(end) {
			require.Fail(b.t, what, "%s", difference)
		}
	}
}

func (b *browser) mouse(x, y int, button string) {
	b.do("mouse", nil, "x", x, "y", y, "button", button)
}
func (b *browser) wheel(x, y, delta int) { b.do("mouse", nil, "x", x, "y", y, "wheel", delta) }
func (b *browser) typeText(text string)  { b.do("type", nil, "text", text) }
func (b *browser) press(key string)      { b.do("press", nil, "key", key) }

// settled waits until the desktop in the page has been as it is for a while, and returns since when.
func (b *browser) settled() time.Time {
	b.t.Helper()
	return b.moment("settled", "still", 1500)
}

// moment does what gives a time.
func (b *browser) moment(command string, arguments ...any) time.Time {
	b.t.Helper()
	var ms float64
	b.do(command, &ms, arguments...)
	return unixMilli(ms)
}

func (b *browser) screenshot(name string)  { b.do("screenshot", nil, "name", name) }
func (b *browser) click(role, name string) { b.do("click", nil, "role", role, "name", name) }
func (b *browser) clickText(text string)   { b.do("clickText", nil, "text", text) }

// answerDialog fills in a field of the open dialog, clicks one of its buttons and waits until it is gone.
func (b *browser) answerDialog(field, text, button string) {
	b.t.Helper()
	b.do("fill", nil, "name", field, "text", text, "within", "dialog")
	b.closeDialog(button)
}

// closeDialog clicks a button of the open dialog and waits until it is gone.
func (b *browser) closeDialog(button string) {
	b.t.Helper()
	b.do("click", nil, "role", "button", "name", button, "within", "dialog")
	b.do("dialogGone", nil)
}

// end ends the session as its user does.
func (b *browser) end() {
	b.t.Helper()
	b.click("button", "Disconnect")
	b.click("button", "End the session")
	b.until("the page of targets", func(p page) bool { return p.Path == "/targets" })
}

// silent fails the test for what the page complained about on its console.
func (b *browser) silent() {
	b.t.Helper()
	var complaints []string
	b.do("complaints", &complaints)
	require.Empty(b.t, complaints)
}

// requireAlone fails the test unless the gateway's workers are gone soon.
func (g *gateway) requireAlone() {
	g.t.Helper()
	var left []string
	require.Eventually(g.t, func() bool {
		left = nil
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		require.NoError(g.t, err)
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte("worker\x00")) && bytes.Contains(b, []byte(g.dir)) {
				left = append(left, strings.ReplaceAll(string(b), "\x00", " "))
			}
		}
		return len(left) == 0
	}, patience, 100*time.Millisecond, "workers are left: %v", left)
}
