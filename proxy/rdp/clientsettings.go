package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// RDP versions of a core block ([MS-RDPBCGR] 2.2.1.3.2).
const (
	Version5   = 0x00080004
	Version107 = 0x0008000c
)

// Colour depths as a set ([MS-RDPBCGR] 2.2.1.3.2, supportedColorDepths).
const (
	Depth24 = 1 << iota
	Depth16
	Depth15
	Depth32
)

// Early capability flags ([MS-RDPBCGR] 2.2.1.3.2).
const (
	SupportErrorInfo         = 0x0001
	Want32BPPSession         = 0x0002
	SupportStatusInfo        = 0x0004
	StrongAsymmetricKeys     = 0x0008
	ValidConnectionType      = 0x0020
	SupportMonitorLayout     = 0x0040
	SupportNetCharAutodetect = 0x0080
	SupportDynVCGFX          = 0x0100
	SupportDynamicTimeZone   = 0x0200
	SupportHeartbeat         = 0x0400
)

// ConnectionTypeLAN is the connection type of a fast network.
const ConnectionTypeLAN = 6

const (
	colour8BPP        = 0xca01 // RNS_UD_COLOR_8BPP, superseded by highColorDepth
	sasDelete         = 0xaa03 // RNS_UD_SAS_DEL
	clientNameBytes   = 32
	imeFileNameBytes  = 64
	productIDBytes    = 64
	enhancedKeyboard  = 4 // IBM enhanced, 101 or 102 keys
	functionKeys      = 12
	minClientCoreBody = 128 // up to imeFileName
)

// ClientCoreData is TS_UD_CS_CORE ([MS-RDPBCGR] 2.2.1.3.2).
type ClientCoreData struct {
	Version            uint32
	Width, Height      uint16 // pixels
	KeyboardLayout     uint32 // a Windows layout, zero for the server's own
	ClientBuild        uint32
	ClientName         string
	HighColorDepth     uint16 // bits a pixel: 8, 15, 16, 24
	SupportedDepths    uint16
	EarlyCapabilities  uint16
	ConnectionType     uint8
	SelectedProtocol   Protocol // what the server's X.224 confirm said
	DesktopScaleFactor uint32   // per cent; zero: not told
}

func (c *ClientCoreData) append(b []byte) []byte {
	le := binary.LittleEndian
	return appendBlock(b, blockClientCore, func(b []byte) []byte {
		b = le.AppendUint32(b, c.Version)
		b = le.AppendUint16(b, c.Width)
		b = le.AppendUint16(b, c.Height)
		b = le.AppendUint16(b, colour8BPP)
		b = le.AppendUint16(b, sasDelete)
		b = le.AppendUint32(b, c.KeyboardLayout)
		b = le.AppendUint32(b, c.ClientBuild)
		b = wire.AppendFixedUTF16(b, c.ClientName, clientNameBytes)
		b = le.AppendUint32(b, enhancedKeyboard)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, functionKeys)
		b = append(b, make([]byte, imeFileNameBytes)...)
		b = le.AppendUint16(b, colour8BPP)
		b = le.AppendUint16(b, 1) // product id
		b = le.AppendUint32(b, 0) // serial number
		b = le.AppendUint16(b, c.HighColorDepth)
		b = le.AppendUint16(b, c.SupportedDepths)
		b = le.AppendUint16(b, c.EarlyCapabilities)
		b = append(b, make([]byte, productIDBytes)...)
		b = append(b, c.ConnectionType, 0)
		b = le.AppendUint32(b, uint32(c.SelectedProtocol))
		if c.DesktopScaleFactor == 0 {
			return b
		}
		b = le.AppendUint32(b, 0) // physical width and height in mm: not told
		b = le.AppendUint32(b, 0)
		b = le.AppendUint16(b, 0) // landscape
		b = le.AppendUint32(b, c.DesktopScaleFactor)
		return le.AppendUint32(b, 100) // device scale factor, per cent
	})
}

func (c *ClientCoreData) decode(b []byte) error {
	r := wire.NewReader("TS_UD_CS_CORE", b)
	*c = ClientCoreData{Version: r.Uint32(), Width: r.Uint16(), Height: r.Uint16()}
	r.Skip(4)
	c.KeyboardLayout, c.ClientBuild = r.Uint32(), r.Uint32()
	c.ClientName = wire.UTF16(r.Bytes(clientNameBytes))
	r.Skip(12 + imeFileNameBytes)
	// What follows is optional, but nothing without what comes before it.
	for _, field := range []struct {
		n    int
		read func()
	}{
		{2, func() { r.Skip(2) }},
		{2, func() { r.Skip(2) }},
		{4, func() { r.Skip(4) }},
		{2, func() { c.HighColorDepth = r.Uint16() }},
		{2, func() { c.SupportedDepths = r.Uint16() }},
		{2, func() { c.EarlyCapabilities = r.Uint16() }},
		{productIDBytes, func() { r.Skip(productIDBytes) }},
		{1, func() { c.ConnectionType = r.Uint8() }},
		{1, func() { r.Skip(1) }},
		{4, func() { c.SelectedProtocol = Protocol(r.Uint32()) }},
		{4, func() { r.Skip(4) }},
		{4, func() { r.Skip(4) }},
		{2, func() { r.Skip(2) }},
		{4, func() { c.DesktopScaleFactor = r.Uint32() }},
		{4, func() { r.Skip(4) }},
	} {
		if r.Len() < field.n {
			break
		}
		field.read()
	}
	return r.Err()
}

// Channel options ([MS-RDPBCGR] 2.2.1.3.4.1).
const (
	ChannelInitialized  = 0x80000000
	ChannelEncryptRDP   = 0x40000000
	ChannelPriorityHigh = 0x08000000
	ChannelCompressRDP  = 0x00800000
	ChannelShowProtocol = 0x00200000
)

const channelNameBytes = 8

// ChannelDef is a static virtual channel that a client asks for ([MS-RDPBCGR] 2.2.1.3.4.1).
type ChannelDef struct {
	Name    string // at most seven ANSI characters
	Options uint32
}

// Redirection versions and flags of a cluster block ([MS-RDPBCGR] 2.2.1.3.5).
const (
	RedirectionSupported     = 0x01
	redirectionVersion5      = 4 << 2
	RedirectedSessionIDValid = 0x02
)

// ClientSettings are the settings blocks of an MCS Connect Initial.
type ClientSettings struct {
	Core ClientCoreData
	// Channels are asked for in TS_UD_CS_NET ([MS-RDPBCGR] 2.2.1.3.4), at most MaxChannels.
	Channels []ChannelDef
	// Cluster announces that redirection is understood; RedirectedSession is the session a redirection named.
	Cluster           bool
	RedirectedSession uint32
	// MessageChannel asks for the channel of heartbeats and autodetection ([MS-RDPBCGR] 2.2.1.3.7).
	MessageChannel bool
}

// Append appends the blocks.
func (s *ClientSettings) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = s.Core.append(b)
	if s.Cluster {
		b = appendBlock(b, blockClientCluster, func(b []byte) []byte {
			flags := uint32(RedirectionSupported | redirectionVersion5)
			if s.RedirectedSession != 0 {
				flags |= RedirectedSessionIDValid
			}
			return le.AppendUint32(le.AppendUint32(b, flags), s.RedirectedSession)
		})
	}
	// No encryption methods: standard RDP security is never spoken ([MS-RDPBCGR] 2.2.1.3.3).
	b = appendBlock(b, blockClientSecurity, func(b []byte) []byte { return append(b, make([]byte, 8)...) })
	if len(s.Channels) > 0 {
		b = appendBlock(b, blockClientNetwork, func(b []byte) []byte {
			b = le.AppendUint32(b, uint32(len(s.Channels)))
			for _, c := range s.Channels {
				var name [channelNameBytes]byte
				copy(name[:channelNameBytes-1], c.Name)
				b = le.AppendUint32(append(b, name[:]...), c.Options)
			}
			return b
		})
	}
	if s.MessageChannel {
		b = appendBlock(b, blockClientMessageChannel, func(b []byte) []byte { return le.AppendUint32(b, 0) })
	}
	return b
}

// Decode reads the blocks; those this package has no use for are passed over.
func (s *ClientSettings) Decode(b []byte) error {
	var out ClientSettings
	core := false
	err := decodeBlocks(b, func(kind uint16, body []byte) error {
		switch kind {
		case blockClientCore:
			core = true
			return out.Core.decode(body)
		case blockClientNetwork:
			return out.decodeChannels(body)
		case blockClientCluster:
			r := wire.NewReader("TS_UD_CS_CLUSTER", body)
			flags := r.Uint32()
			out.Cluster = flags&RedirectionSupported != 0
			if session := r.Uint32(); flags&RedirectedSessionIDValid != 0 {
				out.RedirectedSession = session
			}
			return r.Err()
		case blockClientMessageChannel:
			out.MessageChannel = true
		}
		return nil
	})
	if err == nil && !core {
		err = wire.Errorf("TS_UD_CS_CORE is missing")
	}
	if err != nil {
		return err
	}
	*s = out
	return nil
}

func (s *ClientSettings) decodeChannels(b []byte) error {
	r := wire.NewReader("TS_UD_CS_NET", b)
	n := r.Uint32()
	if n > MaxChannels {
		return r.Refuse("channelCount %d exceeds %d", n, MaxChannels)
	}
	s.Channels = make([]ChannelDef, 0, n)
	for range n {
		name := r.Bytes(channelNameBytes)
		options := r.Uint32()
		if r.Err() != nil {
			return r.Err()
		}
		s.Channels = append(s.Channels, ChannelDef{Name: ansi(name), Options: options})
	}
	return r.Err()
}

// ansi returns a field of ANSI characters up to its first NUL.
func ansi(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
