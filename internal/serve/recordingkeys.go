package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// recordingKeys are the keys of recordings, each sealed in the vault. Without its key a recording cannot be read by anybody.
type recordingKeys struct{ vault *vault.Vault }

var (
	_ recording.Keys = recordingKeys{}
	_ custody.Keys   = recordingKeys{}
)

// Key implements recording.Keys, for those who read.
func (k recordingKeys) Key(ctx context.Context, session string) ([]byte, error) {
	key, err := k.vault.Open(ctx, vault.RecordingKey, session)
	switch {
	case errors.Is(err, vault.ErrNotFound):
		return nil, recording.ErrNoKey
	case errors.Is(err, vault.ErrUnavailable):
		return nil, &api.Error{
			Status: http.StatusServiceUnavailable, Code: "recording_key_unavailable", Err: err,
			Detail: "The service that protects recordings' keys cannot be reached now, so the recording cannot be opened.",
		}
	}
	return key, err
}

// Has implements custody.Keys.
func (k recordingKeys) Has(ctx context.Context, session string) (bool, error) {
	return k.vault.Has(ctx, vault.RecordingKey, session)
}

// Forget implements custody.Keys.
func (k recordingKeys) Forget(ctx context.Context, session string) error {
	return k.vault.Forget(ctx, vault.RecordingKey, session)
}

// make gives a session that is about to begin its key. One that cannot be had begins no session: what it would record
// could not leave the spool.
func (k recordingKeys) make(ctx context.Context, session string) error {
	key := make([]byte, 32)
	defer clear(key)
	rand.Read(key) // never fails
	if err := k.vault.Seal(ctx, vault.RecordingKey, session, key); err != nil {
		return keyUnavailable(err)
	}
	return nil
}

// keyUnavailable says that no recording can be encrypted, to people who need not know why.
func keyUnavailable(err error) error {
	detail := "The gateway cannot make a key for the recording now, so no session may begin."
	if errors.Is(err, vault.ErrUnavailable) {
		detail = "The service that protects recordings' keys cannot be reached now, so no session may begin."
	}
	return &api.Error{Status: http.StatusServiceUnavailable, Code: "recording_key_unavailable", Detail: detail, Err: err}
}

// writingKeys are for the uploader: a session of before recordings were encrypted gets its key when it is first asked for.
type writingKeys struct{ recordingKeys }

// Key implements recording.Keys.
func (k writingKeys) Key(ctx context.Context, session string) ([]byte, error) {
	key, err := k.recordingKeys.Key(ctx, session)
	if !errors.Is(err, recording.ErrNoKey) {
		return key, err
	}
	if err := k.make(ctx, session); err != nil {
		return nil, fmt.Errorf("serve: key of a recording: %w", err)
	}
	return k.recordingKeys.Key(ctx, session)
}

// ReadRecordings opens the recordings of a configuration to read, for the command line beside a gateway that runs or not.
// The caller calls closing.
func ReadRecordings(ctx context.Context, cfg *config.Config, log *slog.Logger) (library *recording.Library, closing func() error, err error) {
	objects, err := ReadObjects(cfg.Recording)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, cfg.Database.Source())
	if err != nil {
		return nil, nil, errors.Join(err, objects.Close())
	}
	closing = func() error { return errors.Join(db.Close(), objects.Close()) }
	sealed, err := vault.Open(ctx, db, cfg.Secrets, cfg.Credentials.Vaults, log)
	if err != nil {
		return nil, nil, errors.Join(err, closing())
	}
	return recording.NewLibrary(cfg.SpoolDir, objects, recordingKeys{sealed}), closing, nil
}
