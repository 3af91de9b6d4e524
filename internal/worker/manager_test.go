package worker

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// TestSession is a session from its beginning to its end.
func TestSession(t *testing.T) {
	d := startTarget(t, demotarget.Options{Size: image.Pt(1280, 720), Name: "Desk"})
	r := newRig(t)
	s := r.create(d.addr)
	got, err := r.Get(s.ID())
	require.NoError(t, err)
	require.Same(t, s, got)
	snapshot := s.Snapshot()
	require.Equal(t, image.Pt(1280, 720), snapshot.Size)
	require.Equal(t, "Desk", snapshot.DesktopName)
	require.Equal(t, "full", snapshot.Sandbox)

	b := watch(t, s, session.RoleControl)
	b.works(d)
	eventually(t, "the viewer is not told", func() bool { return len(s.Snapshot().Viewers) == 1 })
	require.Equal(t, session.Viewer{
		ID: b.id, Person: session.Person{ID: "u1", Name: "alice"}, Role: session.RoleControl, Address: "192.0.2.7",
	}, s.Snapshot().Viewers[0])
	eventually(t, "figures are not told", func() bool {
		stats := s.Snapshot().Stats
		return stats.Frames > 0 && stats.InputEvents == 2 && stats.RecordedBytes > 0
	})

	small, serial, err := s.Thumbnail(t.Context(), 0)
	require.NoError(t, err)
	img, err := jpeg.Decode(bytes.NewReader(small))
	require.NoError(t, err)
	require.Equal(t, image.Pt(320, 180), img.Bounds().Size())
	small, again, err := s.Thumbnail(t.Context(), serial)
	require.NoError(t, err)
	require.Empty(t, small, "nothing was drawn since")
	require.Equal(t, serial, again)
	d.paint()
	eventually(t, "a change makes no other thumbnail", func() bool {
		small, again, err = s.Thumbnail(t.Context(), serial)
		return err == nil && len(small) > 0 && again != serial
	})

	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.End{Code: session.EndUserDisconnected, Message: "alice disconnected."}))
	require.Equal(t, session.End{Code: session.EndUserDisconnected, Message: "alice disconnected."}, r.gone(s))
	eventually(t, "the viewer did not hear the end", b.heard("ended user_disconnected"))
	code, by := r.manifest(s.ID())
	require.Equal(t, "user_disconnected", code)
	require.Equal(t, "worker", by)
	_, err = r.Get(s.ID())
	require.ErrorIs(t, err, ErrNotFound)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Contains(t, r.files[s.ID()], "manifest.json")
	require.Contains(t, r.files[s.ID()], "seg-000000.m4s")
	require.Contains(t, r.files[s.ID()], "thumb-000000.jpg")
}

// TestTwoSessions: one worker dies, and nobody else notices.
func TestTwoSessions(t *testing.T) {
	d1, d2 := startTarget(t, demotarget.Options{}), startTarget(t, demotarget.Options{})
	r := newRig(t)
	s1, s2 := r.create(d1.addr), r.create(d2.addr)
	require.NotEqual(t, s1.Snapshot().PID, s2.Snapshot().PID)
	b1, b2 := watch(t, s1, session.RoleControl), watch(t, s2, session.RoleControl)
	b1.works(d1)
	b2.works(d2)
	require.Len(t, r.List(), 2)

	segment := filepath.Join(r.spool, s1.ID(), "seg-000000.m4s")
	eventually(t, "nothing was recorded", func() bool {
		info, err := os.Stat(segment)
		return err == nil && info.Size() > 0
	})

	require.NoError(t, syscall.Kill(s1.Snapshot().PID, syscall.SIGKILL))
	require.Equal(t, session.End{
		Code: session.EndWorkerCrashed, Message: "The session's process broke down (signal: killed).",
	}, r.gone(s1))
	b2.works(d2)
	require.Equal(t, session.StateActive, s2.Snapshot().State)
	require.Len(t, r.List(), 1)
	// What the dead worker recorded is there for the uploader to seal.
	require.FileExists(t, segment)
	require.NoFileExists(t, filepath.Join(r.spool, s1.ID(), "manifest.json"))
	require.ErrorIs(t, s1.Terminate(t.Context(), session.Person{}, session.End{}), nil)
	_, err := s1.Offer(t.Context(), Offer{SDP: "v=0"})
	require.ErrorIs(t, err, ErrEnded)
}

// TestHungWorker: a worker that stands still is noticed and killed.
func TestHungWorker(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t, func(c *ManagerConfig) { c.PingInterval, c.PingTimeout = 100*time.Millisecond, 3*time.Second })
	s := r.create(d.addr)
	require.NoError(t, syscall.Kill(s.Snapshot().PID, syscall.SIGSTOP))
	require.Equal(t, session.NewEnd(session.EndWorkerHung, ""), r.gone(s))
	eventually(t, "the target's connection is still open", func() bool { return d.Connections() == 0 })
}

// TestSIGTERM: a worker that is told to stop by the system ends its session in good order.
func TestSIGTERM(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s := r.create(d.addr)
	require.NoError(t, syscall.Kill(s.Snapshot().PID, syscall.SIGTERM))
	require.Equal(t, session.EndShutdown, r.gone(s).Code)
	code, by := r.manifest(s.ID())
	require.Equal(t, []string{"shutdown", "worker"}, []string{code, by})
}

// TestServeGone: a worker whose serve has vanished ends its session and says why in the recording.
func TestServeGone(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s := r.create(d.addr)
	require.NoError(t, s.conn.Close()) // as the death of serve does
	r.gone(s)
	code, by := r.manifest(s.ID())
	require.Equal(t, []string{"serve_gone", "worker"}, []string{code, by})
}

// TestNoSession: every way a session cannot come to be has its own reason, and leaves nothing behind.
func TestNoSession(t *testing.T) {
	// listen makes a target that answers as it is told.
	silent := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for name, c := range map[string]struct {
		address func(t *testing.T) string
		manager func(*ManagerConfig)
		request func(*CreateRequest)
		want    session.EndCode
		message string // part of
		started bool   // a worker was
	}{
		"nothing listens": {
			address: func(t *testing.T) string {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				require.NoError(t, l.Close())
				return l.Addr().String()
			},
			want: session.EndTargetUnreachable, message: "refused",
		},
		"unknown name": {
			address: func(*testing.T) string { return "no-such-desktop.invalid:5900" },
			want:    session.EndTargetUnreachable, message: "name",
		},
		"another protocol": {
			address: func(t *testing.T) string {
				return listen(t, func(c net.Conn) {
					_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n"))
					silent(c)
				})
			},
			want: session.EndTargetWrongProtocol, started: true,
		},
		"it hangs up": {
			address: func(t *testing.T) string { return listen(t, func(net.Conn) {}) },
			want:    session.EndTargetClosed, started: true,
		},
		"it says nothing": {
			address: func(t *testing.T) string { return listen(t, silent) },
			manager: func(c *ManagerConfig) { c.ConnectTimeout = time.Second },
			want:    session.EndTargetTimeout, started: true,
		},
		"another password": {
			address: func(t *testing.T) string { return startTarget(t, demotarget.Options{Password: "right"}).addr },
			want:    session.EndTargetAuthFailed, started: true,
		},
		"no security, which is not allowed": {
			address: func(t *testing.T) string { return startTarget(t, demotarget.Options{}).addr },
			request: func(r *CreateRequest) { r.Target.TLS.AllowPlaintext = false },
			want:    session.EndTargetSecurity, started: true,
		},
		"a pin that is none": {
			address: func(t *testing.T) string { return startTarget(t, demotarget.Options{}).addr },
			request: func(r *CreateRequest) { r.Target.TLS.Fingerprint = "zz" },
			want:    session.EndInternal, started: true,
		},
		"a protocol nobody knows": {
			address: func(t *testing.T) string { return startTarget(t, demotarget.Options{}).addr },
			request: func(r *CreateRequest) { r.Target.Protocol = "spice" },
			want:    session.EndInternal, started: true,
		},
		"RDP, and it speaks VNC": {
			address: func(t *testing.T) string { return startTarget(t, demotarget.Options{}).addr },
			request: func(r *CreateRequest) { asRDP(r) },
			want:    session.EndTargetWrongProtocol, started: true,
		},
		"RDP, and no Kerberos server answers": {
			address: func(t *testing.T) string { return listen(t, silent) },
			request: func(r *CreateRequest) {
				asRDP(r)
				r.Target.RDP.Kerberos = &config.Kerberos{Realm: "EXAMPLE.COM", KDCs: []string{"127.0.0.1:1"}}
			},
			want: session.EndTargetUnreachable, message: "no Kerberos server answers",
		},
		"no room to record": {
			address: func(t *testing.T) string { return startTarget(t, demotarget.Options{}).addr },
			manager: func(c *ManagerConfig) { c.MinFree = 1 << 62 },
			want:    session.EndSpoolFull, started: true,
		},
		"the worker exits": {
			address: func(t *testing.T) string { return listen(t, silent) },
			manager: func(c *ManagerConfig) { c.Env = []string{"VITRINE_TEST_WORKER=exit"} },
			want:    session.EndWorkerCrashed, message: "exit status 3", started: true,
		},
		"the worker says nothing": {
			address: func(t *testing.T) string { return listen(t, silent) },
			manager: func(c *ManagerConfig) {
				c.Env, c.ConnectTimeout = []string{"VITRINE_TEST_WORKER=deaf"}, time.Second
			},
			want: session.EndTargetTimeout, started: true,
		},
		"no such program": {
			address: func(t *testing.T) string { return listen(t, silent) },
			manager: func(c *ManagerConfig) { c.Executable = "/does/not/exist" }, want: session.EndInternal,
		},
		"no port": {
			address: func(t *testing.T) string { return listen(t, silent) },
			manager: func(c *ManagerConfig) {
				taken, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 14450})
				require.NoError(t, err)
				t.Cleanup(func() { taken.Close() })
				c.Ports = PortRange{14450, 14450}
			},
			want: session.EndNoPort,
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := c.address(t)
			change := c.manager
			if change == nil {
				change = func(*ManagerConfig) {}
			}
			r := newRig(t, change)
			req := request(address)
			req.Credential.Password = target.NewPassword([]byte("hunter2-not-this-one"))
			if c.request != nil {
				c.request(&req)
			}
			_, err := r.Create(t.Context(), req)
			end, ok := errors.AsType[*EndError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, c.want, end.Code, "%+v", end)
			require.Contains(t, end.Message, c.message)
			require.True(t, strings.HasSuffix(end.Message, "."), "%q is no sentence", end.Message)
			require.Empty(t, r.List())
			_, err = r.Get(req.SessionID)
			require.ErrorIs(t, err, ErrNotFound)
			if c.started {
				require.Equal(t, end.End, r.told(req.SessionID))
			} else {
				r.mu.Lock()
				require.Empty(t, r.ended, "an end was told of a session that never was")
				r.mu.Unlock()
				require.NoDirExists(t, filepath.Join(r.spool, req.SessionID))
			}
			require.NotContains(t, end.Error()+end.Message+r.log.String(), string(req.Credential.Password.Reveal()))
		})
	}
}

// TestCreateCancelled: whoever gives up waiting leaves nothing behind.
func TestCreateCancelled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte("RFB 003.008\n"))
		_, _ = c.Read(make([]byte, 1)) // the handshake has begun
		cancel()
		_, _ = io.Copy(io.Discard, c)
	}()
	req := request(l.Addr().String())
	_, err = r.Create(ctx, req)
	end, ok := errors.AsType[*EndError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, session.EndConnectCancelled, end.Code)
	require.Equal(t, end.End, r.told(req.SessionID))
}

// TestIdentity: a session's id is its own.
func TestIdentity(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s := r.create(d.addr)
	_, err := r.Create(t.Context(), func() CreateRequest { q := request(d.addr); q.SessionID = s.ID(); return q }())
	require.ErrorIs(t, err, ErrExists)
	_, err = r.Create(t.Context(), func() CreateRequest { q := request(d.addr); q.SessionID = "../../etc"; return q }())
	require.ErrorContains(t, err, "not valid")
	old := request(d.addr)
	require.NoError(t, os.Mkdir(filepath.Join(r.spool, old.SessionID), 0o700))
	_, err = r.Create(t.Context(), old)
	require.ErrorIs(t, err, ErrExists)
	require.Equal(t, 1, d.Connections())
}

// TestViewers: who may come in, and who goes.
func TestViewers(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s := r.create(d.addr)
	alice := watch(t, s, session.RoleControl)

	_, err := offer(t, s, Offer{Person: session.Person{ID: "u2", Name: "bob"}, Role: session.RoleControl, ClientAddress: "192.0.2.8"})
	require.ErrorIs(t, err, ErrControlTaken)
	bob, err := offer(t, s, Offer{Person: session.Person{ID: "u2", Name: "bob"}, Role: session.RoleView, ClientAddress: "192.0.2.8"})
	require.NoError(t, err)
	<-bob.opened
	eventually(t, "two viewers are not told", func() bool { return len(s.Snapshot().Viewers) == 2 })
	for _, sdp := range []string{"", "nonsense", "v=0\r\n", strings.Repeat("a", 100_000)} {
		_, err = s.Offer(t.Context(), Offer{Person: session.Person{ID: "u1", Name: "alice"}, Role: session.RoleView, SDP: sdp})
		require.ErrorIs(t, err, ErrOffer, "%.20q", sdp)
	}
	require.ErrorIs(t, s.AddCandidates(t.Context(), "nobody", "a=end-of-candidates"), ErrUnknownViewer)
	require.ErrorIs(t, s.AddCandidates(t.Context(), bob.id, strings.Repeat("a=candidate:x\r\n", 10_000)), ErrFragment)
	require.ErrorIs(t, s.CloseViewer(t.Context(), "nobody", "?"), ErrUnknownViewer)
	require.NoError(t, s.CloseViewer(t.Context(), bob.id, "asked to"))
	eventually(t, "the viewer is still there", func() bool { return len(s.Snapshot().Viewers) == 1 })
	alice.works(d)
}

// TestOrphan: nobody watches, so the session ends.
func TestOrphan(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t, func(c *ManagerConfig) { c.OrphanTimeout = 2 * time.Second })
	require.Equal(t, session.EndOrphaned, r.gone(r.create(d.addr)).Code)
}

// TestTargetGone: the target's end is the session's, and the viewer hears it.
func TestTargetGone(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s := r.create(d.addr)
	b := watch(t, s, session.RoleControl)
	d.Inject(demotarget.FaultClose)
	d.paint()
	require.Equal(t, session.EndTargetClosed, r.gone(s).Code)
	eventually(t, "the viewer did not hear why", b.heard("ended target_closed"))
	code, by := r.manifest(s.ID())
	require.Equal(t, []string{"target_closed", "worker"}, []string{code, by})
}

// TestHostileTarget: what a target must not send ends its own session, with words on what it was.
func TestHostileTarget(t *testing.T) {
	for fault, words := range map[demotarget.Fault]string{
		demotarget.FaultGarbage: "message", demotarget.FaultHugeText: "", demotarget.FaultOutside: "", demotarget.FaultHugeDesktop: "65535",
	} {
		d := startTarget(t, demotarget.Options{})
		r := newRig(t)
		s := r.create(d.addr)
		d.Inject(fault)
		d.paint()
		end := r.gone(s)
		require.Equal(t, session.EndTargetProtocolError, end.Code, "fault %d: %+v", fault, end)
		require.Contains(t, end.Message, words)
	}
}

func TestShutdown(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t)
	s1, s2 := r.create(d.addr), r.create(d.addr)
	require.NoError(t, r.Shutdown(t.Context()))
	require.Equal(t, session.EndShutdown, r.gone(s1).Code)
	require.Equal(t, session.EndShutdown, r.gone(s2).Code)
	_, err := r.Create(t.Context(), request(d.addr))
	require.ErrorIs(t, err, ErrShutdown)
}

// TestShutdownKills: a worker that does not end does not keep serve.
func TestShutdownKills(t *testing.T) {
	d := startTarget(t, demotarget.Options{})
	r := newRig(t, func(c *ManagerConfig) { c.PingTimeout = time.Hour })
	s := r.create(d.addr)
	require.NoError(t, syscall.Kill(s.Snapshot().PID, syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorContains(t, r.Shutdown(ctx), "1 sessions were killed")
	require.Equal(t, session.EndShutdown, r.gone(s).Code)
}

// TestShutdownWhileConnecting: a session that is not there yet does not keep serve either.
func TestShutdownWhileConnecting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	r := newRig(t)
	result := make(chan error, 1)
	go func() {
		_, err := r.Create(context.Background(), request(l.Addr().String()))
		result <- err
	}()
	c, err := l.Accept()
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, r.Shutdown(t.Context()))
	end, ok := errors.AsType[*EndError](<-result)
	require.True(t, ok)
	require.Equal(t, session.EndShutdown, end.Code)
}

func TestManagerRefuses(t *testing.T) {
	good := func() ManagerConfig {
		return ManagerConfig{SpoolRoot: t.TempDir(), Ports: PortRange{14400, 14449}, Observer: &rig{}, Logger: slog.New(slog.DiscardHandler)}
	}
	_, err := NewManager(good())
	require.NoError(t, err)
	for name, change := range map[string]func(*ManagerConfig){
		"no spool":       func(c *ManagerConfig) { c.SpoolRoot = "" },
		"no observer":    func(c *ManagerConfig) { c.Observer = nil },
		"no logger":      func(c *ManagerConfig) { c.Logger = nil },
		"ports reversed": func(c *ManagerConfig) { c.Ports = PortRange{2000, 1000} },
		"port zero":      func(c *ManagerConfig) { c.Ports = PortRange{0, 1000} },
		"sandbox":        func(c *ManagerConfig) { c.Sandbox = "somewhat" },
	} {
		c := good()
		change(&c)
		_, err := NewManager(c)
		require.Error(t, err, name)
	}
}
