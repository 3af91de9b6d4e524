package serve

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
)

type iceServers struct {
	Servers []struct {
		URLs                 []string `json:"urls"`
		Username, Credential string
	} `json:"ice_servers"`
	Policy string `json:"ice_transport_policy"`
}

// TestRelay reaches a session's media by the relay with what the API gives, until the session ends.
func TestRelay(t *testing.T) {
	metrics, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	metrics.Close()
	g := start(t, t.TempDir(), fmt.Sprintf("turn: {udp: \"127.0.0.1:0\", public_host: 127.0.0.1, relay_only: true}\nmedia: {bind: 127.0.0.1}\nmetrics: {listen: %q}\n%s",
		metrics.Addr(), targetsYAML))
	g.signIn(g.password)
	s := g.create()
	media, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer media.Close()
	g.workers.mu.Lock()
	g.workers.running[s.ID].MediaPort = uint16(media.LocalAddr().(*net.UDPAddr).Port)
	g.workers.mu.Unlock()

	var ice iceServers
	require.Equal(t, 200, g.call("GET", "/sessions/"+s.ID+"/ice-servers", "", &ice))
	require.Equal(t, "relay", ice.Policy)
	require.Len(t, ice.Servers, 1)
	require.Len(t, ice.Servers[0].URLs, 1)
	password := ice.Servers[0].Credential
	require.NotEmpty(t, password)
	at, ok := strings.CutPrefix(ice.Servers[0].URLs[0], "turn:")
	require.True(t, ok)
	at, ok = strings.CutSuffix(at, "?transport=udp")
	require.True(t, ok)

	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Conn: conn, Username: ice.Servers[0].Username, Password: ice.Servers[0].Credential, LoggerFactory: quiet,
	})
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.Listen())
	relayed, err := client.Allocate()
	require.NoError(t, err)
	defer relayed.Close()
	_, err = relayed.WriteTo([]byte("hello"), media.LocalAddr())
	require.NoError(t, err)
	require.NoError(t, media.SetReadDeadline(time.Now().Add(waitLong)))
	buffer := make([]byte, 100)
	n, _, err := media.ReadFrom(buffer)
	require.NoError(t, err)
	require.Equal(t, "hello", string(buffer[:n]))

	figures := func() string {
		res, err := g.client.Get("http://" + metrics.Addr().String() + "/metrics")
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, figures(), "\nvitrine_turn_allocations 1\n")
	require.Eventually(t, func() bool { // the packet may be faster than the counter
		return strings.Contains(figures(), "\nvitrine_turn_relayed_bytes_total{direction=\"to_gateway\"} 5\n")
	}, waitLong, tick)

	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	require.Contains(t, figures(), "\nvitrine_turn_allocations 0\n")
	require.Equal(t, 200, g.call("GET", "/sessions/"+s.ID+"/ice-servers", "", &ice))
	require.Empty(t, ice.Servers)
	g.end()
	require.NotContains(t, g.log.String(), password)
}

func TestRelayPortTaken(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	cfg, err := config.Parse(fmt.Appendf(nil, "data_dir: data\nhttp: {listen: \"127.0.0.1:0\"}\nturn: {udp: %q, public_host: gw.test}\n", taken.LocalAddr()), t.TempDir(), nil)
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Config: cfg, Console: fstest.MapFS{}, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "serve: turn: udp: listen udp "+taken.LocalAddr().String())
	require.ErrorContains(t, err, "address already in use")
}
