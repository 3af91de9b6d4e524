package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
)

// hasher makes and checks argon2id hashes, a bounded number at once.
type hasher struct {
	params *argon2id.Params
	decoy  string // hash of no password, compared with when the name is unknown
	slots  *semaphore.Weighted
}

func newHasher(params *argon2id.Params) *hasher {
	return &hasher{params: params, decoy: decoy(params), slots: semaphore.NewWeighted(maxHashing)}
}

// decoy is a PHC string that takes as long to check as any, made without hashing: a random key.
func decoy(p *argon2id.Params) string {
	random := func(n uint32) string {
		raw := make([]byte, n)
		rand.Read(raw) // never fails: crypto/rand ends the program instead
		return base64.RawStdEncoding.EncodeToString(raw)
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Iterations, p.Parallelism, random(p.SaltLength), random(p.KeyLength))
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer h.slots.Release(1)
	hash, err := argon2id.CreateHash(password, h.params)
	if err != nil {
		return "", fmt.Errorf("identity: hash: %w", err)
	}
	return hash, nil
}

// check tells whether password has that hash, and whether the hash should be made anew because the parameters changed.
func (h *hasher) check(ctx context.Context, password, hash string) (match, outdated bool, err error) {
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return false, false, err
	}
	defer h.slots.Release(1)
	match, params, err := argon2id.CheckHash(password, hash)
	if err != nil {
		return false, false, fmt.Errorf("identity: check hash: %w", err)
	}
	return match, match && *params != *h.params, nil
}

// waste takes as long as check.
func (h *hasher) waste(ctx context.Context, password string) error {
	_, _, err := h.check(ctx, password, h.decoy)
	return err
}
