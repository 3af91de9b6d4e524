// Package svc cuts the messages of static virtual channels into chunks and puts them together again
// ([MS-RDPBCGR] 2.2.6.1, 3.1.5.2.2).
//
// A chunk is what one MCS Send Data carries on a channel, behind CHANNEL_PDU_HEADER:
//
//	length:4  flags:4  virtualChannelData
//
// length is that of the whole message, the same in each of its chunks. Chunks of a channel arrive in order.
package svc

import (
	"encoding/binary"
	"errors"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Flags of CHANNEL_PDU_HEADER ([MS-RDPBCGR] 2.2.6.1.1).
const (
	FlagFirst            = 0x00000001
	FlagLast             = 0x00000002
	FlagShowProtocol     = 0x00000010 // a client channel opened with CHANNEL_OPTION_SHOW_PROTOCOL sets it in each chunk
	FlagSuspend          = 0x00000020
	FlagResume           = 0x00000040
	FlagShadowPersistent = 0x00000080
	FlagCompressed       = 0x00200000
	FlagAtFront          = 0x00400000
	FlagFlushed          = 0x00800000
)

// HeaderBytes is the size of CHANNEL_PDU_HEADER.
const HeaderBytes = 4 + 4

// ErrTooLong is wrapped by the error about a message above an Assembler's cap.
var ErrTooLong = errors.New("message too long")

// Header is CHANNEL_PDU_HEADER ([MS-RDPBCGR] 2.2.6.1.1).
type Header struct {
	Length uint32 // of the whole message, in bytes
	Flags  uint32
}

// Append appends the header.
func (h Header) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, h.Length)
	return binary.LittleEndian.AppendUint32(b, h.Flags)
}

// DecodeChunk splits a chunk into its header and its data, which lies within b.
func DecodeChunk(b []byte) (Header, []byte, error) {
	r := wire.NewReader("CHANNEL_PDU_HEADER", b)
	h := Header{Length: r.Uint32(), Flags: r.Uint32()}
	data := r.Rest()
	if err := r.Err(); err != nil {
		return Header{}, nil, err
	}
	return h, data, nil
}
