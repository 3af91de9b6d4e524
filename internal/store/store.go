// Package store keeps users, sign-ins, sessions and the state of their recordings in a SQL database.
//
// The database is SQLite through modernc.org/sqlite (no cgo), or PostgreSQL through pgx. Statements and migrations are
// written in the SQL both understand: numbered parameters, BIGINT times in µs, flags that are 0 or 1, no vendor functions.
// BYTEA is the one name both take for bytes. Text sorts by its bytes in both.
//
// Rows are plain structs. Who uses them declares the small interface it needs. [Store.Tx] gives the same repositories
// inside one transaction.
package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Store is the database, or one transaction of it. Its fields are the repositories.
type Store struct {
	Users           *Users
	BrowserSessions *BrowserSessions
	Groups          *Groups
	APITokens       *APITokens
	Sessions        *Sessions
	Recordings      *Recordings
	Certificates    *TargetCertificates
	Targets         *Targets
	Secrets         *Secrets
	SecondFactors   *SecondFactors
	Ceremonies      *Ceremonies
	Audit           *Audit
	Policies        *Policies
	IdempotencyKeys *IdempotencyKeys
	NativeTickets   *NativeTickets

	AccessRequests *AccessRequests
	AccessGrants   *AccessGrants
	Notifications  *Notifications
	Outbox         *Outbox
	Reviews        *Reviews
	RecordingNotes *RecordingNotes
	Search         *Search

	Custodies *Custodies
	Exports   *ExportJobs
	Leases    *Leases

	DetectionRules *DetectionRules
	Alerts         *Alerts

	db     *sql.DB
	tx     *sql.Tx // nil: the database itself
	engine engine
}

// Open opens the database at source and brings its schema up to date. source is a URL such as
// postgres://user:password@host/database?sslmode=verify-full, or the path of a SQLite file, which is created with its
// folder. No error quotes the password.
func Open(ctx context.Context, source string) (*Store, error) {
	kind := engineOf(source)
	db, err := kind.open(source)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", kind.describe(source), err)
	}
	if err := migrate(ctx, db, kind); err != nil {
		db.Close()
		return nil, fmt.Errorf("store: %s: %w", kind.describe(source), err)
	}
	s := repositories(db)
	s.db, s.engine, s.Audit.db = db, kind, db
	return s, nil
}

// repositories makes a Store that speaks to c.
func repositories(c conn) *Store {
	c = tidy{c}
	s := &Store{
		BrowserSessions: &BrowserSessions{c},
		Sessions:        &Sessions{c},
		Recordings:      &Recordings{c},
		Certificates:    &TargetCertificates{c},
		Targets:         &Targets{c},
		Secrets:         &Secrets{c},
		SecondFactors:   &SecondFactors{c},
		Ceremonies:      &Ceremonies{c},
		Audit:           &Audit{conn: c},
		Policies:        &Policies{c},
		IdempotencyKeys: &IdempotencyKeys{c},
		NativeTickets:   &NativeTickets{c},

		AccessRequests: &AccessRequests{c},
		AccessGrants:   &AccessGrants{c},
		Notifications:  &Notifications{c},
		Outbox:         &Outbox{c},

		Custodies: &Custodies{c},
		Exports:   &ExportJobs{c},
		Leases:    &Leases{c},

		DetectionRules: &DetectionRules{c},
	}
	s.Alerts = &Alerts{c, s}
	s.Reviews, s.RecordingNotes, s.Search = &Reviews{c, s}, &RecordingNotes{c, s}, &Search{c, s}
	s.Users, s.Groups, s.APITokens = &Users{c, s}, &Groups{c, s}, &APITokens{c, s}
	return s
}

// Close ends every connection.
func (s *Store) Close() error { return s.db.Close() }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// one checks that a statement changed a row.
func one(result sql.Result, err error) error {
	if err != nil {
		return mapError(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

func toMicros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
