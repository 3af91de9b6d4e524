package vncclient

import (
	"bytes"
	"errors"
	"image"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// recorded is a connection whose target said everything beforehand and reads whatever comes.
type recorded struct{ r io.Reader }

func (c recorded) Read(b []byte) (int, error)     { return c.r.Read(b) }
func (recorded) Write(b []byte) (int, error)      { return len(b), nil }
func (recorded) Close() error                     { return nil }
func (recorded) LocalAddr() net.Addr              { return nil }
func (recorded) RemoteAddr() net.Addr             { return nil }
func (recorded) SetDeadline(time.Time) error      { return nil }
func (recorded) SetReadDeadline(time.Time) error  { return nil }
func (recorded) SetWriteDeadline(time.Time) error { return nil }

// replay runs a session with what a target said. It always ends with an error, because the connection does,
// and the error wraps a sentinel of package desktop.
func replay(t *testing.T, cfg Config, said []byte) {
	t.Helper()
	fb, err := desktop.NewFramebuffer(image.Pt(64, 64))
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = client.Run(t.Context(), recorded{bytes.NewReader(said)}, fb)
	for _, known := range append(sentinels, desktop.ErrSize) {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("error without a sentinel: %v", err)
}

// FuzzHandshake plays whole connections, from the greeting on.
func FuzzHandshake(f *testing.F) {
	for _, c := range hostileCases() {
		if len(c.bytes) < 4096 {
			f.Add(c.bytes)
		}
	}
	f.Add(hello(64, 64))
	f.Fuzz(func(t *testing.T, said []byte) {
		replay(t, Config{AllowPlaintext: true, Username: "u", Password: "p"}, said)
	})
}

// FuzzSession plays everything behind a good handshake.
func FuzzSession(f *testing.F) {
	start := hello(100, 50)
	for _, c := range hostileCases() {
		if rest, ok := bytes.CutPrefix(c.bytes, start); ok && len(rest) < 4096 {
			f.Add(rest)
		}
	}
	screen := cat(uint32(77), uint16(0), uint16(0), uint16(64), uint16(48), uint32(5))
	wire := wireText("é€日本\n")
	for _, message := range [][]byte{
		cat(update(2), rectangle(0, 0, 1, 1, 0), 1, 2, 3, 4, rectangle(1, 1, 1, 1, 1), uint16(0), uint16(0)),
		cat(update(1), rectangle(0, 0, 16, 16, 5), 6, 1, 2, 3, 0, 4, 5, 6, 0),
		cat(update(1), rectangle(0, 0, 16, 16, 16), uint32(14), []byte("\x78\x9c\x62\x64\x64\x64\x04\x00\x00\x00\xff\xff\x00\x00")),
		cat(update(1), rectangle(0, 0, 16, 16, 7), 0x80, 1, 2, 3),
		cat(update(65535), rectangle(0, 0, 0, 0, pseudoLastRect)),
		cat(update(1), rectangle(0, 0, 2, 1, pseudoCursor), make([]byte, 9)),
		cat(update(1), rectangle(0, 0, 2, 1, pseudoXCursor), make([]byte, 8)),
		cat(update(1), rectangle(0, 0, 2, 1, pseudoAlphaCursor), make([]byte, 12)),
		cat(update(1), rectangle(0, 0, 80, 60, pseudoDesktopSize)),
		cat(update(1), rectangle(0, 0, 80, 60, pseudoExtendedSize), 1, 0, 0, 0, screen),
		cat(update(1), rectangle(0, 0, 0, 0, pseudoDesktopName), uint32(3), "abc"),
		cat(update(2), rectangle(0, 0, 0, 0, pseudoQEMUKeys), rectangle(0, 0, 0, 0, pseudoExtendedMouse)),
		cat(1, 0, uint16(1), uint16(1), make([]byte, 6)),
		{msgBell},
		cat(msgServerCutText, 0, 0, 0, uint32(2), "ab"),
		cutText(clipCaps|clipText, cat(uint32(0))),
		cutText(clipNotify|clipText, nil),
		cutText(clipProvide|clipText, deflate(cat(uint32(len(wire)), wire))),
		{msgEndOfContinuous},
		cat(msgServerFence, 0, 0, 0, uint32(1<<31), 3, "abc"),
	} {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, said []byte) { replay(t, plaintext, append(slices.Clip(start), said...)) })
}
