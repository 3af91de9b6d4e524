package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrate brings the schema to the newest version. It refuses one that is newer.
func migrate(ctx context.Context, db *sql.DB, kind engine) error {
	if kind.name == postgres.name {
		unlock, err := lockMigrations(ctx, db)
		if err != nil {
			return err
		}
		defer unlock()
	}
	provider, err := newProvider(db, kind)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	if current > newest {
		return fmt.Errorf("schema version %d is newer than %d, the newest this program knows", current, newest)
	}
	if current < newest {
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrate from version %d to %d: %w", current, newest, err)
		}
	}
	if err := prepareSearch(ctx, db, kind); err != nil {
		return fmt.Errorf("search index: %w", err)
	}
	if kind.name == postgres.name {
		if err := sortByBytes(ctx, db); err != nil {
			return fmt.Errorf("order of text: %w", err)
		}
	}
	return nil
}

// newestVersion is that of the newest migration this program has.
func newestVersion() (int64, error) {
	files, err := fs.Glob(embedded, "migrations/*.sql") // sorted
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("store: migrations: %w", err)
	}
	return goose.NumericComponent(files[len(files)-1])
}

func newProvider(db *sql.DB, kind engine) (*goose.Provider, error) {
	migrations, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(kind.dialect, db, migrations)
}
