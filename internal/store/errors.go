package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What callers tell apart.
var (
	ErrNotFound = errors.New("store: not found")
	ErrExists   = errors.New("store: exists already")
	ErrTooMany  = errors.New("store: as many as there may be already")
	// ErrReference is about a row that names another which is not there, or is named by one that still is.
	ErrReference = errors.New("store: refers to what is not there, or is referred to")
	// ErrStale is about a row that somebody else has changed since it was read.
	ErrStale = errors.New("store: changed meanwhile")
)

// What PostgreSQL calls what we tell apart (its appendix A).
const (
	pgForeignKey    = "23503"
	pgUnique        = "23505"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
)

// mapError turns what the driver says into what callers tell apart.
func mapError(err error) error {
	var kind error
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			kind = ErrExists
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			kind = ErrReference
		}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case pgUnique:
			kind = ErrExists
		case pgForeignKey:
			kind = ErrReference
		}
	}
	if kind == nil {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// collided tells whether a transaction failed only because of another at the same time: it may be tried again.
func collided(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		primary := e.Code() & 0xff // extended codes say more in the upper bits
		return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == pgSerialization || e.Code == pgDeadlock
	}
	return false
}
