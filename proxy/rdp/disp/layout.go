package disp

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// FlagPrimary marks the primary monitor, whose top left corner is the origin ([MS-RDPEDISP] 2.2.2.2.1).
const FlagPrimary = 0x00000001

// Monitor is DISPLAYCONTROL_MONITOR_LAYOUT ([MS-RDPEDISP] 2.2.2.2.1).
type Monitor struct {
	Flags         uint32
	Left, Top     int32  // pixels, relative to the primary monitor
	Width, Height uint32 // pixels
	// PhysicalWidth and PhysicalHeight are in millimetres; Physical tells whether they count.
	PhysicalWidth, PhysicalHeight uint32
	Orientation                   uint32 // degrees, clockwise: 0, 90, 180 or 270
	// DesktopScaleFactor and DeviceScaleFactor are in percent; Scaled tells whether they count.
	DesktopScaleFactor, DeviceScaleFactor uint32
}

// Physical tells whether the physical sides count: out of range they are to be ignored.
func (m *Monitor) Physical() bool {
	in := func(mm uint32) bool { return mm >= minMillimetres && mm <= maxMillimetres }
	return in(m.PhysicalWidth) && in(m.PhysicalHeight)
}

// Scaled tells whether the scale factors count: out of range both are to be ignored.
func (m *Monitor) Scaled() bool {
	desktop := m.DesktopScaleFactor >= minDesktopScale && m.DesktopScaleFactor <= maxDesktopScale
	device := m.DeviceScaleFactor == 100 || m.DeviceScaleFactor == 140 || m.DeviceScaleFactor == 180
	return desktop && device
}

// Bounds returns the monitor's rectangle in pixels.
func (m *Monitor) Bounds() image.Rectangle {
	return image.Rect(int(m.Left), int(m.Top), int(m.Left)+int(m.Width), int(m.Top)+int(m.Height))
}

// Layout is DISPLAYCONTROL_MONITOR_LAYOUT_PDU ([MS-RDPEDISP] 2.2.2.2): what the client wants.
type Layout struct {
	Monitors []Monitor
}

// Append appends the PDU.
func (l Layout) Append(b []byte) []byte {
	for _, v := range []uint32{
		typeMonitorLayout, uint32(layoutBytes + len(l.Monitors)*monitorBytes), monitorBytes, uint32(len(l.Monitors)),
	} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, m := range l.Monitors {
		for _, v := range []uint32{
			m.Flags, uint32(m.Left), uint32(m.Top), m.Width, m.Height, m.PhysicalWidth, m.PhysicalHeight, m.Orientation,
			m.DesktopScaleFactor, m.DeviceScaleFactor,
		} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	return b
}

// Decode reads the PDU and checks what it asks for.
func (l *Layout) Decode(b []byte) error {
	r := readHeader("DISPLAYCONTROL_MONITOR_LAYOUT_PDU", b, typeMonitorLayout)
	size, count := r.Uint32(), r.Uint32()
	switch {
	case r.Err() != nil:
		return r.Err()
	case size != monitorBytes:
		return r.Refuse("MonitorLayoutSize %d is not %d", size, monitorBytes)
	case count == 0 || count > maxMonitors:
		return r.Refuse("NumMonitors %d, may be 1 to %d", count, maxMonitors)
	case int(count)*monitorBytes != r.Len():
		return r.Refuse("NumMonitors %d in %d bytes", count, r.Len())
	}
	d := Layout{Monitors: make([]Monitor, count)}
	for i := range d.Monitors {
		d.Monitors[i] = Monitor{
			Flags: r.Uint32(), Left: r.Int32(), Top: r.Int32(), Width: r.Uint32(), Height: r.Uint32(),
			PhysicalWidth: r.Uint32(), PhysicalHeight: r.Uint32(), Orientation: r.Uint32(),
			DesktopScaleFactor: r.Uint32(), DeviceScaleFactor: r.Uint32(),
		}
	}
	if err := r.End(); err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		return r.Fail(err)
	}
	*l = d
	return nil
}

// Check returns an error when [MS-RDPEDISP] 2.2.2.2.1 does not allow the layout. That monitors touch each other is left to
// the server.
func (l Layout) Check() error {
	if n := len(l.Monitors); n == 0 || n > maxMonitors {
		return wire.Errorf("disp: %d monitors, may be 1 to %d", n, maxMonitors)
	}
	primary := 0
	for i := range l.Monitors {
		m := &l.Monitors[i]
		if m.Width < minSide || m.Width > maxSide || m.Height < minSide || m.Height > maxSide || m.Width%2 != 0 {
			return wire.Errorf("disp: monitor %d of %d×%d pixels", i, m.Width, m.Height)
		}
		switch m.Orientation {
		case 0, 90, 180, 270:
		default:
			return wire.Errorf("disp: monitor %d turned by %d degrees", i, m.Orientation)
		}
		if m.Flags&FlagPrimary != 0 {
			primary++
			if m.Left != 0 || m.Top != 0 {
				return wire.Errorf("disp: the primary monitor at %d,%d", m.Left, m.Top)
			}
		}
		for k := range i {
			if m.Bounds().Overlaps(l.Monitors[k].Bounds()) {
				return wire.Errorf("disp: monitors %d and %d overlap", k, i)
			}
		}
	}
	if primary != 1 {
		return wire.Errorf("disp: %d primary monitors", primary)
	}
	return nil
}
