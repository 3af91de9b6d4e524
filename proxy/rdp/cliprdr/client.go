package cliprdr

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Direction is which way text goes.
type Direction int

// The directions.
const (
	FromTarget Direction = iota
	ToTarget
)

// What Config.Skipped is told and Offer returns.
var (
	// ErrNotAllowed: policy does not let text go this way at this moment.
	ErrNotAllowed = errors.New("cliprdr: text may not go this way")
	// ErrTooLong: the text is above desktop.MaxClipboardBytes.
	ErrTooLong = errors.New("cliprdr: text too long")
	// ErrNoAnswer: the target announced text and did not give it in time.
	ErrNoAnswer = errors.New("cliprdr: the target did not give its text in time")
	// ErrFailed: the target announced text and could not give it.
	ErrFailed = errors.New("cliprdr: the target could not give its text")
)

// Config is what a Client calls. Its functions are called from within the Client's methods and must not call them.
type Config struct {
	// Send takes one message for the channel. It must not keep it.
	Send func(message []byte)
	// Text takes text of the target: valid UTF-8, LF line ends, at most desktop.MaxClipboardBytes.
	Text func(text string)
	// Skipped hears, with one of the errors above, of text of the target that was announced and not passed on. May be nil.
	Skipped func(reason error)
	// May tells whether text may go in a direction at this moment. It is asked before the target's text is fetched, again
	// before it is passed on, and before ours is announced and given. Nil allows everything.
	May func(Direction) bool
}

// Client is the client's side of the clipboard, for text. It fetches the target's text as soon as it is announced, because
// viewers want to have it before anyone pastes: one request at a time, the newest list wins. Of ours it announces that
// there is some. Files and all other formats are never asked for and never given.
//
// It does no I/O, starts no goroutine and is not safe for concurrent use.
type Client struct {
	cfg Config

	ready     bool   // MONITOR_READY came
	long      bool   // the server knows long format names
	offer     string // our text
	unixLines bool   // see SetUnixLines
	buf       []byte // the last message sent

	asked    uint32    // format of the request under way, 0 when there is none
	deadline time.Time // of its answer
	stale    bool      // a newer list came meanwhile: its answer is not wanted
	next     uint32    // what to ask for instead, 0 for nothing
}

// NewClient returns a Client for a channel that has just been joined.
func NewClient(cfg Config) *Client { return &Client{cfg: cfg} }

// SetUnixLines makes text for the target have LF line ends, not CRLF as Windows has it: xrdp hands text on to X programs as
// it comes.
func (c *Client) SetUnixLines() { c.unixLines = true }

// Receive takes one message of the server. An error wraps wire.ErrMalformed; the Client can go on after it, because
// messages do not depend on each other's bytes.
func (c *Client) Receive(message []byte, now time.Time) error {
	h, _, err := DecodeHeader(message)
	if err != nil {
		return err
	}
	switch h.Type {
	case TypeCapabilities:
		var caps Capabilities
		if err := caps.Decode(message); err != nil {
			return err
		}
		c.long = caps.Flags&CapUseLongFormatNames != 0
	case TypeMonitorReady:
		c.monitorReady()
	case TypeFormatList:
		var list FormatList
		if err := list.Decode(message, c.long); err != nil {
			c.send(AppendFormatListResponse(c.buf[:0], false))
			return err
		}
		c.formatList(list, now)
	case TypeFormatDataRequest:
		var q FormatDataRequest
		if err := q.Decode(message); err != nil {
			return err
		}
		c.give(q.FormatID)
	case TypeFormatDataResponse:
		var p FormatDataResponse
		if err := p.Decode(message); err != nil {
			return err
		}
		c.answer(p, now)
	case TypeFileContentsRequest:
		var q FileContentsRequest
		if err := q.Decode(message); err != nil {
			return err
		}
		c.send(FileContentsResponse{StreamID: q.StreamID}.Append(c.buf[:0]))
	default:
		// FORMAT_LIST_RESPONSE: a list the server did not like is followed by another or not, there is nothing to do.
		// What belongs to files (locks, the temporary folder, contents nobody asked for) and what is newer than this:
		// nothing is expected in return.
	}
	return nil
}

// monitorReady answers the server's first message, or its first after a reconnection ([MS-RDPECLIP] 3.1.1.1).
func (c *Client) monitorReady() {
	c.ready = true
	c.asked, c.stale, c.next = 0, false, 0
	c.send(Capabilities{Version: Version2, Flags: CapUseLongFormatNames}.Append(c.buf[:0]))
	c.announce()
}

// announce sends the list of our formats, empty when there is no text or it may not go.
func (c *Client) announce() {
	var list FormatList
	if c.offer != "" && c.may(ToTarget) {
		// Only Unicode: Windows makes CF_TEXT of it in its own code page, which we do not know.
		list.Formats = []Format{{ID: FormatUnicodeText}}
	}
	c.send(list.Append(c.buf[:0], c.long))
}

// Offer makes text ours and announces it; before the server is ready it is announced as soon as it is. Empty text takes
// back what was offered.
func (c *Client) Offer(text string) error {
	if len(text) > desktop.MaxClipboardBytes {
		return fmt.Errorf("%w: %d bytes exceed %d", ErrTooLong, len(text), desktop.MaxClipboardBytes)
	}
	if !c.may(ToTarget) {
		return ErrNotAllowed
	}
	c.offer = strings.ToValidUTF8(text, "\uFFFD")
	if c.ready {
		c.announce()
	}
	return nil
}

// give answers a request for our text.
func (c *Client) give(format uint32) {
	response := FormatDataResponse{}
	if c.offer != "" && c.may(ToTarget) {
		response.Data, response.OK = appendText(nil, format, c.offer, c.unixLines)
	}
	c.send(response.Append(c.buf[:0]))
}

// formatList takes a list of the server's formats.
func (c *Client) formatList(list FormatList, now time.Time) {
	c.send(AppendFormatListResponse(c.buf[:0], true))
	want := uint32(0)
	for _, id := range []uint32{FormatUnicodeText, FormatText} {
		if list.Has(id) {
			want = id
			break
		}
	}
	if want != 0 && !c.may(FromTarget) {
		want = 0
		c.skipped(ErrNotAllowed)
	}
	if c.asked != 0 {
		c.stale, c.next = true, want
		return
	}
	c.ask(want, now)
}

// ask sends a request for text; format 0 is for nothing.
func (c *Client) ask(format uint32, now time.Time) {
	c.asked, c.stale, c.next = format, false, 0
	if format == 0 {
		return
	}
	c.deadline = now.Add(answerTimeout)
	c.send(FormatDataRequest{FormatID: format}.Append(c.buf[:0]))
}

// answered ends the request under way and begins the next one. It tells whether the answer was wanted.
func (c *Client) answered(now time.Time) bool {
	wanted, next := !c.stale, c.next
	if next != 0 && !c.may(FromTarget) {
		next = 0
		c.skipped(ErrNotAllowed)
	}
	c.ask(next, now)
	return wanted
}

// answer takes the text that was asked for. One that nobody waits for is passed over.
func (c *Client) answer(p FormatDataResponse, now time.Time) {
	format := c.asked
	if format == 0 || !c.answered(now) {
		return
	}
	switch {
	case !p.OK:
		c.skipped(ErrFailed)
		return
	case !c.may(FromTarget):
		c.skipped(ErrNotAllowed)
		return
	case len(p.Data) > maxTextBytes:
		c.skipped(fmt.Errorf("%w: %d bytes on the wire exceed %d", ErrTooLong, len(p.Data), maxTextBytes))
		return
	}
	text := textOf(format, p.Data)
	if len(text) > desktop.MaxClipboardBytes {
		c.skipped(fmt.Errorf("%w: %d bytes exceed %d", ErrTooLong, len(text), desktop.MaxClipboardBytes))
		return
	}
	c.cfg.Text(text)
}

// Deadline returns when Expire is due, zero when nothing is waited for.
func (c *Client) Deadline() time.Time {
	if c.asked == 0 {
		return time.Time{}
	}
	return c.deadline
}

// Expire gives up a request whose deadline has passed. Its answer, should it still come, counts as that of the request
// that is then under way, or is passed over.
func (c *Client) Expire(now time.Time) {
	if c.asked == 0 || now.Before(c.deadline) {
		return
	}
	if c.answered(now) {
		c.skipped(ErrNoAnswer)
	}
}

// Skip tells of a message of the server that exceeds MaxMessageBytes and was passed over (svc.ErrTooLong). Nothing but
// text is so long.
func (c *Client) Skip(now time.Time) {
	if c.asked != 0 && c.answered(now) {
		c.skipped(fmt.Errorf("%w: more than %d bytes on the wire", ErrTooLong, MaxMessageBytes))
	}
}

func (c *Client) may(d Direction) bool { return c.cfg.May == nil || c.cfg.May(d) }

func (c *Client) skipped(reason error) {
	if c.cfg.Skipped != nil {
		c.cfg.Skipped(reason)
	}
}

// send passes a message on, and keeps its buffer for the next unless it is large.
func (c *Client) send(message []byte) {
	c.cfg.Send(message)
	if cap(message) <= 4<<10 {
		c.buf = message
	}
}
