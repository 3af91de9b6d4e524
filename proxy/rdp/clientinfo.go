package rdp

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol says so; it proves only that the client was there before
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Flags of a Client Info PDU ([MS-RDPBCGR] 2.2.1.11.1.1).
const (
	InfoMouse            = 0x00000001
	InfoDisableCtrlAltDl = 0x00000002
	InfoAutoLogon        = 0x00000008
	InfoUnicode          = 0x00000010
	InfoMaximizeShell    = 0x00000020
	InfoLogonNotify      = 0x00000040
	InfoCompression      = 0x00000080
	InfoEnableWindowsKey = 0x00000100
	InfoLogonErrors      = 0x00010000
	InfoMouseHasWheel    = 0x00020000
	InfoNoAudioPlayback  = 0x00080000
	InfoVideoDisable     = 0x00400000
)

// Performance flags ([MS-RDPBCGR] 2.2.1.11.1.1.1).
const (
	PerfDisableWallpaper         = 0x01
	PerfDisableFullWindowDrag    = 0x02
	PerfDisableMenuAnimations    = 0x04
	PerfDisableTheming           = 0x08
	PerfDisableCursorShadow      = 0x20
	PerfDisableCursorSettings    = 0x40
	PerfEnableFontSmoothing      = 0x80
	PerfEnableDesktopComposition = 0x100
)

const (
	addressFamilyINET = 2
	timeZoneBytes     = 172
)

// ClientInfo is TS_INFO_PACKET with its extension ([MS-RDPBCGR] 2.2.1.11.1.1). It holds a password: it is sent inside TLS
// only, and never logged.
type ClientInfo struct {
	Flags                      uint32
	Domain, Username, Password string
	AlternateShell, WorkingDir string
	ClientAddress              string
	PerformanceFlags           uint32
	// Reconnect, if set, asks for the session the cookie is of.
	Reconnect *ReconnectVerifier
}

// Append appends the PDU with its security header. InfoUnicode is always set.
func (c *ClientInfo) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = AppendSecurityHeader(b, SecInfoPacket)
	b = le.AppendUint32(b, 0) // code page
	b = le.AppendUint32(b, c.Flags|InfoUnicode)
	texts := []string{c.Domain, c.Username, c.Password, c.AlternateShell, c.WorkingDir}
	for _, text := range texts {
		b = le.AppendUint16(b, uint16(wire.UTF16Bytes(text)))
	}
	for _, text := range texts {
		b = append(wire.AppendUTF16(b, text), 0, 0)
	}
	b = le.AppendUint16(b, addressFamilyINET)
	for _, text := range []string{c.ClientAddress, ""} {
		b = le.AppendUint16(b, uint16(wire.UTF16Bytes(text)+2))
		b = append(wire.AppendUTF16(b, text), 0, 0)
	}
	b = append(b, make([]byte, timeZoneBytes)...) // UTC
	b = le.AppendUint32(b, 0)                     // session id
	b = le.AppendUint32(b, c.PerformanceFlags)
	if c.Reconnect == nil {
		return le.AppendUint16(b, 0)
	}
	b = le.AppendUint16(b, reconnectCookieBytes)
	return c.Reconnect.append(b)
}

// Decode reads the PDU behind its security header.
func (c *ClientInfo) Decode(b []byte) error {
	r := wire.NewReader("TS_INFO_PACKET", b)
	r.Skip(4)
	out := ClientInfo{Flags: r.Uint32()}
	terminator, text := 1, ansi
	if out.Flags&InfoUnicode != 0 {
		terminator, text = 2, wire.UTF16
	}
	fields := []*string{&out.Domain, &out.Username, &out.Password, &out.AlternateShell, &out.WorkingDir}
	var sizes [5]int
	for i := range sizes {
		if sizes[i] = int(r.Uint16()); sizes[i] > maxInfoString {
			return r.Refuse("string %d of %d bytes exceeds %d", i, sizes[i], maxInfoString)
		}
	}
	for i, field := range fields {
		*field = text(r.Bytes(sizes[i]))
		r.Skip(terminator)
	}
	if r.Len() > 0 {
		out.decodeExtended(r)
	}
	if r.Err() != nil {
		return r.Err()
	}
	*c = out
	return nil
}

// decodeExtended reads TS_EXTENDED_INFO_PACKET, of which every field is optional.
func (c *ClientInfo) decodeExtended(r *wire.Reader) {
	r.Skip(2)
	if n := int(r.Uint16()); n > maxClientAddress {
		_ = r.Refuse("client address of %d bytes exceeds %d", n, maxClientAddress)
	} else {
		c.ClientAddress = wire.UTF16(r.Bytes(n))
	}
	if n := int(r.Uint16()); n > maxClientDir {
		_ = r.Refuse("client directory of %d bytes exceeds %d", n, maxClientDir)
	} else {
		r.Skip(n)
	}
	if r.Len() < timeZoneBytes+8 {
		return
	}
	r.Skip(timeZoneBytes + 4)
	c.PerformanceFlags = r.Uint32()
	if r.Len() < 2 {
		return
	}
	switch n := int(r.Uint16()); n {
	case 0:
	case reconnectCookieBytes:
		c.Reconnect = &ReconnectVerifier{}
		c.Reconnect.decode(r)
	default:
		_ = r.Refuse("auto-reconnect cookie of %d bytes, want %d", n, reconnectCookieBytes)
	}
}

const (
	reconnectCookieBytes   = 28
	reconnectCookieVersion = 1
)

// ReconnectCookie is ARC_SC_PRIVATE_PACKET ([MS-RDPBCGR] 2.2.4.2): with it a client whose connection broke gets its session
// back. It is a secret.
type ReconnectCookie struct {
	LogonID uint32
	Random  [16]byte
}

func (k *ReconnectCookie) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, reconnectCookieBytes)
	b = le.AppendUint32(b, reconnectCookieVersion)
	return append(le.AppendUint32(b, k.LogonID), k.Random[:]...)
}

func (k *ReconnectCookie) decode(r *wire.Reader) {
	n, version := r.Uint32(), r.Uint32()
	k.LogonID = r.Uint32()
	copy(k.Random[:], r.Bytes(len(k.Random)))
	if r.Err() == nil && (n != reconnectCookieBytes || version != reconnectCookieVersion) {
		_ = r.Refuse("auto-reconnect cookie of %d bytes, version %d", n, version)
	}
}

// Verifier returns what proves the cookie to the server ([MS-RDPBCGR] 5.5). With TLS the client random is zero.
func (k *ReconnectCookie) Verifier() *ReconnectVerifier {
	mac := hmac.New(md5.New, k.Random[:])
	var clientRandom [32]byte
	mac.Write(clientRandom[:])
	v := &ReconnectVerifier{LogonID: k.LogonID}
	mac.Sum(v.Verifier[:0])
	return v
}

// ReconnectVerifier is ARC_CS_PRIVATE_PACKET ([MS-RDPBCGR] 2.2.4.3).
type ReconnectVerifier struct {
	LogonID  uint32
	Verifier [16]byte
}

func (v *ReconnectVerifier) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, reconnectCookieBytes)
	b = le.AppendUint32(b, reconnectCookieVersion)
	return append(le.AppendUint32(b, v.LogonID), v.Verifier[:]...)
}

func (v *ReconnectVerifier) decode(r *wire.Reader) {
	var k ReconnectCookie // of the same shape
	k.decode(r)
	*v = ReconnectVerifier{k.LogonID, k.Random}
}
