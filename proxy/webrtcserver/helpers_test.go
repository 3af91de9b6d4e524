package webrtcserver

import (
	"context"
	"encoding/json"
	"image"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; a good run needs a small part of it.
const patience = time.Minute

// receive takes one value from ch.
func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "timeout", "waiting for %s", what)
		panic("unreachable")
	}
}

var _ Streamer = (*stream.Hub)(nil)

// fakeVideo is a Hub under the test's command.
type fakeVideo struct {
	mu    sync.Mutex
	sinks map[stream.Sink]chan *h264.AccessUnit
	held  map[stream.Sink]bool
	added chan struct{} // a value for every sink
	idrs  chan struct{} // a value for every RequestIDR
	seq   atomic.Uint64
	lanes chan lane     // that were opened
	gone  chan struct{} // a value for every lane that ended
}

func newFakeVideo() *fakeVideo {
	return &fakeVideo{
		sinks: make(map[stream.Sink]chan *h264.AccessUnit),
		held:  make(map[stream.Sink]bool),
		added: make(chan struct{}, 64),
		idrs:  make(chan struct{}, 4096),
		lanes: make(chan lane, 64),
		gone:  make(chan struct{}, 64),
	}
}

func (f *fakeVideo) Serve(ctx context.Context, s stream.Sink, _ int, _ stream.Overflow) error {
	units := make(chan *h264.AccessUnit, 64)
	f.mu.Lock()
	f.sinks[s] = units
	f.mu.Unlock()
	f.added <- struct{}{}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.sinks, s)
	}()
	for {
		select {
		case au, ok := <-units:
			if !ok {
				return nil
			}
			if err := s.WriteUnit(ctx, au); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ServePatches takes what patch gives it.
func (f *fakeVideo) ServePatches(ctx context.Context, of stream.Sink, p stream.PatchSink) error {
	f.lanes <- lane{of, p}
	<-ctx.Done()
	f.gone <- struct{}{}
	return context.Cause(ctx)
}

// lane is a patch lane that is served.
type lane struct {
	of  stream.Sink
	out stream.PatchSink
}

func (f *fakeVideo) RequestIDR() { f.idrs <- struct{}{} }

func (f *fakeVideo) HoldViewer(s stream.Sink, still bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if still {
		f.held[s] = true
	} else {
		delete(f.held, s)
	}
}

// show sends a unit to all sinks.
func (f *fakeVideo) show(au *h264.AccessUnit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	au.Seq = f.seq.Add(1)
	for sink, units := range f.sinks {
		if !f.held[sink] {
			units <- au
		}
	}
}

// finish ends the pictures, as a Hub does whose session is over.
func (f *fakeVideo) finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, units := range f.sinks {
		close(units)
	}
}

// unit makes an access unit of NAL units with these bodies' sizes. The bodies hold no start code.
func unit(pts time.Duration, sizes ...int) *h264.AccessUnit {
	au := &h264.AccessUnit{PTS: pts, Width: 1280, Height: 720, IDR: len(sizes) > 1}
	types := []byte{0x67, 0x68, 0x06, 0x65}
	if len(sizes) == 1 {
		types = []byte{0x41}
	}
	for i, size := range sizes {
		au.Data = append(au.Data, 0, 0, 0, 1, types[min(i, len(types)-1)])
		for j := range size - 1 {
			au.Data = append(au.Data, byte(j*7+i+size)|1)
		}
	}
	return au
}

// fakeHandler keeps what it hears.
type fakeHandler struct {
	events  chan any // inputEvent, joined, left, roleChanged, resized
	refused chan string
	fail    atomic.Pointer[error] // returned by Input
}

type (
	inputEvent struct {
		viewer string
		in     desktop.Input
	}
	joined      struct{ Viewer }
	roleChanged struct{ Viewer }
	left        struct {
		Viewer
		reason string
	}
	resized      struct{ size image.Point }
	acknowledged struct{ viewer, message string }
)

func newFakeHandler() *fakeHandler {
	return &fakeHandler{events: make(chan any, 4096), refused: make(chan string, 4096)}
}

func (h *fakeHandler) Input(v Viewer, in desktop.Input) error {
	if err := h.fail.Load(); err != nil {
		return *err
	}
	h.events <- inputEvent{v.ID, in}
	return nil
}

func (h *fakeHandler) Resize(_ Viewer, size image.Point) error {
	h.events <- resized{size}
	return nil
}
func (h *fakeHandler) ViewerJoined(v Viewer)              { h.events <- joined{v} }
func (h *fakeHandler) RoleChanged(v Viewer)               { h.events <- roleChanged{v} }
func (h *fakeHandler) ViewerLeft(v Viewer, reason string) { h.events <- left{v, reason} }
func (h *fakeHandler) Acknowledged(v Viewer, message string) {
	h.events <- acknowledged{v.ID, message}
}
func (h *fakeHandler) Refused(_ Viewer, what, why string) { h.refused <- what + ": " + why }

// session is a Server with everything around it.
type session struct {
	*Server
	t       *testing.T
	video   *fakeVideo
	handler *fakeHandler
	screen  *desktop.Framebuffer
	stop    context.CancelFunc
	ended   chan struct{}
}

func newSession(t *testing.T, change ...func(*Config)) *session {
	t.Helper()
	s := prepareSession(t, change...)
	s.start()
	return s
}

// prepareSession makes a session that does not run yet.
func prepareSession(t *testing.T, change ...func(*Config)) *session {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	screen, err := desktop.NewFramebuffer(image.Pt(1280, 720))
	require.NoError(t, err)
	s := &session{t: t, video: newFakeVideo(), handler: newFakeHandler(), screen: screen, ended: make(chan struct{})}
	cfg := Config{
		Conn: conn, Logger: slog.New(slog.DiscardHandler), Video: s.video, Screen: screen, Handler: s.handler,
		Session: "s1", Resizable: true, Figures: func() Figures { return Figures{FrameRate: 24, KilobitRate: 812} },
	}
	for _, f := range change {
		f(&cfg)
	}
	s.Server, err = New(cfg)
	require.NoError(t, err)
	return s
}

// start runs the server until the test's end.
func (s *session) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		defer close(s.ended)
		if err := s.Run(ctx); err != nil {
			s.t.Errorf("run: %v", err)
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		receive(s.t, s.ended, "the server's end")
	})
}

// event takes the next event that is of type T; others are dropped.
func event[T any](s *session, what string) T {
	s.t.Helper()
	for {
		if e, ok := receive(s.t, s.handler.events, what).(T); ok {
			return e
		}
	}
}

// inputs takes the next n input events.
func (s *session) inputs(n int) []desktop.Input {
	s.t.Helper()
	var got []desktop.Input
	for range n {
		got = append(got, event[inputEvent](s, "input").in)
	}
	return got
}

var (
	alice = Person{ID: "1", Name: "alice"}
	bob   = Person{ID: "2", Name: "bob"}
)

// browser is pion in the place of a browser.
type browser struct {
	t        *testing.T
	pc       *webrtc.PeerConnection
	id       string
	channels map[string]*webrtc.DataChannel
	opened   map[string]chan struct{}
	messages map[string]chan map[string]any
	units    chan []byte     // whole access units in Annex B form
	packets  chan rtp.Header // every packet of the video's own SSRC
	states   chan webrtc.PeerConnectionState
}

// newBrowser makes a browser that has not offered yet.
func newBrowser(t *testing.T, labels ...string) *browser {
	t.Helper()
	return newBrowserOn(t, webrtc.NetworkTypeUDP4, labels...)
}

func newBrowserOn(t *testing.T, network webrtc.NetworkType, labels ...string) *browser {
	t.Helper()
	b := &browser{
		t: t, channels: map[string]*webrtc.DataChannel{}, opened: map[string]chan struct{}{},
		messages: map[string]chan map[string]any{}, units: make(chan []byte, 256),
		packets: make(chan rtp.Header, 1<<16), states: make(chan webrtc.PeerConnectionState, 64),
	}
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterDefaultCodecs())
	require.NoError(t, media.RegisterHeaderExtension(
		webrtc.RTPHeaderExtensionCapability{URI: playoutDelayURI}, webrtc.RTPCodecTypeVideo))
	interceptors := &interceptor.Registry{}
	require.NoError(t, webrtc.RegisterDefaultInterceptors(media, interceptors))
	settings := webrtc.SettingEngine{LoggerFactory: &logging.DefaultLoggerFactory{}}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	settings.SetNetworkTypes([]webrtc.NetworkType{network})
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors),
		webrtc.WithSettingEngine(settings))
	var err error
	b.pc, err = api.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	var reading sync.WaitGroup
	t.Cleanup(func() {
		b.close()
		reading.Wait()
	})
	_, err = b.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)
	b.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		reading.Add(1)
		defer reading.Done()
		b.read(track)
	})
	b.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { b.states <- s })
	for _, label := range labels {
		b.open(label)
	}
	return b
}

func (b *browser) open(label string) {
	b.t.Helper()
	ordered := label != channelMotion
	c, err := b.pc.CreateDataChannel(label, &webrtc.DataChannelInit{Ordered: &ordered})
	require.NoError(b.t, err)
	open, msgs := make(chan struct{}), make(chan map[string]any, 4096)
	b.channels[label], b.opened[label], b.messages[label] = c, open, msgs
	c.OnOpen(func() { close(open) })
	c.OnMessage(func(m webrtc.DataChannelMessage) {
		var fields map[string]any
		if err := json.Unmarshal(m.Data, &fields); err != nil || len(m.Data) > maxMessageBytes || !m.IsString {
			b.t.Errorf("bad message of %d bytes: %v", len(m.Data), err)
		}
		msgs <- fields
	})
}

func (b *browser) close() { _ = b.pc.GracefulClose() }

// read puts packets in order and units together.
func (b *browser) read(track *webrtc.TrackRemote) {
	waiting := map[uint16]*rtp.Packet{}
	var next uint16
	var started bool
	var au []byte
	depacketizer := &codecs.H264Packet{}
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		select {
		case b.packets <- p.Header:
		default:
		}
		if !started {
			started, next = true, p.SequenceNumber
		}
		waiting[p.SequenceNumber] = p
		for p := waiting[next]; p != nil; p = waiting[next] {
			delete(waiting, next)
			next++
			if len(p.Payload) == 0 {
				continue
			}
			nals, err := depacketizer.Unmarshal(p.Payload)
			if err != nil {
				b.t.Errorf("depacketize: %v", err)
				return
			}
			au = append(au, nals...)
			if p.Marker {
				b.units <- au
				au = nil
			}
		}
	}
}

// offer makes the browser's SDP offer, with all its candidates.
func (b *browser) offer() string {
	b.t.Helper()
	offer, err := b.pc.CreateOffer(nil)
	require.NoError(b.t, err)
	gathered := webrtc.GatheringCompletePromise(b.pc)
	require.NoError(b.t, b.pc.SetLocalDescription(offer))
	receive(b.t, gathered, "candidates")
	return b.pc.LocalDescription().SDP
}

// connect offers and takes the answer.
func (b *browser) connect(s *session, p Person, role Role) {
	b.t.Helper()
	answer, err := s.Offer(b.t.Context(), Offer{Person: p, Role: role, ClientAddress: "192.0.2.7", SDP: b.offer()})
	require.NoError(b.t, err)
	b.id = answer.ViewerID
	require.NoError(b.t, b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}))
	for {
		state := receive(b.t, b.states, "the connection")
		if state == webrtc.PeerConnectionStateConnected {
			return
		}
		require.NotContains(b.t, []webrtc.PeerConnectionState{
			webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed,
		}, state)
	}
}

// join connects a new browser with all channels and waits until the server has it.
func (s *session) join(p Person, role Role) *browser {
	s.t.Helper()
	b := newBrowser(s.t, channelInput, channelMotion, channelClipboard, channelControl)
	b.connect(s, p, role)
	for label := range b.opened {
		receive(s.t, b.opened[label], "channel "+label)
	}
	require.Equal(s.t, b.id, event[joined](s, "the viewer").ID)
	receive(s.t, s.video.added, "the viewer's sink")
	return b
}

// say sends a message.
func (b *browser) say(label, msg string) {
	b.t.Helper()
	require.NoError(b.t, b.channels[label].SendText(msg))
}

// hear takes the next message of that kind; others are dropped.
func (b *browser) hear(label, kind string) map[string]any {
	b.t.Helper()
	for {
		if m := receive(b.t, b.messages[label], kind); m["t"] == kind {
			return m
		}
	}
}
