package e2e

import (
	"fmt"
	"image"
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

// desktop starts a TigerVNC desktop with a terminal that keeps what is typed into it, and returns the part of
// the configuration that names it as target `id`.
func desktop(t *testing.T, id string) (x *testbed.Xvnc, typed, settings string) {
	t.Helper()
	testbed.Require(t, "Xvnc", "xterm", "x11vnc")
	x = testbed.StartXvnc(t, testbed.XvncOptions{Size: image.Pt(1024, 768), Security: []string{"VncAuth"}, Password: "Vnc0Pass"})
	typed = filepath.Join(t.TempDir(), "typed")
	testbed.XTerm(t, x.Display, "cat > "+typed)
	return x, typed, fmt.Sprintf(`
  - {id: %s, name: Desktop %s, protocol: vnc, address: "%s", password: Vnc0Pass, tls: {mode: "off"}}
`, id, id, x.Addr)
}

// TestRecordingMatchesTheClock types, leaves the screen still, types again, and wants the recording to be as
// long as the session was, with the typed text in its event log.
func TestRecordingMatchesTheClock(t *testing.T) {
	x, typed, target := desktop(t, "one")
	g := startGateway(t, "targets:"+target)
	s := g.connect("one")
	v := g.watch(s.ID, "control")
	focus(v)
	v.typeText("first words\n")
	waitFile(t, typed, "first words\n")
	still := 12 * time.Second
	testbed.Run(t, x.Display, "xsetroot", "-solid", "#204060")
	before := g.recording(s.ID)
	time.Sleep(still) // the screen stands still: the recording must grow in time, not in bytes
	after := g.recording(s.ID)
	require.Less(t, after.Bytes-before.Bytes, int64(200_000), "a still screen costs bytes")
	v.typeText("last words\n")
	waitFile(t, typed, "first words\nlast words\n")
	g.terminate(s.ID)
	end := g.ended(s.ID, 15*time.Second)
	require.Equal(t, "user_disconnected", end.End.Code)
	require.Eventually(t, func() bool { return v.saw("ended") }, time.Minute, 20*time.Millisecond, "the viewer was not told")

	r := g.sealed(s.ID, 20*time.Second)
	require.Equal(t, "worker", r.SealedBy)
	wall := end.EndedAt.Sub(end.StartedAt)
	require.InDelta(t, wall.Seconds(), (time.Duration(r.DurationMS) * time.Millisecond).Seconds(), 2)
	require.InDelta(t, float64(r.DurationMS)/1000, probe(t, g.export(s.ID)).Seconds(), 0.5)
	require.Equal(t, "first words\nlast words\n", typedText(g.events(s.ID)))
}

// TestStoreAway stops MinIO in the middle of a session and starts it again: nothing is lost.
func TestStoreAway(t *testing.T) {
	_, typed, target := desktop(t, "one")
	minio := testbed.StartMinIO(t)
	g := startGateway(t, minioSettings(minio)+"targets:"+target)
	s := g.connect("one")
	v := g.watch(s.ID, "control")
	focus(v)
	v.typeText("before\n")
	waitFile(t, typed, "before\n")
	minio.Stop()
	for i := range 12 { // more than one segment while the store is away
		v.typeText(fmt.Sprintf("away %d\n", i))
		time.Sleep(500 * time.Millisecond)
	}
	g.terminate(s.ID)
	g.ended(s.ID, 15*time.Second)
	require.NotEqual(t, "sealed", g.recording(s.ID).State, "sealed without a store")
	minio.Start()
	r := g.sealed(s.ID, 90*time.Second)
	require.InDelta(t, float64(r.DurationMS)/1000, probe(t, g.export(s.ID)).Seconds(), 0.5)
	require.Contains(t, typedText(g.events(s.ID)), "away 11\n")
	requireEmptySpool(t, g, s.ID)
}

// TestServeKilled kills serve while the store is away and starts it again: the session has ended in good
// order, and the upload finishes.
func TestServeKilled(t *testing.T) {
	_, typed, target := desktop(t, "one")
	minio := testbed.StartMinIO(t)
	g := startGateway(t, minioSettings(minio)+"targets:"+target)
	s := g.connect("one")
	v := g.watch(s.ID, "control")
	focus(v)
	minio.Stop()
	v.typeText("kept\n")
	waitFile(t, typed, "kept\n")
	pid := g.workerPID(s.ID)
	g.kill()
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, time.Minute, 100*time.Millisecond,
		"the worker lives on without serve")
	minio.Start()
	g.start()
	require.Equal(t, "ended", g.session(s.ID).State)
	require.Equal(t, "worker", g.sealed(s.ID, 90*time.Second).SealedBy, "the worker did not end in good order")
	probe(t, g.export(s.ID))
	require.Equal(t, "kept\n", typedText(g.events(s.ID)))
	requireEmptySpool(t, g, s.ID)
}

// TestWorkerKilled runs two sessions and kills the worker of one with SIGKILL: what it had flushed replays,
// and the other session does not notice.
func TestWorkerKilled(t *testing.T) {
	_, typedA, a := desktop(t, "a")
	_, typedB, b := desktop(t, "b")
	g := startGateway(t, "targets:"+a+b)
	sa, sb := g.connect("a"), g.connect("b")
	va, vb := g.watch(sa.ID, "control"), g.watch(sb.ID, "control")
	focus(va)
	focus(vb)
	va.typeText("doomed\n")
	waitFile(t, typedA, "doomed\n")
	time.Sleep(3 * time.Second) // more than the flush interval: what came before must survive
	began := time.Now()
	require.NoError(t, syscall.Kill(g.workerPID(sa.ID), syscall.SIGKILL))

	end := g.ended(sa.ID, 10*time.Second)
	require.Equal(t, "worker_crashed", end.End.Code)
	require.Less(t, time.Since(began), 5*time.Second)
	require.Equal(t, "active", g.session(sb.ID).State)
	vb.typeText("alive\n")
	waitFile(t, typedB, "alive\n")
	vb.flows()

	r := g.sealed(sa.ID, 20*time.Second)
	require.Equal(t, "recovery", r.SealedBy)
	length := end.EndedAt.Sub(end.StartedAt).Seconds()
	require.InDelta(t, length, float64(r.DurationMS)/1000, 3)
	probe(t, g.export(sa.ID))
	require.Equal(t, "doomed\n", typedText(g.events(sa.ID)))

	g.terminate(sb.ID)
	g.ended(sb.ID, 15*time.Second)
	g.sealed(sb.ID, 20*time.Second)
}

// TestSpoolFull gives the spool little room: the session freezes, says why, and ends; what was recorded stays.
func TestSpoolFull(t *testing.T) {
	x, _, target := desktop(t, "one")
	g := startGateway(t, "recording:\n  max_spool: 400KiB\n  store: {type: disk}\ntargets:"+target)
	s := g.connect("one")
	v := g.watch(s.ID, "control")
	testbed.XTerm(t, x.Display, "od -v -An -tx1 /dev/urandom")
	end := g.ended(s.ID, 60*time.Second)
	require.Equal(t, "spool_full", end.End.Code)
	require.True(t, v.saw("frozen spool_full"), "the viewer was not told that the session froze: %v", v.states)
	g.sealed(s.ID, 20*time.Second)
	probe(t, g.export(s.ID))
}

// TestCorruptSegment damages a stored segment and wants replay and verification to name it.
func TestCorruptSegment(t *testing.T) {
	_, _, target := desktop(t, "one")
	g := startGateway(t, "targets:"+target)
	s := g.connect("one")
	g.watch(s.ID, "control")
	g.terminate(s.ID)
	g.ended(s.ID, 15*time.Second)
	g.sealed(s.ID, 20*time.Second)
	var segment string
	require.NoError(t, filepath.WalkDir(g.dir, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, "seg-000000.m4s") && strings.Contains(path, s.ID) {
			segment = path
		}
		return err
	}))
	require.NotEmpty(t, segment, "no stored segment")
	b, err := os.ReadFile(segment)
	require.NoError(t, err)
	b[len(b)/2] ^= 0x40
	require.NoError(t, os.Chmod(segment, 0o600))
	require.NoError(t, os.WriteFile(segment, b, 0o600))
	var verdict struct {
		OK      bool
		Problem string
	}
	g.call("POST", "/recordings/"+s.ID+"/verify", nil, 200, &verdict)
	require.False(t, verdict.OK)
	require.Contains(t, verdict.Problem, "seg-000000.m4s")
}

func minioSettings(m *testbed.MinIO) string {
	return fmt.Sprintf("recording:\n  store: {type: minio, endpoint: %q, bucket: recordings, access_key: %s, secret_key: %s, tls: {off: true}}\n",
		m.Endpoint, m.AccessKey, m.SecretKey)
}

// focus moves the pointer into the terminal and clicks, as without a window manager the pointer gives focus.
func focus(v *viewer) {
	v.t.Helper()
	for _, buttons := range []int{0, 1, 0} {
		v.send("input", map[string]any{"t": "button", "x": 60, "y": 60, "w": 1024, "h": 768, "buttons": buttons})
	}
}

func waitFile(t *testing.T, name, want string) {
	t.Helper()
	var got []byte
	require.Eventually(t, func() bool { got, _ = os.ReadFile(name); return string(got) == want }, time.Minute, 50*time.Millisecond,
		"want %q typed in the terminal", want)
}

// typedText puts together what was typed from the key presses in an event log.
func typedText(events []map[string]any) string {
	var b strings.Builder
	for _, e := range events {
		if e["kind"] != "key" || e["down"] != true {
			continue
		}
		switch key, _ := e["key"].(string); {
		case key == "Return" || key == "Enter":
			b.WriteByte('\n')
		case key == "space":
			b.WriteByte(' ')
		case len(key) == 1:
			b.WriteString(key)
		default:
			// Keysyms of Latin-1 are its characters; above they have a bit of their own.
			if keysym, _ := e["keysym"].(float64); keysym > 0x20 && keysym <= 0xff {
				b.WriteRune(rune(keysym))
			}
		}
	}
	return b.String()
}

func requireEmptySpool(t *testing.T, g *gateway, id string) {
	t.Helper()
	var left []string
	require.Eventually(t, func() bool {
		out, err := exec.Command("find", filepath.Join(g.dir, "data", "spool"), "-path", "*"+id+"*").Output()
		left = strings.Fields(string(out))
		return err == nil && len(left) == 0
	}, time.Minute, 100*time.Millisecond, "the spool keeps what the store confirmed")
}
