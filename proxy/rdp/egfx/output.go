package egfx

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ResetGraphics is RDPGFX_RESET_GRAPHICS_PDU ([MS-RDPEGFX] 2.2.2.14): the output has another size.
type ResetGraphics struct {
	Width, Height uint32
	Monitors      []Monitor
}

// Monitor is TS_MONITOR_DEF ([MS-RDPBCGR] 2.2.1.3.6.1). Right and Bottom are in it, unlike those of Rect16.
type Monitor struct {
	Left, Top, Right, Bottom int32
	Flags                    uint32 // 1: the primary monitor
}

// Command returns CmdResetGraphics.
func (*ResetGraphics) Command() Command { return CmdResetGraphics }

// Append appends the message, which is padded to 340 bytes.
func (m *ResetGraphics) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		end := len(b) - headerBytes + resetGraphicsBytes
		b = binary.LittleEndian.AppendUint32(b, m.Width)
		b = binary.LittleEndian.AppendUint32(b, m.Height)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Monitors)))
		for _, d := range m.Monitors {
			b = binary.LittleEndian.AppendUint32(b, uint32(d.Left))
			b = binary.LittleEndian.AppendUint32(b, uint32(d.Top))
			b = binary.LittleEndian.AppendUint32(b, uint32(d.Right))
			b = binary.LittleEndian.AppendUint32(b, uint32(d.Bottom))
			b = binary.LittleEndian.AppendUint32(b, d.Flags)
		}
		for len(b) < end {
			b = append(b, 0)
		}
		return b
	})
}

// Decode reads the message's body. However much padding there is, it is passed over.
func (m *ResetGraphics) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_RESET_GRAPHICS_PDU", body)
	m.Width, m.Height = r.Uint32(), r.Uint32()
	if m.Width > MaxOutputSide || m.Height > MaxOutputSide {
		return r.Refuse("%d×%d pixels, with at most %d a side", m.Width, m.Height, MaxOutputSide)
	}
	count := r.Uint32()
	if count > maxMonitors {
		return r.Refuse("monitorCount %d exceeds %d", count, maxMonitors)
	}
	m.Monitors = m.Monitors[:0]
	for range count {
		m.Monitors = append(m.Monitors, Monitor{
			Left: r.Int32(), Top: r.Int32(), Right: r.Int32(), Bottom: r.Int32(), Flags: r.Uint32(),
		})
	}
	return r.Err()
}

// MapSurfaceToOutput is RDPGFX_MAP_SURFACE_TO_OUTPUT_PDU ([MS-RDPEGFX] 2.2.2.15): where in the picture a surface is.
type MapSurfaceToOutput struct {
	SurfaceID uint16
	X, Y      uint32
}

// Command returns CmdMapSurfaceToOutput.
func (*MapSurfaceToOutput) Command() Command { return CmdMapSurfaceToOutput }

// Append appends the message.
func (m *MapSurfaceToOutput) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = append(binary.LittleEndian.AppendUint16(b, m.SurfaceID), 0, 0)
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, m.X), m.Y)
	})
}

// Decode reads the message's body.
func (m *MapSurfaceToOutput) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_MAP_SURFACE_TO_OUTPUT_PDU", body)
	m.SurfaceID = r.Uint16()
	r.Skip(2)
	m.X, m.Y = r.Uint32(), r.Uint32()
	return r.End()
}

// MapSurfaceToScaledOutput is RDPGFX_MAP_SURFACE_TO_SCALED_OUTPUT_PDU ([MS-RDPEGFX] 2.2.2.22).
type MapSurfaceToScaledOutput struct {
	SurfaceID                 uint16
	X, Y                      uint32
	TargetWidth, TargetHeight uint32 // what the surface is scaled to, in pixels
}

// Command returns CmdMapSurfaceToScaledOutput.
func (*MapSurfaceToScaledOutput) Command() Command { return CmdMapSurfaceToScaledOutput }

// Append appends the message.
func (m *MapSurfaceToScaledOutput) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = append(binary.LittleEndian.AppendUint16(b, m.SurfaceID), 0, 0)
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, m.X), m.Y)
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, m.TargetWidth), m.TargetHeight)
	})
}

// Decode reads the message's body.
func (m *MapSurfaceToScaledOutput) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_MAP_SURFACE_TO_SCALED_OUTPUT_PDU", body)
	m.SurfaceID = r.Uint16()
	r.Skip(2)
	m.X, m.Y = r.Uint32(), r.Uint32()
	m.TargetWidth, m.TargetHeight = r.Uint32(), r.Uint32()
	return r.End()
}

// MapSurfaceToWindow is RDPGFX_MAP_SURFACE_TO_WINDOW_PDU ([MS-RDPEGFX] 2.2.2.20), for RemoteApp.
type MapSurfaceToWindow struct {
	SurfaceID     uint16
	WindowID      uint64
	Width, Height uint32
}

// Command returns CmdMapSurfaceToWindow.
func (*MapSurfaceToWindow) Command() Command { return CmdMapSurfaceToWindow }

// Append appends the message.
func (m *MapSurfaceToWindow) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint16(b, m.SurfaceID), m.WindowID)
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, m.Width), m.Height)
	})
}

// Decode reads the message's body.
func (m *MapSurfaceToWindow) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_MAP_SURFACE_TO_WINDOW_PDU", body)
	m.SurfaceID, m.WindowID = r.Uint16(), r.Uint64()
	m.Width, m.Height = r.Uint32(), r.Uint32()
	return r.End()
}

// MapSurfaceToScaledWindow is RDPGFX_MAP_SURFACE_TO_SCALED_WINDOW_PDU ([MS-RDPEGFX] 2.2.2.23), for RemoteApp.
type MapSurfaceToScaledWindow struct {
	SurfaceID                 uint16
	WindowID                  uint64
	Width, Height             uint32
	TargetWidth, TargetHeight uint32
}

// Command returns CmdMapSurfaceToScaledWindow.
func (*MapSurfaceToScaledWindow) Command() Command { return CmdMapSurfaceToScaledWindow }

// Append appends the message.
func (m *MapSurfaceToScaledWindow) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint16(b, m.SurfaceID), m.WindowID)
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, m.Width), m.Height)
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, m.TargetWidth), m.TargetHeight)
	})
}

// Decode reads the message's body.
func (m *MapSurfaceToScaledWindow) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_MAP_SURFACE_TO_SCALED_WINDOW_PDU", body)
	m.SurfaceID, m.WindowID = r.Uint16(), r.Uint64()
	m.Width, m.Height = r.Uint32(), r.Uint32()
	m.TargetWidth, m.TargetHeight = r.Uint32(), r.Uint32()
	return r.End()
}
