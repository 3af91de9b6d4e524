package store

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Backup writes everything in the database at source to w, as of one moment, and returns what it wrote. The gateway may
// be running; nothing waits for the backup. A schema older than the program's stays as it is. ErrNoDatabase when the
// database was never set up.
func Backup(ctx context.Context, source string, w io.Writer, madeBy string) (*Manifest, error) {
	kind := engineOf(source)
	if kind.name == sqliteFile.name {
		if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) { // opening would make it
			return nil, fmt.Errorf("%w at %s", ErrNoDatabase, source)
		}
	}
	db, err := kind.open(source)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", kind.describe(source), err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, &kind.snapshot)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", kind.describe(source), err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	m := &Manifest{Format: archiveFormat, Version: archiveVersion, CreatedAt: time.Now().UTC(), MadeBy: madeBy, Database: kind.name, Tables: []ArchivedTable{}}
	version, there, err := schemaVersion(ctx, tx, kind)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", kind.describe(source), err)
	}
	if !there {
		return nil, fmt.Errorf("%w at %s", ErrNoDatabase, kind.describe(source))
	}
	m.SchemaVersion = version
	tables, err := tablesOf(ctx, tx, kind)
	if err != nil {
		return nil, err
	}
	z := zip.NewWriter(w)
	for _, t := range tables {
		archived, err := backupTable(ctx, tx, z, t, m.CreatedAt)
		if err != nil {
			return nil, fmt.Errorf("store: back up table %s: %w", t.name, err)
		}
		m.Tables = append(m.Tables, archived)
	}
	f, err := entry(z, manifestName, m.CreatedAt)
	if err != nil {
		return nil, fmt.Errorf("store: back up: %w", err)
	}
	enc := json.NewEncoder(f)
	enc.SetIndent("", "  ")
	if err := errors.Join(enc.Encode(m), z.Close()); err != nil {
		return nil, fmt.Errorf("store: back up: %w", err)
	}
	return m, nil
}

// backupTable writes the rows in the order of their key, so that equal tables make equal archives.
func backupTable(ctx context.Context, tx *sql.Tx, z *zip.Writer, t table, at time.Time) (ArchivedTable, error) {
	out := ArchivedTable{Name: t.name, Columns: t.columns}
	order := t.key
	if len(order) == 0 {
		order = t.columns
	}
	f, err := entry(z, entryName(t.name), at)
	if err != nil {
		return out, err
	}
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(f, sum, (*count)(&out.Bytes)), 64<<10)
	enc := json.NewEncoder(buffered)
	enc.SetEscapeHTML(false)
	rows, err := tx.QueryContext(ctx, `SELECT `+quote(t.columns...)+` FROM `+quote(t.name)+` ORDER BY `+quote(order...))
	if err != nil {
		return out, err
	}
	defer rows.Close()
	values, dest := make([]any, len(t.columns)), make([]any, len(t.columns))
	for rows.Next() {
		for i := range values {
			values[i] = nil
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return out, err
		}
		if err := encodeRow(enc, values); err != nil {
			return out, fmt.Errorf("row %d: %w", out.Rows+1, err)
		}
		out.Rows++
	}
	if err := errors.Join(rows.Err(), buffered.Flush()); err != nil {
		return out, err
	}
	out.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return out, nil
}

func entry(z *zip.Writer, name string, at time.Time) (io.Writer, error) {
	return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at})
}

// count counts what is written.
type count int64

func (c *count) Write(p []byte) (int, error) {
	*c += count(len(p))
	return len(p), nil
}
