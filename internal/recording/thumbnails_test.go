package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// painted answers for thumbnails: another one for each serial.
type painted struct {
	serial atomic.Uint64
	asked  atomic.Int32
}

func (p *painted) thumbnail(known uint64) ([]byte, uint64) {
	p.asked.Add(1)
	serial := p.serial.Load()
	if serial == known {
		return nil, known
	}
	return fmt.Appendf(nil, "\xff\xd8\xffpicture %d", serial), serial
}

func thumbnailsOf(m *Manifest) (list []string) {
	for _, e := range m.Files {
		if e.Kind == KindThumbnail {
			list = append(list, fmt.Sprintf("%s %d", e.Name, e.FirstUS/1e6))
		}
	}
	return list
}

func TestThumbnails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		desk := &painted{}
		desk.serial.Store(1)
		r := newRig(t, Options{Thumbnail: desk.thumbnail})
		time.Sleep(10 * time.Second)
		if desk.asked.Load() != 0 {
			t.Errorf("asked %d times before there is a picture", desk.asked.Load())
		}
		r.typing(time.Second) // at 11 s the first has been written
		desk.serial.Store(2)
		r.typing(20 * time.Second) // too soon for another
		if desk.asked.Load() != 1 {
			t.Errorf("asked %d times within half a minute", desk.asked.Load())
		}
		r.typing(15 * time.Second) // at 40 s
		time.Sleep(time.Minute)    // nothing is drawn: none
		desk.serial.Store(3)
		r.typing(time.Second)
		rec := openRecording(t, r.root, nil)
		for _, tt := range []struct {
			at   time.Duration
			want string
		}{{0, "picture 1"}, {30 * time.Second, "picture 1"}, {42 * time.Second, "picture 2"}, {time.Hour, "picture 3"}, {-1, "picture 2"}} {
			_, b, err := rec.Thumbnail(t.Context(), tt.at)
			if err != nil || !bytes.HasSuffix(b, []byte(tt.want)) {
				t.Errorf("at %v: %q, %v, want %s", tt.at, b, err, tt.want)
			}
		}
		desk.serial.Store(4)
		r.seal() // and how it looked at the end
		m := manifestOf(t, r.dir)
		if got, want := thumbnailsOf(m), []string{"thumb-000000.jpg 10", "thumb-000001.jpg 40", "thumb-000002.jpg 106", "thumb-000003.jpg 107"}; !slices.Equal(got, want) {
			t.Errorf("thumbnails %v, want %v", got, want)
		}
		pictures(t, r.dir, m)
		if _, err := VerifyFolder(t.Context(), r.dir, nil); err != nil {
			t.Error(err)
		}
		for _, change := range []struct {
			do   func(name string) error
			want Problem
		}{
			{func(n string) error { return os.WriteFile(n, []byte("\xff\xd8\xffpicture 9"), 0o600) }, Altered},
			{func(n string) error { return os.WriteFile(n, []byte("\xff\xd8\xffpicture 1"), 0o600) }, Reordered},
			{func(n string) error { return os.Truncate(n, 5) }, Truncated},
			{os.Remove, Missing},
		} {
			if err := change.do(filepath.Join(r.dir, "thumb-000001.jpg")); err != nil {
				t.Fatal(err)
			}
			_, err := VerifyFolder(t.Context(), r.dir, nil)
			found, ok := errors.AsType[*VerifyError](err)
			if !ok || found.Problem != change.want || found.File != "thumb-000001.jpg" {
				t.Errorf("%v, want %s", err, change.want)
			}
		}
	})
}

// TestRecoverThumbnail: one that was written but not entered into the journal is kept; one half written is not.
func TestRecoverThumbnail(t *testing.T) {
	dir := killed(t)
	for name, b := range map[string]string{"thumb-000000.jpg": "\xff\xd8\xffpicture", "thumb-000001.jpg.tmp": "\xff\xd8"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Recover(dir, workerGone, time.Now()); err != nil {
		t.Fatal(err)
	}
	m := manifestOf(t, dir)
	if got := thumbnailsOf(m); len(got) != 1 {
		t.Errorf("thumbnails %v", got)
	}
	if _, err := VerifyFolder(t.Context(), dir, nil); err != nil {
		t.Error(err)
	}
	rec := openRecording(t, filepath.Dir(dir), nil)
	if name, b, err := rec.Thumbnail(context.Background(), 0); name != "thumb-000000.jpg" || string(b) != "\xff\xd8\xffpicture" || err != nil {
		t.Errorf("%s %q, %v", name, b, err)
	}
}
