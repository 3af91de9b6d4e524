package egfx

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// WireToSurface1 is RDPGFX_WIRE_TO_SURFACE_PDU_1 ([MS-RDPEGFX] 2.2.2.1): a bitmap for a surface.
type WireToSurface1 struct {
	SurfaceID   uint16
	Codec       Codec
	PixelFormat PixelFormat
	DestRect    Rect16
	Data        []byte
}

// Command returns CmdWireToSurface1.
func (*WireToSurface1) Command() Command { return CmdWireToSurface1 }

// Append appends the message.
func (m *WireToSurface1) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, m.SurfaceID)
		b = binary.LittleEndian.AppendUint16(b, uint16(m.Codec))
		b = m.DestRect.append(append(b, byte(m.PixelFormat)))
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(m.Data))), m.Data...)
	})
}

// Decode reads the message's body.
func (m *WireToSurface1) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_WIRE_TO_SURFACE_PDU_1", body)
	m.SurfaceID, m.Codec = r.Uint16(), Codec(r.Uint16())
	m.PixelFormat = readFormat(r)
	m.DestRect = readRect(r)
	m.Data = readBlob(r)
	return r.End()
}

// WireToSurface2 is RDPGFX_WIRE_TO_SURFACE_PDU_2 ([MS-RDPEGFX] 2.2.2.2): a part of a bitmap that is sent progressively.
type WireToSurface2 struct {
	SurfaceID   uint16
	Codec       Codec
	ContextID   uint32
	PixelFormat PixelFormat
	Data        []byte
}

// Command returns CmdWireToSurface2.
func (*WireToSurface2) Command() Command { return CmdWireToSurface2 }

// Append appends the message.
func (m *WireToSurface2) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, m.SurfaceID)
		b = binary.LittleEndian.AppendUint16(b, uint16(m.Codec))
		b = append(binary.LittleEndian.AppendUint32(b, m.ContextID), byte(m.PixelFormat))
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(m.Data))), m.Data...)
	})
}

// Decode reads the message's body.
func (m *WireToSurface2) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_WIRE_TO_SURFACE_PDU_2", body)
	m.SurfaceID, m.Codec = r.Uint16(), Codec(r.Uint16())
	m.ContextID = r.Uint32()
	m.PixelFormat = readFormat(r)
	m.Data = readBlob(r)
	return r.End()
}

// DeleteEncodingContext is RDPGFX_DELETE_ENCODING_CONTEXT_PDU ([MS-RDPEGFX] 2.2.2.3).
type DeleteEncodingContext struct {
	SurfaceID uint16
	ContextID uint32
}

// Command returns CmdDeleteEncodingContext.
func (*DeleteEncodingContext) Command() Command { return CmdDeleteEncodingContext }

// Append appends the message.
func (m *DeleteEncodingContext) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(b, m.SurfaceID), m.ContextID)
	})
}

// Decode reads the message's body.
func (m *DeleteEncodingContext) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_DELETE_ENCODING_CONTEXT_PDU", body)
	m.SurfaceID, m.ContextID = r.Uint16(), r.Uint32()
	return r.End()
}

// SolidFill is RDPGFX_SOLIDFILL_PDU ([MS-RDPEGFX] 2.2.2.4).
type SolidFill struct {
	SurfaceID uint16
	Color     Color32
	Rects     []Rect16
}

// Command returns CmdSolidFill.
func (*SolidFill) Command() Command { return CmdSolidFill }

// Append appends the message.
func (m *SolidFill) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, m.SurfaceID)
		b = append(b, m.Color.B, m.Color.G, m.Color.R, m.Color.XA)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(m.Rects)))
		for _, rect := range m.Rects {
			b = rect.append(b)
		}
		return b
	})
}

// Decode reads the message's body.
func (m *SolidFill) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_SOLIDFILL_PDU", body)
	m.SurfaceID = r.Uint16()
	m.Color = Color32{B: r.Uint8(), G: r.Uint8(), R: r.Uint8(), XA: r.Uint8()}
	m.Rects = readRects(r, m.Rects, int(r.Uint16()))
	return r.End()
}

// SurfaceToSurface is RDPGFX_SURFACE_TO_SURFACE_PDU ([MS-RDPEGFX] 2.2.2.5).
type SurfaceToSurface struct {
	Source, Dest uint16 // surfaces, which may be the same
	Rect         Rect16 // of Source
	Points       []Point16
}

// Command returns CmdSurfaceToSurface.
func (*SurfaceToSurface) Command() Command { return CmdSurfaceToSurface }

// Append appends the message.
func (m *SurfaceToSurface) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, m.Source)
		b = binary.LittleEndian.AppendUint16(b, m.Dest)
		return appendPoints(m.Rect.append(b), m.Points)
	})
}

// Decode reads the message's body.
func (m *SurfaceToSurface) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_SURFACE_TO_SURFACE_PDU", body)
	m.Source, m.Dest = r.Uint16(), r.Uint16()
	m.Rect = readRect(r)
	m.Points = readPoints(r, m.Points, int(r.Uint16()))
	return r.End()
}

// CreateSurface is RDPGFX_CREATE_SURFACE_PDU ([MS-RDPEGFX] 2.2.2.9).
type CreateSurface struct {
	SurfaceID     uint16
	Width, Height uint16
	PixelFormat   PixelFormat
}

// Command returns CmdCreateSurface.
func (*CreateSurface) Command() Command { return CmdCreateSurface }

// Append appends the message.
func (m *CreateSurface) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, m.SurfaceID)
		b = binary.LittleEndian.AppendUint16(b, m.Width)
		return append(binary.LittleEndian.AppendUint16(b, m.Height), byte(m.PixelFormat))
	})
}

// Decode reads the message's body.
func (m *CreateSurface) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_CREATE_SURFACE_PDU", body)
	m.SurfaceID, m.Width, m.Height = r.Uint16(), r.Uint16(), r.Uint16()
	m.PixelFormat = readFormat(r)
	return r.End()
}

// DeleteSurface is RDPGFX_DELETE_SURFACE_PDU ([MS-RDPEGFX] 2.2.2.10).
type DeleteSurface struct {
	SurfaceID uint16
}

// Command returns CmdDeleteSurface.
func (*DeleteSurface) Command() Command { return CmdDeleteSurface }

// Append appends the message.
func (m *DeleteSurface) Append(b []byte) []byte {
	return appendMessage(b, m.Command(), func(b []byte) []byte { return binary.LittleEndian.AppendUint16(b, m.SurfaceID) })
}

// Decode reads the message's body.
func (m *DeleteSurface) Decode(body []byte) error {
	r := wire.NewReader("RDPGFX_DELETE_SURFACE_PDU", body)
	m.SurfaceID = r.Uint16()
	return r.End()
}
