package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDatabase(t *testing.T) {
	dir := t.TempDir()
	const dsn = "postgres://vitrine:hunter2@db.example.com/vitrine?sslmode=verify-full"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dsn"), []byte(dsn+"\n"), 0o600))
	parse := func(yaml string, environ ...string) (*Config, error) {
		return Parse([]byte("data_dir: data\n"+yaml), dir, environ)
	}

	cfg, err := parse("")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "data", "vitrine.db"), cfg.Database.Source())

	cfg, err = parse("database: {dsn_file: dsn}")
	require.NoError(t, err)
	require.Equal(t, dsn, cfg.Database.Source())
	require.Empty(t, cfg.Database.Path)
	var shown bytes.Buffer
	require.NoError(t, cfg.Print(&shown))
	require.NotContains(t, shown.String(), "hunter2")
	cfg, err = parse("", "VITRINE_DATABASE_DSN="+dsn)
	require.NoError(t, err)
	require.Equal(t, dsn, cfg.Database.Source())

	for _, good := range []string{
		"postgres:///vitrine?host=/run/postgresql", "postgresql://u:hunter2@127.0.0.1:5433/v", "postgres://localhost/v", "postgres://[::1]/v",
		"postgres://db/v?sslmode=disable", // said in so many words
	} {
		_, err := parse("database: {dsn: \"" + good + "\"}")
		require.NoError(t, err, good)
	}
	for yaml, complaint := range map[string]string{
		"database: {path: x.db, dsn_file: dsn}":                       "both a path (SQLite) and a dsn",
		"database: {dsn: \"postgres://a/b\", dsn_file: dsn}":          "database.dsn: has more than one source",
		"database: {dsn_file: missing}":                               "database.dsn: ",
		"database: {dsn: \"mysql://u:hunter2@localhost/v\"}":          "is not a URL such as postgres://",
		"database: {dsn: \"host=localhost password=hunter2\"}":        "is not a URL such as postgres://",
		"database: {dsn: \"postgres://u:hunter2@local host/v\"}":      "is not a URL such as postgres://",
		"database: {dsn: \"postgres://u:hunter2@db.example.com/v\"}":  "no sslmode",
		"database: {dsn: \"postgres://u:hunter2@/v?host=10.0.0.1\"}":  "no sslmode",
		"database: {dsn: \"postgres://u:hunter2@localhost/v?a=%zz\"}": "parameters that cannot be read",
		"database: {dsn: 5}": "must be text",
	} {
		_, err := parse(yaml)
		require.ErrorContains(t, err, complaint, yaml)
		require.NotContains(t, err.Error(), "hunter2", yaml)
	}
}
