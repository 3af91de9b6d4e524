package webrtcserver

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// A browser that UDP does not reach comes by TCP.
func TestICETCP(t *testing.T) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	s := newSession(t, func(c *Config) { c.TCPListener = listener })
	b := newBrowserOn(t, webrtc.NetworkTypeTCP4, channelInput)
	b.connect(s, alice, RoleControl)
	receive(t, s.video.added, "the sink")
	u := unit(0, 12, 4, 60, 200000)
	s.video.show(u)
	require.Equal(t, u.Data, receive(t, b.units, "the picture"))
	b.say(channelInput, `{"t":"text","text":"by TCP"}`)
	require.Equal(t, desktop.TextInput{Text: "by TCP"}, s.inputs(1)[0])
}

// deafConn hears nothing more once it is deaf.
type deafConn struct {
	net.PacketConn
	deaf atomic.Bool
}

func (c *deafConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.PacketConn.ReadFrom(b)
		if err != nil || !c.deaf.Load() {
			return n, addr, err
		}
	}
}

func TestLostConnectionReleasesAndEnds(t *testing.T) {
	conn := &deafConn{}
	s := prepareSession(t, func(c *Config) { conn.PacketConn, c.Conn = c.Conn, conn })
	s.ice = iceTimes{disconnected: time.Second, failed: time.Second, keepalive: 200 * time.Millisecond}
	s.start()
	b := s.join(alice, RoleControl)
	b.say(channelInput, `{"t":"key","code":"KeyA","key":"a","down":true}`)
	s.inputs(1)
	conn.deaf.Store(true)
	// First what it held is released; that it has left is known later.
	require.Equal(t, inputEvent{b.id, desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e}}, receive(t, s.handler.events, "the release"))
	require.Equal(t, errConnection.Error(), event[left](s, "the viewer to leave").reason)
}

func TestEstimateOfTheViewerInControl(t *testing.T) {
	estimates := make(chan int, 4096)
	s := newSession(t, func(c *Config) {
		c.Rates = Rates{Initial: 5e6, Min: 2e6, Max: 8e6}
		c.OnEstimate = func(rate int) { estimates <- rate }
	})
	b := s.join(alice, RoleControl)
	// Pictures come as an encoder makes them: reports are sent by the clock, and what is estimated is a rate.
	frames := time.NewTicker(time.Second / 60)
	defer frames.Stop()
	deadline := time.After(patience)
	for i := 0; len(estimates) == 0; i++ {
		s.video.show(unit(time.Duration(i)*time.Second/60, 12, 4, 20, 8000))
		receive(t, b.units, "a picture")
		select {
		case <-frames.C:
		case <-deadline:
			require.FailNow(t, "no estimate")
		}
	}
	rate := <-estimates
	require.GreaterOrEqual(t, rate, int(2e6))
	require.LessOrEqual(t, rate, int(8e6))
}

func TestFixedNetOpensNothing(t *testing.T) {
	n, err := newFixedNet(net.IPv4(127, 0, 0, 1))
	require.NoError(t, err)
	_, err = n.Dial("udp", "127.0.0.1:9")
	require.ErrorIs(t, err, errNoNetwork)
	_, err = n.ListenPacket("udp", "127.0.0.1:0")
	require.ErrorIs(t, err, errNoNetwork)
	_, err = n.CreateDialer(nil).Dial("udp", "127.0.0.1:9")
	require.ErrorIs(t, err, errNoNetwork)
	all, err := newFixedNet(net.IPv4zero)
	require.NoError(t, err)
	interfaces, err := all.Interfaces()
	require.NoError(t, err)
	addrs, err := interfaces[0].Addrs()
	require.NoError(t, err)
	require.NotEmpty(t, addrs)
}

func TestRates(t *testing.T) {
	require.Equal(t, Rates{Initial: 20e6, Min: 1e5, Max: 50e6}, Rates{}.withDefaults())
	require.Equal(t, Rates{Initial: 3e6, Min: 1e5, Max: 3e6}, Rates{Max: 3e6}.withDefaults())
	require.Equal(t, Rates{Initial: 5e4, Min: 5e4, Max: 5e4}, Rates{Max: 5e4}.withDefaults())
}

// discard is a track's writer without a network.
type discard struct{}

func (discard) WriteRTP(*rtp.Header, []byte) (int, error) { return 0, nil }
func (discard) Write([]byte) (int, error)                 { return 0, nil }

// BenchmarkPackets is the cost of cutting a picture into packets, before SRTP and the socket.
func BenchmarkPackets(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"typing-2KB", 2000}, {"scroll-40KB", 40000}} {
		b.Run(c.name, func(b *testing.B) {
			track := newTrack(func() int { return 1e12 })
			track.writer = discard{}
			track.playout = 5
			u := unit(0, c.size)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, track.write(b.Context(), u))
			}
		})
	}
}

// A socket bound to all addresses, of one family or both, names those of the machine.
func TestSocketOnAllAddresses(t *testing.T) {
	for _, network := range []string{"udp4", "udp"} {
		t.Run(network, func(t *testing.T) {
			s := newSession(t, func(c *Config) {
				require.NoError(t, c.Conn.Close())
				conn, err := net.ListenUDP(network, nil)
				require.NoError(t, err)
				c.Conn = conn
			})
			b := newBrowser(t)
			b.connect(s, alice, RoleView)
			receive(t, s.video.added, "the sink")
			u := unit(0, 12, 4, 60, 5000)
			s.video.show(u)
			require.Equal(t, u.Data, receive(t, b.units, "the picture"))
		})
	}
}
