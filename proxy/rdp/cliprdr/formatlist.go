package cliprdr

import (
	"encoding/binary"
	"slices"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// The standard formats that are text ([MS-RDPECLIP] 1.3.1.2).
const (
	FormatText        = 1 // CF_TEXT: the system's 8-bit code page
	FormatOEMText     = 7
	FormatUnicodeText = 13 // CF_UNICODETEXT: UTF-16, CRLF line ends, a NUL
)

// Format is one thing the clipboard can be had as. Standard formats have no name.
type Format struct {
	ID   uint32
	Name string
}

// FormatList is CLIPRDR_FORMAT_LIST ([MS-RDPECLIP] 2.2.3.1). Which of its two forms a side sends follows from the
// capabilities: the long one when both sides have CapUseLongFormatNames.
type FormatList struct{ Formats []Format }

// Append appends the message, with long names or with short ones in UTF-16, cut to 15 units.
func (l FormatList) Append(b []byte, long bool) []byte {
	start := len(b)
	b = begin(b, TypeFormatList, 0)
	for _, f := range l.Formats {
		b = binary.LittleEndian.AppendUint32(b, f.ID)
		if long {
			b = append(wire.AppendUTF16(b, f.Name), 0, 0)
		} else {
			b = wire.AppendFixedUTF16(b, f.Name, shortNameBytes)
		}
	}
	return end(b, start)
}

// Decode reads the message, with long names (CLIPRDR_LONG_FORMAT_NAMES, 2.2.3.1.2) or short ones
// (CLIPRDR_SHORT_FORMAT_NAMES, 2.2.3.1.1).
func (l *FormatList) Decode(b []byte, long bool) error {
	flags, r := open("CLIPRDR_FORMAT_LIST", b, TypeFormatList)
	const idBytes, least = 4, 4 + 2
	if !long && r.Len()%(idBytes+shortNameBytes) != 0 {
		return r.Refuse("%d bytes of short names", r.Len())
	}
	var formats []Format
	for r.Len() > 0 {
		if len(formats) == maxFormats {
			return r.Refuse("more than %d formats", maxFormats)
		}
		if formats == nil {
			formats = make([]Format, 0, min(r.Len()/least, 32))
		}
		f := Format{ID: r.Uint32()}
		switch {
		case long:
			f.Name = readLongName(r)
		case flags&FlagASCIINames != 0:
			f.Name = fromCodePage(r.Bytes(shortNameBytes))
		default:
			f.Name = wire.UTF16(r.Bytes(shortNameBytes))
		}
		formats = append(formats, f)
	}
	if err := r.Err(); err != nil {
		return err
	}
	l.Formats = formats
	return nil
}

// readLongName reads a name up to its NUL.
func readLongName(r *wire.Reader) string {
	most := min(r.Len(), 2*(maxNameUnits+1))
	name := r.Peek(most)
	for i := 0; i+1 < len(name); i += 2 {
		if name[i] == 0 && name[i+1] == 0 {
			return wire.UTF16(r.Bytes(i + 2))
		}
	}
	_ = r.Refuse("a name without an end in %d bytes", most)
	return ""
}

// Has tells whether the list has the format.
func (l FormatList) Has(id uint32) bool {
	return slices.ContainsFunc(l.Formats, func(f Format) bool { return f.ID == id })
}

// AppendFormatListResponse appends FORMAT_LIST_RESPONSE ([MS-RDPECLIP] 2.2.3.2).
func AppendFormatListResponse(b []byte, ok bool) []byte {
	return end(begin(b, TypeFormatListResponse, responseFlags(ok)), len(b))
}
