package vncclient

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"math/bits"
	"strings"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Flags of an Extended Clipboard message (rfbproto, "Extended Clipboard"): formats in the low half, of which
// only text is used here, and the action in the high byte.
const (
	clipText    = 1 << 0
	clipFormats = 0xffff
	clipCaps    = 1 << 24
	clipRequest = 1 << 25
	clipPeek    = 1 << 26
	clipNotify  = 1 << 27
	clipProvide = 1 << 28
)

// appendExtended appends a ClientCutText with a negative length: flags and data.
func appendExtended(b []byte, flags uint32, data []byte) []byte {
	const msg = 6
	b = binary.BigEndian.AppendUint32(append(b, msg, 0, 0, 0), uint32(-int32(4+len(data))))
	return append(binary.BigEndian.AppendUint32(b, flags), data...)
}

// appendCaps appends our capabilities: text of any size we take, given without asking.
func appendCaps(b []byte) []byte {
	const all = clipCaps | clipRequest | clipPeek | clipNotify | clipProvide
	return appendExtended(b, all|clipText, binary.BigEndian.AppendUint32(nil, desktop.MaxClipboardBytes))
}

// wireText returns text in the form of the wire: CRLF line ends and a NUL at the end.
func wireText(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") + "\x00" }

// appendProvide appends text in the form of wireText: a zlib stream of its size and itself.
func appendProvide(b []byte, wire string) []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	// Writes into memory do not fail.
	_, _ = z.Write(binary.BigEndian.AppendUint32(nil, uint32(len(wire))))
	_, _ = io.WriteString(z, wire)
	_ = z.Flush() // and no end: LibVNCServer takes that for an error
	return appendExtended(b, clipProvide|clipText, packed.Bytes())
}

// extendedClipboard handles one Extended Clipboard message of the target.
func (s *session) extendedClipboard(data []byte) error {
	if len(data) < 4 {
		return protocolError("clipboard message of %d bytes, need 4", len(data))
	}
	flags := binary.BigEndian.Uint32(data)
	data = data[4:]
	c := &s.clipboard
	switch {
	case flags&clipCaps != 0:
		formats := bits.OnesCount32(flags & clipFormats)
		if len(data) < 4*formats {
			return protocolError("clipboard capabilities with %d bytes for %d formats", len(data), formats)
		}
		c.mu.Lock()
		again := "" // what has gone as Latin-1 before the target said that it takes more
		if !c.extended {
			again = c.offer
		}
		c.extended, c.actions, c.unasked = flags&clipText != 0, flags, 0
		if c.extended {
			c.unasked = binary.BigEndian.Uint32(data) // text is the lowest format
		}
		c.mu.Unlock()
		return s.out.Add(func(b []byte) []byte {
			if b = appendCaps(b); again != "" {
				b = c.appendOffer(b, again)
			}
			return b
		})
	case flags&clipRequest != 0:
		c.mu.Lock()
		offer := c.offer
		c.mu.Unlock()
		if flags&clipText == 0 || offer == "" {
			return nil
		}
		return s.out.Add(func(b []byte) []byte { return appendProvide(b, wireText(offer)) })
	case flags&clipPeek != 0:
		c.mu.Lock()
		have := uint32(0)
		if c.offer != "" {
			have = clipText
		}
		c.mu.Unlock()
		return s.out.Add(func(b []byte) []byte { return appendExtended(b, clipNotify|have, nil) })
	case flags&clipNotify != 0:
		if flags&clipText == 0 {
			return nil
		}
		return s.out.Add(func(b []byte) []byte { return appendExtended(b, clipRequest|clipText, nil) })
	case flags&clipProvide != 0:
		if flags&clipText == 0 {
			return nil
		}
		return s.provided(data)
	}
	return nil // an action of a later version
}

// provided reads the text of a provide message.
func (s *session) provided(data []byte) error {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return protocolError("clipboard data: %v", err)
	}
	var head [4]byte
	if _, err := io.ReadFull(z, head[:]); err != nil {
		return protocolError("clipboard data: %v", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxProvideBytes {
		s.log.Warn("clipboard text of the target is too large, skipped", "bytes", n)
		return nil
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(z, text); err != nil {
		return protocolError("clipboard data ends before its %d bytes: %v", n, err)
	}
	s.clipboardFromTarget(string(text))
	return nil
}
