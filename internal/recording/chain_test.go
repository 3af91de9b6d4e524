package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Whoever changes an entry must change all links after it, and a reader that has seen them notices.
func TestChain(t *testing.T) {
	m, err := ParseManifest(archived(t).objects[objectKey(testID, manifestFile)])
	if err != nil {
		t.Fatal(err)
	}
	var head Hash
	for i := range m.Files {
		if head, err = m.Files[i].follow(head); err != nil {
			t.Fatal(err)
		}
		changed := m.Files[i]
		changed.Samples++
		if i > 0 {
			if _, err := changed.follow(m.Files[i-1].Chain); err == nil {
				t.Errorf("a changed entry %s continues the chain", changed.Name)
			}
		}
	}
	// A manifest that is consistent in all but its chain.
	i := len(m.Files) - 2
	m.Files[i].Quiet = append(m.Files[i].Quiet, Stretch{1, 2})
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var found *VerifyError
	if _, err := ParseManifest(b); !errors.As(err, &found) || found.Problem != Altered || found.File != m.Files[i].Name {
		t.Errorf("%v, want %s altered", err, m.Files[i].Name)
	}
}

// The uploader follows the journal while the worker writes it: a worker that changes what it has written, links and all,
// is found out by the next line.
func TestJournalRewritten(t *testing.T) {
	fsys := openFS(t, t.TempDir())
	defer fsys.Close()
	write := func(sizes ...int64) {
		j, err := openJournal(fsys, 0, Hash{})
		if err != nil {
			t.Fatal(err)
		}
		for i, size := range sizes {
			name := sessionFile
			kind := KindSession
			if i > 0 {
				kind = KindEvents
				if name, err = fileName(KindEvents, i-1); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.append(Entry{Name: name, Kind: kind, Size: size}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(tail *journalTail) error {
		f, err := fsys.Open(journalFile, os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return tail.read(f)
	}
	var tail journalTail
	write(10, 20)
	if err := read(&tail); err != nil || len(tail.entries) != 2 {
		t.Fatal(tail, err)
	}
	write(10, 20, 30)
	if err := read(&tail); err != nil || len(tail.entries) != 3 {
		t.Fatal(tail, err)
	}
	write(10, 21, 30, 40)
	var corrupt *CorruptError
	if err := read(&tail); !errors.As(err, &corrupt) || corrupt.File != journalFile || len(tail.entries) != 3 {
		t.Errorf("a rewritten journal is read to %d entries: %v", len(tail.entries), err)
	}
}

// A changed byte is located to its block, wherever it is and however the writer cut the file into pieces.
func TestBlocksLocate(t *testing.T) {
	b := make([]byte, 5*blockBytes+1234)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	d := newDigest()
	for rest := b; len(rest) > 0; {
		n := min(1+rng.IntN(3*blockBytes), len(rest))
		d.add(rest[:n])
		rest = rest[n:]
	}
	e := Entry{Name: "seg-000000.m4s", Kind: KindSegment}
	d.seal(&e)
	if err := e.check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change   func(b []byte) []byte
		problem  Problem
		from, to int64
	}{
		{func(b []byte) []byte { b[0] ^= 1; return b }, Altered, 0, blockBytes},
		{func(b []byte) []byte { b[3*blockBytes-1] ^= 128; b[4*blockBytes] = 0; return b }, Altered, 2 * blockBytes, 3 * blockBytes},
		{func(b []byte) []byte { b[len(b)-1]++; return b }, Altered, 5 * blockBytes, int64(len(b))},
		{func(b []byte) []byte { return append(b, 7) }, Altered, 5 * blockBytes, int64(len(b)) + 1},
		{func(b []byte) []byte { return b[:len(b)-10] }, Truncated, int64(len(b)) - 10, int64(len(b))},
		{func(b []byte) []byte { return b[:2*blockBytes] }, Truncated, 2 * blockBytes, int64(len(b))},
		{func(b []byte) []byte { b[5]++; return b[:2*blockBytes+9] }, Truncated, 0, blockBytes},
		{func(b []byte) []byte { return nil }, Truncated, 0, int64(len(b))},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, e.Name), c.change(bytes.Clone(b)), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifyFile(t.Context(), archive{files: src}, &e, nil)
		var found *VerifyError
		if !errors.As(err, &found) || found.Problem != c.problem || found.From != c.from || found.To != c.to {
			t.Errorf("%v, want %s in bytes %d to %d", err, c.problem, c.from, c.to)
		}
		if err := src.close(); err != nil {
			t.Error(err)
		}
	}
}
