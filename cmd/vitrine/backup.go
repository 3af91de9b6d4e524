package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/internal/store"
)

const notInBackup = "It holds password hashes and encrypted credentials: keep it as safe as the database. Recordings, the configuration, the\n" +
	"master key and the evidence key are not in it."

func newBackupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the database to a file",
		Long: "Writes everything in the database, as of one moment, to a new file that `vitrine restore` reads, also into the other\n" +
			"kind of database. The gateway may be running. " + notInBackup,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			m, err := backup(cmd, cfg.Database.Source(), args[0])
			if err != nil {
				return err
			}
			return report(cmd, m, "Backed up %d rows of %d tables, schema version %d, to %s.\n", m.Rows(), len(m.Tables), m.SchemaVersion, args[0])
		},
	}
	configFlag(cmd)
	cmd.Flags().Bool("json", false, "say as JSON what was backed up")
	return cmd
}

func newRestoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill the database from a file of vitrine backup",
		Long: "Fills the empty database that the configuration names, SQLite or PostgreSQL, from a file that `vitrine backup` has\n" +
			"written, and brings it up to date. Either all of it is there afterwards or nothing has changed. Stop the gateway first,\n" +
			"all nodes of it; everybody has to sign in again. The keys of the gateway go with its files, not with the backup. Where the\n" +
			"audit log had gone on since the backup, `vitrine audit verify` will say that it was put back: export it before.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return restore(cmd, args[0]) },
	}
	configFlag(cmd)
	cmd.Flags().Bool("force", false, "replace what is in the database; a SQLite file that was there is kept under another name")
	cmd.Flags().Bool("json", false, "say as JSON what was restored")
	return cmd
}

// backup writes the file whole or not at all, and never over another.
func backup(cmd *cobra.Command, source, path string) (_ *store.Manifest, err error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s exists already", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".backup-") // 0600
	if err != nil {
		return nil, err
	}
	defer func() {
		f.Close()
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	m, err := store.Backup(cmd.Context(), source, f, "vitrine "+version())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) { // somebody was faster
		return nil, fmt.Errorf("%s exists already", path)
	} else if err != nil {
		err = os.Rename(f.Name(), path) // a file system without links
		return m, err
	}
	return m, os.Remove(f.Name())
}

func restore(cmd *cobra.Command, path string) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	force, err := cmd.Flags().GetBool("force")
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	lock, err := serve.Lock(cfg.DataDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	done, err := store.Restore(cmd.Context(), cfg.Database.Source(), f, info.Size(), force)
	if errors.Is(err, store.ErrNotEmpty) {
		return fmt.Errorf("%w; --force replaces what is in it", err)
	}
	if err != nil {
		return err
	}
	if done.Replaced != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "The database that was there is now %s.\n", done.Replaced)
	}
	return report(cmd, done, "Restored %d rows of %d tables from the backup of %s. Everybody has to sign in again.\n",
		done.Rows(), len(done.Tables), done.CreatedAt.Local().Format("2006-01-02 15:04:05"))
}

// report writes v as JSON when --json is set, else the sentence.
func report(cmd *cobra.Command, v any, sentence string, args ...any) error {
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	if !asJSON {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), sentence, args...)
		return err
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
