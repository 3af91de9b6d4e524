package recording

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/signkey"
)

// sealedAs makes a sealed recording of a kind and returns its folder's files, as they lie in a store.
func sealedAs(t *testing.T, keys Keys, crashed bool, act func(r *rig)) folderState {
	t.Helper()
	root := t.TempDir()
	bubble(t, func(t *testing.T) {
		in := root
		if crashed {
			in = t.TempDir()
		}
		r := newRigIn(t, in, testID, Options{})
		r.typing(6 * time.Second)
		act(r)
		r.typing(5 * time.Second)
		if crashed {
			r.copyTo(root)
			return
		}
		r.seal()
	})
	store := newMemory()
	uploadAll(t, root, store, keys)
	files := folderState{}
	for key, b := range store.objects {
		files[filepath.Base(key)] = b
	}
	return files
}

// packaged makes an evidence package of an encrypted recording and returns the recording in it.
func packaged(t *testing.T) (inside, beside folderState) {
	t.Helper()
	keys := &testKeys{}
	store := encrypted(t, keys)
	rec, err := NewLibrary(t.TempDir(), store, keys).Open(t.Context(), testID)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "package")
	writePackage(t, rec, name, &PackageWork{Made: time.Now()}, nil)
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	inside = load(t, filepath.Join(dir, packageFolder))
	if err := os.RemoveAll(filepath.Join(dir, packageFolder)); err != nil {
		t.Fatal(err)
	}
	return inside, load(t, dir)
}

// writePackage goes on with a package, or begins one.
func writePackage(t *testing.T, rec *Recording, name string, work *PackageWork, after func(int64) error) error {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(work.End()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	begins := len(work.Packed) == 0
	w, err := rec.NewPackageWriter(f, work)
	if err == nil && begins {
		err = w.Begin([]PackageFile{{"report.html", []byte("<p>it was so</p>")}}, testKey)
	}
	if err == nil {
		w.After = after
		err = w.Write(t.Context())
	}
	if after == nil && err != nil {
		t.Fatal(err)
	}
	return err
}

// TestPackageGoesOn breaks off a package after each of its files and goes on from there: it becomes the same to the byte. What was
// kept and is not what it was is noticed.
func TestPackageGoesOn(t *testing.T) {
	keys := &testKeys{}
	rec, err := NewLibrary(t.TempDir(), encrypted(t, keys), keys).Open(t.Context(), testID)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	made := time.Now()
	writePackage(t, rec, whole, &PackageWork{Made: made}, nil)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("power cut")
	for n := 1; ; n++ {
		name := filepath.Join(dir, "p")
		work := &PackageWork{Made: made}
		left := n
		err := writePackage(t, rec, name, work, func(int64) error {
			if left--; left == 0 {
				return broken
			}
			return nil
		})
		if err == nil {
			if n < 4 {
				t.Fatalf("%d files", n)
			}
			return
		}
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("half of the next one"); err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		before := len(work.Packed)
		bad := &PackageWork{Made: made, Packed: slices.Clone(work.Packed)}
		again := 0
		if err := writePackage(t, rec, name, work, func(int64) error { again++; return nil }); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("after %d files: %d bytes, %d are right, %v", n, len(got), len(want), err)
		}
		if done := len(work.Packed) - before; again > done {
			t.Errorf("after %d files: %d files were packed, %d were missing", n, again, done)
		}
		got[bad.Packed[before-1].At] ^= 1
		if err := os.WriteFile(name, got, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := writePackage(t, rec, name, bad, func(int64) error { return nil }); !errors.Is(err, ErrPackageWork) {
			t.Fatalf("kept bytes were changed: %v", err)
		}
	}
}

// TestTampering goes over every kind of recording and every kind of tampering: each is found, in the file where it was
// done and at its first bytes, and what nobody touched passes and says how it came to be.
func TestTampering(t *testing.T) {
	nothing := func(*rig) {}
	frozen := func(r *rig) {
		r.event(StateEvent{State: "frozen", Reason: "supervisor"})
		time.Sleep(5 * time.Second)
		r.event(StateEvent{State: "active"})
	}
	exported, beside := packaged(t)
	kinds := map[string]struct {
		files    folderState
		sealedBy SealedBy
	}{
		"sealed by its worker": {sealedAs(t, nil, false, nothing), ByWorker},
		"crashed":              {sealedAs(t, nil, true, nothing), ByRecovery},
		"frozen":               {sealedAs(t, nil, false, frozen), ByWorker},
		"resized":              {sealedAs(t, nil, false, func(r *rig) { r.clip.Resize() }), ByWorker},
		"encrypted":            {sealedAs(t, &testKeys{}, false, nothing), ByWorker},
		"encrypted, crashed":   {sealedAs(t, &testKeys{}, true, nothing), ByRecovery},
		"exported":             {exported, ByWorker},
	}
	const seg, next, events = "seg-000000.m4s", "seg-000001.m4s", "events-000000.ndjson"
	other, err := signkey.Open(filepath.Join(t.TempDir(), "k"), "test")
	if err != nil {
		t.Fatal(err)
	}
	forged := func(f folderState, manifest []byte, signer Signer) []byte {
		m, err := ParseManifest(manifest)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(statement(m, manifest, f[storedFile]))
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	at := 500 // of the bit that is flipped
	acts := map[string]struct {
		change  func(f folderState)
		problem Problem
		file    string
		from    func(f folderState) (from, to int) // what was found must begin in there; nil: it is about the file as such
	}{
		"bit flipped":        {func(f folderState) { f[seg][at] ^= 1 }, Altered, seg, func(f folderState) (int, int) { return 0, at }},
		"event edited":       {func(f folderState) { f[events][len(f[events])-3] ^= 2 }, Altered, events, func(f folderState) (int, int) { return 0, len(f[events]) - 3 }},
		"segment removed":    {func(f folderState) { delete(f, seg) }, Missing, seg, nil},
		"segment added":      {func(f folderState) { f["seg-000099.m4s"] = f[seg] }, Extra, "seg-000099.m4s", nil},
		"segments reordered": {func(f folderState) { f[seg], f[next] = f[next], f[seg] }, "", seg, nil},
		"segment truncated":  {func(f folderState) { f[seg] = f[seg][:at] }, "", seg, func(folderState) (int, int) { return 0, at }},
		"segment emptied":    {func(f folderState) { f[seg] = nil }, Truncated, seg, func(folderState) (int, int) { return 0, 0 }},
		"segment longer":     {func(f folderState) { f[seg] = append(f[seg], 0) }, Altered, seg, nil},
		"manifest replaced": {func(f folderState) {
			f[manifestFile] = bytes.Replace(f[manifestFile], []byte(`"end":{"code":"`), []byte(`"end":{"code":"x`), 1)
		}, Forged, manifestFile, nil},
		"manifest and its signature": {func(f folderState) { f[signatureFile] = forged(f, f[manifestFile], other) }, Forged, signatureFile, nil},
		"signature removed":          {func(f folderState) { delete(f, signatureFile) }, Missing, signatureFile, nil},
	}
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			check := func(change func(f folderState)) (Verification, folderState, error) {
				files := folderState{}
				for name, b := range k.files {
					files[name] = bytes.Clone(b)
				}
				change(files)
				dir := files.store(t)
				if kind != "exported" {
					v, err := VerifyPath(t.Context(), dir, testKey.Trusted())
					return v, files, err
				}
				outer := beside.store(t)
				if err := os.Rename(dir, filepath.Join(outer, packageFolder)); err != nil {
					t.Fatal(err)
				}
				v, err := VerifyPath(t.Context(), outer, testKey.Trusted())
				return v, files, err
			}
			v, _, err := check(func(folderState) {})
			if err != nil || v.SealedBy != k.sealedBy || v.SignedBy != testKey.ID() || v.Encrypted != strings.HasPrefix(kind, "encrypted") || v.Packaged != (kind == "exported") {
				t.Fatalf("untouched: %+v, %v", v, err)
			}
			for name, a := range acts {
				_, files, err := check(a.change)
				var found *VerifyError
				if !errors.As(err, &found) || found.File != a.file || a.problem != "" && found.Problem != a.problem {
					t.Errorf("%s: %v, want %s: %s", name, err, a.file, a.problem)
					continue
				}
				if a.from == nil {
					continue
				}
				if from, to := a.from(files); int(found.From) < from || int(found.From) > to || found.To <= found.From {
					t.Errorf("%s: bytes %d to %d, want the first of them from %d to %d", name, found.From, found.To, from, to)
				}
			}
		})
	}
}

// A zip file that unpacks in two ways, or elsewhere, does not pass, whatever is in it.
func TestPackageUnpacksInOneWay(t *testing.T) {
	inside, beside := packaged(t)
	for what, c := range map[string]struct{ extra, file string }{
		"as made": {"", ""}, "twice": {"report.html", "report.html"}, "elsewhere": {"../report.html", "../report.html"}, "one more": {"note.txt", "note.txt"},
	} {
		name := filepath.Join(t.TempDir(), "p.zip")
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		add := func(name string, content []byte) {
			w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: time.Now()})
			if err == nil {
				_, err = w.Write(content)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for n, content := range beside {
			add(n, content)
		}
		for n, content := range inside {
			add(packageFolder+"/"+n, content)
		}
		if c.extra != "" {
			add(c.extra, []byte("other"))
		}
		if err := errors.Join(z.Close(), os.WriteFile(name, b.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err := VerifyPath(t.Context(), name, testKey.Trusted())
		var found *VerifyError
		if c.file == "" && err != nil || c.file != "" && (!errors.As(err, &found) || found.Problem != Extra || found.File != c.file) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzPackage: whatever calls itself a package, none passes but the one that was made, and nothing panics.
func FuzzPackage(f *testing.F) {
	f.Add([]byte(packageTitle + "\nsession 01J0000000000000000000TEST\nmade x\nreport.html 00\n\n— test AAAA\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		beside, _, err := parsePackage(b, nil)
		if err != nil {
			return
		}
		for name := range beside {
			if strings.ContainsAny(name, "/") || name == ".." || name == "" {
				t.Errorf("lists %q", name)
			}
		}
		if _, _, err := parsePackage(b, testKey.Trusted()); err == nil {
			t.Error("passes without a signature")
		}
	})
}
