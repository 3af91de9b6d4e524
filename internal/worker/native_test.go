package worker

import (
	"context"
	"crypto/tls"
	"image"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdpclient"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// native is a native client: this project's own, whose picture can be looked at.
type native struct {
	*rdpclient.Client
	fb   *desktop.Framebuffer
	done chan struct{}
	err  error // once done is closed
}

// openNative lets a native client into a session, as serve does. It returns the client and what OpenNative said.
func openNative(t *testing.T, s *Session, person session.Person, role session.Role) (*native, string, error) {
	t.Helper()
	cert := testbed.NewCert(t, "localhost")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	n := &native{done: make(chan struct{})}
	n.Client, err = rdpclient.New(rdpclient.Config{
		Security: rdpclient.SecurityTLS, TLS: trust.Policy{TrustFirst: true}, ReconnectFor: -1, Size: image.Pt(1280, 720),
	})
	require.NoError(t, err)
	n.fb, err = desktop.NewFramebuffer(image.Pt(200, 200))
	require.NoError(t, err)
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(n.done)
		n.err = n.Run(ctx, conn, n.fb)
	}()
	accepted, err := l.Accept()
	require.NoError(t, err)
	client, err := rdpserver.Accept(t.Context(), accepted, rdpserver.AcceptConfig{
		Certificate: tls.Certificate{Certificate: cert.TLS.Certificate, PrivateKey: cert.TLS.PrivateKey},
	})
	require.NoError(t, err)
	state, secured, err := client.Detach()
	require.NoError(t, err)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	theirs := os.NewFile(uintptr(fds[1]), "native")
	file := os.NewFile(uintptr(fds[0]), "native")
	ours, err := net.FileConn(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	var pumps sync.WaitGroup
	pumps.Go(func() {
		_, _ = io.Copy(ours, secured)
		ours.Close()
	})
	pumps.Go(func() {
		_, _ = io.Copy(secured, ours)
		secured.Close()
	})
	t.Cleanup(func() {
		cancel()
		<-n.done
		ours.Close()
		secured.Close()
		pumps.Wait()
	})
	id, err := s.OpenNative(t.Context(), NativeOffer{Person: person, Role: role, ClientAddress: "192.0.2.9", State: state, Conn: theirs})
	require.NoError(t, theirs.Close())
	return n, id, err
}

// TestNative lets native clients into a session that a browser watches: a locked-in worker shows them the target's picture, takes
// their keys, lists them, and tells them why it ends.
func TestNative(t *testing.T) {
	d := startTarget(t, demotarget.Options{Size: image.Pt(1280, 720), Name: "Desk"})
	r := newRig(t)
	s := r.create(d.addr)
	require.Equal(t, "full", s.Snapshot().Sandbox)
	b := watch(t, s, session.RoleView)
	alice := session.Person{ID: "u1", Name: "alice"}
	n, id, err := openNative(t, s, alice, session.RoleControl)
	require.NoError(t, err)
	eventually(t, "the viewer is not told", func() bool {
		for _, v := range s.Snapshot().Viewers {
			if v.ID == id {
				return v == session.Viewer{ID: id, Person: alice, Role: session.RoleControl, Address: "192.0.2.9", Kind: session.KindNative}
			}
		}
		return false
	})
	d.paint()
	eventually(t, "the client does not show the target's picture", func() bool {
		return n.fb.Size() == image.Pt(1280, 720) && same(n.fb, d)
	})
	require.NoError(t, n.Send(desktop.KeyEvent{Keysym: 'x', Scancode: 0x2d, Down: true}))
	require.NoError(t, n.Send(desktop.KeyEvent{Keysym: 'x', Scancode: 0x2d}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = d.WaitEvent(ctx, func(e demotarget.Event) bool { return e.Kind == demotarget.KeyPressed && e.Keysym == 'x' && !e.Down })
	require.NoError(t, err)

	// Control is one person's, whichever door.
	_, _, err = openNative(t, s, session.Person{ID: "u2", Name: "bob"}, session.RoleControl)
	require.ErrorIs(t, err, ErrControlTaken)
	bob, _, err := openNative(t, s, session.Person{ID: "u2", Name: "bob"}, session.RoleView)
	require.NoError(t, err)
	eventually(t, "the other client does not show the picture", func() bool { return same(bob.fb, d) })
	eventually(t, "not one encoder for a browser, a recording and two clients", func() bool { return s.Snapshot().Encoders == 1 })

	require.NoError(t, s.CloseViewer(t.Context(), id, "enough"))
	select {
	case <-n.done:
	case <-time.After(patience):
		t.Fatal("the client was not closed")
	}
	require.ErrorContains(t, n.err, rdp.ErrorInfoDisconnectByAdmin.String())

	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.NewEnd(session.EndIdle, "")))
	r.gone(s)
	<-bob.done
	require.ErrorContains(t, bob.err, rdp.ErrorInfoIdleTimeout.String())
	eventually(t, "the browser did not hear the end", b.heard("ended idle"))
	_, _, err = openNative(t, s, alice, session.RoleView)
	require.ErrorIs(t, err, ErrEnded)
}

// same tells whether a client shows what the target does.
func same(fb *desktop.Framebuffer, d *desktopTarget) bool {
	pix, size := fb.CopyPixels()
	want := d.Screenshot()
	if want.Bounds().Size() != size {
		return false
	}
	for i := 0; i < len(pix); i += 4 {
		if pix[i] != want.Pix[i+2] || pix[i+1] != want.Pix[i+1] || pix[i+2] != want.Pix[i] {
			return false
		}
	}
	return true
}
