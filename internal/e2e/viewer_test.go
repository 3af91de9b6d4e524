package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// viewer is a browser's stand-in: it negotiates by WHEP and counts what it receives.
type viewer struct {
	t        testing.TB
	pc       *webrtc.PeerConnection
	location string
	packets  atomic.Int64
	channels map[string]*webrtc.DataChannel

	mu     sync.Mutex
	states []string // codes of `state` messages
}

// watch opens a viewer with the given role and waits until video and data flow.
func (g *gateway) watch(id, role string) *viewer {
	g.t.Helper()
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings), withMedia(g.t)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(g.t, err)
	v := &viewer{t: g.t, pc: pc, channels: map[string]*webrtc.DataChannel{}}
	g.t.Cleanup(func() { _ = pc.GracefulClose() })
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(g.t, err)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
			v.packets.Add(1)
		}
	})
	open := make(chan struct{}, 4)
	unordered, none := false, uint16(0)
	for _, label := range []string{"input", "motion", "clipboard", "control"} {
		var init *webrtc.DataChannelInit
		if label == "motion" {
			init = &webrtc.DataChannelInit{Ordered: &unordered, MaxRetransmits: &none}
		}
		dc, err := pc.CreateDataChannel(label, init)
		require.NoError(g.t, err)
		dc.OnOpen(func() { open <- struct{}{} })
		if label == "control" {
			dc.OnMessage(v.control)
		}
		v.channels[label] = dc
	}
	v.location = g.negotiate(pc, id, role)
	for range cap(open) {
		select {
		case <-open:
		case <-time.After(10 * time.Second):
			require.Fail(g.t, "a data channel did not open")
		}
	}
	v.flows()
	return v
}

// negotiate offers a peer connection to a session, and returns where WHEP put it.
func (g *gateway) negotiate(pc *webrtc.PeerConnection, id, role string) (location string) {
	g.t.Helper()
	offer, err := pc.CreateOffer(nil)
	require.NoError(g.t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(g.t, pc.SetLocalDescription(offer))
	<-gathered
	res, err := g.client.Post(g.url+"/api/v1/sessions/"+id+"/whep?role="+role, "application/sdp", strings.NewReader(pc.LocalDescription().SDP))
	require.NoError(g.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(g.t, err)
	require.Equal(g.t, http.StatusCreated, res.StatusCode, "%s", answer)
	require.NoError(g.t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}))
	return res.Header.Get("Location")
}

func withMedia(t testing.TB) func(*webrtc.API) {
	t.Helper()
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterDefaultCodecs())
	return webrtc.WithMediaEngine(media)
}

func (v *viewer) control(msg webrtc.DataChannelMessage) {
	var m struct{ T, State, Code string }
	if json.Unmarshal(msg.Data, &m) != nil || m.T != "state" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.states = append(v.states, m.State+" "+m.Code)
}

// saw tells whether a state message "state code" arrived.
func (v *viewer) saw(state string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.states {
		if strings.HasPrefix(s, state) {
			return true
		}
	}
	return false
}

// flows waits for video packets that were not there before.
func (v *viewer) flows() {
	v.t.Helper()
	before := v.packets.Load()
	require.Eventually(v.t, func() bool { return v.packets.Load() > before }, time.Minute, 20*time.Millisecond, "no video arrives")
}

func (v *viewer) send(label string, message any) {
	v.t.Helper()
	b, err := json.Marshal(message)
	require.NoError(v.t, err)
	require.NoError(v.t, v.channels[label].SendText(string(b)))
}

// typeText presses and releases the key of every character.
func (v *viewer) typeText(text string) {
	v.t.Helper()
	for _, r := range text {
		key := string(r)
		if r == '\n' {
			key = "Enter"
		}
		for _, down := range []bool{true, false} {
			v.send("input", map[string]any{"t": "key", "key": key, "code": "", "down": down})
		}
	}
}
