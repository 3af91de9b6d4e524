package audit

import (
	"context"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// project keeps the table of the access report. It is made of the entries alone, so that whoever verifies the log can
// compare the two.
func project(ctx context.Context, tx *store.AuditTx, rows []store.AuditEntry, entries []Entry) error {
	for i, e := range entries {
		var err error
		switch e.Action {
		case ActionSessionStarted:
			err = tx.BeginAccess(ctx, accessOf(rows[i].Index, e))
		case ActionSessionEnded:
			err = tx.EndAccess(ctx, e.SessionID, rows[i].Index, e.Time, e.Details["code"], e.Details["message"])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func accessOf(index int64, e Entry) store.Access {
	a := store.Access{
		SessionID: e.SessionID, UserID: e.Actor.ID, UserName: e.Actor.Name, TargetID: e.Object.ID, TargetName: e.Object.Name,
		Protocol: e.Details["protocol"], Address: e.Details["address"], Account: e.Details["account"], Source: e.Source,
		StartedAt: e.Time, StartIndex: index,
	}
	if tags := e.Details["tags"]; tags != "" {
		a.Tags = strings.Split(tags, ",")
	}
	return a
}
