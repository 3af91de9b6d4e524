package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// binary is the vitrine command under test: VITRINE_BIN, or built once by TestMain.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "internal/e2e: the tests of the whole product are not run with -short")
		os.Exit(0)
	}
	os.Exit(func() int {
		if binary = os.Getenv("VITRINE_BIN"); binary == "" {
			dir, err := os.MkdirTemp("", "vitrine-e2e-")
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer os.RemoveAll(dir)
			binary = filepath.Join(dir, "vitrine")
			if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/vitrine").CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "building the command under test: %v\n%s", err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

const adminPassword = "correct horse battery staple"

// gateway is one `vitrine serve` on its own data folder, which outlives restarts of the process.
type gateway struct {
	t      testing.TB
	dir    string
	config string
	url    string
	cmd    *exec.Cmd
	exited chan struct{}
	client *http.Client
}

// startGateway writes a configuration from settings, a YAML fragment added to the common part, and starts serve.
func startGateway(t testing.TB, settings string) *gateway {
	t.Helper()
	dir := t.TempDir()
	port := testbed.FreePort(t)
	g := &gateway{t: t, dir: dir, config: filepath.Join(dir, "vitrine.yaml"), url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	common := fmt.Sprintf("http:\n  listen: 127.0.0.1:%d\ndata_dir: %s\nmedia:\n  bind: 127.0.0.1\n  udp_ports: 41000-41999\n", port, filepath.Join(dir, "data"))
	require.NoError(t, os.WriteFile(g.config, []byte(common+settings), 0o600))

	passwd := exec.Command(binary, "user", "passwd", "admin", "--config", g.config)
	passwd.Stdin = strings.NewReader(adminPassword + "\n")
	out, err := passwd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	g.start()
	t.Cleanup(g.stop)
	return g
}

func (g *gateway) start() {
	g.t.Helper()
	logs, err := os.OpenFile(filepath.Join(g.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(g.t, err)
	g.cmd = exec.Command(binary, "serve", "--config", g.config)
	g.cmd.Stdout, g.cmd.Stderr = logs, logs
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(g.t, g.cmd.Start())
	logs.Close()
	g.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // how it ended is the tests' business, seen in what it left behind
		close(exited)
	}(g.cmd, g.exited)
	testbed.WaitHTTP(g.t, g.url+"/healthz", 20*time.Second)
	jar, err := cookiejar.New(nil)
	require.NoError(g.t, err)
	g.client = &http.Client{Jar: jar, Timeout: 60 * time.Second}
	g.call("POST", "/sign-in", map[string]string{"username": "admin", "password": adminPassword}, http.StatusOK, nil)
}

// stop ends serve in good order and fails the test when it does not come to an end.
func (g *gateway) stop() {
	g.signal(syscall.SIGTERM)
	select {
	case <-g.exited:
	case <-time.After(30 * time.Second):
		g.t.Errorf("serve did not stop within 30 s of SIGTERM:\n%s", g.logs())
		g.signal(syscall.SIGKILL)
		<-g.exited
	}
	if g.t.Failed() {
		g.t.Logf("log of serve:\n%s", g.logs())
	}
}

// kill ends serve without giving it a chance.
func (g *gateway) kill() {
	g.signal(syscall.SIGKILL)
	<-g.exited
}

func (g *gateway) signal(sig syscall.Signal) {
	select {
	case <-g.exited:
	default:
		_ = g.cmd.Process.Signal(sig)
	}
}

func (g *gateway) logs() string {
	b, _ := os.ReadFile(filepath.Join(g.dir, "serve.log"))
	if len(b) > 20000 {
		b = b[len(b)-20000:]
	}
	return string(b)
}

// call sends a JSON request under /api/v1, requires status and decodes the answer into out.
func (g *gateway) call(method, path string, in any, status int, out any) {
	g.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		require.NoError(g.t, err)
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+"/api/v1"+path, body)
	require.NoError(g.t, err)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := g.client.Do(req)
	require.NoError(g.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(g.t, err)
	require.Equal(g.t, status, res.StatusCode, "%s %s: %s", method, path, b)
	if status >= 400 {
		kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
		require.Equal(g.t, "application/problem+json", kind)
	}
	if out != nil {
		require.NoError(g.t, json.Unmarshal(b, out), "%s", b)
	}
}

// permit adds a policy that allows these, of any resource.
func (g *gateway) permit(id, scope string) {
	g.t.Helper()
	g.call("POST", "/policies", map[string]any{"id": id, "name": id, "text": "permit (" + scope + ", resource);"}, http.StatusCreated, nil)
}

type session struct {
	ID    string `json:"id"`
	State string `json:"state"`
	End   *struct {
		Code, Message string
	} `json:"end"`
	Width   int `json:"width"`
	Height  int `json:"height"`
	Viewers []struct {
		ID, Role string
	} `json:"viewers"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Frames    int        `json:"frames"`   // encoded so far
	Encoders  int        `json:"encoders"` // opened so far
}

type recording struct {
	State      string `json:"state"`
	Bytes      int64  `json:"bytes"`
	DurationMS int64  `json:"duration_ms"`
	Pending    int    `json:"pending_files"`
	SealedBy   string `json:"sealed_by"`
	Error      string `json:"error"`
}

type problem struct {
	Code, Title, Detail string
	Status              int
}

func (g *gateway) connect(target string) session {
	g.t.Helper()
	var s session
	g.call("POST", "/sessions", map[string]any{"target_id": target}, http.StatusCreated, &s)
	return s
}

func (g *gateway) session(id string) session {
	g.t.Helper()
	var s session
	g.call("GET", "/sessions/"+id, nil, http.StatusOK, &s)
	return s
}

func (g *gateway) recording(id string) recording {
	g.t.Helper()
	var r recording
	g.call("GET", "/recordings/"+id, nil, http.StatusOK, &r)
	return r
}

func (g *gateway) terminate(id string) {
	g.t.Helper()
	g.call("POST", "/sessions/"+id+"/terminate", map[string]string{"reason": "end of test"}, http.StatusNoContent, nil)
}

// ended waits for the session's end and returns it.
func (g *gateway) ended(id string, within time.Duration) session {
	g.t.Helper()
	var s session
	require.Eventually(g.t, func() bool { s = g.session(id); return s.State == "ended" }, within, 100*time.Millisecond,
		"session did not end")
	return s
}

// sealed waits for the recording to be whole in the store and verifies it.
func (g *gateway) sealed(id string, within time.Duration) recording {
	g.t.Helper()
	var r recording
	require.Eventually(g.t, func() bool { r = g.recording(id); return r.State == "sealed" }, within, 200*time.Millisecond,
		"recording was not sealed")
	var v struct {
		OK      bool
		Problem string
		Files   int
	}
	g.call("POST", "/recordings/"+id+"/verify", nil, http.StatusOK, &v)
	require.True(g.t, v.OK, "verification: %s", v.Problem)
	require.Positive(g.t, v.Files)
	return r
}

// export fetches the recording as one MP4 and returns the file.
func (g *gateway) export(id string) string {
	g.t.Helper()
	j := g.beginExport(id, map[string]any{"kind": "mp4"})
	require.Eventually(g.t, func() bool { j = g.exportJob(id, j.ID); return j.State == "done" || j.State == "failed" }, time.Minute, 50*time.Millisecond)
	require.Equal(g.t, "done", j.State, "%s", j.Error)
	return g.download(id, j.ID)
}

// exportJob is an export as the API shows it.
type exportJob struct {
	ID, State, Error string
	Progress         float64
}

func (g *gateway) beginExport(id string, wish map[string]any) (j exportJob) {
	g.t.Helper()
	wish["reason"] = "to look at it"
	g.call("POST", "/recordings/"+id+"/exports", wish, http.StatusAccepted, &j)
	return j
}

func (g *gateway) exportJob(id, job string) (j exportJob) {
	g.t.Helper()
	g.call("GET", "/recordings/"+id+"/exports/"+job, nil, http.StatusOK, &j)
	return j
}

// download fetches the result of an export and returns the file.
func (g *gateway) download(id, job string) string {
	g.t.Helper()
	var link struct{ URL string }
	g.call("POST", "/recordings/"+id+"/exports/"+job+"/link", nil, http.StatusOK, &link)
	res, err := g.client.Get(g.url + link.URL)
	require.NoError(g.t, err)
	defer res.Body.Close()
	require.Equal(g.t, http.StatusOK, res.StatusCode)
	name := filepath.Join(g.t.TempDir(), id+".mp4")
	f, err := os.Create(name)
	require.NoError(g.t, err)
	defer f.Close()
	_, err = io.Copy(f, res.Body)
	require.NoError(g.t, err)
	return name
}

// events returns everything in the recording's event log.
func (g *gateway) events(id string) []map[string]any {
	g.t.Helper()
	var all []map[string]any
	after := ""
	for {
		var page struct {
			Events []map[string]any
			Next   string
			More   bool
		}
		g.call("GET", "/recordings/"+id+"/events?limit=1000&after="+after, nil, http.StatusOK, &page)
		all = append(all, page.Events...)
		if !page.More {
			return all
		}
		after = page.Next
	}
}

// workerPID finds the worker process of a session by its spool folder, which is named after the session.
func (g *gateway) workerPID(id string) int {
	g.t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(g.t, err)
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err == nil && bytes.Contains(b, []byte(id)) && bytes.Contains(b, []byte("worker")) {
			pid, err := strconv.Atoi(strings.Split(p, "/")[2])
			require.NoError(g.t, err)
			return pid
		}
	}
	require.Fail(g.t, "no worker process for session "+id)
	return 0
}

var durationLine = regexp.MustCompile(`(?m)^duration=([0-9.]+)$`)

// probe returns the duration ffprobe sees and the time of the last picture it can decode.
func probe(t testing.TB, file string) time.Duration {
	t.Helper()
	testbed.Require(t, "ffprobe", "ffmpeg")
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "default=nw=1", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	m := durationLine.FindSubmatch(out)
	require.NotNil(t, m, "%s", out)
	seconds, err := strconv.ParseFloat(string(m[1]), 64)
	require.NoError(t, err)
	out, err = exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", file, "-enc_time_base", "1:90000", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "decoding: %s", out)
	require.Empty(t, strings.TrimSpace(string(out)), "decoding complained")
	return time.Duration(seconds * float64(time.Second))
}
