package vault

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// ErrFixedKey is returned by Rotate for a master key of the environment, which only its owner can replace.
var ErrFixedKey = errors.New("vault: the master key comes from the environment, where another one must be put before it first")

// KeyStatus is a master key and what it wraps.
type KeyStatus struct {
	ID      string
	Secrets int
	Seals   bool // it is the first one; of a transit engine, the newest version of its key
	Known   bool // it is there: what it wraps can be opened
	// Elsewhere is set for a key of a transit engine, which wraps the keys of recordings. Problem is why it cannot be asked now.
	Elsewhere bool   `json:",omitempty"`
	Problem   string `json:",omitempty"`
}

// Status returns the master keys in their order, and then those that are needed and not there.
func (v *Vault) Status(ctx context.Context) ([]KeyStatus, error) {
	if err := v.refresh(); err != nil {
		return nil, err
	}
	counts, err := v.db.Secrets.CountByKey(ctx)
	if err != nil {
		return nil, err
	}
	elsewhere := v.elsewhere(ctx, counts)
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []KeyStatus
	for i, k := range v.keys {
		list = append(list, KeyStatus{ID: k.id, Secrets: counts[k.id], Seals: i == 0, Known: true})
		delete(counts, k.id)
	}
	for id, n := range counts {
		list = append(list, KeyStatus{ID: id, Secrets: n})
	}
	slices.SortStableFunc(list[len(v.keys):], func(a, b KeyStatus) int { return b.Secrets - a.Secrets })
	return append(list, elsewhere...), nil
}

// elsewhere takes the versions of the transit engine's key out of counts.
func (v *Vault) elsewhere(ctx context.Context, counts map[string]int) []KeyStatus {
	if v.transit == nil {
		return nil
	}
	newest, err := v.transit.probe(ctx)
	var list []KeyStatus
	for id, n := range counts {
		if v.transit.own(id) && id != newest {
			list = append(list, KeyStatus{ID: id, Secrets: n, Known: true, Elsewhere: true})
		}
	}
	slices.SortFunc(list, func(a, b KeyStatus) int { return strings.Compare(a.ID, b.ID) })
	if err != nil {
		if len(list) == 0 {
			list = []KeyStatus{{ID: v.transit.prefix() + "?", Known: true, Elsewhere: true}}
		}
		for i := range list {
			list[i].Problem = err.Error()
		}
	} else {
		list = slices.Insert(list, 0, KeyStatus{ID: newest, Secrets: counts[newest], Seals: !v.transit.retired, Known: true, Elsewhere: true})
	}
	for _, k := range list {
		delete(counts, k.ID)
	}
	return list
}

// Rotation is what Rotate has done.
type Rotation struct {
	KeyID     string // of the master key that seals now
	New       bool   // it was made by this Rotate
	Rewrapped int
	Forgotten []string // ids of master keys that were removed
}

// Rotate makes a new master key and wraps all data keys with it. When an earlier Rotate has not come to its end, it
// finishes that instead of making another key; so does it where the keys come from the environment.
//
// The new key is in the file, before the old ones, ere anything is wrapped with it, and the data keys change in one
// transaction: whenever it breaks off, everything opens. Old keys stay in the file, because a backup of the database may
// need them, and because a gateway that runs beside may just be sealing with one. With forget, those that wrap nothing
// are removed.
func (v *Vault) Rotate(ctx context.Context, forget bool) (Rotation, error) {
	unlock, err := v.source.lock()
	if err != nil {
		return Rotation{}, err
	}
	defer unlock()
	if err := v.refresh(); err != nil {
		return Rotation{}, err
	}
	var out Rotation
	counts, err := v.db.Secrets.CountByKey(ctx)
	if err != nil {
		return Rotation{}, err
	}
	maps.DeleteFunc(counts, func(id string, _ int) bool { return isTransit(id) })
	current := v.sealing().id
	unfinished := len(counts) > 1 || len(counts) == 1 && counts[current] == 0
	if !unfinished {
		if v.source.path == "" {
			return Rotation{}, ErrFixedKey
		}
		if err := v.addKey(newMasterKey()); err != nil {
			return Rotation{}, err
		}
		out.New = true
	}
	master := v.sealing()
	out.KeyID = master.id
	if out.Rewrapped, err = v.rewrap(ctx, master); err != nil {
		return Rotation{}, err
	}
	if forget {
		out.Forgotten, err = v.forgetUnused(ctx)
	}
	return out, err
}

// rewrap wraps with master every data key that another one wraps.
func (v *Vault) rewrap(ctx context.Context, master masterKey) (int, error) {
	done := 0
	err := v.db.Tx(ctx, func(tx *store.Store) error {
		done = 0
		for {
			batch, err := tx.Secrets.NotUnder(ctx, master.id, rewrapBatch)
			if err != nil || len(batch) == 0 {
				return err
			}
			for _, s := range batch {
				if err := v.rewrapOne(ctx, tx, master, s); err != nil {
					return err
				}
			}
			done += len(batch)
		}
	})
	return done, err
}

func (v *Vault) rewrapOne(ctx context.Context, tx *store.Store, master masterKey, s store.SealedSecret) error {
	key, err := v.dataKey(s)
	if err != nil {
		return err
	}
	defer clear(key)
	if err := master.wrap(&s, key); err != nil {
		return err
	}
	return tx.Secrets.Put(ctx, s)
}

// addKey puts a key before the others.
func (v *Vault) addKey(k masterKey) error {
	v.mu.Lock()
	keys := append([]masterKey{k}, v.keys...)
	v.mu.Unlock()
	if len(keys) > maxKeys {
		return errors.New("vault: there are too many old master keys: forget them first")
	}
	if err := v.source.write(keys); err != nil {
		return err
	}
	return v.refresh()
}

// forgetUnused removes the keys that wrap nothing, but for the one that seals, and returns their ids.
func (v *Vault) forgetUnused(ctx context.Context) ([]string, error) {
	if v.source.path == "" {
		return nil, nil
	}
	counts, err := v.db.Secrets.CountByKey(ctx)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	var kept []masterKey
	var gone []string
	for i, k := range v.keys {
		if i == 0 || counts[k.id] > 0 {
			kept = append(kept, k)
		} else {
			gone = append(gone, k.id)
		}
	}
	v.mu.Unlock()
	if gone == nil {
		return nil, nil
	}
	if err := v.source.write(kept); err != nil {
		return nil, err
	}
	return gone, v.refresh()
}
