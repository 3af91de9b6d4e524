package rdpclient

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/cliprdr"
)

// clipboard joins the clipboard's state machine to the connection: messages come from the goroutine that reads, offers from
// the one that sends, and a timer gives up text that never comes.
type clipboard struct {
	s *session

	mu     sync.Mutex
	client *cliprdr.Client
	failed error // of sending
	timer  *time.Timer
	closed bool
}

func newClipboard(s *session, send func(message []byte) error) *clipboard {
	c := &clipboard{s: s}
	c.client = cliprdr.NewClient(cliprdr.Config{
		Send: func(message []byte) { c.failed = errors.Join(c.failed, send(message)) },
		Text: s.cfg.Observer.ClipboardFromTarget,
		Skipped: func(reason error) {
			if !errors.Is(reason, cliprdr.ErrNotAllowed) {
				s.log.Warn("clipboard text of the target passed over", "error", reason)
			}
		},
		May: func(d cliprdr.Direction) bool {
			if d == cliprdr.ToTarget {
				return s.cfg.Clipboard.ToTarget
			}
			return s.cfg.Clipboard.FromTarget
		},
	})
	return c
}

// do calls fn with the state machine to itself, and arms the timer for what it then waits for.
func (c *clipboard) do(fn func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return desktop.ErrNotConnected
	}
	fn()
	if due := c.client.Deadline(); !due.IsZero() {
		if c.timer == nil {
			c.timer = time.AfterFunc(time.Until(due), c.expire)
		} else {
			c.timer.Reset(time.Until(due))
		}
	}
	return c.failed
}

// expire gives up what is waited for, if that is due.
func (c *clipboard) expire() { _ = c.do(func() { c.client.Expire(time.Now()) }) }

// message takes a message of the target. One that makes no sense is passed over: messages do not depend on each other.
func (c *clipboard) message(b []byte) error {
	return c.do(func() {
		if err := c.client.Receive(b, time.Now()); err != nil {
			c.s.log.Warn("clipboard message of the target makes no sense", "error", err)
		}
	})
}

// tooLong is told of a message that exceeds the cap.
func (c *clipboard) tooLong() error { return c.do(func() { c.client.Skip(time.Now()) }) }

// close ends the timer and forgets all texts.
func (c *clipboard) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// offerClipboard gives the target text, when it asks for it.
func (c *staticChannels) offerClipboard(text string) error {
	if c.clipboard == nil || !c.s.cfg.Clipboard.ToTarget {
		return fmt.Errorf("rdpclient: clipboard: %w", desktop.ErrUnsupported)
	}
	var refused error
	if err := c.clipboard.do(func() { refused = c.clipboard.client.Offer(text) }); err != nil {
		return err
	}
	return refused
}
