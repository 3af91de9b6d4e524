package vncclient

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	vnc "github.com/mitchellh/go-vnc"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// greeting is what go-vnc is told of the version, whichever it is: the rest of the handshake is translated.
const greeting = "RFB 003.008\n"

// handshake performs the protocol's first phase ([RFC 6143] 7.1 to 7.3) and starts go-vnc's loop.
//
// The version and the choice of security are made here, the rest from inside go-vnc's call of the security
// type: authentication, SecurityResult, ClientInit and ServerInit. go-vnc sees a script of what was checked.
func (s *session) handshake() (*vnc.ClientConn, error) {
	var err error
	if s.minor, err = s.version(); err != nil {
		return nil, err
	}
	auth, err := s.security()
	if err != nil {
		return nil, err
	}
	// go-vnc writes the version and the type chosen, which were sent.
	s.conn.script = append([]byte(greeting), 1, auth.SecurityType())
	s.conn.swallow = len(greeting) + 1
	vc, err := vnc.Client(s.conn, &vnc.ClientConfig{
		Auth:           []vnc.ClientAuth{&authentication{auth, s}},
		ServerMessages: s.messages(),
	})
	if err != nil {
		return nil, streamError("handshake", err)
	}
	return vc, nil
}

// version reads the target's ProtocolVersion and answers with the highest both speak. Versions that exist in
// the wild but not in the specification count as the lower one that does.
func (s *session) version() (minor int, err error) {
	const pattern = "RFB ddd.ddd\n"
	var got [len(pattern)]byte
	for i := range got {
		b, err := s.in.Uint8()
		if err != nil {
			return 0, greetingError(i, err)
		}
		// Byte by byte, so that another protocol's greeting is known at its first byte.
		if want := pattern[i]; want == 'd' && (b < '0' || b > '9') || want != 'd' && b != want {
			return 0, fmt.Errorf("vncclient: the greeting is not that of a VNC server: %w", desktop.ErrWrongProtocol)
		}
		got[i] = b
	}
	var major int
	if _, err := fmt.Sscanf(string(got[4:11]), "%03d.%03d", &major, &minor); err != nil {
		return 0, fmt.Errorf("vncclient: version of the target: %w", desktop.ErrWrongProtocol)
	}
	switch {
	case major < 3 || major == 3 && minor < 3:
		return 0, protocolError("version %d.%d of the target is older than 3.3", major, minor)
	case major > 3 || minor >= 8:
		minor = 8
	case minor != 7:
		minor = 3
	}
	if _, err := fmt.Fprintf(s.conn, "RFB 003.%03d\n", minor); err != nil {
		return 0, streamError("answering the greeting", err)
	}
	return minor, nil
}

// greetingError words the lack of a greeting.
func greetingError(read int, err error) error {
	if read == 0 {
		if werr := streamError("no greeting of a VNC server came", err); errors.Is(werr, desktop.ErrTimeout) {
			return fmt.Errorf("%w: %w", werr, desktop.ErrWrongProtocol)
		}
		return streamError("the connection was closed before a greeting", err)
	}
	return streamError("reading the greeting", err)
}

// security reads the security types offered and chooses one ([RFC 6143] 7.1.2).
func (s *session) security() (vnc.ClientAuth, error) {
	var offered []byte
	if s.minor == 3 {
		t, err := s.in.Uint32()
		if err != nil {
			return nil, streamError("reading the security type", err)
		}
		if t > 255 {
			return nil, protocolError("security type %d", t)
		}
		if t != 0 {
			offered = []byte{byte(t)}
		}
	} else {
		n, err := s.in.Uint8()
		if err != nil {
			return nil, streamError("reading the security types", err)
		}
		p, err := s.in.Next(int(n))
		if err != nil {
			return nil, streamError("reading the security types", err)
		}
		offered = append(offered, p...)
	}
	if len(offered) == 0 {
		s.logReason()
		return nil, fmt.Errorf("vncclient: the target refused the connection before authentication: %w", desktop.ErrSecurity)
	}
	auth, err := s.choose(offered)
	if err != nil {
		return nil, err
	}
	if s.minor > 3 {
		if _, err := s.conn.Write([]byte{auth.SecurityType()}); err != nil {
			return nil, streamError("choosing a security type", err)
		}
	}
	return auth, nil
}

// authentication is the security type chosen, and all of the handshake that comes behind it.
type authentication struct {
	vnc.ClientAuth
	s *session
}

// Handshake implements vnc.ClientAuth.
func (a *authentication) Handshake(c net.Conn) error {
	if err := a.ClientAuth.Handshake(c); err != nil {
		return streamError("authentication", err)
	}
	s := a.s
	if err := s.securityResult(a.SecurityType()); err != nil {
		return err
	}
	const shared = 1
	if _, err := s.conn.Write([]byte{shared}); err != nil {
		return streamError("sending ClientInit", err)
	}
	init, name, err := s.serverInit()
	if err != nil {
		return err
	}
	// For go-vnc: SecurityResult good, then ServerInit; it writes ClientInit, which was sent.
	s.conn.script = append(make([]byte, 4), init...)
	s.conn.swallow = 1
	s.conn.established()
	s.name = name
	return nil
}

// Values of SecurityResult ([RFC 6143] 7.1.3, the last from rfbproto).
const (
	resultOK      = 0
	resultFailed  = 1
	resultTooMany = 2
)

// securityResult reads SecurityResult, which the older versions do not send for type None.
func (s *session) securityResult(security uint8) error {
	if s.minor < 8 && security == securityNone {
		return nil
	}
	result, err := s.in.Uint32()
	if err != nil {
		return streamError("reading the result of authentication", err)
	}
	switch result {
	case resultOK:
		return nil
	case resultFailed:
		if s.minor >= 8 {
			s.logReason()
		}
		return fmt.Errorf("vncclient: authentication failed: %w", desktop.ErrAuth)
	case resultTooMany:
		return fmt.Errorf("vncclient: authentication failed, too many attempts: %w", desktop.ErrAuth)
	}
	return protocolError("result %d of authentication", result)
}

// logReason logs the target's reason for a refusal, if one comes soon. It is not part of errors, which never
// quote the wire.
func (s *session) logReason() {
	if err := s.conn.transport.SetReadDeadline(time.Now().Add(reasonTimeout)); err != nil {
		return
	}
	n, err := s.in.Uint32()
	if err != nil || n == 0 || n > maxReasonBytes {
		return
	}
	reason := make([]byte, n)
	if s.in.ReadFull(reason) == nil {
		s.log.Info("target refused", "reason", printable(reason, maxReasonBytes))
	}
}

// serverInit reads ServerInit ([RFC 6143] 7.3.2) and gives the framebuffer its size. It returns the message
// with a name cut to the cap, and the name.
func (s *session) serverInit() (init []byte, name string, err error) {
	const fixed, lengthAt = 24, 20
	p, err := s.in.Next(fixed)
	if err != nil {
		return nil, "", streamError("reading ServerInit", err)
	}
	init = append(init, p...)
	size := image.Pt(int(binary.BigEndian.Uint16(init)), int(binary.BigEndian.Uint16(init[2:])))
	if name, err = s.readName(binary.BigEndian.Uint32(init[lengthAt:])); err != nil {
		return nil, "", err
	}
	if err := s.setSize(size); err != nil {
		return nil, "", err
	}
	binary.BigEndian.PutUint32(init[lengthAt:], uint32(len(name)))
	return append(init, name...), name, nil
}

// readName reads a desktop name of n bytes.
func (s *session) readName(n uint32) (string, error) {
	if n > maxWireNameBytes {
		return "", protocolError("desktop name of %d bytes exceeds %d", n, maxWireNameBytes)
	}
	name := make([]byte, n)
	if err := s.in.ReadFull(name); err != nil {
		return "", streamError("reading the desktop's name", err)
	}
	return printable(name, desktop.MaxNameBytes), nil
}

// printable returns b as valid UTF-8 without control characters, at most limit bytes long.
func printable(b []byte, limit int) string {
	t := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "\uFFFD"))
	if len(t) <= limit {
		return t
	}
	for limit > 0 && !utf8.RuneStart(t[limit]) {
		limit--
	}
	return t[:limit]
}
