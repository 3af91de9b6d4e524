package recording

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// killed returns the folder of a worker that was killed in the middle of its work, with an open segment and an open
// event file.
func killed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	var dir string
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.typing(6 * time.Second)
		synctest.Wait()
		dir = r.copyTo(root)
	})
	for _, name := range []string{"seg-000001.m4s", "events-000000.ndjson"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// folderState is a folder's files in memory.
type folderState map[string][]byte

func load(t testing.TB, dir string) folderState {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := folderState{}
	for _, e := range list {
		if s[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s folderState) store(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "spool")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range s {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (s folderState) with(name string, b []byte) folderState {
	c := maps.Clone(s)
	c[name] = b
	return c
}

func recoverDir(t testing.TB, dir string) error {
	t.Helper()
	fsys := openFS(t, dir)
	return errors.Join(recoverSpool(fsys, workerGone, time.Now()), fsys.Close())
}

// A tail cut off at any byte leaves a recording that verifies and plays up to the cut.
func TestRecoverTornTail(t *testing.T) {
	whole := load(t, killed(t))
	for _, name := range []string{"seg-000001.m4s", "events-000000.ndjson", journalFile} {
		b := whole[name]
		// Every byte of the journal's last lines; the others in steps that are prime to the sizes of boxes and lines.
		step := map[string]int{"seg-000001.m4s": 23, "events-000000.ndjson": 11, journalFile: 3}[name]
		if testing.Short() {
			step *= 5
		}
		before := -1
		for n := 0; n <= len(b); n += step {
			for _, filled := range []bool{false, true} {
				torn := bytes.Clone(b[:n])
				if filled { // a power cut: the length is there, the bytes are not
					torn = append(torn, make([]byte, min(len(b)-n, 500))...)
				}
				dir := whole.with(name, torn).store(t)
				if err := recoverDir(t, dir); err != nil {
					if filled && name == journalFile && strings.Contains(err.Error(), journalFile) {
						continue // zeros in the middle of the journal are damage, not a torn tail: refused
					}
					t.Fatalf("%s cut at %d, filled %t: %v", name, n, filled, err)
				}
				m := manifestOf(t, dir)
				starts, _ := pictures(t, dir, m)
				if !filled && len(starts) < before {
					t.Fatalf("%s cut at %d: %d pictures, %d with less of it", name, n, len(starts), before)
				}
				if !filled && name != journalFile {
					before = len(starts)
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestRecoverFindsWhatTheWorkerWrote(t *testing.T) {
	dir := killed(t)
	whole := load(t, dir)
	if err := Recover(dir, EndReason{"worker_killed", "The worker was killed."}, time.Now()); err != nil {
		t.Fatal(err)
	}
	m := manifestOf(t, dir)
	if m.End.Code != "worker_killed" || m.SealedBy != ByRecovery {
		t.Errorf("manifest %+v", m)
	}
	starts, _ := pictures(t, dir, m)
	events := eventsOf(t, dir, m)
	if len(starts) < 42 || len(events) < 42 {
		t.Errorf("%d pictures and %d events of 48", len(starts), len(events))
	}
	after := load(t, dir)
	for name, b := range whole {
		if name != journalFile && name != "seg-000001.m4s" && !bytes.Equal(after[name], b) {
			t.Errorf("%s was changed", name)
		}
	}
	// Again: nothing changes.
	if err := Recover(dir, workerGone, time.Now()); err != nil {
		t.Fatal(err)
	}
	if again := load(t, dir); !bytes.Equal(again[manifestFile], after[manifestFile]) {
		t.Error("the second recovery wrote another manifest")
	}
	rec := openRecording(t, filepath.Dir(dir), nil)
	decode(t, exportOf(t, rec))
}

// The last picture lasts until the last event: it was on the screen when that happened.
// The size came back just before the worker was killed: what was open is of the size it was coded with, for those who
// replay it and for those who seal it.
func TestOpenSegmentAfterTheSizeCameBack(t *testing.T) {
	root := t.TempDir()
	var dir string
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		for range 2 {
			r.typing(2 * time.Second)
			r.clip.Resize()
		}
		r.typing(2 * time.Second)
		synctest.Wait()
		dir = r.copyTo(root)
		x := r.index()
		for i, s := range x.Segments {
			init := x.Inits[slices.IndexFunc(x.Inits, func(in IndexInit) bool { return in.Name == s.Init })]
			if want := []int{160, 112, 160}[i]; init.Width != want || s.Open != (i == 2) {
				t.Errorf("replayed: segment %+v of width %d, want %d", s, init.Width, want)
			}
		}
		if len(x.Segments) != 3 {
			t.Errorf("%d segments in the index", len(x.Segments))
		}
	})
	if err := Recover(dir, EndReason{Code: "worker_crashed"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	m := manifestOf(t, dir)
	pictures(t, dir, m)
	width := map[string]int{}
	var got []int
	for _, e := range m.Files {
		switch e.Kind {
		case KindInit:
			width[e.Name] = e.Width
		case KindSegment:
			got = append(got, width[e.Init])
		case KindSession, KindEvents:
		}
	}
	if !slices.Equal(got, []int{160, 112, 160}) {
		t.Errorf("sealed: segments of the widths %v", got)
	}
}

func TestRecoverExtendsToTheLastEvent(t *testing.T) {
	whole := load(t, killed(t))
	late := []byte(`{"t_us":9000000,"kind":"name","name":"x"}` + "\n")
	dir := whole.with("events-000000.ndjson", append(bytes.Clone(whole["events-000000.ndjson"]), late...)).store(t)
	if err := recoverDir(t, dir); err != nil {
		t.Fatal(err)
	}
	m := manifestOf(t, dir)
	if _, end := pictures(t, dir, m); end != toTicks(9*time.Second) || m.Duration != end {
		t.Errorf("pictures end at %v, the recording at %v", end.Duration(), m.Duration.Duration())
	}
}

func TestRecoverRefuses(t *testing.T) {
	whole := load(t, killed(t))
	lines := bytes.SplitAfter(whole[journalFile], []byte("\n"))
	for name, c := range map[string]struct {
		state   folderState
		corrupt string
		want    error
	}{
		"nothing there":        {folderState{}, "", ErrNotFound},
		"session.json damaged": {whole.with(sessionFile, []byte("{")), sessionFile, nil},
		"later format":         {whole.with(sessionFile, []byte(`{"format":3}`)), "", ErrFormatVersion},
		"journal damaged":      {whole.with(journalFile, bytes.Join([][]byte{lines[0], []byte("{}\n"), lines[1]}, nil)), journalFile, nil},
	} {
		dir := c.state.store(t)
		err := recoverDir(t, dir)
		var corrupt *CorruptError
		if c.want != nil && !errors.Is(err, c.want) || c.corrupt != "" && (!errors.As(err, &corrupt) || corrupt.File != c.corrupt) {
			t.Errorf("%s: %v", name, err)
		}
		for file, b := range load(t, dir) {
			if !bytes.Equal(b, c.state[file]) {
				t.Errorf("%s: %s was changed", name, file)
			}
		}
	}
}

// nth makes operation n, counted from 1, and every later one of its kind fail when sticky.
func nth(n int, err error, sticky bool) (fault spoolfs.Fault, hit func() string) {
	count, where := 0, ""
	var op spoolfs.Op
	return func(o spoolfs.Op, name string) error {
		count++
		if count == n {
			op, where = o, fmt.Sprintf("%s %s", o, name)
			return err
		}
		if where != "" && sticky && o == op {
			return err
		}
		return nil
	}, func() string { return where }
}

// A recovery that is stopped at any operation is done again, and ends as if nothing had been.
func TestRecoverInterrupted(t *testing.T) {
	whole := load(t, killed(t))
	clean := whole.store(t)
	if err := recoverDir(t, clean); err != nil {
		t.Fatal(err)
	}
	want := manifestOf(t, clean).Files
	for n := 1; ; n++ {
		dir := whole.store(t)
		fault, hit := nth(n, syscall.EIO, false)
		fsys := spoolfs.Faulty(openFS(t, dir), fault)
		err := errors.Join(recoverSpool(fsys, workerGone, time.Now()), fsys.Close())
		if hit() == "" {
			if n < 30 {
				t.Errorf("recovery took %d operations only", n)
			}
			break
		}
		if err != nil && !errors.Is(err, syscall.EIO) {
			t.Errorf("%s fails: %v, want EIO", hit(), err)
		}
		if err := recoverDir(t, dir); err != nil {
			t.Fatalf("%s failed before: %v", hit(), err)
		}
		if got := manifestOf(t, dir).Files; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s failed before: files\n%v\nwant\n%v", hit(), got, want)
		}
	}
}
