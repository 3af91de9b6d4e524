package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// User is a person who signs in with a password.
type User struct {
	ID           string
	Name         string // lower case, unique
	PasswordHash string // argon2id, PHC string
	Disabled     bool
	CreatedAt    time.Time
	PasswordAt   time.Time // when the password was set
}

// Users is the table of users.
type Users struct{ db *sql.DB }

const userColumns = `id, name, password_hash, disabled, created_at, password_at`

// Create adds u, or returns ErrExists.
func (r *Users) Create(ctx context.Context, u User) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		u.ID, u.Name, u.PasswordHash, flag(u.Disabled), toMicros(u.CreatedAt), toMicros(u.PasswordAt))
	if err != nil {
		return fmt.Errorf("store: create user: %w", mapError(err))
	}
	return nil
}

// ByName returns the user of that name, or ErrNotFound.
func (r *Users) ByName(ctx context.Context, name string) (User, error) {
	return r.get(ctx, `SELECT `+userColumns+` FROM users WHERE name = $1`, name)
}

// ByID returns the user of that id, or ErrNotFound.
func (r *Users) ByID(ctx context.Context, id string) (User, error) {
	return r.get(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, id)
}

// SetPassword replaces the password hash of a user.
func (r *Users) SetPassword(ctx context.Context, id, hash string, at time.Time) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE users SET password_hash = $1, password_at = $2 WHERE id = $3`, hash, toMicros(at), id)); err != nil {
		return fmt.Errorf("store: set password: %w", err)
	}
	return nil
}

// Count returns how many users there are.
func (r *Users) Count(ctx context.Context) (int, error) {
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count users: %w", err)
	}
	return n, nil
}

func (r *Users) get(ctx context.Context, query string, arg string) (User, error) {
	var u User
	var disabled int
	var created, password int64
	err := r.db.QueryRowContext(ctx, query, arg).Scan(&u.ID, &u.Name, &u.PasswordHash, &disabled, &created, &password)
	if err != nil {
		return User{}, fmt.Errorf("store: user: %w", mapError(err))
	}
	u.Disabled, u.CreatedAt, u.PasswordAt = disabled != 0, fromMicros(created), fromMicros(password)
	return u, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
