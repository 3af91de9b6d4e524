package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// gccConnectData begins ConnectData of T.124 in PER: the object identifier 0.0.20.124.0.1 as the key ([T.124] 8.7).
var gccConnectData = []byte{0x00, 0x05, 0x00, 0x14, 0x7c, 0x00, 0x01}

// H.221 keys of the user data: who sends it ([MS-RDPBCGR] 2.2.1.3, 2.2.1.4).
const (
	h221Client = "Duca"
	h221Server = "McDn"
)

// appendConferenceCreateRequest appends a GCC Conference Create Request with blocks as its user data.
func appendConferenceCreateRequest(b, blocks []byte) []byte {
	// The choice, the optional user data present, the conference's name "1" as a numeric string, one set of user data
	// with an H.221 key of four bytes (the length less four).
	head := append([]byte{0x00, 0x08, 0x00, 0x10, 0x00, 0x01, 0xc0, 0x00}, h221Client...)
	head = appendPERLength(head, len(blocks))
	b = appendPERLength(append(b, gccConnectData...), len(head)+len(blocks))
	return append(append(b, head...), blocks...)
}

// appendConferenceCreateResponse appends a GCC Conference Create Response with blocks as its user data.
func appendConferenceCreateResponse(b, blocks []byte) []byte {
	// The choice, the node's id 31219 less 1001, a tag, the result success, one set of user data.
	head := append([]byte{0x14, 0x76, 0x0a, 0x01, 0x01, 0x00, 0x01, 0xc0, 0x00}, h221Server...)
	head = appendPERLength(head, len(blocks))
	b = appendPERLength(append(b, gccConnectData...), len(head)+len(blocks))
	return append(append(b, head...), blocks...)
}

// connectData reads up to the connect PDU. The length of it is passed over: servers are known to send a wrong one.
func connectData(name string, b []byte) *wire.Reader {
	r := wire.NewReader(name, b)
	if got := r.Bytes(len(gccConnectData)); r.Err() == nil && string(got) != string(gccConnectData) {
		_ = r.Refuse("the key is not that of T.124")
	}
	perLength(r)
	return r
}

// userData reads the one set of user data.
func userData(r *wire.Reader, key string) ([]byte, error) {
	if sets := r.Uint8(); r.Err() == nil && sets != 1 {
		return nil, r.Refuse("%d sets of user data, want 1", sets)
	}
	if choice := r.Uint8(); r.Err() == nil && choice != 0xc0 {
		return nil, r.Refuse("user data key %#x, want an H.221 key", choice)
	}
	n := int(r.Uint8()) + 4
	if got := r.Bytes(n); r.Err() == nil && string(got) != key {
		return nil, r.Refuse("the H.221 key is not %q", key)
	}
	data := r.Bytes(perLength(r))
	return data, r.Err()
}

func decodeConferenceCreateRequest(b []byte) ([]byte, error) {
	const name, userDataPresent = "GCC Conference Create Request", 0x08
	r := connectData(name, b)
	choice, options := r.Uint8(), r.Uint8()
	if r.Err() == nil && (choice != 0 || options&userDataPresent == 0) {
		return nil, r.Refuse("choice %#x with options %#x has no user data", choice, options)
	}
	r.Skip((int(r.Uint8()) + 2) / 2) // the name: digits less one, two a byte
	r.Skip(1)                        // padding
	return userData(r, h221Client)
}

func decodeConferenceCreateResponse(b []byte) ([]byte, error) {
	r := connectData("GCC Conference Create Response", b)
	if choice := r.Uint8(); r.Err() == nil && choice&0xfe != 0x14 {
		return nil, r.Refuse("choice %#x, want 0x14", choice)
	}
	r.Skip(2)              // the node
	r.Skip(int(r.Uint8())) // the tag
	r.Skip(1)              // the result: refusals have no user data
	return userData(r, h221Server)
}

// Types of settings blocks ([MS-RDPBCGR] 2.2.1.3.1).
const (
	blockClientCore           = 0xc001
	blockClientSecurity       = 0xc002
	blockClientNetwork        = 0xc003
	blockClientCluster        = 0xc004
	blockClientMessageChannel = 0xc006

	blockServerCore           = 0x0c01
	blockServerSecurity       = 0x0c02
	blockServerNetwork        = 0x0c03
	blockServerMessageChannel = 0x0c04
)

const blockHeader = 4

// appendBlock appends a settings block (TS_UD_HEADER and what fn appends).
func appendBlock(b []byte, kind uint16, fn func(b []byte) []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = fn(append(b, 0, 0))
	binary.LittleEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// decodeBlocks calls fn for every settings block of user data.
func decodeBlocks(b []byte, fn func(kind uint16, body []byte) error) error {
	r := wire.NewReader("TS_UD_HEADER", b)
	for r.Len() > 0 {
		kind, n := r.Uint16(), int(r.Uint16())
		if r.Err() == nil && n < blockHeader {
			return r.Refuse("length %d is shorter than the header of %d", n, blockHeader)
		}
		body := r.Bytes(n - blockHeader)
		if r.Err() != nil {
			return r.Err()
		}
		if err := fn(kind, body); err != nil {
			return err
		}
	}
	return r.Err()
}
