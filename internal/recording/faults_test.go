package recording

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// Whatever operation of the disk fails, the recorder says so at once, everywhere, and what was durable before is
// recovered.
func TestDiskFails(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		failed := 0
		for n := 1; ; n++ {
			fault, hit := nth(n, errno, errno == syscall.ENOSPC)
			copies := t.TempDir()
			dir := filepath.Join(copies, testID)
			var durable time.Duration // pictures shown before were a second old when the disk failed
			began := false
			bubble(t, func(t *testing.T) {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				rec, err := NewRecorder(dir, SessionInfo{SessionID: testID, StartedAt: time.Now()}, Options{
					FS: spoolfs.Faulty(openFS(t, dir), fault), MinFreeBytes: 1,
				})
				if err != nil {
					if hit() == "" || !errors.Is(err, errno) {
						t.Errorf("%s fails: NewRecorder: %v", hit(), err)
					}
					return
				}
				began = true
				ran := make(chan error, 1)
				go func() { ran <- rec.Run(context.Background()) }()
				clip := newClip(t)
				for rec.Elapsed() < 6*time.Second {
					if rec.WriteUnit(t.Context(), clip.Unit(rec.Elapsed())) != nil || rec.Event(NameEvent{"x"}) != nil {
						break
					}
					time.Sleep(125 * time.Millisecond)
				}
				failedAt := rec.Elapsed()
				sealErr := rec.Seal(testEnd)
				runErr := <-ran
				if hit() == "" {
					if sealErr != nil || runErr != nil {
						t.Errorf("no fault: seal %v, run %v", sealErr, runErr)
					}
					return
				}
				durable = failedAt - time.Second
				if hit() == "close journal.ndjson" && sealErr == nil {
					return // it was read, or closed after the manifest was written: nothing is lost
				}
				var spool *SpoolError
				if !errors.Is(sealErr, errno) || !errors.As(sealErr, &spool) || errors.Is(sealErr, ErrSpoolFull) != (errno == syscall.ENOSPC) {
					t.Errorf("%s fails: seal: %v", hit(), sealErr)
				}
				if failedAt < 6*time.Second && !errors.Is(runErr, errno) {
					t.Errorf("%s fails: Run: %v", hit(), runErr)
				}
				if err := rec.Event(NameEvent{"x"}); err == nil {
					t.Errorf("%s fails: Event still takes", hit())
				}
			})
			if hit() == "" {
				break
			}
			if !began {
				continue
			}
			failed++
			if err := recoverDir(t, dir); err != nil {
				t.Fatalf("%s fails: %v", hit(), err)
			}
			m := manifestOf(t, dir)
			starts, _ := pictures(t, dir, m)
			for at, i := time.Duration(0), 0; at < durable; at, i = at+125*time.Millisecond, i+1 {
				if i >= len(starts) {
					t.Errorf("%s fails at %v: %d pictures kept", hit(), durable+time.Second, len(starts))
					break
				}
			}
		}
		if failed < 60 {
			t.Errorf("%v: %d operations failed only", errno, failed)
		}
	}
}

// lowSpace is a file system with little free.
type lowSpace struct {
	spoolfs.FS
	free *atomic.Uint64
}

func (l lowSpace) Free() (uint64, error) { return l.free.Load(), nil }

// Space running low ends the recording while there is room to seal it: nothing at all is lost.
func TestSpaceRunsLow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir := t.TempDir()
		var free atomic.Uint64
		free.Store(1 << 30)
		rec, err := NewRecorder(dir, SessionInfo{SessionID: testID, StartedAt: time.Now()}, Options{
			FS: lowSpace{openFS(t, dir), &free}, MinFreeBytes: 1 << 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- rec.Run(t.Context()) }()
		clip := newClip(t)
		units := 0
		for ; rec.WriteUnit(t.Context(), clip.Unit(rec.Elapsed())) == nil; units++ {
			if units == 30 {
				free.Store(1<<20 - 1)
			}
			time.Sleep(125 * time.Millisecond)
		}
		if err := <-ran; !errors.Is(err, ErrSpoolFull) {
			t.Errorf("Run: %v, want ErrSpoolFull", err)
		}
		if units < 31 || units > 40 {
			t.Errorf("failed after %d units", units)
		}
		if err := rec.Seal(EndReason{Code: "spool_full"}); err != nil {
			t.Fatal(err)
		}
		m := manifestOf(t, dir)
		if starts, _ := pictures(t, dir, m); len(starts) != units || m.SealedBy != ByWorker || m.End.Code != "spool_full" {
			t.Errorf("%d pictures of %d, manifest %+v", len(starts), units, m)
		}
	})
}

// The session's own share of the spool counts what lies there, not what was uploaded.
func TestSpoolShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{MaxSpoolBytes: 64 << 10})
		fill := func() error {
			for i := range 40 {
				if err := r.rec.Event(ClipboardEvent{Actor: "a", Direction: FromTarget, Text: strings.Repeat("y", 20<<10)}); err != nil {
					return err
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if i < 30 { // uploaded: closed event files leave
					for _, name := range r.closed {
						if kind, _, _ := parseName(name); kind == KindEvents {
							_ = os.Remove(filepath.Join(r.dir, name))
						}
					}
				}
			}
			return nil
		}
		if err := fill(); !errors.Is(err, ErrSpoolFull) {
			t.Errorf("%v, want ErrSpoolFull", err)
		}
		if r.rec.Elapsed() < 300*time.Second {
			t.Errorf("full after %v, while everything was uploaded", r.rec.Elapsed())
		}
	})
}

// A disk that hangs holds neither keys nor, for long, the end of the session up; pictures wait, and their wait ends
// with its context.
func TestDiskHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir := t.TempDir()
		release := make(chan struct{})
		var hang atomic.Bool
		rec, err := NewRecorder(dir, SessionInfo{SessionID: testID, StartedAt: time.Now()}, Options{
			FS: spoolfs.Faulty(openFS(t, dir), func(op spoolfs.Op, _ string) error {
				if op == spoolfs.OpSync && hang.Load() {
					<-release
				}
				return nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- rec.Run(context.Background()) }()
		hang.Store(true)
		clip := newClip(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var bytes int
		for {
			au := clip.Unit(rec.Elapsed())
			au.Data = append(au.Data, make([]byte, 1<<20)...)
			if err = rec.WriteUnit(ctx, au); err != nil {
				break
			}
			bytes += len(au.Data)
			time.Sleep(time.Second)
		}
		if !errors.Is(err, context.DeadlineExceeded) || bytes > maxPendingUnits+4<<20 {
			t.Errorf("WriteUnit: %v after %d bytes", err, bytes)
		}
		before := time.Now()
		for err = nil; err == nil; { // events are bounded too
			err = rec.Event(ClipboardEvent{Text: strings.Repeat("z", 1<<20)})
		}
		if !errors.Is(err, ErrOverflow) || time.Since(before) != 0 {
			t.Errorf("Event: %v after %v", err, time.Since(before))
		}
		if err := rec.Seal(testEnd); !errors.Is(err, ErrSealTimeout) || time.Since(before) != defaultSealTimeout {
			t.Errorf("Seal: %v after %v", err, time.Since(before))
		}
		close(release) // else the bubble would wait for the abandoned goroutine
		<-ran
	})
}
