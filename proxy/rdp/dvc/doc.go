// Package dvc speaks [MS-RDPEDYC], which opens channels by name within one static virtual channel, "drdynvc".
//
// The PDUs encode and decode both ways. Client is the client's side of the protocol as a state machine: it is given
// the messages of the static channel and calls a function to answer. It does no I/O of its own, starts no goroutine and
// opens nothing but the channels it was told of:
//
//	c := dvc.NewClient(send)
//	c.Register("Microsoft::Windows::RDS::Graphics", maxBytes, func(ch *dvc.Channel) (dvc.Handler, error) { … })
//	…
//	err := c.Message(message) // of the static channel, reassembled
//
// All PDUs begin with one byte: Cmd in the upper four bits, two bits whose meaning depends on it (Sp, Pri or Len), and
// cbId, the width of the channel's number, in the lower two:
//
//	 7 6 5 4 | 3 2 | 1 0
//	+--------+-----+------+ ChannelId (1, 2 or 4 bytes), then what the PDU holds
//	|  Cmd   |  Sp | cbId |
//	+--------+-----+------+
//
// Version 3 of the protocol adds compressed data, which is not spoken: the client answers with version 2 at most.
package dvc

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ChannelName is the static virtual channel that carries all this ([MS-RDPEDYC] 2.1).
const ChannelName = "drdynvc"

// Cmd is the type of a PDU ([MS-RDPEDYC] 2.2).
type Cmd uint8

// The values of Cmd.
const (
	CmdCreate              Cmd = 0x1
	CmdDataFirst           Cmd = 0x2
	CmdData                Cmd = 0x3
	CmdClose               Cmd = 0x4
	CmdCaps                Cmd = 0x5
	CmdDataFirstCompressed Cmd = 0x6
	CmdDataCompressed      Cmd = 0x7
	CmdSoftSyncRequest     Cmd = 0x8
	CmdSoftSyncResponse    Cmd = 0x9
)

// Command returns the type of the PDU in b, which may be unknown or, when b is empty, zero.
func Command(b []byte) Cmd {
	if len(b) == 0 {
		return 0
	}
	return Cmd(b[0] >> 4)
}

// width returns the code for how many bytes v needs, which cbId and Len share: 0, 1 or 2 for 1, 2 or 4 bytes.
func width(v uint32) byte {
	switch {
	case v <= 0xff:
		return 0
	case v <= 0xffff:
		return 1
	}
	return 2
}

// appendHeader appends the header byte and the channel's number in as few bytes as it needs.
func appendHeader(b []byte, cmd Cmd, sp byte, channelID uint32) []byte {
	cbID := width(channelID)
	return appendNumber(append(b, byte(cmd)<<4|sp<<2|cbID), cbID, channelID)
}

func appendNumber(b []byte, code byte, v uint32) []byte {
	switch code {
	case 0:
		return append(b, byte(v))
	case 1:
		return binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return binary.LittleEndian.AppendUint32(b, v)
}

// readHeader reads what appendHeader appends and refuses another command.
func readHeader(r *wire.Reader, cmd Cmd) (sp byte, channelID uint32) {
	sp, cbID := readFirst(r, cmd)
	return sp, readNumber(r, "cbId", cbID)
}

// readFirst reads the header byte alone.
func readFirst(r *wire.Reader, cmd Cmd) (sp, cbID byte) {
	first := r.Uint8()
	if got := Cmd(first >> 4); got != cmd {
		_ = r.Refuse("Cmd is %d, not %d", got, cmd)
	}
	return first >> 2 & 3, first & 3
}

func readNumber(r *wire.Reader, field string, code byte) uint32 {
	switch code {
	case 0:
		return uint32(r.Uint8())
	case 1:
		return uint32(r.Uint16())
	case 2:
		return r.Uint32()
	}
	_ = r.Refuse("%s is 3, which is invalid", field)
	return 0
}
