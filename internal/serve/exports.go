package serve

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/export"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

var _ export.Signing = evidence{}

// PublicKeys are all that recordings of this gateway can be signed with.
func (e evidence) PublicKeys() ([]byte, error) {
	k, err := signkey.Load(e.path)
	if err != nil {
		return nil, err
	}
	return k.Public(), nil
}

// openExports gets ready what takes recordings out.
func (g *Gateway) openExports(library *recording.Library, signing evidence) {
	g.exports = export.New(export.Options{
		DB: g.db, Library: library, Signing: signing, PublicKeys: signing.PublicKeys, Texts: g.review, Audit: g.audit,
		Folder: filepath.Join(g.cfg.DataDir, "exports"), FFmpeg: g.cfg.Recording.Export.FFmpeg,
		Concurrent: g.cfg.Recording.Export.Concurrency, Expiry: g.cfg.Recording.Export.Expiry, Logger: g.log.With("component", "export"),
	})
}

// OpenExports opens what takes recordings out on an open database, for the command line beside a gateway that runs or not.
// The caller calls closing.
func OpenExports(ctx context.Context, cfg *config.Config, db *store.Store, log *slog.Logger) (x *export.Service, closing func() error, err error) {
	objects, err := ReadObjects(cfg.Recording)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := vault.Open(ctx, db, cfg.Secrets, cfg.Credentials.Vaults, log)
	if err != nil {
		return nil, nil, errors.Join(err, objects.Close())
	}
	library, signing := recording.NewLibrary(cfg.SpoolDir, objects, recordingKeys{sealed}), evidence{cfg.Evidence.KeyFile}
	return export.New(export.Options{
		DB: db, Library: library, Signing: signing, PublicKeys: signing.PublicKeys, FFmpeg: cfg.Recording.Export.FFmpeg, Logger: log,
		Texts: review.New(review.Options{DB: db, Library: library, Logger: log}),
	}), objects.Close, nil
}
