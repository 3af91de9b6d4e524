package rdp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// TPKT header ([T.123] 8): version 3, a reserved byte, the length of all in 16 bits, big endian.
const (
	tpktVersion = 3
	tpktHeader  = 4
)

// Actions of a first byte's two lowest bits ([MS-RDPBCGR] 2.2.9.1.2).
const (
	actionFastPath = 0
	actionX224     = 3
)

// Frame is one PDU off the wire.
type Frame struct {
	// FastPath is set for fast-path PDUs; Payload is then what follows the length, else what follows the TPKT header.
	FastPath bool
	// Header is the first byte: of a fast-path input PDU it holds the number of events.
	Header byte
	// Payload lies in the reader's buffer and is valid until the next call.
	Payload []byte
}

// FrameReader cuts a byte stream into PDUs. It is not safe for concurrent use.
type FrameReader struct {
	src  *bufio.Reader
	last int // bytes of the frame given out, to be discarded
}

// NewFrameReader returns a FrameReader on src.
func NewFrameReader(src io.Reader) *FrameReader {
	return &FrameReader{src: bufio.NewReaderSize(src, MaxFrame+1)}
}

// Buffered returns how many bytes have been read and not been given out.
func (f *FrameReader) Buffered() int { return f.src.Buffered() - f.last }

// Rest returns a copy of the bytes that have been read and not been given out: what another reader of the stream must see first.
func (f *FrameReader) Rest() []byte {
	p, _ := f.src.Peek(f.src.Buffered()) // what is buffered can always be had
	return append([]byte(nil), p[f.last:]...)
}

// Wait blocks until a PDU has begun. Next, after it, waits only for the PDU's rest.
func (f *FrameReader) Wait() error {
	if err := f.release(); err != nil {
		return err
	}
	_, err := f.src.Peek(1)
	return err
}

func (f *FrameReader) release() error {
	n := f.last
	f.last = 0
	_, err := f.src.Discard(n)
	return err
}

// Next returns the next PDU. The error is io.EOF when the stream ends between PDUs and io.ErrUnexpectedEOF when it ends
// within one.
func (f *FrameReader) Next() (Frame, error) {
	if err := f.Wait(); err != nil {
		return Frame{}, err
	}
	first, err := f.src.Peek(1)
	if err != nil {
		return Frame{}, err
	}
	frame := Frame{Header: first[0]}
	header, total := 0, 0
	switch {
	case frame.Header == tpktVersion:
		p, err := f.peek(tpktHeader)
		if err != nil {
			return Frame{}, err
		}
		header, total = tpktHeader, int(binary.BigEndian.Uint16(p[2:]))
	case frame.Header&3 == actionFastPath:
		p, err := f.peek(2)
		if err != nil {
			return Frame{}, err
		}
		frame.FastPath = true
		header, total = 2, int(p[1])
		if total&0x80 != 0 {
			if p, err = f.peek(3); err != nil {
				return Frame{}, err
			}
			header, total = 3, int(binary.BigEndian.Uint16(p[1:])&0x7fff)
		}
	default:
		return Frame{}, wire.Errorf("rdp: first byte %#x is neither TPKT nor fast-path", frame.Header)
	}
	if total < header {
		return Frame{}, wire.Errorf("rdp: PDU of %d bytes is shorter than its header of %d", total, header)
	}
	p, err := f.peek(total)
	if err != nil {
		return Frame{}, err
	}
	f.last, frame.Payload = total, p[header:]
	return frame, nil
}

func (f *FrameReader) peek(n int) ([]byte, error) {
	p, err := f.src.Peek(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}

// AppendTPKT appends a TPKT whose payload fn appends.
func AppendTPKT(b []byte, fn func(b []byte) []byte) []byte {
	start := len(b)
	b = fn(append(b, tpktVersion, 0, 0, 0))
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// appendFastPath appends a fast-path PDU with the first byte header; its length takes two bytes.
func appendFastPath(b []byte, header byte, fn func(b []byte) []byte) []byte {
	start := len(b)
	b = fn(append(b, header, 0, 0))
	binary.BigEndian.PutUint16(b[start+1:], uint16(len(b)-start)|0x8000)
	return b
}
