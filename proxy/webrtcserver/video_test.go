package webrtcserver

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

func TestVideoArrivesBitExact(t *testing.T) {
	s := newSession(t)
	b := newBrowser(t) // a plain WHEP player: no data channel
	b.connect(s, alice, RoleView)
	receive(t, s.video.added, "the sink")
	for i, au := range []struct {
		name  string
		sizes []int
	}{
		{"IDR", []int{12, 4, 60, 40000}},
		{"small", []int{30}},
		{"exactly one packet", []int{maxPayloadBytes}},
		{"one byte more", []int{maxPayloadBytes + 1}},
		{"fragments that fit exactly", []int{1 + 3*(maxPayloadBytes-2)}},
		{"several slices", []int{12, 4, 900, 800, 3000, 100, 5000}},
		{"a very large IDR", []int{12, 4, 20, 500000}},
	} {
		u := unit(time.Duration(i)*time.Second/30, au.sizes...)
		s.video.show(u)
		require.Equal(t, u.Data, receive(t, b.units, au.name), au.name)
	}
	var playout, padding, packets int
	for len(b.packets) > 0 {
		h := <-b.packets
		packets++
		if len(h.Extensions) > 0 {
			playout++
		}
		if h.Padding {
			padding++
		}
	}
	require.Equal(t, packets, playout, "every packet has extensions")
}

func TestAnswer(t *testing.T) {
	s := newSession(t, func(c *Config) { c.PublicAddresses = []string{"127.0.0.1", "203.0.113.9"} })
	b := newBrowser(t, channelControl)
	answer, err := s.Offer(t.Context(), Offer{ViewerID: "v1", Person: alice, Role: RoleControl, SDP: b.offer()})
	require.NoError(t, err)
	require.Equal(t, "v1", answer.ViewerID)
	require.Contains(t, answer.SDP, "a=ice-lite")
	require.Contains(t, answer.SDP, "a=sendonly")
	require.Contains(t, answer.SDP, "profile-level-id=42e01f")
	require.Contains(t, answer.SDP, "nack pli")
	require.Contains(t, answer.SDP, "transport-cc")
	require.Contains(t, answer.SDP, playoutDelayURI)
	require.Contains(t, answer.SDP, "203.0.113.9")
	require.NotContains(t, answer.SDP, "VP8")
	require.NotContains(t, answer.SDP, "packetization-mode=0")
	require.NoError(t, b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}))
	require.NoError(t, s.CloseViewer("v1", "test"))
}

func TestPictureLossAsksForIDR(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleView)
	s.video.show(unit(0, 12, 4, 20, 3000))
	receive(t, b.units, "the picture")
	ssrc := uint32(b.pc.GetReceivers()[0].Track().SSRC())
	require.Empty(t, s.video.idrs)
	for _, p := range []rtcp.Packet{
		&rtcp.PictureLossIndication{MediaSSRC: ssrc},
		&rtcp.FullIntraRequest{MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: 1}}},
	} {
		require.Eventually(t, func() bool { // browsers insist, and that they must: an IDR was sent a moment ago
			require.NoError(t, b.pc.WriteRTCP([]rtcp.Packet{p}))
			return len(s.video.idrs) > 0
		}, patience, 100*time.Millisecond, "a request for an IDR")
		for len(s.video.idrs) > 0 {
			<-s.video.idrs
		}
	}
	b.say(channelControl, `{"t":"refresh"}`)
	receive(t, s.video.idrs, "a request for an IDR")

	// One viewer's wishes are bounded: IDRs go to everybody.
	for range 100 {
		b.say(channelControl, `{"t":"refresh"}`)
	}
	b.say(channelControl, `{"t":"ping","id":1}`)
	b.hear(channelControl, "pong")
	require.Less(t, len(s.video.idrs), 2*idrBurst)
}

// lossyConn drops what drop says of the RTP packets it sends.
type lossyConn struct {
	net.PacketConn
	mu      sync.Mutex
	drop    func(packet []byte) bool
	dropped int
}

func (c *lossyConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	c.mu.Lock()
	isRTP := len(b) > 12 && b[0]>>6 == 2 && (b[1]&0x7f < 64 || b[1]&0x7f >= 96)
	lose := isRTP && c.drop(b)
	if lose {
		c.dropped++
	}
	c.mu.Unlock()
	if lose {
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, addr)
}

func (c *lossyConn) lost() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

func withLoss(drop func(b []byte) bool) (*lossyConn, func(*Config)) {
	c := &lossyConn{drop: drop}
	return c, func(cfg *Config) {
		c.PacketConn = cfg.Conn
		cfg.Conn = c
	}
}

func TestLostPacketsAreSentAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	conn, lossy := withLoss(func([]byte) bool { return rng.IntN(12) == 0 }) // retransmissions as well
	// pion goes on asking for what came again in the other stream. On a busy machine the estimate falls, and with it what may be
	// sent again: that would all be gone for what is there already.
	s := newSession(t, lossy, func(cfg *Config) { cfg.Rates = Rates{Min: 20e6} })
	b := s.join(alice, RoleView)
	first := unit(0, 12, 4, 20, 900)
	s.video.show(first)
	require.Equal(t, first.Data, receive(t, b.units, "the first picture"))
	for i := range 8 {
		u := unit(time.Duration(i+1)*time.Second/30, 12, 4, 20, 15000)
		s.video.show(u)
		require.Equal(t, u.Data, receive(t, b.units, "a picture"))
	}
	require.Greater(t, conn.lost(), 5)
}

// The end of the last picture before stillness gets lost: nothing of it, and no later picture, tells.
func TestLostEndBeforeStillnessIsRepaired(t *testing.T) {
	lose := 0 // how many packets to drop once a marker comes near
	conn, lossy := withLoss(func(b []byte) bool {
		if lose > 0 && b[1]&0x80 != 0 {
			lose--
			return true
		}
		return false
	})
	s := newSession(t, lossy)
	b := s.join(alice, RoleView)
	first := unit(0, 12, 4, 20, 5000)
	s.video.show(first)
	require.Equal(t, first.Data, receive(t, b.units, "the first picture"))

	conn.mu.Lock()
	lose = 1
	conn.mu.Unlock()
	last := unit(time.Second/30, 9000)
	s.video.show(last)
	require.Equal(t, last.Data, receive(t, b.units, "the last picture, whose end was lost"))
	require.Equal(t, 1, conn.lost())
}
