package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// exported is a recording of three sizes, each from an IDR picture on, several of which begin parts.
func exported(t *testing.T) *Recording {
	t.Helper()
	root := t.TempDir()
	bubble(t, func(t *testing.T) {
		r := newRigIn(t, root, testID, Options{})
		for i := range 6 {
			switch i {
			case 2, 4:
				r.clip.Resize()
			default:
				r.clip.IDR()
			}
			r.typing(6 * time.Second)
		}
		r.seal()
	})
	store := newMemory()
	uploadAll(t, root, store, nil)
	rec, err := NewLibrary(root, store, nil).Open(t.Context(), testID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rec.Close() })
	return rec
}

func export(t *testing.T, rec *Recording) *Export {
	t.Helper()
	x, err := rec.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestExportGoesOn breaks off an export after each of its segments and goes on in another life: the file becomes the same to the byte.
func TestExportGoesOn(t *testing.T) {
	rec := exported(t)
	var whole bytes.Buffer
	if err := export(t, rec).Write(t.Context(), &whole); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("power cut")
	all, _, _ := export(t, rec).Segments()
	for n := 1; n <= all; n++ {
		x := export(t, rec)
		var out bytes.Buffer
		var note []byte
		x.After = func(done int) (err error) {
			if done < n {
				return nil
			}
			if x.Written() != uint64(out.Len()) {
				t.Errorf("%d bytes written, it says %d", out.Len(), x.Written())
			}
			note, err = json.Marshal(x.State(done))
			return errors.Join(err, broken)
		}
		if err := x.Write(t.Context(), &out); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		var state ExportState
		if err := json.Unmarshal(note, &state); err != nil {
			t.Fatal(err)
		}
		x = export(t, rec)
		if err := x.Resume(state); err != nil {
			t.Fatal(err)
		}
		again := 0
		x.After = func(int) error { again++; return nil }
		if err := x.Write(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), whole.Bytes()) || again != all-n {
			t.Errorf("after %d of %d segments: %d bytes, want %d; %d segments were written then", n, all, out.Len(), whole.Len(), again)
		}
		for name, change := range map[string]func(s *ExportState){
			"another recording": func(s *ExportState) { s.Last = "seg-999999.m4s" },
			"too far":           func(s *ExportState) { s.Segments = all + 1 },
			"samples missing":   func(s *ExportState) { s.Movie.Sizes = s.Movie.Sizes[1:] },
			"no such size":      func(s *ExportState) { s.Movie.Segments[0].Entry = 9 },
			"nothing":           func(s *ExportState) { *s = ExportState{} },
		} {
			var bad ExportState
			if err := json.Unmarshal(note, &bad); err != nil {
				t.Fatal(err)
			}
			change(&bad)
			if err := export(t, rec).Resume(bad); err == nil {
				t.Errorf("%s: goes on", name)
			}
		}
	}
}

// TestSplit: the parts are all segments once, in order, each from a picture that needs none before it, and play for themselves.
func TestSplit(t *testing.T) {
	rec := exported(t)
	x := export(t, rec)
	parts, err := x.Split(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 6 {
		t.Errorf("%d parts", len(parts))
	}
	var names []string
	for _, p := range parts {
		if !p.segments[0].Sync || p.Sizes() != 1 {
			t.Errorf("a part of %d sizes begins with %s", p.Sizes(), p.segments[0].Name)
		}
		if w, h := p.Size(); w != x.width || h != x.height {
			t.Errorf("%dx%d", w, h)
		}
		for _, e := range p.segments {
			names = append(names, e.Name)
		}
		var b bytes.Buffer
		if err := p.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	if len(names) != len(x.segments) {
		t.Fatalf("%d segments in parts, %d in all", len(names), len(x.segments))
	}
	for i, e := range x.segments {
		if names[i] != e.Name {
			t.Errorf("segment %d: %s, want %s", i, names[i], e.Name)
		}
	}
	if parts, err = x.Split(time.Hour); err != nil || len(parts) != 3 {
		t.Errorf("%d parts, %v, want one for each stretch of a size", len(parts), err)
	}
}
