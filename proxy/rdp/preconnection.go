package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Versions of a preconnection PDU ([MS-RDPEPS] 2.2.1).
const (
	preconnectionV1 = 1
	preconnectionV2 = 2
)

const (
	preconnectionV1Bytes = 16
	// MaxPreconnection bounds a preconnection PDU in bytes: the header and a blob of 512 UTF-16 units, far above what
	// connection brokers send.
	MaxPreconnection = preconnectionV1Bytes + 2 + 1024
)

// Preconnection is the PDU a client may send before its X.224 request, for a program on the way to know where to
// ([MS-RDPEPS] 2.2.1.1, 2.2.1.2). It travels in clear.
type Preconnection struct {
	ID   uint32
	Blob string
}

// PreconnectionBytes returns how long the preconnection PDU is that begins with these four bytes, or zero when they begin a TPKT
// instead. A length that no such PDU has is refused.
func PreconnectionBytes(first [4]byte) (int, error) {
	if first[0] == tpktVersion && first[1] == 0 {
		return 0, nil
	}
	n := binary.LittleEndian.Uint32(first[:])
	if n < preconnectionV1Bytes || n > MaxPreconnection {
		return 0, wire.Errorf("RDP_PRECONNECTION_PDU: cbSize %d, want %d to %d", n, preconnectionV1Bytes, MaxPreconnection)
	}
	return int(n), nil
}

// Append appends the PDU: of version 2 when there is a blob.
func (p *Preconnection) Append(b []byte) []byte {
	le := binary.LittleEndian
	start := len(b)
	version := uint32(preconnectionV1)
	if p.Blob != "" {
		version = preconnectionV2
	}
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, 0) // flags, which mean nothing
	b = le.AppendUint32(le.AppendUint32(b, version), p.ID)
	if p.Blob != "" {
		b = le.AppendUint16(b, uint16(wire.UTF16Bytes(p.Blob)/2+1))
		b = append(wire.AppendUTF16(b, p.Blob), 0, 0)
	}
	le.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// Decode reads the PDU.
func (p *Preconnection) Decode(b []byte) error {
	r := wire.NewReader("RDP_PRECONNECTION_PDU", b)
	if n := r.Uint32(); r.Err() == nil && uint64(n) != uint64(len(b)) {
		return r.Refuse("cbSize %d of %d bytes", n, len(b))
	}
	r.Skip(4)
	version := r.Uint32()
	out := Preconnection{ID: r.Uint32()}
	switch {
	case r.Err() != nil:
	case version == preconnectionV2:
		out.Blob = wire.UTF16(r.Bytes(2 * int(r.Uint16())))
	case version != preconnectionV1:
		return r.Refuse("version %d", version)
	}
	if r.Err() != nil {
		return r.Err()
	}
	*p = out
	return nil
}
