package cliprdr

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// peer is a Client with what it does written down.
type peer struct {
	t       *testing.T
	c       *Client
	now     time.Time
	log     []string
	refused map[Direction]bool
}

func newPeer(t *testing.T) *peer {
	p := &peer{t: t, now: time.Unix(1000, 0), refused: map[Direction]bool{}}
	p.c = NewClient(Config{
		Send:    func(m []byte) { p.log = append(p.log, describe(p.t, m, p.c.long)) },
		Text:    func(text string) { p.log = append(p.log, fmt.Sprintf("text %.40q", text)) },
		Skipped: func(reason error) { p.log = append(p.log, "skipped: "+rootOf(reason)) },
		May:     func(d Direction) bool { return !p.refused[d] },
	})
	return p
}

func rootOf(err error) string {
	for _, e := range []error{ErrNotAllowed, ErrTooLong, ErrNoAnswer, ErrFailed} {
		if errors.Is(err, e) {
			return strings.TrimPrefix(e.Error(), "cliprdr: ")
		}
	}
	return "?"
}

// describe reads a message the Client sent.
func describe(t *testing.T, m []byte, long bool) string {
	t.Helper()
	h, data, err := DecodeHeader(m)
	if err != nil || len(data)+headerBytes != len(m) {
		t.Fatalf("sent %x: %v", m, err)
	}
	switch h.Type {
	case TypeCapabilities:
		var c Capabilities
		if err := c.Decode(m); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("caps %#x", c.Flags)
	case TypeFormatList:
		var l FormatList
		if err := l.Decode(m, long); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("list %v", l.Formats)
	case TypeFormatListResponse:
		return fmt.Sprintf("list response %d", h.Flags)
	case TypeFormatDataRequest:
		var q FormatDataRequest
		if err := q.Decode(m); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("request %d", q.FormatID)
	case TypeFormatDataResponse:
		return fmt.Sprintf("response %d %.40q", h.Flags, data)
	case TypeFileContentsResponse:
		return fmt.Sprintf("contents response %d %x", h.Flags, data)
	}
	return hex.EncodeToString(m)
}

func (p *peer) receive(m []byte) {
	p.t.Helper()
	if err := p.c.Receive(m, p.now); err != nil {
		p.t.Fatal(err)
	}
}

// expect compares what happened since the last call.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	if strings.Join(p.log, "; ") != strings.Join(want, "; ") {
		p.t.Fatalf("got  %s\nwant %s", strings.Join(p.log, "; "), strings.Join(want, "; "))
	}
	p.log = nil
}

// start does the handshake with a server that knows long names.
func (p *peer) start() {
	p.t.Helper()
	p.receive(Capabilities{Version2, CapUseLongFormatNames | CapCanLockClipData}.Append(nil))
	p.receive(AppendMonitorReady(nil))
	p.expect("caps 0x2", "list []")
}

func (p *peer) copied(ids ...uint32) {
	p.t.Helper()
	var l FormatList
	for _, id := range ids {
		l.Formats = append(l.Formats, Format{ID: id})
	}
	p.receive(l.Append(nil, p.c.long))
}

func (p *peer) answer(format uint32, text string) {
	p.t.Helper()
	data, _ := appendText(nil, format, text, false)
	p.receive(FormatDataResponse{OK: true, Data: data}.Append(nil))
}

func TestTextFromTarget(t *testing.T) {
	p := newPeer(t)
	p.start()
	p.receive(AppendFormatListResponse(nil, true))
	p.copied(2, 1, 13, 0xc009)
	p.expect("list response 1", "request 13")
	p.answer(13, "Grüße\nzwei")
	p.expect(`text "Grüße\nzwei"`)
	if !p.c.Deadline().IsZero() {
		t.Error("a deadline of nothing")
	}
	p.answer(13, "unasked")
	p.expect()
	p.copied(7, 1)
	p.expect("list response 1", "request 1")
	p.answer(1, "only 8 bits")
	p.expect(`text "only 8 bits"`)
	p.copied(2, 0xc009)
	p.copied()
	p.expect("list response 1", "list response 1")
}

// TestOldServer is one without capabilities: short names, ASCII, and bytes behind the message.
func TestOldServer(t *testing.T) {
	p := newPeer(t)
	pad := []byte{0, 0, 0, 0}
	p.receive(append(AppendMonitorReady(nil), pad...))
	p.expect("caps 0x2", "list []")
	list := "\x02\x00\x04\x00\x24\x00\x00\x00\x0d\x00\x00\x00" + strings.Repeat("\x00", 32)
	p.receive(append([]byte(list), pad...))
	p.expect("list response 1", "request 13")
	p.receive(append(FormatDataResponse{OK: true, Data: []byte("o\x00k\x00")}.Append(nil), pad...))
	p.expect(`text "ok"`)
	if err := p.c.Offer("to it"); err != nil {
		t.Fatal(err)
	}
	p.expect("list [{13 }]")
}

func TestTextToTarget(t *testing.T) {
	p := newPeer(t)
	if err := p.c.Offer("early"); err != nil {
		t.Fatal(err)
	}
	p.expect()
	p.receive(Capabilities{Version2, CapUseLongFormatNames}.Append(nil))
	p.receive(AppendMonitorReady(nil))
	p.expect("caps 0x2", "list [{13 }]")
	p.receive(FormatDataRequest{13}.Append(nil))
	p.receive(FormatDataRequest{1}.Append(nil))
	p.receive(FormatDataRequest{2}.Append(nil))
	p.expect(`response 1 "e\x00a\x00r\x00l\x00y\x00\x00\x00"`, `response 1 "early\x00"`, `response 2 ""`)
	if err := p.c.Offer("new\n"); err != nil {
		t.Fatal(err)
	}
	p.receive(FormatDataRequest{13}.Append(nil))
	p.expect("list [{13 }]", `response 1 "n\x00e\x00w\x00\r\x00\n\x00\x00\x00"`)
	if err := p.c.Offer(""); err != nil {
		t.Fatal(err)
	}
	p.receive(FormatDataRequest{13}.Append(nil))
	p.expect("list []", `response 2 ""`)
	if err := p.c.Offer(strings.Repeat("x", desktop.MaxClipboardBytes+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too much: %v", err)
	}
	p.expect()
}

func TestPolicy(t *testing.T) {
	p := newPeer(t)
	p.start()
	p.refused[FromTarget] = true
	p.copied(13)
	p.expect("list response 1", "skipped: text may not go this way")
	p.refused[FromTarget] = false
	p.copied(13)
	p.expect("list response 1", "request 13")
	p.refused[FromTarget] = true // while the target answers
	p.answer(13, "secret")
	p.expect("skipped: text may not go this way")

	if err := p.c.Offer("mine"); err != nil {
		t.Fatal(err)
	}
	p.expect("list [{13 }]")
	p.refused[ToTarget] = true
	p.receive(FormatDataRequest{13}.Append(nil))
	p.expect(`response 2 ""`)
	if err := p.c.Offer("other"); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("offered: %v", err)
	}
	p.receive(AppendMonitorReady(nil))
	p.expect("caps 0x2", "list []")
	p.refused[ToTarget] = false
	p.receive(FormatDataRequest{13}.Append(nil))
	p.expect(`response 1 "m\x00i\x00n\x00e\x00\x00\x00"`)
}

// TestNewestListWins copies again while the target still renders.
func TestNewestListWins(t *testing.T) {
	p := newPeer(t)
	p.start()
	p.copied(13)
	p.copied(1)
	p.copied(13, 1)
	p.expect("list response 1", "request 13", "list response 1", "list response 1")
	p.answer(13, "old")
	p.expect("request 13")
	p.answer(13, "new")
	p.expect(`text "new"`)

	p.copied(13)
	p.copied(2) // a picture
	p.expect("list response 1", "request 13", "list response 1")
	p.answer(13, "old")
	p.expect()

	p.copied(13)
	p.copied(13)
	p.refused[FromTarget] = true
	p.expect("list response 1", "request 13", "list response 1")
	p.answer(13, "old")
	p.expect("skipped: text may not go this way")
	if !p.c.Deadline().IsZero() {
		t.Error("still waiting")
	}
}

func TestTargetThatNeverAnswers(t *testing.T) {
	p := newPeer(t)
	p.start()
	p.c.Expire(p.now)
	p.expect()
	p.copied(13)
	p.expect("list response 1", "request 13")
	due := p.c.Deadline()
	if want := p.now.Add(answerTimeout); !due.Equal(want) {
		t.Fatalf("due %v, want %v", due, want)
	}
	p.c.Expire(due.Add(-1))
	p.expect()
	p.c.Expire(due)
	p.expect("skipped: the target did not give its text in time")
	p.answer(13, "late")
	p.expect()

	p.copied(13)
	p.copied(1) // and then the first is not answered
	p.now = p.c.Deadline()
	p.expect("list response 1", "request 13", "list response 1")
	p.c.Expire(p.now)
	p.expect("request 1")
	if !p.c.Deadline().After(p.now) {
		t.Error("the second request has no time")
	}
	p.answer(1, "after all")
	p.expect(`text "after all"`)

	p.copied(13)
	p.receive(AppendMonitorReady(nil)) // a reconnection: nobody answers what was asked before
	p.expect("list response 1", "request 13", "caps 0x2", "list []")
	if !p.c.Deadline().IsZero() {
		t.Error("still waiting")
	}
}

func TestTextThatIsNotPassedOn(t *testing.T) {
	p := newPeer(t)
	p.start()
	ask := func() {
		t.Helper()
		p.copied(13)
		p.expect("list response 1", "request 13")
	}
	ask()
	p.receive(FormatDataResponse{}.Append(nil))
	p.expect("skipped: the target could not give its text")
	ask()
	p.answer(13, strings.Repeat("x", desktop.MaxClipboardBytes+1))
	p.expect("skipped: text too long")
	ask()
	p.answer(13, strings.Repeat("日", desktop.MaxClipboardBytes/3+1)) // fewer bytes on the wire than in UTF-8
	p.expect("skipped: text too long")
	ask()
	p.receive(FormatDataResponse{OK: true, Data: make([]byte, maxTextBytes+2)}.Append(nil))
	p.expect("skipped: text too long")
	ask()
	p.c.Skip(p.now)
	p.expect("skipped: text too long")
	p.c.Skip(p.now)
	p.expect()
	ask()
	p.answer(13, strings.Repeat("x", desktop.MaxClipboardBytes))
	p.expect(fmt.Sprintf("text %.40q", strings.Repeat("x", 40)))
}

func TestFilesAreRefused(t *testing.T) {
	p := newPeer(t)
	p.start()
	p.receive(FormatList{[]Format{{0xc0bc, "FileGroupDescriptorW"}, {0xc0bd, "FileContents"}}}.Append(nil, true))
	p.expect("list response 1")
	p.receive(FileContentsRequest{StreamID: 0x11223344, Flags: FileContentsRange, Count: 1 << 30}.Append(nil))
	p.expect("contents response 2 44332211")
	p.receive(FileContentsResponse{OK: true, Data: []byte("x")}.Append(nil))
	p.receive(AppendLock(nil, true, 1))
	p.receive(AppendLock(nil, false, 1))
	p.receive(TempDirectory{"/tmp"}.Append(nil))
	p.receive(end(begin(nil, 0x00ff, 0), 0)) // not known yet
	p.expect()
}

func TestMalformedMessages(t *testing.T) {
	p := newPeer(t)
	p.start()
	for _, m := range []string{
		"", "\x01\x00\x00\x00\x01\x00\x00\x00", "\x07\x00\x00\x00\x00\x00\x00\x00", "\x04\x00\x00\x00\x00\x00\x00\x00", "\x08\x00\x00\x00\x00\x00\x00\x00",
	} {
		if err := p.c.Receive([]byte(m), p.now); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%x: %v", m, err)
		}
	}
	p.expect()
	if err := p.c.Receive([]byte("\x02\x00\x00\x00\x05\x00\x00\x00\x0d\x00\x00\x00x"), p.now); !errors.Is(err, wire.ErrMalformed) {
		t.Error(err)
	}
	p.expect("list response 2")
	p.copied(13) // it goes on
	p.expect("list response 1", "request 13")
}

func TestNilHooks(t *testing.T) {
	c := NewClient(Config{Send: func([]byte) {}, Text: func(string) {}})
	for _, m := range [][]byte{
		AppendMonitorReady(nil), FormatList{[]Format{{ID: 13}}}.Append(nil, false), FormatDataResponse{}.Append(nil),
	} {
		if err := c.Receive(m, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzClient(f *testing.F) {
	join := func(ms ...[]byte) (b []byte) {
		for _, m := range ms {
			b = append(append(b, byte(len(m))), m...)
		}
		return b
	}
	list := FormatList{[]Format{{ID: 13}, {ID: 1}}}
	f.Add(join(Capabilities{2, 2}.Append(nil), AppendMonitorReady(nil), list.Append(nil, true), FormatDataResponse{OK: true, Data: []byte("a\x00\r\x00\n\x00")}.Append(nil)))
	f.Add(join(AppendMonitorReady(nil), FormatList{[]Format{{ID: 1}}}.Append(nil, false), FormatDataResponse{OK: true, Data: []byte("a\xff\r")}.Append(nil), FormatDataRequest{13}.Append(nil)))
	f.Add(join(AppendMonitorReady(nil), FileContentsRequest{}.Append(nil), list.Append(nil, false), list.Append(nil, false), FormatDataResponse{}.Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		sent, received := 0, 0
		c := NewClient(Config{
			Send: func(m []byte) {
				sent++
				if _, _, err := DecodeHeader(m); err != nil {
					t.Fatal(err)
				}
			},
			Text: func(text string) {
				if !utf8.ValidString(text) || strings.ContainsAny(text, "\r\x00") || len(text) > desktop.MaxClipboardBytes {
					t.Fatalf("%q", text)
				}
			},
		})
		if err := c.Offer("ours"); err != nil {
			t.Fatal(err)
		}
		now := time.Unix(0, 0)
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			err := c.Receive(b[1:1+n], now)
			if err != nil && !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
			b = b[1+n:]
			received++
			now = now.Add(time.Second)
			c.Expire(now)
			if sent > 3*received { // each message makes at most two, an expired request one
				t.Fatalf("%d messages sent for %d", sent, received)
			}
		}
	})
}

func TestUnixLines(t *testing.T) {
	for _, lf := range []bool{false, true} {
		data, _ := appendText(nil, FormatUnicodeText, "a\nb\r\nc", lf)
		want := "a\r\nb\r\nc"
		if lf {
			want = "a\nb\nc"
		}
		if got := wire.UTF16(data); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
