package webrtcserver

import (
	"encoding/base64"
	"image"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// owned is a session of alice's.
func owned(c *Config) { c.Owner = alice.ID }

// joinAnnounced lets somebody in whose watching the owner is told of.
func (s *session) joinAnnounced(p Person) *browser {
	b := newBrowser(s.t, channelControl)
	answer, err := s.Offer(s.t.Context(), Offer{Person: p, Role: RoleView, SDP: b.offer(), Announced: true})
	require.NoError(s.t, err)
	require.NoError(s.t, b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}))
	require.True(s.t, event[joined](s, "the viewer").Announced)
	return b
}

// TestFreezeIsForTheOwnerOnly: they get a still and nothing else of the desktop, now, when they come again, and until it is over.
func TestFreezeIsForTheOwnerOnly(t *testing.T) {
	s := newSession(t, owned)
	user, watcher := s.join(alice, RoleControl), s.join(bob, RoleView)
	for _, b := range []*browser{user, watcher} {
		b.hear(channelControl, "cursor")
	}
	s.video.show(unit(0, 9, 9, 9))
	for _, b := range []*browser{user, watcher} {
		receive(t, b.units, "a picture")
		b.hear(channelControl, "size") // of its first picture
	}
	still := []byte{0xff, 0xd8, 1, 2, 3}
	s.SetFreeze(&Freeze{By: "carol", Since: time.Now().Add(-time.Second), Still: still})
	got := user.hear(channelControl, "freeze")
	require.Equal(t, true, got["on"])
	require.Equal(t, false, got["live"])
	require.Equal(t, "carol", got["by"])
	require.Equal(t, base64.StdEncoding.EncodeToString(still), got["still"])
	require.GreaterOrEqual(t, got["for_ms"], 1000.0)
	got = watcher.hear(channelControl, "freeze")
	require.Equal(t, true, got["live"])
	require.NotContains(t, got, "still")

	again := s.join(alice, RoleControl) // the page was loaded anew
	require.Empty(t, again.hear(channelControl, "hello")["name"])
	require.Equal(t, true, again.hear(channelControl, "freeze")["on"])
	s.video.show(unit(time.Second, 9, 9, 9))
	receive(t, watcher.units, "a picture")
	s.SetName("secret title")
	s.Bell()
	require.NoError(t, s.screen.SetCursor(nil, image.Point{}, true))
	require.Equal(t, "secret title", watcher.hear(channelControl, "name")["name"])
	watcher.hear(channelControl, "cursor")
	for _, b := range []*browser{user, again} { // nothing came before the answer
		b.say(channelControl, `{"t":"refresh"}`)
		b.say(channelControl, `{"t":"ping","id":7}`)
		for {
			m := receive(t, b.messages[channelControl], "pong")
			require.NotContains(t, []any{"name", "bell", "size", "cursor"}, m["t"])
			if m["t"] == "pong" {
				break
			}
		}
		require.Empty(t, b.units)
	}
	require.Empty(t, s.video.idrs, "a still picture needs no IDR")

	s.SetFreeze(nil)
	require.Equal(t, false, again.hear(channelControl, "freeze")["on"])
	require.Equal(t, "secret title", again.hear(channelControl, "name")["name"])
	require.Equal(t, true, again.hear(channelControl, "cursor")["hidden"])
	s.video.show(unit(2*time.Second, 9, 9, 9))
	receive(t, again.units, "a picture")

	s.SetFreeze(&Freeze{Still: make([]byte, maxStillBytes+1)})
	require.NotContains(t, again.hear(channelControl, "freeze"), "still")
}

// TestTakenOver: the acts of the one who took over pass and no others', everybody sees who it is, and the owner has control again
// afterwards, in whichever window they are by then.
func TestTakenOver(t *testing.T) {
	s := newSession(t, owned)
	user, boss := s.join(alice, RoleControl), s.join(bob, RoleView)
	for _, b := range []*browser{user, boss} {
		b.hear(channelControl, "hello") // from then on it is told of changes
	}
	user.say(channelInput, `{"t":"key","code":"ShiftLeft","key":"Shift","down":true}`)
	s.inputs(1)
	s.SetTakenOver(TakenOver{Viewer: boss.id, By: bob.Name, Since: time.Now()})
	role := user.hear(channelControl, "role")
	require.Equal(t, "view", role["role"])
	require.Equal(t, "bob has taken over.", role["message"])
	require.Equal(t, false, user.hear(channelControl, "control")["mine"])
	require.Equal(t, "control", boss.hear(channelControl, "role")["role"])
	mine := boss.hear(channelControl, "control")
	require.Equal(t, true, mine["mine"])
	require.Equal(t, "bob", mine["by"])

	user.say(channelInput, `{"t":"key","code":"KeyA","key":"a","down":true}`)
	user.say(channelControl, `{"t":"ping","id":1}`)
	user.hear(channelControl, "pong")
	boss.say(channelInput, `{"t":"key","code":"KeyB","key":"b","down":true}`)
	require.Equal(t, inputEvent{boss.id, desktop.KeyEvent{Keysym: 'b', Scancode: 0x30, Down: true}}, event[inputEvent](s, "a key"))
	require.NoError(t, s.SendClipboard("copied"))
	require.Equal(t, "copied", boss.hear(channelClipboard, "clip")["text"])

	again := s.join(alice, RoleControl) // not refused, though another acts
	require.Equal(t, "view", again.hear(channelControl, "hello")["role"])
	require.Equal(t, "bob", again.hear(channelControl, "control")["by"])
	s.SetTakenOver(TakenOver{})
	require.Equal(t, "control", again.hear(channelControl, "role")["role"])
	require.Empty(t, again.hear(channelControl, "control")["by"])
	require.Equal(t, "view", boss.hear(channelControl, "role")["role"])
	again.say(channelInput, `{"t":"key","code":"KeyC","key":"c","down":true}`)
	require.Equal(t, inputEvent{again.id, desktop.KeyEvent{Keysym: 'c', Scancode: 0x2e, Down: true}}, event[inputEvent](s, "a key"))

	// By somebody at another door: here nobody acts. What was held was released by whoever took over, so its release is nobody's.
	s.SetTakenOver(TakenOver{Viewer: "elsewhere", By: "dora"})
	require.Equal(t, "view", again.hear(channelControl, "role")["role"])
	require.NoError(t, s.SendClipboard("for dora"))
	s.SetTakenOver(TakenOver{})
	require.Equal(t, "control", again.hear(channelControl, "role")["role"])
	again.say(channelInput, `{"t":"key","code":"KeyC","key":"c","down":false}`)
	again.say(channelInput, `{"t":"key","code":"KeyD","key":"d","down":true}`)
	require.Equal(t, inputEvent{again.id, desktop.KeyEvent{Keysym: 'd', Scancode: 0x20, Down: true}}, event[inputEvent](s, "a key"))
}

// TestMessages: to the owner, wherever they are, until they have read them.
func TestMessages(t *testing.T) {
	s := newSession(t, owned)
	user, watcher := s.join(alice, RoleControl), s.join(bob, RoleView)
	s.ShowMessage(Message{ID: "m1", From: "carol", Text: "Please <call> me.", At: time.Now()})
	got := user.hear(channelControl, "message")
	require.Equal(t, "Please <call> me.", got["text"])
	require.Equal(t, "carol", got["from"])
	second := s.join(alice, RoleView)
	require.Equal(t, "m1", second.hear(channelControl, "message")["id"])
	watcher.say(channelControl, `{"t":"seen","id":"m1"}`)
	second.say(channelControl, `{"t":"seen","id":"m1"}`)
	require.Equal(t, acknowledged{second.id, "m1"}, event[acknowledged](s, "that it was read"))
	require.Equal(t, "m1", user.hear(channelControl, "read")["id"])
	user.say(channelControl, `{"t":"seen","id":"m1"}`) // of a dialog that was open
	user.say(channelControl, `{"t":"ping","id":1}`)
	user.hear(channelControl, "pong")
	require.Empty(t, s.handler.events)
	third := s.join(alice, RoleView)
	third.say(channelControl, `{"t":"ping","id":1}`)
	for {
		m := receive(t, third.messages[channelControl], "pong")
		require.NotEqual(t, "message", m["t"])
		if m["t"] == "pong" {
			break
		}
	}
	watcher.say(channelControl, `{"t":"seen","id":""}`)
	require.Contains(t, receive(t, s.handler.refused, "what is malformed"), "id of 0 bytes")
}

// TestWatchersAreShownToTheOwner, and each who watches knows whether they are shown.
func TestWatchersAreShownToTheOwner(t *testing.T) {
	s := newSession(t, owned)
	user := s.join(alice, RoleControl)
	require.NotContains(t, user.hear(channelControl, "hello"), "watching")
	require.Equal(t, "silent", s.join(bob, RoleView).hear(channelControl, "hello")["watching"])
	boss := s.joinAnnounced(Person{ID: "3", Name: "carol"})
	require.Equal(t, "announced", boss.hear(channelControl, "hello")["watching"])
	s.SetWatchers([]Watcher{{Name: "carol", Since: time.Now()}})
	list := user.hear(channelControl, "watchers")["watchers"].([]any)
	require.Len(t, list, 1)
	require.Equal(t, "carol", list[0].(map[string]any)["name"])
	require.Len(t, s.join(alice, RoleView).hear(channelControl, "watchers")["watchers"], 1)
	s.SetWatchers(nil)
	require.Empty(t, user.hear(channelControl, "watchers")["watchers"])
}

// TestQuestion: everybody hears what is asked, the viewer with control that it is theirs to answer, and only who is asked what it is about.
func TestQuestion(t *testing.T) {
	s := newSession(t, owned)
	user, watcher := s.join(alice, RoleControl), s.join(bob, RoleView)
	q := &Question{
		ID: "q1", PersonID: alice.ID, Person: alice.Name, Viewer: user.id, Rules: []AskedRule{{Name: "Folders removed", About: "At once."}}, Source: "typed",
		Excerpt: "rm -rf <x>", Held: true, Since: time.Now().Add(-time.Second), Deadline: time.Now().Add(time.Minute),
	}
	s.SetQuestion(q)
	got := user.hear(channelControl, "question")
	require.Equal(t, "q1", got["id"])
	require.Equal(t, true, got["mine"])
	require.Equal(t, true, got["held"])
	require.Equal(t, "rm -rf <x>", got["excerpt"])
	require.Equal(t, []any{map[string]any{"name": "Folders removed", "about": "At once."}}, got["rules"])
	require.GreaterOrEqual(t, got["for_ms"], 1000.0)
	require.Greater(t, got["in_ms"], 1000.0)
	got = watcher.hear(channelControl, "question")
	require.Equal(t, false, got["mine"])
	require.Equal(t, "alice", got["by"])
	require.NotContains(t, got, "excerpt")

	second := s.join(alice, RoleView) // in another window, while it is asked
	got = second.hear(channelControl, "question")
	require.Equal(t, false, got["mine"])
	require.Equal(t, "rm -rf <x>", got["excerpt"])
	s.SetQuestion(nil)
	for _, b := range []*browser{user, watcher, second} {
		require.Equal(t, "", b.hear(channelControl, "question")["id"])
	}
	late := s.join(bob, RoleView)
	late.say(channelControl, `{"t":"ping","id":1}`)
	for {
		m := receive(t, late.messages[channelControl], "pong")
		require.NotEqual(t, "question", m["t"])
		if m["t"] == "pong" {
			break
		}
	}
}
