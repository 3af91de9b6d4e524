package rdpclient

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"net"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// recorded is a connection whose target said everything beforehand and reads whatever comes.
type recorded struct{ io.Reader }

func (recorded) Write(b []byte) (int, error)      { return len(b), nil }
func (recorded) Close() error                     { return nil }
func (recorded) LocalAddr() net.Addr              { return nil }
func (recorded) RemoteAddr() net.Addr             { return nil }
func (recorded) SetDeadline(time.Time) error      { return nil }
func (recorded) SetReadDeadline(time.Time) error  { return nil }
func (recorded) SetWriteDeadline(time.Time) error { return nil }

// replay runs one connection, from the settings on, with what a target said within TLS. It returns how the connection ended
// and leaves the picture in fb, unless that is nil.
func replay(t *testing.T, cfg Config, said []byte, fb *desktop.Framebuffer) error {
	t.Helper()
	cfg.TLS.TrustFirst = true // none is read from the system
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if fb == nil {
		if fb, err = desktop.NewFramebuffer(image.Pt(64, 64)); err != nil {
			t.Fatal(err)
		}
	}
	conn := recorded{bytes.NewReader(said)}
	s := newSession(&cfg, conn, fb, &carried{})
	s.wished, s.protocol, s.frames = cfg.Size, rdp.ProtocolTLS, rdp.NewFrameReader(conn)
	for _, phase := range []func() error{s.settings, s.joinChannels, s.clientInfo, s.license} {
		if err := phase(); err != nil {
			return err
		}
	}
	return s.run(context.Background(), func() {})
}

// endsWell checks that an error, if there is one, wraps a sentinel of package desktop.
func endsWell(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if _, redirected := errors.AsType[*redirectError](err); redirected {
		return
	}
	for _, known := range sentinels {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("error without a sentinel: %v", err)
}
