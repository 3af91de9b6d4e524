package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// dropTimeout is how long the rest of a restore that failed may take to go.
const dropTimeout = 30 * time.Second

// restorePostgres builds the tables in a schema of their own, and in one transaction drops those that were there and
// moves the new ones in their place. It needs the right to create schemas in the database.
func restorePostgres(ctx context.Context, source string, replace bool, build func(*sql.DB) error) (_ string, err error) {
	at := describePostgres(source)
	db, err := openPostgres(source)
	if err != nil {
		return "", fmt.Errorf("store: open %s: %w", at, err)
	}
	defer db.Close()
	old, err := texts(ctx, db, postgresTables)
	if err != nil {
		return "", fmt.Errorf("store: %s: %w", at, err)
	}
	if len(old) > 0 && !replace {
		return "", fmt.Errorf("%w: %s", ErrNotEmpty, at)
	}
	schema := "vitrine_restore_" + strings.ToLower(rand.Text()[:12])
	if _, err := db.ExecContext(ctx, `CREATE SCHEMA `+quote(schema)); err != nil {
		return "", fmt.Errorf("store: %s: make a schema to restore into: %w", at, err)
	}
	defer func() {
		if err == nil {
			return
		}
		drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		_, dropErr := db.ExecContext(drop, `DROP SCHEMA `+quote(schema)+` CASCADE`)
		err = errors.Join(err, dropErr)
	}()
	inside, err := openPostgresIn(source, schema)
	if err != nil {
		return "", fmt.Errorf("store: open %s: %w", at, err)
	}
	defer inside.Close()
	if err := build(inside); err != nil {
		return "", err
	}
	fresh, err := texts(ctx, inside, postgresTables)
	if err != nil {
		return "", fmt.Errorf("store: %s: %w", at, err)
	}
	for _, name := range old {
		if !slices.Contains(fresh, name) {
			return "", fmt.Errorf("store: %s holds the table %s, which this program knows nothing of: drop it, or restore into another database", at, name)
		}
	}
	if err := swapTables(ctx, db, schema, old, fresh); err != nil {
		return "", fmt.Errorf("store: %s: put the restored tables in place: %w", at, err)
	}
	return "", nil
}

func swapTables(ctx context.Context, db *sql.DB, schema string, old, fresh []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no effect once committed
	var into string
	if err := tx.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&into); err != nil {
		return err
	}
	var statements []string
	if len(old) > 0 {
		statements = append(statements, `DROP TABLE `+quote(old...))
	}
	for _, name := range fresh {
		statements = append(statements, `ALTER TABLE `+quote(schema)+`.`+quote(name)+` SET SCHEMA `+quote(into))
	}
	for _, statement := range append(statements, `DROP SCHEMA `+quote(schema)) { // which is empty, or nothing is done
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// deferPostgres makes foreign keys wait until check, which checks them and makes them as they were.
func deferPostgres(ctx context.Context, tx *sql.Tx) (check func() error, err error) {
	keys, err := texts(ctx, tx,
		`SELECT 'ALTER TABLE ' || conrelid::regclass || ' ALTER CONSTRAINT ' || quote_ident(conname)
		 FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace`)
	if err != nil {
		return nil, err
	}
	change := func(how string) error {
		for _, key := range keys {
			if _, err := tx.ExecContext(ctx, key+how); err != nil {
				return err
			}
		}
		return nil
	}
	check = func() error {
		if _, err := tx.ExecContext(ctx, `SET CONSTRAINTS ALL IMMEDIATE`); err != nil {
			return err
		}
		return change(` NOT DEFERRABLE`)
	}
	return check, change(` DEFERRABLE INITIALLY DEFERRED`)
}
