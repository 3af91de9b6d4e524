// Package watermark draws who is looking over the picture of a desktop, before it is encoded: recordings, browsers, native
// clients and photographs of any of them carry it.
//
// The mark is text, aslant, twice in a tile that repeats over the picture: the person, the minute, and the session's id. Its
// letters are a little lighter than what is below them and their edges a little darker, so that it can be read on every ground and
// hides nothing. It is a desktop.Overlay: only blocks that the target draws are blended, and once a minute those in which the
// time changes.
package watermark

import (
	"context"
	"fmt"
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	// strength is how much of the way to white, or black, the mark goes at most, in 256ths: 14 %.
	strength = 36
	// maxName bounds the person's name in characters.
	maxName = 32
	// timeFormat is the time in the mark, in UTC: photographs travel.
	timeFormat = "2006-01-02 15:04 UTC"
)

// Mark is the mark of one session.
type Mark struct {
	name, session string
	now           func() time.Time
	tile          *tile // on the picture now; nil: none yet. Owned by Run after New
}

// New returns the mark of a session and its person, laid over fb for the present minute.
func New(fb *desktop.Framebuffer, name, session string) (*Mark, error) {
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName-1]) + "…"
	}
	m := &Mark{name: name, session: session, now: time.Now}
	return m, m.lay(fb)
}

// lay brings the mark on fb up to the minute.
func (m *Mark) lay(fb *desktop.Framebuffer) error {
	next, err := newTile([]string{m.name + "  " + m.now().UTC().Format(timeFormat), m.session})
	if err != nil {
		return fmt.Errorf("watermark: %w", err)
	}
	before := m.tile
	m.tile = next
	if before == nil {
		fb.SetOverlay(next, nil)
		return nil
	}
	fb.SetOverlay(next, func(size image.Point) []image.Rectangle { return next.difference(before, size) })
	return nil
}

// Run changes the time in the mark when it changes, until ctx ends.
func (m *Mark) Run(ctx context.Context, fb *desktop.Framebuffer) error {
	for {
		now := m.now()
		timer := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := m.lay(fb); err != nil {
			return err
		}
	}
}
