package rdpclient

import (
	"errors"
	"image"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/disp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// observed compares all that the Observer has heard.
func (s *stage) observed(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.observer.mu.Lock()
	defer s.observer.mu.Unlock()
	if !slices.Equal(s.observer.events, want) {
		s.t.Errorf("observed %q, want %q", s.observer.events, want)
	}
}

// cookie is what a server gives for reconnecting.
func testCookie() *rdp.ReconnectCookie {
	return &rdp.ReconnectCookie{LogonID: 7, Random: [16]byte([]byte("cookie of secret"))}
}

func (p *peer) gives(cookie *rdp.ReconnectCookie) {
	p.t.Helper()
	info := rdp.SaveSessionInfo{Cookie: cookie}
	p.must(p.SendData(rdp.DataSaveSessionInfo, info.Append(nil)))
	synctest.Wait()
}

// TestReconnect: a connection that broke is made anew, with the cookie, and picture and input work again.
func TestReconnect(t *testing.T) {
	err := play(t, scene{Config: Config{Username: "user", Password: "pass"}, redials: true}, func(s *stage) {
		p := s.open()
		if p.Info.Reconnect != nil {
			t.Errorf("first: %+v", p.Info.Reconnect)
		}
		p.gives(testCookie())
		p.Close()
		synctest.Wait()
		s.observed("connected", "lost")
		if err := s.Send(desktop.PointerEvent{}); !errors.Is(err, desktop.ErrNotConnected) {
			t.Errorf("input without a connection: %v", err)
		}
		p = s.open()
		s.observed("connected", "lost", "restored")
		if got, want := p.Info.Reconnect, testCookie().Verifier(); got == nil || *got != *want {
			t.Errorf("reconnects with %+v", got)
		}
		if p.Info.Username != "user" || p.Info.Password != "pass" {
			t.Error("without credentials")
		}
		p.must(p.Update(bits(image.Rect(0, 0, 64, 48), codecNone, rawRows(64, 48, 32, gradient))))
		s.wants(gradient)
		p.heard()
		s.sends(desktop.PointerEvent{Pos: image.Pt(5, 6)})
		if in := p.inputs(true); !slices.Equal(in, []rdp.InputEvent{mouse(rdp.MouseMove, 5, 6)}) {
			t.Errorf("%+v", in)
		}
		// The cookie of the last connection counts, and none if the server does not take it.
		p.must(p.SendData(rdp.DataAutoReconnectFail, make([]byte, 4)))
		synctest.Wait()
		p.Close()
		p = s.open()
		if p.Info.Reconnect != nil {
			t.Errorf("after the refusal: %+v", p.Info.Reconnect)
		}
		s.observed("connected", "lost", "restored", "lost", "restored")
		s.stop()
	})
	wantEnd(t, err, errDone)
}

// TestReconnectSize: the desktop comes back in the size last asked for.
func TestReconnectSize(t *testing.T) {
	_ = play(t, scene{redials: true}, func(s *stage) {
		p := s.open()
		p.must(p.OpenDynamic(disp.ChannelName))
		p.must(p.SendDynamic(disp.ChannelName, disp.Caps{MaxNumMonitors: 1, MaxMonitorAreaFactorA: 2000, MaxMonitorAreaFactorB: 1000}.Append(nil)))
		synctest.Wait()
		if err := s.Resize(image.Pt(1024, 600)); err != nil {
			t.Fatal(err)
		}
		p.Close()
		p = s.open()
		if c := p.Asked.Core; c.Width != 1024 || c.Height != 600 {
			t.Errorf("asked for %d×%d", c.Width, c.Height)
		}
		s.stop()
	})
}

// TestGivesUp: a target that does not come back within the time ends the session with what broke it.
func TestGivesUp(t *testing.T) {
	for _, c := range []struct{ configured, want time.Duration }{{0, time.Minute}, {10 * time.Second, 10 * time.Second}, {-1, 0}} {
		var took time.Duration
		var tries int
		err := play(t, scene{Config: Config{ReconnectFor: c.configured}, redials: true}, func(s *stage) {
			p := s.open()
			s.refuse(errors.New("nobody there"))
			began := time.Now()
			p.Close()
			<-s.done
			took, tries = time.Since(began), len(s.addresses())
			if c.configured >= 0 {
				s.observed("connected", "lost")
			}
		})
		wantEnd(t, err, desktop.ErrTargetGone)
		if took != c.want {
			t.Errorf("%v: took %v", c.configured, took)
		}
		if most := int(c.want/lastRetry) + 6; tries > most || c.want > 0 && tries < 3 {
			t.Errorf("%v: %d tries", c.configured, tries)
		}
	}
}

// TestFlapping: a target that lets in and hangs up at once is not tried for ever.
func TestFlapping(t *testing.T) {
	var took time.Duration
	err := play(t, scene{redials: true}, func(s *stage) {
		began := time.Now()
		for {
			select {
			case far := <-s.lines:
				p := rdptarget.New(far, s.scene.peer)
				_ = p.Handshake()
				synctest.Wait()
				p.Close()
				continue
			case <-s.done:
			}
			break
		}
		took = time.Since(began)
	})
	wantEnd(t, err, desktop.ErrTargetGone)
	if took != defaultReconnect {
		t.Errorf("took %v", took)
	}
}

// TestReconnectStops: the person who ends the session does not wait for the target.
func TestReconnectStops(t *testing.T) {
	var took time.Duration
	err := play(t, scene{redials: true}, func(s *stage) {
		p := s.open()
		s.refuse(errors.New("nobody there"))
		p.Close()
		time.Sleep(time.Second)
		began := time.Now()
		s.stop()
		took = time.Since(began)
	})
	wantEnd(t, err, errDone)
	if took != 0 {
		t.Errorf("took %v", took)
	}
}

// TestReconnectElsewhere: whoever shows another certificate than before does not get the session, even if the first one was
// taken without knowing it.
func TestReconnectElsewhere(t *testing.T) {
	other := newPeerCert("peer.test")
	for name, policy := range map[string]trust.Policy{"pinned": {}, "trusted first": {TrustFirst: true}} {
		t.Run(name, func(t *testing.T) {
			err := play(t, scene{Config: Config{TLS: policy, Username: "user", Password: "pass"}, redials: true}, func(s *stage) {
				p := s.open()
				p.gives(testCookie())
				p.Close()
				stranger := s.acceptAs(rdptarget.Options{Certificate: other.TLS})
				if err := stranger.Handshake(); err == nil || stranger.Info.Username != "" {
					t.Errorf("the stranger got %v", err)
				}
				<-s.done
			})
			wantEnd(t, err, desktop.ErrCertificate)
		})
	}
}

// TestReconnectRefused: an answer that is not silence ends the session.
func TestReconnectRefused(t *testing.T) {
	err := play(t, scene{redials: true}, func(s *stage) {
		p := s.open()
		p.Close()
		p = s.acceptAs(rdptarget.Options{Confirm: func(c *rdp.ConnectionConfirm) { c.Failure = rdp.FailureHybridRequired }})
		_ = p.Handshake()
		<-s.done
	})
	wantEnd(t, err, desktop.ErrSecurity)
}

// TestHeartbeat: a target that promised to be heard and is not has gone; one that never promised may be silent.
func TestHeartbeat(t *testing.T) {
	_ = play(t, scene{redials: true}, func(s *stage) {
		p := s.open()
		time.Sleep(time.Hour)
		s.observed("connected")
		beat := rdp.Heartbeat{Period: 5, Warn: 2, Reconnect: 4}
		for range 100 {
			p.must(p.SendOn(p.MessageChannel, beat.Append(nil)))
			time.Sleep(5 * time.Second)
		}
		s.observed("connected")
		time.Sleep(16 * time.Second)
		s.observed("connected", "lost")
		s.open()
		s.observed("connected", "lost", "restored")
		s.stop()
	})
}

// TestReasons: a target that says why it ends is believed and left alone, whether or not it then says goodbye.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		info rdp.ErrorInfo
		want error
		text string
	}{
		{rdp.ErrorInfoIdleTimeout, desktop.ErrEnded, "idle"},
		{rdp.ErrorInfoLogonTimeout, desktop.ErrEnded, "time limit"},
		{rdp.ErrorInfoLogoffByUser, desktop.ErrEnded, "logged off"},
		{rdp.ErrorInfoLogoffByAdmin, desktop.ErrEnded, "administrator"},
		{rdp.ErrorInfoDisconnectByAdmin, desktop.ErrEnded, "administrator"},
		{rdp.ErrorInfoOtherConnection, desktop.ErrEnded, "another connection"},
		{0x102, desktop.ErrEnded, "no client access licence"},
		{0x10f4, desktop.ErrEnded, "0x10f4"},
		{0x7777, desktop.ErrEnded, "0x7777"},
		{rdp.ErrorInfoServerDenied, desktop.ErrAuth, "denied"},
		{rdp.ErrorInfoInsufficientPrivilege, desktop.ErrAuth, "may not sign in remotely"},
		{rdp.ErrorInfoFreshCredentials, desktop.ErrAuth, "credentials"},
	} {
		for _, goodbye := range []bool{true, false} {
			err := play(t, scene{redials: true}, func(s *stage) {
				p := s.open()
				if goodbye {
					p.must(p.Disconnect(c.info))
				} else {
					p.must(p.SendData(rdp.DataSetErrorInfo, c.info.Append(nil)))
					synctest.Wait()
					p.Close()
				}
				<-s.done
				if got := s.addresses(); len(got) != 0 {
					t.Errorf("%v: dialled %q", c.info, got)
				}
			})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%#x: %v, want %v with %q", uint32(c.info), err, c.want, c.text)
			}
		}
	}
	if err := play(t, scene{redials: true}, func(s *stage) {
		p := s.open()
		p.must(p.Disconnect(rdp.ErrorInfoNone))
		<-s.done
		if got := s.addresses(); len(got) != 0 {
			t.Errorf("in good order: dialled %q", got)
		}
	}); err != nil {
		t.Errorf("in good order: %v", err)
	}
}

// elsewhere is a redirection as a connection broker sends it.
func elsewhere() rdp.Redirection {
	return rdp.Redirection{
		SessionID: 42, Username: "broker user", Domain: "BROKER", Password: wire.AppendUTF16(nil, "broker password\x00"),
		TargetNetAddress: "192.0.2.7", TargetFQDN: "second.test",
		Flags: rdp.RedirectUsername | rdp.RedirectDomain | rdp.RedirectPassword | rdp.RedirectTargetNetAddress | rdp.RedirectTargetFQDN,
	}
}

func (p *peer) redirects(to rdp.Redirection) {
	p.t.Helper()
	p.must(p.SendShare(rdp.ShareRedirection, to.Append([]byte{0, 0})))
}

// TestRedirection: the client follows to another address, or to the same with a routing token, and signs in as it is told.
func TestRedirection(t *testing.T) {
	for _, balanced := range []bool{false, true} {
		to, want := elsewhere(), "192.0.2.7:3389"
		if balanced {
			to.LoadBalanceInfo, want = []byte("Cookie: msts=1.2.3\r\n"), ""
			to.Flags |= rdp.RedirectLoadBalanceInfo
		}
		for _, before := range []bool{true, false} {
			_ = play(t, scene{Config: Config{Domain: "CORP", Username: "user", Password: "pass"}, redials: true}, func(s *stage) {
				p := s.accept()
				if before {
					p.must(p.Until("demand"))
				} else {
					p.opens()
					p.gives(testCookie())
				}
				p.redirects(to)
				p = s.open()
				if got := s.addresses(); !slices.Equal(got, []string{want}) {
					t.Errorf("dialled %q, want %q", got, want)
				}
				if got := string(p.Request.RoutingToken); balanced && got != "Cookie: msts=1.2.3" || !balanced && got != "" {
					t.Errorf("routing token %q", got)
				}
				if p.Info.Username != "broker user" || p.Info.Domain != "BROKER" || p.Info.Password != "broker password" {
					t.Errorf("signs in as %q of %q", p.Info.Username, p.Info.Domain)
				}
				if p.Asked.RedirectedSession != 42 || p.Info.Reconnect != nil {
					t.Errorf("session %d, reconnect %+v", p.Asked.RedirectedSession, p.Info.Reconnect)
				}
				if !s.observer.has("connected") {
					t.Error("no desktop")
				}
				// A connection that breaks now is made anew where it was.
				p.Close()
				s.open()
				if got := s.addresses(); !slices.Equal(got, []string{want, want}) {
					t.Errorf("dialled %q, want %q twice", got, want)
				}
				s.stop()
			})
		}
	}
}

// TestRedirectionRefused: where the gateway may not dial, or cannot, or not with what it is told.
func TestRedirectionRefused(t *testing.T) {
	encrypted := elsewhere()
	encrypted.Flags |= rdp.RedirectPasswordEncrypted
	for name, c := range map[string]struct {
		to      rdp.Redirection
		redials bool
		refused error
		want    error
	}{
		"not allowed":        {to: elsewhere(), want: desktop.ErrSecurity},
		"encrypted password": {to: encrypted, redials: true, want: desktop.ErrSecurity},
		"nobody there":       {to: elsewhere(), redials: true, refused: errors.New("nobody there"), want: desktop.ErrTargetGone},
	} {
		t.Run(name, func(t *testing.T) {
			err := play(t, scene{redials: c.redials}, func(s *stage) {
				p := s.accept()
				p.must(p.Until("demand"))
				s.refuse(c.refused)
				p.redirects(c.to)
				<-s.done
			})
			wantEnd(t, err, c.want)
			if text := err.Error(); strings.Contains(text, "broker password") || strings.Contains(text, "broker user") {
				t.Errorf("%q tells what it should not", text)
			}
		})
	}
}

// TestRedirectionLoop: servers that send the client round and round are left.
func TestRedirectionLoop(t *testing.T) {
	err := play(t, scene{redials: true}, func(s *stage) {
		for range 10 {
			select {
			case far := <-s.lines:
				p := &peer{Conn: rdptarget.New(far, s.scene.peer), t: t}
				p.must(p.Until("demand"))
				p.redirects(elsewhere())
				synctest.Wait()
				continue
			case <-s.done:
			}
			break
		}
	})
	wantEnd(t, err, desktop.ErrProtocol)
	if !strings.Contains(err.Error(), "4 times") {
		t.Error(err)
	}
}

// TestRedirectionName: with an authority the machine redirected to must be who the redirection says.
func TestRedirectionName(t *testing.T) {
	for _, name := range []string{"second.test", "peer.test"} {
		first, second := peerCertIn(t, "peer.test"), peerCertIn(t, name)
		pool := first.Pool.Clone()
		pool.AppendCertsFromPEM(second.CertPEM)
		err := play(t, scene{
			Config: Config{TLS: trust.Policy{Roots: pool, ServerName: "peer.test"}}, peer: rdptarget.Options{Certificate: first.TLS}, redials: true,
		}, func(s *stage) {
			p := s.accept()
			p.must(p.Until("demand"))
			p.redirects(elsewhere())
			p = s.acceptAs(rdptarget.Options{Certificate: second.TLS, Size: image.Pt(64, 48)})
			if err := p.Handshake(); (err == nil) != (name == "second.test") {
				t.Errorf("%s: %v", name, err)
			}
			if name == "second.test" {
				s.stop()
			}
			<-s.done
		})
		if name == "peer.test" {
			wantEnd(t, err, desktop.ErrCertificate)
		}
	}
}
