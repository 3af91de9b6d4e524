package webrtcserver

import (
	"context"
	"fmt"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// Role is what a viewer may do.
type Role string

// The roles.
const (
	// RoleControl is the one viewer whose input reaches the target.
	RoleControl Role = "control"
	// RoleView only watches.
	RoleView Role = "view"
)

// ParseRole returns the role of that name.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case RoleControl, RoleView:
		return r, nil
	}
	return "", fmt.Errorf("webrtc: role %q is neither %q nor %q", s, RoleControl, RoleView)
}

// Person is who sits at the browser.
type Person struct{ ID, Name string }

// Viewer describes one connected browser.
type Viewer struct {
	ID      string
	Person  Person
	Role    Role
	Address string // where the WHEP request came from
	// Announced is as in its Offer.
	Announced bool
}

// Streamer is where the pictures come from; *stream.Hub is one.
type Streamer interface {
	// Serve feeds s until ctx ends or s fails, beginning with an IDR.
	Serve(ctx context.Context, s stream.Sink, queue int, full stream.Overflow) error
	// ServePatches feeds the patch lane of the viewer whose pictures are of's, until ctx ends or p fails.
	ServePatches(ctx context.Context, of stream.Sink, p stream.PatchSink) error
	// RequestIDR asks for an IDR soon, even of a still picture. It does not block and may be called often.
	RequestIDR()
	// HoldViewer stops the pictures and patches of one sink, or lets them go on with an IDR. It does not block, and may be called before
	// and after Serve.
	HoldViewer(s stream.Sink, still bool)
}

// Screen is what the server must know of the desktop; *desktop.Framebuffer is one.
type Screen interface {
	Size() image.Point
	Cursor() desktop.Cursor
	WatchCursor(ch chan<- struct{}) (stop func())
}

// Handler hears what viewers do. Its methods are called from the goroutines of viewers.
type Handler interface {
	// Input is one act of the viewer in control: coordinates within the present desktop, texts valid and
	// within the caps of package desktop. It may block for a bounded time; calls are not concurrent with each
	// other. The text of an error returned for a desktop.ClipboardText is shown to the person.
	Input(v Viewer, in desktop.Input) error
	// Resize asks for another desktop size, within the caps of package desktop. The text of an error is shown
	// to the person.
	Resize(v Viewer, size image.Point) error
	// ViewerJoined is called when the browser has connected, before any other call about it.
	ViewerJoined(v Viewer)
	// RoleChanged is called when a connected viewer won or lost control.
	RoleChanged(v Viewer)
	// Acknowledged tells that the session's own person has read a message of Server.ShowMessage; v may be anybody who says so.
	Acknowledged(v Viewer, message string)
	// Refused tells of a message that was malformed or not allowed: what kind, and why, without its content.
	Refused(v Viewer, what, why string)
	// ViewerLeft is called last, once for every ViewerJoined.
	ViewerLeft(v Viewer, reason string)
}

// Figures are the encoder's of the last second, shown in the console.
type Figures struct {
	FrameRate   float64 // frames a second
	KilobitRate float64 // kilobits a second
}
