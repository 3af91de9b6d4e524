package worker

import (
	"context"
	"image"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
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

// doorHandler is a session as a webrtcserver.Server sees it.
type doorHandler struct{ s *session.Session }

var _ webrtcserver.Handler = doorHandler{}

// Input implements webrtcserver.Handler. The session bounds how long it waits.
func (h doorHandler) Input(v webrtcserver.Viewer, in desktop.Input) error {
	return h.s.Input(context.Background(), viewer(v), in)
}

// Resize implements webrtcserver.Handler.
func (h doorHandler) Resize(v webrtcserver.Viewer, size image.Point) error {
	return h.s.Resize(context.Background(), viewer(v), size)
}

// ViewerJoined implements webrtcserver.Handler.
func (h doorHandler) ViewerJoined(v webrtcserver.Viewer) { h.s.ViewerJoined(viewer(v)) }

// RoleChanged implements webrtcserver.Handler.
func (h doorHandler) RoleChanged(v webrtcserver.Viewer) { h.s.RoleChanged(viewer(v)) }

// Refused implements webrtcserver.Handler.
func (h doorHandler) Refused(v webrtcserver.Viewer, what, why string) {
	h.s.Refused(viewer(v), what, why)
}

// ViewerLeft implements webrtcserver.Handler.
func (h doorHandler) ViewerLeft(v webrtcserver.Viewer, reason string) {
	h.s.ViewerLeft(viewer(v), reason)
}

func viewer(v webrtcserver.Viewer) session.Viewer {
	role := session.RoleView
	if v.Role == webrtcserver.RoleControl {
		role = session.RoleControl
	}
	return session.Viewer{ID: v.ID, Person: session.Person(v.Person), Role: role, Address: v.Address}
}
