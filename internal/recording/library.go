package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// Library reads recordings, wherever they are.
type Library struct {
	root  string
	store objectstore.Store
	keys  Keys

	mu    sync.Mutex
	cache map[string]*cached
	clock uint64 // counts uses of the cache
}

// cacheSize bounds the recordings whose lists of files are kept parsed.
const cacheSize = 32

// cached is what is known of a recording's files from earlier reads.
type cached struct {
	mu       sync.Mutex
	tail     journalTail // of the spool
	manifest *Manifest   // of the store; sealed recordings do not change
	used     uint64      // under Library.mu
}

// NewLibrary reads recordings in the session folders of spoolRoot and in store. Nil keys read none that are encrypted.
func NewLibrary(spoolRoot string, store objectstore.Store, keys Keys) *Library {
	return &Library{root: spoolRoot, store: store, keys: keys, cache: map[string]*cached{}}
}

// known returns the cache's element of a session.
func (l *Library) known(id string) *cached {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock++
	c := l.cache[id]
	if c == nil {
		if len(l.cache) >= cacheSize {
			oldest := ""
			for k, v := range l.cache {
				if oldest == "" || v.used < l.cache[oldest].used {
					oldest = k
				}
			}
			delete(l.cache, oldest)
		}
		c = &cached{}
		l.cache[id] = c
	}
	c.used = l.clock
	return c
}

func (l *Library) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.cache, id)
}

// Recording is a recording as it was when it was opened: of a running session open it again to see more. The caller
// closes it.
type Recording struct {
	id       string
	src      both
	manifest *Manifest // nil while not sealed
	stored   bool      // the manifest is the store's
	entries  []Entry   // closed files, in order
	open     []string  // files that still grow
}

// Open finds a recording. It returns ErrNotFound when there is none.
func (l *Library) Open(ctx context.Context, sessionID string) (*Recording, error) {
	if !ValidSessionID(sessionID) {
		return nil, fmt.Errorf("%w: session %q", ErrNotFound, sessionID)
	}
	r := &Recording{id: sessionID, src: both{store: archive{stored{l.store, sessionID}, sessionID, l.keys}}}
	c := l.known(sessionID)
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if r.src.spool, err = openFolder(filepath.Join(l.root, sessionID)); err == nil {
		err = r.fromSpool(ctx, c)
		if err == nil {
			return r, nil
		}
		err = errors.Join(err, r.src.spool.close())
		r.src.spool = nil
	}
	if !errors.Is(err, ErrNotFound) { // not in the spool, or just leaving it
		return nil, err
	}
	if err := r.fromStore(ctx, c); err != nil {
		if errors.Is(err, ErrNotFound) {
			l.forget(sessionID)
		}
		return nil, err
	}
	return r, nil
}

// Close releases the recording.
func (r *Recording) Close() error {
	if r.src.spool == nil {
		return nil
	}
	return r.src.spool.close()
}

// fromSpool reads the journal. It lists the folder first: what is in the list and not in the journal is open.
func (r *Recording) fromSpool(ctx context.Context, c *cached) error {
	names, err := r.src.spool.names(ctx)
	if err != nil {
		return err
	}
	f, err := r.src.spool.root.Open(journalFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: no journal", ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if err := errors.Join(c.tail.read(f), f.Close()); err != nil {
		return err
	}
	r.entries = slices.Clip(c.tail.entries)
	if slices.Contains(names, manifestFile) {
		b, err := readRaw(ctx, r.src.spool, manifestFile, maxJournalBytes)
		if err != nil {
			return err
		}
		if r.manifest, err = ParseManifest(b); err != nil {
			return err
		}
		r.entries = r.manifest.Files
		return nil
	}
	listed := make(map[string]bool, len(r.entries))
	for i := range r.entries {
		listed[r.entries[i].Name] = true
	}
	for _, name := range names {
		if kind, _, _ := parseName(name); (kind == KindSegment || kind == KindEvents) && !listed[name] {
			r.open = append(r.open, name)
		}
	}
	slices.SortFunc(r.open, strings.Compare)
	return nil
}

func (r *Recording) fromStore(ctx context.Context, c *cached) error {
	if c.manifest == nil {
		b, err := readAll(ctx, r.src.store, manifestFile, maxJournalBytes)
		if err != nil {
			return err
		}
		m, err := ParseManifest(b)
		if err != nil {
			return err
		}
		c.manifest = m
	}
	r.manifest, r.stored, r.entries = c.manifest, true, c.manifest.Files
	return nil
}

// Live tells whether the recording still grows: the session runs, or its worker has just gone.
func (r *Recording) Live() bool { return r.manifest == nil }

// Sealed tells whether the recording is complete and in the store.
func (r *Recording) Sealed() bool { return r.stored }

// Manifest is nil while the recording is live. It must not be changed.
func (r *Recording) Manifest() *Manifest { return r.manifest }

// Bytes adds up the closed files.
func (r *Recording) Bytes() (n int64) {
	for i := range r.entries {
		n += r.entries[i].Size
	}
	return n
}

// Files is how many files the recording has.
func (r *Recording) Files() int { return len(r.entries) }

// Session reads who, what and when.
func (r *Recording) Session(ctx context.Context) (SessionInfo, error) {
	b, err := r.read(ctx, sessionFile)
	if err != nil {
		return SessionInfo{}, err
	}
	return parseSession(b)
}

// Verify reads the whole recording in the store and compares it with its manifest. It returns ErrNotSealed when the
// manifest is not there yet, and a *VerifyError when it finds something.
func (r *Recording) Verify(ctx context.Context, trust Trust) (Verification, error) {
	return verify(ctx, r.src.store, trust)
}

// entry finds a closed file.
func (r *Recording) entry(name string) (*Entry, bool) {
	i := slices.IndexFunc(r.entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return nil, false
	}
	return &r.entries[i], true
}
