package vncclient

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// clipboard is the state of text exchange. Until the target announces Extended Clipboard, text goes as
// Latin-1 in cut-text messages.
type clipboard struct {
	mu       sync.Mutex
	extended bool   // the target has announced its capabilities
	actions  uint32 // of the target
	unasked  uint32 // the largest text, in bytes on the wire, it takes without having asked
	offer    string // the latest text from here, for when the target asks
}

// offerClipboard gives the target text, or tells it that there is some, whichever it prefers.
func (s *session) offerClipboard(text string) error {
	if len(text) > desktop.MaxClipboardBytes {
		return fmt.Errorf("vncclient: clipboard text of %d bytes exceeds %d", len(text), desktop.MaxClipboardBytes)
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	c := &s.clipboard
	c.mu.Lock()
	c.offer = text
	c.mu.Unlock()
	return s.out.Push(func(b []byte) []byte { return c.appendOffer(b, text) })
}

// appendOffer appends what tells the target of text.
func (c *clipboard) appendOffer(b []byte, text string) []byte {
	c.mu.Lock()
	extended, actions, unasked := c.extended, c.actions, c.unasked
	c.mu.Unlock()
	wire := wireText(text)
	switch {
	case !extended:
		return appendCutText(b, text)
	case actions&clipNotify == 0:
		// LibVNCServer announces Extended Clipboard also for programs on it that never learnt to take it
		// (x11vnc); those that did get the better text last.
		return appendProvide(appendCutText(b, text), wire)
	case uint64(len(wire)) <= uint64(unasked):
		return appendProvide(b, wire)
	}
	return appendExtended(b, clipNotify|clipText, nil)
}

// appendCutText appends a ClientCutText ([RFC 6143] 7.5.6): Latin-1 with LF line ends, and '?' for what that
// lacks.
func appendCutText(b []byte, text string) []byte {
	const msg = 6
	latin := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			r = '?'
		}
		latin = append(latin, byte(r))
	}
	b = binary.BigEndian.AppendUint32(append(b, msg, 0, 0, 0), uint32(len(latin)))
	return append(b, latin...)
}

// serverCutText reads text from the target ([RFC 6143] 7.6.4). A negative length marks Extended Clipboard.
func (s *session) serverCutText() error {
	p, err := s.in.Next(7)
	if err != nil {
		return streamError("reading clipboard text", err)
	}
	n := int64(int32(binary.BigEndian.Uint32(p[3:])))
	extended := n < 0
	if extended {
		n = -n
	}
	if n > maxWireClipboardBytes {
		return protocolError("clipboard message of %d bytes exceeds %d", n, maxWireClipboardBytes)
	}
	if n > maxProvideBytes || !extended && n > desktop.MaxClipboardBytes {
		s.log.Warn("clipboard text of the target is too large, skipped", "bytes", n)
		if err := s.in.Skip(n); err != nil {
			return streamError("skipping clipboard text", err)
		}
		return nil
	}
	data := make([]byte, n)
	if err := s.in.ReadFull(data); err != nil {
		return streamError("reading clipboard text", err)
	}
	if extended {
		return s.extendedClipboard(data)
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	s.clipboardFromTarget(string(runes))
	return nil
}

// clipboardFromTarget hands text on, with LF line ends and within the cap.
func (s *session) clipboardFromTarget(text string) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) > desktop.MaxClipboardBytes {
		s.log.Warn("clipboard text of the target is too large, skipped", "bytes", len(text))
		return
	}
	s.cfg.Observer.ClipboardFromTarget(text)
}
