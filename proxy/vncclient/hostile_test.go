package vncclient

import (
	"bytes"
	"compress/zlib"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// hostileCase is a server that sends bytes and then hangs up, or stays silent for ever.
type hostileCase struct {
	name  string
	bytes []byte
	hang  bool
	want  error
	text  string // in the error
	cfg   Config // plaintext if zero
}

func deflate(b []byte) []byte {
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	z.Write(b)
	z.Close()
	return buf.Bytes()
}

// cutText is an Extended Clipboard message of the server.
func cutText(flags uint32, data []byte) []byte {
	return cat(msgServerCutText, 0, 0, 0, int32(-(4 + len(data))), flags, data)
}

func hostileCases() []hostileCase {
	vencrypt := func(parts ...any) []byte { return cat("RFB 003.008\n", 1, securityVeNCrypt, cat(parts...)) }
	// session is a handshake for a desktop of 100×50, and then something wrong.
	session := func(parts ...any) []byte { return cat(hello(100, 50), cat(parts...)) }
	one := func(x, y, w, h int, enc int32, parts ...any) []byte {
		return session(update(1), rectangle(x, y, w, h, enc), cat(parts...))
	}
	const huge = uint32(0xfffffff0)
	return []hostileCase{
		{name: "silent", hang: true, want: desktop.ErrTimeout, text: "no greeting"},
		{name: "silent is no VNC server", hang: true, want: desktop.ErrWrongProtocol},
		{name: "closes at once", want: desktop.ErrTargetGone, text: "before a greeting"},
		{name: "ssh", bytes: []byte("SSH-2.0-OpenSSH_9.2\r\n"), hang: true, want: desktop.ErrWrongProtocol, text: "greeting"},
		{name: "http", bytes: []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), hang: true, want: desktop.ErrWrongProtocol},
		{name: "half a greeting", bytes: []byte("RFB 003"), hang: true, want: desktop.ErrTimeout},
		{name: "greeting without number", bytes: []byte("RFB 003.00x\n"), want: desktop.ErrWrongProtocol},
		{name: "greeting without line end", bytes: []byte("RFB 003.0089"), want: desktop.ErrWrongProtocol},
		{name: "version 2", bytes: []byte("RFB 002.002\n"), want: desktop.ErrProtocol, text: "2.2"},
		{name: "refused with reason", bytes: cat("RFB 003.008\n", 0, uint32(4), "busy"), want: desktop.ErrSecurity},
		{name: "refused with huge reason", bytes: cat("RFB 003.008\n", 0, huge), hang: true, want: desktop.ErrSecurity},
		{name: "refused without reason", bytes: cat("RFB 003.008\n", 0), hang: true, want: desktop.ErrSecurity},
		{name: "refused in 3.3", bytes: cat("RFB 003.003\n", uint32(0), uint32(2), "no"), want: desktop.ErrSecurity},
		{name: "3.3 type 256", bytes: cat("RFB 003.003\n", uint32(256)), want: desktop.ErrProtocol},
		{name: "types cut", bytes: cat("RFB 003.008\n", 9, 1), want: desktop.ErrTargetGone},
		{name: "unknown types", bytes: cat("RFB 003.008\n", 3, 30, 33, 99), want: desktop.ErrSecurity, text: "Apple, type 33, type 99"},
		{name: "password missing", bytes: cat("RFB 003.008\n", 1, 2), want: desktop.ErrAuth, text: "none is configured"},
		{
			name: "plaintext not allowed", bytes: cat("RFB 003.008\n", 2, 1, 2), want: desktop.ErrSecurity,
			text: "None, VncAuth", cfg: Config{Password: "x"},
		},
		{
			name: "wrong password", bytes: cat("RFB 003.008\n", 1, 2, make([]byte, 16), uint32(1), uint32(3), "bad"),
			want: desktop.ErrAuth, cfg: Config{Password: "x", AllowPlaintext: true},
		},
		{
			name: "wrong password, reason of 4 GB", bytes: cat("RFB 003.008\n", 1, 2, make([]byte, 16), uint32(1), huge),
			hang: true, want: desktop.ErrAuth, cfg: Config{Password: "x", AllowPlaintext: true},
		},
		{name: "too many attempts", bytes: cat("RFB 003.008\n", 1, 1, uint32(2)), want: desktop.ErrAuth, text: "too many"},
		{name: "unknown result", bytes: cat("RFB 003.008\n", 1, 1, uint32(77)), want: desktop.ErrProtocol, text: "77"},
		{name: "challenge cut", bytes: cat("RFB 003.008\n", 1, 2, 1, 2, 3), want: desktop.ErrTargetGone, cfg: Config{Password: "x", AllowPlaintext: true}},
		{name: "ServerInit cut", bytes: cat("RFB 003.008\n", 1, 1, uint32(0), 1, 2), hang: true, want: desktop.ErrTimeout},
		{name: "desktop of nothing", bytes: hello(0, 0), want: desktop.ErrProtocol, text: "0×0"},
		{name: "desktop too large", bytes: hello(65535, 65535), want: desktop.ErrSize, text: "65535×65535"},
		{name: "name of 4 GB", bytes: cat(hello(100, 50)[:12+2+4+20], huge), want: desktop.ErrProtocol, text: "name"},
		{name: "name cut", bytes: cat(hello(100, 50)[:12+2+4+20], uint32(60000)), want: desktop.ErrTargetGone},

		{name: "VeNCrypt 0.1", bytes: vencrypt(0, 1), want: desktop.ErrProtocol, text: "0.1"},
		{name: "VeNCrypt refused", bytes: vencrypt(0, 2, 1, 0), want: desktop.ErrProtocol},
		{name: "VeNCrypt subtypes", bytes: vencrypt(0, 2, 0, 255), want: desktop.ErrProtocol, text: "255"},
		{
			name: "VeNCrypt anonymous", bytes: vencrypt(0, 2, 0, 2, uint32(257), uint32(258)), want: desktop.ErrSecurity,
			text: "TLSNone, TLSVnc", cfg: Config{Password: "x", AllowPlaintext: true},
		},
		{name: "VeNCrypt plain", bytes: vencrypt(0, 2, 0, 1, uint32(256)), want: desktop.ErrSecurity, text: "Plain", cfg: Config{Username: "u", Password: "x", AllowPlaintext: true}},
		{name: "VeNCrypt wants password", bytes: vencrypt(0, 2, 0, 1, uint32(261)), want: desktop.ErrAuth},
		{name: "VeNCrypt wants username", bytes: vencrypt(0, 2, 0, 1, uint32(262)), want: desktop.ErrAuth},
		{name: "VeNCrypt none without TLS", bytes: vencrypt(0, 2, 0, 1, uint32(1)), want: desktop.ErrSecurity, cfg: Config{Password: "x"}},
		{name: "VeNCrypt no TLS", bytes: vencrypt(0, 2, 0, 1, uint32(260), 0), want: desktop.ErrSecurity},
		{
			name: "VeNCrypt clear text before TLS", bytes: vencrypt(0, 2, 0, 1, uint32(260), 1, "more"), want: desktop.ErrProtocol,
			text: "clear text", cfg: Config{TLS: trust.Policy{ServerName: "x"}},
		},
		{name: "message type", bytes: session(77), want: desktop.ErrProtocol, text: "type 77"},
		{name: "half a message", bytes: session(update(1)[:2]), hang: true, want: desktop.ErrTimeout},
		{name: "half a rectangle", bytes: one(0, 0, 100, 50, 0, make([]byte, 500)), hang: true, want: desktop.ErrTimeout},
		{name: "cut rectangle", bytes: one(0, 0, 100, 50, 0, make([]byte, 500)), want: desktop.ErrTargetGone},
		{name: "rectangle outside", bytes: one(90, 0, 20, 10, 0), want: desktop.ErrProtocol, text: "90,0 20×10 outside 100×50"},
		{name: "rectangle far outside", bytes: one(65535, 65535, 65535, 65535, 16), want: desktop.ErrProtocol},
		{name: "encoding", bytes: one(0, 0, 1, 1, 1234), want: desktop.ErrProtocol, text: "1234"},
		{name: "encoding asked for but never sent", bytes: one(0, 0, 1, 1, pseudoFence), want: desktop.ErrProtocol},
		{name: "copy from outside", bytes: one(0, 0, 50, 50, 1, uint16(60), uint16(0)), want: desktop.ErrProtocol, text: "from 60,0"},
		{name: "hextile", bytes: one(0, 0, 20, 20, 5, 0xff), want: desktop.ErrProtocol, text: "hextile"},
		{name: "zrle length", bytes: one(0, 0, 20, 20, 16, huge), want: desktop.ErrProtocol, text: "zrle"},
		{name: "zrle data", bytes: one(0, 0, 20, 20, 16, uint32(4), "nope"), want: desktop.ErrProtocol},
		{name: "tight control", bytes: one(0, 0, 20, 20, 7, 0xf0), want: desktop.ErrProtocol, text: "tight"},
		{name: "tight jpeg", bytes: one(0, 0, 20, 20, 7, 0x90, 3, "jpg"), want: desktop.ErrProtocol, text: "jpeg"},
		{name: "desktop size zero", bytes: one(0, 0, 0, 0, pseudoDesktopSize), want: desktop.ErrSize},
		{name: "desktop size huge", bytes: one(0, 0, 65535, 65535, pseudoDesktopSize), want: desktop.ErrSize},
		{name: "extended size huge", bytes: one(0, 0, 65535, 65535, pseudoExtendedSize, 0, 0, 0, 0), want: desktop.ErrSize},
		{name: "extended size cut", bytes: one(0, 0, 100, 50, pseudoExtendedSize, 255, 0, 0, 0, 1), want: desktop.ErrTargetGone},
		{name: "rename of 4 GB", bytes: one(0, 0, 0, 0, pseudoDesktopName, huge), want: desktop.ErrProtocol},
		{name: "cursor huge", bytes: one(0, 0, 65535, 65535, pseudoCursor), want: desktop.ErrProtocol, text: "cursor"},
		{name: "cursor encoding", bytes: one(0, 0, 1, 1, pseudoAlphaCursor, uint32(7)), want: desktop.ErrProtocol},
		{name: "colour map", bytes: session(1, 0, uint16(65535), uint16(2)), want: desktop.ErrProtocol, text: "colour"},
		{name: "colour map cut", bytes: session(1, 0, uint16(0), uint16(65535), 1), want: desktop.ErrTargetGone},
		{name: "clipboard of 2 GB", bytes: session(3, 0, 0, 0, uint32(0x7fffffff)), want: desktop.ErrProtocol, text: "clipboard"},
		{name: "clipboard of minus 2 GB", bytes: session(3, 0, 0, 0, uint32(0x80000000)), want: desktop.ErrProtocol},
		{name: "clipboard without flags", bytes: session(3, 0, 0, 0, int32(-3), "abc"), want: desktop.ErrProtocol},
		{name: "clipboard capabilities cut", bytes: session(cutText(clipCaps|3, make([]byte, 4))), want: desktop.ErrProtocol},
		{name: "clipboard no zlib", bytes: session(cutText(clipProvide|clipText, []byte("text"))), want: desktop.ErrProtocol},
		{name: "clipboard short", bytes: session(cutText(clipProvide|clipText, deflate(cat(uint32(9), "text")))), want: desktop.ErrProtocol},
		{name: "fence too long", bytes: session(msgServerFence, 0, 0, 0, uint32(1<<31), 65), want: desktop.ErrProtocol, text: "65"},
	}
}

// TestHostile: every misbehaviour ends Run, alone, with an error that says what it was, within the deadlines
// and in little memory. That no goroutine is left is checked by the bubble.
func TestHostile(t *testing.T) {
	for _, c := range hostileCases() {
		t.Run(c.name, func(t *testing.T) {
			cfg := c.cfg
			if !cfg.AllowPlaintext && cfg.Password == "" && cfg.Username == "" && cfg.TLS.ServerName == "" {
				cfg = plaintext
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var took time.Duration
			err := play(t, cfg, func(p *peer) {
				p.drain()
				began := time.Now()
				p.send(c.bytes)
				synctest.Wait()
				if c.hang {
					err := <-p.done
					p.done <- err
				}
				took = time.Since(began)
			})
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q does not tell of %q", err, c.text)
			}
			if limit := messageProgress + time.Second; took > limit {
				t.Errorf("took %v", took)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("took %d bytes of memory", used)
			}
		})
	}
}

// TestHostileFences: a target that asks for answers and never reads them is given up.
func TestHostileFences(t *testing.T) {
	fence := cat(msgServerFence, 0, 0, 0, uint32(1<<31), maxFenceBytes, make([]byte, maxFenceBytes))
	var took time.Duration
	err := play(t, plaintext, func(p *peer) {
		p.open(100, 50)
		began := time.Now()
		flood := bytes.Repeat(fence, 1000)
		for {
			if _, err := p.Write(flood); err != nil {
				break
			}
		}
		took = time.Since(began)
	})
	if !errors.Is(err, desktop.ErrProtocol) && !errors.Is(err, desktop.ErrTimeout) {
		t.Fatal(err)
	}
	if took > writeTimeout+time.Second {
		t.Errorf("took %v", took)
	}
}

// TestNotReading: a target that reads nothing ends the session after the time for a write.
func TestNotReading(t *testing.T) {
	err := play(t, plaintext, func(p *peer) {
		p.open(100, 50)
		for p.client.Send(desktop.PointerEvent{}) == nil {
		}
		err := <-p.done
		p.done <- err
	})
	if !errors.Is(err, desktop.ErrTimeout) {
		t.Fatal(err)
	}
}
