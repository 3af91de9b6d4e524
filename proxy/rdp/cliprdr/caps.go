package cliprdr

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Flags of CLIPRDR_GENERAL_CAPABILITY ([MS-RDPECLIP] 2.2.2.1.1.1).
const (
	CapUseLongFormatNames    = 0x00000002
	CapStreamFileClip        = 0x00000004
	CapFileClipNoFilePaths   = 0x00000008
	CapCanLockClipData       = 0x00000010
	CapHugeFileSupport       = 0x00000020
	capabilitySetGeneral     = 0x0001
	capabilitySetGeneralSize = 2 + 2 + 4 + 4
	capabilitySetHeaderBytes = 2 + 2
)

// The values of Capabilities.Version; they mean nothing.
const (
	Version1 = 0x00000001
	Version2 = 0x00000002
)

// Capabilities is CLIPRDR_CAPS ([MS-RDPECLIP] 2.2.2.1) with the one set there is.
type Capabilities struct {
	Version uint32
	Flags   uint32
}

// Append appends the message.
func (c Capabilities) Append(b []byte) []byte {
	start := len(b)
	b = begin(b, TypeCapabilities, 0)
	b = append(b, 1, 0, 0, 0) // cCapabilitiesSets, pad1
	b = binary.LittleEndian.AppendUint16(b, capabilitySetGeneral)
	b = binary.LittleEndian.AppendUint16(b, capabilitySetGeneralSize)
	b = binary.LittleEndian.AppendUint32(b, c.Version)
	b = binary.LittleEndian.AppendUint32(b, c.Flags)
	return end(b, start)
}

// Decode reads the message. Sets of another type are passed over.
func (c *Capabilities) Decode(b []byte) error {
	_, r := open("CLIPRDR_CAPS", b, TypeCapabilities)
	count := r.Uint16()
	r.Skip(2) // pad1
	if count > maxCapabilitySets {
		return r.Refuse("cCapabilitiesSets %d exceeds %d", count, maxCapabilitySets)
	}
	var d Capabilities
	for range count {
		typ, length := r.Uint16(), r.Uint16()
		if r.Err() == nil && length < capabilitySetHeaderBytes {
			return r.Refuse("lengthCapability %d", length)
		}
		set := r.Sub("CLIPRDR_GENERAL_CAPABILITY", max(0, int(length)-capabilitySetHeaderBytes))
		if typ != capabilitySetGeneral {
			continue
		}
		d = Capabilities{Version: set.Uint32(), Flags: set.Uint32()}
		if err := set.Err(); err != nil {
			return r.Fail(err)
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	*c = d
	return nil
}

// AppendMonitorReady appends CLIPRDR_MONITOR_READY ([MS-RDPECLIP] 2.2.2.2).
func AppendMonitorReady(b []byte) []byte {
	return end(begin(b, TypeMonitorReady, 0), len(b))
}

// TempDirectory is CLIPRDR_TEMP_DIRECTORY ([MS-RDPECLIP] 2.2.2.3), which only the exchange of files needs.
type TempDirectory struct{ Path string }

// Append appends the message. A path of more than 259 UTF-16 units is cut.
func (d TempDirectory) Append(b []byte) []byte {
	start := len(b)
	return end(wire.AppendFixedUTF16(begin(b, TypeTempDirectory, 0), d.Path, tempDirectoryBytes), start)
}

// Decode reads the message.
func (d *TempDirectory) Decode(b []byte) error {
	_, r := open("CLIPRDR_TEMP_DIRECTORY", b, TypeTempDirectory)
	path := r.Bytes(tempDirectoryBytes)
	if err := r.End(); err != nil {
		return err
	}
	d.Path = wire.UTF16(path)
	return nil
}
