package egfx

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// StartFrame is RDPGFX_START_FRAME_PDU ([MS-RDPEGFX] 2.2.2.11).
type StartFrame struct {
	// Timestamp holds milliseconds in its lower ten bits, seconds and minutes in six each, hours in ten, or is zero.
	Timestamp uint32
	FrameID   uint32
}

// Command returns CmdStartFrame.
func (*StartFrame) Command() Command { return CmdStartFrame }

// Append appends the message.
func (m *StartFrame) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, m.Timestamp), m.FrameID)
	})
}

// Decode reads the message's body.
func (m *StartFrame) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_START_FRAME_PDU", body)
	m.Timestamp, m.FrameID = r.Uint32(), r.Uint32()
	return r.End()
}

// EndFrame is RDPGFX_END_FRAME_PDU ([MS-RDPEGFX] 2.2.2.12).
type EndFrame struct {
	FrameID uint32
}

// Command returns CmdEndFrame.
func (*EndFrame) Command() Command { return CmdEndFrame }

// Append appends the message.
func (m *EndFrame) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, m.FrameID) })
}

// Decode reads the message's body.
func (m *EndFrame) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_END_FRAME_PDU", body)
	m.FrameID = r.Uint32()
	return r.End()
}

// The values of FrameAcknowledge.QueueDepth with a meaning of their own; all others are bytes not yet decoded.
const (
	QueueDepthUnavailable = 0x00000000
	SuspendAcknowledge    = 0xffffffff // no more acknowledgements will come
)

// FrameAcknowledge is RDPGFX_FRAME_ACKNOWLEDGE_PDU ([MS-RDPEGFX] 2.2.2.13), from the client.
type FrameAcknowledge struct {
	QueueDepth    uint32
	FrameID       uint32
	FramesDecoded uint32 // since the connection began
}

// Command returns CmdFrameAcknowledge.
func (*FrameAcknowledge) Command() Command { return CmdFrameAcknowledge }

// Append appends the message.
func (m *FrameAcknowledge) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, m.QueueDepth)
		b = binary.LittleEndian.AppendUint32(b, m.FrameID)
		return binary.LittleEndian.AppendUint32(b, m.FramesDecoded)
	})
}

// Decode reads the message's body.
func (m *FrameAcknowledge) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_FRAME_ACKNOWLEDGE_PDU", body)
	m.QueueDepth, m.FrameID, m.FramesDecoded = r.Uint32(), r.Uint32(), r.Uint32()
	return r.End()
}

// QoEFrameAcknowledge is RDPGFX_QOE_FRAME_ACKNOWLEDGE_PDU ([MS-RDPEGFX] 2.2.2.21), from the client, for statistics.
type QoEFrameAcknowledge struct {
	FrameID     uint32
	Timestamp   uint32 // milliseconds, of the beginning of decoding
	TimeDiffSE  uint16 // milliseconds from StartFrame to EndFrame
	TimeDiffEDR uint16 // milliseconds from EndFrame until all was shown
}

// Command returns CmdQoEFrameAcknowledge.
func (*QoEFrameAcknowledge) Command() Command { return CmdQoEFrameAcknowledge }

// Append appends the message.
func (m *QoEFrameAcknowledge) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, m.FrameID)
		b = binary.LittleEndian.AppendUint32(b, m.Timestamp)
		b = binary.LittleEndian.AppendUint16(b, m.TimeDiffSE)
		return binary.LittleEndian.AppendUint16(b, m.TimeDiffEDR)
	})
}

// Decode reads the message's body.
func (m *QoEFrameAcknowledge) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_QOE_FRAME_ACKNOWLEDGE_PDU", body)
	m.FrameID, m.Timestamp, m.TimeDiffSE, m.TimeDiffEDR = r.Uint32(), r.Uint32(), r.Uint16(), r.Uint16()
	return r.End()
}
