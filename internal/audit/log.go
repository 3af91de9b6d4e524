package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Options are what a Log is made of.
type Options struct {
	Store   *store.Audit
	KeyFile string
	KeyName string    // of a key that is made, and with it the origin of the log
	Keep    []Witness // where checkpoints are kept besides the database; the first also tells what was signed last

	Interval time.Duration // between checkpoints, while there is something new; 0: 1 minute
	Entries  int64         // without a checkpoint, before one is made early; 0: 1000

	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Log is the audit log of one database. Several processes may append to one database at the same time, and they need
// the same key. It is safe for concurrent use. Record needs no Run; Run makes the checkpoints.
type Log struct {
	opts Options
	db   *store.Audit
	log  *slog.Logger
	now  func() time.Time

	mu       sync.Mutex
	pending  []*waiting
	appended chan struct{} // closed and replaced when there are new entries
	metrics  Metrics
	failed   bool // the last batch could not be written

	turn chan struct{} // capacity 1; holding its place is the right to write a batch

	signing sync.Mutex // over what follows
	key     *signkey.Key
	last    Checkpoint // what was signed last, as far as is known here
	bad     error      // why nothing is signed any more
}

// waiting is an entry that is not written yet.
type waiting struct {
	entry Entry
	done  chan error // capacity 1
}

var _ Recorder = (*Log)(nil)

// Open opens the log in a database. The first time it makes the key and the log's first entry. It returns ErrKey when
// the key file does not hold the key the log is signed with.
func Open(ctx context.Context, opts Options) (*Log, error) {
	l := &Log{opts: opts, db: opts.Store, log: opts.Logger, now: opts.Now, turn: make(chan struct{}, 1), appended: make(chan struct{})}
	if l.opts.Interval == 0 {
		l.opts.Interval = time.Minute
	}
	if l.opts.Entries == 0 {
		l.opts.Entries = 1000
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	head, err := l.db.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.SignedBy == "" {
		if head, err = l.create(ctx); err != nil {
			return nil, err
		}
	}
	if l.key, err = currentKey(opts.KeyFile, head.SignedBy); err != nil {
		return nil, err
	}
	l.metrics.Size = head.Size
	return l, l.recall(ctx)
}

// create makes the key, unless there is one, and the first entry. Where another process was faster, that one's counts.
func (l *Log) create(ctx context.Context) (store.AuditHead, error) {
	k, err := signkey.Open(l.opts.KeyFile, l.opts.KeyName)
	if err != nil {
		return store.AuditHead{}, fmt.Errorf("audit: key: %w", err)
	}
	var head store.AuditHead
	first := Entry{
		Actor: Actor{Kind: KindSystem, Name: "audit"}, Action: ActionLogCreated, Outcome: Success,
		Object: Object{Kind: "audit_log", Name: k.Name()}, Details: map[string]string{"key": k.Verifier()},
	}.clean(l.now())
	errThere := errors.New("there already")
	err = l.db.Append(ctx, 1, func(ctx context.Context, tx *store.AuditTx) error {
		if tx.First != 0 || tx.Head.SignedBy != "" {
			return errThere
		}
		if err := tx.SignedBy(ctx, k.Verifier()); err != nil {
			return err
		}
		head = tx.Head
		return write(ctx, tx, []Entry{first})
	})
	if errors.Is(err, errThere) {
		return l.db.Head(ctx)
	}
	if err != nil {
		return store.AuditHead{}, err
	}
	l.log.Info("audit log created", "key", k.Verifier())
	return head, nil
}

// Record implements Recorder. The error wraps ErrUnavailable.
func (l *Log) Record(ctx context.Context, e Entry) error {
	w := &waiting{entry: e.clean(l.now()), done: make(chan error, 1)}
	l.mu.Lock()
	if len(l.pending) >= maxPending {
		l.metrics.Failures++
		l.mu.Unlock()
		return fmt.Errorf("%w: %d entries wait already", ErrUnavailable, maxPending)
	}
	l.pending = append(l.pending, w)
	l.mu.Unlock()
	// Whoever has the turn writes what has gathered meanwhile, so that one transaction serves many: entries cost a
	// fraction of a flush to disk each when there are many, and nobody waits for more to come when there are few.
	for {
		select {
		case err := <-w.done:
			return err
		case l.turn <- struct{}{}:
			l.writeBatch(ctx)
			<-l.turn
		}
	}
}

// writeBatch writes the entries that waited longest, and tells those who wait for them.
func (l *Log) writeBatch(ctx context.Context) {
	l.mu.Lock()
	n := min(len(l.pending), maxBatch)
	batch := l.pending[:n:n]
	l.pending = l.pending[n:]
	l.mu.Unlock()
	if n == 0 {
		return
	}
	entries := make([]Entry, n)
	for i, w := range batch {
		entries[i] = w.entry
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	head, err := l.append(ctx, entries)
	l.mu.Lock()
	if err == nil {
		l.metrics.Entries += uint64(n)
		l.metrics.Size = head.Size
		l.failed = false
		close(l.appended)
		l.appended = make(chan struct{})
	} else {
		l.metrics.Failures += uint64(n)
		l.failed = true
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		l.log.ErrorContext(ctx, "audit entries not written", "entries", n, "error", err)
	}
	l.mu.Unlock()
	for _, w := range batch {
		w.done <- err
	}
}

func (l *Log) append(ctx context.Context, entries []Entry) (head store.AuditHead, err error) {
	err = l.db.Append(ctx, len(entries), func(ctx context.Context, tx *store.AuditTx) error {
		head = tx.Head
		return write(ctx, tx, entries)
	})
	return head, err
}

// write adds clean entries, their hashes and what the access report takes from them.
func write(ctx context.Context, tx *store.AuditTx, entries []Entry) error {
	batch := make(map[int64]tlog.Hash, 2*len(entries))
	reader := hashColumns(tx.Hashes).reader(ctx, batch)
	rows := make([]store.AuditEntry, len(entries))
	for i, e := range entries {
		index := tx.First + int64(i)
		leaf := e.encode(index)
		hashes, err := tlog.StoredHashes(index, leaf, reader)
		if err != nil {
			return err
		}
		position := tlog.StoredHashIndex(0, index)
		for j, h := range hashes {
			batch[position+int64(j)] = h
		}
		rows[i] = rowOf(index, e, string(leaf), encodeHashes(hashes))
	}
	if err := tx.Insert(ctx, rows); err != nil {
		return err
	}
	return project(ctx, tx, rows, entries)
}

// rowOf returns a row with its columns as the entry has them.
func rowOf(index int64, e Entry, leaf, hashes string) store.AuditEntry {
	return store.AuditEntry{
		Index: index, Time: e.Time, ActorKind: e.Actor.Kind, ActorID: e.Actor.ID, ActorName: e.Actor.Name, Source: e.Source,
		Action: e.Action, Outcome: string(e.Outcome), ObjectKind: e.Object.Kind, ObjectID: e.Object.ID, ObjectName: e.Object.Name,
		SessionID: e.SessionID, Entry: leaf, Hashes: hashes,
	}
}

// Writable tells whether entries can be written, as far as one can know without writing one: after a failure it tries.
// Ask it before an act that cannot be taken back.
func (l *Log) Writable(ctx context.Context) error {
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	if !failed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := l.db.Append(ctx, 0, func(context.Context, *store.AuditTx) error { return nil }); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	l.mu.Lock()
	l.failed = false
	l.mu.Unlock()
	return nil
}

// Appended returns a channel that closes when entries are added after the call, by this process.
func (l *Log) Appended() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appended
}
