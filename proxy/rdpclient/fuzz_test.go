package rdpclient

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/license"
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

// FuzzSession plays everything a target says within TLS. It ends by itself, with a sentinel, and in bounded memory.
func FuzzSession(f *testing.F) {
	for i := range flows {
		said := flows[i].said(f)
		f.Add(said[:min(len(said), 32<<10)], uint8(flows[i].graphics))
	}
	head := activated()
	for _, c := range hostileSessions() {
		if len(c.send) < 4096 {
			f.Add(slices.Concat(head, c.send), uint8(c.cfg.Graphics))
		}
	}
	f.Fuzz(func(t *testing.T, said []byte, graphics uint8) {
		cfg := Config{Security: SecurityTLS, Graphics: Graphics(graphics)}
		cfg.Clipboard.FromTarget = true
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		endsWell(t, replay(t, cfg, said, nil))
		runtime.ReadMemStats(&after)
		// The desktop, surfaces, tiles and caches at their largest, once more for what is garbage.
		if most := uint64(2 << 30); after.HeapSys > before.HeapSys+most {
			t.Errorf("took %d bytes of memory", after.HeapSys-before.HeapSys)
		}
	})
}

// activated is what a server says until its desktop is there.
func activated() []byte {
	b := serverSettings(func(s *rdp.ServerSettings) {
		s.RequestedProtocols, s.Channels = rdp.ProtocolTLS, []uint16{testDynamic, testClipboard}
	})
	b = append(b, domain(rdp.DomainPDU{Kind: rdp.MCSAttachUserConfirm, User: testUser})...)
	for _, channel := range []uint16{testIO, testDynamic, testMessage, testClipboard, testUser} {
		b = append(b, domain(rdp.DomainPDU{Kind: rdp.MCSChannelJoinConfirm, User: testUser, Channel: channel})...)
	}
	return slices.Concat(b, secured(rdp.SecLicensePacket, license.AppendValidClient(nil)), demand(image.Pt(64, 48)),
		data(rdp.DataFontMap, rdp.AppendFontMap(nil)))
}

// TestActivated: the head of the fuzz target's seeds leads where it should.
func TestActivated(t *testing.T) {
	fb, err := desktop.NewFramebuffer(image.Pt(32, 32))
	if err != nil {
		t.Fatal(err)
	}
	goodbye := domain(rdp.DomainPDU{Kind: rdp.MCSDisconnectProviderUltimatum})
	drawn := update(rdp.UpdateSurfaceCommands, bits(image.Rect(0, 0, 64, 48), codecNone, rawRows(64, 48, 32, gradient)).Data)
	if err := replay(t, Config{Security: SecurityTLS}, activated(), fb); !errors.Is(err, desktop.ErrProtocol) {
		t.Errorf("with a channel nobody asked for: %v", err)
	}
	cfg := Config{Security: SecurityTLS}
	cfg.Clipboard.FromTarget = true
	if err := replay(t, cfg, slices.Concat(activated(), drawn, goodbye), fb); err != nil {
		t.Fatal(err)
	}
	if fb.Size() != image.Pt(64, 48) || fb.Blank() {
		t.Errorf("desktop of %v, blank %v", fb.Size(), fb.Blank())
	}
}
