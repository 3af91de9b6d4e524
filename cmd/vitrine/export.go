package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/export"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/serve"
)

func newExportCommand() *cobra.Command {
	var asPackage bool
	var reason string
	cmd := &cobra.Command{
		Use:   "export FOLDER|SESSION FILE",
		Short: "Write a recording as one MP4, or as an evidence package",
		Long: "Writes a sealed recording as one file any player plays; \"-\" is standard output.\n" +
			"A FOLDER is recordings/SESSION of a disk store, or a copy of it from any other, if it is not encrypted.\n" +
			"A SESSION is looked up in the store of the configuration, and decrypted.\n" +
			"With --package, of a SESSION, the file is a ZIP of all that was recorded, its signature, the public key and a report,\n" +
			"which `vitrine verify FILE` proves; making one is written to the audit log.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case asPackage:
				return exportPackage(cmd, args[0], args[1], reason)
			case reason != "":
				return errors.New("--reason is of --package")
			}
			return exportFilm(cmd, args[0], args[1])
		},
	}
	cmd.Flags().BoolVar(&asPackage, "package", false, "write an evidence package")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the package's report and the audit log")
	configFlag(cmd)
	return cmd
}

// exportPackage makes an evidence package of a session, beside a running serve, if any.
func exportPackage(cmd *cobra.Command, session, file, reason string) error {
	if !recording.ValidSessionID(session) {
		return fmt.Errorf("%s is not the id of a session: a package is made where the store and the signing key are", session)
	}
	return withUsers(cmd, func(ctx context.Context, u *users) error {
		x, closing, err := serve.OpenExports(ctx, u.cfg, u.db, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		details := map[string]string{"kind": export.Package, "reason": reason}
		err = u.act(ctx, "create_export", audit.Object{Kind: "recording", ID: session}, details, func() error {
			folder, err := os.MkdirTemp(filepath.Dir(file), ".vitrine-export-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(folder)
			made := filepath.Join(folder, "package.zip")
			if err := x.WritePackage(ctx, export.Wish{SessionID: session, Reason: reason, UserName: serve.CommandLine().Name}, made); err != nil {
				return err
			}
			return os.Link(made, file) // unlike a rename it replaces nothing
		})
		return errors.Join(err, closing())
	})
}

func exportFilm(cmd *cobra.Command, what, file string) (err error) {
	library, session, closing, err := exportSource(cmd, what)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	rec, err := library.Open(cmd.Context(), session)
	if err != nil {
		return err
	}
	defer rec.Close()
	x, err := rec.Export(cmd.Context())
	if errors.Is(err, recording.ErrNoKey) {
		return fmt.Errorf("%w here: name the session instead of the folder, or the key was shredded", err)
	}
	if err != nil {
		return err
	}
	if file == "-" {
		return x.Write(cmd.Context(), cmd.OutOrStdout())
	}
	return writeWhole(file, func(w io.Writer) error { return x.Write(cmd.Context(), w) })
}

// exportSource takes what is a folder for a folder, else for the id of a session.
func exportSource(cmd *cobra.Command, what string) (library *recording.Library, session string, closing func() error, err error) {
	if recording.ValidSessionID(what) {
		cfg, err := loadConfig(cmd)
		if err != nil {
			return nil, "", nil, err
		}
		library, closing, err = serve.ReadRecordings(cmd.Context(), cfg, slog.New(slog.DiscardHandler))
		return library, what, closing, err
	}
	manifest, err := os.ReadFile(filepath.Join(what, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil, fmt.Errorf("%s: %w", what, recording.ErrNotSealed)
	}
	if err != nil {
		return nil, "", nil, err
	}
	m, err := recording.ParseManifest(manifest)
	if err != nil {
		return nil, "", nil, err
	}
	root, err := os.OpenRoot(what)
	if err != nil {
		return nil, "", nil, err
	}
	noSpool := filepath.Join(what, ".none")
	return recording.NewLibrary(noSpool, folderStore{root}, nil), m.SessionID, root.Close, nil
}

// writeWhole writes a file that must not exist yet, and leaves nothing behind when it fails.
func writeWhole(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// folderStore shows one recording's folder as a store to read from.
type folderStore struct{ root *os.Root }

var _ objectstore.Store = folderStore{}

func (s folderStore) Get(_ context.Context, key string, rng objectstore.Range) (io.ReadCloser, error) {
	if rng != (objectstore.Range{}) {
		return nil, errors.ErrUnsupported
	}
	f, err := s.root.Open(path.Base(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, objectstore.ErrNotFound
	}
	return f, err
}

func (folderStore) Stat(context.Context, string) (objectstore.Object, error) {
	return objectstore.Object{}, errors.ErrUnsupported
}

func (folderStore) List(context.Context, string) iter.Seq2[objectstore.Object, error] {
	return func(yield func(objectstore.Object, error) bool) { yield(objectstore.Object{}, errors.ErrUnsupported) }
}

func (folderStore) Put(context.Context, string, io.ReadSeeker, int64, objectstore.PutOptions) error {
	return errors.ErrUnsupported
}

func (folderStore) Delete(context.Context, string) error { return errors.ErrUnsupported }
