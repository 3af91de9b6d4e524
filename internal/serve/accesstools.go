package serve

import (
	"context"
	"errors"
	"log/slog"

	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// AccessTools are what an operator's commands need to give and to end access, beside a gateway that runs or not: it
// delivers what people are told, and ends the sessions.
type AccessTools struct {
	Access   *accessrequest.Service
	Identity *identity.Service
	Targets  targetsByID
}

// OpenAccess returns them on an open database.
func OpenAccess(cfg *config.Config, db *store.Store, log *slog.Logger) (*AccessTools, error) {
	who, err := identity.New(identity.TablesOf(db), identity.Options{})
	if err != nil {
		return nil, err
	}
	told, err := openNotify(&cfg.Notify, db, cfg.HTTP.PublicURL, log)
	if err != nil {
		return nil, err
	}
	return &AccessTools{
		Identity: who, Targets: knownTargets{target.NewRepository(db, nil), cfg.Targets},
		Access: accessrequest.New(accessrequest.Options{
			DB: db, Rules: AccessRules(&cfg.Access), Notifier: told, People: operatorPeople{&people{identity: who}}, Journal: accessJournal{log: log},
		}),
	}, nil
}

// knownTargets are those of the store and, before a gateway has put them there, those of the configuration.
type knownTargets struct {
	stored     *target.Repository
	configured []config.Target
}

// Get implements targetsByID.
func (k knownTargets) Get(ctx context.Context, id string) (target.Target, error) {
	t, err := k.stored.Get(ctx, id)
	if !errors.Is(err, target.ErrNotFound) {
		return t, err
	}
	for _, c := range k.configured {
		if c.ID == id {
			return target.Target{ID: c.ID, Name: c.Name, Tags: c.Tags, Accounts: []target.Account{{Name: target.DefaultAccount}}}, nil
		}
	}
	return target.Target{}, err
}

// operatorPeople knows how to reach people, but asks nobody for approval.
type operatorPeople struct{ *people }

// Approvers implements accessrequest.People.
func (operatorPeople) Approvers(context.Context, accessrequest.Request) ([]notify.Recipient, error) {
	return nil, nil
}
