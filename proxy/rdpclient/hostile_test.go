package rdpclient

import (
	"bytes"
	"errors"
	"image"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/disp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
)

// marker is what hostile cases put into what they send: no error and no log line may quote it.
const marker = "sEcReT"

// hostileCase is a server that sends something in place of its part of a phase of the handshake, or behind the handshake,
// and then hangs up, or stays silent for ever.
type hostileCase struct {
	name  string
	phase string // "" is behind the handshake
	send  []byte
	hang  bool
	want  error
	text  string // in the error
	cfg   Config
}

// mcs is data on an MCS channel.
func mcs(channel uint16, data ...any) []byte {
	return rdp.AppendChannelData(nil, rdp.MCSSendDataIndication, 1002, channel, func(b []byte) []byte { return append(b, cat(data...)...) })
}

// What the servers of tests give numbers to.
const (
	testIO        = 1003
	testDynamic   = 1004
	testMessage   = 1005
	testClipboard = 1006
	testUser      = 1007
	testShare     = 0x103ea
)

// domain is an MCS PDU.
func domain(p rdp.DomainPDU) []byte { return rdp.AppendX224Data(nil, p.Append) }

func share(kind rdp.ShareKind, body ...any) []byte {
	return mcs(testIO, rdp.AppendShareControl(nil, kind, 1002, func(b []byte) []byte { return append(b, cat(body...)...) }))
}

func data(kind rdp.DataKind, body ...any) []byte {
	return mcs(testIO, rdp.AppendShareData(nil, kind, 1002, testShare, func(b []byte) []byte { return append(b, cat(body...)...) }))
}

func update(code rdp.UpdateCode, body ...any) []byte {
	return rdp.AppendUpdate(nil, rdp.Update{Code: code, Data: cat(body...)})
}

// fastPath is a fast-path PDU as it is.
func fastPath(header byte, payload ...any) []byte {
	b := cat(payload...)
	return cat(header, byte(0x80|(len(b)+3)>>8), byte(len(b)+3), b)
}

// settings is an MCS Connect Response with settings blocks.
func settings(blocks ...any) []byte {
	return rdp.AppendX224Data(nil, func(b []byte) []byte {
		return rdp.AppendConnectResponse(b, func(b []byte) []byte { return append(b, cat(blocks...)...) })
	})
}

func serverSettings(change func(s *rdp.ServerSettings)) []byte {
	s := rdp.ServerSettings{
		Version: rdp.Version107, HasRequested: true, RequestedProtocols: SecurityAny.protocols(), IOChannel: testIO,
		Channels: []uint16{testDynamic}, MessageChannel: testMessage,
	}
	change(&s)
	return settings(s.Append(nil))
}

func demand(size image.Point, more ...any) []byte {
	d := rdp.DemandActive{ShareID: testShare, Capabilities: []rdp.Capability{
		&rdp.BitmapCapability{BitsPerPixel: 32, Width: uint16(size.X), Height: uint16(size.Y)},
	}}
	return share(rdp.ShareDemandActive, d.Append(nil), cat(more...))
}

// capabilities is a Demand Active with sets as they are.
func capabilities(count int, sets ...any) []byte {
	b := cat(sets...)
	return share(rdp.ShareDemandActive, uint32(testShare), uint16(4), uint16(len(b)+4), "RDP\x00", uint16(count), uint16(0), b)
}

// bitmap is one TS_BITMAP_DATA in an update.
func bitmap(left, top, right, bottom, w, h, bpp, flags int, data ...any) []byte {
	b := cat(data...)
	head := cat(uint16(rdp.GraphicsBitmap), uint16(1))
	for _, v := range []int{left, top, right, bottom, w, h, bpp, flags, len(b)} {
		head = append(head, cat(uint16(v))...)
	}
	return update(rdp.UpdateBitmap, head, b)
}

// surface is a Set Surface Bits command whose picture has n bytes, or says so.
func surface(left, top, right, bottom int, codec byte, w, h int, n uint32, data ...any) []byte {
	return update(rdp.UpdateSurfaceCommands, uint16(1), uint16(left), uint16(top), uint16(right), uint16(bottom), 32, 0, 0, codec,
		uint16(w), uint16(h), n, cat(data...))
}

// chunk is a chunk of the dynamic channels' static channel.
func chunk(length int, flags uint32, data ...any) []byte {
	return mcs(testDynamic, svc.Header{Length: uint32(length), Flags: flags}.Append(nil), cat(data...))
}

// whole is a message on the dynamic channels' static channel.
func whole(data ...any) []byte {
	b := cat(data...)
	return chunk(len(b), svc.FlagFirst|svc.FlagLast, b)
}

// opened is a dynamic channel opened and then PDUs on it, or about it.
func opened(name string, pdus ...[]byte) []byte {
	caps, create := dvc.CapsRequest{Version: 1}, dvc.CreateRequest{ChannelID: 3, Name: name}
	b := append(whole(caps.Append(nil)), whole(create.Append(nil))...)
	for _, p := range pdus {
		b = append(b, whole(p)...)
	}
	return b
}

func dynamicData(id uint32, message []byte) []byte {
	p := dvc.Data{ChannelID: id, Data: message}
	return p.Append(nil)
}

// graphics is messages of the graphics pipeline.
func graphics(messages ...egfx.Message) []byte {
	b := (&egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion8, 0)}).Append(nil)
	for _, m := range messages {
		b = m.Append(b)
	}
	return opened(egfx.ChannelName, dynamicData(3, zgfx.AppendUncompressed(nil, b)))
}

func pointerUpdate(code rdp.UpdateCode, change func(p *rdp.PointerShape)) []byte {
	p := shape(1, 16, 32)
	if code == rdp.UpdatePointerColor {
		p = shape(1, 16, 24)
	}
	change(&p)
	return update(code, p.Append(code, nil))
}

// secured is a PDU of the I/O channel with a security header.
func secured(flags uint16, body ...any) []byte { return mcs(testIO, flags, uint16(0), cat(body...)) }

// alert is a LICENSE_ERROR_MESSAGE ([MS-RDPBCGR] 2.2.1.12.1.3).
func alert(code, transition uint32) []byte {
	return secured(rdp.SecLicensePacket, 0xff, 3, uint16(16), code, transition, uint16(4), uint16(0))
}

func confirm(c rdp.ConnectionConfirm) []byte { return rdp.AppendTPKT(nil, c.Append) }

func hostileHandshakes() []hostileCase {
	nla, tlsOnly := Config{Security: SecurityNLA}, Config{Security: SecurityTLS}
	selects := func(p rdp.Protocol) []byte { return confirm(rdp.ConnectionConfirm{Negotiated: true, Protocol: p}) }
	refuses := func(f rdp.NegotiationFailure) []byte {
		return confirm(rdp.ConnectionConfirm{Negotiated: true, Failure: f})
	}
	attached := domain(rdp.DomainPDU{Kind: rdp.MCSAttachUserConfirm, User: 1007})
	bye := domain(rdp.DomainPDU{Kind: rdp.MCSDisconnectProviderUltimatum, Reason: rdp.ReasonUserRequested})
	huge := image.Pt(65535, 65535)
	return []hostileCase{
		{name: "http", phase: "negotiate", send: []byte("HTTP/1.1 400 Bad Request\r\n\r\n" + marker), hang: true, want: desktop.ErrWrongProtocol},
		{name: "ssh", phase: "negotiate", send: []byte("SSH-2.0-OpenSSH_9.2 " + marker + "\r\n"), hang: true, want: desktop.ErrWrongProtocol},
		{name: "vnc", phase: "negotiate", send: []byte("RFB 003.008\n"), hang: true, want: desktop.ErrWrongProtocol},
		{name: "tls alert", phase: "negotiate", send: cat(21, 3, 1, 0, 2, 2, 40), hang: true, want: desktop.ErrWrongProtocol},
		{name: "TPKT of 3 bytes", phase: "negotiate", send: cat(3, 0, 0, 3), hang: true, want: desktop.ErrWrongProtocol},
		{name: "TPKT that never ends", phase: "negotiate", send: cat(3, 0, 0xff, 0xff, 1), hang: true, want: desktop.ErrTimeout},
		{name: "TPKT cut", phase: "negotiate", send: cat(3, 0, 0xff, 0xff, 1), want: desktop.ErrTargetGone},
		{name: "X.224 length", phase: "negotiate", send: cat(3, 0, 0, 11, 200, 0xd0, 0, 0, 0, 0, 0), want: desktop.ErrWrongProtocol},
		{name: "X.224 data", phase: "negotiate", send: cat(3, 0, 0, 7, 2, 0xf0, 0x80), want: desktop.ErrWrongProtocol},
		{name: "failure 0", phase: "negotiate", send: cat(3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, 3, 0, 8, 0, 0, 0, 0, 0), want: desktop.ErrWrongProtocol},
		{name: "no negotiation", phase: "negotiate", send: confirm(rdp.ConnectionConfirm{}), want: desktop.ErrSecurity, text: "standard RDP security"},
		{name: "RDP security", phase: "negotiate", send: selects(rdp.ProtocolRDP), want: desktop.ErrSecurity, text: "standard RDP security"},
		{name: "TLS not allowed", phase: "negotiate", send: refuses(rdp.FailureTLSNotAllowed), want: desktop.ErrSecurity, text: "standard RDP security"},
		{name: "NLA required", phase: "negotiate", send: refuses(rdp.FailureHybridRequired), want: desktop.ErrSecurity, text: "requires network level", cfg: tlsOnly},
		{name: "NLA not offered", phase: "negotiate", send: refuses(rdp.FailureTLSRequired), want: desktop.ErrSecurity, text: "does not offer network level", cfg: nla},
		{name: "no certificate", phase: "negotiate", send: refuses(rdp.FailureNoCertificate), want: desktop.ErrSecurity, text: "certificate"},
		{name: "client certificate", phase: "negotiate", send: refuses(rdp.FailureTLSWithUserRequired), want: desktop.ErrSecurity, text: "client certificate"},
		{name: "failure 99", phase: "negotiate", send: refuses(99), want: desktop.ErrSecurity, text: "99"},
		{name: "TLS where NLA is due", phase: "negotiate", send: selects(rdp.ProtocolTLS), want: desktop.ErrSecurity, text: "does not offer network level", cfg: nla},
		{name: "NLA unasked", phase: "negotiate", send: selects(rdp.ProtocolHybrid), want: desktop.ErrProtocol, text: "0x2 of 0x1", cfg: tlsOnly},
		{name: "RDSTLS unasked", phase: "negotiate", send: selects(rdp.ProtocolRDSTLS), want: desktop.ErrProtocol, text: "0x4"},
		{name: "two protocols", phase: "negotiate", send: selects(rdp.ProtocolTLS | rdp.ProtocolHybrid), want: desktop.ErrProtocol, text: "0x3"},
		{name: "no restricted admin", phase: "negotiate", send: selects(rdp.ProtocolHybrid), want: desktop.ErrSecurity, text: "restricted admin", cfg: Config{RestrictedAdmin: true}},
		{name: "clear text before TLS", phase: "negotiate", send: append(selects(rdp.ProtocolTLS), marker...), want: desktop.ErrProtocol, text: "6 bytes in clear text"},

		{name: "no TLS", phase: "tls", send: []byte("220 " + marker + "\r\n"), hang: true, want: desktop.ErrSecurity},
		{name: "TLS alert", phase: "tls", send: cat(21, 3, 3, 0, 2, 2, 40), hang: true, want: desktop.ErrSecurity},
		{name: "TLS record cut", phase: "tls", send: cat(22, 3, 3, 0x20, 0, 2), want: desktop.ErrTargetGone},

		{name: "fast path in the handshake", phase: "settings", send: fastPath(0, 1, 2, 3), want: desktop.ErrProtocol, text: "fast-path"},
		{name: "first byte", phase: "settings", send: []byte(marker), want: desktop.ErrProtocol, text: "0x73"},
		{name: "PDU shorter than its header", phase: "settings", send: cat(3, 0, 0, 2), want: desktop.ErrProtocol},
		{name: "BER tag", phase: "settings", send: cat(3, 0, 0, 11, 2, 0xf0, 0x80, 0x30, 0x80, 0, 0), want: desktop.ErrProtocol},
		{name: "BER indefinite length", phase: "settings", send: cat(3, 0, 0, 12, 2, 0xf0, 0x80, 0x7f, 0x66, 0x80, 0, 0), want: desktop.ErrProtocol, text: "indefinite"},
		{name: "BER length of 4 GB", phase: "settings", send: cat(3, 0, 0, 14, 2, 0xf0, 0x80, 0x7f, 0x66, 0x84, 0xff, 0xff, 0xff, 0xff), want: desktop.ErrProtocol, text: "4294967295"},
		{name: "BER length of 127 octets", phase: "settings", send: cat(3, 0, 0, 11, 2, 0xf0, 0x80, 0x7f, 0x66, 0xff, 0xff), want: desktop.ErrProtocol, text: "127 octets"},
		{name: "conference refused", phase: "settings", send: cat(3, 0, 0, 13, 2, 0xf0, 0x80, 0x7f, 0x66, 3, 10, 1, 2), want: desktop.ErrProtocol, text: "result 2"},
		{name: "block shorter than its header", phase: "settings", send: settings(uint16(0x0c01), uint16(3)), want: desktop.ErrProtocol, text: "length 3"},
		{name: "block longer than the rest", phase: "settings", send: settings(uint16(0x0c01), uint16(65535), uint32(0)), want: desktop.ErrProtocol},
		{name: "no blocks", phase: "settings", send: settings(), want: desktop.ErrProtocol, text: "TS_UD_SC_CORE"},
		{name: "no network block", phase: "settings", send: settings(uint16(0x0c01), uint16(8), uint32(rdp.Version5)), want: desktop.ErrProtocol, text: "TS_UD_SC_NET"},
		{name: "settings of 20 KB", phase: "settings", send: settings(uint16(0x0c09), uint16(16380), make([]byte, 16376), uint16(0x0c09), uint16(4)), want: desktop.ErrProtocol, text: "exceeds"},
		{name: "65535 channels", phase: "settings", send: settings(uint16(0x0c03), uint16(8), uint16(testIO), uint16(65535)), want: desktop.ErrProtocol, text: "channelCount 65535 exceeds 31"},
		{name: "more channels than asked for", phase: "settings", send: serverSettings(func(s *rdp.ServerSettings) { s.Channels = make([]uint16, 31) }), want: desktop.ErrProtocol, text: "31 channels"},
		{name: "channel given twice", phase: "settings", send: serverSettings(func(s *rdp.ServerSettings) { s.Channels[0] = testIO }), want: desktop.ErrProtocol, text: "twice"},
		{name: "message channel given twice", phase: "settings", send: serverSettings(func(s *rdp.ServerSettings) { s.Channels[0] = testMessage }), want: desktop.ErrProtocol, text: "twice"},
		{name: "no I/O channel", phase: "settings", send: serverSettings(func(s *rdp.ServerSettings) { s.IOChannel = 0 }), want: desktop.ErrProtocol, text: "I/O channel"},
		{name: "RDP encryption", phase: "settings", send: serverSettings(func(s *rdp.ServerSettings) { s.EncryptionMethod, s.EncryptionLevel = 2, 3 }), want: desktop.ErrSecurity, text: "0x2"},
		{name: "downgrade", phase: "settings", send: serverSettings(func(s *rdp.ServerSettings) { s.RequestedProtocols = rdp.ProtocolTLS }), want: desktop.ErrSecurity, text: "somebody between"},

		{name: "no user", phase: "attach", send: domain(rdp.DomainPDU{Kind: rdp.MCSAttachUserConfirm, Result: 3, User: 1007}), want: desktop.ErrProtocol, text: "result 3"},
		{name: "user without a number", phase: "attach", send: rdp.AppendX224Data(nil, func(b []byte) []byte { return append(b, 11<<2, 0) }), want: desktop.ErrProtocol, text: "no user"},
		{name: "user 66536", phase: "attach", send: domain(rdp.DomainPDU{Kind: rdp.MCSAttachUserConfirm, User: 1000}), want: desktop.ErrProtocol, text: "user id 66536"},
		{name: "another PDU for the user", phase: "attach", send: domain(rdp.DomainPDU{Kind: rdp.MCSChannelJoinConfirm, User: 1007, Channel: 5}), want: desktop.ErrProtocol, text: "kind 15"},
		{name: "unknown PDU", phase: "attach", send: rdp.AppendX224Data(nil, func(b []byte) []byte { return append(b, 63<<2) }), want: desktop.ErrProtocol, text: "kind 63"},
		{name: "goodbye at attaching", phase: "attach", send: bye, want: desktop.ErrTargetGone},
		{name: "another channel", phase: "attach", send: append(slices.Clone(attached), domain(rdp.DomainPDU{Kind: rdp.MCSChannelJoinConfirm, User: 1007, Channel: 77})...), want: desktop.ErrProtocol, text: "channel 77"},
		{name: "channel refused", phase: "attach", send: append(slices.Clone(attached), domain(rdp.DomainPDU{Kind: rdp.MCSChannelJoinConfirm, Result: 2, User: 1007, Channel: testIO})...), want: desktop.ErrProtocol, text: "result 2"},

		{name: "encrypted", phase: "license", send: secured(rdp.SecEncrypt|rdp.SecLicensePacket, marker), want: desktop.ErrProtocol, text: "encrypted"},
		{name: "something else for the licence", phase: "license", send: secured(0x0200, marker), want: desktop.ErrProtocol, text: "0x200"},
		{name: "licence cut", phase: "license", send: secured(rdp.SecLicensePacket, 0xff), want: desktop.ErrProtocol},
		{name: "licence of another length", phase: "license", send: secured(rdp.SecLicensePacket, 0xff, 3, uint16(65535), marker), want: desktop.ErrProtocol},
		{name: "licence request of nothing", phase: "license", send: secured(rdp.SecLicensePacket, 1, 3, uint16(4)), want: desktop.ErrProtocol},
		{name: "no licence server", phase: "license", send: alert(6, 1), want: desktop.ErrEnded, text: "no licence server"},
		{name: "licence flood", phase: "license", send: bytes.Repeat(alert(6, 3), 100), hang: true, want: desktop.ErrProtocol, text: "16 messages"},
		{name: "questions without a licence", phase: "license", send: bytes.Repeat(mcs(testMessage, (&rdp.RTTRequest{}).Append(nil)), 100), hang: true, want: desktop.ErrProtocol, text: "64 PDUs"},
		{name: "data for nobody without a licence", phase: "license", send: bytes.Repeat(mcs(4711, marker), 100), hang: true, want: desktop.ErrProtocol, text: "64 PDUs"},
		{name: "redirection for the licence", phase: "license", send: secured(rdp.SecRedirection, uint16(1), marker), want: desktop.ErrProtocol, text: "flags 0x1"},
		{name: "goodbye for a licence", phase: "license", send: bye, want: desktop.ErrTargetGone},

		{name: "capability of no length", phase: "demand", send: capabilities(1, uint16(1), uint16(0)), want: desktop.ErrProtocol, text: "capability set 1 of 0 bytes"},
		{name: "capability of 65535 bytes", phase: "demand", send: capabilities(1, uint16(2), uint16(65535), uint32(0)), want: desktop.ErrProtocol},
		{name: "65535 capabilities", phase: "demand", send: capabilities(65535), want: desktop.ErrProtocol, text: "65535 capability sets"},
		{name: "capability cut", phase: "demand", send: capabilities(1, uint16(2), uint16(6), uint16(32)), want: desktop.ErrProtocol},
		{name: "65535 codecs", phase: "demand", send: capabilities(1, uint16(29), uint16(5), 255), want: desktop.ErrProtocol},
		{name: "huge source descriptor", phase: "demand", send: share(rdp.ShareDemandActive, uint32(1), uint16(65535), uint16(65535), marker), want: desktop.ErrProtocol, text: "source descriptor"},
		{name: "combined length 0", phase: "demand", send: share(rdp.ShareDemandActive, uint32(1), uint16(0), uint16(0), uint32(0)), want: desktop.ErrProtocol, text: "0 bytes"},
		{name: "desktop of nothing", phase: "demand", send: demand(image.Point{}), want: desktop.ErrProtocol, text: "0×0"},
		{name: "huge desktop", phase: "demand", send: demand(huge), want: desktop.ErrProtocol, text: "65535×65535"},
		{name: "share PDU of 5 bytes", phase: "demand", send: mcs(testIO, uint16(5), uint16(0x11), uint16(0)), want: desktop.ErrProtocol, text: "length 5"},
		{name: "share PDU of 65535 bytes", phase: "demand", send: mcs(testIO, uint16(65535), uint16(0x11), uint16(0)), want: desktop.ErrProtocol},
		{name: "share PDU of a client", phase: "demand", send: share(rdp.ShareConfirmActive, uint32(0)), want: desktop.ErrProtocol, text: "kind 3"},
		{name: "segmented data", phase: "demand", send: rdp.AppendX224Data(nil, func(b []byte) []byte { return append(b, 26<<2, 0, 1, 3, 0xeb, 0x50, 0) }), want: desktop.ErrProtocol, text: "segmented"},
		{name: "data of a client", phase: "demand", send: rdp.AppendChannelData(nil, rdp.MCSSendDataRequest, 1002, testIO, func(b []byte) []byte { return b }), want: desktop.ErrProtocol, text: "kind 25"},
		{name: "goodbye for a desktop", phase: "demand", send: bye, want: nil},
	}
}

func hostileSessions() []hostileCase {
	large := cat(uint16(32), uint16(1), uint16(0), uint16(0), uint16(16), uint16(16), uint32(math.MaxUint32), uint32(math.MaxUint32))
	first := dvc.DataFirst{ChannelID: 3, Length: math.MaxUint32, Data: []byte(marker)}
	compressed := dvc.Data{ChannelID: 3, Data: []byte(marker), Compressed: true}
	short := dvc.DataFirst{ChannelID: 3, Length: 4, Data: []byte(marker)}
	one := egfx.Rect16{Right: 1, Bottom: 1}
	surface1 := &egfx.CreateSurface{SurfaceID: 1, Width: 8, Height: 8, PixelFormat: egfx.FormatXRGB}
	return []hostileCase{
		{name: "compressed share data", send: mcs(testIO, uint16(18), uint16(0x17), uint16(1002), uint32(testShare), 0, 1, uint16(18), 2, 0x20, uint16(0)), text: "compressed"},
		{name: "share data cut", send: share(rdp.ShareData, uint32(testShare))},
		{name: "drawing orders", send: data(rdp.DataUpdate, uint16(rdp.GraphicsOrders), marker), text: "orders"},
		{name: "drawing orders on the fast path", send: update(rdp.UpdateOrders, marker), text: "orders"},
		{name: "graphics update", send: data(rdp.DataUpdate, uint16(9), marker), text: "type 9"},
		{name: "graphics update cut", send: data(rdp.DataUpdate, 1)},
		{name: "pointer message", send: data(rdp.DataPointer, uint16(99), uint16(0)), text: "99"},
		{name: "system pointer cut", send: data(rdp.DataPointer, uint16(1), uint16(0))},
		{name: "error info cut", send: data(rdp.DataSetErrorInfo, uint16(1))},
		{name: "session info", send: data(rdp.DataSaveSessionInfo, uint32(9)), text: "type 9"},
		{name: "cookie cut", send: data(rdp.DataSaveSessionInfo, uint32(3), uint16(28), uint32(1), uint32(28), marker)},

		{name: "65535 rectangles", send: update(rdp.UpdateBitmap, uint16(rdp.GraphicsBitmap), uint16(65535)), text: "65535 rectangles"},
		{name: "rectangles cut", send: update(rdp.UpdateBitmap, uint16(rdp.GraphicsBitmap), uint16(3000), make([]byte, 17))},
		{name: "inverted rectangle", send: bitmap(9, 9, 3, 3, 16, 16, 32, 0), text: "from 9,9 to 3,3"},
		{name: "rectangle larger than its picture", send: bitmap(0, 0, 40, 40, 8, 8, 32, 0), text: "41×41"},
		{name: "picture of nothing", send: bitmap(0, 0, 0, 0, 0, 0, 32, 0)},
		{name: "picture much larger than its rectangle", send: bitmap(0, 0, 3, 3, 65535, 65535, 32, 1, make([]byte, 9)), text: "65535×65535"},
		{name: "77 bits a pixel", send: bitmap(0, 0, 3, 3, 4, 4, 77, 0, make([]byte, 64)), text: "77"},
		{name: "raw picture cut", send: bitmap(0, 0, 3, 3, 4, 4, 32, 0, marker), text: "6 bytes"},
		{name: "compressed picture without its header", send: bitmap(0, 0, 3, 3, 4, 4, 16, 1, 1, 2), text: "header of 8"},
		{name: "interleaved nonsense", send: bitmap(0, 0, 3, 3, 4, 4, 16, 0x401, 0xf7, marker)},
		{name: "interleaved picture cut", send: bitmap(0, 0, 3, 3, 4, 4, 24, 0x401, 0xf4, 0xff, 0xff)},
		{name: "planar nonsense", send: bitmap(0, 0, 3, 3, 4, 4, 32, 0x401, 0xff, marker)},
		{name: "planar picture of nothing", send: bitmap(0, 0, 3, 3, 4, 4, 32, 0x401)},
		{name: "palette of 255 colours", send: update(rdp.UpdatePalette, uint16(rdp.GraphicsPalette), uint16(0), uint32(255), make([]byte, 765)), text: "255 colours"},
		{name: "palette of 4 billion colours", send: update(rdp.UpdatePalette, uint16(rdp.GraphicsPalette), uint16(0), uint32(math.MaxUint32)), text: "4294967295"},
		{name: "palette cut", send: update(rdp.UpdatePalette, uint16(rdp.GraphicsPalette), uint16(0), uint32(256), 1, 2, 3)},

		{name: "encrypted on the fast path", send: fastPath(0x80, marker), text: "encrypted"},
		{name: "compressed on the fast path", send: fastPath(0, 0x81, 0x20, marker), text: "compressed"},
		{name: "update of code 15", send: fastPath(0, 0x0f, uint16(0)), text: "code 15"},
		{name: "update longer than its PDU", send: fastPath(0, 0x01, uint16(65535)), text: "TS_FP_UPDATE"},
		{name: "fragment without a beginning", send: fastPath(0, 0x31, uint16(0)), text: "without having begun"},
		{name: "fragment within another update", send: append(fastPath(0, 0x24, uint16(0)), fastPath(0, 0x01, uint16(0))...), text: "within update 4"},
		{name: "fragment of another update", send: append(fastPath(0, 0x24, uint16(0)), fastPath(0, 0x31, uint16(0))...), text: "goes on as update 1"},
		{name: "fragments without end", send: append(fastPath(0, 0x24, uint16(0)), bytes.Repeat(fastPath(0, 0x34, uint16(32000), make([]byte, 32000)), 300)...), text: "8388608 bytes"},

		{name: "surface command", send: update(rdp.UpdateSurfaceCommands, uint16(99)), text: "command 99"},
		{name: "surface bits cut", send: update(rdp.UpdateSurfaceCommands, uint16(1), 0)},
		{name: "codec unasked", send: surface(0, 0, 4, 4, 77, 4, 4, 6, marker), text: "codec 77"},
		{name: "NSCodec unasked", send: surface(0, 0, 4, 4, codecNSCodec, 4, 4, 6, marker)},
		{name: "inverted surface", send: surface(4, 4, 0, 0, 0, 4, 4, 0), text: "from 4,4 to 0,0"},
		{name: "surface of nothing", send: surface(4, 4, 4, 4, 0, 0, 0, 0), text: "from 4,4 to 4,4"},
		{name: "surface of 4 GB", send: surface(0, 0, 4, 4, 0, 4, 4, math.MaxUint32), text: "4294967295 bytes"},
		{name: "surface smaller than its rectangle", send: surface(0, 0, 4, 4, 0, 1, 1, 4, uint32(0))},
		{name: "raw surface cut", send: surface(0, 0, 4, 4, 0, 4, 4, 6, marker)},
		{name: "raw surface of 65535×65535", send: surface(0, 0, 4, 4, 0, 65535, 65535, 6, marker)},
		{name: "frame action", send: update(rdp.UpdateSurfaceCommands, uint16(4), uint16(7), uint32(0)), text: "action 7"},
		{name: "NSCodec planes of 4 GB", send: surface(0, 0, 4, 4, codecNSCodec, 4, 4, 20, slices.Repeat([]byte{0xff}, 16), 1, 0, 0, 0), cfg: Config{Graphics: GraphicsNSCodec}, text: "nscodec"},
		{name: "RemoteFX nonsense", send: surface(0, 0, 4, 4, codecRemoteFX, 4, 4, 6, marker), cfg: Config{Graphics: GraphicsRemoteFX}, text: "remotefx"},
		{name: "RemoteFX region of 65535 rectangles", send: remoteFXRegion(), cfg: Config{Graphics: GraphicsRemoteFX}, text: "remotefx"},

		{name: "pointer 128", send: pointerUpdate(rdp.UpdatePointerNew, func(p *rdp.PointerShape) { p.CacheIndex = 128 }), text: "pointer 128"},
		{name: "cached pointer 65535", send: update(rdp.UpdatePointerCached, uint16(65535)), text: "pointer 65535"},
		{name: "cached pointer cut", send: update(rdp.UpdatePointerCached, 1)},
		{name: "pointer position cut", send: update(rdp.UpdatePointerPosition, uint16(1))},
		{name: "pointer of 65535×65535", send: pointerUpdate(rdp.UpdatePointerLarge, func(p *rdp.PointerShape) { p.Width, p.Height = 65535, 65535 }), text: "65535×65535"},
		{name: "pointer masks of 4 GB", send: update(rdp.UpdatePointerLarge, large)},
		{name: "pointer of 13 bits", send: pointerUpdate(rdp.UpdatePointerNew, func(p *rdp.PointerShape) { p.BitsPerPixel = 13 }), text: "13 bits"},
		{name: "pointer without pixels", send: pointerUpdate(rdp.UpdatePointerColor, func(p *rdp.PointerShape) { p.XOR = nil }), text: "XOR"},
		{name: "pointer with half a mask", send: pointerUpdate(rdp.UpdatePointerColor, func(p *rdp.PointerShape) { p.AND = p.AND[:5] }), text: "AND"},

		{name: "chunks that do not add up", send: append(chunk(10, svc.FlagFirst, marker), chunk(10, svc.FlagLast, marker)...)},
		{name: "chunk too long", send: chunk(3, svc.FlagFirst|svc.FlagLast, marker)},
		{name: "chunk without a beginning", send: chunk(10, svc.FlagLast, marker)},
		{name: "two beginnings", send: append(chunk(10, svc.FlagFirst, marker), chunk(10, svc.FlagFirst, marker)...)},
		{name: "chunk of another length", send: append(chunk(100, svc.FlagFirst, marker), chunk(200, 0, marker)...)},
		{name: "message of 4 GB", send: chunk(math.MaxUint32, svc.FlagFirst, marker), text: "4294967295"},
		{name: "compressed chunk", send: chunk(6, svc.FlagFirst|svc.FlagLast|svc.FlagCompressed, marker), text: "compressed"},
		{name: "chunk cut", send: mcs(testDynamic, uint32(6))},

		{name: "dynamic command", send: whole(0xf0, marker)},
		{name: "dynamic message of nothing", send: chunk(0, svc.FlagFirst|svc.FlagLast)},
		{name: "dynamic capabilities cut", send: whole(0x50)},
		{name: "channel without a name's end", send: whole(0x10, 1, marker)},
		{name: "channel of a name of 2 KB", send: whole(0x10, 1, strings.Repeat("x", 2000), 0)},
		{name: "channel opened twice", send: opened(egfx.ChannelName, (&dvc.CreateRequest{ChannelID: 3, Name: disp.ChannelName}).Append(nil))},
		{name: "dynamic message of 4 GB", send: opened(egfx.ChannelName, first.Append(nil)), text: "4294967295"},
		{name: "dynamic fragments beyond the message", send: opened(egfx.ChannelName, short.Append(nil))},
		{name: "compressed dynamic data", send: opened(egfx.ChannelName, compressed.Append(nil))},
		{name: "display capabilities cut", send: opened(disp.ChannelName, dynamicData(3, cat(uint32(5), uint32(20), uint32(1))))},
		{name: "display of no monitor", send: opened(disp.ChannelName, dynamicData(3, disp.Caps{}.Append(nil)))},
		{name: "display layout of a client", send: opened(disp.ChannelName, dynamicData(3, disp.SingleMonitor(image.Pt(800, 600)).Append(nil)))},
		{name: "display message of 4 KB", send: opened(disp.ChannelName, (&dvc.DataFirst{ChannelID: 3, Length: 4096, Data: make([]byte, 100)}).Append(nil))},

		{name: "graphics nonsense", send: opened(egfx.ChannelName, dynamicData(3, []byte(marker)))},
		{name: "graphics segments without end", send: opened(egfx.ChannelName, dynamicData(3, cat(0xe1, uint16(65535), uint32(math.MaxUint32))))},
		{name: "graphics message shorter than its header", send: opened(egfx.ChannelName, dynamicData(3, cat(0xe0, 4, uint16(9), uint16(0), uint32(4))))},
		{name: "graphics command", send: opened(egfx.ChannelName, dynamicData(3, cat(0xe0, 4, uint16(0x99), uint16(0), uint32(8))))},
		{name: "graphics desktop of nothing", send: graphics(&egfx.ResetGraphics{}), text: "0×0"},
		{name: "graphics desktop of 32766×32766", send: graphics(&egfx.ResetGraphics{Width: 32766, Height: 32766}), text: "32766×32766"},
		{name: "surface there is not", send: graphics(&egfx.SolidFill{SurfaceID: 9, Rects: []egfx.Rect16{one}}), text: "surface 9"},
		{name: "surface of 65535×65535", send: graphics(&egfx.CreateSurface{SurfaceID: 1, Width: 65535, Height: 65535, PixelFormat: egfx.FormatXRGB})},
		{name: "cache slot 65535", send: graphics(surface1, &egfx.SurfaceToCache{SurfaceID: 1, Slot: 65535, Rect: one})},
		{name: "H.264", send: graphics(surface1, &egfx.WireToSurface1{SurfaceID: 1, Codec: egfx.CodecAVC420, PixelFormat: egfx.FormatXRGB, DestRect: one}), text: "H.264"},

		{name: "heartbeat cut", send: mcs(testMessage, rdp.AppendSecurityHeader(nil, rdp.SecHeartbeat), 0)},
		{name: "encrypted on the message channel", send: mcs(testMessage, rdp.AppendSecurityHeader(nil, rdp.SecEncrypt), marker), text: "encrypted"},
		{name: "autodetection of a client", send: mcs(testMessage, rdp.AppendSecurityHeader(nil, rdp.SecAutodetectReq), 6, 1, uint16(0), uint16(1))},
		{name: "redirection cut", send: share(rdp.ShareRedirection, 0), text: "1 bytes"},
		{name: "redirection flags", send: share(rdp.ShareRedirection, uint16(0), uint16(9), uint16(12), uint32(0), uint32(0))},
		{name: "redirection field of 4 GB", send: share(rdp.ShareRedirection, uint16(0), uint16(0x400), uint16(12), uint32(0), uint32(rdp.RedirectPassword), uint32(math.MaxUint32), marker), text: "4294967295 bytes"},
		{name: "desktop grows huge", send: append(share(rdp.ShareDeactivateAll), demand(image.Pt(65535, 65535))...), text: "65535×65535"},
		{name: "half a PDU", send: cat(3, 0, 0xff, 0xff, marker), hang: true, want: desktop.ErrTimeout},
		{name: "PDU cut", send: cat(3, 0, 0xff, 0xff, marker), want: desktop.ErrTargetGone},
	}
}

// remoteFXRegion is a RemoteFX message whose region claims more rectangles than it has.
func remoteFXRegion() []byte {
	b := greyRemoteFX(0, 0, 4, 4)
	i := bytes.Index(b, cat(uint16(0xccc6)))
	copy(b[i+9:], []byte{0xff, 0xff})
	return surface(0, 0, 64, 64, codecRemoteFX, 64, 64, uint32(len(b)), b)
}

// TestHostile: every misbehaviour ends Run, alone, with an error that says what it was and quotes nothing, within the
// deadlines and in little memory. That no goroutine is left is checked by the bubble.
func TestHostile(t *testing.T) {
	cases := hostileHandshakes()
	for _, c := range hostileSessions() {
		if c.want == nil {
			c.want = desktop.ErrProtocol
		}
		cases = append(cases, c)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			var took time.Duration
			err := play(t, scene{Config: c.cfg}, func(s *stage) {
				p := s.accept()
				p.must(p.Until(c.phase))
				drained := make(chan struct{})
				go func() {
					defer close(drained)
					p.Drain()
				}()
				runtime.ReadMemStats(&before)
				began := time.Now()
				_, _ = p.Write(c.send) // the client may have gone
				if c.hang {
					<-s.done
				} else {
					synctest.Wait()
					p.Close()
					<-s.done
				}
				took = time.Since(began)
				runtime.ReadMemStats(&after)
				if log := s.log.String(); strings.Contains(log, marker) {
					t.Errorf("the log quotes what was sent:\n%s", log)
				}
			})
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if limit := max(defaultHandshake, messageProgress) + time.Second; took > limit {
				t.Errorf("took %v", took)
			}
			// Twice what an update may have, because its buffer doubles, and the desktop.
			if used := after.TotalAlloc - before.TotalAlloc; used > 6*rdp.MaxUpdate {
				t.Errorf("took %d bytes of memory", used)
			}
			if err == nil {
				return
			}
			t.Log(err)
			if !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), marker) {
				t.Errorf("%q, want %q and nothing quoted", err, c.text)
			}
		})
	}
}
