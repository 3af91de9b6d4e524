package demotarget

import (
	"bufio"
	"encoding/binary"
	"image"
	"io"
)

// Message types from viewer to server (RFC 6143 7.5; SetDesktopSize of rfbproto).
const (
	msgSetPixelFormat = 0
	msgSetEncodings   = 2
	msgUpdateRequest  = 3
	msgKeyEvent       = 4
	msgPointerEvent   = 5
	msgClientCutText  = 6
	msgSetDesktopSize = 251
)

// message is one of the types below.
type message any

type (
	setPixelFormat struct{ format pixelFormat }
	setEncodings   struct{ list []int32 }
	updateRequest  struct {
		incremental bool
		rect        image.Rectangle
	}
	keyEvent struct {
		down   bool
		keysym uint32
	}
	pointerEvent struct {
		buttons uint8
		pos     image.Point
	}
	cutText struct {
		extended bool // the length was negative: Extended Clipboard
		data     []byte
	}
	setDesktopSize struct{ size image.Point }
)

// readMessage reads one message of a viewer. What exceeds the caps of limits.go is refused before memory is
// allocated for it.
func readMessage(r *bufio.Reader) (message, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	var head [19]byte // the largest fixed part, of SetPixelFormat
	fixed := func(n int) ([]byte, error) {
		_, err := io.ReadFull(r, head[:n])
		return head[:n], err
	}
	switch kind {
	case msgSetPixelFormat:
		b, err := fixed(19)
		if err != nil {
			return nil, err
		}
		format, err := parsePixelFormat(b[3:])
		return setPixelFormat{format}, err
	case msgSetEncodings:
		b, err := fixed(3)
		if err != nil {
			return nil, err
		}
		return readEncodings(r, int(binary.BigEndian.Uint16(b[1:])))
	case msgUpdateRequest:
		b, err := fixed(9)
		return updateRequest{b[0] != 0, rectangle(b[1:])}, err
	case msgKeyEvent:
		b, err := fixed(7)
		return keyEvent{b[0] != 0, binary.BigEndian.Uint32(b[3:])}, err
	case msgPointerEvent:
		b, err := fixed(5)
		return pointerEvent{b[0], point(b[1:])}, err
	case msgClientCutText:
		b, err := fixed(7)
		if err != nil {
			return nil, err
		}
		return readCutText(r, int64(int32(binary.BigEndian.Uint32(b[3:]))))
	case msgSetDesktopSize:
		b, err := fixed(7)
		if err != nil {
			return nil, err
		}
		screens := int(b[5])
		if screens == 0 || screens > maxScreens {
			return nil, protocolError("SetDesktopSize with %d screens, want 1 to %d", screens, maxScreens)
		}
		size := point(b[1:])
		_, err = r.Discard(16 * screens)
		return setDesktopSize{size}, err
	}
	return nil, protocolError("unknown message type %d", kind)
}

func readEncodings(r io.Reader, n int) (message, error) {
	if n > maxEncodings {
		return nil, protocolError("SetEncodings with %d encodings, at most %d", n, maxEncodings)
	}
	list := make([]int32, n)
	return setEncodings{list}, binary.Read(r, binary.BigEndian, list)
}

func readCutText(r io.Reader, length int64) (message, error) {
	extended := length < 0
	if extended {
		length = -length
	}
	if length > maxCutText {
		return nil, protocolError("ClientCutText of %d bytes, at most %d", length, maxCutText)
	}
	data := make([]byte, length)
	_, err := io.ReadFull(r, data)
	return cutText{extended, data}, err
}

// point reads two 16-bit numbers, rectangle four: x, y, width, height.
func point(b []byte) image.Point {
	return image.Pt(int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:])))
}

func rectangle(b []byte) image.Rectangle {
	min := point(b)
	return image.Rectangle{Min: min, Max: min.Add(point(b[4:]))}
}
