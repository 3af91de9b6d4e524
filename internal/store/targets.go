package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Where a target comes from.
const (
	OriginConfig  = "config"  // the configuration file, which alone may change it
	OriginApply   = "apply"   // vitrine apply, or an import
	OriginConsole = "console" // the console or another program, by the API
)

// Target is a desktop, as it rests. RDP is JSON, which package target reads.
type Target struct {
	ID            string
	Name          string
	Description   string
	Protocol      string
	Address       string
	Tags          []string // sorted
	TLSMode       string
	TLSServerName string
	TLSCA         string // PEM
	// TLSFingerprint is SHA-256 in lower-case hex.
	TLSFingerprint string
	ToTarget       bool // the clipboard's text
	FromTarget     bool
	ViewOnly       bool
	RDP            string
	RecordKeys     string // empty: as configured
	Origin         string
	Revision       int64 // counts changes, from 1
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// TargetFilter says which targets a list holds.
type TargetFilter struct {
	Query    string   // words, all of which must be in id, name, description, address or tags; "": all
	Tags     []string // all of which it must have
	Protocol string   // "": all
	Origin   string   // "": all
	After    TargetCursor
	Limit    int // 0: no bound
}

// TargetCursor is a place in the list of targets: after the target of that name and id. The zero value is the beginning.
type TargetCursor struct{ Name, ID string }

// maxSearchWords bounds the words of a query that are looked for.
const maxSearchWords = 8

// Targets is the table of targets with their tags and accounts. What changes them takes several statements: call it
// within Store.Tx.
type Targets struct{ db conn }

const targetColumns = `id, name, description, protocol, address, tls_mode, tls_server_name, tls_ca, tls_fingerprint,
	to_target, from_target, view_only, rdp, record_keys, origin, revision, created_at, updated_at`

// Get returns the target of that id, or ErrNotFound.
func (r *Targets) Get(ctx context.Context, id string) (Target, error) {
	t, err := scanTarget(r.db.QueryRowContext(ctx, `SELECT `+targetColumns+` FROM targets WHERE id = $1`, id))
	if err != nil {
		return Target{}, fmt.Errorf("store: target: %w", mapError(err))
	}
	list := []Target{t}
	if err := r.addTags(ctx, list); err != nil {
		return Target{}, err
	}
	return list[0], nil
}

// List returns targets by name and id, with their tags.
func (r *Targets) List(ctx context.Context, f TargetFilter) ([]Target, error) {
	where, args := f.where()
	query := `SELECT ` + targetColumns + ` FROM targets` + where + ` ORDER BY sort_name, id`
	if f.Limit > 0 {
		query += fmt.Sprintf(` LIMIT %d`, f.Limit)
	}
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: list targets: %w", err)
	}
	defer rows.Close()
	var list []Target
	for rows.Next() {
		t, err := scanTarget(rows)
		if err != nil {
			return nil, fmt.Errorf("store: list targets: %w", err)
		}
		list = append(list, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: list targets: %w", err)
	}
	return list, r.addTags(ctx, list)
}

// Count returns how many targets there are.
func (r *Targets) Count(ctx context.Context) (int, error) {
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM targets`).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count targets: %w", err)
	}
	return n, nil
}

// where returns the condition and its arguments.
func (f *TargetFilter) where() (string, []any) {
	var conditions []string
	var args []any
	with := func(format string, values ...any) {
		numbers := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			numbers[i] = fmt.Sprintf("$%d", len(args))
		}
		conditions = append(conditions, fmt.Sprintf(format, numbers...))
	}
	words := strings.Fields(strings.ToLower(f.Query))
	for _, w := range words[:min(len(words), maxSearchWords)] {
		with(`search LIKE %s ESCAPE '\'`, "%"+escapeLike(w)+"%")
	}
	for _, tag := range f.Tags {
		with(`EXISTS (SELECT 1 FROM target_tags WHERE target_id = targets.id AND tag = %s)`, tag)
	}
	if f.Protocol != "" {
		with(`protocol = %s`, f.Protocol)
	}
	if f.Origin != "" {
		with(`origin = %s`, f.Origin)
	}
	if f.After != (TargetCursor{}) {
		with(`(sort_name, id) > (%s, %s)`, strings.ToLower(f.After.Name), f.After.ID)
	}
	if conditions == nil {
		return "", nil
	}
	return ` WHERE ` + strings.Join(conditions, ` AND `), args
}

var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func escapeLike(s string) string { return likeEscapes.Replace(s) }

// Create adds a target, or returns ErrExists. Its revision is 1.
func (r *Targets) Create(ctx context.Context, t Target) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO targets (`+targetColumns+`, sort_name, search)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		t.ID, t.Name, t.Description, t.Protocol, t.Address, t.TLSMode, t.TLSServerName, t.TLSCA, t.TLSFingerprint,
		flag(t.ToTarget), flag(t.FromTarget), flag(t.ViewOnly), t.RDP, t.RecordKeys, t.Origin, 1,
		toMicros(t.CreatedAt), toMicros(t.UpdatedAt), strings.ToLower(t.Name), t.searchText())
	if err != nil {
		return fmt.Errorf("store: create target: %w", mapError(err))
	}
	return r.setTags(ctx, `target_tags`, `target_id`, t.ID, t.Tags)
}

// Update replaces a target of t's revision, which it counts up. ErrStale when there is another revision by now,
// ErrNotFound when it is gone. Times of creation stay.
func (r *Targets) Update(ctx context.Context, t Target) error {
	result, err := r.db.ExecContext(ctx,
		`UPDATE targets SET name = $1, sort_name = $2, search = $3, description = $4, protocol = $5, address = $6, tls_mode = $7,
			tls_server_name = $8, tls_ca = $9, tls_fingerprint = $10, to_target = $11, from_target = $12, view_only = $13, rdp = $14,
			record_keys = $15, origin = $16, updated_at = $17, revision = revision + 1
		 WHERE id = $18 AND revision = $19`,
		t.Name, strings.ToLower(t.Name), t.searchText(), t.Description, t.Protocol, t.Address, t.TLSMode,
		t.TLSServerName, t.TLSCA, t.TLSFingerprint, flag(t.ToTarget), flag(t.FromTarget), flag(t.ViewOnly), t.RDP,
		t.RecordKeys, t.Origin, toMicros(t.UpdatedAt), t.ID, t.Revision)
	if err := r.changed(ctx, `targets`, t.ID, result, err); err != nil {
		return fmt.Errorf("store: update target: %w", err)
	}
	return r.setTags(ctx, `target_tags`, `target_id`, t.ID, t.Tags)
}

// Delete removes a target of that revision, with its accounts and their secrets of purpose.
func (r *Targets) Delete(ctx context.Context, id string, revision int64, purpose string) error {
	if err := r.keepAllTags(ctx, id); err != nil {
		return fmt.Errorf("store: delete target: %w", err)
	}
	_, err := r.db.ExecContext(ctx,
		`DELETE FROM secrets WHERE purpose = $1 AND record_id IN (SELECT id FROM target_accounts WHERE target_id = $2)`, purpose, id)
	if err != nil {
		return fmt.Errorf("store: delete target: %w", err)
	}
	result, err := r.db.ExecContext(ctx, `DELETE FROM targets WHERE id = $1 AND revision = $2`, id, revision)
	if err := r.changed(ctx, `targets`, id, result, err); err != nil {
		return fmt.Errorf("store: delete target: %w", err)
	}
	return nil
}

// ForgetCertificate removes the certificate a target is held to since its first use, if any.
func (r *Targets) ForgetCertificate(ctx context.Context, target string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM target_certificates WHERE target_id = $1`, target); err != nil {
		return fmt.Errorf("store: forget certificate: %w", err)
	}
	return nil
}

// changed tells a row that is gone from one that somebody else has changed.
func (r *Targets) changed(ctx context.Context, table, id string, result sql.Result, err error) error {
	err = one(result, err)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table+` WHERE id = $1`, id).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return ErrStale
	}
	return ErrNotFound
}

// setTags replaces the tags of a row.
func (r *Targets) setTags(ctx context.Context, table, column, id string, tags []string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM `+table+` WHERE `+column+` = $1`, id); err != nil {
		return fmt.Errorf("store: tags: %w", err)
	}
	for _, tag := range tags {
		if _, err := r.db.ExecContext(ctx, `INSERT INTO `+table+` (`+column+`, tag) VALUES ($1, $2)`, id, tag); err != nil {
			return fmt.Errorf("store: tags: %w", mapError(err))
		}
	}
	return nil
}

// searchText is what queries are looked for in. Words do not reach over the line ends.
func (t *Target) searchText() string {
	return strings.ToLower(strings.Join(append([]string{t.ID, t.Name, t.Description, t.Address}, t.Tags...), "\n"))
}

// addTags fills the tags of list.
func (r *Targets) addTags(ctx context.Context, list []Target) error {
	ids := make([]string, len(list))
	for i, t := range list {
		ids[i] = t.ID
	}
	tags, err := r.tags(ctx, `target_tags`, `target_id`, ids)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Tags = tags[list[i].ID]
	}
	return nil
}

// idBatch is how many ids one statement names.
const idBatch = 500

// tags returns the tags of rows by their id, sorted.
func (r *Targets) tags(ctx context.Context, table, column string, ids []string) (map[string][]string, error) {
	tags := make(map[string][]string, len(ids))
	err := r.eachBatch(ctx, `SELECT `+column+`, tag FROM `+table+` WHERE `+column+` IN (%s) ORDER BY tag`, ids, func(rows *sql.Rows) error {
		var id, tag string
		if err := rows.Scan(&id, &tag); err != nil {
			return err
		}
		tags[id] = append(tags[id], tag)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: tags: %w", err)
	}
	return tags, nil
}

// eachBatch runs a query for ids, so many at a time, and calls scan for each row.
func (r *Targets) eachBatch(ctx context.Context, query string, ids []string, scan func(*sql.Rows) error) error {
	for len(ids) > 0 {
		n := min(len(ids), idBatch)
		args, numbers := make([]any, n), make([]string, n)
		for i, id := range ids[:n] {
			args[i], numbers[i] = id, fmt.Sprintf("$%d", i+1)
		}
		if err := r.each(ctx, fmt.Sprintf(query, strings.Join(numbers, ", ")), args, scan); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (r *Targets) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanTarget(row interface{ Scan(...any) error }) (Target, error) {
	var t Target
	var to, from, viewOnly int
	var created, updated int64
	err := row.Scan(&t.ID, &t.Name, &t.Description, &t.Protocol, &t.Address, &t.TLSMode, &t.TLSServerName, &t.TLSCA, &t.TLSFingerprint,
		&to, &from, &viewOnly, &t.RDP, &t.RecordKeys, &t.Origin, &t.Revision, &created, &updated)
	t.ToTarget, t.FromTarget, t.ViewOnly = to != 0, from != 0, viewOnly != 0
	t.CreatedAt, t.UpdatedAt = fromMicros(created), fromMicros(updated)
	return t, err
}
