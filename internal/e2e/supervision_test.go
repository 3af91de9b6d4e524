package e2e

import (
	"fmt"
	"image"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestSupervision is a session of ann's in which sue, a supervisor, steps in, while rey, a reviewer, replays it: three browsers at once,
// on real servers. What arrives there is told by the desktop's own log of its input.
func TestSupervision(t *testing.T) {
	requireConsole(t)
	desks := map[string]*desk{"vnc": vncDesk(t), "rdp": xrdpDesk(t, "Xorg")}
	g := startGateway(t, debugLog+fmt.Sprintf("targets:\n  - {id: vnc, name: Desk by vnc, protocol: vnc, %s}\n  - {id: rdp, name: Desk by rdp, protocol: rdp, %s}\n",
		desks["vnc"].settings, desks["rdp"].settings))
	for name, role := range map[string]string{"ann": "user", "sue": "supervisor", "rey": "reviewer"} {
		g.addUser(name, adminPassword, role)
	}
	g.permit("users-connect", `principal in Role::"user", action == Action::"connect"`)
	g.permit("supervisors-lock", `principal in Role::"supervisor", action == Action::"lock_user"`)
	people := supervision{g: g, ann: openBrowserAs(t, g, "ann"), sue: openBrowserAs(t, g, "sue"), rey: openBrowserAs(t, g, "rey")}
	for _, protocol := range []string{"vnc", "rdp"} {
		t.Run(protocol, func(t *testing.T) {
			during(t, g, people.ann, people.sue, people.rey)
			s := people
			s.protocol, s.desk, s.locks = protocol, desks[protocol], protocol == "rdp"
			s.run(t)
		})
	}
}

type supervision struct {
	g             *gateway
	ann, sue, rey *browser
	protocol      string
	desk          *desk
	locks         bool   // ann is locked out in the end
	id            string // of the session
	log           *testbed.InputLog
	frozen        *image.RGBA // the desktop at the moment of the freeze
	later         *image.RGBA // what it drew while frozen
}

const (
	annsWords, suesWords, annsLast = "before the freeze\n", "by the supervisor\n", "after it\n"
	message, whyFrozen, whyOver    = "Please save your work.", "Looking into an alert.", "Not what this access is for."
)

func (s *supervision) run(t *testing.T) {
	s.begin(t)
	s.speak()
	s.freeze(t)
	s.takeOver(t)
	s.giveBack(t)
	s.terminate(t)
	s.review(t)
	for _, b := range []*browser{s.ann, s.sue, s.rey} {
		b.silent()
	}
	s.g.requireNoSecrets(s.desk.password)
}

// begin has ann at work, sue watching, and rey at the live end of the recording.
func (s *supervision) begin(t *testing.T) {
	s.id = s.ann.connect("Desk by " + s.protocol)
	s.desk.arrange()
	s.log = testbed.LogInput(t, s.desk.x())
	s.ann.mouse(0, 0, "")
	s.desk.focus(s.ann, s.desk.typing())
	s.ann.typeText(annsWords)
	s.typed(annsWords)
	s.desk.park(s.ann)
	s.sue.do("goto", nil, "path", "/sessions/"+s.id+"?role=view")
	s.rey.do("goto", nil, "path", "/recordings/"+s.id+"?t=0")
	s.ann.shows("desktop", "ann's desktop", h264Tolerance, s.desk.screen)
	s.sue.shows("desktop", "what sue watches", h264Tolerance, s.desk.screen)
	s.rey.until("the beginning of the recording", func(p page) bool { return p.W > 0 })
	s.rey.press("l")
	s.rey.shows("recording", "what rey replays", h264Tolerance, s.desk.screen)
}

// typed waits until the terminal has all of this, and nothing else.
func (s *supervision) typed(want string) {
	s.g.t.Helper()
	file, got := s.desk.typing(), ""
	testbed.Eventually(s.g.t, patience, "typed: "+want, func() bool {
		got = strings.TrimLeft(read(file), "\n") // of those that found out where the keyboard is
		return strings.HasSuffix(got, want[strings.LastIndex(strings.TrimSuffix(want, "\n"), "\n")+1:])
	})
	require.Equal(s.g.t, want, got)
}

func (s *supervision) speak() {
	s.sue.click("button", "Message to ann")
	s.sue.answerDialog("Message", message, "Send")
	s.ann.says(message)
	s.ann.says("Message from sue")
	s.ann.press("Enter") // meant for the desktop
	s.ann.says(message)
	s.ann.closeDialog("OK")
}

// freeze wants ann to see a blurred still, whatever the desktop draws, and none of her input to arrive.
func (s *supervision) freeze(t *testing.T) {
	s.frozen = s.desk.screen()
	s.sue.click("button", "Freeze")
	s.sue.answerDialog("Reason", whyFrozen, "Freeze")
	s.ann.says("sue has frozen this session")
	s.ann.says(whyFrozen)
	s.sue.says("Frozen by sue")
	heard := len(s.log.Inputs())
	still := s.ann.still()
	require.NotNil(t, still, "no still")
	require.Less(t, 20*sharpness(still)*still.Bounds().Dx(), sharpness(s.frozen)*s.frozen.Rect.Dx(), "the still can be read")

	shown := s.ann.seen()
	s.later = altered(testbed.Wallpaper(s.frozen.Rect.Size()))
	testbed.PaintRoot(t, s.desk.x(), s.later)
	s.later = s.desk.screen()
	s.sue.shows("desktop", "what sue watches of a frozen session", h264Tolerance, s.desk.screen)
	s.rey.shows("recording", "what rey replays of a frozen session", h264Tolerance, s.desk.screen)
	s.sue.screenshot("supervision-" + s.protocol + "-watched")
	s.ann.screenshot("supervision-" + s.protocol + "-frozen")

	s.ann.mouse(s.desk.at.X, s.desk.at.Y, "left")
	s.ann.typeText("shut out\n")
	s.ann.wheel(s.desk.at.X, s.desk.at.Y, 120)
	s.force()
	testbed.Eventually(t, patience, "the recording says that ann was refused", func() bool {
		return slices.ContainsFunc(s.g.events(s.id), func(e map[string]any) bool {
			return e["kind"] == "rejected" && e["actor"] == "ann" && e["message"] == "The session is frozen."
		})
	})
	n, where := differing(shown, s.ann.seen())
	require.Zero(t, n, "ann's window has changed at %v", where)
	require.NotEmpty(t, alike(s.ann.picture("desktop"), s.later, 4*h264Tolerance), "the desktop goes on behind the still")
	require.Len(t, s.log.Inputs(), heard, "input of a frozen session arrives")

	// Back to the moment of the freeze, while the session runs, and to its live end.
	s.rey.find("Frozen", whyFrozen)
	s.rey.shows("recording", "the moment of the freeze", h264Tolerance, func() *image.RGBA { return s.frozen })
	s.rey.press("l")
	s.rey.shows("recording", "the live end", h264Tolerance, s.desk.screen)
}

// force presses a key as another program than the console could. What ann types later goes the same way behind it.
func (s *supervision) force() {
	for _, down := range []bool{true, false} {
		s.ann.do("send", nil, "channel", "input", "message", map[string]any{"t": "key", "key": "z", "code": "KeyZ", "down": down})
	}
}

// takeOver lets sue act in the frozen session.
func (s *supervision) takeOver(t *testing.T) {
	heard := len(s.log.Inputs())
	s.sue.click("button", "Take control")
	s.sue.says("You have control")
	s.sue.mouse(s.desk.at.X, s.desk.at.Y, "left")
	s.sue.typeText(suesWords)
	s.typed(annsWords + suesWords)
	require.Equal(t, suesWords, keysOf(s.log.Inputs()[heard:]))
	s.desk.park(s.sue)
	s.sue.shows("desktop", "what sue does", h264Tolerance, s.desk.screen)
}

// giveBack lets the session go on, with sue in control at first.
func (s *supervision) giveBack(t *testing.T) {
	s.sue.click("button", "Resume")
	s.ann.says("sue has control")
	s.ann.shows("desktop", "ann's desktop after the freeze", h264Tolerance, s.desk.screen)
	heard := len(s.log.Inputs())
	s.ann.typeText("not yours\n")
	s.force()
	require.Len(t, s.log.Inputs(), heard, "ann's input arrives while sue has control")
	s.sue.click("button", "Give back control")
	s.ann.until("control comes back", func(p page) bool { return !strings.Contains(p.Text, "has control") })
	s.ann.mouse(s.desk.at.X, s.desk.at.Y, "left")
	s.ann.typeText(annsLast)
	s.typed(annsWords + suesWords + annsLast)
	require.Equal(t, annsLast, keysOf(s.log.Inputs()[heard:]))
}

func (s *supervision) terminate(t *testing.T) {
	s.sue.click("button", "Terminate the session")
	if s.locks {
		s.sue.do("click", nil, "role", "checkbox", "name", "Also lock ann out", "within", "dialog")
	}
	s.sue.answerDialog("Reason", whyOver, "Terminate")
	for _, b := range []*browser{s.ann, s.sue} {
		b.says("The session has ended")
		b.says(whyOver)
	}
	require.Equal(t, "user_terminated", s.g.ended(s.id, patience).End.Code)
	s.g.requireAlone()
	if s.locks {
		s.ann.do("goto", nil, "path", "/targets")
		s.ann.until("the page to sign in", func(p page) bool { return p.Path == "/sign-in" })
	}
	// All that ever arrived.
	require.Equal(t, annsWords+suesWords+annsLast, strings.TrimLeft(keysOf(s.log.Inputs()), "\n"))
}

// review has rey look at all of it, find it under the names of those who did it, and say that it was seen.
func (s *supervision) review(t *testing.T) {
	s.g.sealed(s.id, patience)
	s.rey.do("goto", nil, "path", "/recordings/"+s.id)
	for _, e := range []struct {
		label, actor, detail string
		shows                *image.RGBA
	}{
		{"Message", "sue", message, s.frozen},
		{"Read the message", "ann", "", s.frozen},
		{"Frozen", "sue", whyFrozen, s.frozen},
		{"Took over", "sue", "", s.later},
		{"Resumed", "sue", "", nil},
		{"Has control again", "ann", "", nil},
		{"Ended", "sue", whyOver, nil},
	} {
		s.rey.find(e.label, e.detail)
		s.rey.says(e.label + " · " + e.actor)
		if e.shows != nil {
			s.rey.shows("recording", e.label, h264Tolerance, func() *image.RGBA { return e.shows })
		}
	}
	s.rey.clickText("Review")
	s.rey.click("button", "Seen")
	s.rey.until("the review state beside the title", func(p page) bool {
		return strings.Count(p.Text, "Seen") == 2 && strings.Contains(p.Text, "rey, Today")
	})
	s.rey.screenshot("supervision-" + s.protocol + "-reviewed")
	var review struct{ State string }
	s.g.call("GET", "/recordings/"+s.id+"/review", nil, http.StatusOK, &review)
	require.Equal(t, "seen", review.State)

	events := s.g.events(s.id)
	by := func(actor string) string {
		var own []map[string]any
		for _, e := range events {
			if e["actor"] == actor {
				own = append(own, e)
			}
		}
		return strings.TrimLeft(typedText(own), "\n")
	}
	require.Equal(t, annsWords+annsLast, by("ann"))
	require.Equal(t, suesWords, by("sue"))
	require.Subset(t, s.acts("sue"), []string{
		"offer_viewer", "send_message", "freeze_session", "take_control", "resume_session", "release_control", "terminate_session",
	})
	require.Contains(t, s.acts("rey"), "set_recording_review")
}

// acts are what the audit log says somebody did to the session.
func (s *supervision) acts(person string) []string {
	var log struct {
		Entries []struct {
			Action, Session string
			Actor           struct{ Name string }
		}
	}
	s.g.call("GET", "/audit/entries?limit=500", nil, http.StatusOK, &log)
	var acts []string
	for _, e := range log.Entries {
		if e.Actor.Name == person && e.Session == s.id {
			acts = append(acts, e.Action)
		}
	}
	return acts
}

// find looks for an event in the list beside the picture, and goes to its moment.
func (b *browser) find(label, detail string) {
	b.t.Helper()
	b.searchEvents(label + " " + detail)
	b.do("event", nil, "label", label)
}

// searchEvents leaves in the player's list of events what has this text.
func (b *browser) searchEvents(text string) {
	b.t.Helper()
	b.do("fill", nil, "role", "searchbox", "name", "Search events", "text", text)
}

// keysOf is the text that keys make which went down.
func keysOf(inputs []testbed.Input) string {
	var text strings.Builder
	for _, in := range inputs {
		key, ok := strings.CutPrefix(in.What, "key ")
		key, down := strings.CutSuffix(key, " down")
		if !ok || !down {
			continue
		}
		switch key {
		case "space":
			text.WriteByte(' ')
		case "Return":
			text.WriteByte('\n')
		default:
			text.WriteString(key)
		}
	}
	return text.String()
}

// altered is a picture that differs from another everywhere, and by far.
func altered(img *image.RGBA) *image.RGBA {
	for i := range img.Pix {
		if i%4 != 3 {
			img.Pix[i] ^= 0x80
		}
	}
	return img
}

// sharpness is the largest difference in brightness from a pixel to the next, in thousandths.
func sharpness(img image.Image) int {
	most, size := 0, img.Bounds()
	bright := func(x, y int) int {
		r, g, b, _ := img.At(x, y).RGBA()
		return int(r+g+b) * 1000 / (3 * 0xffff)
	}
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X + 1; x < size.Max.X; x++ {
			d := bright(x, y) - bright(x-1, y)
			most = max(most, d, -d)
		}
	}
	return most
}
