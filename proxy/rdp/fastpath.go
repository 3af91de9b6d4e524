package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// UpdateCode is the kind of a fast-path update ([MS-RDPBCGR] 2.2.9.1.2.1).
type UpdateCode uint8

// The updates.
const (
	UpdateOrders          UpdateCode = 0x0
	UpdateBitmap          UpdateCode = 0x1
	UpdatePalette         UpdateCode = 0x2
	UpdateSynchronize     UpdateCode = 0x3
	UpdateSurfaceCommands UpdateCode = 0x4
	UpdatePointerHidden   UpdateCode = 0x5
	UpdatePointerDefault  UpdateCode = 0x6
	UpdatePointerPosition UpdateCode = 0x8
	UpdatePointerColor    UpdateCode = 0x9
	UpdatePointerCached   UpdateCode = 0xa
	UpdatePointerNew      UpdateCode = 0xb
	UpdatePointerLarge    UpdateCode = 0xc
)

// Fragmentation of an update.
const (
	fragmentSingle = 0
	fragmentLast   = 1
	fragmentFirst  = 2
	fragmentNext   = 3
)

const (
	updateCompressed = 2 << 6 // of updateHeader: compressionFlags follow
	fastPathSecure   = 0xc0   // of the first byte: checksum or encryption
	// maxFragment is how many bytes of an update go into one fast-path PDU: its length has 15 bits.
	maxFragment = 0x7fff - 3 - 3
)

// Update is one update, whole.
type Update struct {
	Code UpdateCode
	Data []byte
}

// Fragments puts updates together from fast-path PDUs. The zero value is ready.
type Fragments struct {
	code    UpdateCode
	buf     []byte
	partial bool
}

// Decode calls fn for every whole update in the payload of a fast-path output PDU with the first byte header. Data is
// valid during the call.
func (f *Fragments) Decode(header byte, payload []byte, fn func(u Update) error) error {
	r := wire.NewReader("TS_FP_UPDATE", payload)
	if header&fastPathSecure != 0 {
		return r.Refuse("the PDU is encrypted (%#x), which TLS makes needless", header)
	}
	for r.Len() > 0 {
		head := r.Uint8()
		if head&updateCompressed != 0 {
			return r.Refuse("compressed (%#x), which was not offered", head)
		}
		data := r.Bytes(int(r.Uint16()))
		if r.Err() != nil {
			return r.Err()
		}
		code, whole, err := f.add(r, UpdateCode(head&0x0f), head>>4&3, data)
		if err != nil {
			return err
		}
		if whole == nil {
			continue
		}
		if err := fn(Update{code, whole}); err != nil {
			return err
		}
	}
	return r.Err()
}

var empty = []byte{}

// add takes one fragment and returns the update when it is whole.
func (f *Fragments) add(r *wire.Reader, code UpdateCode, fragment byte, data []byte) (UpdateCode, []byte, error) {
	begins := fragment == fragmentSingle || fragment == fragmentFirst
	switch {
	case begins && f.partial:
		return 0, nil, r.Refuse("update %d begins within update %d", code, f.code)
	case !begins && !f.partial:
		return 0, nil, r.Refuse("update %d goes on without having begun", code)
	case !begins && code != f.code:
		return 0, nil, r.Refuse("update %d goes on as update %d", f.code, code)
	case fragment == fragmentSingle:
		if data == nil {
			data = empty
		}
		return code, data, nil
	case begins:
		f.code, f.buf, f.partial = code, f.buf[:0], true
	}
	if len(f.buf)+len(data) > MaxUpdate {
		return 0, nil, r.Refuse("update of more than %d bytes", MaxUpdate)
	}
	f.buf = append(f.buf, data...)
	if fragment != fragmentLast {
		return 0, nil, nil
	}
	if f.partial = false; f.buf == nil {
		return code, empty, nil
	}
	return code, f.buf, nil
}

// AppendUpdate appends an update as one or more fast-path PDUs.
func AppendUpdate(b []byte, u Update) []byte {
	for first, data := true, u.Data; first || len(data) > 0; first = false {
		part := data[:min(len(data), maxFragment)]
		data = data[len(part):]
		fragment := byte(fragmentNext)
		switch last := len(data) == 0; {
		case first && last:
			fragment = fragmentSingle
		case first:
			fragment = fragmentFirst
		case last:
			fragment = fragmentLast
		}
		b = appendFastPath(b, actionFastPath, func(b []byte) []byte {
			b = binary.LittleEndian.AppendUint16(append(b, byte(u.Code)|fragment<<4), uint16(len(part)))
			return append(b, part...)
		})
	}
	return b
}
