// Package egfx is the wire format of the graphics pipeline, [MS-RDPEGFX] 2.2.1 to 2.2.3: every message, both ways.
//
// Messages travel on a dynamic channel of the name ChannelName. Those of the client are sent as they are; those of the
// server come packed (RDP_SEGMENTED_DATA, 2.2.5.1, package zgfx), and unpacking gives one message after another:
//
//	for len(b) > 0 {
//		command, body, rest, err := egfx.Next(b)
//		…
//		b = rest
//	}
//
// What bitmaps look like inside WireToSurface1 and 2 (2.2.4) is not known here.
//
// INVARIANT: rectangles that were decoded are not inverted: right ≥ left and bottom ≥ top. They may be empty, and they
// may lie anywhere: only who has the surface can tell whether they fit.
package egfx

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ChannelName is the dynamic virtual channel of the graphics pipeline ([MS-RDPEGFX] 2.1).
const ChannelName = "Microsoft::Windows::RDS::Graphics"

// Command is the type of a message: the cmdId of RDPGFX_HEADER ([MS-RDPEGFX] 2.2.1.5). 0x14 is not assigned.
type Command uint16

// The values of Command.
const (
	CmdWireToSurface1           Command = 0x0001
	CmdWireToSurface2           Command = 0x0002
	CmdDeleteEncodingContext    Command = 0x0003
	CmdSolidFill                Command = 0x0004
	CmdSurfaceToSurface         Command = 0x0005
	CmdSurfaceToCache           Command = 0x0006
	CmdCacheToSurface           Command = 0x0007
	CmdEvictCacheEntry          Command = 0x0008
	CmdCreateSurface            Command = 0x0009
	CmdDeleteSurface            Command = 0x000a
	CmdStartFrame               Command = 0x000b
	CmdEndFrame                 Command = 0x000c
	CmdFrameAcknowledge         Command = 0x000d
	CmdResetGraphics            Command = 0x000e
	CmdMapSurfaceToOutput       Command = 0x000f
	CmdCacheImportOffer         Command = 0x0010
	CmdCacheImportReply         Command = 0x0011
	CmdCapsAdvertise            Command = 0x0012
	CmdCapsConfirm              Command = 0x0013
	CmdMapSurfaceToWindow       Command = 0x0015
	CmdQoEFrameAcknowledge      Command = 0x0016
	CmdMapSurfaceToScaledOutput Command = 0x0017
	CmdMapSurfaceToScaledWindow Command = 0x0018
)

// Message is one graphics message.
type Message interface {
	// Command returns the message's type.
	Command() Command
	// Append appends the message with its header.
	Append(b []byte) []byte
	// Decode reads the message's body. Byte slices lie within it; the others are the message's own and are used
	// again by its next Decode. After an error the message is worth nothing.
	Decode(body []byte) error
}

// headerBytes is the size of RDPGFX_HEADER.
const headerBytes = 8

// Next splits the first message off b. body and rest lie within b.
func Next(b []byte) (command Command, body, rest []byte, err error) {
	if len(b) < headerBytes {
		return 0, nil, nil, wire.Errorf("RDPGFX_HEADER: %d bytes of %d", len(b), headerBytes)
	}
	command = Command(binary.LittleEndian.Uint16(b)) // then flags, of which there are none
	length := binary.LittleEndian.Uint32(b[4:])
	if length < headerBytes || uint64(length) > uint64(len(b)) {
		return 0, nil, nil, wire.Errorf("RDPGFX_HEADER: command %d has pduLength %d of %d bytes", command, length, len(b))
	}
	return command, b[headerBytes:length:length], b[length:], nil
}

// appendMessage appends a header and what body appends.
func appendMessage(b []byte, command Command, body func(b []byte) []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(command))
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = body(b)
	binary.LittleEndian.PutUint32(b[start+4:], uint32(len(b)-start))
	return b
}
