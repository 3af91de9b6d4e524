package webrtcserver

import (
	"context"
	"image"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// farConn is a socket whose packets are under way for a while, but for those that are lost.
type farConn struct {
	net.PacketConn
	delay time.Duration

	mu   sync.Mutex
	lose func(packet []byte) bool
}

// losing sets which packets are lost from now on.
func (c *farConn) losing(lose func(packet []byte) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose = lose
}

func (c *farConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	lost := c.lose(b)
	c.mu.Unlock()
	if !lost {
		later := append([]byte(nil), b...)
		time.AfterFunc(c.delay, func() { _, _ = c.PacketConn.WriteTo(later, to) })
	}
	return len(b), nil
}

// Packets on one socket differ in their first byte (RFC 7983): isData is DTLS application data, that is SCTP, isMedia is no RTCP.
func isData(packet []byte) bool { return packet[0] == 23 }

func isMedia(packet []byte) bool {
	return packet[0]&0xc0 == 0x80 && (packet[1] < 192 || packet[1] > 223)
}

// one loses the first packet of a kind.
func one(kind func(packet []byte) bool) func(packet []byte) bool {
	done := false
	return func(packet []byte) bool {
		if done || !kind(packet) {
			return false
		}
		done = true
		return true
	}
}

func none([]byte) bool { return false }

// TestTailLoss loses the last packet of what is sent, behind which nothing comes: it arrives long before SCTP's timeout of a
// second, and on a link that lost nothing yet nobody is sent anything else.
func TestTailLoss(t *testing.T) {
	far := &farConn{delay: 30 * time.Millisecond, lose: none}
	s := newSession(t, func(cfg *Config) {
		far.PacketConn = cfg.Conn
		cfg.Conn = far
	})
	b := newBrowser(t, channelControl)
	unordered := false
	channel, err := b.pc.CreateDataChannel(channelPatches, &webrtc.DataChannelInit{Ordered: &unordered})
	require.NoError(t, err)
	messages := make(chan []byte, 1024)
	channel.OnMessage(func(m webrtc.DataChannelMessage) { messages <- m.Data })
	b.connect(s, alice, RoleControl)
	receive(t, s.video.added, "the sink")
	l := receive(t, s.video.lanes, "the lane")
	number := uint32(0)
	note := func() {
		number++
		n := &stream.Note{Number: number, Epoch: 1, Size: image.Pt(64, 64)}
		require.NoError(t, l.out.WriteNote(context.Background(), n))
	}
	come := func(kind byte) []byte {
		t.Helper()
		for {
			if m := receive(t, messages, "a message"); m[0] == kind {
				return m
			}
		}
	}

	for range 20 { // SCTP measures the link
		note()
		come(kindNote)
	}
	time.Sleep(640 * time.Millisecond)
	require.Empty(t, messages, "something else was sent on a link that loses nothing")

	s.video.show(unit(0, 30))
	receive(t, b.units, "the first picture")
	far.losing(one(isMedia))
	s.video.show(unit(time.Second, 30))
	s.mu.Lock()
	v := s.viewers[b.id]
	s.mu.Unlock()
	require.Eventually(t, func() bool { return time.Since(v.losses.last()) < time.Minute }, patience, 10*time.Millisecond, "the browser does not miss a packet")

	// until is how long a message takes to come, of which a packet is lost; the median of a few.
	until := func(lost func(packet []byte) bool, kind byte, send func()) time.Duration {
		t.Helper()
		var took []time.Duration
		for range 5 {
			for len(messages) > 0 {
				<-messages
			}
			far.losing(one(lost))
			began := time.Now()
			send()
			come(kind)
			took = append(took, time.Since(began))
			far.losing(none)
			require.Eventually(t, func() bool { return l.out.(*patchWriter).channel.BufferedAmount() == 0 }, patience, 10*time.Millisecond)
		}
		t.Log(took)
		return slices.Sorted(slices.Values(took))[len(took)/2]
	}
	// soon is how long it may take: what SCTP alone needs is 250 ms and more; a busy machine takes longer without a loss, too.
	soon := func(plain time.Duration) time.Duration { return 200*time.Millisecond + 4*(plain-far.delay) }
	t.Run("a small message", func(t *testing.T) {
		plain := until(none, kindNote, note)
		require.Less(t, until(isData, kindNote, note), soon(plain))
	})
	t.Run("the end of a large one", func(t *testing.T) {
		patch := func() {
			number++
			p := &stream.Patch{Number: number, Epoch: 1, Size: image.Pt(64, 64), Parts: []stream.Part{
				{Blocks: image.Rect(0, 0, 4, 4), Pixels: image.Rect(0, 0, 64, 64)},
			}}
			noise := make([]byte, 64*64*4)
			for i := range noise {
				noise[i] = byte(rand.Uint32())
			}
			p.Fill(noise)
			require.Greater(t, len(p.Coded()), 8*maxPacketBytes)
			require.NoError(t, l.out.WritePatch(context.Background(), p))
		}
		last := func(packet []byte) bool { return isData(packet) && len(packet) > 100 && len(packet) < 1000 }
		plain := until(none, kindPatch, patch)
		require.Less(t, until(last, kindPatch, patch), soon(plain))
	})
}
