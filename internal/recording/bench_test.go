package recording

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// What one picture and one key cost the worker, everything but the disk's own work: 8 pictures and keys a second, a write
// each 750 ms, a segment each 4 s.
func BenchmarkRecorder(b *testing.B) {
	dir := b.TempDir()
	fsys := openFS(b, dir)
	w, err := newWriter(fsys, SessionInfo{Format: FormatVersion, SessionID: testID, StartedAt: time.Now()}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	clip := newClip(b)
	line, err := encodeEvent(KeyEvent{Actor: "alice", Keysym: 'a', Key: "a", Down: true}, 1, KeysFull)
	if err != nil {
		b.Fatal(err)
	}
	var now time.Duration
	payload := 0
	b.ReportAllocs()
	for b.Loop() {
		var pending batch
		for range 6 {
			au := clip.Unit(now)
			payload += len(h264.AppendAVCC(nil, au.Data))
			pending.units = append(pending.units, au)
			pending.events = append(pending.events, eventLine{now.Microseconds(), line})
			now += 125 * time.Millisecond
		}
		if err := w.write(pending, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(6*b.N), "ns/picture")
	if err := w.seal(batch{}, now, testEnd); err != nil {
		b.Fatal(err)
	}
	if err := w.release(); err != nil {
		b.Fatal(err)
	}
	segments := 0
	for _, e := range manifestOf(b, dir).Files {
		if e.Kind == KindSegment {
			segments += int(e.Size)
		}
	}
	b.ReportMetric(float64(segments-payload)/float64(6*b.N), "overhead_B/picture")
}

// What one look at a running session costs a player's poll.
func BenchmarkIndexWhileRunning(b *testing.B) {
	root := b.TempDir()
	dir := filepath.Join(root, testID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	w, err := newWriter(openFS(b, dir), SessionInfo{Format: FormatVersion, SessionID: testID, StartedAt: time.Now()}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	clip := newClip(b)
	for now := time.Duration(0); now < 8*time.Hour; now += 5 * time.Second { // a segment each: as many as typing makes
		if err := w.write(batch{units: []*h264.AccessUnit{clip.Unit(now)}}, now); err != nil {
			b.Fatal(err)
		}
	}
	defer func() { _ = w.release() }()
	lib := NewLibrary(root, newMemory(), nil)
	b.ReportAllocs()
	for b.Loop() {
		rec, err := lib.Open(b.Context(), testID)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := rec.Index(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := rec.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// What verification costs beside the disk: a large segment as it lies in a folder, and one that is decrypted on the way.
func BenchmarkVerify(b *testing.B) {
	content := make([]byte, 32<<20)
	for i := range content {
		content[i] = byte(i * 7)
	}
	e := Entry{Name: "seg-000000.m4s", Kind: KindSegment}
	digestOf(content).seal(&e)
	key, err := (&testKeys{}).Key(b.Context(), testID)
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := encrypt(key, testID, e.Name, bytes.NewReader(content), e.Size, e.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	for name, file := range map[string][]byte{"plain": content, "encrypted": sealed} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, e.Name), file, 0o600); err != nil {
				b.Fatal(err)
			}
			f, err := openFolder(dir)
			if err != nil {
				b.Fatal(err)
			}
			defer f.close()
			src := archive{files: f, id: testID, keys: &testKeys{}}
			b.SetBytes(e.Size)
			for b.Loop() {
				if _, err := verifyFile(b.Context(), src, &e, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
