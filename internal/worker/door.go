package worker

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
	"github.com/vitrine-psm/vitrine/proxy/webrtcserver"
)

// browserDoor is a webrtcserver.Server as a session sees it.
type browserDoor struct{ *webrtcserver.Server }

var _ session.Door = browserDoor{}

// SetState implements session.Door.
func (d browserDoor) SetState(state session.State, end session.End) {
	shown := webrtcserver.StateActive
	switch state {
	case session.StateFrozen:
		shown = webrtcserver.StateFrozen
	case session.StateEnded:
		shown = webrtcserver.StateEnded
	case session.StateConnecting, session.StateActive:
	}
	d.Server.SetState(shown, string(end.Code), end.Message)
}

// SetEnding implements session.Door.
func (d browserDoor) SetEnding(e session.Ending) {
	d.Server.SetEnding(webrtcserver.Ending{Code: string(e.Code), Message: e.Message, Deadline: e.Deadline})
}

// stillQuality is JPEG's for the blurred picture of a frozen session, of which there are a few hundred blocks.
const stillQuality = 70

// SetFreeze implements session.Door.
func (d browserDoor) SetFreeze(f *session.Freeze) {
	if f == nil {
		d.Server.SetFreeze(nil)
		return
	}
	var still bytes.Buffer
	if err := jpeg.Encode(&still, f.Still, &jpeg.Options{Quality: stillQuality}); err != nil {
		still.Reset() // it is black then
	}
	d.Server.SetFreeze(&webrtcserver.Freeze{By: f.By.Name, Since: f.Since, Still: still.Bytes()})
}

// SetQuestion implements session.Door.
func (d browserDoor) SetQuestion(q *session.Question) {
	if q == nil {
		d.Server.SetQuestion(nil)
		return
	}
	shown := &webrtcserver.Question{
		ID: q.ID, PersonID: q.Person.ID, Person: q.Person.Name, Viewer: q.Viewer, Source: string(q.Source), Excerpt: q.Excerpt, Held: q.Held,
		Since: q.Since, Deadline: q.Deadline,
	}
	for _, r := range q.Rules {
		shown.Rules = append(shown.Rules, webrtcserver.AskedRule{Name: r.Name, About: r.About})
	}
	d.Server.SetQuestion(shown)
}

// SetControl implements session.Door.
func (d browserDoor) SetControl(c session.Control) {
	d.SetTakenOver(webrtcserver.TakenOver{Viewer: c.Viewer, By: c.Person.Name, Since: c.Since})
}

// ShowMessage implements session.Door.
func (d browserDoor) ShowMessage(m session.Message) {
	d.Server.ShowMessage(webrtcserver.Message{ID: m.ID, From: m.From.Name, Text: m.Text, At: m.At})
}

// SetWatchers implements session.Door.
func (d browserDoor) SetWatchers(list []session.Watcher) {
	shown := make([]webrtcserver.Watcher, len(list))
	for i, w := range list {
		shown[i] = webrtcserver.Watcher{Name: w.Person.Name, Since: w.Since}
	}
	d.Server.SetWatchers(shown)
}

// doorHandler is a session as a webrtcserver.Server sees it.
type doorHandler struct {
	s      *session.Session
	native *rdpserver.Server // set before the session runs
}

var _ webrtcserver.Handler = (*doorHandler)(nil)

// Input implements webrtcserver.Handler. The session bounds how long it waits.
func (h *doorHandler) Input(v webrtcserver.Viewer, in desktop.Input) error {
	return h.s.Input(context.Background(), viewer(v), in)
}

// Resize implements webrtcserver.Handler.
func (h *doorHandler) Resize(v webrtcserver.Viewer, size image.Point) error {
	return h.s.Resize(context.Background(), viewer(v), size)
}

// ViewerJoined implements webrtcserver.Handler. Who takes control here has it from whoever came by the other door.
func (h *doorHandler) ViewerJoined(v webrtcserver.Viewer) {
	if v.Role == webrtcserver.RoleControl {
		h.native.Yield("Control was taken over in a browser.")
	}
	h.s.ViewerJoined(viewer(v))
}

// RoleChanged implements webrtcserver.Handler.
func (h *doorHandler) RoleChanged(v webrtcserver.Viewer) { h.s.RoleChanged(viewer(v)) }

// Acknowledged implements webrtcserver.Handler.
func (h *doorHandler) Acknowledged(v webrtcserver.Viewer, message string) {
	h.s.Acknowledge(viewer(v), message)
}

// Refused implements webrtcserver.Handler.
func (h *doorHandler) Refused(v webrtcserver.Viewer, what, why string) {
	h.s.Refused(viewer(v), what, why)
}

// ViewerLeft implements webrtcserver.Handler.
func (h *doorHandler) ViewerLeft(v webrtcserver.Viewer, reason string) {
	h.s.ViewerLeft(viewer(v), reason)
}

func viewer(v webrtcserver.Viewer) session.Viewer {
	role := session.RoleView
	if v.Role == webrtcserver.RoleControl {
		role = session.RoleControl
	}
	return session.Viewer{ID: v.ID, Person: session.Person(v.Person), Role: role, Address: v.Address, Announced: v.Announced}
}
