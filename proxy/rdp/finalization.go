package rdp

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// The bodies of small share data PDUs, most of them of the connection's finalization ([MS-RDPBCGR] 2.2.1.14 to 2.2.1.22).

// AppendSynchronize appends the body of a Synchronize PDU ([MS-RDPBCGR] 2.2.1.14.1).
func AppendSynchronize(b []byte, target uint16) []byte {
	const messageType = 1
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(b, messageType), target)
}

// ControlAction is what a Control PDU says ([MS-RDPBCGR] 2.2.1.15.1).
type ControlAction uint16

// The actions.
const (
	ControlRequest   ControlAction = 1
	ControlGranted   ControlAction = 2
	ControlCooperate ControlAction = 4
)

// AppendControl appends the body of a Control PDU.
func AppendControl(b []byte, action ControlAction, grantID uint16, controlID uint32) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(action))
	b = binary.LittleEndian.AppendUint16(b, grantID)
	return binary.LittleEndian.AppendUint32(b, controlID)
}

// DecodeControl returns the action of a Control PDU.
func DecodeControl(b []byte) (ControlAction, error) {
	r := wire.NewReader("TS_CONTROL_PDU", b)
	action := ControlAction(r.Uint16())
	r.Skip(6)
	return action, r.Err()
}

// Sequence of a font list or map: the first and the last of one.
const fontFirstLast = 3

// AppendFontList appends the body of a Font List PDU ([MS-RDPBCGR] 2.2.1.18.1); that of a Font Map (2.2.1.22.1) is the
// same but for its size of an entry.
func AppendFontList(b []byte) []byte { return appendFonts(b, 50) }

// AppendFontMap appends the body of a Font Map PDU ([MS-RDPBCGR] 2.2.1.22.1).
func AppendFontMap(b []byte) []byte { return appendFonts(b, 4) }

func appendFonts(b []byte, entry uint16) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, 0) // no fonts
	return le.AppendUint16(le.AppendUint16(b, fontFirstLast), entry)
}

// AppendFrameAcknowledge appends the body of a Frame Acknowledge PDU ([MS-RDPRFX] 2.2.3.1).
func AppendFrameAcknowledge(b []byte, frame uint32) []byte {
	return binary.LittleEndian.AppendUint32(b, frame)
}

// DecodeFrameAcknowledge returns the frame acknowledged.
func DecodeFrameAcknowledge(b []byte) (uint32, error) {
	r := wire.NewReader("TS_FRAME_ACKNOWLEDGE_PDU", b)
	frame := r.Uint32()
	return frame, r.Err()
}

// AppendRefreshRect appends the body of a Refresh Rect PDU ([MS-RDPBCGR] 2.2.11.2) for one rectangle.
func AppendRefreshRect(b []byte, area image.Rectangle) []byte {
	return appendInclusive(append(b, 1, 0, 0, 0), area)
}

// DecodeRefreshRect returns the areas of a Refresh Rect PDU ([MS-RDPBCGR] 2.2.11.2).
func DecodeRefreshRect(b []byte) ([]image.Rectangle, error) {
	r := wire.NewReader("TS_REFRESH_RECT_PDU", b)
	n := int(r.Uint8())
	r.Skip(3)
	if r.Err() == nil && n*8 > r.Len() {
		return nil, r.Refuse("%d areas in %d bytes", n, r.Len())
	}
	areas := make([]image.Rectangle, 0, n)
	for range n {
		areas = append(areas, readInclusive(r))
	}
	return areas, r.Err()
}

// DecodeSuppressOutput tells whether a Suppress Output PDU allows updates ([MS-RDPBCGR] 2.2.11.3).
func DecodeSuppressOutput(b []byte) (allow bool, err error) {
	r := wire.NewReader("TS_SUPPRESS_OUTPUT_PDU", b)
	allow = r.Uint8() != 0
	r.Skip(3)
	return allow, r.Err()
}

// readInclusive reads TS_RECTANGLE16. One that is upside down is refused.
func readInclusive(r *wire.Reader) image.Rectangle {
	left, top, right, bottom := int(r.Uint16()), int(r.Uint16()), int(r.Uint16()), int(r.Uint16())
	if r.Err() == nil && (right < left || bottom < top) {
		_ = r.Refuse("rectangle from %d,%d to %d,%d", left, top, right, bottom)
	}
	return image.Rectangle{Min: image.Pt(left, top), Max: image.Pt(right+1, bottom+1)}
}

// appendInclusive appends TS_RECTANGLE16 ([MS-RDPBCGR] 2.2.11.1), whose right and bottom are inclusive.
func appendInclusive(b []byte, r image.Rectangle) []byte {
	for _, v := range []int{r.Min.X, r.Min.Y, r.Max.X - 1, r.Max.Y - 1} {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// AppendSuppressOutput appends the body of a Suppress Output PDU ([MS-RDPBCGR] 2.2.11.3) that allows updates of area.
// There is none that forbids them: a recording always needs the picture.
func AppendSuppressOutput(b []byte, area image.Rectangle) []byte {
	return appendInclusive(append(b, 1, 0, 0, 0), area)
}

// AppendBeep appends the body of a Play Sound PDU ([MS-RDPBCGR] 2.2.9.1.1.5.1): a short beep.
func AppendBeep(b []byte) []byte {
	const duration, frequency = 100, 880 // milliseconds, hertz
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, duration), frequency)
}

// SaveSessionInfo is what a server tells of the logon ([MS-RDPBCGR] 2.2.10.1).
type SaveSessionInfo struct {
	// LoggedOn is set when a user's session is there.
	LoggedOn bool
	// Cookie is for reconnecting; nil when none came.
	Cookie *ReconnectCookie
	// LogonError and LogonErrorData are of TS_LOGON_ERRORS_INFO (2.2.10.1.1.4.1.1); HasError tells whether they came.
	HasError                   bool
	LogonError, LogonErrorData uint32
}

// Kinds and fields of a Save Session Info PDU.
const (
	infoLogon       = 0
	infoLogonLong   = 1
	infoPlainNotify = 2
	infoExtended    = 3

	extendedCookie = 1
	extendedErrors = 2
)

// Append appends the body as extended information, or a plain notification when there is none.
func (s *SaveSessionInfo) Append(b []byte) []byte {
	le := binary.LittleEndian
	if s.Cookie == nil && !s.HasError {
		return append(le.AppendUint32(b, infoPlainNotify), make([]byte, 576)...)
	}
	b = le.AppendUint32(b, infoExtended)
	start := len(b)
	b = append(b, 0, 0)
	fields := uint32(0)
	if s.Cookie != nil {
		fields |= extendedCookie
	}
	if s.HasError {
		fields |= extendedErrors
	}
	b = le.AppendUint32(b, fields)
	if s.Cookie != nil {
		b = s.Cookie.append(le.AppendUint32(b, reconnectCookieBytes))
	}
	if s.HasError {
		b = le.AppendUint32(b, 8)
		b = le.AppendUint32(le.AppendUint32(b, s.LogonError), s.LogonErrorData)
	}
	le.PutUint16(b[start:], uint16(len(b)-start))
	return append(b, make([]byte, 570)...)
}

// Decode reads the body.
func (s *SaveSessionInfo) Decode(b []byte) error {
	r := wire.NewReader("TS_SAVE_SESSION_INFO_PDU_DATA", b)
	*s = SaveSessionInfo{}
	switch kind := r.Uint32(); {
	case r.Err() != nil:
	case kind == infoLogon, kind == infoLogonLong, kind == infoPlainNotify:
		s.LoggedOn = true
	case kind == infoExtended:
		r.Skip(2)
		fields := r.Uint32()
		if fields&extendedCookie != 0 {
			s.Cookie = &ReconnectCookie{}
			r.Skip(4)
			s.Cookie.decode(r)
		}
		if fields&extendedErrors != 0 {
			r.Skip(4)
			s.HasError, s.LogonError, s.LogonErrorData = true, r.Uint32(), r.Uint32()
		}
	default:
		return r.Refuse("type %d is not known", kind)
	}
	return r.Err()
}
