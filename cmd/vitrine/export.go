package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
)

func newExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export FOLDER FILE.mp4",
		Short: "Write a recording as one MP4",
		Long: "Writes a sealed recording as one file any player plays; \"-\" is standard output.\n" +
			"The folder is recordings/SESSION of a disk store, or a copy of it from any other.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return export(cmd, args[0], args[1]) },
	}
}

func export(cmd *cobra.Command, dir, file string) error {
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", dir, recording.ErrNotSealed)
	}
	if err != nil {
		return err
	}
	m, err := recording.ParseManifest(manifest)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	noSpool := filepath.Join(dir, ".none")
	rec, err := recording.NewLibrary(noSpool, folderStore{root}).Open(cmd.Context(), m.SessionID)
	if err != nil {
		return err
	}
	defer rec.Close()
	x, err := rec.Export(cmd.Context())
	if err != nil {
		return err
	}
	if file == "-" {
		return x.Write(cmd.Context(), cmd.OutOrStdout())
	}
	return writeWhole(file, func(w io.Writer) error { return x.Write(cmd.Context(), w) })
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
