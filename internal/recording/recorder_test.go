package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// A session with minutes of stillness is as long as the wall clock says, to the tick, and ffprobe agrees.
func TestDurationsMatchTheWallClock(t *testing.T) {
	root := t.TempDir()
	var want time.Duration
	units := 0
	bubble(t, func(t *testing.T) {
		r := newRigIn(t, root, testID, Options{})
		time.Sleep(300 * time.Millisecond)
		r.typing(4700 * time.Millisecond)
		time.Sleep(7 * time.Minute) // still
		r.clip.IDR()
		r.picture()
		time.Sleep(41*time.Minute + 123*time.Millisecond)
		r.picture()
		time.Sleep(90 * time.Second)
		want = r.rec.Elapsed()
		r.seal()
		units = 38 + 2
	})
	dir := filepath.Join(root, testID)
	m := manifestOf(t, dir)
	starts, end := pictures(t, dir, m)
	if len(starts) != units {
		t.Errorf("%d pictures, want %d", len(starts), units)
	}
	if m.Duration != toTicks(want) || end != m.Duration {
		t.Errorf("duration %d, pictures end at %d, want %d", m.Duration, end, toTicks(want))
	}
	if m.SealedBy != ByWorker || m.End != testEnd || !m.EndedAt.Equal(m.StartedAt.Add(m.Duration.Duration())) {
		t.Errorf("manifest %+v", m)
	}
	rec := openRecording(t, root, nil)
	path := exportOf(t, rec)
	duration, packets := ffprobe(t, path)
	if packets != units || math.Abs(duration-want.Seconds()) > 0.001 {
		t.Errorf("ffprobe sees %d packets in %v s, want %d in %v", packets, duration, units, want)
	}
	decode(t, path)
}

func TestSegmentsAndEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.event(StateEvent{State: "connecting"})
		r.typing(10 * time.Second)
		r.clip.Resize()
		r.event(ResizeEvent{Width: 112, Height: 80})
		r.typing(time.Second)
		r.clip.Resize()
		r.typing(6 * time.Second)
		r.seal()
		m := manifestOf(t, r.dir)
		pictures(t, r.dir, m)
		var names []string
		for _, e := range m.Files {
			names = append(names, e.Name)
			if e.Kind == KindSegment {
				names[len(names)-1] += fmt.Sprintf(" %s %.3f %t", e.Init, e.Start.Duration().Seconds(), e.Sync)
			}
		}
		want := []string{
			"session.json", "init-000000.mp4",
			"seg-000000.m4s init-000000.mp4 0.000 true", "seg-000001.m4s init-000000.mp4 4.000 false",
			"seg-000002.m4s init-000000.mp4 8.000 false", "init-000001.mp4", "seg-000003.m4s init-000001.mp4 10.000 true",
			"init-000002.mp4", // the first size again
			"seg-000004.m4s init-000002.mp4 11.000 true", "seg-000005.m4s init-000002.mp4 15.000 false", "events-000000.ndjson",
		}
		if !slices.Equal(names, want) {
			t.Errorf("files\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
		}
		if events := eventsOf(t, r.dir, m); len(events) != 1+80+1+8+48 || events[0]["kind"] != "state" || events[81]["width"] != 112.0 || events[81]["t_us"] != 1e7 {
			t.Errorf("%d events: %v, %v", len(events), events[0], events[81])
		}
		if closed := append(r.closed[:0:0], r.closed...); len(closed) != len(m.Files)+1 || closed[len(closed)-1] != manifestFile {
			t.Errorf("told of %v", closed)
		}
	})
}

func TestEventFilesCloseByAgeAndSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		time.Sleep(flushInterval / 2) // between two writes
		r.event(NameEvent{Name: "desk"})
		time.Sleep(chunkAge + flushInterval)
		for range 3 {
			r.event(ClipboardEvent{Actor: "alice", Direction: ToTarget, Text: strings.Repeat("x", chunkBytes)})
			time.Sleep(flushInterval)
		}
		r.event(NameEvent{Name: "other"})
		r.seal()
		m := manifestOf(t, r.dir)
		var counts []int
		for _, e := range m.Files {
			if e.Kind == KindEvents {
				counts = append(counts, e.Count)
			}
		}
		if !slices.Equal(counts, []int{1, 1, 1, 1, 1}) {
			t.Errorf("events by file: %v", counts)
		}
	})
}

// Whatever moment a worker is killed at, what was a second old is kept, and the recording reaches to within two
// seconds of the end, however long the picture had stood still.
func TestKilledAtAnyTime(t *testing.T) {
	for _, still := range []time.Duration{0, time.Second, 5 * time.Second, 3 * time.Hour} {
		for offset := time.Duration(0); offset < 1500*time.Millisecond; offset += 130 * time.Millisecond {
			copies := t.TempDir()
			var shown []time.Duration
			var dir string
			var now time.Duration
			bubble(t, func(t *testing.T) {
				r := newRig(t, Options{})
				for range 40 {
					shown = append(shown, r.rec.Elapsed())
					r.picture()
					r.event(KeyEvent{Actor: "alice", Key: "x", Keysym: 'x', Down: true})
					time.Sleep(210 * time.Millisecond)
				}
				time.Sleep(still + offset)
				synctest.Wait()
				dir, now = r.copyTo(copies), r.rec.Elapsed()
			})
			if err := Recover(dir, workerGone, time.Now()); err != nil {
				t.Fatalf("still %v: %v", still+offset, err)
			}
			m := manifestOf(t, dir)
			starts, end := pictures(t, dir, m)
			kept := 0
			for _, at := range shown {
				if now-at >= time.Second {
					kept++
				}
			}
			if len(starts) < kept || len(starts) > len(shown) {
				t.Errorf("still %v: %d pictures kept, %d were a second old", still+offset, len(starts), kept)
			}
			if n := len(eventsOf(t, dir, m)); n < kept {
				t.Errorf("still %v: %d events kept, %d were a second old", still+offset, n, kept)
			}
			if lost := now - end.Duration(); lost > 2*time.Second || lost < -time.Millisecond {
				t.Errorf("still %v: the last %v are missing", still+offset, lost)
			}
			if m.SealedBy != ByRecovery || m.End != workerGone || m.Duration != end {
				t.Errorf("manifest %+v", m)
			}
		}
	}
}

func TestIDRRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		asked := func() int {
			r.mu.Lock()
			defer r.mu.Unlock()
			n := r.idrs
			r.idrs = 0
			return n
		}
		feed := func(size int, d time.Duration) {
			t.Helper()
			for end := r.rec.Elapsed() + d; r.rec.Elapsed() < end; time.Sleep(time.Second) {
				au := r.clip.Unit(r.rec.Elapsed())
				if !au.IDR {
					au.Data = append([]byte{0, 0, 0, 1, 0x41}, bytes.Repeat([]byte{0x55}, size)...)
				}
				if err := r.rec.WriteUnit(t.Context(), au); err != nil {
					t.Fatal(err)
				}
			}
		}
		feed(0, time.Second)
		idr := len(newClip(t).Unit(0).Data)
		feed(20, 59*time.Second)
		if n := asked(); n != 0 {
			t.Errorf("%d requests within a minute", n)
		}
		feed(20, 5*time.Second) // nobody answers: asked again, not at every picture
		if n := asked(); n != 3 {
			t.Errorf("%d requests in 5 s after a minute, want 3", n)
		}
		r.clip.IDR()
		feed(0, time.Second)
		feed(idr, 9*time.Second) // more than twice the IDR's bytes, but not 10 s yet
		if n := asked(); n != 0 {
			t.Errorf("%d requests within 10 s", n)
		}
		feed(idr, time.Second)
		if n := asked(); n != 1 {
			t.Errorf("%d requests after 10 s and much change, want 1", n)
		}
		r.clip.IDR()
		feed(0, time.Second)
		time.Sleep(13 * time.Hour)
		if n := asked(); n != 2 {
			t.Errorf("%d requests in 13 hours of stillness, want 2", n)
		}
		r.seal()
	})
}

func TestPicturesOutOfOrder(t *testing.T) {
	for name, feed := range map[string]func(r *rig) error{
		"first is no IDR": func(r *rig) error {
			r.clip.Unit(0)
			return r.rec.WriteUnit(t.Context(), r.clip.Unit(0))
		},
		"gap": func(r *rig) error {
			r.picture()
			r.clip.Unit(0)
			return r.rec.WriteUnit(t.Context(), r.clip.Unit(r.rec.Elapsed()))
		},
		"time goes back": func(r *rig) error {
			time.Sleep(time.Second)
			r.picture()
			return r.rec.WriteUnit(t.Context(), r.clip.Unit(0))
		},
	} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Options{})
			if err := feed(r); !errors.Is(err, ErrOrder) {
				t.Errorf("%s: %v, want ErrOrder", name, err)
			}
			if err := <-r.ran; !errors.Is(err, ErrOrder) {
				t.Errorf("%s: Run returned %v, want ErrOrder", name, err)
			}
			if err := r.rec.Event(NameEvent{}); !errors.Is(err, ErrOrder) {
				t.Errorf("%s: Event returned %v, want ErrOrder", name, err)
			}
			// The disk is sound: what came before is sealed.
			if err := r.rec.Seal(testEnd); err != nil {
				t.Errorf("%s: seal: %v", name, err)
			}
			manifestOf(t, r.dir)
		})
	}
}

// Two pictures within one tick, and one shown before the duration of the one before was last brought up to date.
func TestCloseTimes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		for _, pts := range []time.Duration{0, 0, time.Microsecond, 100 * time.Millisecond} {
			if err := r.rec.WriteUnit(t.Context(), r.clip.Unit(pts)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		late := r.rec.Elapsed() - time.Second // encoding took a second
		if err := r.rec.WriteUnit(t.Context(), r.clip.Unit(late)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.seal()
		starts, end := pictures(t, r.dir, manifestOf(t, r.dir))
		if want := []Ticks{0, 1, 2, 9000, toTicks(late)}; !slices.Equal(starts, want) || end != toTicks(6*time.Second) {
			t.Errorf("pictures at %v, end %d; want %v", starts, end, want)
		}
	})
}

func TestSealTwiceAndAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.picture()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := r.rec.Seal(testEnd); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := r.rec.WriteUnit(t.Context(), r.clip.Unit(r.rec.Elapsed())); !errors.Is(err, ErrSealed) {
			t.Errorf("WriteUnit: %v, want ErrSealed", err)
		}
		if err := r.rec.Event(NameEvent{}); !errors.Is(err, ErrSealed) {
			t.Errorf("Event: %v, want ErrSealed", err)
		}
		if err := Recover(r.dir, workerGone, time.Now()); err != nil {
			t.Errorf("Recover of a sealed folder: %v", err)
		}
		if m := manifestOf(t, r.dir); m.SealedBy != ByWorker {
			t.Errorf("sealed by %s", m.SealedBy)
		}
	})
}

func TestWithoutPictures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		time.Sleep(time.Second)
		r.event(StateEvent{State: "ended", Reason: "target_auth_failed"})
		r.seal()
		if m := manifestOf(t, r.dir); len(m.Files) != 2 || m.Duration != toTicks(time.Second) {
			t.Errorf("manifest %+v", m)
		}
	})
}

func TestFolderInUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		if _, err := NewRecorder(r.dir, SessionInfo{}, Options{}); !errors.Is(err, spoolfs.ErrLocked) {
			t.Errorf("second recorder: %v, want ErrLocked", err)
		}
		if err := Recover(r.dir, workerGone, time.Now()); !errors.Is(err, ErrRunning) {
			t.Errorf("Recover: %v, want ErrRunning", err)
		}
		r.seal()
		if _, err := NewRecorder(r.dir, SessionInfo{}, Options{}); !errors.Is(err, os.ErrExist) {
			t.Errorf("recorder in a used folder: %v, want ErrExist", err)
		}
	})
}

// Many goroutines, the real clock: for the race detector.
func TestConcurrentUse(t *testing.T) {
	r := newRig(t, Options{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				r.event(PointerEvent{Actor: "alice", X: i, Action: PointerDown})
			}
		})
	}
	wg.Go(func() {
		for range 100 {
			r.picture()
		}
	})
	wg.Wait()
	r.seal()
	m := manifestOf(t, r.dir)
	events := eventsOf(t, r.dir, m)
	if len(events) != 800 || !slices.IsSortedFunc(events, func(a, b map[string]any) int { return int(a["t_us"].(float64) - b["t_us"].(float64)) }) {
		t.Errorf("%d events, or not in order", len(events))
	}
	if starts, _ := pictures(t, r.dir, m); len(starts) != 100 {
		t.Errorf("%d pictures", len(starts))
	}
}

// An idle hour costs nothing, a typed hour little more than its pictures.
func TestOverhead(t *testing.T) {
	var idle, typed, payload int64
	size := func(dir string) (n int64) {
		for _, e := range manifestOf(t, dir).Files {
			n += e.Size
		}
		return n
	}
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.picture()
		time.Sleep(time.Hour)
		r.seal()
		idle = size(r.dir)
	})
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		for r.rec.Elapsed() < time.Hour {
			au := r.clip.Unit(r.rec.Elapsed())
			payload += int64(len(au.Data))
			if err := r.rec.WriteUnit(context.Background(), au); err != nil {
				t.Fatal(err)
			}
			time.Sleep(125 * time.Millisecond)
		}
		r.seal()
		typed = size(r.dir)
	})
	t.Logf("idle: %d bytes an hour; 8 pictures a second: %d bytes an hour over the pictures' own", idle, typed-payload)
	if idle > 10_000 || typed-payload > 1_000_000 {
		t.Errorf("idle %d bytes, overhead of typing %d bytes", idle, typed-payload)
	}
}
