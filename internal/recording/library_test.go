package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/signkey"
)

func newClip(t testing.TB) *fmp4test.Clip { return fmp4test.New(t) }

// openRecording opens the test's session; a nil store is an empty one.
func openRecording(t testing.TB, root string, store objectstore.Store) *Recording {
	t.Helper()
	if store == nil {
		store = newMemory()
	}
	rec, err := NewLibrary(root, store, nil).Open(context.Background(), testID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rec.Close(); err != nil {
			t.Error(err)
		}
	})
	return rec
}

// archive records a session of two sizes, with stillness, and returns it in a store.
func archived(t testing.TB) *memory {
	t.Helper()
	root := t.TempDir()
	tt, ok := t.(*testing.T)
	if !ok {
		t.Fatal("archived needs a test")
	}
	bubble(tt, func(t *testing.T) {
		r := newRigIn(t, root, testID, Options{})
		r.event(StateEvent{State: "connecting"})
		r.typing(6 * time.Second)
		time.Sleep(20 * time.Second)
		r.event(PointerEvent{Actor: "alice", X: 3, Y: 4, Buttons: 1, Action: PointerDown})
		time.Sleep(10 * time.Second)
		r.clip.Resize()
		r.typing(5 * time.Second)
		time.Sleep(2 * time.Second)
		au := r.clip.Unit(r.rec.Elapsed())
		au.Refine = true
		if err := r.rec.WriteUnit(t.Context(), au); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		r.seal()
	})
	store := newMemory()
	for name, b := range load(t, filepath.Join(root, testID)) {
		if name != journalFile {
			store.objects[objectKey(testID, name)] = b
		}
	}
	manifest := store.objects[objectKey(testID, manifestFile)]
	signed, err := testKey.Sign(statement(mustParse(tt, manifest), manifest, nil))
	if err != nil {
		t.Fatal(err)
	}
	store.objects[objectKey(testID, signatureFile)] = signed
	return store
}

func TestIndex(t *testing.T) {
	rec := openRecording(t, t.TempDir(), archived(t))
	x, err := rec.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if x.Live || !x.Sealed || x.Width != 160 || x.Height != 120 || x.DurationMS != 45000 || x.StartedAt.IsZero() {
		t.Errorf("index %+v", x)
	}
	if len(x.Inits) != 2 || x.Inits[1].Width != 112 || !strings.HasPrefix(x.Inits[1].Codec, "avc1.42C0") {
		t.Errorf("inits %+v", x.Inits)
	}
	at := int64(0)
	for _, s := range x.Segments {
		if s.StartMS != at || s.Bytes == 0 || s.Open {
			t.Errorf("segment %+v, want it to start at %d", s, at)
		}
		at += s.DurationMS
	}
	if at != x.DurationMS || len(x.Segments) < 4 {
		t.Errorf("%d segments end at %d", len(x.Segments), at)
	}
	// The last picture of the typing was shown at 5.875 s, the click came at 26 s, typing again at 36 s, until 40.875
	// s; the refinement at 43 s changed nothing.
	want := []IndexIdle{{5875, 26000}, {26000, 36000}, {40875, 45000}}
	if fmt.Sprint(x.Idle) != fmt.Sprint(want) {
		t.Errorf("idle %v, want %v", x.Idle, want)
	}
}

// A running session: the index shows the open segment grow, and what it names can be read.
func TestIndexWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		if x := r.index(); !x.Live || x.Sealed || x.DurationMS != 0 || len(x.Segments) != 0 {
			t.Errorf("at first %+v", x)
		}
		r.typing(5 * time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		x := r.index()
		if len(x.Segments) != 2 || x.Segments[0].Open || !x.Segments[1].Open || x.DurationMS < 5000 || x.DurationMS > 6000 {
			t.Errorf("after 6 s %+v", x)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if y := r.index(); y.DurationMS < 605000 || y.DurationMS > 606000 || len(y.Idle) != 1 || y.Idle[0].EndMS != y.DurationMS {
			t.Errorf("after 10 minutes of stillness %+v", y)
		}
		r.picture()
		time.Sleep(time.Second)
		synctest.Wait()
		if y := r.index(); len(y.Segments) != 3 || y.Segments[2].StartMS < 605000 {
			t.Errorf("after the next picture %+v", y.Segments)
		}
		r.seal()
		if y := r.index(); y.Live || y.Sealed || len(y.Segments) != 3 || y.Segments[2].Open {
			t.Errorf("when closed and not uploaded %+v", y)
		}
	})
}

func TestEvents(t *testing.T) {
	rec := openRecording(t, t.TempDir(), archived(t))
	all, err := rec.Events(t.Context(), EventQuery{Limit: 10_000})
	if err != nil || all.More || len(all.Events) != 1+48+1+40 {
		t.Fatalf("%d events, more %t, %v", len(all.Events), all.More, err)
	}
	for _, limit := range []int{1, 7, 45, 90} {
		var got []json.RawMessage
		q := EventQuery{Limit: limit}
		for {
			page, err := rec.Events(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Events) > limit || page.More && len(page.Events) == 0 {
				t.Fatalf("page of %d, more %t", len(page.Events), page.More)
			}
			got = append(got, page.Events...)
			q.After = page.Next
			if !page.More {
				break
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(all.Events) {
			t.Errorf("pages of %d hold something else", limit)
		}
		if page, err := rec.Events(t.Context(), q); err != nil || len(page.Events) != 0 || page.Next != q.After {
			t.Errorf("after the end: %+v, %v", page, err)
		}
	}
	late, err := rec.Events(t.Context(), EventQuery{From: 26 * time.Second, Limit: 1})
	if err != nil || len(late.Events) != 1 || !strings.Contains(string(late.Events[0]), `"t_us":26000000,"kind":"pointer","actor":"alice","x":3,"y":4,"buttons":1,"action":"down"`) {
		t.Errorf("from 26 s: %s, %v", late.Events, err)
	}
	for _, after := range []string{"x", "1", "1.", "-1.0", "1.-1", "1.1x", "01.1", " 1.1", "99999999999999999999.1"} {
		if _, err := rec.Events(t.Context(), EventQuery{After: after, Limit: 1}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v, want ErrCursor", after, err)
		}
	}
}

// A cursor taken from the open event file stays good when the file is closed and goes on.
func TestEventsWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		lib := NewLibrary(r.root, newMemory(), nil)
		after, seen := "", 0
		for i := range 100 {
			r.event(NameEvent{Name: fmt.Sprint(i)})
			time.Sleep(time.Second)
			synctest.Wait()
			rec, err := lib.Open(t.Context(), testID)
			if err != nil {
				t.Fatal(err)
			}
			page, err := rec.Events(t.Context(), EventQuery{After: after, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if err := rec.Close(); err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				if !strings.Contains(string(e), fmt.Sprintf(`"name":"%d"`, seen)) {
					t.Fatalf("event %s, want number %d", e, seen)
				}
				seen++
			}
			after = page.Next
		}
		if seen < 99 {
			t.Errorf("%d events of 100 seen", seen)
		}
	})
}

func TestFileNames(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	rec := openRecording(t, root, archived(t))
	for _, name := range []string{sessionFile, "init-000000.mp4", "seg-000000.m4s", "events-000000.ndjson", manifestFile} {
		body, size, err := rec.File(t.Context(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, err := io.Copy(io.Discard, body); err != nil || n != size || n == 0 {
			t.Errorf("%s: %d bytes of %d, %v", name, n, size, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../secret", "/etc/passwd", journalFile, "seg-000099.m4s", "seg-0.m4s", "seg-00000a.m4s", "init-000000.mp4/", "SEG-000000.M4S",
		"seg-000000.m4s\x00", "..%2fsecret", "session.json.tmp",
	} {
		if _, _, err := rec.File(t.Context(), name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", name, err)
		}
	}
	lib := NewLibrary(root, newMemory(), nil)
	for _, id := range []string{"", "..", testID, strings.ToLower(testID), "../" + testID[3:], strings.Repeat("U", 26)} {
		if _, err := lib.Open(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("session %q: %v, want ErrNotFound", id, err)
		}
	}
}

// Damage is found wherever it is read, and says where it is.
func TestDamageIsReported(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(b []byte) []byte
		offset func(n int64) int64
	}{
		"cut":     {func(b []byte) []byte { return b[:len(b)-3] }, func(n int64) int64 { return n - 3 }},
		"longer":  {func(b []byte) []byte { return append(bytes.Clone(b), 0) }, func(n int64) int64 { return n }},
		"header":  {func(b []byte) []byte { b = bytes.Clone(b); b[5] ^= 1; return b }, func(int64) int64 { return 0 }},
		"picture": {func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b }, func(int64) int64 { return -1 }},
	} {
		store := archived(t)
		const file = "seg-000001.m4s"
		key := objectKey(testID, file)
		size := int64(len(store.objects[key]))
		store.objects[key] = c.damage(store.objects[key])
		rec := openRecording(t, t.TempDir(), store)
		var corrupt *CorruptError
		if _, _, err := rec.File(t.Context(), file); !errors.As(err, &corrupt) || corrupt.File != file || corrupt.Offset != c.offset(size) {
			t.Errorf("%s: File: %v, want offset %d", name, err, c.offset(size))
		}
		if _, _, err := rec.File(t.Context(), "seg-000000.m4s"); err != nil {
			t.Errorf("%s: the segment before: %v", name, err)
		}
		x, err := rec.Export(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Write(t.Context(), io.Discard); !errors.As(err, &corrupt) || corrupt.File != file {
			t.Errorf("%s: Export: %v", name, err)
		}
	}
}

// A large file is checked while it is read.
func TestLargeFile(t *testing.T) {
	root := t.TempDir()
	bubble(t, func(t *testing.T) {
		r := newRigIn(t, root, testID, Options{})
		for i := range 4 {
			au := r.clip.Unit(r.rec.Elapsed())
			if i > 0 {
				au.Data = append([]byte{0, 0, 0, 1, 0x41}, bytes.Repeat([]byte{0x55}, 3<<20)...)
			}
			if err := r.rec.WriteUnit(t.Context(), au); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		r.seal()
	})
	path := filepath.Join(root, testID, "seg-000000.m4s")
	b, err := os.ReadFile(path)
	if err != nil || len(b) < verifyAhead {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	flipped := bytes.Clone(b)
	flipped[len(b)/2] ^= 1
	for name, c := range map[string]struct {
		data   []byte
		offset int64
	}{"whole": {b, 0}, "altered": {flipped, -1}, "cut": {b[:len(b)-1], int64(len(b)) - 1}, "longer": {append(bytes.Clone(b), 0), int64(len(b))}} {
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		body, size, err := openRecording(t, root, nil).File(t.Context(), "seg-000000.m4s")
		if err != nil || size != int64(len(b)) {
			t.Fatalf("%s: size %d, %v", name, size, err)
		}
		n, err := io.Copy(io.Discard, body)
		var corrupt *CorruptError
		if name == "whole" && (err != nil || n != size) || name != "whole" && (!errors.As(err, &corrupt) || corrupt.Offset != c.offset) {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A recording of two sizes is one file that ffmpeg decodes without a word, every picture in its size.
func TestExportOfSeveralSizes(t *testing.T) {
	rec := openRecording(t, t.TempDir(), archived(t))
	path := exportOf(t, rec)
	duration, packets := ffprobe(t, path)
	if packets != 48+40+1 || duration != 45 {
		t.Errorf("ffprobe sees %d packets in %v s", packets, duration)
	}
	decode(t, path)
	if sizes := decodedSizes(t, path); sizes != "160x120:48 112x80:41" {
		t.Errorf("decoded %s", sizes)
	}
}

func TestExportOfNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.seal()
		if _, err := openRecording(t, r.root, nil).Export(t.Context()); !errors.Is(err, ErrEmpty) {
			t.Errorf("%v, want ErrEmpty", err)
		}
	})
}

// Verify names what is wrong, in the store and in a folder.
func TestVerify(t *testing.T) {
	whole := archived(t)
	key := func(name string) string { return objectKey(testID, name) }
	manifest := func(change func(m *Manifest)) func(map[string][]byte) {
		return func(o map[string][]byte) {
			m, err := ParseManifest(o[key(manifestFile)])
			if err != nil {
				t.Fatal(err)
			}
			change(m)
			if o[key(manifestFile)], err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	find := func(m *Manifest, name string) int {
		for i := range m.Files {
			if m.Files[i].Name == name {
				return i
			}
		}
		t.Fatalf("no %s", name)
		return -1
	}
	const seg = "seg-000001.m4s"
	for name, c := range map[string]struct {
		change  func(o map[string][]byte)
		problem Problem
		file    string
	}{
		"nothing":         {func(map[string][]byte) {}, "", ""},
		"missing segment": {func(o map[string][]byte) { delete(o, key(seg)) }, Missing, seg},
		"missing events":  {func(o map[string][]byte) { delete(o, key("events-000000.ndjson")) }, Missing, "events-000000.ndjson"},
		"extra segment":   {func(o map[string][]byte) { o[key("seg-000077.m4s")] = nil }, Extra, "seg-000077.m4s"},
		"extra file":      {func(o map[string][]byte) { o[key("note.txt")] = nil }, Extra, "note.txt"},
		"truncated":       {func(o map[string][]byte) { o[key(seg)] = o[key(seg)][:20] }, Truncated, seg},
		"one bit":         {func(o map[string][]byte) { o[key(seg)][99] ^= 1 }, Altered, seg},
		"longer":          {func(o map[string][]byte) { o[key(seg)] = append(o[key(seg)], 0) }, Altered, seg},
		"session altered": {func(o map[string][]byte) { o[key(sessionFile)][9] ^= 1 }, Altered, sessionFile},
		"two swapped": {func(o map[string][]byte) {
			o[key(seg)], o[key("seg-000002.m4s")] = o[key("seg-000002.m4s")], o[key(seg)]
		}, Reordered, seg},
		"manifest reordered": {manifest(func(m *Manifest) {
			i, j := find(m, "seg-000000.m4s"), find(m, seg)
			m.Files[i], m.Files[j] = m.Files[j], m.Files[i]
		}), Reordered, seg},
		"segment cut out of the manifest too": {func(o map[string][]byte) {
			delete(o, key(seg))
			manifest(func(m *Manifest) { i := find(m, seg); m.Files = append(m.Files[:i], m.Files[i+1:]...) })(o)
		}, Missing, seg},
		"time overlaps": {manifest(func(m *Manifest) { m.Files[find(m, seg)].Start -= 90000 }), Reordered, seg},
		"init missing":  {manifest(func(m *Manifest) { m.Files[find(m, seg)].Init = "init-000007.mp4" }), Reordered, seg},
		"bad name":      {manifest(func(m *Manifest) { m.Files[find(m, seg)].Name = "../x" }), Malformed, "../x"},
		"empty":         {manifest(func(m *Manifest) { m.Files = nil }), Missing, sessionFile},
		"unsigned":      {func(o map[string][]byte) { delete(o, key(signatureFile)) }, Missing, signatureFile},
		"signature of nobody": {func(o map[string][]byte) {
			o[key(signatureFile)] = bytes.Replace(o[key(signatureFile)], []byte("— test"), []byte("— tess"), 1)
		}, Forged, signatureFile},
		"another key": {func(o map[string][]byte) {
			k, err := signkey.Open(filepath.Join(t.TempDir(), "k"), "test")
			if err != nil {
				t.Fatal(err)
			}
			if o[key(signatureFile)], err = k.Sign(statement(mustParse(t, o[key(manifestFile)]), o[key(manifestFile)], nil)); err != nil {
				t.Fatal(err)
			}
		}, Forged, signatureFile},
		"of another recording": {func(o map[string][]byte) {
			var err error
			if o[key(signatureFile)], err = testKey.Sign("vitrine recording\n"); err != nil {
				t.Fatal(err)
			}
		}, Forged, manifestFile},
		"another manifest, consistent": {manifest(func(m *Manifest) { m.End.Message = "Nothing happened." }), Forged, manifestFile},
		"cut short, chain and all": {func(o map[string][]byte) {
			manifest(func(m *Manifest) {
				delete(o, key(m.Files[len(m.Files)-1].Name))
				m.Files = m.Files[:len(m.Files)-1]
			})(o)
		}, Forged, manifestFile},
		"an older format": {manifest(func(m *Manifest) { m.Format = unchainedFormat }), Forged, manifestFile},
		"an older format, unsigned": {func(o map[string][]byte) {
			manifest(func(m *Manifest) { m.Format = unchainedFormat })(o)
			delete(o, key(signatureFile))
		}, Missing, signatureFile},
		"no JSON":  {func(o map[string][]byte) { o[key(manifestFile)] = []byte("{") }, Malformed, manifestFile},
		"trailing": {func(o map[string][]byte) { o[key(manifestFile)] = append(o[key(manifestFile)], '{') }, Malformed, manifestFile},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			for k, b := range whole.objects {
				store.objects[k] = bytes.Clone(b)
			}
			c.change(store.objects)
			dir := t.TempDir()
			for k, b := range store.objects {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(k)), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			v, err := verify(t.Context(), archive{files: stored{store, testID}}, testKey.Trusted())
			if _, other := VerifyFolder(t.Context(), dir, testKey.Trusted()); fmt.Sprint(other) != fmt.Sprint(err) {
				t.Errorf("in a folder: %v, in the store: %v", other, err)
			}
			if c.problem == Forged || c.file == signatureFile {
				if _, err := VerifyFolder(t.Context(), dir, nil); err != nil {
					t.Errorf("without a key: %v", err)
				}
			}
			if c.problem == "" {
				if v.SignedBy != testKey.ID() {
					t.Errorf("signed by %q", v.SignedBy)
				}
				if err != nil || v.Files < 8 || v.Bytes < 10_000 || v.SealedBy != ByWorker {
					t.Errorf("%+v, %v", v, err)
				}
				return
			}
			var found *VerifyError
			if !errors.As(err, &found) || found.Problem != c.problem || found.File != c.file {
				t.Errorf("%v, want %s: %s", err, c.file, c.problem)
			}
		})
	}
}

func TestVerifyNotSealed(t *testing.T) {
	store := archived(t)
	delete(store.objects, objectKey(testID, manifestFile))
	if _, err := verify(t.Context(), archive{files: stored{store, testID}}, testKey.Trusted()); !errors.Is(err, ErrNotSealed) {
		t.Errorf("%v, want ErrNotSealed", err)
	}
	if _, err := VerifyFolder(t.Context(), filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func mustParse(t *testing.T, b []byte) *Manifest {
	t.Helper()
	m, err := ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
