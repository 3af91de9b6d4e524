package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// States of an export.
const (
	ExportWaiting   = "waiting"
	ExportRunning   = "running"
	ExportDone      = "done"
	ExportFailed    = "failed"
	ExportCancelled = "cancelled"
	ExportExpired   = "expired" // there was a result
)

// ExportJob is an export of a recording.
type ExportJob struct {
	ID         string // ULID
	SessionID  string
	Kind       string // mp4, package
	Options    string // JSON
	Reason     string
	UserID     string
	UserName   string
	State      string
	Progress   int // of 1000
	Bytes      int64
	SHA256     string // hex
	ErrorCode  string
	Error      string
	CreatedAt  time.Time
	FinishedAt time.Time // zero: not yet
	ExpiresAt  time.Time // of the result; zero: there is none
}

// ExportJobs is the table of exports.
type ExportJobs struct{ db conn }

const exportColumns = `id, session_id, kind, options, reason, user_id, user_name, state, progress, bytes, sha256, error_code, error, created_at, finished_at, expires_at`

// ErrTicket is returned for a download that may not begin: its ticket was used, is over, or is somebody else's.
var ErrTicket = errors.New("store: the ticket is used or over")

// Create adds a job, unless its person has as many that wait or run as max, or the recording is about to be deleted.
func (r *ExportJobs) Create(ctx context.Context, j ExportJob, max int) error {
	result, err := r.db.ExecContext(ctx,
		`INSERT INTO export_jobs (id, session_id, kind, options, reason, user_id, user_name, state, created_at)
		 SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT), 'waiting', CAST($8 AS BIGINT)
		 WHERE (SELECT COUNT(*) FROM export_jobs WHERE user_id = $6 AND state IN ('waiting', 'running')) < CAST($9 AS BIGINT)`,
		j.ID, j.SessionID, j.Kind, j.Options, j.Reason, j.UserID, j.UserName, toMicros(j.CreatedAt), max)
	return changed(result, err, "create export", ErrTooMany)
}

// Get returns a job of a session.
func (r *ExportJobs) Get(ctx context.Context, session, id string) (ExportJob, error) {
	j, err := scanExport(r.db.QueryRowContext(ctx, `SELECT `+exportColumns+` FROM export_jobs WHERE id = $1 AND session_id = $2`, id, session))
	if err != nil {
		return ExportJob{}, fmt.Errorf("store: export: %w", mapError(err))
	}
	return j, nil
}

// List returns the jobs of a session, the newest first.
func (r *ExportJobs) List(ctx context.Context, session string, limit int) ([]ExportJob, error) {
	return collect(ctx, r.db, "list exports", scanExport,
		fmt.Sprintf(`SELECT `+exportColumns+` FROM export_jobs WHERE session_id = $1 ORDER BY id DESC LIMIT %d`, limit), session)
}

// Open returns jobs that wait or run, the oldest first.
func (r *ExportJobs) Open(ctx context.Context, limit int) ([]ExportJob, error) {
	return collect(ctx, r.db, "open exports", scanExport,
		fmt.Sprintf(`SELECT `+exportColumns+` FROM export_jobs WHERE state IN ('waiting', 'running') ORDER BY id LIMIT %d`, limit))
}

// Running notes how far an open job is. It returns ErrNotFound for one that is not open any more.
func (r *ExportJobs) Running(ctx context.Context, id string, progress int) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE export_jobs SET state = 'running', progress = $2 WHERE id = $1 AND state IN ('waiting', 'running')`, id, progress)); err != nil {
		return fmt.Errorf("store: export: %w", err)
	}
	return nil
}

// Finish ends an open job: j's State, Bytes, SHA256, errors, and times count. It returns ErrNotFound for one that is not
// open any more.
func (r *ExportJobs) Finish(ctx context.Context, j ExportJob) error {
	progress := 0
	if j.State == ExportDone {
		progress = 1000
	}
	if err := one(r.db.ExecContext(ctx,
		`UPDATE export_jobs SET state = $2, progress = $3, bytes = $4, sha256 = $5, error_code = $6, error = $7, finished_at = $8, expires_at = $9
		 WHERE id = $1 AND state IN ('waiting', 'running')`,
		j.ID, j.State, progress, j.Bytes, j.SHA256, j.ErrorCode, j.Error, timeOrNull(j.FinishedAt), timeOrNull(j.ExpiresAt))); err != nil {
		return fmt.Errorf("store: finish export: %w", err)
	}
	return nil
}

// Expire ends the results that are over at now, and of a session ("": none) all: their files can go.
func (r *ExportJobs) Expire(ctx context.Context, session string, now time.Time) error {
	if _, err := r.db.ExecContext(ctx,
		`UPDATE export_jobs SET state = CASE WHEN state = 'done' THEN 'expired' ELSE 'cancelled' END, expires_at = NULL, ticket_hash = ''
		 WHERE (state = 'done' AND expires_at <= $1) OR (session_id = $2 AND state IN ('done', 'waiting', 'running'))`, toMicros(now), session); err != nil {
		return fmt.Errorf("store: expire exports: %w", err)
	}
	return nil
}

// Remove ends the result of one job before its time.
func (r *ExportJobs) Remove(ctx context.Context, id string) error {
	if _, err := r.db.ExecContext(ctx,
		`UPDATE export_jobs SET state = 'expired', expires_at = NULL, ticket_hash = '' WHERE id = $1 AND state = 'done'`, id); err != nil {
		return fmt.Errorf("store: remove export: %w", err)
	}
	return nil
}

// Kept returns which of the ids are of jobs whose files are still needed.
func (r *ExportJobs) Kept(ctx context.Context, ids []string) (map[string]bool, error) {
	kept := map[string]bool{}
	if len(ids) == 0 {
		return kept, nil
	}
	names, args := placeholders(ids)
	list, err := texts(ctx, r.db, `SELECT id FROM export_jobs WHERE state IN ('waiting', 'running', 'done') AND id IN (`+names+`)`, args...)
	for _, id := range list {
		kept[id] = true
	}
	return kept, err
}

// SetTicket lets one download of a result begin until then, by that person. An earlier ticket is void.
func (r *ExportJobs) SetTicket(ctx context.Context, id, hash, user string, until time.Time) error {
	if err := one(r.db.ExecContext(ctx, `UPDATE export_jobs SET ticket_hash = $2, ticket_user = $3, ticket_until = $4 WHERE id = $1 AND state = 'done'`,
		id, hash, user, toMicros(until))); err != nil {
		return fmt.Errorf("store: export ticket: %w", err)
	}
	return nil
}

// UseTicket takes the ticket of a download that begins, or returns ErrTicket.
func (r *ExportJobs) UseTicket(ctx context.Context, id, hash, user string, now time.Time) error {
	result, err := r.db.ExecContext(ctx,
		`UPDATE export_jobs SET ticket_hash = '' WHERE id = $1 AND ticket_hash = $2 AND ticket_hash <> '' AND ticket_user = $3 AND ticket_until > $4 AND state = 'done'`,
		id, hash, user, toMicros(now))
	return changed(result, err, "use export ticket", ErrTicket)
}

func scanExport(row scanner) (ExportJob, error) {
	var j ExportJob
	var created int64
	var finished, expires sql.NullInt64
	err := row.Scan(&j.ID, &j.SessionID, &j.Kind, &j.Options, &j.Reason, &j.UserID, &j.UserName, &j.State, &j.Progress, &j.Bytes, &j.SHA256,
		&j.ErrorCode, &j.Error, &created, &finished, &expires)
	j.CreatedAt, j.FinishedAt, j.ExpiresAt = fromMicros(created), timeOf(finished), timeOf(expires)
	return j, err
}
