package webrtcserver

import (
	"fmt"
	"image"
	"image/color"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestHelloAndPushes(t *testing.T) {
	s := newSession(t)
	s.SetName("early")
	s.SetState(StateFrozen, "supervisor", "Frozen by carol.")
	b := s.join(alice, RoleControl)
	hello := b.hear(channelControl, "hello")
	require.Equal(t, map[string]any{
		"t": "hello", "viewer": b.id, "role": "control", "session": "s1", "width": 1280.0, "height": 720.0,
		"name": "early", "resizable": true,
	}, hello)
	require.Equal(t, map[string]any{
		"t": "state", "state": "frozen", "code": "supervisor", "message": "Frozen by carol.",
	}, b.hear(channelControl, "state"))
	require.Equal(t, map[string]any{"t": "cursor", "hidden": false, "hx": 0.0, "hy": 0.0, "w": 0.0, "h": 0.0},
		b.hear(channelControl, "cursor"))

	s.Bell()
	b.hear(channelControl, "bell")
	s.SetName("bad \xff name")
	require.Equal(t, "bad \ufffd name", b.hear(channelControl, "name")["name"])
	s.Notice(LevelWarning, "<careful>")
	require.Equal(t, map[string]any{"t": "notice", "level": "warning", "message": "<careful>"},
		b.hear(channelControl, "notice"))
	b.say(channelControl, `{"t":"ping","id":7}`)
	require.Equal(t, map[string]any{"t": "pong", "id": 7.0, "fps": 24.0, "kbps": 812.0}, b.hear(channelControl, "pong"))

	s.video.show(unit(0, 12, 4, 20, 300))
	require.Equal(t, 1280.0, b.hear(channelControl, "size")["width"])
	bigger := unit(1, 12, 4, 20, 300)
	bigger.Width, bigger.Height = 1600, 900
	s.video.show(bigger)
	require.Equal(t, map[string]any{"t": "size", "width": 1600.0, "height": 900.0}, b.hear(channelControl, "size"))

	require.Equal(t, []Viewer{{ID: b.id, Person: alice, Role: RoleControl, Address: "192.0.2.7"}}, s.Viewers())
}

func TestCursorArrives(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleView)
	b.hear(channelControl, "cursor")
	shape := image.NewNRGBA(image.Rect(0, 0, 5, 3))
	shape.SetNRGBA(1, 2, color.NRGBA{R: 255, G: 10, B: 20, A: 1}) // an edge: almost transparent, colour kept
	require.NoError(t, s.screen.SetCursor(shape, image.Pt(1, 2), false))
	m := b.hear(channelControl, "cursor")
	require.Equal(t, []any{5.0, 3.0, 1.0, 2.0, false}, []any{m["w"], m["h"], m["hx"], m["hy"], m["hidden"]})
	require.Equal(t, shape.Pix, decodePNG(t, m["png"].(string)).Pix)

	require.NoError(t, s.screen.SetCursor(nil, image.Point{}, true))
	require.Equal(t, true, b.hear(channelControl, "cursor")["hidden"])

	late := s.join(bob, RoleView)
	require.Equal(t, true, late.hear(channelControl, "cursor")["hidden"])
}

func TestControlIsTakenOverByTheSamePerson(t *testing.T) {
	s := newSession(t)
	first := s.join(alice, RoleControl)
	first.say(channelInput, `{"t":"key","code":"ShiftLeft","key":"Shift","down":true}`)
	first.say(channelInput, `{"t":"button","x":5,"y":6,"w":1280,"h":720,"buttons":1}`)
	require.Equal(t, []desktop.Input{
		desktop.KeyEvent{Keysym: 0xffe1, Scancode: 0x2a, Down: true},
		desktop.PointerEvent{Pos: image.Pt(5, 6), Buttons: desktop.ButtonLeft},
	}, s.inputs(2))

	second := newBrowser(t, channelInput, channelControl)
	second.connect(s, alice, RoleControl)
	// What the first held is released before the second is there.
	for _, want := range []any{
		inputEvent{first.id, desktop.KeyEvent{Keysym: 0xffe1, Scancode: 0x2a}},
		inputEvent{first.id, desktop.PointerEvent{Pos: image.Pt(5, 6)}},
		roleChanged{Viewer{ID: first.id, Person: alice, Role: RoleView, Address: "192.0.2.7"}},
		joined{Viewer{ID: second.id, Person: alice, Role: RoleControl, Address: "192.0.2.7"}},
	} {
		require.Equal(t, want, receive(t, s.handler.events, "take-over"))
	}
	require.Equal(t, "view", first.hear(channelControl, "role")["role"])
	require.Equal(t, "control", second.hear(channelControl, "hello")["role"])

	// The first one's input passes no more, and is no offence.
	first.say(channelInput, `{"t":"key","code":"KeyA","key":"a","down":true}`)
	first.say(channelControl, `{"t":"ping","id":1}`)
	first.hear(channelControl, "pong")
	second.say(channelInput, `{"t":"key","code":"KeyB","key":"b","down":true}`)
	require.Equal(t, inputEvent{second.id, desktop.KeyEvent{Keysym: 'b', Scancode: 0x30, Down: true}},
		receive(t, s.handler.events, "the second one's key"))
	require.Empty(t, s.handler.refused)
}

func TestControlIsRefusedToAnotherPerson(t *testing.T) {
	s := newSession(t)
	first := s.join(alice, RoleControl)
	b := newBrowser(t, channelInput)
	_, err := s.Offer(t.Context(), Offer{Person: bob, Role: RoleControl, SDP: b.offer()})
	require.ErrorIs(t, err, ErrControlTaken)
	require.ErrorContains(t, err, "alice")

	viewer := s.join(bob, RoleView)
	viewer.say(channelInput, `{"t":"key","code":"KeyA","key":"a","down":true}`)
	viewer.say(channelClipboard, `{"t":"clip","id":3,"part":0,"parts":1,"text":"x"}`)
	require.Equal(t, 3.0, viewer.hear(channelClipboard, "clip_refused")["id"])

	require.NoError(t, s.CloseViewer(first.id, "bye"))
	require.Equal(t, "bye", event[left](s, "the first to leave").reason)
	s.join(bob, RoleControl)
}

// Two offers for control may both be answered while nobody has it; the one that connects second only watches.
func TestControlGoesToWhoConnectsFirst(t *testing.T) {
	s := newSession(t)
	a, b := newBrowser(t, channelControl), newBrowser(t, channelControl)
	offer := func(x *browser, p Person) string {
		answer, err := s.Offer(t.Context(), Offer{Person: p, Role: RoleControl, SDP: x.offer()})
		require.NoError(t, err)
		x.id = answer.ViewerID
		return answer.SDP
	}
	toA, toB := offer(a, alice), offer(b, bob)
	for _, x := range []struct {
		*browser
		answer string
		role   Role
	}{{b, toB, RoleControl}, {a, toA, RoleView}} {
		require.NoError(t, x.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: x.answer}))
		require.Equal(t, x.role, event[joined](s, "a viewer").Role)
		require.Equal(t, string(x.role), x.hear(channelControl, "hello")["role"])
	}
}

func TestEverythingIsReleasedWhenTheBrowserGoes(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	for _, key := range []string{"ControlLeft|Control", "KeyC|c"} {
		code, name := key[:len(key)-2], key[len(key)-1:]
		if code != "KeyC" {
			code, name = "ControlLeft", "Control"
		}
		b.say(channelInput, fmt.Sprintf(`{"t":"key","code":%q,"key":%q,"down":true}`, code, name))
	}
	s.inputs(2)
	b.close()
	require.Equal(t, []desktop.Input{
		desktop.KeyEvent{Keysym: 'c', Scancode: 0x2e},
		desktop.KeyEvent{Keysym: 0xffe3, Scancode: 0x1d},
	}, s.inputs(2))
	l := event[left](s, "the browser to leave")
	require.Equal(t, b.id, l.ID)
	require.Equal(t, RoleControl, l.Role)
	require.Equal(t, errLeft.Error(), l.reason)
	require.ErrorIs(t, s.CloseViewer(b.id, ""), ErrUnknownViewer)
}

func TestEndedIsHeardBeforeTheEnd(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	plain := newBrowser(t)
	plain.connect(s, bob, RoleView)
	event[joined](s, "the player")
	receive(t, s.video.added, "the player's sink")
	s.video.finish() // before anybody was told why
	s.Bell()
	b.hear(channelControl, "bell")
	s.SetState(StateEnded, "target_gone", "The target closed the connection.")
	m := b.hear(channelControl, "state")
	for m["state"] != "ended" {
		m = b.hear(channelControl, "state")
	}
	require.Equal(t, "target_gone", m["code"])
	for range 2 {
		require.Equal(t, errEnded.Error(), event[left](s, "a viewer to leave").reason)
	}
	_, err := s.Offer(t.Context(), Offer{Person: alice, Role: RoleView, SDP: newBrowser(t).offer()})
	require.ErrorIs(t, err, ErrClosed)
}

func TestViewersAreCapped(t *testing.T) {
	s := newSession(t, func(c *Config) { c.MaxViewers = 2 })
	for range 2 {
		_, err := s.Offer(t.Context(), Offer{Person: alice, Role: RoleView, SDP: newBrowser(t).offer()})
		require.NoError(t, err)
	}
	offer := newBrowser(t).offer()
	_, err := s.Offer(t.Context(), Offer{ViewerID: "x", Person: alice, Role: RoleView, SDP: offer})
	require.ErrorIs(t, err, ErrTooManyViewers)
	require.ErrorIs(t, s.AddCandidates("x", ""), ErrUnknownViewer)
}

func TestMisbehaviourEndsTheViewer(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	for range maxViolations + 1 {
		b.say(channelInput, `{"t":"no such kind"}`)
	}
	require.Equal(t, errMisbehaved.Error(), event[left](s, "the viewer to be ended").reason)
	require.Equal(t, "input: unknown kind of message", <-s.handler.refused)
}

func TestServerEndsWithViewers(t *testing.T) {
	s := newSession(t)
	b := s.join(alice, RoleControl)
	s.stop()
	require.NotEmpty(t, event[left](s, "the viewer to leave").reason)
	receive(t, s.ended, "the end")
	_, err := s.Offer(t.Context(), Offer{Person: alice, Role: RoleView, SDP: newBrowser(t).offer()})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.CloseViewer(b.id, ""), ErrUnknownViewer)
}

func TestTrickledCandidates(t *testing.T) {
	s := newSession(t)
	b := newBrowser(t)
	offer, err := b.pc.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(b.pc)
	require.NoError(t, b.pc.SetLocalDescription(offer))
	answer, err := s.Offer(t.Context(), Offer{Person: alice, Role: RoleView, SDP: offer.SDP}) // without candidates
	require.NoError(t, err)
	require.NoError(t, b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}))
	receive(t, gathered, "candidates")
	require.NoError(t, s.AddCandidates(answer.ViewerID, "a=ice-ufrag:x\r\na=ice-pwd:y\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"+
		"a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n"))
	event[joined](s, "the viewer")
	require.ErrorIs(t, s.AddCandidates(answer.ViewerID, "a=candidate:1 1 udp x 192.0.2.1 5000 typ host"), ErrFragment)
	require.ErrorIs(t, s.AddCandidates("nobody", ""), ErrUnknownViewer)
}

func TestNewRefuses(t *testing.T) {
	good := newSession(t).cfg
	for name, change := range map[string]func(*Config){
		"no socket":    func(c *Config) { c.Conn = nil },
		"no video":     func(c *Config) { c.Video = nil },
		"a host name":  func(c *Config) { c.PublicAddresses = []string{"example.org"} },
		"negative cap": func(c *Config) { c.MaxViewers = -1 },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		require.Error(t, err, name)
	}
}
