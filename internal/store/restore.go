package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrNotEmpty is about a database that holds something already.
var ErrNotEmpty = errors.New("store: the database is not empty")

// batchValues bounds the parameters of one INSERT.
const batchValues = 2000

// forgotten are the tables that are emptied after a restore: what was revoked since the backup must not come back, and
// what browsers and programs were in the midst of is over.
var forgotten = []string{"browser_sessions", "idempotency_keys"}

// Restored is what Restore did.
type Restored struct {
	Manifest
	Replaced string `json:"replaced"` // SQLite: where the database that was there is now; "" when there was none
}

// Restore puts what an archive holds into the database at source, and brings it up to the program's schema. Either all
// of it is there afterwards, or the database is as it was. Unless replace is true the database must be empty
// (ErrNotEmpty). Everybody has to sign in again. Nobody else may use the database meanwhile.
func Restore(ctx context.Context, source string, r io.ReaderAt, size int64, replace bool) (*Restored, error) {
	a, err := openArchive(r, size)
	if err != nil {
		return nil, err
	}
	newest, err := newestVersion()
	if err != nil {
		return nil, err
	}
	if a.SchemaVersion > newest {
		return nil, fmt.Errorf("store: the archive has schema version %d, which is newer than %d, the newest this program knows", a.SchemaVersion, newest)
	}
	if err := a.verify(ctx); err != nil {
		return nil, err
	}
	out, kind := &Restored{Manifest: a.Manifest}, engineOf(source)
	if out.Replaced, err = kind.restore(ctx, source, replace, func(db *sql.DB) error { return build(ctx, db, kind, a) }); err != nil {
		return nil, err
	}
	return out, nil
}

// build makes the archive's schema in an empty database, fills it and brings it up to date.
func build(ctx context.Context, db *sql.DB, kind engine, a *archive) error {
	provider, err := newProvider(db, kind)
	if err != nil {
		return fmt.Errorf("store: migrations: %w", err)
	}
	if _, err := provider.UpTo(ctx, a.SchemaVersion); err != nil {
		return fmt.Errorf("store: make schema version %d: %w", a.SchemaVersion, err)
	}
	if err := load(ctx, db, kind, a); err != nil {
		return err
	}
	if err := migrate(ctx, db, kind); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, name := range forgotten {
		if _, err := db.ExecContext(ctx, `DELETE FROM `+quote(name)); err != nil {
			return fmt.Errorf("store: empty table %s: %w", name, err)
		}
	}
	return nil
}

// load fills the tables in one transaction, at whose end foreign keys are checked: then the order of tables and rows
// does not matter, also where they refer to each other in a circle.
func load(ctx context.Context, db *sql.DB, kind engine, a *archive) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no effect once committed
	tables, err := tablesOf(ctx, tx, kind)
	if err != nil {
		return err
	}
	if err := sameTables(tables, a); err != nil {
		return err
	}
	check, err := kind.deferKeys(ctx, tx)
	if err != nil {
		return fmt.Errorf("store: defer foreign keys: %w", err)
	}
	for _, t := range tables { // what migrations have put there
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+quote(t.name)); err != nil {
			return fmt.Errorf("store: empty table %s: %w", t.name, err)
		}
	}
	for i := range a.Tables {
		if err := loadTable(ctx, tx, a, &a.Tables[i]); err != nil {
			return err
		}
	}
	if err = check(); err == nil {
		err = tx.Commit()
	}
	if errors.Is(mapError(err), ErrReference) {
		return &DamagedError{Err: fmt.Errorf("its rows do not fit together: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	return nil
}

// sameTables tells whether the archive holds the tables of its schema version, all of them and nothing else.
func sameTables(tables []table, a *archive) error {
	left := slices.Clone(a.Tables)
	for _, t := range tables {
		i := slices.IndexFunc(left, func(archived ArchivedTable) bool { return archived.Name == t.name })
		if i < 0 {
			return &DamagedError{Table: t.name, Err: errors.New("is missing")}
		}
		if !slices.Equal(slices.Sorted(slices.Values(left[i].Columns)), slices.Sorted(slices.Values(t.columns))) {
			return &DamagedError{Table: t.name, Err: fmt.Errorf("has the columns %s, not %s", strings.Join(left[i].Columns, ", "), strings.Join(t.columns, ", "))}
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		return &DamagedError{Table: left[0].Name, Err: fmt.Errorf("schema version %d has no such table", a.SchemaVersion)}
	}
	return nil
}

func loadTable(ctx context.Context, tx *sql.Tx, a *archive, t *ArchivedTable) error {
	prefix := `INSERT INTO ` + quote(t.Name) + ` (` + quote(t.Columns...) + `) VALUES `
	most := max(1, batchValues/len(t.Columns)) // rows at a time
	var args []any
	insert := func() error {
		if len(args) == 0 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, prefix+rowsOf(len(args)/len(t.Columns), len(t.Columns)), args...); err != nil {
			return &DamagedError{Table: t.Name, Err: mapError(err)}
		}
		args = args[:0]
		return nil
	}
	err := a.read(ctx, t, func(values []any) error {
		args = append(args, values...)
		if len(args)/len(t.Columns) < most {
			return nil
		}
		return insert()
	})
	if err != nil {
		return err
	}
	return insert()
}

// rowsOf returns "($1, $2), ($3, $4)" and so on.
func rowsOf(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	return b.String()
}
