package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// The pool of one node, and how long it waits for a server, unless the URL says otherwise.
const (
	postgresConnections = 20 // of the server's 100 by default
	postgresIdle        = 5 * time.Minute
	postgresConnect     = 10 * time.Second
)

// migrationLock is the advisory lock under which one node at a time brings the schema up to date.
const migrationLock = 0x76697472696e65 // "vitrine"

var postgres = engine{
	name:     "postgresql",
	dialect:  goose.DialectPostgres,
	open:     openPostgres,
	describe: describePostgres,
	tx:       sql.TxOptions{Isolation: sql.LevelSerializable},
	snapshot: sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	tables:   postgresTables, columns: postgresColumns, key: postgresKey,
	search:    postgresSearch,
	deferKeys: deferPostgres, restore: restorePostgres,
}

func openPostgres(source string) (*sql.DB, error) { return openPostgresIn(source, "") }

// openPostgresIn opens a schema of the database; "": the one the URL or the server says.
func openPostgresIn(source, schema string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(source)
	if err != nil {
		// What it says quotes the URL, and hides a password only where it finds one.
		return nil, errors.New("the URL is not one of a PostgreSQL database, or names files that cannot be read")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresConnect
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "vitrine"
	}
	if schema != "" {
		config.RuntimeParams["search_path"] = schema
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections / 2)
	db.SetConnMaxIdleTime(postgresIdle)
	return db, nil
}

// describePostgres names the server and database of a URL, and nothing else of it.
func describePostgres(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return "the PostgreSQL database"
	}
	return "postgres://" + u.Host + u.Path
}

// lockMigrations waits until no other node migrates. The lock ends with the connection, whatever happens to us.
func lockMigrations(ctx context.Context, db *sql.DB) (unlock func(), err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		c.Close()
		return nil, fmt.Errorf("wait for another node's migration: %w", err)
	}
	return func() {
		_, _ = c.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(migrationLock))
		c.Close()
	}, nil
}

// sortByBytes gives every text column the collation "C". Text then sorts as in SQLite, whatever the database was created
// with: a cursor of a list means the same place in both, and an index does not depend on the system's locale data.
func sortByBytes(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx,
		`SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
		 ORDER BY table_name, ordinal_position`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var statements []string
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		statements = append(statements, fmt.Sprintf(`ALTER TABLE %s ALTER COLUMN %s TYPE text COLLATE "C"`,
			pgx.Identifier{table}.Sanitize(), pgx.Identifier{column}.Sanitize()))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}
