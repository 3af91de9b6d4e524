package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Proof shows that an entry is in the log of a checkpoint, or that one checkpoint's log begins with another's. Hashes are
// those of RFC 6962's audit path (2.1.1) or consistency proof (2.1.2), in base64.
type Proof struct {
	Index      int64    `json:"index,omitempty"` // inclusion: of the entry
	Leaf       string   `json:"leaf,omitempty"`  // inclusion: its hash
	From       int64    `json:"from,omitempty"`  // consistency: the smaller size
	Size       int64    `json:"size"`
	Root       string   `json:"root"` // of the checkpoint
	Hashes     []string `json:"hashes"`
	Checkpoint string   `json:"checkpoint"` // the signed note
}

// ErrNotSigned is returned for an entry that no checkpoint covers yet.
var ErrNotSigned = errors.New("audit: not under a checkpoint yet")

// Include proves that the entry of that index is in the log of the newest checkpoint. It returns store.ErrNotFound for an
// entry that is not there and ErrNotSigned for one so new that no checkpoint covers it.
func Include(ctx context.Context, db *store.Audit, index int64) (Proof, error) {
	e, err := db.Get(ctx, index)
	if err != nil {
		return Proof{}, err
	}
	c, signed, err := newest(ctx, db)
	if err != nil {
		return Proof{}, err
	}
	if index >= c.N {
		return Proof{}, ErrNotSigned
	}
	path, err := tlog.ProveRecord(c.N, index, hashColumns(db.Hashes).reader(ctx, nil))
	if err != nil {
		return Proof{}, fmt.Errorf("audit: prove entry %d: %w", index, err)
	}
	leaf := tlog.RecordHash([]byte(e.Entry))
	return Proof{Index: index, Leaf: leaf.String(), Size: c.N, Root: c.Hash.String(), Hashes: encodeProof(path), Checkpoint: signed}, nil
}

// Extend proves that the log of the newest checkpoint begins with the first from entries of it.
func Extend(ctx context.Context, db *store.Audit, from int64) (Proof, error) {
	c, signed, err := newest(ctx, db)
	if err != nil {
		return Proof{}, err
	}
	if from < 1 || from > c.N {
		return Proof{}, fmt.Errorf("audit: the newest checkpoint has %d entries, there is none of %d below it", c.N, from)
	}
	path, err := tlog.ProveTree(c.N, from, hashColumns(db.Hashes).reader(ctx, nil))
	if err != nil {
		return Proof{}, fmt.Errorf("audit: prove consistency from %d: %w", from, err)
	}
	return Proof{From: from, Size: c.N, Root: c.Hash.String(), Hashes: encodeProof(path), Checkpoint: signed}, nil
}

func newest(ctx context.Context, db *store.Audit) (Checkpoint, string, error) {
	row, err := db.LastCheckpoint(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return Checkpoint{}, "", ErrNotSigned
	}
	if err != nil {
		return Checkpoint{}, "", err
	}
	c, err := unsignedCheckpoint(row.Note)
	return c, row.Note, err
}

func encodeProof(path []tlog.Hash) []string {
	out := make([]string, len(path))
	for i, h := range path {
		out[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return out
}

func decodeProof(path []string) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(path))
	for i, s := range path {
		var err error
		if out[i], err = tlog.ParseHash(s); err != nil {
			return nil, fmt.Errorf("audit: proof: hash %d is malformed", i)
		}
	}
	return out, nil
}
