package der

import (
	"io"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ReadMessage reads one element with this tag from a stream and returns all of it. It reads no byte behind the
// element, and nothing is allocated before its length was found to be within limit bytes of content.
func ReadMessage(r io.Reader, name string, tag byte, limit int) ([]byte, error) {
	var head [2 + maxLengthOctets]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return nil, err
	}
	if head[0] != tag {
		return nil, wire.Errorf("%s: tag %#02x where %#02x is due", name, head[0], tag)
	}
	n := 2
	if octets := int(head[1] & 0x7f); head[1] >= 0x80 {
		if octets == 0 || octets > maxLengthOctets {
			return nil, wire.Errorf("%s: without a definite length of at most %d octets", name, maxLengthOctets)
		}
		if _, err := io.ReadFull(r, head[2:2+octets]); err != nil {
			return nil, unexpected(err)
		}
		n += octets
	}
	_, length, _ := header(head[:n])
	if length > int64(limit) {
		return nil, wire.Errorf("%s: %d bytes exceed %d", name, length, limit)
	}
	b := make([]byte, n+int(length))
	copy(b, head[:n])
	if _, err := io.ReadFull(r, b[n:]); err != nil {
		return nil, unexpected(err)
	}
	return b, nil
}

// unexpected is err where the stream ends within a message.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // io.ReadFull returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}
