package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// A database restored from a backup is one that was rolled back: what was signed since the backup is not in it any more,
// and nothing is signed until somebody says that this is as it should be. They say so in the log itself.

// ErrNotInconsistent is returned when there is nothing to resume from.
var ErrNotInconsistent = errors.New("audit: the log is as it was signed, there is nothing to resume from")

// gap is the range of sizes whose checkpoints were abandoned, by an entry that says so.
type gap struct {
	index      int64 // of the entry
	after, end int64 // checkpoints of more than after and at most end entries
}

// gapOf reads an entry of ActionLogResumed.
func gapOf(index int64, e Entry) (gap, error) {
	after, err1 := strconv.ParseInt(e.Details["kept"], 10, 64)
	end, err2 := strconv.ParseInt(e.Details["abandoned"], 10, 64)
	if err1 != nil || err2 != nil || after < 0 || after > index {
		return gap{}, errors.New("the sizes in it are malformed")
	}
	return gap{index, after, end}, nil
}

// excuses tells whether a checkpoint that contradicts the log is one of those abandoned.
func (g gap) excuses(size int64) bool { return size > g.after && size <= g.end }

// gaps returns those the log tells of.
func (l *Log) gaps(ctx context.Context, size int64) ([]gap, error) {
	rows, err := l.db.ByAction(ctx, size, ActionLogResumed, ActionLogResumed)
	if err != nil {
		return nil, err
	}
	var list []gap
	for _, row := range rows {
		index, e, err := Decode([]byte(row.Entry))
		if err != nil {
			continue // Verify says what is wrong with it
		}
		if g, err := gapOf(index, e); err == nil {
			list = append(list, g)
		}
	}
	return list, nil
}

// Resume accepts that the log is not the one that was signed last: it writes down, for ever, who said so and why, and
// which checkpoints do not count any more, and signs the log again. It returns ErrNotInconsistent when all is well.
func (l *Log) Resume(ctx context.Context, by Actor, reason string) error {
	l.signing.Lock()
	defer l.signing.Unlock()
	head, err := l.db.Head(ctx)
	if err != nil {
		return err
	}
	err = l.consistent(ctx, head)
	if err == nil {
		return ErrNotInconsistent
	}
	if _, ok := errors.AsType[*InconsistentError](err); !ok {
		return err
	}
	kept, err := l.keptSize(ctx, head)
	if err != nil {
		return err
	}
	abandoned := l.last
	entry := Entry{
		Actor: by, Action: ActionLogResumed, Outcome: Success, Object: Object{Kind: "audit_log", Name: l.key.Name()},
		Details: map[string]string{
			"reason": reason, "kept": strconv.FormatInt(kept, 10), "abandoned": strconv.FormatInt(abandoned.N, 10), "abandoned_root": abandoned.Hash.String(),
		},
	}.clean(l.now())
	if head, err = l.append(ctx, []Entry{entry}); err != nil {
		return err
	}
	c, err := l.treeOf(ctx, head.Size)
	if err != nil {
		return err
	}
	signed, err := c.sign(l.key.Signer())
	if err != nil {
		return err
	}
	l.bad = nil
	l.mu.Lock()
	l.metrics.Inconsistent = false
	l.mu.Unlock()
	return l.keep(ctx, c, signed, true)
}

// keptSize returns the size of the largest checkpoint in the database that the log agrees with.
func (l *Log) keptSize(ctx context.Context, head store.AuditHead) (kept int64, err error) {
	reader := hashColumns(l.db.Hashes).reader(ctx, nil)
	for after := int64(0); ; {
		list, err := l.db.Checkpoints(ctx, after, verifyPage)
		if err != nil {
			return 0, err
		}
		for _, row := range list {
			after = row.Size
			c, err := unsignedCheckpoint(row.Note)
			if err != nil || c.N > head.Size {
				continue
			}
			root, err := tlog.TreeHash(c.N, reader)
			if err != nil {
				return 0, fmt.Errorf("audit: resume: %w", err)
			}
			if root == c.Hash {
				kept = max(kept, c.N)
			}
		}
		if len(list) < verifyPage {
			return kept, nil
		}
	}
}
