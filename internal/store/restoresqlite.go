package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// restoreSQLite builds a new file beside the one at path and puts it in its place. The one that was there is kept under
// another name: it is why somebody restores, and may be all there is of the newest hours.
func restoreSQLite(ctx context.Context, path string, replace bool, build func(*sql.DB) error) (replaced string, err error) {
	there, err := holdsTables(ctx, path)
	if err != nil && !replace {
		return "", fmt.Errorf("store: %s: %w", path, err)
	}
	if there && !replace {
		return "", fmt.Errorf("%w: %s", ErrNotEmpty, path)
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	dir, err := os.MkdirTemp(folder, ".restore-") // on the same file system, and nobody else's to read
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	defer os.RemoveAll(dir)
	fresh := filepath.Join(dir, "new.db")
	db, err := openSQLite(fresh)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	if err := errors.Join(build(db), db.Close()); err != nil { // the last to close moves the log into the file
		return "", err
	}
	if err := sync(fresh); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	aside := path + ".replaced-" + time.Now().UTC().Format("20060102T150405.000Z")
	moved, err := moveSQLite(path, aside)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		_, back := moveSQLite(aside, path)
		return "", fmt.Errorf("store: %w", errors.Join(err, back))
	}
	if moved {
		replaced = aside
	}
	if err := sync(folder); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return replaced, nil
}

// holdsTables tells whether the file at path is a database that is not empty, without making it.
func holdsTables(ctx context.Context, path string) (bool, error) {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return false, nil
	} else if err != nil {
		return false, err
	}
	db, err := openSQLite(path)
	if err != nil {
		return false, err
	}
	defer db.Close()
	names, err := texts(ctx, db, sqliteTables)
	return len(names) > 0, err
}

// moveSQLite moves a database with its log, which belongs to it and would spoil another. It tells whether there was one.
func moveSQLite(from, to string) (moved bool, err error) {
	for _, part := range []string{"-wal", "-shm", ""} {
		switch err := os.Rename(from+part, to+part); {
		case err == nil:
			moved = true
		case !errors.Is(err, fs.ErrNotExist):
			return moved, err
		}
	}
	return moved, nil
}

// sync makes a file, or the names in a folder, survive a power cut.
func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// deferSQLite makes foreign keys wait for the transaction's end, which checks them.
func deferSQLite(ctx context.Context, tx *sql.Tx) (check func() error, err error) {
	_, err = tx.ExecContext(ctx, `PRAGMA defer_foreign_keys = ON`)
	return func() error { return nil }, err
}
