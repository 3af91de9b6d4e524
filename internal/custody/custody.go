// Package custody is what becomes of recordings: how long each is kept, what holds it, and how it goes.
//
// How long is decided when the session begins, by the policies that admit it or else by the configuration, and counts from
// the session's end. Until then nothing removes a recording: not this package, and not the store, which is given the same
// time as a lock. A legal hold keeps it beyond, until it is taken off. When neither keeps it any more, a job deletes it: one
// node at a time, each deletion in the audit log with the hash of the manifest, and whatever breaks off is gone on with. What
// stays is the session's row and a tombstone.
//
// A key can be shredded before that: nobody reads the recording any more, and it is still verifiable as the one that was
// sealed. Keys are also in backups of the database made before.
//
// INVARIANT: nothing else in the gateway removes an object of a recording.
package custody

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"time"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// What callers tell apart, besides the refusals of store.Custodies.
var (
	// ErrNotSealed is about a recording that is not complete yet: its key is still needed.
	ErrNotSealed = errors.New("custody: the recording is not sealed")
	// ErrNotEncrypted is about a recording that has no key.
	ErrNotEncrypted = errors.New("custody: the recording is not encrypted")
	// ErrStoreBehind says that a hold is in force in the gateway, but the store could not be told.
	ErrStoreBehind = errors.New("custody: the store of recordings could not be told")
)

// Keys destroys keys of recordings.
type Keys interface {
	Has(ctx context.Context, session string) (bool, error)
	Forget(ctx context.Context, session string) error
}

// Options are what a Service is made of.
type Options struct {
	DB      *store.Store
	Objects objectstore.Store
	Keys    Keys
	Audit   audit.Recorder
	// Retention is how long recordings are kept where no policy says otherwise; 0: without end.
	Retention time.Duration
	// Node tells this process from others that have the same database.
	Node string
	// Purge removes what else is kept of what a recording holds, such as what it can be searched by.
	Purge  []func(ctx context.Context, tx *store.Store, session string) error
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger
}

// Service keeps recordings. It is safe for concurrent use.
type Service struct{ Options }

var _ recording.Custody = (*Service)(nil)

// New returns a Service. Run does the deleting.
func New(opts Options) *Service {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{opts}
}

// Begin fixes how long the recording of a session will be kept that begins at that time. obliged is what policies say; 0:
// nothing.
func (s *Service) Begin(ctx context.Context, session string, obliged time.Duration, at time.Time) error {
	retention, until := obliged, time.Time{}
	if retention == 0 {
		retention = s.Retention
	}
	if retention > 0 {
		until = at.Add(retention)
	}
	return s.DB.Custodies.Begin(ctx, session, retention, until)
}

// Lock implements recording.Custody.
func (s *Service) Lock(ctx context.Context, session string) (objectstore.Lock, error) {
	c, err := s.DB.Custodies.Get(ctx, session)
	if errors.Is(err, store.ErrNotFound) { // of before there were retentions
		return objectstore.Lock{}, nil
	}
	return objectstore.Lock{Until: c.RetainUntil, Hold: c.Held()}, err
}

// Ended implements recording.Custody.
func (s *Service) Ended(ctx context.Context, session string, at time.Time) (objectstore.Lock, error) {
	c, err := s.DB.Custodies.Get(ctx, session)
	if err == nil && c.Retention > 0 {
		err = s.DB.Custodies.Extend(ctx, session, at.Add(c.Retention))
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return objectstore.Lock{}, err
	}
	return s.Lock(ctx, session)
}

// Hold keeps a recording, finished or not, until Release: by is the name of who wants it, for a reason that people read.
func (s *Service) Hold(ctx context.Context, session, by, reason string) error {
	if _, err := s.DB.Recordings.Get(ctx, session); err != nil {
		return err
	}
	if err := s.DB.Custodies.Hold(ctx, session, by, reason, s.Now()); err != nil {
		return err
	}
	return s.lockObjects(ctx, session, true)
}

// Release takes a hold off: in the store first, so that a hold that is not in force is nowhere said to be.
func (s *Service) Release(ctx context.Context, session string) error {
	c, err := s.DB.Custodies.Get(ctx, session)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if !c.Held() {
		return store.ErrNotHeld
	}
	if err := s.lockObjects(ctx, session, false); err != nil {
		return err
	}
	return s.DB.Custodies.Release(ctx, session)
}

func (s *Service) lockObjects(ctx context.Context, session string, hold bool) error {
	locker, ok := s.Objects.(objectstore.Locker)
	if !ok {
		return nil
	}
	if err := locker.Lock(ctx, recording.Folder(session), objectstore.Lock{Hold: hold}); err != nil {
		return fmt.Errorf("%w: %w", ErrStoreBehind, err)
	}
	return nil
}

// Shred destroys the key of a sealed recording: nobody reads it any more, ever.
func (s *Service) Shred(ctx context.Context, session, by, reason string) error {
	rec, err := s.DB.Recordings.Get(ctx, session)
	switch {
	case err != nil:
		return err
	case rec.State == store.RecordingDeleted:
		return store.ErrDeleted
	case rec.State != store.RecordingSealed: // its uploader would ask for the key, and for the want of it make another
		return ErrNotSealed
	}
	has, err := s.Keys.Has(ctx, session)
	if err != nil {
		return err
	}
	if c, err := s.DB.Custodies.Get(ctx, session); !has && (err != nil || c.ShreddedAt.IsZero()) {
		return ErrNotEncrypted
	}
	if err := s.DB.Custodies.Shred(ctx, session, by, reason, s.Now()); err != nil {
		return err
	}
	if err := s.Keys.Forget(ctx, session); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *store.Store) error { return s.purge(ctx, tx, session) })
}

func (s *Service) purge(ctx context.Context, tx *store.Store, session string) error {
	for _, purge := range s.Purge {
		if err := purge(ctx, tx, session); err != nil {
			return err
		}
	}
	return nil
}

// manifestHash returns the hash of the manifest as the store has it, in hex; "" when there is none.
func (s *Service) manifestHash(ctx context.Context, session string) (string, error) {
	body, err := s.Objects.Get(ctx, path.Join(recording.Folder(session), "manifest.json"), objectstore.Range{})
	if errors.Is(err, objectstore.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
