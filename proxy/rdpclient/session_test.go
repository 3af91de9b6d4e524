package rdpclient

import (
	"image"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/cliprdr"
	"github.com/vitrine-psm/vitrine/proxy/rdp/disp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
)

// TestActivation: what the client says of itself until the desktop is there.
func TestActivation(t *testing.T) {
	err := play(t, scene{Config: Config{
		Domain: "CORP", Username: "user", Password: "secret", Size: image.Pt(1023, 700), ColorDepth: 16, KeyboardLayout: 0x407,
		LoadBalanceInfo: []byte("tsv://broker"),
	}}, func(s *stage) {
		p := s.accept()
		if err := s.Send(desktop.PointerEvent{}); err != desktop.ErrNotConnected { //nolint:errorlint // bare
			t.Errorf("input before the desktop: %v", err)
		}
		p.opens()
		if !s.observer.has("connected") || s.fb.Size() != image.Pt(64, 48) {
			t.Errorf("observed %q, desktop of %v", s.observer.events, s.fb.Size())
		}
		if string(p.Request.RoutingToken) != "tsv://broker" || p.Request.Cookie != "" {
			t.Errorf("routing token %q, cookie %q", p.Request.RoutingToken, p.Request.Cookie)
		}
		core := p.Asked.Core
		if core.Width != 1020 || core.Height != 700 || core.KeyboardLayout != 0x407 || core.ClientName != "vitrine" ||
			core.HighColorDepth != 16 || core.EarlyCapabilities&rdp.Want32BPPSession != 0 || core.SelectedProtocol != rdp.ProtocolTLS {
			t.Errorf("core %+v", core)
		}
		want := []uint16{p.IO, p.MessageChannel, p.User}
		for _, name := range []string{dvc.ChannelName} {
			id, _ := p.Channel(name)
			want = append(want, id)
		}
		slices.Sort(want)
		if !slices.Equal(p.Joined, want) {
			t.Errorf("joined %v, want %v", p.Joined, want)
		}
		if p.Info.Domain != "CORP" || p.Info.Username != "user" || p.Info.Password != "secret" || p.Info.Flags&rdp.InfoAutoLogon == 0 ||
			p.Info.Flags&rdp.InfoCompression != 0 || p.Info.Reconnect != nil {
			t.Errorf("flags %#x, reconnect %v", p.Info.Flags, p.Info.Reconnect)
		}
		if c, ok := rdp.FindCapability[*rdp.BitmapCapability](p.Confirmed.Capabilities); !ok || c.Width != 64 || c.Height != 48 {
			t.Errorf("bitmap capability %+v", c)
		}
		if c, ok := rdp.FindCapability[*rdp.VirtualChannelCapability](p.Confirmed.Capabilities); !ok || c.Flags != 0 {
			t.Errorf("channel capability %+v", c)
		}
	})
	wantEnd(t, err, desktop.ErrTargetGone)
}

// TestNeverOpened: no channel but those of the clipboard and the dynamic ones is asked for, the former only where text may
// go; dynamic channels of devices are refused; and updates are never forbidden.
func TestNeverOpened(t *testing.T) {
	for _, clipboard := range []bool{false, true} {
		cfg := Config{}
		cfg.Clipboard.FromTarget = clipboard
		want := []string{dvc.ChannelName}
		if clipboard {
			want = append(want, cliprdr.ChannelName)
		}
		_ = play(t, scene{Config: cfg}, func(s *stage) {
			p := s.open()
			var asked []string
			for _, c := range p.Asked.Channels {
				asked = append(asked, c.Name)
			}
			if !slices.Equal(asked, want) {
				t.Errorf("asked for %q, want %q", asked, want)
			}
			heard := p.heard()
			for _, name := range []string{"rdpdr", "rdpsnd", "AUDIO_PLAYBACK_DVC", "FileRedirectorChannel", "URBDRC"} {
				p.must(p.OpenDynamic(name))
				answer := p.heard()
				if len(answer) != 1 || answer[0].Kind != rdptarget.Answered || answer[0].Status >= 0 {
					t.Errorf("%s: %+v", name, answer)
				}
			}
			p.must(p.Update(bits(image.Rect(0, 0, 4, 4), codecNone, make([]byte, 64))))
			time.Sleep(10 * time.Minute)
			for _, e := range append(heard, p.heard()...) {
				if e.Data == rdp.DataSuppressOutput {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// TestReactivation: the target ends the share and demands another with a desktop of another size and other abilities.
func TestReactivation(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		p.must(p.Update(bits(image.Rect(0, 0, 64, 48), codecNone, rawRows(64, 48, 32, gradient))))
		s.wants(gradient)
		p.heard()
		p.must(p.Deactivate())
		// Late pixels of the old share are of no desktop.
		p.must(p.Update(bits(image.Rect(0, 0, 4, 4), codecNone, make([]byte, 64))))
		s.wants(gradient)
		p.must(p.Demand(image.Pt(100, 80)))
		heard := p.heard()
		if len(heard) != 5 || heard[0].Kind != rdptarget.Confirmed || heard[4].Data != rdp.DataFontList {
			t.Fatalf("%+v, want a Confirm Active and four PDUs", heard)
		}
		if p.Confirmed.ShareID != p.ShareID {
			t.Errorf("share %#x, want %#x", p.Confirmed.ShareID, p.ShareID)
		}
		p.must(p.Finalize())
		p.must(p.Update(bits(image.Rect(90, 70, 100, 80), codecNone, rawRows(10, 10, 32, func(int, int) int { return 0xabcdef }))))
		synctest.Wait()
		if got := s.fb.Size(); got != image.Pt(100, 80) {
			t.Fatalf("desktop of %v", got)
		}
		// What showed stays until it is drawn over.
		s.wants(within(image.Rect(90, 70, 100, 80), 0xabcdef, func(x, y int) int {
			if x < 64 && y < 48 {
				return gradient(x, y)
			}
			return 0
		}))
		s.sends(desktop.PointerEvent{Pos: image.Pt(99, 79)})
		if in := p.inputs(true); len(in) != 1 || in[0].X != 99 || in[0].Y != 79 {
			t.Errorf("%+v", in)
		}
	})
}

// TestSeveralPDUs: servers put several share PDUs, and flow PDUs, into one MCS PDU.
func TestSeveralPDUs(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		flow := cat(uint16(0x8000), uint16(0x41), uint16(0), uint16(rdptargetUser))
		b := p.ShareData(rdp.DataPlaySound, make([]byte, 8))
		b = append(b, flow...)
		b = append(b, p.ShareData(rdp.DataUpdate, rdp.AppendBitmaps(nil, []rdp.Bitmap{{
			Dest: image.Rect(0, 0, 4, 4), Width: 4, Height: 4, BitsPerPixel: 32, Data: rawRows(4, 4, 32, func(int, int) int { return 0x010203 }),
		}}))...)
		b = append(b, flow...)
		p.must(p.SendOn(p.IO, b))
		p.must(p.SendOn(p.IO, flow))
		s.wants(within(image.Rect(0, 0, 4, 4), 0x010203, black))
		if !s.observer.has("bell") {
			t.Error("no bell")
		}
	})
}

const rdptargetUser = 1002

// TestIgnored: what a server may say and nobody needs.
func TestIgnored(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		for _, kind := range []rdp.DataKind{
			rdp.DataStatusInfo, rdp.DataMonitorLayout, rdp.DataKeyboardIndicator, rdp.DataKeyboardIME, rdp.DataShutdownDenied, 0x66,
		} {
			p.must(p.SendData(kind, make([]byte, 12)))
		}
		p.must(p.SendData(rdp.DataSetErrorInfo, rdp.ErrorInfoNone.Append(nil)))
		p.must(p.SendOn(4000, []byte("for a channel that was never given")))
		p.must(p.SendOn(p.MessageChannel, rdp.AppendSecurityHeader(nil, 0x0100))) // multitransport
		stay := rdp.Redirection{Flags: rdp.RedirectNoRedirect}
		p.must(p.SendShare(rdp.ShareRedirection, stay.Append([]byte{0, 0})))
		p.must(p.Update(bits(image.Rect(0, 0, 4, 4), codecNone, rawRows(4, 4, 32, func(int, int) int { return 0x010203 }))))
		s.wants(within(image.Rect(0, 0, 4, 4), 0x010203, black))
	})
}

// TestBells: a target that rings without end is heard once a second.
func TestBells(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		for range 35 {
			p.must(p.SendData(rdp.DataPlaySound, make([]byte, 8)))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := strings.Count(strings.Join(s.observer.events, " "), "bell"); n != 4 {
			t.Errorf("%d bells in 3.5 seconds", n)
		}
	})
}

// TestRoundTrip: requests on the message channel are answered, before and after the desktop is there.
func TestRoundTrip(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		p.heard()
		q := rdp.RTTRequest{Sequence: 513}
		p.must(p.SendOn(p.MessageChannel, q.Append(nil)))
		heard := p.heard()
		if len(heard) != 1 || heard[0].Kind != rdptarget.Message || !slices.Equal(heard[0].Body, rdp.AppendRTTResponse(nil, 513)) {
			t.Errorf("%+v", heard)
		}
	})
	_ = play(t, scene{}, func(s *stage) {
		p := s.accept()
		p.must(p.Until("license"))
		q := rdp.RTTRequest{Sequence: 514}
		p.must(p.SendOn(p.MessageChannel, q.Append(nil)))
		for _, phase := range p.Phases()[7:] {
			p.must(phase.Receive())
			p.must(phase.Answer())
		}
		synctest.Wait()
		if !s.observer.has("connected") {
			t.Error("no desktop")
		}
	})
}

// TestResize asks the target for another size by the display control channel.
func TestResize(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		p.heard()
		if err := s.Resize(image.Pt(801, 600)); err == nil {
			t.Error("asked without a channel")
		}
		p.must(p.OpenDynamic(disp.ChannelName))
		p.must(p.SendDynamic(disp.ChannelName, disp.Caps{MaxNumMonitors: 1, MaxMonitorAreaFactorA: 2000, MaxMonitorAreaFactorB: 1000}.Append(nil)))
		p.heard()
		if err := s.Resize(image.Pt(801, 600)); err != nil {
			t.Fatal(err)
		}
		heard := p.heard()
		var layout disp.Layout
		if len(heard) != 1 || layout.Decode(heard[0].Body) != nil || len(layout.Monitors) != 1 ||
			layout.Monitors[0].Bounds() != image.Rect(0, 0, 800, 600) {
			t.Fatalf("%+v: %+v", heard, layout)
		}
		if err := s.Resize(image.Pt(8000, 8000)); err == nil {
			t.Error("asked for more than the target takes")
		}
		if heard := p.heard(); len(heard) != 0 {
			t.Errorf("%+v", heard)
		}
	})
}

// TestClipboard passes text both ways, and only where it may go.
func TestClipboard(t *testing.T) {
	type ways struct{ to, from bool }
	for _, way := range []ways{{true, true}, {true, false}, {false, true}} {
		cfg := Config{}
		cfg.Clipboard.ToTarget, cfg.Clipboard.FromTarget = way.to, way.from
		_ = play(t, scene{Config: cfg}, func(s *stage) {
			p := s.open()
			p.heard()
			say := func(b []byte) []rdptarget.Event {
				p.must(p.SendStatic(cliprdr.ChannelName, b))
				return p.heard()
			}
			say(cliprdr.Capabilities{Version: cliprdr.Version2, Flags: cliprdr.CapUseLongFormatNames}.Append(nil))
			say(cliprdr.AppendMonitorReady(nil))
			// From the target.
			text := cliprdr.FormatList{Formats: []cliprdr.Format{{ID: cliprdr.FormatUnicodeText}}}
			heard := say(text.Append(nil, true))
			fetched := slices.ContainsFunc(heard, func(e rdptarget.Event) bool {
				h, _, _ := cliprdr.DecodeHeader(e.Body)
				return h.Type == cliprdr.TypeFormatDataRequest
			})
			if fetched != way.from {
				t.Errorf("%+v: text asked for: %v", way, fetched)
			}
			say(cliprdr.FormatDataResponse{OK: true, Data: cat(uint16('h'), uint16('i'), uint16(0))}.Append(nil))
			if got := s.observer.has("clipboard hi"); got != way.from {
				t.Errorf("%+v: text came: %v", way, got)
			}
			// To the target.
			if err := s.Send(desktop.ClipboardText{Text: "ours"}); (err == nil) != way.to {
				t.Errorf("%+v: offered: %v", way, err)
			}
			p.heard()
			heard = say(cliprdr.FormatDataRequest{FormatID: cliprdr.FormatUnicodeText}.Append(nil))
			var answer cliprdr.FormatDataResponse
			if len(heard) != 1 || answer.Decode(heard[0].Body) != nil || answer.OK != way.to {
				t.Fatalf("%+v: %+v", way, heard)
			}
			if want := cat(uint16('o'), uint16('u'), uint16('r'), uint16('s'), uint16(0)); way.to && !slices.Equal(answer.Data, want) {
				t.Errorf("% x", answer.Data)
			}
		})
	}
}

// TestFarewell: a target that ends in good order and gives no reason leaves no error.
func TestFarewell(t *testing.T) {
	if err := play(t, scene{}, func(s *stage) {
		p := s.open()
		p.must(p.Disconnect(rdp.ErrorInfoNone))
		synctest.Wait()
		if err := s.Send(desktop.PointerEvent{}); err != desktop.ErrNotConnected { //nolint:errorlint // bare
			t.Errorf("input after the end: %v", err)
		}
	}); err != nil {
		t.Error(err)
	}
}

// TestRunTwice: a Client serves one session.
func TestRunTwice(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		s.open()
		near := s.line()
		if err := s.Run(t.Context(), near, s.fb); err == nil {
			t.Error("Run was called twice")
		}
		if _, err := near.Write([]byte{0}); err == nil {
			t.Error("the connection is still open")
		}
	})
}
