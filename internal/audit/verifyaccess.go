package audit

import (
	"context"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// accessSource is a Source that also has the table of the access report.
type accessSource interface {
	Accesses(ctx context.Context, sessions []string) (map[string]store.Access, error)
	// CountAccesses returns how many rows say that they come of entries before index.
	CountAccesses(ctx context.Context, index int64) (int64, error)
}

var _ accessSource = (*store.Audit)(nil)

// accesses holds the table of the access report against a page of entries.
func (v *verifier) accesses(ctx context.Context, page []store.AuditEntry, size int64) error {
	src, ok := v.src.(accessSource)
	if !ok {
		return nil
	}
	var sessions []string
	for _, row := range page {
		if row.Action == ActionSessionStarted || row.Action == ActionSessionEnded {
			sessions = append(sessions, row.SessionID)
		}
	}
	rows, err := src.Accesses(ctx, sessions)
	if err != nil {
		return err
	}
	for _, row := range page {
		switch row.Action {
		case ActionSessionStarted:
			err = v.begins(row, rows, size)
		case ActionSessionEnded:
			err = v.ended(row, rows)
		}
		if err != nil {
			return err
		}
	}
	return v.countAccesses(ctx, src, page, size)
}

// begins checks the row of a session against the entry that began it. The first such entry counts.
func (v *verifier) begins(row store.AuditEntry, rows map[string]store.Access, size int64) error {
	_, e, err := Decode([]byte(row.Entry))
	if err != nil {
		return err
	}
	got, ok := rows[row.SessionID]
	if ok && got.StartIndex < row.Index {
		return nil
	}
	want := accessOf(row.Index, e)
	want.EndedAt, want.EndCode, want.EndMessage, want.EndIndex = got.EndedAt, got.EndCode, got.EndMessage, got.EndIndex
	if !ok || !want.Equal(got) {
		return badAccess(row, "does not say what this entry says")
	}
	v.begun++
	if got.EndIndex >= 0 && got.EndIndex < size {
		v.ends[row.SessionID] = got.EndIndex
	}
	return nil
}

// ended checks the row of a session against the entry that ended it. The first after its begin counts.
func (v *verifier) ended(row store.AuditEntry, rows map[string]store.Access) error {
	got, ok := rows[row.SessionID]
	if !ok || got.StartIndex > row.Index || got.EndIndex >= 0 && got.EndIndex < row.Index {
		return nil
	}
	_, e, err := Decode([]byte(row.Entry))
	if err != nil {
		return err
	}
	if got.EndIndex != row.Index || !got.EndedAt.Equal(e.Time) || got.EndCode != e.Details["code"] || got.EndMessage != e.Details["message"] {
		return badAccess(row, "does not say that this entry ended it")
	}
	delete(v.ends, row.SessionID)
	return nil
}

// countAccesses looks, after the last page, for rows that no entry speaks of.
func (v *verifier) countAccesses(ctx context.Context, src accessSource, page []store.AuditEntry, size int64) error {
	if len(page) == 0 || page[len(page)-1].Index != size-1 {
		return nil
	}
	for session, index := range v.ends {
		return &VerifyError{Problem: BadCopy, Index: index, Detail: fmt.Sprintf("the access report says that this entry ended session %s", session)}
	}
	n, err := src.CountAccesses(ctx, size)
	if err != nil || n == v.begun {
		return err
	}
	return &VerifyError{Problem: BadCopy, Index: size - 1, Detail: fmt.Sprintf("the access report has %d sessions, the entries tell of %d", n, v.begun)}
}

func badAccess(row store.AuditEntry, what string) error {
	return &VerifyError{Problem: BadCopy, Index: row.Index, Detail: fmt.Sprintf("the access report's row of session %s %s", row.SessionID, what)}
}
