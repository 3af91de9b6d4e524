package custody

import (
	"context"
	"errors"
	"path"
	"strconv"
	"time"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

const (
	lookEvery = time.Minute     // at what is due
	leaseTime = 5 * time.Minute // of the job; it is prolonged before each recording
	tryAgain  = time.Hour       // after a deletion that failed
	batch     = 50              // recordings looked up at a time
	leaseName = "retention"
)

// Actions of the audit log. Both entries hold the hash of the manifest, by which the log knows the recording.
const (
	actionDeleting = "recording_deletion_begun"
	actionDeleted  = "recording_deleted"
	reasonOver     = "The retention is over."
)

// Run deletes what nothing keeps any more, until ctx ends. A failure is logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if _, err := s.Delete(ctx); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "retention job failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Delete deletes the recordings that are due, unless another node is at it, and returns how many went.
func (s *Service) Delete(ctx context.Context) (n int, err error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, s.DB.Leases.Give(ctx, leaseName, s.Node))
	}()
	for {
		if mine, err := s.lease(ctx); err != nil || !mine {
			return n, err
		}
		due, err := s.DB.Custodies.Due(ctx, s.Now(), batch)
		if err != nil || len(due) == 0 {
			return n, err
		}
		for i := range due {
			if mine, err := s.lease(ctx); err != nil || !mine {
				return n, err
			}
			switch err := s.delete(ctx, &due[i]); {
			case errors.Is(err, store.ErrHeld): // since it was looked up
			case ctx.Err() != nil:
				return n, context.Cause(ctx)
			case err != nil:
				if err := s.failed(ctx, &due[i], err); err != nil {
					return n, err
				}
			default:
				n++
			}
		}
	}
}

func (s *Service) lease(ctx context.Context) (bool, error) {
	now := s.Now()
	return s.DB.Leases.Take(ctx, leaseName, s.Node, now, now.Add(leaseTime))
}

// failed notes a deletion that did not come about, in the audit log once for each reason.
func (s *Service) failed(ctx context.Context, c *store.Custody, why error) error {
	s.Logger.ErrorContext(ctx, "recording not deleted", "session_id", c.SessionID, "error", why)
	text := "The store cannot be reached, or refuses; the gateway's log tells why."
	if errors.Is(why, objectstore.ErrLocked) {
		text = "The store holds it longer than the gateway does."
	}
	if text != c.DeletionError {
		e := entry(actionDeleted, c, audit.Failed)
		e.Details["problem"] = text
		if err := s.Audit.Record(ctx, e); err != nil {
			return err
		}
	}
	return s.DB.Custodies.DeletionFailed(ctx, c.SessionID, text, s.Now().Add(tryAgain))
}

// delete removes one recording. However often it breaks off, it can be done again.
func (s *Service) delete(ctx context.Context, c *store.Custody) error {
	if c.ManifestSHA256 == "" {
		var err error
		if c.ManifestSHA256, err = s.manifestHash(ctx, c.SessionID); err != nil {
			return err
		}
	}
	if err := s.DB.Custodies.BeginDeletion(ctx, c.SessionID, reasonOver, c.ManifestSHA256, s.Now()); err != nil {
		return err
	}
	if c.DeletingSince.IsZero() { // before anything is removed: what cannot be written down does not happen
		if err := s.Audit.Record(ctx, entry(actionDeleting, c, audit.Success)); err != nil {
			return errors.Join(err, s.DB.Custodies.UndoDeletion(ctx, c.SessionID))
		}
	}
	objects, bytes, err := s.removeObjects(ctx, c.SessionID)
	if err != nil && objects == 0 && c.DeletingSince.IsZero() {
		err = errors.Join(err, s.DB.Custodies.UndoDeletion(ctx, c.SessionID)) // it is whole, and may still be held
	}
	if err != nil {
		return err
	}
	if err := s.DB.Custodies.Shred(ctx, c.SessionID, "retention", reasonOver, s.Now()); err != nil {
		return err
	}
	if err := s.Keys.Forget(ctx, c.SessionID); err != nil {
		return err
	}
	e := entry(actionDeleted, c, audit.Success)
	e.Details["objects"], e.Details["bytes"] = strconv.Itoa(objects), strconv.FormatInt(bytes, 10)
	if err := s.Audit.Record(ctx, e); err != nil {
		return err
	}
	if err := s.DB.Tx(ctx, func(tx *store.Store) error {
		if err := s.purge(ctx, tx, c.SessionID); err != nil {
			return err
		}
		return tx.Custodies.Deleted(ctx, c.SessionID, s.Now())
	}); err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "recording deleted", "session_id", c.SessionID, "objects", objects, "bytes", bytes, "retain_until", c.RetainUntil)
	return nil
}

// sealedFiles go last: they tell what is missing while something is.
var sealedFiles = map[string]bool{"manifest.json": true, "manifest.sig": true, "stored.json": true}

// removeObjects removes what is in the store and returns how much that was.
func (s *Service) removeObjects(ctx context.Context, session string) (objects int, bytes int64, err error) {
	var last []objectstore.Object
	remove := func(o objectstore.Object) error {
		err := s.Objects.Delete(ctx, o.Key)
		if err != nil && !errors.Is(err, objectstore.ErrNotFound) {
			return err
		}
		objects, bytes = objects+1, bytes+o.Size
		return nil
	}
	for o, err := range s.Objects.List(ctx, recording.Folder(session)+"/") {
		if err != nil {
			return objects, bytes, err
		}
		if sealedFiles[path.Base(o.Key)] {
			last = append(last, o)
			continue
		}
		if err := remove(o); err != nil {
			return objects, bytes, err
		}
	}
	for _, o := range last {
		if err := remove(o); err != nil {
			return objects, bytes, err
		}
	}
	return objects, bytes, nil
}

// entry tells of a recording that goes.
func entry(action string, c *store.Custody, outcome audit.Outcome) audit.Entry {
	return audit.Entry{
		Actor: audit.Actor{Kind: audit.KindSystem, Name: leaseName}, Action: action, Outcome: outcome, SessionID: c.SessionID,
		Object: audit.Object{Kind: "recording", ID: c.SessionID},
		Details: map[string]string{
			"manifest_sha256": c.ManifestSHA256, "reason": reasonOver, "retain_until": c.RetainUntil.UTC().Format(time.RFC3339),
			"retention": c.Retention.String(),
		},
	}
}
