package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// Database is where users, sign-ins and the list of sessions rest: a SQLite file, or PostgreSQL when there is a DSN.
type Database struct {
	Path string `yaml:"path"` // SQLite file; empty: vitrine.db in the data folder
	// DSN is the URL of a PostgreSQL database with what libpq knows of TLS: postgres://user:password@host/database?sslmode=verify-full
	DSN     Secret `yaml:"dsn,omitempty"`
	DSNFile string `yaml:"dsn_file,omitempty"`
}

// Source is what store.Open opens. It may hold a password.
func (d *Database) Source() string {
	if !d.DSN.IsZero() {
		return d.DSN.Reveal()
	}
	return d.Path
}

func (d *Database) derive(dataDir string) {
	if d.Path == "" && d.DSN.IsZero() {
		d.Path = filepath.Join(dataDir, "vitrine.db")
	}
}

// database never quotes the DSN, which holds a password.
func (v *validator) database(d *Database) {
	if d.DSN.IsZero() {
		return
	}
	if d.Path != "" {
		v.fail("database", "has both a path (SQLite) and a dsn (PostgreSQL)")
	}
	u, err := url.Parse(d.DSN.Reveal())
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		v.fail("database.dsn", "is not a URL such as postgres://user:password@host/database?sslmode=verify-full")
		return
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		v.fail("database.dsn", "has parameters that cannot be read")
		return
	}
	host := query.Get("host")
	if host == "" {
		host = u.Hostname()
	}
	// The default would be to go without TLS whenever the server, or somebody in between, says it has none.
	if !query.Has("sslmode") && !thisMachine(host) {
		v.fail("database.dsn", "names another machine and no sslmode: say sslmode=verify-full, or what you want instead")
	}
}

// thisMachine tells whether a connection to host stays on this machine: a socket's folder, localhost, a loopback address.
func thisMachine(host string) bool {
	if host == "" || strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
