package link

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newLink makes a link for a test. It is skipped, or fails in CI, where that cannot be.
func newLink(t *testing.T) *Link {
	t.Helper()
	l, err := New(1)
	if (errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission)) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: needs root and /dev/net/tun: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// echo answers UDP in the test's namespace, at the link's address; client is a socket in that of the link.
func echo(t *testing.T, l *Link) (client net.Conn) {
	t.Helper()
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: l.Host.AsSlice()})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := server.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = server.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	require.NoError(t, l.Do(func() (err error) {
		client, err = net.Dial("udp4", server.LocalAddr().String())
		return err
	}))
	t.Cleanup(func() { client.Close() })
	return client
}

// roundTrip returns how long an echo takes, or that none came.
func roundTrip(t *testing.T, client net.Conn) (time.Duration, bool) {
	t.Helper()
	began := time.Now()
	_, err := client.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, client.SetReadDeadline(began.Add(time.Second)))
	_, err = client.Read(make([]byte, 10))
	return time.Since(began), err == nil
}

func TestRoundTrip(t *testing.T) {
	l := newLink(t)
	client := echo(t, l)
	require.Equal(t, l.Client.String(), client.LocalAddr().(*net.UDPAddr).IP.String())
	_, ok := roundTrip(t, client)
	require.True(t, ok, "a perfect link")
	l.Set(Conditions{Delay: 50 * time.Millisecond})
	fastest := time.Hour // a machine under load adds to it
	for range 10 {
		took, ok := roundTrip(t, client)
		require.True(t, ok)
		require.GreaterOrEqual(t, took, 100*time.Millisecond)
		fastest = min(fastest, took)
	}
	require.Less(t, fastest, 115*time.Millisecond)
	l.Set(Conditions{BlockUDP: true})
	_, ok = roundTrip(t, client)
	require.False(t, ok, "UDP is blocked")
	require.Positive(t, l.Upload().Blocked)
	l.SetUpload(Conditions{})
	_, ok = roundTrip(t, client)
	require.False(t, ok, "UDP is blocked downwards")
	require.Positive(t, l.Download().Blocked)
	l.Set(Conditions{})
	_, ok = roundTrip(t, client)
	require.True(t, ok, "a perfect link again")
	l.Set(Conditions{Outage: true})
	_, ok = roundTrip(t, client)
	require.False(t, ok, "an outage")
}

// TestThroughput sends UDP faster than the link carries it: what comes is what it is said to carry.
func TestThroughput(t *testing.T) {
	const rate = 4_000_000
	l := newLink(t)
	l.SetUpload(Conditions{Rate: rate})
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: l.Host.AsSlice()})
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, server.SetReadBuffer(4<<20))
	var client net.Conn
	require.NoError(t, l.Do(func() (err error) {
		client, err = net.Dial("udp4", server.LocalAddr().String())
		return err
	}))
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for range 3 { // three times the rate
				_, _ = client.Write(make([]byte, 1000))
			}
			<-tick.C
		}
	}()
	type arrival struct {
		at    time.Time
		bytes int
	}
	var got []arrival
	b := make([]byte, 2000)
	for ctx.Err() == nil {
		require.NoError(t, server.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		n, err := server.Read(b)
		if err == nil {
			got = append(got, arrival{time.Now(), n + 28}) // IP and UDP headers
		}
	}
	cancel()
	<-sent
	require.Greater(t, len(got), 500)
	bits := 0
	for _, a := range got[1:] {
		bits += 8 * a.bytes
	}
	took := got[len(got)-1].at.Sub(got[0].at)
	require.InEpsilon(t, rate, float64(bits)/took.Seconds(), 0.05)
	require.Positive(t, l.Upload().Overflowed)
}

// TestTCP moves a megabyte over a bad link.
func TestTCP(t *testing.T) {
	l := newLink(t)
	l.Set(Conditions{Loss: 0.02, Delay: 5 * time.Millisecond, Jitter: 5 * time.Millisecond, Reorder: true, Rate: 20_000_000})
	server, err := net.Listen("tcp4", net.JoinHostPort(l.Host.String(), "0"))
	require.NoError(t, err)
	defer server.Close()
	var client net.Conn
	require.NoError(t, l.Do(func() (err error) {
		client, err = net.Dial("tcp4", server.Addr().String())
		return err
	}))
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(i * i)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(want)
		sent <- errors.Join(err, client.Close())
	}()
	conn, err := server.Accept()
	require.NoError(t, err)
	defer conn.Close()
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, <-sent)
	require.True(t, slices.Equal(want, got))
	require.Positive(t, l.Upload().Lost)
}

// TestForward reaches a service of the test's loopback interface from a process in the link's namespace, over the link.
func TestForward(t *testing.T) {
	l := newLink(t)
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "served\n")
			conn.Close()
		}
	}()
	defer func() {
		server.Close()
		<-served
	}()
	address := server.Addr().(*net.TCPAddr)
	require.NoError(t, l.Forward(address.Port))
	cmd := exec.Command("bash", "-c", "ip -o -4 address; cat < /dev/tcp/127.0.0.1/$0", strings.Split(address.String(), ":")[1])
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out []byte
	require.NoError(t, l.Do(func() (err error) {
		out, err = cmd.Output()
		return err
	}))
	require.Contains(t, string(out), "served")
	require.Contains(t, string(out), l.Client.String())
	require.NotContains(t, string(out), "eth0", "the process was not in the link's namespace")
	require.Positive(t, l.Download().Packets, "not over the link")
	l.Set(Conditions{Outage: true})
	before := l.Upload()
	cmd = exec.Command("bash", "-c", "timeout 1 cat < /dev/tcp/127.0.0.1/$0", strings.Split(address.String(), ":")[1])
	require.NoError(t, l.Do(cmd.Start))
	require.Error(t, cmd.Wait(), "served over a link that is down")
	require.Greater(t, l.Upload().Outage, before.Outage)
}

// TestNothingIsLeft: devices are gone when Close returns, and so are processes that die with their thread.
func TestNothingIsLeft(t *testing.T) {
	l := newLink(t)
	there := func() bool {
		all, err := net.InterfaceAddrs()
		require.NoError(t, err)
		return slices.ContainsFunc(all, func(a net.Addr) bool { return strings.HasPrefix(a.String(), l.Host.String()+"/") })
	}
	require.True(t, there())
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, l.Do(cmd.Start))
	require.NoError(t, l.Close())
	require.NoError(t, l.Close(), "twice")
	require.Error(t, cmd.Wait())
	require.False(t, there())
}
