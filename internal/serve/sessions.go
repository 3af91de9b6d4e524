package serve

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/credential"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// sessions is what the API sees of the workers and of the database together.
type sessions struct {
	workers     workers
	credentials credential.Provider
	db          *store.Store
	audit       audit.Recorder
	ledger      *ledger
	// evidence must be able to sign before anything is recorded.
	evidence evidence
	// keys are made for recordings; nil: they are not encrypted.
	keys    *recordingKeys
	custody *custody.Service
	size    config.Dimensions // asked for when the caller asks for none
	desk    *access.Desk
	keeper  *access.Keeper
	warning time.Duration // before a session ends by policy

	spool   func() error // whether there is room to record; nil: nobody asks
	refused refusals

	thumbnails *thumbnails
	risks      *risks // nil: not weighed
	detection  *detection
}

var _ api.Sessions = (*sessions)(nil)

// Create writes the session down before anything happens, so that a failed attempt is not forgotten either.
func (s *sessions) Create(ctx context.Context, n api.NewSession) (api.Session, error) {
	out, err := s.create(ctx, n)
	s.refused.count(err)
	return out, err
}

func (s *sessions) create(ctx context.Context, n api.NewSession) (api.Session, error) {
	if err := s.evidence.ready(); err != nil {
		return api.Session{}, err
	}
	if s.spool != nil {
		if err := s.spool(); err != nil {
			return api.Session{}, noRoom(err)
		}
	}
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
		AccountID: n.Account.ID, AccountName: n.Account.Name,
		ClientAddress: n.ClientAddress, State: stateConnecting, StartedAt: time.Now(),
	}
	if err := s.db.Sessions.Create(ctx, row); err != nil {
		return api.Session{}, err
	}
	if err := s.keep(ctx, &row, &n); err != nil {
		return api.Session{}, err
	}
	if err := s.audit.Record(ctx, sessionStarted(&row, &n)); err != nil {
		s.ledger.ended(row.ID, endUnaudited, "The session could not be written to the audit log, and so was not begun.")
		return api.Session{}, err
	}
	n.EndWarning = s.warning
	n.Target.ClipboardToTarget = n.Target.ClipboardToTarget && n.Admission.Clipboard.ToTarget
	n.Target.ClipboardFromTarget = n.Target.ClipboardFromTarget && n.Admission.Clipboard.FromTarget
	if g := n.Admission.Grant; g != nil {
		if err := s.desk.Grants.Begin(ctx, g.ID, row.ID); err != nil {
			s.ledger.ended(row.ID, endNotGranted, "The access that was given for this desktop could not be used.")
			return api.Session{}, err
		}
	}
	if err := s.start(ctx, row.ID, n); err != nil {
		s.release(ctx, row.ID, &n)
		code, message := "connect_failed", "The session could not be started."
		if e, ok := errors.AsType[*api.Error](err); ok {
			code, message = e.Code, e.Detail
		} else if ctx.Err() != nil {
			code, message = "connect_cancelled", "The caller went away before the desktop was there."
		}
		s.ledger.ended(row.ID, code, message)
		return api.Session{}, err
	}
	s.keeper.Began(row.ID, n.Admission)
	if _, ok := s.workers.Get(row.ID); !ok { // it has ended before anybody could keep it
		s.keeper.Ended(row.ID)
		s.detection.over(row.ID)
	}
	return s.Get(ctx, row.ID)
}

// release gives back what a session that did not come about has taken of a grant.
func (s *sessions) release(ctx context.Context, id string, n *api.NewSession) {
	if n.Admission.Grant == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := s.desk.Grants.Release(ctx, id); err != nil {
		s.ledger.log.Error("start of a session not given back to its grant", "session_id", id, "grant_id", n.Admission.Grant.ID, "error", err)
	}
}

// endNotGranted is the reason of sessions that did not begin because their grant was used up or over by then.
const endNotGranted = "not_granted"

// endUnaudited is the reason of sessions that did not begin because the audit log could not be written.
const endUnaudited = "audit_unavailable"

// start fetches what to sign in with and starts a worker, which alone gets it.
func (s *sessions) start(ctx context.Context, id string, n api.NewSession) error {
	if s.keys != nil {
		if err := s.keys.make(ctx, id); err != nil {
			return err
		}
	}
	c, err := s.credentials.Credential(ctx, &n.Target, n.Account)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &api.Error{
			Status: http.StatusBadGateway, Code: "credential_unavailable", Err: err,
			Detail: "The password of the account cannot be had; the gateway's log tells why.",
		}
	}
	defer c.Password.Wipe()
	watched, revision, err := s.detection.begin(ctx, id, &n)
	if err == nil {
		_, err = s.workers.Create(ctx, id, n, c, watched)
	}
	if err != nil {
		s.detection.over(id)
		return err
	}
	s.detection.began(ctx, id, revision)
	return nil
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
	out := s.present(row)
	s.weigh(ctx, &out)
	return out, nil
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
		s.weigh(ctx, &list[i])
	}
	return list, nil
}

// weigh adds what is known of the risk of a session that runs.
func (s *sessions) weigh(ctx context.Context, out *api.Session) {
	if out.State != store.StateEnded && s.risks != nil {
		s.risks.assess(ctx, out)
	}
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

func (s *sessions) Terminate(ctx context.Context, id string, by policy.Subject, code, message string) error {
	if err := s.running(ctx, id); err != nil {
		return err
	}
	return s.workers.Terminate(ctx, id, by, code, message)
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
	list := []api.Recording{r.present(rec)}
	err = r.withCustody(ctx, list)
	return list[0], err
}

// List returns the states of recordings, newest session first.
func (r recordings) List(ctx context.Context, f store.SessionFilter) ([]api.Recording, error) {
	rows, err := r.sessions.db.Recordings.List(ctx, f)
	if err != nil {
		return nil, err
	}
	list := make([]api.Recording, len(rows))
	for i, rec := range rows {
		list[i] = r.present(rec)
	}
	return list, r.withCustody(ctx, list)
}

// present brings the figures of a recording under way up to the moment: the last segment of a still desktop may be
// minutes away from being closed.
func (r recordings) present(rec store.RecordedSession) api.Recording {
	out := api.Recording{Recording: rec.Recording, Session: r.sessions.present(rec.Session), Review: rec.Review}
	if rec.State != store.RecordingRunning || rec.Session.State == store.StateEnded {
		return out
	}
	out.Duration = max(out.Duration, time.Since(rec.Session.StartedAt))
	if l, ok := r.sessions.workers.Get(rec.SessionID); ok {
		out.Bytes = max(out.Bytes, l.RecordedBytes)
	}
	return out
}
