package rdpserver

import (
	"context"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// Desktop is what a Conn shows, and who hears what the person does.
type Desktop struct {
	// Framebuffer is the picture and the pointer's shape.
	Framebuffer *desktop.Framebuffer
	// Video is the session's one encode, of Framebuffer; it tells what changes. Nil: there is none, and this Conn is the one
	// receiver of the Framebuffer's Wake and Snapshot, as on a sign-in screen.
	Video Streamer
	// Handler hears what the person does.
	Handler Handler
	// Clipboard says that text may be exchanged. Without it the client is not spoken to on that channel.
	Clipboard bool
}

// Streamer is where the pictures come from; *stream.Hub is one.
type Streamer interface {
	// Serve feeds s until ctx ends or s fails, beginning with an IDR.
	Serve(ctx context.Context, s stream.Sink, queue int, full stream.Overflow) error
	// ServePatches feeds the patch lane of the viewer whose pictures are of's, until ctx ends or p fails.
	ServePatches(ctx context.Context, of stream.Sink, p stream.PatchSink) error
	// RequestIDR asks for an IDR soon, even of a still picture. It does not block and may be called often.
	RequestIDR()
}

// Handler hears what the person at a client does. Its methods are called from one goroutine of the Conn, not concurrently.
type Handler interface {
	// Input is one act: keys with their places and what they mean on a US keyboard, coordinates within the desktop, text valid
	// and within the caps of package desktop. It may block for a bounded time. The text of an error for a
	// desktop.ClipboardText is for the person.
	Input(in desktop.Input) error
	// Resize asks for another size of the desktop, within the caps of package desktop.
	Resize(size image.Point) error
	// Refused tells of something that was malformed or not allowed: what kind, and why, without its content.
	Refused(what, why string)
}
