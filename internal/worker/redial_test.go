package worker

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestMayRedirect(t *testing.T) {
	patterns := []string{"*.farm.test", "host.test", "10.1.0.0/16", "2001:db8::7"}
	for address, want := range map[string]bool{
		"a.farm.test:3389": true, "A.Farm.Test.:3389": true, "a.b.farm.test:3389": true, "farm.test:3389": false, "xfarm.test:3389": false,
		"host.test:3389": true, "host.test:3390": true, "host.test:22": false, "other.host.test:3389": false, "host.test": false,
		"10.1.2.3:3389": true, "10.2.0.1:3389": false, "[::ffff:10.1.2.3]:3389": true,
		"[2001:db8::7]:3389": true, "[2001:db8::8]:3389": false, "[2001:db8::7%eth0]:3389": false,
		":3389": false, "": false, "localhost:3389": false, "127.0.0.1:3389": false,
		"host.test:03389": false, "host.test:rdp": false,
	} {
		got := mayRedirect(target.Target{Address: "broker.test:3390", RDP: &config.RDP{RedirectTo: patterns}}, address)
		require.Equal(t, want, got, address)
	}
	require.False(t, mayRedirect(target.Target{Address: "b:3389", RDP: &config.RDP{}}, "b:3389"), "nothing unless configured")
	require.False(t, mayRedirect(target.Target{Address: "b:3389"}, "b:3389"), "not RDP")
}

func FuzzDialRequest(f *testing.F) {
	f.Add(dialRequest{purposeReconnect, 1, ""}.append(nil))
	f.Add(dialRequest{purposeRedirect, 0xffffffff, "host.test:3389"}.append(nil))
	f.Add([]byte{3, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r dialRequest
		if r.decode(b) == nil {
			require.Equal(t, b, r.append(nil))
			require.LessOrEqual(t, len(r.address), maxAddressBytes)
		}
	})
}

func TestDialRequestErrors(t *testing.T) {
	for _, b := range [][]byte{nil, {1, 0, 0, 0}, {0, 0, 0, 0, 0}, {3, 0, 0, 0, 0}, make([]byte, maxRequestDatagram)} {
		var r dialRequest
		require.ErrorIs(t, r.decode(b), errDialRequest)
	}
	require.Error(t, new(dialAnswer).decode(make([]byte, answerBytes+1)))
}

// dialPair is both sides of a dial socket in this process. The target is a listener of its own.
func dialPair(t *testing.T, change func(*redials)) (*redialer, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ours, their, err := socketPair(unix.SOCK_SEQPACKET, "dial")
	require.NoError(t, err)
	worker, err := net.FileConn(their)
	require.NoError(t, err)
	their.Close()
	r := newRedials(ours.(*net.UnixConn), target.Target{Address: l.Addr().String(), RDP: &config.RDP{}}, slog.New(slog.DiscardHandler))
	r.pace = rate.NewLimiter(rate.Inf, 1)
	if change != nil {
		change(r)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(t.Context())
	}()
	t.Cleanup(func() {
		worker.Close() // the worker goes, and run ends with it
		<-done
		l.Close()
	})
	return newRedialer(worker.(*net.UnixConn)), l
}

// echoes checks that what is written to near comes out of the next connection of l.
func echoes(t *testing.T, near net.Conn, l net.Listener) {
	t.Helper()
	defer near.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	_, err = io.WriteString(near, "hello\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(far).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
}

func TestRedial(t *testing.T) {
	before := descriptors(t)
	t.Run("to the target, again and again", func(t *testing.T) {
		r, l := dialPair(t, nil)
		for range 3 {
			conn, err := r.redial(t.Context(), "")
			require.NoError(t, err)
			require.IsType(t, &net.TCPConn{}, conn)
			echoes(t, conn, l)
		}
	})
	t.Run("elsewhere only where it is allowed", func(t *testing.T) {
		other, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer other.Close()
		var dialled string
		r, _ := dialPair(t, func(r *redials) {
			r.target.RDP = &config.RDP{RedirectTo: []string{"10.1.0.0/16"}}
			r.dial = func(ctx context.Context, address string) (*net.TCPConn, error) {
				dialled = address
				return dialTarget(ctx, other.Addr().String())
			}
		})
		_, err = r.redial(t.Context(), "10.2.0.1:3389")
		require.ErrorIs(t, err, desktop.ErrEnded)
		require.ErrorContains(t, err, "10.2.0.1:3389, which the configuration does not allow")
		require.Empty(t, dialled)
		conn, err := r.redial(t.Context(), "10.1.0.1:3389")
		require.NoError(t, err)
		require.Equal(t, "10.1.0.1:3389", dialled)
		echoes(t, conn, other)
	})
	t.Run("a reconnection names no address", func(t *testing.T) {
		r, _ := dialPair(t, nil)
		_, err := r.dial(t.Context(), purposeReconnect, "elsewhere.test:3389")
		require.ErrorContains(t, err, "code 1")
	})
	t.Run("not too often", func(t *testing.T) {
		r, l := dialPair(t, func(r *redials) { r.supply = rate.NewLimiter(0, 1) })
		conn, err := r.redial(t.Context(), "")
		require.NoError(t, err)
		echoes(t, conn, l)
		_, err = r.redial(t.Context(), "")
		require.ErrorIs(t, err, desktop.ErrTargetGone)
		require.ErrorContains(t, err, "too often")
	})
	t.Run("a target that is gone", func(t *testing.T) {
		r, l := dialPair(t, nil)
		l.Close()
		_, err := r.redial(t.Context(), "")
		require.ErrorIs(t, err, desktop.ErrTargetGone)
	})
	t.Run("an answer that comes too late is not taken for the next", func(t *testing.T) {
		given := errors.New("given up")
		ctx, cancel := context.WithCancelCause(t.Context())
		release, first := make(chan struct{}), true
		r, l := dialPair(t, func(r *redials) {
			real := r.dial
			r.dial = func(ctx context.Context, address string) (*net.TCPConn, error) {
				if first {
					first = false
					cancel(given)
					<-release
				}
				return real(ctx, address)
			}
		})
		_, err := r.redial(ctx, "")
		require.ErrorIs(t, err, given)
		close(release)
		conn, err := r.redial(t.Context(), "")
		require.NoError(t, err)
		late, err := l.Accept()
		require.NoError(t, err)
		late.Close()
		echoes(t, conn, l)
	})
	t.Run("serve is gone", func(t *testing.T) {
		r, _ := dialPair(t, func(r *redials) { r.conn.Close() })
		_, err := r.redial(t.Context(), "")
		require.Error(t, err)
	})
	t.Run("an address beyond bounds", func(t *testing.T) {
		r, _ := dialPair(t, nil)
		_, err := r.redial(t.Context(), strings.Repeat("x", maxAddressBytes+1))
		require.ErrorIs(t, err, desktop.ErrProtocol)
	})
	eventually(t, "no descriptor is left", func() bool { return descriptors(t) <= before })
}

// redialLockedIn is a worker of TestRedialLockedIn: it locks itself in completely, tries to connect by itself, and then
// asks serve.
func redialLockedIn(args []string) int {
	f := flag.NewFlagSet("worker", flag.ExitOnError)
	spool, address := f.String("spool", "", ""), f.String("address", "", "")
	if err := f.Parse(args); err != nil {
		return 2
	}
	in, err := inherit(false, true, false)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	defer in.close()
	if _, err := sandbox.Lock(sandbox.Required, *spool); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if conn, err := net.Dial("tcp", *address); err == nil || !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES) {
		fmt.Fprintln(os.Stderr, "connected by itself, or failed otherwise:", conn, err)
		return 3
	}
	r := newRedialer(in.dial)
	for range 2 {
		conn, err := r.redial(context.Background(), "")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 4
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return 5
		}
		if _, err := io.WriteString(conn, "from a locked-in worker\n"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 5
		}
		conn.Close()
	}
	return 0
}

// TestRedialLockedIn: with everything of the sandbox in force a worker gets connections over the dial socket, and none
// by itself.
func TestRedialLockedIn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	conn, err := dialTarget(t.Context(), l.Addr().String())
	require.NoError(t, err)
	p, err := newPorts(netip.MustParseAddr("127.0.0.1"), PortRange{14450, 14459})
	require.NoError(t, err)
	sockets, err := p.take(false)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	first, err := l.Accept()
	require.NoError(t, err)
	defer first.Close()

	started, err := spawn(self, []string{"worker", "--spool", t.TempDir(), "--address", l.Addr().String()},
		[]string{"VITRINE_TEST_WORKER=redial"}, conn, sockets, true)
	require.NoError(t, err)
	defer started.close()
	r := newRedials(started.dial, target.Target{Address: l.Addr().String(), RDP: &config.RDP{}}, slog.New(slog.DiscardHandler))
	r.pace = rate.NewLimiter(rate.Inf, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(t.Context())
	}()
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(started.log)
		said <- string(text)
	}()
	exit := make(chan error, 1)
	go func() { exit <- started.cmd.Wait() }()

	lines := make(chan string, 2)
	go func() {
		for range cap(lines) {
			far, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(far).ReadString('\n')
			far.Close()
			lines <- line
		}
	}()
	select {
	case err := <-exit:
		require.NoError(t, err, "the worker said: %s", <-said)
	case <-time.After(patience):
		_ = started.cmd.Process.Kill()
		t.Fatalf("the worker did not end: %s", <-said)
	}
	require.Equal(t, "from a locked-in worker\n", <-lines)
	require.Equal(t, "from a locked-in worker\n", <-lines)
	<-done
}
