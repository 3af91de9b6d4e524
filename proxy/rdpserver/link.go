package rdpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Numbers this server gives to everybody.
const (
	serverUser  = 1002 // the source of a server's PDUs
	ioChannel   = 1003
	firstStatic = 1004
	firstShare  = 0x103ea
)

// link is a connection as far as both its halves need it, the one in serve and the one in the session's process. It is used
// by one goroutine at a time until a Conn serves.
type link struct {
	conn   net.Conn
	frames *rdp.FrameReader
	log    *slog.Logger

	hello    Hello
	user     uint16    // the client's
	message  uint16    // the message channel; 0: none
	channels []channel // static ones
	shareID  uint32
	licensed bool
	active   bool
	cookie   *rdp.ReconnectCookie // nil: none is given

	out []byte // reused by write
}

// channel is a static virtual channel.
type channel struct {
	Name    string `json:"name"`
	ID      uint16 `json:"id"`
	Options uint32 `json:"options"`
}

// during runs fn, which reads and writes conn, and cuts it short when ctx ends.
func (l *link) during(ctx context.Context, fn func() error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	if err := l.conn.SetDeadline(deadline); err != nil {
		return fmt.Errorf("rdpserver: %w", err)
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		_ = l.conn.SetDeadline(time.Unix(1, 0))
	})
	err := fn()
	if !stop() {
		<-cut // else it would cut the next one short
	}
	if reset := l.conn.SetDeadline(time.Time{}); err == nil && reset != nil {
		return fmt.Errorf("rdpserver: %w", reset)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// write sends what encode appends.
func (l *link) write(encode func(b []byte) []byte) error {
	l.out = encode(l.out[:0])
	if _, err := l.conn.Write(l.out); err != nil {
		return fmt.Errorf("rdpserver: %w", err)
	}
	return nil
}

// writeDomain sends an MCS PDU.
func (l *link) writeDomain(p *rdp.DomainPDU) error {
	return l.write(func(b []byte) []byte { return rdp.AppendX224Data(b, p.Append) })
}

// appendOn appends data that fn appends, on an MCS channel.
func appendOn(b []byte, channel uint16, fn func(b []byte) []byte) []byte {
	return rdp.AppendChannelData(b, rdp.MCSSendDataIndication, serverUser, channel, fn)
}

// appendShare appends a share control PDU.
func appendShare(b []byte, kind rdp.ShareKind, fn func(b []byte) []byte) []byte {
	return appendOn(b, ioChannel, func(b []byte) []byte { return rdp.AppendShareControl(b, kind, serverUser, fn) })
}

// appendData appends a share data PDU.
func (l *link) appendData(b []byte, kind rdp.DataKind, fn func(b []byte) []byte) []byte {
	return appendOn(b, ioChannel, func(b []byte) []byte { return rdp.AppendShareData(b, kind, serverUser, l.shareID, fn) })
}

// payload reads a PDU on the slow path.
func (l *link) payload() ([]byte, error) {
	frame, err := l.frames.Next()
	if err != nil {
		return nil, err
	}
	if frame.FastPath {
		return nil, wire.Errorf("rdpserver: fast-path PDU within the handshake")
	}
	return rdp.DecodeX224Data(frame.Payload)
}

// domain reads an MCS PDU.
func (l *link) domain() (rdp.DomainPDU, error) {
	var p rdp.DomainPDU
	payload, err := l.payload()
	if err == nil {
		err = p.Decode(payload)
	}
	if err == nil && p.Kind == rdp.MCSDisconnectProviderUltimatum {
		err = rdp.ErrDisconnected
	}
	return p, err
}

// channelName returns the name of a static channel.
func (l *link) channelName(id uint16) (string, bool) {
	if i := int(id) - firstStatic; i >= 0 && i < len(l.channels) {
		return l.channels[i].Name, true
	}
	return "", false
}

// channelID returns the number of a static channel.
func (l *link) channelID(name string) (uint16, bool) {
	for _, c := range l.channels {
		if c.Name == name {
			return c.ID, true
		}
	}
	return 0, false
}
