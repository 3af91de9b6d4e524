package dvc

import "github.com/vitrine-psm/vitrine/proxy/rdp/wire"

// DataFirst is DYNVC_DATA_FIRST ([MS-RDPEDYC] 2.2.3.1), the first fragment of a message, or its compressed form
// (2.2.3.3), whose data stays compressed here.
type DataFirst struct {
	Compressed bool
	ChannelID  uint32
	Length     uint32 // of the whole message, in bytes
	Data       []byte // after Decode: within its input
}

func (p *DataFirst) cmd() Cmd {
	if p.Compressed {
		return CmdDataFirstCompressed
	}
	return CmdDataFirst
}

// Append appends the PDU.
func (p *DataFirst) Append(b []byte) []byte {
	code := width(p.Length)
	return append(appendNumber(appendHeader(b, p.cmd(), code, p.ChannelID), code, p.Length), p.Data...)
}

// Decode reads the PDU; whether it is the compressed one is taken from its first byte.
func (p *DataFirst) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_DATA_FIRST", b)
	d := DataFirst{Compressed: Command(b) == CmdDataFirstCompressed}
	code, id := readHeader(r, d.cmd())
	d.ChannelID = id
	d.Length = readNumber(r, "Len", code)
	d.Data = r.Rest()
	if err := r.Err(); err != nil {
		return err
	}
	if !d.Compressed && uint64(len(d.Data)) > uint64(d.Length) {
		return r.Refuse("%d bytes of a message of %d", len(d.Data), d.Length)
	}
	*p = d
	return nil
}

// Data is DYNVC_DATA ([MS-RDPEDYC] 2.2.3.2), a whole message or a later fragment, or its compressed form (2.2.3.4),
// whose data stays compressed here.
type Data struct {
	Compressed bool
	ChannelID  uint32
	Data       []byte // after Decode: within its input
}

func (p *Data) cmd() Cmd {
	if p.Compressed {
		return CmdDataCompressed
	}
	return CmdData
}

// Append appends the PDU.
func (p *Data) Append(b []byte) []byte {
	return append(appendHeader(b, p.cmd(), 0, p.ChannelID), p.Data...)
}

// Decode reads the PDU; whether it is the compressed one is taken from its first byte.
func (p *Data) Decode(b []byte) error {
	r := wire.NewReader("DYNVC_DATA", b)
	d := Data{Compressed: Command(b) == CmdDataCompressed}
	_, d.ChannelID = readHeader(r, d.cmd())
	d.Data = r.Rest()
	if err := r.Err(); err != nil {
		return err
	}
	*p = d
	return nil
}

// AppendFragment appends to b the PDU with the next bytes of message, of which sent bytes have gone before, and returns
// how many have gone then. A message of up to 1,590 bytes goes in one PDU, a longer one in as many of MaxPDUBytes as it
// takes ([MS-RDPEDYC] 3.1.5.1).
func AppendFragment(b []byte, channelID uint32, message []byte, sent int) (pdu []byte, now int) {
	start := len(b)
	if sent == 0 && len(message) > maxSingleBytes {
		b = (&DataFirst{ChannelID: channelID, Length: uint32(len(message))}).Append(b)
	} else {
		b = appendHeader(b, CmdData, 0, channelID)
	}
	now = min(len(message), sent+MaxPDUBytes-(len(b)-start))
	return append(b, message[sent:now]...), now
}
