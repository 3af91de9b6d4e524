package worker

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/ocr"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/screentext"
)

// reader reads as the test says.
type reader struct {
	mu    sync.Mutex
	calls int
	read  func(ctx context.Context, call int, pictures []ocr.Picture) ([]ocr.Line, error)
}

func (r *reader) Read(ctx context.Context, pictures []ocr.Picture) ([]ocr.Line, error) {
	r.mu.Lock()
	r.calls++
	n := r.calls
	r.mu.Unlock()
	return r.read(ctx, n, pictures)
}

// recorded returns the lines of one kind in the event files of a session that is over.
func (r *rig) recorded(id, kind string) (lines []string) {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.spool, id, "events-*.ndjson"))
	require.NoError(r.t, err)
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(r.t, err)
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, `"kind":"`+kind+`"`) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// stripes draws something that looks like a line of text.
func stripes(d *desktopTarget, y, step int) {
	for x := 20; x < 200; x += step {
		d.Fill(image.Rect(x, y, x+3, y+10), color.NRGBA{0, 0, 0, 255})
	}
}

// TestScreenIsRead: what the reader says of the pictures of a session is in its recording, at the place where it was; failures are noted and
// nothing else happens.
func TestScreenIsRead(t *testing.T) {
	d := startTarget(t, demotarget.Options{Size: image.Pt(640, 480), Name: "Desk"})
	d.Fill(image.Rect(0, 0, 640, 480), color.NRGBA{255, 255, 255, 255})
	wrong := []error{nil, ocr.ErrTimeout, ocr.ErrUnavailable}
	text := &reader{read: func(_ context.Context, call int, pictures []ocr.Picture) ([]ocr.Line, error) {
		if err := wrong[min(call, len(wrong))-1]; err != nil {
			return nil, err
		}
		var lines []ocr.Line
		for i := range pictures {
			lines = append(lines, ocr.Line{Picture: i, Box: image.Rect(1, 1, pictures[i].Width, pictures[i].Height), Text: fmt.Sprintf("read %d", call)})
		}
		return lines, nil
	}}
	r := newRig(t, func(c *ManagerConfig) { c.Screens, c.ScreenInterval = text, time.Millisecond })
	s := r.create(d.addr, func(req *CreateRequest) { req.ReadScreen = true })
	calls := func() int { text.mu.Lock(); defer text.mu.Unlock(); return text.calls }
	for n := 1; n <= len(wrong); n++ {
		stripes(d, 300, 5+n)
		eventually(t, "nothing is read", func() bool { return calls() >= n })
	}
	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.End{Code: session.EndUserDisconnected, Message: "done"}))
	require.Equal(t, session.EndUserDisconnected, r.gone(s).Code)
	require.Contains(t, strings.Join(r.recorded(s.ID(), "screen"), ""), `"text":"read 1`)
	unread := strings.Join(r.recorded(s.ID(), "screen_unread"), "")
	require.Contains(t, unread, `"reason":"timeout"`)
	code, sealedBy := r.manifest(s.ID())
	require.Equal(t, "worker", sealedBy)
	require.Equal(t, "user_disconnected", code)

	s = r.create(d.addr)
	before := calls()
	stripes(d, 100, 9)
	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.End{Code: session.EndUserDisconnected, Message: "done"}))
	r.gone(s)
	require.Equal(t, before, calls(), "nobody wanted that")
}

// TestReaderHangs: a reader that never answers holds up neither the session nor its end.
func TestReaderHangs(t *testing.T) {
	d := startTarget(t, demotarget.Options{Size: image.Pt(640, 480), Name: "Desk"})
	asked := make(chan struct{}, 1)
	text := &reader{read: func(ctx context.Context, _ int, _ []ocr.Picture) ([]ocr.Line, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}}
	r := newRig(t, func(c *ManagerConfig) { c.Screens = text })
	s := r.create(d.addr, func(req *CreateRequest) { req.ReadScreen = true })
	d.Fill(image.Rect(0, 0, 640, 480), color.NRGBA{255, 255, 255, 255})
	stripes(d, 300, 6)
	eventually(t, "nothing is read", func() bool { return len(asked) > 0 })
	b := watch(t, s, session.RoleControl)
	b.works(d)
	require.NoError(t, s.Terminate(t.Context(), session.Person{}, session.End{Code: session.EndUserDisconnected, Message: "done"}))
	require.Equal(t, session.EndUserDisconnected, r.gone(s).Code)
	require.Contains(t, strings.Join(r.recorded(s.ID(), "screen_unread"), ""), `"reason":"ended"`)
}

func TestPicturesAreNotBelieved(t *testing.T) {
	good := &workerpb.ScreenPicture{Width: 4, Height: 2, Grey: make([]byte, 8)}
	got, err := picturesIn(&workerpb.TakeScreenResponse{Pictures: []*workerpb.ScreenPicture{good}})
	require.NoError(t, err)
	require.Len(t, got, 1)
	for _, bad := range [][]*workerpb.ScreenPicture{
		nil, make([]*workerpb.ScreenPicture, ocr.MaxPictures+1), {{Width: 4, Height: 2, Grey: make([]byte, 7)}}, {{Width: 1 << 31, Height: 1 << 31}}, {{}},
	} {
		_, err := picturesIn(&workerpb.TakeScreenResponse{Pictures: bad})
		require.Error(t, err)
	}
}

// TestScreenEvents: lines become texts, with their places on the desktop.
func TestScreenEvents(t *testing.T) {
	fb, err := desktop.NewFramebuffer(image.Pt(640, 480))
	require.NoError(t, err)
	origin := time.Now()
	require.Nil(t, newScreen(&workerpb.StartRequest{}, fb, origin))
	s := newScreen(&workerpb.StartRequest{ReadScreen: true}, fb, origin)
	at := origin.Add(3 * time.Second)
	take := func(bounds ...image.Rectangle) uint64 {
		var regions []screentext.Region
		for _, b := range bounds {
			regions = append(regions, screentext.Region{Bounds: b, At: at, Grey: make([]byte, b.Dx()*b.Dy())})
		}
		return s.took(regions)
	}
	line := func(picture int, text string, b image.Rectangle) *workerpb.ScreenLine {
		return linesOut([]ocr.Line{{Picture: picture, Box: b, Text: text}})[0]
	}
	all := image.Rect(0, 0, 100, 10)
	id := take(image.Rect(10, 20, 110, 30), image.Rect(10, 33, 110, 43), image.Rect(300, 33, 400, 43), image.Rect(10, 300, 110, 400))
	require.Equal(t, []recording.Event{
		recording.ScreenEvent{Text: "one\ntwo", X: 10, Y: 20, Width: 100, Height: 23, ShownUS: 3e6},
		recording.ScreenEvent{Text: "beside", X: 300, Y: 33, Width: 100, Height: 10, ShownUS: 3e6},
		recording.ScreenEvent{Text: "below\nand more", X: 10, Y: 305, Width: 100, Height: 22, ShownUS: 3e6},
	}, s.read(&workerpb.ScreenReadRequest{Id: id, Lines: []*workerpb.ScreenLine{
		line(0, "one", all), line(1, "two", all), line(2, "beside", all), line(3, "below", all.Add(image.Pt(0, 5))), line(3, "and more", all.Add(image.Pt(0, 17))),
		line(9, "nowhere", all),
	}}))
	require.Empty(t, s.read(&workerpb.ScreenReadRequest{Id: id, Lines: []*workerpb.ScreenLine{line(0, "again", all)}}), "these were answered")

	id = take(all)
	require.Empty(t, s.read(&workerpb.ScreenReadRequest{Id: id, Lines: []*workerpb.ScreenLine{line(0, "one", all)}}), "recorded just before")
	at = at.Add(screenForget + time.Second)
	id = take(all)
	require.Len(t, s.read(&workerpb.ScreenReadRequest{Id: id, Lines: []*workerpb.ScreenLine{line(0, "one", all)}}), 1)
	id = take(all, all)
	require.Equal(t, []recording.Event{recording.ScreenUnreadEvent{Reason: recording.UnreadTimeout, Count: 2}}, s.read(&workerpb.ScreenReadRequest{Id: id, Unread: "timeout"}))
	require.Empty(t, s.last())
	take(all)
	require.Equal(t, []recording.Event{recording.ScreenUnreadEvent{Reason: recording.UnreadEnded, Count: 1}}, s.last())
	require.Empty(t, s.last())

	for i := range 3 * maxRecentLines {
		s.fresh(fmt.Sprint(i), at)
	}
	require.LessOrEqual(t, len(s.recent), maxRecentLines)
	id = take(image.Rect(0, 0, 100, 100))
	long := strings.Repeat("x", ocr.MaxLineBytes-4)
	var lines []*workerpb.ScreenLine
	for i := range 30 {
		lines = append(lines, line(0, fmt.Sprintf("%s%d", long, i), image.Rect(0, 3*i, 100, 3*i+3)))
	}
	events := s.read(&workerpb.ScreenReadRequest{Id: id, Lines: lines})
	require.Greater(t, len(events), 2)
	for _, e := range events {
		require.LessOrEqual(t, len(e.(recording.ScreenEvent).Text), maxScreenText+ocr.MaxLineBytes)
	}
}
