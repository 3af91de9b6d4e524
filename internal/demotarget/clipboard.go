package demotarget

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"strings"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Flags of an Extended Clipboard message (rfbproto): formats in the low half, of which we know only text, and
// the action in the high byte.
const (
	clipText    = 1 << 0
	clipFormats = 0xffff
	clipCaps    = 1 << 24
	clipRequest = 1 << 25
	clipPeek    = 1 << 26
	clipNotify  = 1 << 27
	clipProvide = 1 << 28
)

// unaskedByDefault is how many bytes of text a viewer takes without asking as long as it has not said
// (rfbproto).
const unaskedByDefault = 20 << 20

// clipboardPeer is what we know of a viewer's Extended Clipboard. The server's mu guards it.
type clipboardPeer struct {
	capable bool   // it has sent its capabilities
	unasked uint32 // bytes of text it takes without asking
	replies []byte // messages to send
}

// takeReplies returns what must be sent.
func (p *clipboardPeer) takeReplies() []byte {
	b := p.replies
	p.replies = nil
	return b
}

// appendText appends a ServerCutText (RFC 6143 7.6.4), extended when the viewer can read it.
func (p *clipboardPeer) appendText(b []byte, text string, extended bool) []byte {
	if !extended {
		return appendString(append(b, 3, 0, 0, 0), toLatin1(text))
	}
	limit := p.unasked
	if !p.capable {
		limit = unaskedByDefault
	}
	if len(text) > int(limit) {
		return appendExtended(b, clipNotify|clipText, nil)
	}
	return appendProvide(b, text)
}

// extendedCutText handles an Extended Clipboard message of the viewer.
func (c *conn) extendedCutText(data []byte) error {
	if len(data) < 4 {
		return protocolError("clipboard message of %d bytes, need 4", len(data))
	}
	flags, data := binary.BigEndian.Uint32(data), data[4:]
	// Capabilities name every action the peer knows, Provide among them.
	if flags&clipCaps == 0 && flags&clipProvide != 0 {
		text, err := readProvide(flags, data)
		if err != nil {
			return err
		}
		c.textArrived(text)
		return nil
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	defer c.wakeUp()
	switch {
	case flags&clipCaps != 0:
		if need := 4 * bits.OnesCount32(flags&clipFormats); len(data) < need {
			return protocolError("clipboard capabilities of %d bytes, need %d", len(data), need)
		}
		c.clip.capable = true
		if flags&clipText != 0 {
			c.clip.unasked = binary.BigEndian.Uint32(data) // text is the lowest format
		}
	case len(c.clip.replies) > maxCutText:
		return protocolError("viewer asks for the clipboard and does not take it")
	case flags&clipRequest != 0 && flags&clipText != 0:
		c.clip.replies = appendProvide(c.clip.replies, c.s.clipboard)
	case flags&clipPeek != 0:
		c.clip.replies = appendExtended(c.clip.replies, clipNotify|clipText, nil)
	case flags&clipNotify != 0 && flags&clipText != 0:
		c.clip.replies = appendExtended(c.clip.replies, clipRequest|clipText, nil)
	}
	return nil
}

// readProvide returns the text of a Provide message: a zlib stream of sizes and data, text first, with CRLF
// line ends and a NUL at the end.
func readProvide(flags uint32, data []byte) (string, error) {
	if flags&clipText == 0 {
		return "", protocolError("clipboard without text: formats %#x", flags&clipFormats)
	}
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return "", protocolError("clipboard: %v", err)
	}
	defer z.Close()
	var size uint32
	if err := binary.Read(z, binary.BigEndian, &size); err != nil {
		return "", protocolError("clipboard: %v", err)
	}
	if size > desktop.MaxClipboardBytes+1 {
		return "", protocolError("clipboard of %d bytes, at most %d", size, desktop.MaxClipboardBytes)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(z, text); err != nil && !errors.Is(err, io.EOF) {
		return "", protocolError("clipboard: %v", err)
	}
	text = bytes.TrimSuffix(text, []byte{0})
	return strings.ToValidUTF8(strings.ReplaceAll(string(text), "\r\n", "\n"), "\ufffd"), nil
}

// appendCaps appends our capabilities.
func appendCaps(b []byte) []byte {
	const all = clipCaps | clipRequest | clipPeek | clipNotify | clipProvide
	return appendExtended(b, all|clipText, binary.BigEndian.AppendUint32(nil, desktop.MaxClipboardBytes))
}

func appendProvide(b []byte, text string) []byte {
	text = strings.ReplaceAll(text, "\n", "\r\n") + "\x00"
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	// Writes into memory do not fail.
	_, _ = z.Write(appendString(nil, text))
	_ = z.Close()
	return appendExtended(b, clipProvide|clipText, packed.Bytes())
}

// appendExtended appends a ServerCutText with a negative length: flags and data.
func appendExtended(b []byte, flags uint32, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, 3, 0, 0, 0), uint32(-int32(4+len(data))))
	return append(binary.BigEndian.AppendUint32(b, flags), data...)
}

// fromLatin1 and toLatin1 translate the text of classic messages (RFC 6143 7.5.6).
func fromLatin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return strings.ReplaceAll(string(runes), "\r\n", "\n")
}

func toLatin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return string(b)
}
