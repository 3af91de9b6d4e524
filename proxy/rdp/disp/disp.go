// Package disp has the messages of the Display Update virtual channel ([MS-RDPEDISP]), by which a client asks for another
// size of the desktop. They travel on the dynamic channel ChannelName.
//
//	DISPLAYCONTROL_HEADER  Type:4  Length:4 (of all)
//	CAPS                   MaxNumMonitors:4  MaxMonitorAreaFactorA:4  MaxMonitorAreaFactorB:4
//	MONITOR_LAYOUT         MonitorLayoutSize:4 (40)  NumMonitors:4  {40 bytes}
//
// The server sends CAPS when the channel opens; the client sends MONITOR_LAYOUT as often as it likes and hears nothing:
// the desktop changes or it does not.
package disp

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ChannelName is the name of the dynamic channel ([MS-RDPEDISP] 2.1).
const ChannelName = "Microsoft::Windows::RDS::DisplayControl"

// The values of Type ([MS-RDPEDISP] 2.2.1.1).
const (
	typeMonitorLayout = 0x00000002
	typeCaps          = 0x00000005
)

const (
	headerBytes  = 4 + 4
	capsBytes    = headerBytes + 4 + 4 + 4
	layoutBytes  = headerBytes + 4 + 4 // before the monitors
	monitorBytes = 10 * 4
)

// readHeader reads DISPLAYCONTROL_HEADER ([MS-RDPEDISP] 2.2.1.1) and returns a reader of what Length covers after it.
func readHeader(name string, b []byte, want uint32) *wire.Reader {
	r := wire.NewReader(name, b)
	typ, length := r.Uint32(), r.Uint32()
	switch {
	case r.Err() != nil:
	case typ != want:
		_ = r.Refuse("Type %#x is not %#x", typ, want)
	case length < headerBytes || uint64(length) > uint64(len(b)):
		_ = r.Refuse("Length %d of %d bytes", length, len(b))
	default:
		return r.Sub(name, int(length)-headerBytes)
	}
	return r
}

// Caps is DISPLAYCONTROL_CAPS_PDU ([MS-RDPEDISP] 2.2.2.1): what the server takes.
type Caps struct {
	MaxNumMonitors        uint32
	MaxMonitorAreaFactorA uint32 // pixels
	MaxMonitorAreaFactorB uint32 // pixels
}

// Append appends the PDU.
func (c Caps) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, typeCaps)
	b = binary.LittleEndian.AppendUint32(b, capsBytes)
	b = binary.LittleEndian.AppendUint32(b, c.MaxNumMonitors)
	b = binary.LittleEndian.AppendUint32(b, c.MaxMonitorAreaFactorA)
	return binary.LittleEndian.AppendUint32(b, c.MaxMonitorAreaFactorB)
}

// Decode reads the PDU. A server that takes no monitor, or none of any size, is refused.
func (c *Caps) Decode(b []byte) error {
	r := readHeader("DISPLAYCONTROL_CAPS_PDU", b, typeCaps)
	d := Caps{MaxNumMonitors: r.Uint32(), MaxMonitorAreaFactorA: r.Uint32(), MaxMonitorAreaFactorB: r.Uint32()}
	if r.Err() == nil && (d.MaxNumMonitors == 0 || d.MaxMonitorAreaFactorA == 0 || d.MaxMonitorAreaFactorB == 0) {
		return r.Refuse("%d monitors of %d×%d pixels", d.MaxNumMonitors, d.MaxMonitorAreaFactorA, d.MaxMonitorAreaFactorB)
	}
	if err := r.End(); err != nil {
		return err
	}
	*c = d
	return nil
}

// maxArea returns the most pixels all monitors may have together.
func (c Caps) maxArea() uint64 {
	// The product of three 32-bit numbers may need 96 bits; beyond maxPixels nothing is asked for anyway.
	monitor := uint64(c.MaxMonitorAreaFactorA) * uint64(c.MaxMonitorAreaFactorB)
	return min(monitor, maxPixels) * min(uint64(c.MaxNumMonitors), maxMonitors)
}

// Check returns an error when the server would not take the layout.
func (c Caps) Check(l Layout) error {
	if err := l.Check(); err != nil {
		return err
	}
	if n := uint32(len(l.Monitors)); n > c.MaxNumMonitors {
		return wire.Errorf("disp: %d monitors exceed MaxNumMonitors %d", n, c.MaxNumMonitors)
	}
	area := uint64(0)
	for _, m := range l.Monitors {
		area += uint64(m.Width) * uint64(m.Height)
	}
	if area > c.maxArea() {
		return wire.Errorf("disp: %d pixels exceed %d", area, c.maxArea())
	}
	return nil
}

// SingleMonitor returns the layout of one monitor of about the given size in pixels: sides are brought into the range
// that is allowed, and the width is made even, never larger than asked unless that is too small.
func SingleMonitor(size image.Point) Layout {
	return Layout{Monitors: []Monitor{{
		Flags:  FlagPrimary,
		Width:  uint32(min(max(size.X, minSide), maxSide)) &^ 1,
		Height: uint32(min(max(size.Y, minSide), maxSide)),
	}}}
}
