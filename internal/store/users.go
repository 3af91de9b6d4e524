package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// SourceLocal is the source of users, roles and memberships that are kept here and nowhere else.
const SourceLocal = "local"

// User is a person who signs in.
type User struct {
	ID                 string
	Name               string // lower case, unique
	DisplayName        string // may be empty
	Email              string // may be empty
	PasswordHash       string // argon2id, PHC string; empty: signs in elsewhere
	PasswordAt         time.Time
	MustChangePassword bool
	Disabled           bool
	Source             string // SourceLocal, oidc:NAME or ldap:NAME; empty means SourceLocal when created
	ExternalSubject    string // what Source calls the person, unique within it; empty when local
	CreatedAt          time.Time
	LastSignInAt       time.Time // zero: never
	FailedSignIns      int       // since the last good one
	LockedUntil        time.Time // zero: not locked
}

// UserFilter says which users to list.
type UserFilter struct {
	Query string // part of the name, display name or e-mail address; empty: all
	Role  string // only those who have it; empty: all
	Group string // id; only its members; empty: all
	After string // only names after this one
	Limit int
}

// Profile is what a person is called.
type Profile struct{ DisplayName, Email string }

// Users is the table of users.
type Users struct {
	db    conn
	store *Store // for what takes several statements
}

const userColumns = `id, name, display_name, email, password_hash, password_at, must_change_password, disabled, source, ` +
	`external_subject, created_at, last_sign_in_at, failed_sign_ins, locked_until`

// Create adds u with its roles, or returns ErrExists.
func (r *Users) Create(ctx context.Context, u User, roles ...string) error {
	return r.tx(ctx, func(db conn) error { return createUser(ctx, db, u, roles) })
}

// CreateFirst adds u with its roles when there is no user at all, or returns ErrExists.
func (r *Users) CreateFirst(ctx context.Context, u User, roles ...string) error {
	return r.tx(ctx, func(db conn) error {
		var n int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&n); err != nil {
			return fmt.Errorf("store: count users: %w", err)
		}
		if n > 0 {
			return fmt.Errorf("store: create first user: %w: there are %d users", ErrExists, n)
		}
		return createUser(ctx, db, u, roles)
	})
}

func createUser(ctx context.Context, db conn, u User, roles []string) error {
	if u.Source == "" {
		u.Source = SourceLocal
	}
	_, err := db.ExecContext(ctx,
		`INSERT INTO users (`+userColumns+`, search) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		u.ID, u.Name, u.DisplayName, u.Email, u.PasswordHash, toMicros(u.PasswordAt), flag(u.MustChangePassword), flag(u.Disabled),
		u.Source, orNull(u.ExternalSubject), toMicros(u.CreatedAt), timeOrNull(u.LastSignInAt), u.FailedSignIns, timeOrNull(u.LockedUntil), searchText(u.Name, u.DisplayName, u.Email))
	if err != nil {
		return fmt.Errorf("store: create user: %w", mapError(err))
	}
	return setRoles(ctx, db, u.ID, SourceLocal, roles)
}

// ByName returns the user of that name, or ErrNotFound.
func (r *Users) ByName(ctx context.Context, name string) (User, error) {
	return r.get(ctx, `name = $1`, name)
}

// ByID returns the user of that id, or ErrNotFound.
func (r *Users) ByID(ctx context.Context, id string) (User, error) {
	return r.get(ctx, `id = $1`, id)
}

// ByExternal returns the user a source knows by that subject, or ErrNotFound.
func (r *Users) ByExternal(ctx context.Context, source, subject string) (User, error) {
	return r.get(ctx, `source = $1 AND external_subject = $2`, source, subject)
}

// List returns users by name.
func (r *Users) List(ctx context.Context, f UserFilter) ([]User, error) {
	query := `SELECT ` + userColumns + ` FROM users WHERE ($1 = '' OR name > $1)`
	args := []any{f.After}
	if f.Query != "" {
		args = append(args, likePattern(f.Query))
		query += fmt.Sprintf(` AND search LIKE $%d ESCAPE '!'`, len(args))
	}
	if f.Role != "" {
		args = append(args, f.Role)
		query += fmt.Sprintf(` AND id IN (SELECT user_id FROM user_roles WHERE role = $%d)`, len(args))
	}
	if f.Group != "" {
		args = append(args, f.Group)
		query += fmt.Sprintf(` AND id IN (SELECT user_id FROM group_members WHERE group_id = $%d)`, len(args))
	}
	args = append(args, f.Limit)
	return collect(ctx, r.db, "users", scanUser, query+fmt.Sprintf(` ORDER BY name LIMIT $%d`, len(args)), args...)
}

// SetPassword replaces the password hash of a user; mustChange asks for another at the next sign-in.
func (r *Users) SetPassword(ctx context.Context, id, hash string, at time.Time, mustChange bool) error {
	return r.update(ctx, "set password",
		`UPDATE users SET password_hash = $1, password_at = $2, must_change_password = $3 WHERE id = $4`, hash, toMicros(at), flag(mustChange), id)
}

// RenewHash replaces a password hash by another of the same password, unless it was changed meanwhile.
func (r *Users) RenewHash(ctx context.Context, id, old, hash string) error {
	if _, err := r.db.ExecContext(ctx,
		`UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, hash, id, old); err != nil {
		return fmt.Errorf("store: renew hash: %w", mapError(err))
	}
	return nil
}

// SetProfile replaces what the user of that name, which never changes, is called.
func (r *Users) SetProfile(ctx context.Context, name string, p Profile) error {
	return r.update(ctx, "set profile", `UPDATE users SET display_name = $1, email = $2, search = $3 WHERE name = $4`,
		p.DisplayName, p.Email, searchText(name, p.DisplayName, p.Email), name)
}

// SignedIn notes a good sign-in, which ends the count of failures.
func (r *Users) SignedIn(ctx context.Context, id string, at time.Time) error {
	return r.update(ctx, "signed in",
		`UPDATE users SET last_sign_in_at = $1, failed_sign_ins = 0, locked_until = NULL WHERE id = $2`, toMicros(at), id)
}

// Failed counts a failed sign-in and returns how many there were since the last good one.
func (r *Users) Failed(ctx context.Context, id string) (int, error) {
	var n int
	err := r.db.QueryRowContext(ctx,
		`UPDATE users SET failed_sign_ins = failed_sign_ins + 1 WHERE id = $1 RETURNING failed_sign_ins`, id).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: failed sign-in: %w", mapError(err))
	}
	return n, nil
}

// Lock refuses a user's sign-ins until then. It never shortens a lock.
func (r *Users) Lock(ctx context.Context, id string, until time.Time) error {
	if _, err := r.db.ExecContext(ctx,
		`UPDATE users SET locked_until = $1 WHERE id = $2 AND (locked_until IS NULL OR locked_until < $1)`, toMicros(until), id); err != nil {
		return fmt.Errorf("store: lock user: %w", mapError(err))
	}
	return nil
}

// Unlock ends a lock and forgets the failures.
func (r *Users) Unlock(ctx context.Context, id string) error {
	return r.update(ctx, "unlock user", `UPDATE users SET failed_sign_ins = 0, locked_until = NULL WHERE id = $1`, id)
}

// Knows tells whether the user of that name has signed in from there before.
func (r *Users) Knows(ctx context.Context, name, source string) (bool, error) {
	var n int
	err := r.db.QueryRowContext(ctx,
		`SELECT COUNT(*) FROM known_sources WHERE source = $1 AND user_id IN (SELECT id FROM users WHERE name = $2)`, source, name).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("store: known source: %w", err)
	}
	return n > 0, nil
}

// Remember notes that a user has signed in from there.
func (r *Users) Remember(ctx context.Context, id, source string, at time.Time) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO known_sources (user_id, source, seen_at) VALUES ($1, $2, $3)
		 ON CONFLICT (user_id, source) DO UPDATE SET seen_at = excluded.seen_at`, id, source, toMicros(at))
	if err != nil {
		return fmt.Errorf("store: remember source: %w", mapError(err))
	}
	return nil
}

// ForgetSources forgets where nobody has signed in from since that time, and returns how many it forgot.
func (r *Users) ForgetSources(ctx context.Context, before time.Time) (int64, error) {
	result, err := r.db.ExecContext(ctx, `DELETE FROM known_sources WHERE seen_at < $1`, toMicros(before))
	if err != nil {
		return 0, fmt.Errorf("store: forget sources: %w", err)
	}
	return result.RowsAffected()
}

// Count returns how many users there are.
func (r *Users) Count(ctx context.Context) (int, error) {
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count users: %w", err)
	}
	return n, nil
}

func (r *Users) get(ctx context.Context, where string, args ...any) (User, error) {
	u, err := scanUser(r.db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE `+where, args...))
	if err != nil {
		return User{}, fmt.Errorf("store: user: %w", mapError(err))
	}
	return u, nil
}

func (r *Users) update(ctx context.Context, what, query string, args ...any) error {
	if err := one(r.db.ExecContext(ctx, query, args...)); err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

func scanUser(row scanner) (User, error) {
	var u User
	var disabled, mustChange int
	var created, password int64
	var external sql.NullString
	var last, locked sql.NullInt64
	err := row.Scan(&u.ID, &u.Name, &u.DisplayName, &u.Email, &u.PasswordHash, &password, &mustChange, &disabled, &u.Source,
		&external, &created, &last, &u.FailedSignIns, &locked)
	u.Disabled, u.MustChangePassword, u.ExternalSubject = disabled != 0, mustChange != 0, external.String
	u.CreatedAt, u.PasswordAt, u.LastSignInAt, u.LockedUntil = fromMicros(created), fromMicros(password), timeOf(last), timeOf(locked)
	return u, err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tx runs do with the connection of one transaction.
func (r *Users) tx(ctx context.Context, do func(db conn) error) error {
	return r.store.Tx(ctx, func(tx *Store) error { return do(tx.Users.db) })
}

// Present returns the ids of a source's users who are signed in somewhere or have API tokens.
func (r *Users) Present(ctx context.Context, source string) ([]string, error) {
	return collect(ctx, r.db, "present users", func(row scanner) (string, error) {
		var id string
		return id, row.Scan(&id)
	}, `SELECT id FROM users WHERE source = $1 AND (id IN (SELECT user_id FROM browser_sessions) OR id IN (SELECT user_id FROM api_tokens)) ORDER BY id`, source)
}
