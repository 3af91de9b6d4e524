package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// ErrNoTransit is returned by Rewrap where no transit engine is configured.
var ErrNoTransit = errors.New("vault: secrets.transit is not configured")

// Rewrapping is what Rewrap has done.
type Rewrapping struct {
	KeyID     string // of the key that wraps the keys of recordings now
	Rewrapped int
}

// Rewrap brings the data keys of all recordings under the newest version of the transit engine's key, whatever wraps them now; when
// that is retired, under the master key. It goes a batch at a time: wherever it breaks off, everything opens, and the next Rewrap
// goes on.
func (v *Vault) Rewrap(ctx context.Context) (Rewrapping, error) {
	if v.transit == nil {
		return Rewrapping{}, ErrNoTransit
	}
	if err := v.refresh(); err != nil {
		return Rewrapping{}, err
	}
	out := Rewrapping{KeyID: v.sealing().id}
	if !v.transit.retired {
		newest, err := v.transit.probe(ctx)
		if err != nil {
			return out, err
		}
		out.KeyID = newest
	}
	for after := ""; ; {
		list, err := v.db.Secrets.OfPurpose(ctx, string(RecordingKey), out.KeyID, after, rewrapMost)
		if err != nil || len(list) == 0 {
			return out, err
		}
		after = list[len(list)-1].RecordID
		var here, there []store.SealedSecret
		for _, s := range list {
			if isTransit(s.KeyID) {
				there = append(there, s)
			} else {
				here = append(here, s)
			}
		}
		for _, part := range [][]store.SealedSecret{here, there} {
			n, err := v.rewrapBatch(ctx, part)
			if out.Rewrapped += n; err != nil {
				return out, err
			}
		}
	}
}

// rewrapBatch wraps anew the data keys of secrets which are all here, or all in the engine. One that was replaced or removed
// meanwhile is left alone.
func (v *Vault) rewrapBatch(ctx context.Context, list []store.SealedSecret) (done int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	var wrapped []wrappedKey
	if isTransit(list[0].KeyID) && !v.transit.retired {
		wrapped, err = v.transit.rewrap(ctx, list)
	} else {
		wrapped, err = v.moveBatch(ctx, list)
	}
	if err != nil {
		return 0, err
	}
	for i, s := range list {
		ok, err := v.db.Secrets.Rewrap(ctx, s, wrapped[i].id, wrapped[i].text)
		if err != nil {
			return done, err
		}
		if ok {
			done++
		}
	}
	return done, nil
}

// moveBatch opens data keys and wraps them with what wraps new ones.
func (v *Vault) moveBatch(ctx context.Context, list []store.SealedSecret) (wrapped []wrappedKey, err error) {
	var keys [][]byte
	defer func() { clearAll(keys) }()
	if isTransit(list[0].KeyID) {
		if keys, err = v.transit.unwrap(ctx, list); err != nil {
			return nil, err
		}
	} else {
		for _, s := range list {
			key, err := v.dataKey(s)
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
	}
	if !v.transit.retired {
		return v.transit.wrap(ctx, list, keys)
	}
	for i, s := range list {
		if err := v.wrapHere(&s, keys[i]); err != nil {
			return nil, fmt.Errorf("vault: rewrap: %w", err)
		}
		wrapped = append(wrapped, wrappedKey{s.KeyID, s.DataKey})
	}
	return wrapped, nil
}
