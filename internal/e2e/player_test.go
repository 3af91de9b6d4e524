package e2e

import (
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/testbed/link"
)

// player is a plain WHEP player that decodes nothing, but tells when each access unit was there. It asks again for packets that are
// lost, and for an IDR when they do not come, as browsers do.
type player struct {
	pc    *webrtc.PeerConnection
	keeps bool // the units' payloads, and has a large buffer: it is on the machine that it measures, where a viewer is not
	hasty bool // does not wait 200 ms, pion's tick, with the nomination of a pair; browsers do not either

	mu    sync.Mutex
	units []unit // whole and decodable
	plis  int    // sent
}

// unit is an access unit that has arrived.
type unit struct {
	at    time.Time // when its last packet came
	rtp   uint32    // its timestamp
	bytes int       // of payload
	idr   bool

	payloads [][]byte // of its packets, where the player keeps them
}

// play opens a player with a role. Over a link it is in the link's namespace; nil for none.
func (g *gateway) play(over *link.Link, id, role string) *player {
	g.t.Helper()
	return g.playBy(&player{}, over, id, role)
}

// playBy is play by a player that is told how.
func (g *gateway) playBy(p *player, over *link.Link, id, role string) *player {
	g.t.Helper()
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(over == nil)
	settings.DisableActiveTCP(true) // it would not use the namespace
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if p.hasty {
		settings.SetICETimeouts(5*time.Second, 10*time.Millisecond, 2*time.Second) // the least is the tick
	}
	if p.keeps {
		settings.SetNet(newRoomyNet(g.t))
	}
	if over != nil {
		settings.SetNet(newLinkNet(g.t, over))
	}
	media, interceptors := playerMedia(g.t)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors)).
		NewPeerConnection(webrtc.Configuration{})
	require.NoError(g.t, err)
	p.pc = pc
	g.t.Cleanup(p.close)
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(g.t, err)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.read(track) })
	g.negotiate(pc, id, role)
	return p
}

// playerMedia is H.264 with all the reports a browser sends. Packets are sent again in the same stream: those of another one pion's
// receiver neither counts as received nor stops asking for.
func playerMedia(t testing.TB) (*webrtc.MediaEngine, *interceptor.Registry) {
	t.Helper()
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}},
	}}, webrtc.RTPCodecTypeVideo))
	interceptors := &interceptor.Registry{}
	missing, err := nack.NewGeneratorInterceptor(nack.GeneratorMaxNacksPerPacket(10), nack.GeneratorInterval(20*time.Millisecond)) // as libwebrtc
	require.NoError(t, err)
	interceptors.Add(missing)
	require.NoError(t, webrtc.ConfigureRTCPReports(interceptors))
	require.NoError(t, webrtc.ConfigureTWCCSender(media, interceptors))
	return media, interceptors
}

func (p *player) close() { _ = p.pc.GracefulClose() }

// since returns the units that came after a time.
func (p *player) since(t time.Time) []unit {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, _ := slices.BinarySearchFunc(p.units, t, func(u unit, t time.Time) int { return u.at.Compare(t) })
	return slices.Clone(p.units[i:])
}

// ages returns how much older the pictures that came between two times were then than the freshest of all.
func (p *player) ages(from, to time.Time) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := time.Duration(math.MaxInt64)
	var ages []time.Duration
	for _, u := range p.units {
		first := p.units[0]
		age := u.at.Sub(first.at) - time.Duration(int32(u.rtp-first.rtp))*time.Second/90000
		least = min(least, age)
		if !u.at.Before(from) && u.at.Before(to) {
			ages = append(ages, age)
		}
	}
	for i := range ages {
		ages[i] -= least
	}
	return ages
}

// picture waits until there is a unit that came after a time.
func (p *player) picture(t testing.TB, after time.Time) {
	t.Helper()
	require.Eventually(t, func() bool { return len(p.since(after)) > 0 }, patience, 20*time.Millisecond, "no picture")
}

// asked returns how often an IDR was asked for.
func (p *player) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plis
}

// given is how long a lost packet may take to come again before an IDR is asked for, and how long that may take.
const given = time.Second

func (p *player) read(track *webrtc.TrackRemote) {
	a := assembler{keeps: p.keeps}
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		now := time.Now()
		units := a.add(now, packet)
		p.mu.Lock()
		p.units = append(p.units, units...)
		p.mu.Unlock()
		if a.pleads(now) {
			p.mu.Lock()
			p.plis++
			p.mu.Unlock()
			_ = p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}})
		}
	}
}

// assembler finds whole access units in packets that may come late, twice, or not at all.
type assembler struct {
	keeps   bool
	begun   bool
	next    uint16 // the packet to come
	pending map[uint16]*rtp.Packet
	unit    unit
	gap     time.Time // since when next is missing though later packets are there; the zero time when it is not
	broken  bool      // pictures were lost: nothing can be decoded up to the next IDR
	pleaded time.Time
}

// add takes a packet and returns the units that are whole, and can be decoded, now.
func (a *assembler) add(now time.Time, packet *rtp.Packet) []unit {
	if !a.begun {
		a.begun, a.next, a.broken, a.pending = true, packet.SequenceNumber, true, make(map[uint16]*rtp.Packet)
	}
	if int16(packet.SequenceNumber-a.next) < 0 {
		return nil // known, or given up
	}
	a.pending[packet.SequenceNumber] = packet
	if !a.gap.IsZero() && !a.jump(packet) && now.Sub(a.gap) > given {
		a.broken = true
	}
	var units []unit
	for {
		packet, ok := a.pending[a.next]
		if !ok {
			break
		}
		delete(a.pending, a.next)
		a.next++
		a.gap = time.Time{}
		units = append(units, a.take(now, packet)...)
	}
	if len(a.pending) > 0 && a.gap.IsZero() {
		a.gap = now
	}
	return units
}

// jump goes on at the IDR picture that a packet belongs to, when that is whole, and gives up what is missing before it.
func (a *assembler) jump(packet *rtp.Packet) bool {
	of := func(seq uint16) *rtp.Packet {
		if p := a.pending[seq]; p != nil && p.Timestamp == packet.Timestamp && len(p.Payload) > 0 {
			return p
		}
		return nil
	}
	if of(packet.SequenceNumber) == nil {
		return false // padding
	}
	first, last, idr := packet.SequenceNumber, packet.SequenceNumber, false
	for of(first-1) != nil {
		first--
	}
	for of(last+1) != nil {
		last++
	}
	for seq := first; seq != last+1; seq++ {
		idr = idr || holds(of(seq).Payload, nalIDR)
	}
	if !idr || !of(last).Marker || !holds(of(first).Payload, nalSPS) {
		return false
	}
	for seq := range a.pending {
		if int16(seq-first) < 0 {
			delete(a.pending, seq)
		}
	}
	a.next, a.unit, a.gap = first, unit{}, time.Time{}
	return true
}

func (a *assembler) take(now time.Time, packet *rtp.Packet) []unit {
	if len(packet.Payload) == 0 {
		return nil // padding between pictures
	}
	a.unit.rtp = packet.Timestamp
	a.unit.bytes += len(packet.Payload)
	if a.keeps {
		a.unit.payloads = append(a.unit.payloads, packet.Payload)
	}
	a.unit.idr = a.unit.idr || holds(packet.Payload, nalIDR)
	if !packet.Marker {
		return nil
	}
	u := a.unit
	u.at = now
	a.unit = unit{}
	if a.broken && !u.idr {
		return nil
	}
	a.broken = false
	return []unit{u}
}

// pleads tells whether an IDR is to be asked for.
func (a *assembler) pleads(now time.Time) bool {
	if !a.broken || now.Sub(a.pleaded) < given {
		return false
	}
	a.pleaded = now
	return true
}

// NAL unit types ([RFC 6184] 5.2, H.264 table 7-1).
const (
	nalIDR, nalSPS  = 5, 7
	nalSTAPA, nalFU = 24, 28
	nalTypeMask     = 0x1f
)

// holds tells whether an RTP payload holds a NAL unit of a type, or a part of one.
func holds(payload []byte, nalType byte) bool {
	switch payload[0] & nalTypeMask {
	case nalFU:
		return len(payload) > 1 && payload[1]&nalTypeMask == nalType
	case nalSTAPA:
		for rest := payload[1:]; len(rest) > 2; {
			n := int(rest[0])<<8 | int(rest[1])
			if n == 0 || n > len(rest)-2 {
				return false
			}
			if rest[2]&nalTypeMask == nalType {
				return true
			}
			rest = rest[2+n:]
		}
		return false
	}
	return payload[0]&nalTypeMask == nalType
}

// linkNet is the network in a link's namespace, for pion.
type linkNet struct {
	*stdnet.Net
	over *link.Link
}

var _ transport.Net = linkNet{}

func newLinkNet(t testing.TB, over *link.Link) linkNet {
	t.Helper()
	n := linkNet{over: over}
	require.NoError(t, over.Do(func() (err error) {
		n.Net, err = stdnet.NewNet()
		return err
	}))
	return n
}

func (n linkNet) ListenPacket(network, address string) (c net.PacketConn, err error) {
	err = n.over.Do(func() error {
		c, err = n.Net.ListenPacket(network, address)
		return err
	})
	return c, err
}

func (n linkNet) ListenUDP(network string, local *net.UDPAddr) (c transport.UDPConn, err error) {
	err = n.over.Do(func() error {
		c, err = n.Net.ListenUDP(network, local)
		return err
	})
	return c, err
}

// roomyNet is the network of the host with sockets that hold what comes while the machine is busy.
type roomyNet struct{ *stdnet.Net }

var _ transport.Net = roomyNet{}

func newRoomyNet(t testing.TB) roomyNet {
	t.Helper()
	n, err := stdnet.NewNet()
	require.NoError(t, err)
	return roomyNet{n}
}

// ListenUDP needs root for a buffer beyond the system's maximum.
func (n roomyNet) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	c, err := net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	raw, err := c.SyscallConn()
	if err == nil {
		const bytes = 8 << 20
		err = raw.Control(func(fd uintptr) {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes) // as much as there may be
			}
		})
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
