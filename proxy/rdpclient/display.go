package rdpclient

import (
	"fmt"
	"image"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/disp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
)

// display is the display control channel, by which the desktop's size is asked for ([MS-RDPEDISP]).
type display struct {
	mu      sync.Mutex
	channel *dvc.Channel // nil: the target has none, or has not said yet what it takes
	caps    disp.Caps
}

// displayHandler is one opened channel of it.
type displayHandler struct {
	d  *display
	ch *dvc.Channel
}

// open makes the channel's handler; it is of use once the target has told its capabilities.
func (d *display) open(ch *dvc.Channel) (dvc.Handler, error) { return &displayHandler{d, ch}, nil }

// Message implements dvc.Handler.
func (h *displayHandler) Message(b []byte) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.caps.Decode(b); err != nil {
		return err
	}
	h.d.channel = h.ch
	return nil
}

// Closed implements dvc.Handler.
func (h *displayHandler) Closed() {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.d.channel == h.ch {
		h.d.channel = nil
	}
}

// resize asks the target for another size, as one monitor.
func (s *session) resize(size image.Point) error {
	d := &s.channels.display
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.channel == nil {
		return fmt.Errorf("rdpclient: change of size: %w", desktop.ErrUnsupported)
	}
	if size == s.fb.Size() {
		return nil // asking again makes some targets draw everything anew
	}
	layout := disp.SingleMonitor(size)
	if err := d.caps.Check(layout); err != nil {
		return fmt.Errorf("rdpclient: size %d×%d: %w: %w", size.X, size.Y, desktop.ErrUnsupported, err)
	}
	return d.channel.Send(layout.Append(nil))
}
