package audit

import (
	"context"
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// The hashes of the tree rest with the entries: entry n has those of the subtrees it completes, from its own leaf up.
// The subtree of level l and number i is completed by entry (i+1)·2^l - 1.

const hexHash = 2 * tlog.HashSize

// hashColumns returns the hashes columns of entries by their indexes.
type hashColumns func(ctx context.Context, indexes []int64) (map[int64]string, error)

// reader reads hashes of the tree from the entries, and first from those of a batch that is being written.
func (read hashColumns) reader(ctx context.Context, batch map[int64]tlog.Hash) tlog.HashReader {
	return tlog.HashReaderFunc(func(positions []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(positions))
		var missing []int64
		for i, p := range positions {
			if h, ok := batch[p]; ok {
				hashes[i] = h
				continue
			}
			missing = append(missing, completedBy(p))
		}
		if len(missing) == 0 {
			return hashes, nil
		}
		columns, err := read(ctx, missing)
		if err != nil {
			return nil, err
		}
		for i, p := range positions {
			if _, ok := batch[p]; ok {
				continue
			}
			level, n := tlog.SplitStoredHashIndex(p)
			index := completedBy(p)
			if hashes[i], err = hashAt(columns[index], level); err != nil {
				return nil, fmt.Errorf("audit: hash of subtree %d of level %d at entry %d: %w", n, level, index, err)
			}
		}
		return hashes, nil
	})
}

// completedBy returns the index of the entry that holds the stored hash at position p.
func completedBy(p int64) int64 {
	level, n := tlog.SplitStoredHashIndex(p)
	return (n+1)<<level - 1
}

// hashAt returns the hash of that level of an entry's column.
func hashAt(column string, level int) (tlog.Hash, error) {
	var h tlog.Hash
	if len(column) < (level+1)*hexHash {
		return h, fmt.Errorf("%w: there are %d characters", errNoHash, len(column))
	}
	if _, err := hex.Decode(h[:], []byte(column[level*hexHash:(level+1)*hexHash])); err != nil {
		return h, fmt.Errorf("%w: %w", errNoHash, err)
	}
	return h, nil
}

func encodeHashes(hashes []tlog.Hash) string {
	b := make([]byte, 0, len(hashes)*hexHash)
	for _, h := range hashes {
		b = hex.AppendEncode(b, h[:])
	}
	return string(b)
}
