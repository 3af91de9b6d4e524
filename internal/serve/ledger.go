package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// endRestarted is the reason given to sessions that were running when serve ended without a word.
const (
	endRestarted        = "serve_restarted"
	endRestartedMessage = "The gateway was restarted."
)

// writeTimeout bounds one write to the database.
const writeTimeout = 15 * time.Second

// ledger writes down what becomes of sessions and recordings. A write that fails is logged: the session goes on, because
// its evidence is the recording; the row is put right at the next start.
type ledger struct {
	db      *store.Store
	audit   audit.Recorder
	library *recording.Library
	log     *slog.Logger
	// changed is told that there is more of a recording, or that it is sealed; nil: nobody.
	changed func(id string)
}

// write runs one change with a deadline of its own, because what it tells of has happened whatever else ends.
func (l *ledger) write(session, what string, change func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := change(ctx); err != nil {
		l.log.Error("session not written down", "session_id", session, "what", what, "error", err)
	}
}

// progress notes how a running session is.
func (l *ledger) progress(id string, p store.Progress) {
	l.write(id, "progress", func(ctx context.Context) error { return l.db.Sessions.SetProgress(ctx, id, p) })
}

// recording notes that a session is being recorded.
func (l *ledger) recording(id string) {
	l.write(id, "recording", func(ctx context.Context) error {
		return l.db.Recordings.Put(ctx, store.Recording{SessionID: id, State: store.RecordingRunning})
	})
}

// certificate notes the certificate a session's target has shown at first use, and returns the one that target is held to.
func (l *ledger) certificate(id, fingerprint string) (held string, err error) {
	l.write(id, "certificate", func(ctx context.Context) error {
		var s store.Session
		if s, err = l.db.Sessions.Get(ctx, id); err != nil {
			return err
		}
		var c store.TargetCertificate
		c, err = l.db.Certificates.Trust(ctx, store.TargetCertificate{
			TargetID: s.TargetID, Fingerprint: fingerprint, FirstSeen: time.Now(), SessionID: id,
		})
		if held = c.Fingerprint; err == nil {
			l.log.Info("certificate at first use", "session_id", id, "target_id", s.TargetID, "fingerprint", fingerprint, "held", held)
		}
		return err
	})
	return held, err
}

// ended notes why a session ended.
func (l *ledger) ended(id, code, message string) {
	l.write(id, "end", func(ctx context.Context) error { return l.end(ctx, id, code, message) })
}

// end notes the first reason of a session's end, in its row and in the audit log.
func (l *ledger) end(ctx context.Context, id, code, message string) error {
	before, err := l.db.Sessions.Get(ctx, id)
	if err != nil {
		return err
	}
	if before.State == store.StateEnded {
		return nil
	}
	before.EndCode, before.EndMessage, before.EndedAt = code, message, time.Now()
	return errors.Join(l.db.Sessions.End(ctx, id, code, message, before.EndedAt), l.audit.Record(ctx, sessionEnded(&before)))
}

// sealed ties a sealed recording to the audit log.
func (l *ledger) sealed(id string, s recording.State) {
	l.write(id, "seal", func(ctx context.Context) error {
		sum, err := manifestHash(ctx, l.library, id)
		if err != nil {
			return err
		}
		return l.audit.Record(ctx, recordingSealed(id, s, sum))
	})
}

// uploaded notes how far a recording has come; it is the uploader's OnState.
func (l *ledger) uploaded(id string, s recording.State) {
	if s.Sealed {
		l.sealed(id, s)
	}
	l.write(id, "upload", func(ctx context.Context) error {
		rec := store.Recording{SessionID: id, State: store.RecordingUploading, Bytes: s.Bytes, Duration: s.Duration, PendingFiles: s.Pending}
		switch {
		case s.Sealed:
			rec.State, rec.SealedBy = store.RecordingSealed, string(s.SealedBy)
		case s.Running:
			rec.State = store.RecordingRunning
		}
		if s.Err != nil {
			rec.Error = s.Err.Error()
		}
		return l.db.Recordings.Put(ctx, rec)
	})
	if s.Sealed && l.changed != nil {
		l.changed(id)
	}
}

// reconcile puts right at the start what an earlier life left: sessions marked running have ended, and recordings that
// have left the spool are sealed or were never begun. finished tells the uploader why a session ended.
func (l *ledger) reconcile(ctx context.Context, library *recording.Library, finished func(id string, end recording.EndReason)) error {
	for before := ""; ; {
		list, err := l.db.Sessions.List(ctx, store.SessionFilter{Running: new(true), Before: before, Limit: 500})
		if err != nil {
			return err
		}
		for _, s := range list {
			if err := l.end(ctx, s.ID, endRestarted, endRestartedMessage); err != nil {
				return err
			}
			finished(s.ID, recording.EndReason{Code: endRestarted, Message: endRestartedMessage})
			l.log.Warn("session ended by a restart", "session_id", s.ID, "user_name", s.UserName, "target_id", s.TargetID)
			before = s.ID
		}
		if len(list) == 0 {
			break
		}
	}
	unsealed, err := l.db.Recordings.Unsealed(ctx)
	if err != nil {
		return err
	}
	for _, rec := range unsealed {
		if err := l.settle(ctx, library, rec); err != nil {
			return err
		}
	}
	return nil
}

// settle looks where an unsealed recording is. In the spool, the uploader goes on with it.
func (l *ledger) settle(ctx context.Context, library *recording.Library, rec store.Recording) error {
	r, err := library.Open(ctx, rec.SessionID)
	switch {
	case errors.Is(err, recording.ErrNotFound):
		rec.State, rec.Error = store.RecordingFailed, "Nothing was recorded."
		return l.db.Recordings.Put(ctx, rec)
	case err != nil:
		// The store may be down; the recording is no worse for it.
		l.log.Warn("recording cannot be looked at", "session_id", rec.SessionID, "error", err)
		return nil
	}
	defer r.Close()
	if !r.Sealed() {
		rec.State = store.RecordingUploading
		return l.db.Recordings.Put(ctx, rec)
	}
	m := r.Manifest()
	l.sealed(rec.SessionID, recording.State{Sealed: true, SealedBy: m.SealedBy, Bytes: r.Bytes(), Duration: m.Duration.Duration()})
	err = l.db.Recordings.Put(ctx, store.Recording{
		SessionID: rec.SessionID, State: store.RecordingSealed, Bytes: r.Bytes(), Duration: m.Duration.Duration(), SealedBy: string(m.SealedBy),
	})
	if err != nil {
		return fmt.Errorf("serve: settle: %w", err)
	}
	return nil
}
