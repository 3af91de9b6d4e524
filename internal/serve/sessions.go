package serve

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// sessions is what the API sees of the workers and of the database together.
type sessions struct {
	workers workers
	db      *store.Store
	ledger  *ledger
	size    config.Dimensions // asked for when the caller asks for none
}

var _ api.Sessions = (*sessions)(nil)

// Create writes the session down before anything happens, so that a failed attempt is not forgotten either.
func (s *sessions) Create(ctx context.Context, n api.NewSession) (api.Session, error) {
	if n.Width == 0 || n.Height == 0 {
		n.Width, n.Height = s.size.Width, s.size.Height
	}
	if n.Target.TLS.FirstUse {
		c, err := s.db.Certificates.Get(ctx, n.Target.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return api.Session{}, err
		}
		n.Target.TLS.Fingerprint = c.Fingerprint // from then on a pin
	}
	row := store.Session{
		ID: ulid.Make().String(), UserID: n.Subject.ID, UserName: n.Subject.Name,
		TargetID: n.Target.ID, TargetName: n.Target.Name, TargetProtocol: n.Target.Protocol, TargetAddress: n.Target.Address,
		ClientAddress: n.ClientAddress, State: stateConnecting, StartedAt: time.Now(),
	}
	if err := s.db.Sessions.Create(ctx, row); err != nil {
		return api.Session{}, err
	}
	if _, err := s.workers.Create(ctx, row.ID, n); err != nil {
		code, message := "connect_failed", "The session could not be started."
		if e, ok := errors.AsType[*api.Error](err); ok {
			code, message = e.Code, e.Detail
		} else if ctx.Err() != nil {
			code, message = "connect_cancelled", "The caller went away before the desktop was there."
		}
		s.ledger.ended(row.ID, code, message)
		return api.Session{}, err
	}
	return s.Get(ctx, row.ID)
}

// States of a running session, as the API names them.
const (
	stateConnecting = "connecting" // no desktop yet
	stateActive     = "active"
	stateFrozen     = "frozen"
)

// Get returns a session, running or not.
func (s *sessions) Get(ctx context.Context, id string) (api.Session, error) {
	row, err := s.db.Sessions.Get(ctx, id)
	if err != nil {
		return api.Session{}, err
	}
	return s.present(row), nil
}

// List returns sessions, newest first.
func (s *sessions) List(ctx context.Context, f store.SessionFilter) ([]api.Session, error) {
	rows, err := s.db.Sessions.List(ctx, f)
	if err != nil {
		return nil, err
	}
	list := make([]api.Session, len(rows))
	for i, row := range rows {
		list[i] = s.present(row)
	}
	return list, nil
}

// present shows a row as the session is now. The row of an ended one is the truth, whatever its worker still does.
func (s *sessions) present(row store.Session) api.Session {
	out := api.Session{Session: row}
	if row.State == store.StateEnded {
		return out
	}
	if l, ok := s.workers.Get(row.ID); ok && l.State != store.StateEnded {
		l.apply(&out)
	}
	return out
}

func (s *sessions) Offer(ctx context.Context, id string, o api.Offer) (api.Answer, error) {
	if err := s.running(ctx, id); err != nil {
		return api.Answer{}, err
	}
	return s.workers.Offer(ctx, id, o)
}

func (s *sessions) AddCandidates(ctx context.Context, id, viewer, fragment string) error {
	if err := s.running(ctx, id); err != nil {
		return err
	}
	return s.workers.AddCandidates(ctx, id, viewer, fragment)
}

// CloseViewer has nothing to do when the session has ended: its viewers have gone with it.
func (s *sessions) CloseViewer(ctx context.Context, id, viewer string) error {
	err := s.running(ctx, id)
	if err == nil {
		err = s.workers.CloseViewer(ctx, id, viewer)
	}
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code == "session_ended" {
		return nil
	}
	return err
}

func (s *sessions) Terminate(ctx context.Context, id, code, message string) error {
	if err := s.running(ctx, id); err != nil {
		return err
	}
	return s.workers.Terminate(ctx, id, code, message)
}

// running tells an ended session from one that never was.
func (s *sessions) running(ctx context.Context, id string) error {
	if _, ok := s.workers.Get(id); ok {
		return nil
	}
	if _, err := s.db.Sessions.Get(ctx, id); err != nil {
		return err
	}
	return &api.Error{Status: http.StatusConflict, Code: "session_ended", Detail: "The session has ended."}
}

// recordings is what the API sees of the state of recordings.
type recordings struct{ sessions *sessions }

var _ api.Recordings = recordings{}

// Get returns the state of a recording.
func (r recordings) Get(ctx context.Context, session string) (api.Recording, error) {
	rec, err := r.sessions.db.Recordings.Get(ctx, session)
	if err != nil {
		return api.Recording{}, err
	}
	return r.present(rec), nil
}

// List returns the states of recordings, newest session first.
func (r recordings) List(ctx context.Context, before string, limit int) ([]api.Recording, error) {
	rows, err := r.sessions.db.Recordings.List(ctx, before, limit)
	if err != nil {
		return nil, err
	}
	list := make([]api.Recording, len(rows))
	for i, rec := range rows {
		list[i] = r.present(rec)
	}
	return list, nil
}

// present brings the figures of a recording under way up to the moment: the last segment of a still desktop may be
// minutes away from being closed.
func (r recordings) present(rec store.RecordedSession) api.Recording {
	out := api.Recording{Recording: rec.Recording, Session: r.sessions.present(rec.Session)}
	if rec.State != store.RecordingRunning || rec.Session.State == store.StateEnded {
		return out
	}
	out.Duration = max(out.Duration, time.Since(rec.Session.StartedAt))
	if l, ok := r.sessions.workers.Get(rec.SessionID); ok {
		out.Bytes = max(out.Bytes, l.RecordedBytes)
	}
	return out
}
