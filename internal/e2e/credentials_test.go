package e2e

import (
	"bytes"
	"fmt"
	"image"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestCredentials keeps a password in Vitrine, opens a session with it, and looks for it wherever it must not be: while the
// session runs and after it, in every file, every process's arguments and environment, every answer and log, and in the memory
// of serve.
func TestCredentials(t *testing.T) {
	testbed.Require(t, "Xvnc", "xterm", "x11vnc")
	const password = "qZ7#kV2p" // VNC takes eight bytes
	x := testbed.StartXvnc(t, testbed.XvncOptions{Size: image.Pt(800, 600), Security: []string{"VncAuth"}, Password: password})
	typed := filepath.Join(t.TempDir(), "typed")
	testbed.XTerm(t, x.Display, "cat > "+typed)

	g := startGateway(t, "log: {level: debug}\n")
	settings := map[string]any{"name": "Desk", "protocol": "vnc", "address": x.Addr, "tls": map[string]any{"mode": "off"}}
	g.call("POST", "/targets", map[string]any{"id": "desk", "settings": settings}, http.StatusCreated, nil)
	var account struct{ ID string }
	g.call("POST", "/targets/desk/accounts", map[string]any{
		"settings": map[string]any{"name": "operator"}, "credential": map[string]any{"kind": "stored", "password": password},
	}, http.StatusCreated, &account)

	// Who sets a password sends it to serve, whose memory then has it until that is used for something else. This test is about
	// sessions, so serve begins anew.
	g.stop()
	g.requireNotInFiles(password, "after it was set")
	g.start()
	serve := g.cmd.Process.Pid
	require.Empty(t, inMemory(t, serve, password), "serve has it before it is needed")

	for range 3 { // buffers are used again
		s := g.connect("desk")
		v := g.watch(s.ID, "control")
		focus(v)
		v.typeText("hello\n")
		waitFile(t, typed, strings.Repeat("hello\n", strings.Count(readFile(t, typed), "\n")))
		worker := g.workerPID(s.ID)
		require.NotEmpty(t, inMemory(t, worker, password), "the search finds nothing where the password must be")
		g.requireNotInProcesses(password)
		g.requireNotInFiles(password, "while a session runs")
		require.Empty(t, inMemory(t, serve, password), "serve has it while the session runs")
		g.terminate(s.ID)
		g.ended(s.ID, 15*time.Second)
		g.sealed(s.ID, 20*time.Second)
		for _, path := range []string{
			"/targets", "/targets/desk", "/sessions?state=all", "/sessions/" + s.ID, "/recordings", "/recordings/" + s.ID,
			"/recordings/" + s.ID + "/events", "/me", "/credential-providers",
		} {
			require.NotContains(t, string(g.get(path)), password, path)
		}
	}
	require.Empty(t, inMemory(t, serve, password), "serve has it after the sessions")
	g.requireNotInFiles(password, "after the sessions")
	g.requireNoSecrets(password)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

// get returns the body of a good answer.
func (g *gateway) get(path string) []byte {
	g.t.Helper()
	res, err := g.client.Get(g.url + "/api/v1" + path)
	require.NoError(g.t, err)
	defer res.Body.Close()
	require.Equal(g.t, http.StatusOK, res.StatusCode, path)
	var b bytes.Buffer
	_, err = b.ReadFrom(res.Body)
	require.NoError(g.t, err)
	return b.Bytes()
}

// requireNotInFiles looks through everything in the gateway's folders: database and its log, spool, recordings, keys, logs.
func (g *gateway) requireNotInFiles(password, when string) {
	g.t.Helper()
	files := 0
	require.NoError(g.t, filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // a spool file that was just uploaded
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // the same
		}
		files++
		for form, secret := range forms(password) {
			require.False(g.t, bytes.Contains(b, []byte(secret)), "%s, the password as %s is in %s", when, form, path)
		}
		return nil
	}))
	require.Greater(g.t, files, 3)
}

// requireNotInProcesses looks at the arguments and the environment of every process of this machine.
func (g *gateway) requireNotInProcesses(password string) {
	g.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/*")
	require.NoError(g.t, err)
	looked := 0
	for _, path := range files {
		if name := filepath.Base(path); name != "cmdline" && name != "environ" {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		looked++
		require.False(g.t, bytes.Contains(b, []byte(password)), "the password is in %s", path)
	}
	require.Greater(g.t, looked, 4)
}

// inMemory returns where in the memory of a process a secret is, in any of its forms.
func inMemory(t *testing.T, pid int, secret string) []string {
	t.Helper()
	maps := readFile(t, fmt.Sprintf("/proc/%d/maps", pid))
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	require.NoError(t, err)
	defer mem.Close()
	var found []string
	read := 0
	for line := range strings.Lines(maps) {
		fields := strings.Fields(line)
		if len(fields) < 5 || !strings.HasPrefix(fields[1], "rw") {
			continue
		}
		low, high, _ := strings.Cut(fields[0], "-")
		from, err := strconv.ParseUint(low, 16, 64)
		require.NoError(t, err)
		to, err := strconv.ParseUint(high, 16, 64)
		require.NoError(t, err)
		const chunk = 1 << 20
		b := make([]byte, chunk+64)
		for at := from; at < to; at += chunk {
			n, _ := mem.ReadAt(b[:min(uint64(len(b)), to-at)], int64(at)) // pages that are not there cannot be read
			read += n
			for form, text := range memoryForms(secret) {
				if i := bytes.Index(b[:n], text); i >= 0 {
					found = append(found, fmt.Sprintf("%s at %#x in %v: %q", form, at+uint64(i), fields[5:], around(b[:n], i, len(text))))
				}
			}
		}
	}
	require.Greater(t, read, 1<<20, "nothing was looked at")
	return found
}

// memoryForms are the ways a password could be in memory.
func memoryForms(password string) map[string][]byte {
	all := forms(password)
	out := map[string][]byte{}
	for _, form := range []string{"text", "hex", "base64", "UTF-16", "base64 of UTF-16"} {
		out[form] = []byte(all[form])
	}
	return out
}

// around shows what is beside a find, without the find.
func around(b []byte, at, n int) string {
	return string(b[max(0, at-24):at]) + "…" + string(b[at+n:min(len(b), at+n+24)])
}
