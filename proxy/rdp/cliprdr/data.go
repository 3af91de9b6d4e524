package cliprdr

import "encoding/binary"

// FormatDataRequest is CLIPRDR_FORMAT_DATA_REQUEST ([MS-RDPECLIP] 2.2.5.1).
type FormatDataRequest struct{ FormatID uint32 }

// Append appends the message.
func (q FormatDataRequest) Append(b []byte) []byte {
	start := len(b)
	return end(binary.LittleEndian.AppendUint32(begin(b, TypeFormatDataRequest, 0), q.FormatID), start)
}

// Decode reads the message.
func (q *FormatDataRequest) Decode(b []byte) error {
	_, r := open("CLIPRDR_FORMAT_DATA_REQUEST", b, TypeFormatDataRequest)
	id := r.Uint32()
	if err := r.End(); err != nil {
		return err
	}
	q.FormatID = id
	return nil
}

// FormatDataResponse is CLIPRDR_FORMAT_DATA_RESPONSE ([MS-RDPECLIP] 2.2.5.2).
type FormatDataResponse struct {
	OK   bool
	Data []byte // as the format has it; none unless OK
}

// Append appends the message.
func (p FormatDataResponse) Append(b []byte) []byte {
	start := len(b)
	return end(append(begin(b, TypeFormatDataResponse, responseFlags(p.OK)), p.Data...), start)
}

// Decode reads the message. Data lies within b.
func (p *FormatDataResponse) Decode(b []byte) error {
	flags, r := open("CLIPRDR_FORMAT_DATA_RESPONSE", b, TypeFormatDataResponse)
	data := r.Rest()
	if err := r.Err(); err != nil {
		return err
	}
	*p = FormatDataResponse{OK: flags&FlagResponseFail == 0 && flags&FlagResponseOK != 0}
	if p.OK {
		p.Data = data
	}
	return nil
}
