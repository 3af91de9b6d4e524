package native

import (
	"crypto"
	"crypto/tls"
	"image"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/internal/ticket/rdpfile"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// freerdp is a real client.
type freerdp struct {
	t    *testing.T
	x    *testbed.X
	cmd  *exec.Cmd
	done chan struct{}
}

func startFreerdp(t *testing.T, x *testbed.X, args ...string) *freerdp {
	t.Helper()
	c := &freerdp{t: t, x: x, done: make(chan struct{})}
	c.cmd = exec.Command("xfreerdp", append(args, "/cert:ignore", "/size:1024x768", "-decorations")...)
	c.cmd.Env = append(os.Environ(), "DISPLAY="+x.Display, "HOME="+t.TempDir())
	var out strings.Builder
	c.cmd.Stdout, c.cmd.Stderr = &out, &out
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.done)
		_ = c.cmd.Wait()
	}()
	t.Cleanup(func() {
		c.end()
		if t.Failed() {
			t.Logf("xfreerdp %s: %s", strings.Join(args, " "), out.String())
		}
	})
	return c
}

func (c *freerdp) end() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	<-c.done
}

// exit waits for its end and returns its code.
func (c *freerdp) exit() int {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(20 * time.Second):
		c.t.Fatal("the client does not end")
	}
	return c.cmd.ProcessState.ExitCode()
}

func (c *freerdp) keys(args ...string) { testbed.Run(c.t, c.x.Display, "xdotool", args...) }

// capture passes connections on to addr and keeps what a client sends first, before TLS is set up.
func capture(t *testing.T, addr string) (through string, clear func() []byte) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var seen []byte
	var wg sync.WaitGroup
	wg.Go(func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", addr)
		if err != nil {
			client.Close()
			return
		}
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.Copy(client, server); client.Close() })
		b := make([]byte, 4096)
		for {
			n, err := client.Read(b)
			mu.Lock()
			seen = append(seen, b[:n]...)
			mu.Unlock()
			if _, werr := server.Write(b[:n]); err != nil || werr != nil {
				break
			}
		}
		server.Close()
		both.Wait()
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String(), func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// TestTickets has xfreerdp show tickets of every kind, by file and by command, and hold Vitrine to what clients are told.
func TestTickets(t *testing.T) {
	if testing.Short() {
		t.Skip("a real client")
	}
	testbed.Require(t, "xfreerdp")
	r := newRig(t)
	x := testbed.StartXvfb(t, image.Pt(1024, 768))
	run := func(addr, user, shell string, more ...string) int {
		t.Helper()
		return startFreerdp(t, x, append([]string{"/v:" + addr, "/u:" + user, "/shell:" + shell, "/sec:tls"}, more...)...).exit()
	}
	const denied = 7

	// By a signed file, through somebody who listens.
	good := r.issue(ticket.Shell, func(b *ticket.Bound) { b.Reason, b.Change = "disk full", "CHG-1" })
	through, heard := capture(t, r.addr)
	file, err := rdpfile.Sign(rdpfile.Settings{Address: through, Username: "alice", Shell: string(good.Secret)},
		rdpfile.Signer{Certificate: r.cert.TLS.Leaf, Key: r.cert.TLS.PrivateKey.(crypto.Signer)})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "desk.rdp")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	client := startFreerdp(t, x, path)
	r.desks.came(1)
	v := r.desks.last()
	require.Equal(t, []string{"web-1", "a1", "disk full", "CHG-1"}, []string{v.TargetID, v.Account, v.Reason, v.Change})
	require.Equal(t, image.Pt(1024, 768), image.Pt(v.Width, v.Height))
	client.end()
	text := string(heard())
	require.Contains(t, text, "mstshash=alice")
	require.NotContains(t, text, string(good.Secret), "the ticket was sent in clear")
	require.NotContains(t, strings.ReplaceAll(text, "\x00", ""), string(good.Secret))

	require.Equal(t, denied, run(r.addr, "alice", string(good.Secret)), "used")
	other := r.issue(ticket.Shell)
	require.Equal(t, denied, run(r.addr, "bob", string(other.Secret)), "another user's")
	elsewhere := r.issue(ticket.Shell, func(b *ticket.Bound) { b.Source = sourceOf(&fakeConn{addr: "192.0.2.7:1"}) })
	require.Equal(t, denied, run(r.addr, "alice", string(elsewhere.Secret)), "of another address")
	late := r.issue(ticket.Shell)
	r.ahead.Store(int64(ticket.Lifetime))
	require.Equal(t, denied, run(r.addr, "alice", string(late.Secret)), "late")
	r.ahead.Store(0)
	require.Equal(t, denied, run(r.addr, "alice", strings.Repeat("a", len(late.Secret))), "made up")
	require.Equal(t, []string{"reused", "wrong_user", "other_address", "expired", "unknown"}, r.audit.causes())
	require.Equal(t, 133, startFreerdp(t, x, "/v:"+r.addr, "/u:alice", "/p:x", "/sec:rdp").exit(), "standard RDP security")
}

type fakeConn struct {
	net.Conn
	addr string
}

func (c *fakeConn) RemoteAddr() net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", c.addr)
	return a
}

// TestOneTimePasswords signs xfreerdp in at network level, once; and never through somebody in the middle.
func TestOneTimePasswords(t *testing.T) {
	if testing.Short() {
		t.Skip("a real client")
	}
	testbed.Require(t, "xfreerdp")
	r := newRig(t)
	x := testbed.StartXvfb(t, image.Pt(1024, 768))
	try := func(addr string, p ticket.Ticket, password string, more ...string) *freerdp {
		return startFreerdp(t, x, append([]string{"/v:" + addr, "/u:" + p.ID, "/p:" + password, "/sec:nla"}, more...)...)
	}
	const logonFailure = 134 // ERRCONNECT_LOGON_FAILURE

	p := r.issue(ticket.NLA)
	require.Equal(t, logonFailure, try(r.nla, p, "wrong", "+auth-only").exit())
	require.Equal(t, 0, try(r.nla, p, string(p.Secret), "+auth-only").exit())
	require.Equal(t, logonFailure, try(r.nla, p, string(p.Secret), "+auth-only").exit(), "used")
	require.Equal(t, 133, startFreerdp(t, x, "/v:"+r.nla, "/u:alice", "/p:x", "/sec:tls").exit(), "a client without it")

	p = r.issue(ticket.NLA)
	mitm := testbed.StartTLSInterceptor(t, r.nla, testbed.NewCert(t, "localhost", "127.0.0.1"))
	require.NotZero(t, try(mitm.Addr, p, string(p.Secret), "+auth-only").exit(), "somebody in the middle")
	require.NotContains(t, string(mitm.FromClient()), string(p.Secret))
	client := try(r.nla, p, string(p.Secret))
	r.desks.came(2) // +auth-only, and this one
	require.Equal(t, "web-1", r.desks.last().TargetID)
	client.end()
	require.Contains(t, r.audit.causes(), "wrong_secret")
	require.Contains(t, r.audit.causes(), "reused")
}

// TestSignInScreen has somebody sign in on the drawn screen with a keyboard.
func TestSignInScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("a real client")
	}
	testbed.Require(t, "xfreerdp", "xdotool")
	r := newRig(t)
	r.desks.need = []error{&access.NeededError{Code: access.NeedReason}, &access.NeededError{Code: access.NeedApproval, Approvals: 1}}
	x := testbed.StartXvfb(t, image.Pt(1024, 768))
	testbed.OpenBox(t, x.Display)
	show := func(c *freerdp, what string, ok func() bool) {
		t.Helper()
		require.Eventually(t, ok, time.Minute, 20*time.Millisecond, what)
	}
	opened := func() int {
		r.desks.mu.Lock()
		defer r.desks.mu.Unlock()
		return len(r.desks.visits)
	}
	// still waits until the picture has something on it and does not change but for the caret.
	still := func() {
		t.Helper()
		var before *image.RGBA
		require.Eventually(t, func() bool {
			now := x.Screenshot(t)
			same := before != nil && near(before, now)
			before = now
			return same && lit(now)
		}, time.Minute, 150*time.Millisecond)
	}

	c := startFreerdp(t, x, "/v:"+r.addr, "/u:alice@web-1", "/p:wrong", "/sec:tls")
	show(c, "a wrong password in the client's own fields is refused", func() bool { return slices.Contains(r.audit.causes(), "sign_in_failed") })
	still()
	c.keys("type", "--delay", "30", alicePassword)
	c.keys("key", "Return")
	show(c, "signed in, and asked for a reason", func() bool { return opened() == 1 })
	require.Equal(t, "web-1", r.desks.last().TargetID, "as the user name says")
	still()
	c.keys("type", "--delay", "30", "disk full")
	c.keys("key", "Return")
	show(c, "asked for an approval", func() bool { return opened() == 2 })
	require.Equal(t, "disk full", r.desks.last().Reason)
	still()
	c.keys("key", "Tab", "Return") // past the ticket, to the button
	asked := func() string {
		r.desks.mu.Lock()
		defer r.desks.mu.Unlock()
		return r.desks.asked
	}
	show(c, "asked for access", func() bool { return asked() == "disk full" })
	r.desks.mu.Lock()
	r.desks.state = "" // approved
	r.desks.mu.Unlock()
	r.desks.came(1)
	require.Equal(t, 3, opened())
	require.True(t, r.desks.handed[0].State.Active, "it was shown a screen")
	c.end()

	// By a code, approved in the console; the desktop is chosen from the list.
	c = startFreerdp(t, x, "/v:"+r.addr, "/u:somebody", "/sec:tls", "/p:")
	still()
	c.keys("key", "Tab", "Tab", "Return")
	var code string
	show(c, "a code waits", func() bool {
		r.door.codes.mu.Lock()
		defer r.door.codes.mu.Unlock()
		for code = range r.door.codes.all {
			return true
		}
		return false
	})
	w, err := r.door.Decide(code, r.alice, true)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", w.Source.String())
	still()
	c.keys("key", "Down", "Return")
	r.desks.came(2)
	require.Equal(t, "db-1", r.desks.last().TargetID)
	c.end()

	// Esc cancels: a clean end.
	c = startFreerdp(t, x, "/v:"+r.addr, "/u:alice", "/sec:tls", "/p:")
	still()
	c.keys("key", "Escape")
	require.Equal(t, 12, c.exit(), "logged off by the user")
}

// lit tells whether there is something on the screen.
func lit(img *image.RGBA) bool {
	n := 0
	for i := 0; i < len(img.Pix); i += 4 {
		if img.Pix[i+1] > 0xa0 {
			n++
		}
	}
	return n > 500
}

// near tells whether two pictures differ by no more than a caret.
func near(a, b *image.RGBA) bool {
	n := 0
	for i := range a.Pix {
		if a.Pix[i] != b.Pix[i] {
			n++
		}
	}
	return n < 400
}

// TestHalfOpen has 250 clients, of which 200 are kept, say nothing, half of a request, a request without TLS, or nothing within TLS: they take little
// memory, and delay nobody.
func TestHalfOpen(t *testing.T) {
	if testing.Short() {
		t.Skip("a real client")
	}
	testbed.Require(t, "xfreerdp")
	r := newRig(t)
	good := r.issue(ticket.Shell)
	x := testbed.StartXvfb(t, image.Pt(1024, 768))
	memory := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools keep lives once longer
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := memory()
	request := rdp.AppendTPKT(nil, (&rdp.ConnectionRequest{Negotiable: true, Protocols: rdp.ProtocolTLS}).Append)
	for i := range 250 {
		conn, err := net.Dial("tcp", r.addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = conn.Write([][]byte{nil, request[:5], request, request}[i%4])
		require.NoError(t, err)
		if i%4 == 3 {
			_, err = rdp.NewFrameReader(conn).Next()
			require.NoError(t, err)
			require.NoError(t, tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake())
		}
	}
	c := startFreerdp(t, x, "/v:"+r.addr, "/u:alice", "/shell:"+string(good.Secret), "/sec:tls")
	r.desks.came(1)
	grown := int64(memory()) - int64(before)
	t.Logf("200 half-open connections and a good one take %d KB", grown>>10)
	require.Less(t, grown, int64(16<<20)) // 80 KB each
	c.end()
	r.door.crowd.mu.Lock()
	defer r.door.crowd.mu.Unlock()
	require.LessOrEqual(t, r.door.crowd.half, 200)
	require.Greater(t, r.door.crowd.half, 150, "they are still there")
}
