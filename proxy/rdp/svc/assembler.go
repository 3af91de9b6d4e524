package svc

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Assembler puts the chunks of one channel together. It is not safe for concurrent use.
type Assembler struct {
	max    int
	buf    []byte
	total  uint32 // length of the message under way
	got    uint32 // bytes of it so far
	active bool   // a message is under way
	skip   bool   // it is above the cap: counted, not kept
}

// NewAssembler returns an Assembler of messages of at most maxBytes.
func NewAssembler(maxBytes int) *Assembler { return &Assembler{max: maxBytes} }

// Add takes one chunk, header and data, and returns the message it completes, or nil. The message lies in the chunk or
// in the Assembler and is valid until the next call.
//
// A message above the cap gives, with its first chunk, an error that wraps ErrTooLong; whoever wants to go on may: its
// other chunks are passed over. Every other error wraps wire.ErrMalformed and leaves the channel out of step: compressed
// chunks, which we do not offer to take, chunks that do not add up to the length, and a first or last chunk out of place.
//
// An empty message is not nil.
func (a *Assembler) Add(chunk []byte) ([]byte, error) {
	h, data, err := DecodeChunk(chunk)
	if err != nil {
		return nil, err
	}
	if h.Flags&FlagCompressed != 0 {
		return nil, wire.Errorf("virtual channel: compressed chunk, flags %#x", h.Flags)
	}
	first, last := h.Flags&FlagFirst != 0, h.Flags&FlagLast != 0
	switch {
	case first && a.active:
		return nil, wire.Errorf("virtual channel: a message begins after %d of %d bytes of another", a.got, a.total)
	case !first && !a.active:
		return nil, wire.Errorf("virtual channel: a chunk of no message, flags %#x", h.Flags)
	case !first && h.Length != a.total:
		return nil, wire.Errorf("virtual channel: length %d in a message of length %d", h.Length, a.total)
	case first:
		a.begin(h.Length)
	}
	if uint64(a.got)+uint64(len(data)) > uint64(a.total) {
		return nil, wire.Errorf("virtual channel: %d bytes in a message of length %d", uint64(a.got)+uint64(len(data)), a.total)
	}
	a.got += uint32(len(data))
	if last && a.got != a.total {
		return nil, wire.Errorf("virtual channel: %d bytes in a message of length %d", a.got, a.total)
	}
	a.active = !last
	switch {
	case a.skip && first:
		return nil, fmt.Errorf("virtual channel: %d bytes exceed %d: %w", a.total, a.max, ErrTooLong)
	case a.skip:
		return nil, nil
	case first && last:
		return data, nil
	}
	a.buf = append(a.buf, data...)
	if !last {
		return nil, nil
	}
	return a.buf, nil
}

// begin makes ready for a message. Its buffer grows with what arrives, not with what is announced.
func (a *Assembler) begin(length uint32) {
	a.total, a.got, a.active = length, 0, true
	a.skip = uint64(length) > uint64(a.max)
	if a.buf == nil || cap(a.buf) > keptBytes {
		a.buf = []byte{}
	}
	a.buf = a.buf[:0]
}
