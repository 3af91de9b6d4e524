package vncclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

var be = binary.BigEndian

// cat joins what a message is made of: bytes, strings, and numbers in network order.
func cat(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int: // a byte
			b = append(b, byte(p))
		case uint16:
			b = be.AppendUint16(b, p)
		case uint32:
			b = be.AppendUint32(b, p)
		case int32:
			b = be.AppendUint32(b, uint32(p))
		case []byte:
			b = append(b, p...)
		case string:
			b = append(b, p...)
		default:
			panic(p)
		}
	}
	return b
}

// serverInit is a ServerInit with a pixel format nobody wants.
func serverInit(w, h int, name string) []byte {
	return cat(uint16(w), uint16(h), 8, 8, 0, 0, make([]byte, 12), uint32(len(name)), name)
}

// hello is the handshake of a server without security.
func hello(w, h int) []byte {
	return cat("RFB 003.008\n", 1, 1, uint32(0), serverInit(w, h, "test"))
}

// update is the head of a FramebufferUpdate.
func update(rects int) []byte { return cat(msgFramebufferUpdate, 0, uint16(rects)) }

func rectangle(x, y, w, h int, enc int32) []byte {
	return cat(uint16(x), uint16(y), uint16(w), uint16(h), enc)
}

// recorder is an Observer.
type recorder struct {
	mu     sync.Mutex
	events []string
}

func (r *recorder) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, s)
}

func (r *recorder) Connected(name string)           { r.add("connected " + name) }
func (r *recorder) ClipboardFromTarget(text string) { r.add("clipboard " + text) }
func (r *recorder) Bell()                           { r.add("bell") }
func (r *recorder) Renamed(name string)             { r.add("renamed " + name) }

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	if got := r.all(); !slices.Equal(got, want) {
		t.Fatalf("observed %q, want %q", got, want)
	}
}

// peer is a server in memory that a test plays by hand, inside a synctest bubble.
type peer struct {
	t *testing.T
	net.Conn
	client *Client
	fb     *desktop.Framebuffer
	seen   *recorder
	cancel context.CancelCauseFunc
	done   chan error // capacity 1: what Run returned
}

// play runs script against a Client in a bubble with a clock of its own. The script sees the connection from
// the server's side; when it returns, the connection is closed and Run must end.
func play(t *testing.T, cfg Config, script func(p *peer)) error {
	t.Helper()
	var result error
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		fb, err := desktop.NewFramebuffer(image.Pt(64, 64))
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{t: t, Conn: server, fb: fb, seen: &recorder{}, done: make(chan error, 1)}
		cfg.Observer = p.seen
		if p.client, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		p.cancel = cancel
		defer cancel(nil)
		go func() { p.done <- p.client.Run(ctx, client, fb) }()
		script(p)
		server.Close()
		result = <-p.done
	})
	return result
}

// send writes to the client, which may have gone.
func (p *peer) send(parts ...any) { _, _ = p.Write(cat(parts...)) }

// expect reads exactly what the client must send next.
func (p *peer) expect(parts ...any) {
	p.t.Helper()
	want := cat(parts...)
	got := make([]byte, len(want))
	_ = p.SetReadDeadline(time.Now().Add(time.Minute)) // of the bubble's clock
	defer p.SetReadDeadline(time.Time{})
	if n, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, want) {
		p.t.Fatalf("client sent % x (%v), want % x", got[:n], err, want)
	}
}

// quiet checks that the client sends nothing more by itself.
func (p *peer) quiet() {
	p.t.Helper()
	synctest.Wait()
	got := make(chan byte)
	go func() {
		defer close(got)
		var b [1]byte
		if _, err := p.Read(b[:]); err == nil {
			got <- b[0]
		}
	}()
	synctest.Wait()
	select {
	case b := <-got:
		p.t.Fatalf("client sent a message of type %d", b)
	default:
	}
	// The read waits on; what comes next ends it.
	p.Conn = &pending{Conn: p.Conn, first: got}
}

// pending is a connection with a read of one byte under way.
type pending struct {
	net.Conn
	first <-chan byte
}

func (c *pending) Read(b []byte) (int, error) {
	if c.first == nil || len(b) == 0 {
		return c.Conn.Read(b)
	}
	v, ok := <-c.first
	c.first = nil
	if !ok {
		return 0, io.EOF
	}
	b[0] = v
	return 1, nil
}

// drain reads and forgets what the client sends, in the background.
func (p *peer) drain() {
	conn := p.Conn
	go func() { _, _ = io.Copy(io.Discard, conn) }()
}

// open performs the handshake of hello and reads the client's first requests.
func (p *peer) open(w, h int) {
	p.t.Helper()
	p.send("RFB 003.008\n")
	p.expect("RFB 003.008\n")
	p.send(1, 1)
	p.expect(1)
	p.send(uint32(0))
	p.expect(1)
	p.send(serverInit(w, h, "test"))
	p.expectSetup(w, h)
	synctest.Wait() // until input is taken
}

// expectSetup reads what the client asks for when the session begins.
func (p *peer) expectSetup(w, h int) {
	p.t.Helper()
	p.expect(0, 0, 0, 0, 32, 24, 0, 1, uint16(255), uint16(255), uint16(255), 16, 8, 0, 0, 0, 0)
	p.expect(2, 0)
	var n [2]byte
	if _, err := io.ReadFull(p, n[:]); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, p, 4*int64(be.Uint16(n[:]))); err != nil {
		p.t.Fatal(err)
	}
	p.expectRequest(false, w, h)
}

// expectRequest reads a FramebufferUpdateRequest for the whole desktop.
func (p *peer) expectRequest(incremental bool, w, h int) {
	p.t.Helper()
	flag := 0
	if incremental {
		flag = 1
	}
	p.expect(3, flag, uint16(0), uint16(0), uint16(w), uint16(h))
}

// plaintext is a configuration for servers without TLS.
var plaintext = Config{AllowPlaintext: true}

// errStop is the cause with which tests end sessions.
var errStop = errors.New("test is over")

// stop ends the session from the client's side.
func (p *peer) stop() { p.cancel(errStop) }

// wantEnd checks the error of a session that the server closed at the end of the script.
func wantEnd(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, desktop.ErrTargetGone) {
		t.Fatalf("ended with %v, want ErrTargetGone", err)
	}
}
