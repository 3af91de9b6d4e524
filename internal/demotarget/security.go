package demotarget

import (
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"math/bits"
)

// Security types (RFC 6143 7.2).
const (
	securityNone    = 1
	securityVncAuth = 2
)

const protocolVersion = "RFB 003.008\n"

// handshake goes through RFC 6143 7.1 to 7.3.1: version, security, ClientInit.
func (s *Server) handshake(rw io.ReadWriter) error {
	if _, err := io.WriteString(rw, protocolVersion); err != nil {
		return err
	}
	var version [12]byte
	if _, err := io.ReadFull(rw, version[:]); err != nil {
		return err
	}
	if string(version[:]) != protocolVersion {
		return protocolError("viewer wants version %q, want %q", version[:], protocolVersion)
	}
	offered := byte(securityNone)
	if s.password != "" {
		offered = securityVncAuth
	}
	if _, err := rw.Write([]byte{1, offered}); err != nil {
		return err
	}
	var one [1]byte
	if _, err := io.ReadFull(rw, one[:]); err != nil {
		return err
	}
	if one[0] != offered {
		return protocolError("viewer chose security type %d, offered was %d", one[0], offered)
	}
	if offered == securityVncAuth {
		if err := s.vncAuth(rw); err != nil {
			return err
		}
	}
	if _, err := rw.Write([]byte{0, 0, 0, 0}); err != nil { // SecurityResult: ok
		return err
	}
	_, err := io.ReadFull(rw, one[:]) // ClientInit: every desktop of ours is shared
	return err
}

// vncAuth is RFC 6143 7.2.2: 16 random bytes that the viewer encrypts with the password.
func (s *Server) vncAuth(rw io.ReadWriter) error {
	challenge, response := make([]byte, 16), make([]byte, 16)
	if _, err := rand.Read(challenge); err != nil {
		return err
	}
	if _, err := rw.Write(challenge); err != nil {
		return err
	}
	if _, err := io.ReadFull(rw, response); err != nil {
		return err
	}
	key := make([]byte, des.BlockSize)
	copy(key, s.password)
	for i := range key {
		key[i] = bits.Reverse8(key[i]) // VNC's DES reads the bits of a key byte from the other end
	}
	cipher, err := des.NewCipher(key)
	if err != nil {
		return err
	}
	cipher.Encrypt(challenge[:8], challenge[:8])
	cipher.Encrypt(challenge[8:], challenge[8:])
	if subtle.ConstantTimeCompare(challenge, response) == 1 {
		return nil
	}
	const reason = "wrong password"
	b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1}, uint32(len(reason)))
	if _, err := rw.Write(append(b, reason...)); err != nil {
		return err
	}
	return fmt.Errorf("demotarget: %s", reason)
}

// serverInit is RFC 6143 7.3.2.
func serverInit(size image.Point, name string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(size.X))
	b = binary.BigEndian.AppendUint16(b, uint16(size.Y))
	b = nativeFormat.append(b)
	return appendString(b, name)
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
