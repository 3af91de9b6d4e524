package turnserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long tests wait for what comes soon.
const patience = time.Minute

// rig is a Server with the media of one session, which answers every packet with the same.
type rig struct {
	*Server
	t       *testing.T
	media   *net.UDPConn
	session string
	log     *lockedBuffer
	stop    func()

	mu      sync.Mutex
	running bool
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, session: "S", running: true, log: &lockedBuffer{}}
	media, err := net.ListenUDP("udp", nil)
	require.NoError(t, err)
	r.media = media
	echo := make(chan struct{})
	go func() {
		defer close(echo)
		buffer := make([]byte, 2000)
		for {
			n, from, err := media.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = media.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	cert := testbed.NewCert(t, "127.0.0.1")
	cfg := Config{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", TLS: "127.0.0.1:0", TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert.TLS}},
		PublicHost: "127.0.0.1", CredentialLifetime: time.Minute, MaxAllocations: 10, MaxPersonAllocations: 5,
		MediaPort: r.mediaPort, Registerer: prometheus.NewRegistry(),
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	r.Server, err = Listen(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
		media.Close()
		<-echo
		require.Zero(t, r.relays.count())
		require.Zero(t, r.clients.count())
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) mediaPort(session string) (uint16, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint16(r.media.LocalAddr().(*net.UDPAddr).Port), r.running && session == r.session
}

// end ends the session as serve does.
func (r *rig) end() {
	r.mu.Lock()
	r.running = false
	r.mu.Unlock()
	r.End(r.session)
}

func (r *rig) refused(why reason) int {
	return int(testutil.ToFloat64(r.metrics.refused.WithLabelValues(string(why))))
}

// at returns an address with the media's port.
func (r *rig) at(ip string) *net.UDPAddr {
	port, _ := r.mediaPort(r.session)
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), port))
}

// address returns where the listener of a scheme and transport is.
func (r *rig) address(scheme, transport string) string {
	r.t.Helper()
	for _, u := range r.urls {
		if at, ok := strings.CutPrefix(u, scheme+":"); ok {
			if at, ok = strings.CutSuffix(at, "?transport="+transport); ok {
				return at
			}
		}
	}
	require.Fail(r.t, "no such listener")
	return ""
}

// connect makes a TURN client that comes by "udp", "tcp" or "tls" with a credential.
func (r *rig) connect(by string, c Credential, change ...func(*turn.ClientConfig)) (*turn.Client, net.PacketConn) {
	r.t.Helper()
	var conn net.PacketConn
	server := r.address("turn", "udp")
	switch by {
	case "udp":
		var err error
		conn, err = net.ListenPacket("udp4", "127.0.0.1:0")
		require.NoError(r.t, err)
	case "tcp":
		server = r.address("turn", "tcp")
		stream, err := net.Dial("tcp", server)
		require.NoError(r.t, err)
		conn = turn.NewSTUNConn(stream)
	case "tls":
		server = r.address("turns", "tcp")
		roots := testbed.NewCert(r.t).Pool
		for _, der := range r.cfg.TLSConfig.Certificates[0].Certificate {
			roots.AddCert(parse(r.t, der))
		}
		stream, err := tls.Dial("tcp", server, &tls.Config{RootCAs: roots})
		require.NoError(r.t, err)
		conn = turn.NewSTUNConn(stream)
	}
	cfg := &turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: conn, Username: c.Username, Password: c.Password, Realm: realm,
		LoggerFactory: pionLogs{slog.New(slog.DiscardHandler)}, PermissionRefreshInterval: 200 * time.Millisecond,
	}
	for _, c := range change {
		c(cfg)
	}
	client, err := turn.NewClient(cfg)
	require.NoError(r.t, err)
	require.NoError(r.t, client.Listen())
	r.t.Cleanup(func() {
		client.Close()
		conn.Close()
	})
	return client, conn
}

// allocate makes an allocation that is closed with the test.
func (r *rig) allocate(by string, c Credential) (net.PacketConn, error) {
	r.t.Helper()
	client, _ := r.connect(by, c)
	relayed, err := client.Allocate()
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(func() { relayed.Close() })
	return relayed, nil
}

func (r *rig) mustAllocate(by string) net.PacketConn {
	r.t.Helper()
	relayed, err := r.allocate(by, r.Credential(r.session, "alice"))
	require.NoError(r.t, err)
	return relayed
}

// echoes sends a text to an address of the media and wants it back as the next packet, from there.
func (r *rig) echoes(relayed net.PacketConn, to *net.UDPAddr, text string) {
	r.t.Helper()
	_, err := relayed.WriteTo([]byte(text), to)
	require.NoError(r.t, err)
	require.NoError(r.t, relayed.SetReadDeadline(time.Now().Add(patience)))
	buffer := make([]byte, 2000)
	n, from, err := relayed.ReadFrom(buffer)
	require.NoError(r.t, err)
	require.Equal(r.t, text, string(buffer[:n]))
	require.Equal(r.t, to.String(), from.String())
}

func TestRelays(t *testing.T) {
	r := newRig(t)
	require.Equal(t, []string{
		"turn:" + r.udp.LocalAddr().String() + "?transport=udp",
		"turn:" + r.listeners[0].Addr().String() + "?transport=tcp",
		"turns:" + r.listeners[1].Addr().String() + "?transport=tcp",
	}, r.Credential("S", "alice").URLs)
	for _, by := range []string{"udp", "tcp", "tls"} {
		relayed := r.mustAllocate(by)
		for range 3 {
			r.echoes(relayed, r.at("127.0.0.1"), "by "+by)
		}
		r.echoes(relayed, r.at("127.0.0.1"), strings.Repeat("x", 1200))
	}
	require.EqualValues(t, 3, testutil.ToFloat64(r.metrics.allocations))
	require.EqualValues(t, 3*(3*len("by udp")+1200), testutil.ToFloat64(r.metrics.toBrowser))
	require.Eventually(t, func() bool { // an answer may be faster than the counter
		return int(testutil.ToFloat64(r.metrics.toGateway)) == 3*(3*len("by udp")+1200)
	}, patience, time.Millisecond)
	require.NotContains(t, r.log.String(), r.Credential("S", "alice").Password)
}

// TestReachesMediaAlone has a client try every way to other places: other addresses, another port of the media's own address, and
// strangers that send to the relayed socket.
func TestReachesMediaAlone(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MediaBind = netip.MustParseAddr("127.0.0.1") })
	relayed := r.mustAllocate("udp")
	r.echoes(relayed, r.at("127.0.0.1"), "hello")

	for _, ip := range []string{"127.0.0.2", "192.0.2.1", "169.254.169.254", "0.0.0.0"} {
		_, err := relayed.WriteTo([]byte("elsewhere"), r.at(ip))
		require.Error(t, err, ip)
	}
	require.Positive(t, r.refused(refusedPeer))

	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer stranger.Close()
	before := r.refused(refusedPeer)
	for range 5 { // the first ones before there is a channel
		_, err = relayed.WriteTo([]byte("another port"), stranger.LocalAddr())
		require.NoError(t, err)
		r.echoes(relayed, r.at("127.0.0.1"), "between")
	}
	require.NoError(t, stranger.SetReadDeadline(time.Now().Add(time.Millisecond)))
	n, _, err := stranger.ReadFrom(make([]byte, 100))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%d bytes reached another port", n) // by loopback they would be there now
	require.Equal(t, before+5, r.refused(refusedPeer))

	_, err = stranger.WriteTo([]byte("from a stranger"), relayed.LocalAddr())
	require.NoError(t, err)
	r.echoes(relayed, r.at("127.0.0.1"), "not the stranger")
	require.Equal(t, before+6, r.refused(refusedPeer))
	require.Contains(t, r.log.String(), "turn packets dropped that are not for the session's media")
}

// TestReachesOtherAddresses: media bound to all addresses is found at each, and at the public ones without a packet leaving.
func TestReachesOtherAddresses(t *testing.T) {
	r := newRig(t, func(c *Config) { c.PublicAddresses = []netip.Addr{netip.MustParseAddr("203.0.113.7")} })
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	relayed := r.mustAllocate("udp")
	for _, a := range addrs {
		if p := netip.MustParsePrefix(a.String()); p.Addr().Is4() {
			r.echoes(relayed, r.at(p.Addr().String()), "to "+p.String())
		}
	}
	r.echoes(relayed, r.at("203.0.113.7"), "outside")
	r.echoes(relayed, r.at("203.0.113.7"), "again")
	_, err = relayed.WriteTo([]byte("another"), r.at("203.0.113.8"))
	require.Error(t, err)
}

func TestRefusesCredentials(t *testing.T) {
	r := newRig(t)
	good := r.Credential("S", "alice")
	other := r.Credential("S", "bob")
	signed := func(username string) Credential {
		return Credential{Username: username, Password: r.secret.password(username)}
	}
	for name, c := range map[string]Credential{
		"wrong password":     {Username: good.Username, Password: good.Password + "x"},
		"empty password":     {Username: good.Username},
		"another's":          {Username: good.Username, Password: other.Password},
		"expired":            signed(grant{time.Now().Add(-time.Second), "S", "alice"}.String()),
		"no such session":    r.Credential("T", "alice"),
		"no expiry":          signed("S:alice"),
		"odd expiry":         signed("0x7fffffffffff:S:alice"),
		"nobody":             signed("99999999999:S:"),
		"a prolonged expiry": {Username: "9" + good.Username, Password: good.Password},
	} {
		before := r.refused(refusedCredential)
		_, err := r.allocate("tcp", c)
		require.Error(t, err, name)
		require.Greater(t, r.refused(refusedCredential), before, name)
	}
	require.Zero(t, r.relays.count())
	require.NotContains(t, r.log.String(), good.Password)

	r.end()
	_, err := r.allocate("udp", good)
	require.Error(t, err)
}

// TestOutlivesCredential: an allocation goes on by refreshes long after its credential and its own lifetime have passed, and ends
// with its session.
func TestOutlivesCredential(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.CredentialLifetime = 2 * time.Second // usernames know whole seconds
		c.times = &times{allocation: time.Second, greet: patience, idle: patience}
	})
	c := r.Credential("S", "alice")
	var all []net.PacketConn
	for _, by := range []string{"udp", "tcp", "tls"} {
		relayed, err := r.allocate(by, c)
		require.NoError(t, err)
		all = append(all, relayed)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		for _, relayed := range all {
			r.echoes(relayed, r.at("127.0.0.1"), "still there")
		}
	}
	_, err := r.allocate("udp", c)
	require.Error(t, err, "a new allocation by an expired credential")
	require.Equal(t, 3, r.relays.count())
	require.Equal(t, 2, r.clients.count())
	r.end()
	require.Zero(t, r.relays.count())
	require.Eventually(t, func() bool { return r.clients.count() == 0 }, patience, time.Millisecond, "connections outlive their allocations")
}

// TestForgets: without refreshes an allocation ends by itself.
func TestForgets(t *testing.T) {
	r := newRig(t, func(c *Config) { c.times = &times{allocation: time.Second, greet: patience, idle: patience} })
	client, conn := r.connect("udp", r.Credential("S", "alice"))
	relayed, err := client.Allocate()
	require.NoError(t, err)
	defer relayed.Close()
	conn.Close() // its refreshes go nowhere
	require.Eventually(t, func() bool { return r.relays.count() == 0 }, patience, time.Millisecond)
}

func TestQuota(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxAllocations, c.MaxPersonAllocations = 3, 2 })
	first := r.mustAllocate("udp")
	r.mustAllocate("tcp")
	_, err := r.allocate("udp", r.Credential("S", "alice"))
	require.ErrorContains(t, err, "486")
	bob := r.Credential("S", "bob")
	_, err = r.allocate("udp", bob)
	require.NoError(t, err)
	_, err = r.allocate("udp", bob)
	require.ErrorContains(t, err, "486", "all together")
	require.Equal(t, 2, r.refused(refusedQuota))
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool { return r.relays.count() == 2 }, patience, time.Millisecond)
	_, err = r.allocate("udp", bob)
	require.NoError(t, err)
}

// TestIPv6 relays it where the media has it.
func TestIPv6(t *testing.T) {
	six := func(c *turn.ClientConfig) { c.RequestedAddressFamily = turn.RequestedAddressFamilyIPv6 }
	v4 := newRig(t, func(c *Config) { c.MediaBind = netip.MustParseAddr("127.0.0.1") })
	client, _ := v4.connect("udp", v4.Credential("S", "alice"), six)
	_, err := client.Allocate()
	require.Error(t, err)
	require.Equal(t, 1, v4.refused(refusedKind))

	r := newRig(t)
	if to, err := r.reach(); err != nil || !to.family(false) {
		t.Skip("this machine has no IPv6")
	}
	client, _ = r.connect("udp", r.Credential("S", "alice"), six)
	relayed, err := client.Allocate()
	require.NoError(t, err)
	defer relayed.Close()
	r.echoes(relayed, r.at("::1"), "six")
}

func TestRefusesTCPAllocations(t *testing.T) {
	r := newRig(t)
	client, _ := r.connect("tcp", r.Credential("S", "alice"))
	_, err := client.AllocateTCP()
	require.Error(t, err)
	require.Equal(t, 1, r.refused(refusedKind))
	require.Zero(t, r.relays.count())
}

// TestConnections closes those that come to nothing, and takes only so many.
func TestConnections(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.MaxAllocations = 2
		c.times = &times{allocation: time.Minute, greet: 500 * time.Millisecond, idle: patience}
	})
	good := r.mustAllocate("tcp")
	var silent []net.Conn
	for _, at := range []string{r.address("turn", "tcp"), r.address("turns", "tcp"), r.address("turn", "tcp")} {
		conn, err := net.Dial("tcp", at)
		require.NoError(t, err)
		defer conn.Close()
		silent = append(silent, conn)
	}
	require.Eventually(t, func() bool { return r.clients.count() == 4 }, patience, time.Millisecond)
	more, err := net.Dial("tcp", r.address("turn", "tcp"))
	require.NoError(t, err)
	defer more.Close()
	for _, conn := range append(silent, more) {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	}
	require.Equal(t, 1, r.refused(refusedConnection))
	require.Eventually(t, func() bool { return r.clients.count() == 1 }, patience, time.Millisecond)
	r.echoes(good, r.at("127.0.0.1"), "untouched")

	garbage, err := net.Dial("tcp", r.address("turns", "tcp"))
	require.NoError(t, err)
	defer garbage.Close()
	_, err = garbage.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, garbage)
	require.NoError(t, err, "it is closed")
}

// TestStops: what is open does not outlive the server.
func TestStops(t *testing.T) {
	r := newRig(t)
	for _, by := range []string{"udp", "tcp", "tls"} {
		r.echoes(r.mustAllocate(by), r.at("127.0.0.1"), by)
	}
	r.stop()
	require.NoError(t, r.Close(), "again")
}

func TestListenFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = Listen(Config{UDP: "127.0.0.1:0", TCP: taken.Addr().String(), Registerer: prometheus.NewRegistry()})
	require.ErrorContains(t, err, "turn: tcp: listen tcp "+taken.Addr().String()+": bind: address already in use")
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer packets.Close()
	_, err = Listen(Config{UDP: packets.LocalAddr().String(), Registerer: prometheus.NewRegistry()})
	require.ErrorContains(t, err, "turn: udp:")
}

// lockedBuffer is a log that goroutines share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
