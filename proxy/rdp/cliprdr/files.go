package cliprdr

import "encoding/binary"

// Messages of the exchange of files, which Client refuses. They are here so that both sides can say so.

// Flags of FileContentsRequest ([MS-RDPECLIP] 2.2.5.3).
const (
	FileContentsSize  = 0x00000001
	FileContentsRange = 0x00000002
)

// FileContentsRequest is CLIPRDR_FILECONTENTS_REQUEST ([MS-RDPECLIP] 2.2.5.3).
type FileContentsRequest struct {
	StreamID    uint32
	Index       int32 // of the file in the list
	Flags       uint32
	Position    uint64
	Count       uint32 // bytes wanted
	HasClipData bool   // ClipDataID is present
	ClipDataID  uint32
}

// Append appends the message.
func (q FileContentsRequest) Append(b []byte) []byte {
	start := len(b)
	b = begin(b, TypeFileContentsRequest, 0)
	for _, v := range []uint32{q.StreamID, uint32(q.Index), q.Flags, uint32(q.Position), uint32(q.Position >> 32), q.Count} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	if q.HasClipData {
		b = binary.LittleEndian.AppendUint32(b, q.ClipDataID)
	}
	return end(b, start)
}

// Decode reads the message.
func (q *FileContentsRequest) Decode(b []byte) error {
	_, r := open("CLIPRDR_FILECONTENTS_REQUEST", b, TypeFileContentsRequest)
	d := FileContentsRequest{
		StreamID: r.Uint32(), Index: r.Int32(), Flags: r.Uint32(), Position: r.Uint64(), Count: r.Uint32(),
	}
	if d.HasClipData = r.Len() > 0; d.HasClipData {
		d.ClipDataID = r.Uint32()
	}
	if err := r.End(); err != nil {
		return err
	}
	*q = d
	return nil
}

// FileContentsResponse is CLIPRDR_FILECONTENTS_RESPONSE ([MS-RDPECLIP] 2.2.5.4).
type FileContentsResponse struct {
	OK       bool
	StreamID uint32
	Data     []byte
}

// Append appends the message.
func (p FileContentsResponse) Append(b []byte) []byte {
	start := len(b)
	b = begin(b, TypeFileContentsResponse, responseFlags(p.OK))
	return end(append(binary.LittleEndian.AppendUint32(b, p.StreamID), p.Data...), start)
}

// Decode reads the message. Data lies within b.
func (p *FileContentsResponse) Decode(b []byte) error {
	flags, r := open("CLIPRDR_FILECONTENTS_RESPONSE", b, TypeFileContentsResponse)
	d := FileContentsResponse{
		OK: flags&FlagResponseFail == 0 && flags&FlagResponseOK != 0, StreamID: r.Uint32(), Data: r.Rest(),
	}
	if err := r.Err(); err != nil {
		return err
	}
	*p = d
	return nil
}

// AppendLock appends CLIPRDR_LOCK_CLIPDATA or, with lock unset, CLIPRDR_UNLOCK_CLIPDATA ([MS-RDPECLIP] 2.2.4.1, 2.2.4.2).
func AppendLock(b []byte, lock bool, clipDataID uint32) []byte {
	start, t := len(b), TypeUnlockData
	if lock {
		t = TypeLockData
	}
	return end(binary.LittleEndian.AppendUint32(begin(b, t, 0), clipDataID), start)
}

// DecodeLock reads CLIPRDR_LOCK_CLIPDATA or, with lock unset, CLIPRDR_UNLOCK_CLIPDATA and returns clipDataId.
func DecodeLock(b []byte, lock bool) (uint32, error) {
	name, t := "CLIPRDR_UNLOCK_CLIPDATA", TypeUnlockData
	if lock {
		name, t = "CLIPRDR_LOCK_CLIPDATA", TypeLockData
	}
	_, r := open(name, b, t)
	id := r.Uint32()
	if err := r.End(); err != nil {
		return 0, err
	}
	return id, nil
}
