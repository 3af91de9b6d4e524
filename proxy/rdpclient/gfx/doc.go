// Package gfx is the client of the graphics pipeline ([MS-RDPEGFX] 3.3): a Compositor is given the messages of the
// graphics channel and draws into a framebuffer.
//
// A server draws on surfaces, which have memory of their own and are mapped to places of the output. What is drawn on a
// mapped surface reaches the framebuffer at the end of a frame, and the frame is then acknowledged:
//
//	message → unpack → commands → codecs → surfaces ⇄ bitmap cache
//	                                          │ EndFrame: what changed
//	                                          ▼
//	                                     framebuffer → acknowledge
//
// There is no I/O and no goroutine here. H.264 is neither offered nor decoded. Surfaces mapped to windows (RemoteApp) are
// drawn on and shown nowhere.
//
// INVARIANT: memory is bounded by limits.go whatever a server sends, and so is the painting that one message causes.
package gfx
