package serve

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// lockCheckTimeout bounds the question whether the bucket can lock; a store that is away at the start may come later.
const lockCheckTimeout = 10 * time.Second

// openCustody gets ready what keeps recordings and deletes them.
func (g *Gateway) openCustody(ctx context.Context) error {
	if m, ok := g.objects.(*objectstore.MinIO); ok {
		ctx, cancel := context.WithTimeout(ctx, lockCheckTimeout)
		defer cancel()
		switch err := m.CheckLock(ctx); {
		case errors.Is(err, objectstore.ErrNoLock):
			return err
		case err != nil: // what cannot be locked is not stored: it waits in the spool
			g.log.Warn("the store cannot be asked whether it locks objects", "error", err)
		}
	}
	g.custody = custody.New(custody.Options{
		DB: g.db, Objects: g.objects, Keys: recordingKeys{g.vault}, Audit: g.audit, Retention: time.Duration(g.cfg.Recording.Retention),
		Node: ulid.Make().String(), Purge: purges, Logger: g.log.With("component", "custody"),
	})
	return nil
}

// purges remove what the database holds of what was in a recording.
var purges = []func(ctx context.Context, tx *store.Store, session string) error{
	func(ctx context.Context, tx *store.Store, session string) error {
		return tx.Search.Forget(ctx, session)
	},
	func(ctx context.Context, tx *store.Store, session string) error {
		return tx.Alerts.Forget(ctx, session)
	},
	func(ctx context.Context, tx *store.Store, session string) error {
		return tx.Exports.Expire(ctx, session, time.Now())
	},
}

// endNoCustody is the reason of sessions that did not begin because it could not be written down how long they are kept.
const endNoCustody = "custody_unavailable"

// keep fixes how long the recording of a session is kept that is about to begin.
func (s *sessions) keep(ctx context.Context, row *store.Session, n *api.NewSession) error {
	err := s.custody.Begin(ctx, row.ID, n.Admission.Obligations.Retention, row.StartedAt)
	if err != nil {
		s.ledger.ended(row.ID, endNoCustody, "It could not be written down how long the recording is kept, and so the session was not begun.")
	}
	return err
}

// withCustody adds to recordings what becomes of them.
func (r recordings) withCustody(ctx context.Context, list []api.Recording) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].SessionID
	}
	all, err := r.sessions.db.Custodies.Of(ctx, ids)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Custody = all[list[i].SessionID]
	}
	return nil
}

// OpenCustody opens what keeps recordings on an open database, for the command line beside a gateway that runs or not. It
// deletes nothing. The caller calls closing.
func OpenCustody(ctx context.Context, cfg *config.Config, db *store.Store, log *slog.Logger) (c *custody.Service, closing func() error, err error) {
	objects, err := ReadObjects(cfg.Recording)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := vault.Open(ctx, db, cfg.Secrets, cfg.Credentials.Vaults, log)
	if err != nil {
		return nil, nil, errors.Join(err, objects.Close())
	}
	return custody.New(custody.Options{DB: db, Objects: objects, Keys: recordingKeys{sealed}, Purge: purges, Logger: log}), objects.Close, nil
}
