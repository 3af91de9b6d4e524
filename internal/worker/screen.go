package worker

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vitrine-psm/vitrine/internal/ocr"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/screentext"
)

// Reading the screen. A worker may not start programs, so serve asks it for what is to be read, has it read by processes made for that, and
// brings back the text, which the worker records. For serve the pictures are bytes, and few of them: it takes the next only when
// the last were read, and not before ScreenInterval has passed.

// ScreenReader reads text in pictures; *ocr.Service is one.
type ScreenReader interface {
	Read(ctx context.Context, pictures []ocr.Picture) ([]ocr.Line, error)
}

// readScreen has what is to be read on the session's screen read until ctx ends or the session does.
func (s *Session) readScreen(ctx context.Context) {
	select {
	case <-s.settled:
	case <-ctx.Done():
		return
	}
	pause, complained := s.cfg.ScreenInterval, time.Time{}
	for {
		// It waits for something to read as long as that takes.
		r, err := s.client.TakeScreen(ctx, &workerpb.TakeScreenRequest{}, grpc.MaxCallRecvMsgSize(maxScreenBytes))
		if err != nil {
			if status.Code(err) != codes.Unavailable && ctx.Err() == nil {
				s.log.Error("screen not read any more", "error", bounded(err.Error()))
			}
			return
		}
		pictures, err := picturesIn(r)
		if err != nil {
			s.log.Error("screen not read any more", "error", err)
			return
		}
		lines, err := s.cfg.Screens.Read(ctx, pictures)
		answer := &workerpb.ScreenReadRequest{Id: r.GetId()}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			answer.Unread = string(recording.UnreadFailed)
			if errors.Is(err, ocr.ErrTimeout) {
				answer.Unread = string(recording.UnreadTimeout)
			}
			if time.Since(complained) > time.Minute {
				s.log.Warn("text on the screen not read", "error", err)
				complained = time.Now()
			}
			pause = min(2*max(pause, time.Second), longestScreenPause)
		default:
			answer.Lines, pause = linesOut(lines), s.cfg.ScreenInterval
		}
		call, cancel := context.WithTimeout(ctx, callTimeout)
		_, err = s.client.ScreenRead(call, answer)
		cancel()
		if err != nil {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// picturesIn reads what a worker, which may have been taken over, wants to have read.
func picturesIn(r *workerpb.TakeScreenResponse) ([]ocr.Picture, error) {
	if n := len(r.GetPictures()); n > ocr.MaxPictures {
		return nil, fmt.Errorf("worker: %d pictures of the screen exceed %d", n, ocr.MaxPictures)
	}
	var pictures []ocr.Picture
	for _, p := range r.GetPictures() {
		pictures = append(pictures, ocr.Picture{Width: int(p.GetWidth()), Height: int(p.GetHeight()), Grey: p.GetGrey()})
	}
	return pictures, ocr.Check(pictures)
}

func linesOut(lines []ocr.Line) (out []*workerpb.ScreenLine) {
	for _, l := range lines {
		out = append(out, &workerpb.ScreenLine{
			Picture: uint32(l.Picture), X: uint32(l.Box.Min.X), Y: uint32(l.Box.Min.Y), Width: uint32(l.Box.Dx()), Height: uint32(l.Box.Dy()), Text: l.Text,
		})
	}
	return out
}

// screen is the worker's side: what is being read, and what was.
type screen struct {
	watcher *screentext.Watcher
	origin  time.Time

	mu     sync.Mutex
	id     uint64
	taken  []screentext.Region  // being read
	recent map[string]time.Time // lines recorded, and when they were seen last
}

// newScreen returns nil for a session whose screen is not read.
func newScreen(req *workerpb.StartRequest, fb *desktop.Framebuffer, origin time.Time) *screen {
	if !req.GetReadScreen() {
		return nil
	}
	return &screen{watcher: screentext.New(fb), origin: origin, recent: map[string]time.Time{}}
}

// TakeScreen implements workerpb.WorkerServer.
func (c *control) TakeScreen(ctx context.Context, _ *workerpb.TakeScreenRequest) (*workerpb.TakeScreenResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	if a.screen == nil {
		return nil, status.Error(codes.FailedPrecondition, "the screen is not read")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	regions, missed, err := a.screen.watcher.Take(ctx)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "the session has ended")
	}
	if missed > 0 {
		a.session.Learned(recording.ScreenUnreadEvent{Reason: recording.UnreadBusy, Count: missed})
	}
	out := &workerpb.TakeScreenResponse{Id: a.screen.took(regions)}
	for i := range regions {
		r := &regions[i]
		out.Pictures = append(out.Pictures, &workerpb.ScreenPicture{Width: uint32(r.Bounds.Dx()), Height: uint32(r.Bounds.Dy()), Grey: r.Grey})
	}
	return out, nil
}

// ScreenRead implements workerpb.WorkerServer.
func (c *control) ScreenRead(_ context.Context, req *workerpb.ScreenReadRequest) (*workerpb.ScreenReadResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	if a.screen == nil {
		return nil, status.Error(codes.FailedPrecondition, "the screen is not read")
	}
	a.session.Learned(a.screen.read(req)...)
	return &workerpb.ScreenReadResponse{}, nil
}

func (s *screen) took(regions []screentext.Region) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id++
	s.taken = make([]screentext.Region, len(regions))
	for i, r := range regions {
		s.taken[i] = screentext.Region{Bounds: r.Bounds, At: r.At} // the pixels are on their way
	}
	return s.id
}

// last is what is to be recorded of a session that ends.
func (s *screen) last() []recording.Event {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.taken) + s.watcher.Left()
	s.taken = nil
	if n == 0 {
		return nil
	}
	return []recording.Event{recording.ScreenUnreadEvent{Reason: recording.UnreadEnded, Count: n}}
}

// read makes events of what was read. Lines that were recorded just before are left out, and lines one below the other are one text.
func (s *screen) read(req *workerpb.ScreenReadRequest) (events []recording.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.taken
	if req.GetId() != s.id || len(taken) == 0 {
		return nil
	}
	s.taken = nil
	if why := req.GetUnread(); why != "" {
		return []recording.Event{recording.ScreenUnreadEvent{Reason: recording.UnreadReason(why), Count: len(taken)}}
	}
	var text strings.Builder
	var box image.Rectangle
	var at time.Time
	height := 0
	end := func() {
		if text.Len() > 0 {
			events = append(events, recording.ScreenEvent{
				Text: text.String(), X: box.Min.X, Y: box.Min.Y, Width: box.Dx(), Height: box.Dy(), ShownUS: max(at.Sub(s.origin).Microseconds(), 0),
			})
		}
		text.Reset()
	}
	for _, l := range req.GetLines() {
		if int(l.GetPicture()) >= len(taken) {
			continue
		}
		r := &taken[l.GetPicture()]
		line := image.Rect(0, 0, int(l.GetWidth()), int(l.GetHeight())).Add(image.Pt(int(l.GetX()), int(l.GetY()))).Add(r.Bounds.Min).Intersect(r.Bounds)
		if !s.fresh(l.GetText(), r.At) {
			continue
		}
		gap := line.Min.Y - box.Max.Y
		below := gap > -height && gap <= 2*max(height, line.Dy()) && line.Min.X < box.Max.X && line.Max.X > box.Min.X
		if text.Len() > 0 && (!below || !r.At.Equal(at) || text.Len()+len(l.GetText()) >= maxScreenText) {
			end()
		}
		if text.Len() == 0 {
			box, at = line, r.At
		} else {
			text.WriteByte('\n')
			box = box.Union(line)
		}
		text.WriteString(l.GetText())
		height = line.Dy()
	}
	end()
	return events
}

// fresh notes a line and reports whether it was not recorded lately: a cursor that blinks beside it makes it no other one.
func (s *screen) fresh(text string, at time.Time) bool {
	before, known := s.recent[text]
	if !known && len(s.recent) >= maxRecentLines {
		for line, when := range s.recent {
			if at.Sub(when) > screenForget {
				delete(s.recent, line)
			}
		}
		if len(s.recent) >= maxRecentLines {
			clear(s.recent) // better twice than not
		}
	}
	s.recent[text] = at
	return !known || at.Sub(before) > screenForget
}
