package vncclient

import (
	"bytes"
	"crypto/des"
	"errors"
	"image"
	"math/bits"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestVersions(t *testing.T) {
	const password = "Vnc0Pass"
	challenge := []byte("0123456789abcdef")
	var key [8]byte
	for i := range key {
		key[i] = bits.Reverse8(password[i])
	}
	block, err := des.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	response := make([]byte, 16)
	block.Encrypt(response, challenge)
	block.Encrypt(response[8:], challenge[8:])

	for _, c := range []struct {
		name, server, answer string
		auth                 func(p *peer)
	}{
		{"3.8 none", "RFB 003.008\n", "RFB 003.008\n", func(p *peer) {
			p.send(2, 1, 99)
			p.expect(1)
			p.send(uint32(0))
		}},
		{"3.8 password", "RFB 003.008\n", "RFB 003.008\n", func(p *peer) {
			p.send(2, 1, 2)
			p.expect(2)
			p.send(challenge)
			p.expect(response)
			p.send(uint32(0))
		}},
		{"3.889", "RFB 003.889\n", "RFB 003.008\n", func(p *peer) {
			p.send(1, 1)
			p.expect(1)
			p.send(uint32(0))
		}},
		{"4.1", "RFB 004.001\n", "RFB 003.008\n", func(p *peer) {
			p.send(1, 1)
			p.expect(1)
			p.send(uint32(0))
		}},
		{"3.7 none", "RFB 003.007\n", "RFB 003.007\n", func(p *peer) {
			p.send(1, 1)
			p.expect(1)
		}},
		{"3.7 password", "RFB 003.007\n", "RFB 003.007\n", func(p *peer) {
			p.send(1, 2)
			p.expect(2)
			p.send(challenge)
			p.expect(response)
			p.send(uint32(0))
		}},
		{"3.5", "RFB 003.005\n", "RFB 003.003\n", func(p *peer) { p.send(uint32(1)) }},
		{"3.3 none", "RFB 003.003\n", "RFB 003.003\n", func(p *peer) { p.send(uint32(1)) }},
		{"3.3 password", "RFB 003.003\n", "RFB 003.003\n", func(p *peer) {
			p.send(uint32(2), challenge)
			p.expect(response)
			p.send(uint32(0))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{AllowPlaintext: true, Password: password}
			wantEnd(t, play(t, cfg, func(p *peer) {
				p.send(c.server)
				p.expect(c.answer)
				c.auth(p)
				p.expect(1)
				p.send(serverInit(320, 200, "café\x01 ☃"))
				p.expectSetup(320, 200)
				if got := p.fb.Size(); got != image.Pt(320, 200) {
					p.t.Errorf("size %v", got)
				}
				synctest.Wait()
				p.seen.want(p.t, "connected café  ☃")
			}))
		})
	}
}

// TestUpdates: the next update is requested before the present one is read, and drawn pixels arrive.
func TestUpdates(t *testing.T) {
	pixel := func(v byte) []byte { return []byte{v, v + 1, v + 2, 0} }
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		at := func(x, y int) []byte {
			synctest.Wait()
			pix, size := p.fb.CopyPixels()
			return pix[(y*size.X+x)*4:][:4]
		}
		p.send(update(3))
		p.expectRequest(true, 64, 48) // although no rectangle has come yet
		p.send(rectangle(10, 20, 2, 1, 0), pixel(10), pixel(20))
		p.send(rectangle(30, 30, 2, 1, 1), uint16(10), uint16(20))
		p.send(rectangle(0, 0, 3, 3, 7), 0x80, 7, 8, 9)
		if got := at(11, 20); !bytes.Equal(got, pixel(20)) {
			p.t.Errorf("raw pixel % x", got)
		}
		if got := at(31, 30); !bytes.Equal(got, pixel(20)) {
			p.t.Errorf("copied pixel % x", got)
		}
		if got := at(2, 2); !bytes.Equal(got[:3], []byte{9, 8, 7}) {
			p.t.Errorf("filled pixel % x", got)
		}
		<-p.fb.Wake()

		// LastRect ends an update whose length is open.
		p.send(update(65535))
		p.expectRequest(true, 64, 48)
		p.send(rectangle(1, 1, 1, 1, 0), pixel(40), rectangle(0, 0, 0, 0, pseudoLastRect))
		p.send(msgBell)
		synctest.Wait()
		p.seen.want(p.t, "connected test", "bell")
		p.send(msgBell, msgBell, msgBell) // too soon to be heard
		synctest.Wait()
		p.seen.want(p.t, "connected test", "bell")

		p.send(update(1))
		p.expectRequest(true, 64, 48)
		p.send(rectangle(0, 0, 0, 0, pseudoDesktopName), uint32(3), "new")
		p.send(1, 0, uint16(3), uint16(2), make([]byte, 12)) // a colour map changes nothing
		synctest.Wait()
		p.seen.want(p.t, "connected test", "bell", "renamed new")
		p.quiet()

		// An idle target may be silent for hours.
		time.Sleep(9 * time.Hour)
		p.send(msgBell)
		synctest.Wait()
		p.seen.want(p.t, "connected test", "bell", "renamed new", "bell")
	}))
}

func TestCursorShapes(t *testing.T) {
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		p.drain()
		p.send(update(1), rectangle(9, 0, 2, 1, pseudoCursor), []byte{1, 2, 3, 0, 4, 5, 6, 0, 0x80})
		synctest.Wait()
		c := p.fb.Cursor()
		if c.Shape == nil || c.Shape.Bounds().Size() != image.Pt(2, 1) || c.Hotspot != image.Pt(1, 0) || c.Hidden {
			p.t.Fatalf("cursor %+v", c)
		}
		if got := c.Shape.Pix; !bytes.Equal(got, []byte{3, 2, 1, 255, 0, 0, 0, 0}) {
			p.t.Fatalf("shape % x", got)
		}
		p.send(update(1), rectangle(0, 0, 0, 0, pseudoCursor))
		synctest.Wait()
		if c := p.fb.Cursor(); !c.Hidden || c.Shape != nil {
			p.t.Fatalf("cursor %+v", c)
		}
		side := desktop.MaxCursorSide + 1
		p.send(update(1), rectangle(0, 0, side, 1, pseudoAlphaCursor), uint32(0), make([]byte, 4*side))
		synctest.Wait()
		if c := p.fb.Cursor(); c.Hidden || c.Shape != nil || c.Serial != 3 {
			p.t.Fatalf("cursor %+v", c)
		}
	}))
}

func TestDesktopSizes(t *testing.T) {
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		if err := p.client.Resize(image.Pt(80, 60)); !errors.Is(err, desktop.ErrUnsupported) {
			p.t.Errorf("resize before the target is known to be able: %v", err)
		}
		p.send(update(1))
		p.expectRequest(true, 64, 48)
		screen := cat(uint32(77), uint16(0), uint16(0), uint16(64), uint16(48), uint32(5))
		p.send(rectangle(0, 0, 64, 48, pseudoExtendedSize), 1, 0, 0, 0, screen)
		p.quiet()

		if err := p.client.Resize(image.Pt(80, 60)); err != nil {
			p.t.Fatal(err)
		}
		p.expect(251, 0, uint16(80), uint16(60), 1, 0, uint32(77), uint16(0), uint16(0), uint16(80), uint16(60), uint32(5))
		if err := p.client.Resize(image.Pt(8000, 8)); !errors.Is(err, desktop.ErrSize) {
			p.t.Errorf("resize to a bad size: %v", err)
		}

		// Refused: nothing changes.
		p.send(update(1))
		p.expectRequest(true, 64, 48)
		p.send(rectangle(1, 1, 80, 60, pseudoExtendedSize), 1, 0, 0, 0, screen)
		p.quiet()
		if got := p.fb.Size(); got != image.Pt(64, 48) {
			p.t.Errorf("size %v after a refusal", got)
		}

		// Granted: the whole picture is asked for anew.
		p.send(update(1))
		p.expectRequest(true, 64, 48)
		p.send(rectangle(1, 0, 80, 60, pseudoExtendedSize), 1, 0, 0, 0, screen)
		p.expectRequest(false, 80, 60)
		if got := p.fb.Size(); got != image.Pt(80, 60) {
			p.t.Errorf("size %v", got)
		}

		// A target of the older kind.
		p.send(update(2))
		p.expectRequest(true, 80, 60)
		p.send(rectangle(0, 0, 32, 24, pseudoDesktopSize), rectangle(31, 23, 1, 1, 0), 1, 2, 3, 4)
		p.expectRequest(false, 32, 24)
	}))
}

func TestContinuousUpdates(t *testing.T) {
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		p.send(msgServerFence, 0, 0, 0, uint32(1<<31|1<<10|7), 3, "abc")
		p.expect(248, 0, 0, 0, uint32(7), 3, "abc")
		p.send(msgServerFence, 0, 0, 0, uint32(7), 0) // an answer nobody asked for
		p.send(msgEndOfContinuous)
		p.expect(150, 1, uint16(0), uint16(0), uint16(64), uint16(48))
		p.send(update(0))
		p.quiet()

		p.send(update(1), rectangle(0, 0, 32, 24, pseudoDesktopSize))
		p.expect(150, 1, uint16(0), uint16(0), uint16(32), uint16(24))
		p.expectRequest(false, 32, 24)

		p.send(msgEndOfContinuous)
		p.expectRequest(true, 32, 24)
		p.send(update(0))
		p.expectRequest(true, 32, 24)
		p.send(msgEndOfContinuous)
		p.quiet()
	}))
}

func TestClipboardClassic(t *testing.T) {
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		p.client.Send(desktop.ClipboardText{Text: "né\n€日"})
		p.expect(6, 0, 0, 0, uint32(5), "n", 0xe9, "\n??")
		p.send(msgServerCutText, 0, 0, 0, uint32(5), "a", 0xe9, "\r\n", 0)
		big := make([]byte, desktop.MaxClipboardBytes+1)
		p.send(msgServerCutText, 0, 0, 0, uint32(len(big)), big)
		latin := bytes.Repeat([]byte{0xe9}, desktop.MaxClipboardBytes) // twice that in UTF-8
		p.send(msgServerCutText, 0, 0, 0, uint32(len(latin)), latin)
		p.send(msgServerCutText, 0, 0, 0, uint32(2), "ok")
		synctest.Wait()
		p.seen.want(p.t, "connected test", "clipboard aé\n", "clipboard ok")
		if err := p.client.Send(desktop.ClipboardText{Text: string(big)}); err == nil {
			p.t.Error("oversized text was sent")
		}
		p.quiet()
	}))
}

func TestClipboardExtended(t *testing.T) {
	const text = "é€日本\nzwei"
	const all = clipCaps | clipRequest | clipPeek | clipNotify | clipProvide
	ours := appendCaps(nil)
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		p.send(cutText(all|clipText|2, cat(uint32(0), uint32(9))))
		p.expect(ours)
		p.send(cutText(clipPeek, nil))
		p.expect(6, 0, 0, 0, int32(-4), uint32(clipNotify))
		p.send(cutText(clipRequest|clipText, nil)) // there is nothing yet
		p.quiet()

		// The target takes nothing unasked, so it is told.
		p.client.Send(desktop.ClipboardText{Text: text})
		p.expect(6, 0, 0, 0, int32(-4), uint32(clipNotify|clipText))
		p.send(cutText(clipPeek, nil))
		p.expect(6, 0, 0, 0, int32(-4), uint32(clipNotify|clipText))
		p.send(cutText(clipRequest|clipText, nil))
		p.expect(appendProvide(nil, wireText(text)))

		// Now it takes a little.
		p.send(cutText(all|clipText, cat(uint32(4))))
		p.expect(ours)
		p.client.Send(desktop.ClipboardText{Text: "a\n"})
		p.expect(appendProvide(nil, "a\r\n\x00"))
		p.client.Send(desktop.ClipboardText{Text: "abcd"})
		p.expect(6, 0, 0, 0, int32(-4), uint32(clipNotify|clipText))

		// It knows no notices: LibVNCServer, which may or may not hand the text on.
		p.send(cutText((all&^clipNotify)|clipText, cat(uint32(1<<20))))
		p.expect(ours)
		p.client.Send(desktop.ClipboardText{Text: "€"})
		p.expect(6, 0, 0, 0, uint32(1), "?", appendProvide(nil, "€\x00"))

		// From the target: told, asked, given.
		p.send(cutText(clipNotify|clipText, nil))
		p.expect(6, 0, 0, 0, int32(-4), uint32(clipRequest|clipText))
		p.send(cutText(clipNotify, nil))
		p.send(cutText(clipNotify|2, nil))
		wire := "日本\r\nx\x00"
		p.send(cutText(clipProvide|clipText, deflate(cat(uint32(len(wire)), wire))))
		// A bomb and other formats are skipped.
		p.send(cutText(clipProvide|clipText, deflate(cat(uint32(50<<20), make([]byte, 50<<20)))))
		p.send(cutText(clipProvide|4, deflate(cat(uint32(1), "x"))))
		p.send(cutText(1<<30, nil))
		big := make([]byte, maxProvideBytes+1)
		p.send(msgServerCutText, 0, 0, 0, int32(-len(big)), big)
		p.send(msgBell)
		synctest.Wait()
		p.seen.want(p.t, "connected test", "clipboard 日本\nx", "bell")
		p.quiet()
	}))
}

// TestClipboardBeforeCapabilities: text that was too early for Extended Clipboard is offered again.
func TestClipboardBeforeCapabilities(t *testing.T) {
	const all = clipCaps | clipRequest | clipPeek | clipNotify | clipProvide
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		p.client.Send(desktop.ClipboardText{Text: "é€"})
		p.expect(6, 0, 0, 0, uint32(2), []byte{0xe9, '?'})
		p.send(cutText(all|clipText, cat(uint32(0))))
		p.expect(appendCaps(nil), 6, 0, 0, 0, int32(-4), uint32(clipNotify|clipText))
		p.send(cutText(clipRequest|clipText, nil))
		p.expect(appendProvide(nil, wireText("é€")))
		p.send(cutText(all|clipText, cat(uint32(0))))
		p.expect(appendCaps(nil)) // and nothing else
		p.quiet()
	}))
}

func TestInput(t *testing.T) {
	key := func(sym uint32, down int) []byte { return cat(4, down, 0, 0, sym) }
	pointer := func(mask, x, y int) []byte { return cat(5, mask, uint16(x), uint16(y)) }
	pos := image.Pt(7, 9)
	const held = desktop.ButtonLeft
	for _, c := range []struct {
		name  string
		cfg   Config
		able  []int32 // pseudo-encodings the target shows first
		input []desktop.Input
		want  []byte
	}{
		{name: "key", input: []desktop.Input{
			desktop.KeyEvent{Keysym: 0xffe1, Scancode: 0x2a, Down: true},
			desktop.KeyEvent{Keysym: 'A', Down: true},
			desktop.KeyEvent{Keysym: 'A'},
			desktop.KeyEvent{Scancode: 0x1e, Down: true},
			desktop.KeyEvent{Scancode: 0x1e},
			desktop.KeyEvent{Keysym: 0xffe1, Scancode: 0x2a},
		}, want: cat(key(0xffe1, 1), key('A', 1), key('A', 0), key(0xffe1, 0))},
		{name: "key of a place only", able: []int32{pseudoQEMUKeys}, input: []desktop.Input{
			desktop.KeyEvent{Scancode: 0xe05b, Down: true},
			desktop.KeyEvent{Scancode: 0xe05b},
			desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e, Down: true},
			desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e},
		}, want: cat(255, 0, 0, 1, uint32(0), uint32(0xdb), 255, 0, 0, 0, uint32(0), uint32(0xdb), key('a', 1), key('a', 0))},
		{name: "scancodes", cfg: Config{Scancodes: true}, able: []int32{pseudoQEMUKeys}, input: []desktop.Input{
			desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e, Down: true},
			desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e},
			desktop.KeyEvent{Keysym: 'b', Down: true},
			desktop.KeyEvent{Keysym: 'b'},
		}, want: cat(255, 0, 0, 1, uint32('a'), uint32(0x1e), 255, 0, 0, 0, uint32('a'), uint32(0x1e), key('b', 1), key('b', 0))},
		{name: "text", input: []desktop.Input{desktop.TextInput{Text: "é日\n\t\b\x07\u0085😀"}}, want: cat(
			key(0xe9, 1), key(0xe9, 0), key(0x010065e5, 1), key(0x010065e5, 0), key(0xff0d, 1), key(0xff0d, 0),
			key(0xff09, 1), key(0xff09, 0), key(0xff08, 1), key(0xff08, 0), key(0x0101f600, 1), key(0x0101f600, 0),
		)},
		{name: "long text", input: []desktop.Input{desktop.TextInput{Text: strings.Repeat("x", 3000)}}, want: bytes.Repeat(
			cat(key('x', 1), key('x', 0)), 3000)},
		{name: "pointer", input: []desktop.Input{
			desktop.PointerEvent{Pos: pos, Buttons: desktop.ButtonLeft | desktop.ButtonRight},
			desktop.PointerEvent{Pos: image.Pt(-5, 4000), Buttons: desktop.ButtonMiddle},
			desktop.PointerEvent{Pos: image.Pt(1<<20, 0), Buttons: desktop.ButtonBack | desktop.ButtonForward},
			desktop.PointerEvent{Pos: pos},
		}, want: cat(pointer(5, 7, 9), pointer(2, 0, 47), pointer(0, 63, 0), pointer(0, 7, 9))},
		{name: "side buttons", able: []int32{pseudoExtendedMouse}, input: []desktop.Input{
			desktop.PointerEvent{Pos: pos, Buttons: desktop.ButtonBack | desktop.ButtonLeft},
			desktop.PointerEvent{Pos: pos, Buttons: desktop.ButtonForward},
			desktop.PointerEvent{Pos: pos},
		}, want: cat(pointer(0x81, 7, 9), 1, pointer(0x80, 7, 9), 2, pointer(0, 7, 9))},
		{name: "wheel", input: []desktop.Input{
			desktop.PointerEvent{Pos: pos, Buttons: held},
			desktop.WheelEvent{Pos: pos, Buttons: held, DY: 2},
			desktop.WheelEvent{Pos: pos, DY: -1, DX: 1},
			desktop.WheelEvent{Pos: pos, DX: -1},
			desktop.WheelEvent{Pos: pos},
		}, want: cat(
			pointer(1, 7, 9), pointer(17, 7, 9), pointer(1, 7, 9), pointer(17, 7, 9), pointer(1, 7, 9),
			pointer(8, 7, 9), pointer(0, 7, 9), pointer(64, 7, 9), pointer(0, 7, 9),
			pointer(32, 7, 9), pointer(0, 7, 9),
		)},
		{name: "wheel far", input: []desktop.Input{desktop.WheelEvent{Pos: pos, DY: 1 << 40}}, want: bytes.Repeat(
			cat(pointer(16, 7, 9), pointer(0, 7, 9)), desktop.MaxWheelNotches)},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.AllowPlaintext = true
			wantEnd(t, play(t, c.cfg, func(p *peer) {
				p.open(64, 48)
				if len(c.able) > 0 {
					p.send(update(len(c.able)))
					p.expectRequest(true, 64, 48)
					for _, enc := range c.able {
						p.send(rectangle(0, 0, 0, 0, enc))
					}
				}
				synctest.Wait()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for _, in := range c.input {
						if err := p.client.Send(in); err != nil {
							p.t.Error(err)
						}
					}
				}()
				p.expect(c.want)
				<-sent
				p.quiet()
			}))
		})
	}
}

// TestRelease: what is held when the session is ended from here is let go of, even if much is held.
func TestRelease(t *testing.T) {
	err := play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		for _, in := range []desktop.Input{
			desktop.KeyEvent{Keysym: 0xffe3, Down: true}, desktop.PointerEvent{Pos: image.Pt(3, 4), Buttons: desktop.ButtonLeft},
		} {
			if err := p.client.Send(in); err != nil {
				t.Fatal(err)
			}
		}
		p.expect(4, 1, 0, 0, uint32(0xffe3), 5, 1, uint16(3), uint16(4))
		p.stop()
		p.expect(4, 0, 0, 0, uint32(0xffe3), 5, 0, uint16(3), uint16(4))
	})
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
}

// TestStop: Run ends with the cause of its context at any time, also when the target reads nothing.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		name string
		send []byte
	}{
		{"before the greeting", nil},
		{"in the handshake", []byte("RFB 003.008\n")},
		{"idle", hello(64, 48)},
		{"in a message", cat(hello(64, 48), update(1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := play(t, plaintext, func(p *peer) {
				if len(c.send) > 12 {
					p.drain()
				}
				p.send(c.send)
				synctest.Wait()
				began := time.Now()
				p.stop()
				err := <-p.done
				p.done <- err
				if took := time.Since(began); took > 2*releaseTimeout {
					p.t.Errorf("took %v", took)
				}
				if err := p.client.Send(desktop.KeyEvent{Keysym: 'a'}); !errors.Is(err, desktop.ErrNotConnected) {
					p.t.Errorf("Send after the end: %v", err)
				}
				if err := p.client.Resize(image.Pt(64, 48)); !errors.Is(err, desktop.ErrNotConnected) {
					p.t.Errorf("Resize after the end: %v", err)
				}
			})
			if !errors.Is(err, errStop) {
				t.Fatal(err)
			}
		})
	}
}

func TestRunTwice(t *testing.T) {
	wantEnd(t, play(t, plaintext, func(p *peer) {
		p.open(64, 48)
		if err := p.client.Run(t.Context(), p.Conn, p.fb); err == nil {
			p.t.Error("no error")
		}
	}))
}
