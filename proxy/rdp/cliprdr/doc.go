// Package cliprdr has the messages of the clipboard channel ([MS-RDPECLIP]) and, in Client, the client's side of it for
// text and nothing else.
//
// # Concepts
//
// Whoever has something new on its clipboard sends the list of its formats. The other side confirms the list and asks for
// a format when it wants the data ("delayed rendering"):
//
//	server                              client
//	CLIP_CAPS, MONITOR_READY         →
//	                                 ←  CLIP_CAPS, FORMAT_LIST
//	FORMAT_LIST_RESPONSE             →
//	FORMAT_LIST                      →                          something was copied on the server
//	                                 ←  FORMAT_LIST_RESPONSE, FORMAT_DATA_REQUEST
//	FORMAT_DATA_RESPONSE             →
//	                                 ←  FORMAT_LIST             something was copied at the client
//	FORMAT_LIST_RESPONSE             →
//	FORMAT_DATA_REQUEST              →
//	                                 ←  FORMAT_DATA_RESPONSE
//
// A message travels on the static channel ChannelName behind CLIPRDR_HEADER, msgType:2 msgFlags:2 dataLen:4. Some servers
// (xrdp) append a few bytes that dataLen does not count; they are passed over.
//
// Nothing here does I/O or starts a goroutine. Errors of decoders wrap wire.ErrMalformed.
package cliprdr

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ChannelName is the name of the static virtual channel ([MS-RDPECLIP] 2.1).
const ChannelName = "cliprdr"

// Type is msgType of CLIPRDR_HEADER ([MS-RDPECLIP] 2.2.1).
type Type uint16

// The messages.
const (
	TypeMonitorReady         Type = 0x0001
	TypeFormatList           Type = 0x0002
	TypeFormatListResponse   Type = 0x0003
	TypeFormatDataRequest    Type = 0x0004
	TypeFormatDataResponse   Type = 0x0005
	TypeTempDirectory        Type = 0x0006
	TypeCapabilities         Type = 0x0007
	TypeFileContentsRequest  Type = 0x0008
	TypeFileContentsResponse Type = 0x0009
	TypeLockData             Type = 0x000A
	TypeUnlockData           Type = 0x000B
)

// Flags of CLIPRDR_HEADER ([MS-RDPECLIP] 2.2.1).
const (
	FlagResponseOK   = 0x0001
	FlagResponseFail = 0x0002
	FlagASCIINames   = 0x0004 // short names of a format list are ASCII
)

// headerBytes is the size of CLIPRDR_HEADER.
const headerBytes = 2 + 2 + 4

// Header is what a message is: CLIPRDR_HEADER ([MS-RDPECLIP] 2.2.1) without dataLen.
type Header struct {
	Type  Type
	Flags uint16
}

// DecodeHeader splits a message into its header and the data that dataLen covers, which lies within b.
func DecodeHeader(b []byte) (Header, []byte, error) {
	r := wire.NewReader("CLIPRDR_HEADER", b)
	h := Header{Type: Type(r.Uint16()), Flags: r.Uint16()}
	n := r.Uint32()
	if r.Err() == nil && uint64(n) > uint64(r.Len()) {
		return Header{}, nil, r.Refuse("dataLen %d of %d bytes", n, r.Len())
	}
	data := r.Bytes(int(n))
	if err := r.Err(); err != nil {
		return Header{}, nil, err
	}
	return h, data, nil
}

// open returns the flags of a message of the wanted type and a reader of its data.
func open(name string, b []byte, want Type) (uint16, *wire.Reader) {
	h, data, err := DecodeHeader(b)
	r := wire.NewReader(name, data)
	switch {
	case err != nil:
		_ = r.Fail(err)
	case h.Type != want:
		_ = r.Refuse("msgType %#x is not %#x", uint16(h.Type), uint16(want))
	}
	return h.Flags, r
}

// begin appends CLIPRDR_HEADER with dataLen to be set by end.
func begin(b []byte, t Type, flags uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(t))
	b = binary.LittleEndian.AppendUint16(b, flags)
	return append(b, 0, 0, 0, 0)
}

// end sets dataLen of the message that begins at start.
func end(b []byte, start int) []byte {
	binary.LittleEndian.PutUint32(b[start+4:], uint32(len(b)-start-headerBytes))
	return b
}

// responseFlags returns msgFlags of a response.
func responseFlags(ok bool) uint16 {
	if ok {
		return FlagResponseOK
	}
	return FlagResponseFail
}
