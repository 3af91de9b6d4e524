package session

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is what the parts of a session saw, in the order they saw it.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// take returns the lines that begin with one of the prefixes, all without any, since the last call of take.
func (j *journal) take(prefixes ...string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := slices.DeleteFunc(j.lines, func(line string) bool {
		return len(prefixes) > 0 && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
	})
	j.lines = nil
	return lines
}

// rig is a session among parts that do as the test says. All of it lives in a synctest bubble.
type rig struct {
	*journal
	t   *testing.T
	s   *Session
	cfg Config

	recorder *fakeRecorder
	hub      *fakeHub
	door     *fakeDoor
	target   *fakeTarget
	conn     net.Conn // the target's end

	stop  context.CancelFunc // as the gateway stops
	ended chan End           // what Run returned
}

// inRig runs test in a bubble with a session in state connecting; options change it before it begins.
func inRig(t *testing.T, test func(r *rig), options ...func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		fb, err := desktop.NewFramebuffer(image.Pt(800, 600))
		if err != nil {
			t.Fatal(err)
		}
		j := new(journal)
		r := &rig{
			journal: j, t: t, ended: make(chan End, 1),
			recorder: &fakeRecorder{journal: j, broken: make(chan error, 1)},
			hub:      &fakeHub{journal: j, units: make(chan *h264.AccessUnit), broken: make(chan error, 1), done: make(chan struct{})},
			door:     &fakeDoor{journal: j, broken: make(chan error, 1)},
			target:   &fakeTarget{journal: j, end: make(chan error, 1), stuck: make(gate, 1), resize: desktop.ErrUnsupported},
		}
		r.cfg = Config{
			Framebuffer: fb, Hub: r.hub, Recorder: r.recorder, Observer: r,
			Policy: Policy{ClipboardToTarget: true, ClipboardFromTarget: true}, Owner: ann.Person,
		}
		for _, o := range options {
			o(r)
		}
		if r.s, err = New(r.cfg); err != nil {
			t.Fatal(err)
		}
		r.s.Attach(r.target, r.door)
		near, far := net.Pipe()
		r.conn = far
		ctx, stop := context.WithCancel(t.Context())
		r.stop = stop
		go func() { r.ended <- r.s.Run(ctx, near) }()
		synctest.Wait()
		defer func() {
			stop()
			<-r.ended
			far.Close()
		}()
		test(r)
	})
}

// connected makes the session active.
func connected(r *rig) {
	r.s.Connected("desk")
	synctest.Wait()
}

// inActive is inRig with a session that is active and controlled by ann, with an empty journal.
func inActive(t *testing.T, test func(r *rig), options ...func(r *rig)) {
	inRig(t, func(r *rig) {
		connected(r)
		r.s.ViewerJoined(ann)
		synctest.Wait()
		r.take()
		test(r)
	}, options...)
}

var (
	ann = Viewer{ID: "v1", Person: Person{"u1", "ann"}, Role: RoleControl, Address: "192.0.2.1"}
	bob = Viewer{ID: "v2", Person: Person{"u2", "bob"}, Role: RoleView}
	cid = Viewer{ID: "v3", Person: Person{"u3", "cid"}, Role: RoleView, Announced: true}
)

// as returns v with another role.
func as(v Viewer, role Role) Viewer {
	v.Role = role
	return v
}

// end waits for the session's end and checks why it came.
func (r *rig) end(want EndCode) End {
	r.t.Helper()
	end := <-r.ended
	r.ended <- end
	if end.Code != want || end.Message == "" {
		r.t.Fatalf("ended with %+v, want code %s and words", end, want)
	}
	return end
}

// running fails the test when the session has ended.
func (r *rig) running() {
	r.t.Helper()
	synctest.Wait()
	select {
	case end := <-r.ended:
		r.t.Fatalf("session ended with %+v", end)
	default:
	}
}

// press is an act of ann that must pass.
func (r *rig) press(in ...desktop.Input) {
	r.t.Helper()
	for _, in := range in {
		if err := r.s.Input(r.t.Context(), ann, in); err != nil {
			r.t.Fatalf("%.80s refused: %v", fmt.Sprint(in), err)
		}
	}
	synctest.Wait()
}

// refused checks that an act of v is refused and does not reach the target.
func (r *rig) refused(want Refusal, v Viewer, in desktop.Input) {
	r.t.Helper()
	r.take()
	if err := r.s.Input(r.t.Context(), v, in); !errors.Is(err, want) {
		r.t.Errorf("%.80s of %s: got %v, want %q", fmt.Sprint(in), v.Person.Name, err, string(want))
	}
	synctest.Wait()
	if sent := r.take("send"); len(sent) > 0 {
		r.t.Errorf("refused, and sent: %q", sent)
	}
}

// want compares lines of the journal.
func (r *rig) want(got []string, want ...string) {
	r.t.Helper()
	if !slices.Equal(got, want) {
		r.t.Errorf("journal:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// StatusChanged implements Observer.
func (r *rig) StatusChanged(s Status) {
	r.add("status %s %s %dx%d %q", s.State, s.End.Code, s.Size.X, s.Size.Y, s.DesktopName)
}

// ViewersChanged implements Observer.
func (r *rig) ViewersChanged(viewers []Viewer) {
	names := []string{}
	for _, v := range viewers {
		names = append(names, v.Person.Name+" "+string(v.Role))
	}
	r.add("viewers %s", strings.Join(names, ", "))
}

// fakeRecorder takes everything until it breaks.
type fakeRecorder struct {
	*journal
	broken chan error // makes Run return

	mu     sync.Mutex
	failed error // makes Event fail
	events []recording.Event
	sealed *recording.EndReason
	units  int
}

func (f *fakeRecorder) Run(ctx context.Context) error {
	select {
	case err := <-f.broken:
		f.breakWith(err)
		return err
	case <-ctx.Done():
		return nil
	}
}

// breakWith makes every event fail from now on.
func (f *fakeRecorder) breakWith(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = err
}

func (f *fakeRecorder) Event(e recording.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.sealed != nil:
		f.add("record after the seal: %+v", e)
		return recording.ErrSealed
	case f.failed != nil:
		return f.failed
	}
	f.events = append(f.events, e)
	f.add("record %s", words(e))
	return nil
}

func (f *fakeRecorder) Seal(end recording.EndReason) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = &end
	f.add("seal %s", end.Code)
	return f.failed
}

func (f *fakeRecorder) WriteUnit(context.Context, *h264.AccessUnit) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.units++
	return f.failed
}

func (f *fakeRecorder) Bytes() uint64 { return 4711 }

// fakeHub hands out the units the test puts in.
type fakeHub struct {
	*journal
	units  chan *h264.AccessUnit
	broken chan error    // makes Run return
	done   chan struct{} // closed when Run has returned
}

func (f *fakeHub) Run(ctx context.Context) error {
	defer close(f.done)
	select {
	case err := <-f.broken:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (f *fakeHub) Serve(ctx context.Context, sink stream.Sink, _ int, full stream.Overflow) error {
	if full != stream.Fail {
		f.add("the recorder may lose pictures")
	}
	for {
		select {
		case au := <-f.units:
			if au == nil {
				return stream.ErrOverflow
			}
			if err := sink.WriteUnit(ctx, au); err != nil {
				return err
			}
		case <-f.done:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fakeHub) FreezeViewers(still bool) { f.add("pictures still %v", still) }

func (f *fakeHub) Stats() stream.Stats {
	return stream.Stats{Frames: 7, Bytes: 8, FPS: 9, BitsPerSecond: 10}
}

// fakeDoor tells what it was told, and lets viewers go as a door does.
type fakeDoor struct {
	*journal
	broken chan error // makes Run return
	leave  func()     // what becomes of the viewers at the end; nil: nothing
}

func (f *fakeDoor) Run(ctx context.Context) error {
	select {
	case err := <-f.broken:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (f *fakeDoor) SetState(state State, end End) {
	f.add("door %s %s", state, end.Code)
	if state == StateEnded && f.leave != nil {
		go f.leave()
	}
}
func (f *fakeDoor) SetName(name string) { f.add("door name %s", name) }
func (f *fakeDoor) Bell()               { f.add("door bell") }

func (f *fakeDoor) SetFreeze(fr *Freeze) {
	if fr == nil {
		f.add("door lets go on")
		return
	}
	f.add("door shows a still of %v by %s: %s", fr.Still.Rect.Size(), fr.By.Name, fr.End.Message)
}

func (f *fakeDoor) SetQuestion(q *Question) {
	if q == nil {
		f.add("door asks nothing")
		return
	}
	f.add("door asks %s at %q: %s, %q, held %v", q.Person.Name, q.Viewer, q.Rules[0].Name, q.Excerpt, q.Held)
}

func (f *fakeDoor) SetControl(c Control) { f.add("door control %s %s", c.Viewer, c.Person.Name) }

func (f *fakeDoor) ShowMessage(m Message) { f.add("door message from %s: %s", m.From.Name, m.Text) }

func (f *fakeDoor) SetWatchers(list []Watcher) {
	var names []string
	for _, w := range list {
		names = append(names, w.Person.Name)
	}
	f.add("door watched by %q", names)
}

func (f *fakeDoor) SetEnding(e Ending) {
	if e.Code == "" {
		f.add("door goes on")
		return
	}
	f.add("door ends %s in %v", e.Code, time.Until(e.Deadline))
}

func (f *fakeDoor) SendClipboard(text string) error {
	f.add("door clipboard %.20s", text)
	return nil
}

// fakeTarget is a target that takes everything, or nothing while it is stuck.
type fakeTarget struct {
	*journal
	end      chan error // makes Run return
	stubborn bool       // Run does not end with its context
	stuck    gate       // held: Send does not return

	mu     sync.Mutex
	refuse error // what Send returns
	resize error // what Resize returns
}

func (f *fakeTarget) Run(ctx context.Context, conn net.Conn, _ *desktop.Framebuffer) error {
	defer conn.Close()
	if f.stubborn {
		return <-f.end
	}
	select {
	case err := <-f.end:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *fakeTarget) Send(in desktop.Input) error {
	f.stuck.Lock()
	defer f.stuck.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse == nil {
		f.add("send %s %.80s", what(in), fmt.Sprintf("%+v", in))
	}
	return f.refuse
}

func (f *fakeTarget) Resize(size image.Point) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add("resize %v", size)
	return f.resize
}

// gate is a mutex that a bubble's clock waits for.
type gate chan struct{}

func (g gate) Lock()   { g <- struct{}{} }
func (g gate) Unlock() { <-g }

func (f *fakeTarget) set(refuse, resize error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse, f.resize = refuse, resize
}

// words is an event on one line.
func words(e recording.Event) string {
	switch e := e.(type) {
	case recording.KeyEvent:
		return fmt.Sprintf("key %s %s %v", e.Actor, e.Key, e.Down)
	case recording.PointerEvent:
		return fmt.Sprintf("pointer %s %s %d at %d,%d", e.Actor, e.Action, e.Buttons, e.X, e.Y)
	case recording.WheelEvent:
		return fmt.Sprintf("wheel %s %d,%d at %d,%d", e.Actor, e.DX, e.DY, e.X, e.Y)
	case recording.TextEvent:
		return fmt.Sprintf("text %s %.20s", e.Actor, e.Text)
	case recording.ClipboardEvent:
		return fmt.Sprintf("clipboard %s %s %.20s", e.Actor, e.Direction, e.Text)
	case recording.ResizeEvent:
		return fmt.Sprintf("resize %s %dx%d", e.Actor, e.Width, e.Height)
	case recording.ViewerJoinEvent:
		return fmt.Sprintf("join %s %s %s %s", e.Actor, e.Viewer, e.Role, e.Address)
	case recording.ViewerLeaveEvent:
		return fmt.Sprintf("leave %s %s: %s", e.Actor, e.Viewer, e.Reason)
	case recording.StateEvent:
		if e.Actor != "" {
			return fmt.Sprintf("state %s %s by %s", e.State, e.Reason, e.Actor)
		}
		return fmt.Sprintf("state %s %s", e.State, e.Reason)
	case recording.ControlEvent:
		if e.From != "" {
			return fmt.Sprintf("control %s %s from %s", e.Action, e.Actor, e.From)
		}
		return fmt.Sprintf("control %s %s", e.Action, e.Actor)
	case recording.FreezeEvent:
		return fmt.Sprintf("freeze %s %s: %s", e.Actor, e.Reason, e.Message)
	case recording.ResumeEvent:
		return "resume " + e.Actor
	case recording.MessageEvent:
		return fmt.Sprintf("message %s %s: %s", e.Action, e.Actor, e.Text)
	case recording.WatchEvent:
		return fmt.Sprintf("watch %s %s announced %v", e.Actor, e.Viewer, e.Announced)
	case recording.RejectedEvent:
		return fmt.Sprintf("rejected %s %s x%d: %s", e.Actor, e.What, e.Count, e.Message)
	case recording.EndingEvent:
		if e.Reason == "" {
			return "ending"
		}
		return fmt.Sprintf("ending %s %v: %s", e.Reason, time.Duration(e.InMillis)*time.Millisecond, e.Message)
	case recording.NameEvent:
		return "name " + e.Name
	case recording.LineEvent:
		return fmt.Sprintf("line %s %q %s", e.Actor, e.Text, e.Ended)
	case recording.AlertEvent:
		return fmt.Sprintf("alert %s %s %s x%d %q", e.Rule, e.Action, e.Source, e.Count, e.Excerpt)
	case recording.JustificationEvent:
		return fmt.Sprintf("justification %s %s %s %q releases %v", e.Rule, e.Answer, e.Actor, e.Text, e.Releases)
	}
	return fmt.Sprintf("%T", e)
}

// key is a key going down or up.
func key(sym rune, down bool) desktop.KeyEvent {
	return desktop.KeyEvent{Keysym: desktop.Keysym(sym), Down: down}
}

func pointer(x, y int, b desktop.Buttons) desktop.PointerEvent {
	return desktop.PointerEvent{Pos: image.Pt(x, y), Buttons: b}
}
