package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Witness keeps checkpoints outside of the database.
type Witness interface {
	// Keep adds a signed checkpoint and makes it durable. final is set for the last one before the process ends.
	Keep(ctx context.Context, size int64, signed string, final bool) error
	// Newest returns the one with the greatest size, "" when there is none.
	Newest(ctx context.Context) (string, error)
	// All calls yield with each, in no order.
	All(ctx context.Context, yield func(signed string) error) error
}

// InconsistentError tells that the log is not what was signed before.
type InconsistentError struct {
	Checkpoint Checkpoint // what was signed
	Detail     string
}

func (e *InconsistentError) Error() string {
	return fmt.Sprintf("audit: the log is not the one whose checkpoint of %d entries was signed: %s", e.Checkpoint.N, e.Detail)
}

// recall finds out what was signed last, so that nothing is signed that contradicts it.
func (l *Log) recall(ctx context.Context) error {
	l.signing.Lock()
	defer l.signing.Unlock()
	var notes []string
	c, err := l.db.LastCheckpoint(ctx)
	switch {
	case err == nil:
		notes = append(notes, c.Note)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	for _, w := range l.opts.Keep {
		signed, err := w.Newest(ctx)
		if err != nil {
			l.log.Warn("audit checkpoints kept outside cannot be read", "error", err)
			continue
		}
		if signed != "" {
			notes = append(notes, signed)
		}
	}
	head, err := l.db.Head(ctx)
	if err != nil {
		return err
	}
	gaps, err := l.gaps(ctx, head.Size)
	if err != nil {
		return err
	}
	for _, signed := range notes {
		c, err := unsignedCheckpoint(signed)
		if err != nil || c.N <= l.last.N {
			continue
		}
		if abandoned, err := l.abandoned(ctx, c, gaps, head.Size); err != nil {
			return err
		} else if !abandoned {
			l.last = c
		}
	}
	l.metrics.SignedSize = l.last.N
	return nil
}

// abandoned tells whether a checkpoint is one that contradicts the log and that an entry of it says not to count.
func (l *Log) abandoned(ctx context.Context, c Checkpoint, gaps []gap, size int64) (bool, error) {
	if !slices.ContainsFunc(gaps, func(g gap) bool { return g.excuses(c.N) }) {
		return false, nil
	}
	if c.N > size {
		return true, nil
	}
	now, err := l.treeOf(ctx, c.N)
	if errors.Is(err, errNoHash) {
		return false, nil
	}
	return now.Hash != c.Hash, err
}

// Checkpoint signs the log as it is, unless nothing is new. After an InconsistentError it signs no more: to go on
// would lend the key to whoever altered the log.
func (l *Log) Checkpoint(ctx context.Context) error { return l.checkpoint(ctx, false) }

func (l *Log) checkpoint(ctx context.Context, final bool) error {
	l.signing.Lock()
	defer l.signing.Unlock()
	if l.bad != nil {
		return l.bad
	}
	head, err := l.db.Head(ctx)
	if err != nil {
		return err
	}
	if err := l.consistent(ctx, head); err != nil {
		if _, ok := errors.AsType[*InconsistentError](err); ok {
			l.found(ctx, err)
		}
		return err
	}
	if head.Size == l.last.N {
		return nil
	}
	if l.key.Verifier() != head.SignedBy { // rotated by another process
		if l.key, err = currentKey(l.opts.KeyFile, head.SignedBy); err != nil {
			return err
		}
	}
	c, err := l.treeOf(ctx, head.Size)
	if err != nil {
		return err
	}
	signed, err := c.sign(l.key.Signer())
	if err != nil {
		return err
	}
	return l.keep(ctx, c, signed, final)
}

// treeOf returns the checkpoint of the first n entries by their stored hashes.
func (l *Log) treeOf(ctx context.Context, n int64) (Checkpoint, error) {
	h, err := tlog.TreeHash(n, hashColumns(l.db.Hashes).reader(ctx, nil))
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{l.key.Name(), tlog.Tree{N: n, Hash: h}}, nil
}

// consistent tells whether the log still begins as it did when it was last signed.
func (l *Log) consistent(ctx context.Context, head store.AuditHead) error {
	if l.last.N == 0 {
		return nil
	}
	if head.Size < l.last.N {
		return &InconsistentError{l.last, fmt.Sprintf("it has only %d entries", head.Size)}
	}
	now, err := l.treeOf(ctx, l.last.N)
	if errors.Is(err, errNoHash) {
		return &InconsistentError{l.last, err.Error()}
	}
	if err != nil {
		return err
	}
	if now.Hash != l.last.Hash {
		return &InconsistentError{l.last, "its hash is " + now.Hash.String() + ", and was " + l.last.Hash.String()}
	}
	return nil
}

// found raises the alarm, once: in the log of the process, in the figures, and as an entry, which no later
// checkpoint covers.
func (l *Log) found(ctx context.Context, err error) {
	l.bad = err
	l.mu.Lock()
	l.metrics.Inconsistent = true
	l.mu.Unlock()
	l.log.Error("the audit log was altered or put back to an earlier state; no checkpoints are signed until it is looked into", "error", err)
	if err := l.Record(ctx, Entry{
		Actor: Actor{Kind: KindSystem, Name: "audit"}, Action: ActionLogInconsistent, Outcome: Failed,
		Object: Object{Kind: "audit_log", Name: l.key.Name()}, Details: map[string]string{"problem": err.Error()},
	}); err != nil {
		l.log.Error("audit alarm not written", "error", err)
	}
}

// keep stores a checkpoint: outside first, so that a database never claims one nobody else has seen.
func (l *Log) keep(ctx context.Context, c Checkpoint, signed string, final bool) error {
	var errs []error
	for _, w := range l.opts.Keep {
		if err := w.Keep(ctx, c.N, signed, final); err != nil {
			errs = append(errs, fmt.Errorf("audit: keep checkpoint of %d entries: %w", c.N, err))
		}
	}
	if err := l.db.AddCheckpoint(ctx, store.AuditCheckpoint{Size: c.N, Note: signed, CreatedAt: l.now()}); err != nil {
		return errors.Join(append(errs, err)...)
	}
	l.last = c
	l.mu.Lock()
	l.metrics.SignedSize, l.metrics.SignedAt = c.N, l.now()
	l.mu.Unlock()
	return errors.Join(errs...)
}

// Run makes checkpoints until ctx ends, and a last one then.
func (l *Log) Run(ctx context.Context) error {
	l.attempt(ctx, false) // what an earlier life left unsigned, and whether the log is still that one
	tick := time.NewTicker(l.opts.Interval)
	defer tick.Stop()
	for {
		more := l.Appended() // before looking: what comes meanwhile is not missed
		if m := l.Metrics(); m.Size-m.SignedSize >= l.opts.Entries && !m.Inconsistent {
			l.attempt(ctx, false)
			if l.Metrics().SignedSize > m.SignedSize {
				continue
			}
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
			defer cancel()
			l.attempt(last, true)
			return nil
		case <-more:
		case <-tick.C:
			l.attempt(ctx, false)
		}
	}
}

// attempt makes a checkpoint; one that fails is made at the next turn.
func (l *Log) attempt(ctx context.Context, final bool) {
	if err := l.checkpoint(ctx, final); err != nil && ctx.Err() == nil {
		if _, told := errors.AsType[*InconsistentError](err); !told {
			l.log.Error("audit checkpoint not made", "error", err)
		}
	}
}

// Metrics are figures of this process's log.
type Metrics struct {
	Size         int64  // entries of the log, as far as this process knows
	Entries      uint64 // written by this process
	Failures     uint64 // entries that could not be written
	SignedSize   int64  // entries under the last checkpoint
	SignedAt     time.Time
	Inconsistent bool // the log is not what was signed
}

// Metrics returns the figures.
func (l *Log) Metrics() Metrics {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.metrics
}
