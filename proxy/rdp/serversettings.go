package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ServerSettings are the settings blocks of an MCS Connect Response ([MS-RDPBCGR] 2.2.1.4).
type ServerSettings struct {
	Version uint32
	// RequestedProtocols are those the server saw in the X.224 request, for the client to find out that somebody changed
	// it; HasRequested tells whether the server said so, and short blocks of old servers do not.
	RequestedProtocols Protocol
	HasRequested       bool
	EarlyCapabilities  uint32
	// EncryptionMethod and EncryptionLevel are those of standard RDP security: zero with TLS.
	EncryptionMethod, EncryptionLevel uint32
	// IOChannel carries the share's PDUs; Channels are those asked for, in that order, zero where refused.
	IOChannel uint16
	Channels  []uint16
	// MessageChannel is zero when there is none.
	MessageChannel uint16
}

// Append appends the blocks.
func (s *ServerSettings) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendBlock(b, blockServerCore, func(b []byte) []byte {
		b = le.AppendUint32(b, s.Version)
		if !s.HasRequested {
			return b
		}
		b = le.AppendUint32(b, uint32(s.RequestedProtocols))
		return le.AppendUint32(b, s.EarlyCapabilities)
	})
	b = appendBlock(b, blockServerNetwork, func(b []byte) []byte {
		b = le.AppendUint16(b, s.IOChannel)
		b = le.AppendUint16(b, uint16(len(s.Channels)))
		for _, c := range s.Channels {
			b = le.AppendUint16(b, c)
		}
		if len(s.Channels)%2 != 0 {
			b = append(b, 0, 0)
		}
		return b
	})
	b = appendBlock(b, blockServerSecurity, func(b []byte) []byte {
		return le.AppendUint32(le.AppendUint32(b, s.EncryptionMethod), s.EncryptionLevel)
	})
	if s.MessageChannel != 0 {
		b = appendBlock(b, blockServerMessageChannel, func(b []byte) []byte { return le.AppendUint16(b, s.MessageChannel) })
	}
	return b
}

// Decode reads the blocks; those this package has no use for are passed over.
func (s *ServerSettings) Decode(b []byte) error {
	var out ServerSettings
	var core, network bool
	err := decodeBlocks(b, func(kind uint16, body []byte) error {
		switch kind {
		case blockServerCore:
			core = true
			return out.decodeCore(body)
		case blockServerNetwork:
			network = true
			return out.decodeNetwork(body)
		case blockServerSecurity:
			r := wire.NewReader("TS_UD_SC_SEC1", body)
			out.EncryptionMethod, out.EncryptionLevel = r.Uint32(), r.Uint32()
			return r.Err()
		case blockServerMessageChannel:
			r := wire.NewReader("TS_UD_SC_MCS_MSGCHANNEL", body)
			out.MessageChannel = r.Uint16()
			return r.Err()
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !core:
		return wire.Errorf("TS_UD_SC_CORE is missing")
	case !network:
		return wire.Errorf("TS_UD_SC_NET is missing")
	}
	*s = out
	return nil
}

func (s *ServerSettings) decodeCore(b []byte) error {
	r := wire.NewReader("TS_UD_SC_CORE", b)
	s.Version = r.Uint32()
	if r.Len() >= 4 { // xrdp ends here
		s.HasRequested, s.RequestedProtocols = true, Protocol(r.Uint32())
	}
	if r.Len() >= 4 {
		s.EarlyCapabilities = r.Uint32()
	}
	return r.Err()
}

func (s *ServerSettings) decodeNetwork(b []byte) error {
	r := wire.NewReader("TS_UD_SC_NET", b)
	s.IOChannel = r.Uint16()
	n := r.Uint16()
	if n > MaxChannels {
		return r.Refuse("channelCount %d exceeds %d", n, MaxChannels)
	}
	s.Channels = make([]uint16, 0, n)
	for range n {
		s.Channels = append(s.Channels, r.Uint16())
	}
	return r.Err()
}
