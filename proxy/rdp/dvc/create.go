package dvc

import (
	"bytes"
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// CreateRequest is DYNVC_CREATE_REQ ([MS-RDPEDYC] 2.2.2.1): the server wants a channel.
type CreateRequest struct {
	ChannelID uint32
	Priority  uint8  // class 0 to 3 of CapsRequest.PriorityCharge
	Name      string // without its terminator
}

// Append appends the PDU.
func (p *CreateRequest) Append(b []byte) []byte {
	return append(append(appendHeader(b, CmdCreate, p.Priority&3, p.ChannelID), p.Name...), 0)
}

// Decode reads the PDU. What follows the name's terminator is passed over.
func (p *CreateRequest) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_CREATE_REQ", b)
	var d CreateRequest
	d.Priority, d.ChannelID = readHeader(r, CmdCreate)
	name := r.Rest()
	if err := r.Err(); err != nil {
		return err
	}
	end := bytes.IndexByte(name, 0)
	if end < 0 || end > maxNameBytes {
		return r.Refuse("ChannelName has no end within %d of %d bytes", maxNameBytes, len(name))
	}
	d.Name = string(name[:end])
	*p = d
	return nil
}

// Values of CreateResponse.Status, which is an HRESULT: negative values are failures.
const (
	StatusOK         int32 = 0
	StatusNoListener int32 = -0x3fffffff // 0xC0000001, what clients without a listener of the name answer
)

// CreateResponse is DYNVC_CREATE_RSP ([MS-RDPEDYC] 2.2.2.2).
type CreateResponse struct {
	ChannelID uint32
	Status    int32
}

// Append appends the PDU.
func (p *CreateResponse) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(appendHeader(b, CmdCreate, 0, p.ChannelID), uint32(p.Status))
}

// Decode reads the PDU.
func (p *CreateResponse) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_CREATE_RSP", b)
	var d CreateResponse
	_, d.ChannelID = readHeader(r, CmdCreate)
	d.Status = r.Int32()
	if err := r.End(); err != nil {
		return err
	}
	*p = d
	return nil
}

// Close is DYNVC_CLOSE ([MS-RDPEDYC] 2.2.4), request and response.
type Close struct {
	ChannelID uint32
}

// Append appends the PDU.
func (p *Close) Append(b []byte) []byte { return appendHeader(b, CmdClose, 0, p.ChannelID) }

// Decode reads the PDU.
func (p *Close) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_CLOSE", b)
	_, id := readHeader(r, CmdClose)
	if err := r.End(); err != nil {
		return err
	}
	p.ChannelID = id
	return nil
}
