package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Kinds of what people change of detection.
const (
	DetectionRuleKind = "rule"
	DetectionListKind = "list"
)

// DetectionRule is what people say of a rule of detection, or of a list of words. Of a version Deleted may be set: then it was
// removed at that revision.
type DetectionRule struct {
	Kind          string
	ID            string
	Body          string // JSON
	Deleted       bool
	Revision      int64 // of all of them, when this one was written
	UpdatedBy     string
	UpdatedByName string
	UpdatedAt     time.Time
}

// DetectionRules is the table of what people change of detection, and of all its versions.
type DetectionRules struct{ db conn }

const detectionColumns = `kind, id, body, revision, updated_by, updated_by_name, updated_at`

// Revision returns a number that changes with every change; 0 before there are any.
func (r *DetectionRules) Revision(ctx context.Context) (int64, error) {
	var n int64
	err := r.db.QueryRowContext(ctx, `SELECT revision FROM detection_state WHERE id = 1`).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("store: detection rules' revision: %w", err)
	}
	return n, nil
}

// List returns all of them by kind and id, and the revision they are of.
func (r *DetectionRules) List(ctx context.Context) ([]DetectionRule, int64, error) {
	for {
		before, err := r.Revision(ctx)
		if err != nil {
			return nil, 0, err
		}
		list, err := collect(ctx, r.db, "list detection rules", func(row scanner) (d DetectionRule, err error) {
			return d, scanDetectionRule(row, &d)
		}, `SELECT `+detectionColumns+` FROM detection_rules ORDER BY kind, id`)
		if err != nil {
			return nil, 0, err
		}
		after, err := r.Revision(ctx)
		if err != nil {
			return nil, 0, err
		}
		if before == after { // else somebody wrote in between
			return list, after, nil
		}
	}
}

// Versions returns what one was, newest first; before is a revision, 0 for the newest.
func (r *DetectionRules) Versions(ctx context.Context, kind, id string, before int64, limit int) ([]DetectionRule, error) {
	return collect(ctx, r.db, "detection rule versions", func(row scanner) (d DetectionRule, err error) {
		var deleted int
		err = scanDetectionRule(row, &d, &deleted)
		d.Deleted = deleted != 0
		return d, err
	}, `SELECT `+detectionColumns+`, deleted FROM detection_rule_versions
		WHERE kind = $1 AND id = $2 AND ($3 = 0 OR revision < $3) ORDER BY revision DESC LIMIT $4`, kind, id, before, limit)
}

// Change writes one, or removes it where Deleted is set; call it in a Tx. base is the revision of all of them that the caller has
// seen; when it is not the present one the error wraps ErrConflict. It returns the new revision.
func (r *DetectionRules) Change(ctx context.Context, base int64, d DetectionRule) (int64, error) {
	next := base + 1
	var moved sql.Result
	var err error
	if base == 0 {
		moved, err = r.db.ExecContext(ctx, `INSERT INTO detection_state (id, revision) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, next)
	} else {
		moved, err = r.db.ExecContext(ctx, `UPDATE detection_state SET revision = $1 WHERE id = 1 AND revision = $2`, next, base)
	}
	if err = one(moved, err); errors.Is(err, ErrNotFound) {
		return 0, fmt.Errorf("store: change detection rules: %w", ErrConflict)
	}
	if err == nil && d.Deleted {
		err = one(r.db.ExecContext(ctx, `DELETE FROM detection_rules WHERE kind = $1 AND id = $2`, d.Kind, d.ID))
	} else if err == nil {
		_, err = r.db.ExecContext(ctx,
			`INSERT INTO detection_rules (`+detectionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			 ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, revision = excluded.revision,
				updated_by = excluded.updated_by, updated_by_name = excluded.updated_by_name, updated_at = excluded.updated_at`,
			d.Kind, d.ID, d.Body, next, d.UpdatedBy, d.UpdatedByName, toMicros(d.UpdatedAt))
	}
	if err == nil {
		_, err = r.db.ExecContext(ctx,
			`INSERT INTO detection_rule_versions (`+detectionColumns+`, deleted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			d.Kind, d.ID, d.Body, next, d.UpdatedBy, d.UpdatedByName, toMicros(d.UpdatedAt), flag(d.Deleted))
	}
	if err != nil {
		return 0, fmt.Errorf("store: change detection %s %s: %w", d.Kind, d.ID, mapError(err))
	}
	return next, nil
}

func scanDetectionRule(row scanner, d *DetectionRule, more ...any) error {
	var updated int64
	err := row.Scan(append([]any{&d.Kind, &d.ID, &d.Body, &d.Revision, &d.UpdatedBy, &d.UpdatedByName, &updated}, more...)...)
	d.UpdatedAt = fromMicros(updated)
	return err
}
