package store

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteConnections bounds the pool. SQLite has one writer at a time; the others wait for busyTimeout.
const (
	sqliteConnections = 8
	busyTimeout       = 10 * time.Second
)

// sqliteFile has one writer at a time: its transactions are serializable as they are.
var sqliteFile = engine{
	name:     "sqlite",
	dialect:  goose.DialectSQLite3,
	open:     openSQLite,
	describe: func(path string) string { return path },
	snapshot: sql.TxOptions{ReadOnly: true}, // which does not take the writers' lock
	tables:   sqliteTables, columns: sqliteColumns, key: sqliteKey,
	search:    sqliteSearch,
	deferKeys: deferSQLite, restore: restoreSQLite,
}

func openSQLite(path string) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// The file holds password hashes: SQLite would create it readable for all.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(sqliteConnections)
	return db, nil
}

func sqliteDSN(path string) string {
	q := url.Values{"_txlock": {"immediate"}}
	for _, pragma := range []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), // first: the others may have to wait
		"journal_mode(WAL)",
		"synchronous(FULL)", // an ended session stays ended after a power cut
		"foreign_keys(1)",
	} {
		q.Add("_pragma", pragma)
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}
