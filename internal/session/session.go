package session

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Config is what a Session is made of. Source and door call the Session, so they come later, by Attach.
type Config struct {
	Framebuffer *desktop.Framebuffer
	Hub         Hub
	Recorder    Recorder // open: nothing happens unrecorded
	Policy      Policy
	// Owner is whose session it is: they are frozen, written to and told who watches.
	Owner Person
	// OrphanTimeout ends a session nobody watches; zero is never.
	OrphanTimeout time.Duration
	// IdleLimit ends a session without input; zero is never. People are warned IdleWarning before.
	IdleLimit, IdleWarning time.Duration
	// FreezeGrace is how long a session that cannot be recorded any more shows why; zero is three seconds.
	FreezeGrace time.Duration
	// Size is asked of the target once it is there; zero leaves it alone.
	Size image.Point
	// Detection is what is watched for.
	Detection Detection
	// Last returns what is to be recorded before the end; nil: nothing. It is called from the loop: it must neither block nor call the
	// Session.
	Last     func() []recording.Event
	Observer Observer // nil: nobody
	Logger   *slog.Logger
}

// Session is one session. Its methods may be called from any goroutine; before Run has begun they wait for it.
type Session struct {
	cfg    Config
	log    *slog.Logger
	loop   *loop
	queue  *queue
	source desktop.Source // set before Run
	door   Door           // set before Run

	connected chan struct{} // closed when the desktop is there
	ending    chan struct{} // closed when it is decided that the session ends
	alone     chan struct{} // closed when the last viewer has heard of the end
	inputs    atomic.Uint64
	viewing   atomic.Int64

	// Owned by the loop.
	status     Status
	ended      End    // why, once ending is closed
	endedBy    Person // who did it; without a name: the gateway
	unrecorded bool   // the recorder has failed
	sealing    bool   // nothing is recorded any more
	told       bool   // viewers have been told of the end, and their leaving is recorded
	leaving    bool   // they are waited for
	asked      string // who asked for a size last
	viewers    []Viewer
	arbiter    *arbiter
	rejections *rejections
	detection  *detection // nil: nothing is detected
	clipboard  *throttle  // from the target
	names      *throttle
	orphan     *time.Timer
	grace      *time.Timer
	idle       idle
	linkLost   bool // the connection to the target is being made anew
	held       *Freeze
	question   *question // nil: nothing is asked
	claim      Viewer    // who has control unless somebody has taken over; no ID: nobody
	messages   []Message // not acknowledged, oldest first
	watching   []joined  // those who watch another's session
	announced  Ending    // from outside, by Announce
	shown      Ending    // what viewers see of both
}

// New returns a Session that is connecting. Run begins it.
func New(cfg Config) (*Session, error) {
	if cfg.Framebuffer == nil || cfg.Hub == nil || cfg.Recorder == nil {
		return nil, errors.New("session: framebuffer, hub and recorder are required")
	}
	if cfg.FreezeGrace == 0 {
		cfg.FreezeGrace = defaultFreezeGrace
	}
	if cfg.Observer == nil {
		cfg.Observer = nobody{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Session{
		cfg: cfg, log: cfg.Logger.With("component", "session"), loop: newLoop(), queue: newQueue(),
		connected: make(chan struct{}), ending: make(chan struct{}), alone: make(chan struct{}),
		status: Status{State: StateConnecting},
	}
	s.detection = newDetection(cfg.Detection, s.record, s.loop.post)
	s.arbiter = newArbiter(cfg.Policy, cfg.Framebuffer.Size, s.record, s.queue)
	s.arbiter.withheld = s.withheld
	s.rejections = newRejections(s.record, s.loop.post)
	s.clipboard = newThrottle(rate.NewLimiter(clipboardRate, clipboardBurst), s.loop.post)
	s.names = newThrottle(rate.NewLimiter(rate.Every(nameInterval), nameBurst), s.loop.post)
	return s, nil
}

type nobody struct{}

func (nobody) StatusChanged(Status)    {}
func (nobody) ViewersChanged([]Viewer) {}

// record notes an event in the recording. A recorder that fails fails the session.
func (s *Session) record(e recording.Event) error {
	if s.sealing {
		return RefusedEnded
	}
	err := s.cfg.Recorder.Event(e)
	if err != nil {
		s.recorderFailed(err)
		return err
	}
	s.detected(e)
	return nil
}

// Learned records what was found out about the session outside of it, such as text on its screen, and lets the rules see it.
func (s *Session) Learned(events ...recording.Event) {
	s.loop.post(func() {
		for _, e := range events {
			if s.record(e) != nil {
				return
			}
		}
	})
}

// recorderFailed freezes the session for good and ends it after the grace. What is shown from now on would not be
// recorded, so nothing is shown.
func (s *Session) recorderFailed(err error) {
	if s.unrecorded || s.sealing {
		return
	}
	s.unrecorded = true
	end := recorderEnd(err)
	s.log.Error("recording failed", "error", err, "code", end.Code)
	if s.status.State == StateConnecting {
		s.end(end) // there is nothing to show
		return
	}
	s.freeze(end)
	s.grace = time.AfterFunc(s.cfg.FreezeGrace, func() { s.loop.post(func() { s.end(end) }) })
}

// setState is the only way from one state to another: it records, shows and tells.
func (s *Session) setState(state State, end End) {
	s.status.State, s.status.End = state, end
	_ = s.record(recording.StateEvent{State: string(state), Reason: string(end.Code), Message: end.Message})
	s.cfg.Observer.StatusChanged(s.status)
}

// freeze blocks input and stops the pictures of all viewers: there are no new ones, or they cannot be recorded.
func (s *Session) freeze(end End) {
	if s.isEnding() {
		return
	}
	s.arbiter.releaseAll()
	s.cfg.Hub.FreezeViewers(true)
	s.setState(StateFrozen, end)
	s.door.SetState(StateFrozen, s.status.End) // of a recorder that failed just now, if it did
	s.log.Warn("session frozen", "code", end.Code, "message", end.Message)
}

// end decides that the session ends. Only the first reason counts.
func (s *Session) end(end End) { s.endBy(Person{}, end) }

// endBy is end by somebody.
func (s *Session) endBy(by Person, end End) {
	if s.isEnding() {
		return
	}
	s.ended, s.endedBy = end.filled(), by
	s.arbiter.releaseAll()
	s.log.Info("session ending", "code", s.ended.Code, "message", s.ended.Message)
	close(s.ending)
}

func (s *Session) isEnding() bool {
	select {
	case <-s.ending:
		return true
	default:
		return false
	}
}

// Terminate ends the session in good order; by without a name is the gateway. The first reason counts. It does not wait for the end.
func (s *Session) Terminate(by Person, end End) { s.loop.post(func() { s.endBy(by, end) }) }

// resume takes input again and shows pictures again.
func (s *Session) resume() error {
	s.setState(StateActive, End{})
	if s.unrecorded {
		return RefusedNotRecorded
	}
	s.cfg.Hub.FreezeViewers(false)
	s.door.SetState(StateActive, End{})
	s.log.Info("session resumed")
	return nil
}

// change runs fn in the loop of a session that has not ended.
func (s *Session) change(ctx context.Context, fn func() error) (err error) {
	if e := s.loop.do(ctx, func() {
		if s.isEnding() {
			err = RefusedEnded
			return
		}
		err = fn()
	}); e != nil {
		return e
	}
	return err
}

// Ping answers when the loop, the picture and the encode loop can be reached: what hangs in one of them keeps it waiting.
func (s *Session) Ping(ctx context.Context) error {
	return s.loop.do(ctx, func() {
		s.cfg.Framebuffer.Size()
		s.cfg.Hub.Stats()
	})
}

// Stats returns the figures of now.
func (s *Session) Stats() Stats {
	h := s.cfg.Hub.Stats()
	return Stats{
		Frames: h.Frames, Bytes: h.Bytes, FrameRate: float64(h.FPS), Bitrate: float64(h.BitsPerSecond),
		InputEvents: s.inputs.Load(), RecordedBytes: s.cfg.Recorder.Bytes(), Viewers: int(s.viewing.Load()),
	}
}

// Connected implements desktop.Observer: the session is active.
func (s *Session) Connected(name string) {
	s.loop.post(func() {
		if s.isEnding() || s.status.State != StateConnecting {
			return
		}
		s.status.Size, s.status.DesktopName = s.cfg.Framebuffer.Size(), name
		s.setState(StateActive, End{})
		if name != "" { // RDP has none
			_ = s.record(recording.NameEvent{Name: name})
			s.door.SetName(name)
		}
		s.watchOrphan()
		s.beginIdle()
		size := s.status.Size
		s.log.Info("session active", "width", size.X, "height", size.Y, "desktop_name", name)
		close(s.connected)
	})
}

// ClipboardFromTarget implements desktop.Observer.
func (s *Session) ClipboardFromTarget(text string) {
	s.loop.post(func() {
		if !s.arbiter.policy.ClipboardFromTarget {
			s.rejections.note("", "clipboard", "Text may not be taken from this desktop.")
			return
		}
		if err := checkText(text, desktop.MaxClipboardBytes); err != nil {
			s.rejections.note("", "clipboard", err.Error())
			return
		}
		s.clipboard.offer(clipboardCost+len(text), func() { s.passClipboard(text) })
	})
}

// passClipboard hands the target's text to the viewer in control, after it was recorded. Without one it goes nowhere.
func (s *Session) passClipboard(text string) {
	if s.arbiter.holder.ID == "" || s.barred(s.arbiter.holder) != nil {
		return
	}
	if s.record(recording.ClipboardEvent{
		Actor: s.arbiter.holder.Person.Name, Direction: recording.FromTarget, Text: text,
	}) != nil {
		return
	}
	if err := s.door.SendClipboard(text); err != nil {
		s.log.Warn("clipboard text not shown", "error", err)
	}
}

// Bell implements desktop.Observer.
func (s *Session) Bell() {
	s.loop.post(func() {
		if s.status.State == StateActive {
			s.door.Bell()
		}
	})
}

// LinkLost implements desktop.LinkObserver: the session is frozen until the connection to the target is there again.
func (s *Session) LinkLost() {
	s.loop.post(func() {
		if s.status.State == StateConnecting || s.isEnding() {
			return
		}
		s.linkLost = true
		if s.question != nil {
			s.question.act, s.question.Held = nil, false // what it would do to another session of the target nobody knows
			s.showQuestion()
		}
		if s.status.State == StateActive {
			s.freeze(NewEnd(EndTargetReconnecting, ""))
		} else {
			s.arbiter.releaseAll() // of a supervisor who acts in a frozen session
		}
	})
}

// LinkRestored implements desktop.LinkObserver. A session that is frozen for another reason meanwhile stays so.
func (s *Session) LinkRestored() {
	s.loop.post(func() {
		if s.isEnding() || !s.linkLost {
			return
		}
		s.linkLost = false
		switch {
		case s.unrecorded:
		case s.held != nil:
			s.cfg.Hub.FreezeViewers(false) // those who may still see it
		case s.status.State == StateFrozen:
			_ = s.resume() // a recording that cannot go on has frozen the session again
		}
	})
}

// Renamed implements desktop.Observer.
func (s *Session) Renamed(name string) {
	if len(name) > desktop.MaxNameBytes {
		name = strings.ToValidUTF8(name[:desktop.MaxNameBytes], "")
	}
	s.loop.post(func() {
		s.names.offer(1, func() {
			if s.isEnding() || name == s.status.DesktopName {
				return
			}
			s.status.DesktopName = name
			_ = s.record(recording.NameEvent{Name: name})
			s.cfg.Observer.StatusChanged(s.status)
			s.door.SetName(name)
		})
	})
}

// resized notes that pictures have another size from now on.
func (s *Session) resized(size image.Point) {
	s.loop.post(func() {
		if s.isEnding() || size == s.status.Size {
			return
		}
		s.status.Size = size
		_ = s.record(recording.ResizeEvent{Actor: s.asked, Width: size.X, Height: size.Y})
		s.asked = ""
		s.cfg.Observer.StatusChanged(s.status)
	})
}
