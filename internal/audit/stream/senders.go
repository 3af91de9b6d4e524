package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"
)

// maxDatagram bounds a message over UDP; longer ones are cut (RFC 5424, 6.1).
const maxDatagram = 8 << 10

// dialTimeout bounds connecting and the handshake.
const dialTimeout = 10 * time.Second

// Syslog sends to a syslog receiver over TLS (RFC 5425), TCP with the same framing, or UDP (RFC 5426).
type Syslog struct {
	Network string // tls, tcp, udp
	Address string
	TLS     *tls.Config // tls
	Header  Header

	conn net.Conn
	gone chan struct{} // closed when the receiver has closed conn
}

var _ Sender = (*Syslog)(nil)

// Send implements Sender. Syslog acknowledges nothing: what is lost is what was under way when a connection broke
// without a word. A connection the receiver has closed is noticed before anything is written to it.
func (s *Syslog) Send(ctx context.Context, items []Item) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := s.conn.SetWriteDeadline(deadline); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetWriteDeadline(time.Now()) })
	defer stop()
	if err := s.write(items); err != nil {
		return errors.Join(fmt.Errorf("audit: syslog: %w", err), s.Close())
	}
	return nil
}

func (s *Syslog) write(items []Item) error {
	if s.Network == "udp" {
		for _, i := range items {
			message := s.Header.Message(i)
			if len(message) > maxDatagram {
				message = strings.ToValidUTF8(message[:maxDatagram], "")
			}
			if _, err := s.conn.Write([]byte(message)); err != nil {
				return err
			}
		}
		return nil
	}
	w := bufio.NewWriter(s.conn)
	for _, i := range items {
		if _, err := w.WriteString(frame(s.Header.Message(i))); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (s *Syslog) connect(ctx context.Context) error {
	if s.conn != nil {
		select {
		case <-s.gone:
			if err := s.Close(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var err error
	dialer := &net.Dialer{}
	switch s.Network {
	case "tls":
		s.conn, err = (&tls.Dialer{NetDialer: dialer, Config: s.TLS}).DialContext(ctx, "tcp", s.Address)
	case "tcp", "udp":
		s.conn, err = dialer.DialContext(ctx, s.Network, s.Address)
	default:
		err = fmt.Errorf("unknown network %q", s.Network)
	}
	if err != nil {
		s.conn = nil
		return fmt.Errorf("audit: syslog: %w", err)
	}
	s.gone = make(chan struct{})
	if s.Network != "udp" {
		go watch(s.conn, s.gone) // ends with the connection
	}
	return nil
}

// watch reads what a receiver never sends, and so notices when it closes.
func watch(conn net.Conn, gone chan<- struct{}) {
	defer close(gone)
	var b [256]byte
	for {
		if _, err := conn.Read(b[:]); err != nil {
			return
		}
	}
}

// Close implements Sender.
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	if s.Network != "udp" {
		<-s.gone
	}
	s.conn = nil
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// File appends entries to a file, a line of JSON each. One that was moved away, as log rotation does, is made anew.
type File struct {
	Path string

	file *os.File
}

var _ Sender = (*File)(nil)

// Send implements Sender.
func (f *File) Send(_ context.Context, items []Item) error {
	if err := f.open(); err != nil {
		return fmt.Errorf("audit: file: %w", err)
	}
	w := bufio.NewWriter(f.file)
	for _, i := range items {
		if _, err := w.WriteString(i.JSON + "\n"); err != nil {
			return errors.Join(fmt.Errorf("audit: file: %w", err), f.Close())
		}
	}
	if err := errors.Join(w.Flush(), f.file.Sync()); err != nil {
		return errors.Join(fmt.Errorf("audit: file: %w", err), f.Close())
	}
	return nil
}

func (f *File) open() error {
	if f.file != nil {
		have, err := f.file.Stat()
		if err != nil {
			return err
		}
		there, err := os.Stat(f.Path)
		if err == nil && os.SameFile(have, there) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	var err error
	f.file, err = os.OpenFile(f.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return err
}

// Close implements Sender.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
