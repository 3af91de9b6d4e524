package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Purpose says what a secret is for. A secret opens for its own purpose only.
type Purpose string

// The purposes there are.
const (
	AccountPassword Purpose = "account_password" // of an account on a target; the record is the account
	TOTPSeed        Purpose = "totp_seed"        // of a person's authenticator
	RecordingKey    Purpose = "recording_key"    // a recording is encrypted with; the record is the session
)

// Vault seals and opens secrets. Its methods may be called from any goroutine.
type Vault struct {
	db  *store.Store
	log *slog.Logger

	transit *transit // wraps the keys of recordings; nil: the master key does

	mu     sync.Mutex // of all below
	source source
	keys   []masterKey // the first one seals
	stamp  stamp       // of the file they were read from
}

// Open reads the master keys. When the file of c is not there and nothing is sealed under one yet, it makes one. servers are those
// that c may name; none is asked yet.
func Open(ctx context.Context, db *store.Store, c config.Secrets, servers []config.VaultServer, log *slog.Logger) (*Vault, error) {
	v := &Vault{db: db, log: log, source: source{path: c.MasterKeyFile}}
	if !c.MasterKey.IsZero() {
		keys, err := parseKeys(c.MasterKey.Reveal())
		if err != nil {
			return nil, fmt.Errorf("vault: secrets.master_key: %w", err)
		}
		v.source = source{fixed: keys}
	}
	if c.Transit.Vault != "" {
		var err error
		if v.transit, err = newTransit(c.Transit, servers); err != nil {
			return nil, err
		}
	}
	counts, err := db.Secrets.CountByKey(ctx)
	if err != nil {
		return nil, err
	}
	local := false
	for id := range counts {
		local = local || !isTransit(id)
	}
	v.keys, v.stamp, err = v.source.read()
	if errors.Is(err, fs.ErrNotExist) {
		if local {
			return nil, fmt.Errorf("%w: the database holds sealed secrets and %s does not exist: restore it", ErrNoKey, c.MasterKeyFile)
		}
		err = v.create()
	}
	if err != nil {
		return nil, err
	}
	if v.stamp.openToOthers() {
		log.Warn("the file of the master key can be read by others", "path", v.source.path, "mode", v.stamp.info.Mode().Perm().String())
	}
	for id, n := range counts {
		if !v.known(id) {
			log.Error("secrets are sealed under a master key that is not there", "key_id", id, "secrets", n)
		}
	}
	return v, nil
}

// create makes the file with a new key.
func (v *Vault) create() error {
	k := newMasterKey()
	if err := v.source.write([]masterKey{k}); err != nil {
		return err
	}
	v.log.Info("made a master key: back it up, and keep it apart from the database and its backups", "path", v.source.path, "key_id", k.id)
	var err error
	v.keys, v.stamp, err = v.source.read()
	return err
}

// known tells whether what that key wraps can be opened here.
func (v *Vault) known(id string) bool {
	if isTransit(id) {
		return v.transit != nil && v.transit.own(id)
	}
	_, ok := v.find(id)
	return ok
}

// Seal keeps plaintext for that purpose and record, in the place of what was there. It keeps no reference to it. Where keys of
// recordings are wrapped elsewhere, it asks there.
func (v *Vault) Seal(ctx context.Context, purpose Purpose, record string, plaintext []byte) error {
	wrap := v.wrapHere
	if purpose == RecordingKey && v.transit != nil && !v.transit.retired {
		wrap = func(s *store.SealedSecret, key []byte) error { return v.transit.one(ctx, s, key) }
	}
	s, err := sealWith(purpose, record, plaintext, wrap)
	if err != nil {
		return err
	}
	return v.db.Secrets.Put(ctx, s)
}

// Wrap is Seal by the master key, for callers that store what it returns themselves, within a transaction.
func (v *Vault) Wrap(purpose Purpose, record string, plaintext []byte) (store.SealedSecret, error) {
	return sealWith(purpose, record, plaintext, v.wrapHere)
}

// wrapHere puts the data key into s, under the master key.
func (v *Vault) wrapHere(s *store.SealedSecret, key []byte) error {
	if err := v.refresh(); err != nil {
		return err
	}
	master := v.sealing()
	return master.wrap(s, key)
}

func sealWith(purpose Purpose, record string, plaintext []byte, wrap func(s *store.SealedSecret, key []byte) error) (store.SealedSecret, error) {
	if len(plaintext) > MaxBytes {
		return store.SealedSecret{}, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, len(plaintext), MaxBytes)
	}
	key := make([]byte, keyBytes)
	defer clear(key)
	rand.Read(key) // never fails
	text, err := seal(key, plaintext, binding(layerSecret, string(purpose), record))
	if err != nil {
		return store.SealedSecret{}, err
	}
	s := store.SealedSecret{Purpose: string(purpose), RecordID: record, Ciphertext: text, CreatedAt: time.Now()}
	if err := wrap(&s, key); err != nil {
		return store.SealedSecret{}, err
	}
	return s, nil
}

// Open returns the secret of that purpose and record. The caller may clear it when it is done with it.
func (v *Vault) Open(ctx context.Context, purpose Purpose, record string) ([]byte, error) {
	s, err := v.db.Secrets.Get(ctx, string(purpose), record)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, purpose)
	}
	if err != nil {
		return nil, err
	}
	if !isTransit(s.KeyID) {
		return v.Unwrap(s)
	}
	if v.transit == nil {
		return nil, fmt.Errorf("%w: %s needs %s", ErrNoKey, s.Purpose, s.KeyID)
	}
	key, err := v.transit.dataKey(ctx, &s)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return openWith(key, s)
}

// Check tells whether keys of recordings can be made and opened now: it tries, also with the service that wraps them elsewhere.
func (v *Vault) Check(ctx context.Context) error {
	if v.transit == nil || v.transit.retired {
		return v.refresh()
	}
	_, err := v.transit.probe(ctx)
	return err
}

// Has tells whether there is a secret of that purpose and record, without opening it.
func (v *Vault) Has(ctx context.Context, purpose Purpose, record string) (bool, error) {
	_, err := v.db.Secrets.Get(ctx, string(purpose), record)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Forget removes the secret of that purpose and record, if there is one.
func (v *Vault) Forget(ctx context.Context, purpose Purpose, record string) error {
	return v.db.Secrets.Delete(ctx, string(purpose), record)
}

// Unwrap is Open for callers that have read s themselves, within a transaction. It opens what a master key wraps.
func (v *Vault) Unwrap(s store.SealedSecret) ([]byte, error) {
	key, err := v.dataKey(s)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return openWith(key, s)
}

func openWith(key []byte, s store.SealedSecret) ([]byte, error) {
	plaintext, err := open(key, s.Ciphertext, binding(layerSecret, s.Purpose, s.RecordID))
	if err != nil {
		return nil, fmt.Errorf("%w (%s of %s)", err, s.Purpose, s.RecordID)
	}
	return plaintext, nil
}

// dataKey unwraps the data key of s. A master key it does not know may have come since: it looks once.
func (v *Vault) dataKey(s store.SealedSecret) ([]byte, error) {
	master, ok := v.find(s.KeyID)
	if !ok {
		if err := v.refresh(); err != nil {
			return nil, err
		}
		if master, ok = v.find(s.KeyID); !ok {
			return nil, fmt.Errorf("%w: %s needs %s", ErrNoKey, s.Purpose, s.KeyID)
		}
	}
	key, err := open(master.key, s.DataKey, binding(layerDataKey, s.Purpose, s.RecordID, s.KeyID))
	if err != nil {
		return nil, fmt.Errorf("%w (data key, %s of %s)", err, s.Purpose, s.RecordID)
	}
	return key, nil
}

// wrap puts the data key into s.
func (k masterKey) wrap(s *store.SealedSecret, key []byte) error {
	s.KeyID = k.id
	var err error
	s.DataKey, err = seal(k.key, key, binding(layerDataKey, s.Purpose, s.RecordID, k.id))
	return err
}

func (v *Vault) sealing() masterKey {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keys[0]
}

func (v *Vault) find(id string) (masterKey, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.keys {
		if k.id == id {
			return k, true
		}
	}
	return masterKey{}, false
}

// refresh reads the file again when it is another one by now: `vitrine secrets rotate-master` runs beside.
func (v *Vault) refresh() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.source.path == "" {
		return nil
	}
	info, err := os.Stat(v.source.path)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if v.stamp.same(info) {
		return nil
	}
	keys, stamp, err := v.source.read()
	if err != nil {
		return err
	}
	v.keys, v.stamp = keys, stamp
	return nil
}
