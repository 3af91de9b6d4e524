// Package desktop is the vocabulary that targets, the encode loop and the front doors share: the picture of
// a session (Framebuffer), what changed in it (Damage), the pointer's shape (Cursor), what a person does to it
// (Input), and where it comes from (Source).
//
// It knows no protocol, no codec and no users.
package desktop

import (
	"context"
	"image"
	"net"
)

// Source is a target desktop.
type Source interface {
	// Run performs the protocol's handshake on conn, which is already dialled, and draws into fb until the
	// target or ctx ends. It owns conn and closes it. It returns nil only when the target ended the session
	// in an orderly way; otherwise an error that says what was wrong and wraps one of the sentinels of this
	// package where one fits, or the cause of ctx.
	Run(ctx context.Context, conn net.Conn, fb *Framebuffer) error
	// Send passes one checked input event to the target. It may block for a bounded time and is safe for
	// concurrent use with Run; calls are not concurrent with each other. Before the handshake is done and
	// after the end it returns ErrNotConnected.
	Send(Input) error
}

// Resizer is a Source whose target may take another size. Resize only asks: the answer, if any, is a
// Framebuffer.Resize later. It returns ErrUnsupported when this target cannot.
type Resizer interface {
	Resize(size image.Point) error
}

// Observer hears what a target says besides pixels. Its methods are called from the source's goroutine and
// must not block.
type Observer interface {
	// Connected is called once, when the handshake is done and fb has the target's size.
	Connected(name string)
	// ClipboardFromTarget is called with new clipboard text: valid UTF-8, LF line ends, within MaxClipboardBytes.
	ClipboardFromTarget(text string)
	// Bell is called when the target wants attention.
	Bell()
	// Renamed is called when the target changes the desktop's name.
	Renamed(name string)
}

// LinkObserver is an Observer that also hears of a connection that broke within the session and is tried again. Between
// the two calls input is not taken. A session that does not come back ends without LinkRestored.
type LinkObserver interface {
	LinkLost()
	LinkRestored()
}

// Nobody is an Observer that takes no notice.
type Nobody struct{}

// Connected implements Observer.
func (Nobody) Connected(string) {}

// ClipboardFromTarget implements Observer.
func (Nobody) ClipboardFromTarget(string) {}

// Bell implements Observer.
func (Nobody) Bell() {}

// Renamed implements Observer.
func (Nobody) Renamed(string) {}
