package rdpclient

import (
	"bytes"
	"errors"
	"image"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/cliprdr"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// withNLA is a scene in which the user signs in by network level authentication.
func withNLA() scene {
	return scene{
		Config: Config{Security: SecurityNLA, Username: "user", Password: "pass"},
		peer:   rdptarget.Options{Protocol: rdp.ProtocolHybridEx, Users: map[string]desktop.Secret{"user": "pass"}},
	}
}

// phases are the names of those of a handshake.
func phases() []string {
	var names []string
	for _, p := range rdptarget.New(nil, rdptarget.Options{}).Phases() {
		names = append(names, p.Name)
	}
	return names
}

// TestSilence: a server that says nothing, at whatever point of the handshake, is given up when its time is over.
func TestSilence(t *testing.T) {
	for _, phase := range phases() {
		t.Run(phase, func(t *testing.T) {
			sc := withNLA()
			sc.HandshakeTimeout = 5 * time.Second
			var took time.Duration
			err := play(t, sc, func(s *stage) {
				p := s.accept()
				p.must(p.Until(phase))
				go p.Drain()
				began := time.Now()
				<-s.done
				took = time.Since(began)
			})
			wantEnd(t, err, desktop.ErrTimeout)
			if took != 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestTrickle: neither does it help to say a little now and then.
func TestTrickle(t *testing.T) {
	var took time.Duration
	err := play(t, scene{}, func(s *stage) {
		p := s.accept()
		p.must(p.Until("demand"))
		go p.Drain()
		began := time.Now()
		for range 1000 {
			if err := p.SendOn(4711, []byte("for nobody")); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		<-s.done
		took = time.Since(began)
	})
	wantEnd(t, err, desktop.ErrTimeout)
	if took > defaultHandshake+time.Second {
		t.Errorf("took %v", took)
	}
}

// TestHangsUp: a server that closes the connection, at whatever point of the handshake. During network level authentication
// that is an answer to who signs in.
func TestHangsUp(t *testing.T) {
	for _, phase := range phases() {
		t.Run(phase, func(t *testing.T) {
			err := play(t, withNLA(), func(s *stage) {
				p := s.accept()
				p.must(p.Until(phase))
				p.Close()
				synctest.Wait()
			})
			if phase == "nla" {
				if !errors.Is(err, desktop.ErrAuth) && !errors.Is(err, desktop.ErrTargetGone) {
					t.Fatal(err)
				}
				return
			}
			wantEnd(t, err, desktop.ErrTargetGone)
		})
	}
}

// cutter is a connection of which the far end sees n bytes.
type cutter struct {
	net.Conn
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if len(b) >= c.left {
		_, _ = c.Conn.Write(b[:c.left])
		c.left = 0
		c.Close()
		return 0, io.ErrClosedPipe
	}
	c.left -= len(b)
	return c.Conn.Write(b)
}

// TestCutOnTheWire: the connection breaks after any number of bytes of the server, in clear, of the TLS handshake, or within
// TLS.
func TestCutOnTheWire(t *testing.T) {
	if testing.Short() {
		t.Skip("many handshakes")
	}
	for n := 0; n < 3500; n++ {
		if n > 24 {
			n += 96 // a step that is prime with the first part
		}
		ended := false
		err := play(t, withNLA(), func(s *stage) {
			far := <-s.lines
			p := rdptarget.New(&cutter{far, n}, s.scene.peer)
			ended = p.Handshake() == nil
			if ended {
				s.cancel(errDone)
			}
			<-s.done
		})
		if ended {
			if n < 2000 {
				t.Fatalf("a handshake of %d bytes", n)
			}
			return
		}
		if !errors.Is(err, desktop.ErrTargetGone) && !errors.Is(err, desktop.ErrAuth) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

// TestCutWithinTLS: the connection breaks after any number of bytes within TLS. The same without TLS, so that every byte has
// its turn.
func TestCutWithinTLS(t *testing.T) {
	said := sessionBytes(t)
	for n := range said {
		err := replay(t, Config{}, said[:n], nil)
		if !errors.Is(err, desktop.ErrTargetGone) {
			t.Fatalf("after %d of %d bytes: %v", n, len(said), err)
		}
	}
	if err := replay(t, Config{}, said, nil); err != nil {
		t.Fatal(err)
	}
}

// sessionBytes is what a server says within TLS in a session that has a little of everything.
func sessionBytes(t *testing.T) []byte {
	t.Helper()
	var tap bytes.Buffer
	err := play(t, scene{peer: rdptarget.Options{Tap: &tap}}, func(s *stage) {
		p := s.open()
		p.must(p.Update(rdp.Update{Code: rdp.UpdateBitmap, Data: rdp.AppendBitmaps(nil, []rdp.Bitmap{
			{Dest: image.Rect(0, 0, 8, 8), Width: 8, Height: 8, BitsPerPixel: 32, Compressed: true, Data: compressed(t, 8, 8, 32, gradient)},
		})}))
		p.must(p.Update(bits(image.Rect(0, 0, 4, 4), codecNone, make([]byte, 64))))
		small := shape(2, 4, 24)
		p.must(p.Update(rdp.Update{Code: rdp.UpdatePointerColor, Data: small.Append(rdp.UpdatePointerColor, nil)}))
		_, err := p.Write(graphics())
		p.must(err)
		info := rdp.SaveSessionInfo{Cookie: &rdp.ReconnectCookie{LogonID: 5}}
		p.must(p.SendData(rdp.DataSaveSessionInfo, info.Append(nil)[:42]))
		p.must(p.Disconnect(rdp.ErrorInfoNone))
		synctest.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
	return tap.Bytes()
}

// TestCertificates: who is not the target learns nothing.
func TestCertificates(t *testing.T) {
	other := newPeerCert("other.test")
	for name, c := range map[string]struct {
		policy func(cert *testbed.Cert) trust.Policy // cert is for peer.test
		text   string                                // of the error; empty is none
	}{
		"pinned":             {func(c *testbed.Cert) trust.Policy { return trust.Policy{Fingerprint: c.Fingerprint} }, ""},
		"another is pinned":  {func(*testbed.Cert) trust.Policy { return trust.Policy{Fingerprint: other.Fingerprint} }, "the expected one is"},
		"authority":          {func(c *testbed.Cert) trust.Policy { return trust.Policy{Roots: c.Pool, ServerName: "peer.test"} }, ""},
		"unknown authority":  {func(*testbed.Cert) trust.Policy { return trust.Policy{Roots: other.Pool, ServerName: "peer.test"} }, "authority"},
		"wrong name":         {func(c *testbed.Cert) trust.Policy { return trust.Policy{Roots: c.Pool, ServerName: "elsewhere.test"} }, "elsewhere.test"},
		"no name to look at": {func(c *testbed.Cert) trust.Policy { return trust.Policy{Roots: c.Pool} }, "no name"},
		"trusted first":      {func(*testbed.Cert) trust.Policy { return trust.Policy{TrustFirst: true} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cert := peerCertIn(t, "peer.test")
			var info rdp.ClientInfo
			err := play(t, scene{
				Config: Config{TLS: c.policy(cert), Username: "user", Password: "pass"}, peer: rdptarget.Options{Certificate: cert.TLS},
			}, func(s *stage) {
				p := s.accept()
				if err := p.Handshake(); err == nil != (c.text == "") {
					t.Errorf("handshake: %v", err)
				}
				info = p.Info
			})
			if c.text == "" {
				wantEnd(t, err, desktop.ErrTargetGone)
				return
			}
			wantEnd(t, err, desktop.ErrCertificate)
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q does not tell of %q", err, c.text)
			}
			if info.Username != "" {
				t.Error("the server was told who signs in")
			}
		})
	}
}

// TestNotReading: a target that reads nothing ends the session, whether a person types or it asks without end.
func TestNotReading(t *testing.T) {
	var took time.Duration
	deaf := func(fn func(s *stage, p *peer)) error {
		return play(t, scene{}, func(s *stage) {
			p := s.accept()
			p.must(p.Handshake()) // and nobody listens
			synctest.Wait()
			began := time.Now()
			fn(s, p)
			<-s.done
			took = time.Since(began)
		})
	}
	err := deaf(func(s *stage, _ *peer) {
		for s.Send(desktop.TextInput{Text: strings.Repeat("x", 1000)}) == nil {
		}
	})
	wantEnd(t, err, desktop.ErrTimeout)
	if took > writeTimeout+time.Second {
		t.Errorf("took %v", took)
	}
	q := rdp.RTTRequest{}
	flood := bytes.Repeat(mcs(testMessage, q.Append(nil)), 1000)
	err = deaf(func(_ *stage, p *peer) {
		for {
			if _, err := p.Write(flood); err != nil {
				return
			}
		}
	})
	wantEnd(t, err, desktop.ErrProtocol)
	if took > writeTimeout+time.Second {
		t.Errorf("took %v", took)
	}
}

// TestClipboardNonsense is passed over: messages do not depend on each other. So is a text that is too long.
func TestClipboardNonsense(t *testing.T) {
	cfg := Config{}
	cfg.Clipboard.FromTarget = true
	_ = play(t, scene{Config: cfg}, func(s *stage) {
		p := s.open()
		for _, b := range [][]byte{
			{},
			{1},
			cat(uint16(0x77), uint16(0), uint32(0)), cat(uint16(cliprdr.TypeFormatList), uint16(0), uint32(0xffffffff), marker),
			cat(uint16(cliprdr.TypeCapabilities), uint16(0), uint32(4), uint16(65535), uint16(0)),
			cat(uint16(cliprdr.TypeFormatDataResponse), uint16(cliprdr.FlagResponseOK), uint32(0x7fffffff), marker),
			make([]byte, cliprdr.MaxMessageBytes+1000),
		} {
			p.must(p.SendStatic(cliprdr.ChannelName, b))
		}
		p.must(p.SendStatic(cliprdr.ChannelName, cliprdr.AppendMonitorReady(nil)))
		heard := p.heard()
		if last := heard[len(heard)-1]; last.Kind != rdptarget.Static || p.gone() {
			t.Errorf("%+v, gone %v", last, p.gone())
		}
		if log := s.log.String(); strings.Contains(log, marker) {
			t.Errorf("the log quotes what was sent:\n%s", log)
		}
	})
}

// TestOrphans: data and closes for dynamic channels there are not, and more names than anybody needs.
func TestOrphans(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		p.must(p.OpenDynamic("URBDRC"))
		for id := range uint32(2000) {
			_, err := p.Write(append(whole(dynamicData(id+100, []byte(marker))), whole(0x40, byte(id))...))
			p.must(err)
		}
		p.must(p.Update(bits(image.Rect(0, 0, 64, 48), codecNone, rawRows(64, 48, 32, gradient))))
		s.wants(gradient)
	})
}
