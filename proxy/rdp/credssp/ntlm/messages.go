package ntlm

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// signature begins every message; the MessageType follows.
const signature = "NTLMSSP\x00"

// IsMessage reports whether a security token is a message of NTLM, not one of SPNEGO.
func IsMessage(token []byte) bool {
	return len(token) >= len(signature) && string(token[:len(signature)]) == signature
}

// MessageType.
const (
	typeNegotiate    = 1
	typeChallenge    = 2
	typeAuthenticate = 3
)

// version is VERSION ([MS-NLMP] 2.2.2.10): Windows 10, NTLMSSP_REVISION_W2K3. It is for debugging only.
const version = "\x0a\x00\x00\x28\x00\x00\x00\x0f"

// Where the variable parts may begin: behind the fixed ones.
const (
	challengeHead    = 56
	authenticateHead = 88
	micOffset        = 72 // of the MIC in AUTHENTICATE_MESSAGE
	micBytes         = 16
)

// Negotiate is NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1). The names of domain and workstation are neither sent nor read:
// they are unproved, and the AUTHENTICATE_MESSAGE repeats them.
type Negotiate struct{ Flags uint32 }

// DecodeNegotiate decodes a NEGOTIATE_MESSAGE.
func DecodeNegotiate(b []byte) (Negotiate, error) {
	r := begin("NEGOTIATE_MESSAGE", b, typeNegotiate)
	return Negotiate{Flags: r.Uint32()}, r.Err()
}

// Append appends the message.
func (m Negotiate) Append(b []byte) []byte {
	b = append(b, signature...)
	b = binary.LittleEndian.AppendUint32(b, typeNegotiate)
	b = binary.LittleEndian.AppendUint32(b, m.Flags)
	b = append(b, make([]byte, 16)...) // DomainNameFields, WorkstationFields
	return append(b, version...)
}

// Challenge is CHALLENGE_MESSAGE ([MS-NLMP] 2.2.1.2).
type Challenge struct {
	Flags           uint32
	TargetName      string
	ServerChallenge [8]byte
	TargetInfo      AVPairs // aliases the input of DecodeChallenge
}

// DecodeChallenge decodes a CHALLENGE_MESSAGE whose strings are Unicode.
func DecodeChallenge(b []byte) (Challenge, error) {
	r := begin("CHALLENGE_MESSAGE", b, typeChallenge)
	var m Challenge
	name := readField(r)
	m.Flags = r.Uint32()
	copy(m.ServerChallenge[:], r.Bytes(8))
	r.Skip(8)
	m.TargetName = name.text(r, b)
	if m.Flags&flagTargetInfo == 0 || r.Err() != nil {
		return m, r.Err()
	}
	info := readField(r).bytes(r, b, maxResponseBytes)
	if r.Err() != nil {
		return m, r.Err()
	}
	pairs, err := DecodeAVPairs(info)
	m.TargetInfo = pairs
	return m, err
}

// Append appends the message.
func (m Challenge) Append(b []byte) []byte {
	name := wire.AppendUTF16(nil, m.TargetName)
	var info []byte
	if m.Flags&flagTargetInfo != 0 {
		info = m.TargetInfo.Append(nil)
	}
	b = append(b, signature...)
	b = binary.LittleEndian.AppendUint32(b, typeChallenge)
	offset := challengeHead
	b = appendField(b, name, &offset)
	b = binary.LittleEndian.AppendUint32(b, m.Flags)
	b = append(b, m.ServerChallenge[:]...)
	b = append(b, make([]byte, 8)...)
	b = appendField(b, info, &offset)
	b = append(b, version...)
	return append(append(b, name...), info...)
}

// Authenticate is AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3). Decoded slices alias the input.
type Authenticate struct {
	Flags                         uint32
	LMResponse, NTResponse        []byte
	Domain, Username, Workstation string
	EncryptedSessionKey           []byte
	MIC                           [micBytes]byte // means something only if MsvAvFlags says so
}

// DecodeAuthenticate decodes an AUTHENTICATE_MESSAGE whose strings are Unicode.
func DecodeAuthenticate(b []byte) (Authenticate, error) {
	r := begin("AUTHENTICATE_MESSAGE", b, typeAuthenticate)
	var m Authenticate
	lm, nt, domain, user, work, key := readField(r), readField(r), readField(r), readField(r), readField(r), readField(r)
	m.Flags = r.Uint32()
	m.LMResponse = lm.bytes(r, b, maxNameBytes)
	m.NTResponse = nt.bytes(r, b, maxResponseBytes)
	m.Domain, m.Username, m.Workstation = domain.text(r, b), user.text(r, b), work.text(r, b)
	m.EncryptedSessionKey = key.bytes(r, b, maxNameBytes)
	if len(b) >= micOffset+micBytes { // else older than Windows Vista's, without one
		copy(m.MIC[:], b[micOffset:])
	}
	return m, r.Err()
}

// Append appends the message.
func (m Authenticate) Append(b []byte) []byte {
	payloads := [][]byte{
		m.LMResponse, m.NTResponse, wire.AppendUTF16(nil, m.Domain), wire.AppendUTF16(nil, m.Username),
		wire.AppendUTF16(nil, m.Workstation), m.EncryptedSessionKey,
	}
	b = append(b, signature...)
	b = binary.LittleEndian.AppendUint32(b, typeAuthenticate)
	offset := authenticateHead
	for _, p := range payloads {
		b = appendField(b, p, &offset)
	}
	b = binary.LittleEndian.AppendUint32(b, m.Flags)
	b = append(b, version...)
	b = append(b, m.MIC[:]...)
	for _, p := range payloads {
		b = append(b, p...)
	}
	return b
}

// begin returns a Reader behind the MessageType.
func begin(name string, b []byte, messageType uint32) *wire.Reader {
	r := wire.NewReader(name, b)
	if s := r.Bytes(len(signature)); r.Err() == nil && string(s) != signature {
		_ = r.Refuse("not signed NTLMSSP")
	}
	if t := r.Uint32(); t != messageType {
		_ = r.Refuse("MessageType %d, want %d", t, messageType)
	}
	return r
}

// field is where a variable part of a message lies: DomainNameFields and its like.
type field struct {
	length uint16
	offset uint32
}

func readField(r *wire.Reader) field {
	f := field{length: r.Uint16()}
	r.Skip(2) // MaxLen
	f.offset = r.Uint32()
	return f
}

// bytes returns the part of the message b that f names.
func (f field) bytes(r *wire.Reader, b []byte, limit int) []byte {
	if r.Err() != nil || f.length == 0 {
		return nil // an offset without a length says nothing ([MS-NLMP] 2.2.1.1)
	}
	if int(f.length) > limit {
		_ = r.Refuse("a field of %d bytes exceeds %d", f.length, limit)
		return nil
	}
	if end := uint64(f.offset) + uint64(f.length); end > uint64(len(b)) {
		_ = r.Refuse("a field of %d bytes at offset %d, the message has %d", f.length, f.offset, len(b))
		return nil
	}
	end := int(f.offset) + int(f.length)
	return b[f.offset:end:end]
}

func (f field) text(r *wire.Reader, b []byte) string { return wire.UTF16(f.bytes(r, b, maxNameBytes)) }

// appendField appends where p will lie and moves offset behind it.
func appendField(b, p []byte, offset *int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p)))
	b = binary.LittleEndian.AppendUint32(b, uint32(*offset))
	*offset += len(p)
	return b
}
