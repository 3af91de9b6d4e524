package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// The test binary is its own worker: the Manager starts it with "worker" as first argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(runWorker(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

func runWorker(args []string) int {
	switch os.Getenv("VITRINE_TEST_WORKER") {
	case "exit":
		return 3
	case "deaf": // never speaks on its control socket
		time.Sleep(time.Minute)
	case "redial":
		return redialLockedIn(args)
	}
	f := flag.NewFlagSet("worker", flag.ExitOnError)
	spool, mode := f.String("spool", "", ""), f.String("sandbox", "", "")
	f.String("log-level", "", "")
	tcp, dial, native := f.Bool("media-tcp", false, ""), f.Bool("dial", false, ""), f.Bool("native", false, "")
	if err := f.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	err := Main(ctx, Options{Spool: *spool, Sandbox: sandbox.Mode(*mode), MediaTCP: *tcp, Dial: *dial, Native: *native, Version: "test", Logger: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// patience bounds every wait of these tests; a good run needs a small part of it.
const patience = time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 10*time.Millisecond, what)
}

// rig is a Manager whose words are kept.
type rig struct {
	*Manager
	t     *testing.T
	spool string
	log   *logBuffer

	mu      sync.Mutex
	files   map[string][]string
	ended   map[string][]session.End
	trusted map[string][]string
	alerts  map[string][]Alert
	answers map[string][]Justification
}

func (r *rig) SessionChanged(Snapshot) {}

func (r *rig) CertificateTrusted(id, fingerprint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trusted[id] = append(r.trusted[id], fingerprint)
}

func (r *rig) FileClosed(id, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[id] = append(r.files[id], name)
}

func (r *rig) AlertRaised(id string, a Alert) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alerts[id] = append(r.alerts[id], a)
}

func (r *rig) Justified(id string, j Justification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[id] = append(r.answers[id], j)
}

func (r *rig) SessionEnded(id string, end session.End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended[id] = append(r.ended[id], end)
}

func newRig(t *testing.T, change ...func(*ManagerConfig)) *rig {
	t.Helper()
	before := descriptors(t)
	r := &rig{t: t, spool: t.TempDir(), log: &logBuffer{}, files: map[string][]string{}, trusted: map[string][]string{}, alerts: map[string][]Alert{}, answers: map[string][]Justification{}, ended: map[string][]session.End{}}
	cfg := ManagerConfig{
		SpoolRoot: r.spool, Ports: PortRange{14400, 14449}, Bind: netip.MustParseAddr("127.0.0.1"), Observer: r,
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), LogLevel: slog.LevelDebug,
	}
	for _, fn := range change {
		fn(&cfg)
	}
	m, err := NewManager(cfg)
	require.NoError(t, err)
	r.Manager = m
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, m.Shutdown(ctx))
		require.Empty(t, m.List())
		require.Empty(t, m.ports.taken, "media ports were not given back")
		require.Empty(t, children(t), "worker processes are left")
		// The runtime keeps a few of its own (epoll, its wake-up), made by the first use.
		require.LessOrEqual(t, descriptors(t), before+3, "descriptors are left open")
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// descriptors counts what this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// children lists the processes this one has started and not reaped.
func children(t *testing.T) []string {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(t, err)
	var all []string
	for _, task := range tasks {
		if b, err := os.ReadFile(task); err == nil {
			all = append(all, strings.Fields(string(b))...)
		}
	}
	return all
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var sessionNumber atomic.Int64

// request is a session to address with an id of its own.
func request(address string) CreateRequest {
	return CreateRequest{
		SessionID: fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G%04d", sessionNumber.Add(1)), Person: session.Person{ID: "u1", Name: "alice"},
		Target: target.Target{
			ID: "t1", Name: "Target", Protocol: "vnc", Address: address, TLS: target.TLS{AllowPlaintext: true},
			ClipboardToTarget: true, ClipboardFromTarget: true,
		},
		ClientAddress: "192.0.2.1",
	}
}

// create starts a session that must work.
func (r *rig) create(address string, change ...func(*CreateRequest)) *Session {
	r.t.Helper()
	req := request(address)
	for _, fn := range change {
		fn(&req)
	}
	s, err := r.Create(r.t.Context(), req)
	require.NoError(r.t, err)
	require.Equal(r.t, session.StateActive, s.Snapshot().State)
	return s
}

// gone waits until a session is over and everybody was told once, and returns why it ended.
func (r *rig) gone(s *Session) session.End {
	r.t.Helper()
	select {
	case <-s.Done():
	case <-time.After(patience):
		require.FailNow(r.t, "the session did not end")
	}
	return r.told(s.ID())
}

func (r *rig) told(id string) session.End {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Len(r.t, r.ended[id], 1, "SessionEnded was not called once")
	return r.ended[id][0]
}

// manifest reads the sealed recording's reason.
func (r *rig) manifest(id string) (code string, sealedBy string) {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.spool, id, "manifest.json"))
	require.NoError(r.t, err)
	var m struct {
		SealedBy string `json:"sealed_by"`
		End      struct{ Code string }
	}
	require.NoError(r.t, json.Unmarshal(b, &m))
	return m.End.Code, m.SealedBy
}

// desktop is a target of the project's own.
type desktopTarget struct {
	*demotarget.Server
	addr string
	stop context.CancelFunc
}

func startTarget(t *testing.T, o demotarget.Options) *desktopTarget {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := demotarget.New(o)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx, l)
	}()
	d := &desktopTarget{s, l.Addr().String(), func() { cancel(); <-done }}
	t.Cleanup(d.stop)
	return d
}

// paint changes something on the desktop.
func (d *desktopTarget) paint() {
	n := uint8(time.Now().UnixNano() >> 20)
	d.Fill(image.Rect(int(n), 10, int(n)+40, 60), color.NRGBA{n, 255 - n, n * 3, 255})
}

// browser is a viewer, made of pion.
type browser struct {
	t       *testing.T
	s       *Session
	pc      *webrtc.PeerConnection
	id      string
	packets atomic.Int64
	input   *webrtc.DataChannel
	opened  chan struct{} // closed when input is open

	mu     sync.Mutex
	states []string // "frozen spool_full"
}

func watch(t *testing.T, s *Session, role session.Role) *browser {
	t.Helper()
	b, err := offer(t, s, Offer{Person: session.Person{ID: "u1", Name: "alice"}, Role: role, ClientAddress: "192.0.2.7"})
	require.NoError(t, err)
	select {
	case <-b.opened:
	case <-time.After(patience):
		require.FailNow(t, "the browser did not connect")
	}
	return b
}

// offer makes a browser with an offer of its own in o, and gives it the answer.
func offer(t *testing.T, s *Session, o Offer) (*browser, error) {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	b := &browser{t: t, s: s, pc: pc, opened: make(chan struct{})}
	t.Cleanup(b.close)
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
			b.packets.Add(1)
		}
	})
	b.input, err = pc.CreateDataChannel("input", nil)
	require.NoError(t, err)
	b.input.OnOpen(func() { close(b.opened) })
	control, err := pc.CreateDataChannel("control", nil)
	require.NoError(t, err)
	control.OnMessage(func(m webrtc.DataChannelMessage) {
		var state struct{ T, State, Code string }
		if json.Unmarshal(m.Data, &state) == nil && state.T == "state" {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.states = append(b.states, strings.TrimSpace(state.State+" "+state.Code))
		}
	})
	description, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	require.NoError(t, pc.SetLocalDescription(description))
	o.SDP = description.SDP
	answer, err := s.Offer(t.Context(), o)
	if err != nil {
		return nil, err
	}
	b.id = answer.ViewerID
	require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}))
	return b, nil
}

func (b *browser) close() { _ = b.pc.GracefulClose() }

func (b *browser) send(m map[string]any) {
	b.t.Helper()
	text, err := json.Marshal(m)
	require.NoError(b.t, err)
	require.NoError(b.t, b.input.SendText(string(text)))
}

func (b *browser) heard(state string) func() bool {
	return func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.Contains(b.states, state)
	}
}

// works types a key, sees it arrive at the target, changes the picture and sees packets come.
func (b *browser) works(d *desktopTarget) {
	b.t.Helper()
	key := 'a' + rune(time.Now().UnixNano()%26)
	since := time.Now()
	b.send(map[string]any{"t": "key", "code": "Key" + strings.ToUpper(string(key)), "key": string(key), "down": true})
	b.send(map[string]any{"t": "key", "code": "Key" + strings.ToUpper(string(key)), "key": string(key), "down": false})
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	_, err := d.WaitEvent(ctx, func(e demotarget.Event) bool {
		return e.Kind == demotarget.KeyPressed && e.Keysym == uint32(key) && !e.Down && e.Time.After(since)
	})
	require.NoError(b.t, err, "key %q did not arrive", key)
	packets := b.packets.Load()
	d.paint()
	eventually(b.t, "no picture came", func() bool { return b.packets.Load() > packets })
}

// listen answers connections, one after the other, until the test ends.
func listen(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
