package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Errors of a Book.
var (
	// ErrUnknown: there is no such rule or list.
	ErrUnknown = errors.New("rules: no such rule")
	// ErrTaken: there is a rule or list of that id already.
	ErrTaken = errors.New("rules: the id is taken")
	// ErrOutdated: it was changed since the caller saw it.
	ErrOutdated = errors.New("rules: changed meanwhile")
	// ErrUnchanged: the console has said nothing of it that could be taken back.
	ErrUnchanged = errors.New("rules: nothing to take back")
)

// reservedID is an address of the console beside those of rules.
const reservedID = "new"

// Author is who changes rules.
type Author struct{ ID, Name string }

// Book keeps the rules. It is safe for concurrent use.
type Book struct {
	db   *store.Store
	base Base
	log  *slog.Logger
	// Changed is told by Run what the rules are, and when they are others; nil: nobody.
	Changed func(ctx context.Context, e *Effective)

	wake chan struct{} // capacity 1: something was changed here

	mu      sync.Mutex
	current *Effective // nil: not read yet
}

// NewBook returns a Book of what lies in db over base.
func NewBook(db *store.Store, base Base, log *slog.Logger) *Book {
	return &Book{db: db, base: base, log: log, wake: make(chan struct{}, 1)}
}

// Effective returns all rules and lists as they are now.
func (b *Book) Effective(ctx context.Context) (*Effective, error) {
	b.mu.Lock()
	current := b.current
	b.mu.Unlock()
	if current != nil {
		n, err := b.db.DetectionRules.Revision(ctx)
		if err != nil {
			return nil, err
		}
		if n == current.Revision {
			return current, nil
		}
	}
	rows, revision, err := b.db.DetectionRules.List(ctx)
	if err != nil {
		return nil, err
	}
	e, err := assemble(&b.base, rows, revision)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current == nil || b.current.Revision < e.Revision {
		b.current = e
		for i := range e.Rules {
			if r := &e.Rules[i]; r.Problem != "" {
				b.log.ErrorContext(ctx, "a rule of detection cannot be used", "rule", r.ID, "error", r.Problem)
			}
		}
	}
	return b.current, nil
}

// Run tells Changed of the rules as they change, until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	told := int64(-1)
	for {
		e, err := b.Effective(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			b.log.ErrorContext(ctx, "rules of detection not read", "error", err)
		case err == nil && e.Revision != told && b.Changed != nil:
			b.Changed(ctx, e)
		}
		if err == nil {
			told = e.Revision
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-b.wake:
		}
	}
}

// Add writes a rule of its own.
func (b *Book) Add(ctx context.Context, by Author, r detect.Rule) (Rule, error) {
	r = tidy(r)
	if r.ID == reservedID {
		return Rule{}, &detect.RuleError{What: fmt.Sprintf("the id %q is an address of the console", r.ID)}
	}
	err := b.change(ctx, by, func(e *Effective) (store.DetectionRule, error) {
		if _, there := e.Find(r.ID); there {
			return store.DetectionRule{}, fmt.Errorf("%w: %s", ErrTaken, r.ID)
		}
		return rowOf(store.DetectionRuleKind, r.ID, body{Rule: &r})
	})
	return b.rule(ctx, r.ID, err)
}

// Set changes a rule. revision is the one the caller has seen of it. What makes it as it was without the console's word takes that back.
func (b *Book) Set(ctx context.Context, by Author, r detect.Rule, revision int64) (Rule, error) {
	r = tidy(r)
	err := b.change(ctx, by, func(e *Effective) (store.DetectionRule, error) {
		before, there := e.Find(r.ID)
		if !there {
			return store.DetectionRule{}, fmt.Errorf("%w: %s", ErrUnknown, r.ID)
		}
		if before.Revision != revision {
			return store.DetectionRule{}, fmt.Errorf("%w: %s", ErrOutdated, r.ID)
		}
		made, changed := bodyOf(&r, b.below(r.ID))
		row, err := rowOf(store.DetectionRuleKind, r.ID, made)
		row.Deleted = !changed
		if !changed && revision == 0 {
			return row, errSame
		}
		return row, err
	})
	return b.rule(ctx, r.ID, err)
}

// Remove takes back what the console says of a rule: one of its own is gone, of another what lies below it is tried again.
func (b *Book) Remove(ctx context.Context, by Author, id string, revision int64) error {
	return b.change(ctx, by, func(e *Effective) (store.DetectionRule, error) {
		r, there := e.Find(id)
		return taken(store.DetectionRuleKind, id, there, r.Revision, revision)
	})
}

// SetList writes a list; revision is the one the caller has seen of it, 0 also where there is none.
func (b *Book) SetList(ctx context.Context, by Author, l detect.List, revision int64) (List, error) {
	if err := l.Check(); err != nil {
		return List{}, err
	}
	err := b.change(ctx, by, func(e *Effective) (store.DetectionRule, error) {
		before, _ := e.FindList(l.Name)
		if before.Revision != revision {
			return store.DetectionRule{}, fmt.Errorf("%w: %s", ErrOutdated, l.Name)
		}
		return rowOf(store.DetectionListKind, l.Name, body{List: &l})
	})
	if err != nil {
		return List{}, err
	}
	e, err := b.Effective(ctx)
	if err != nil {
		return List{}, err
	}
	out, _ := e.FindList(l.Name)
	return out, nil
}

// RemoveList takes back what the console says of a list.
func (b *Book) RemoveList(ctx context.Context, by Author, name string, revision int64) error {
	return b.change(ctx, by, func(e *Effective) (store.DetectionRule, error) {
		l, there := e.FindList(name)
		return taken(store.DetectionListKind, name, there, l.Revision, revision)
	})
}

// Check tells what is wrong with a rule that is being written, as a *detect.RuleError.
func (b *Book) Check(ctx context.Context, r detect.Rule) error {
	e, err := b.Effective(ctx)
	if err != nil {
		return err
	}
	file := e.file
	file.Rules = put(slices.Clone(file.Rules), r, func(o detect.Rule) bool { return o.ID == r.ID })
	return file.Check(nil)
}

// Version is what a rule was.
type Version struct {
	Rule      detect.Rule // as it was tried, or would be over what lies below it now
	Removed   bool
	Revision  int64
	UpdatedBy string
	UpdatedAt time.Time
}

// Versions returns what the console said of a rule, newest first. before is a revision; 0: from the newest.
func (b *Book) Versions(ctx context.Context, id string, before int64, limit int) ([]Version, error) {
	rows, err := b.db.DetectionRules.Versions(ctx, store.DetectionRuleKind, id, before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Version, 0, len(rows))
	for _, row := range rows {
		v := Version{Removed: row.Deleted, Revision: row.Revision, UpdatedBy: row.UpdatedByName, UpdatedAt: row.UpdatedAt, Rule: detect.Rule{ID: id}}
		var made body
		below := b.below(id)
		switch err := json.Unmarshal([]byte(row.Body), &made); {
		case err != nil:
			return nil, fmt.Errorf("rules: version %d of %s: %w", row.Revision, id, err)
		case made.Rule != nil:
			v.Rule = *made.Rule
		case made.Adjust != nil && below != nil:
			v.Rule = made.Adjust.apply(*below)
		}
		out = append(out, v)
	}
	return out, nil
}

// below is what a rule is without the console's word; nil: there is none.
func (b *Book) below(id string) *detect.Rule {
	i := slices.IndexFunc(b.base.File.Rules, func(r detect.Rule) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &b.base.File.Rules[i]
}

func (b *Book) rule(ctx context.Context, id string, err error) (Rule, error) {
	if err != nil {
		return Rule{}, err
	}
	e, err := b.Effective(ctx)
	if err != nil {
		return Rule{}, err
	}
	r, _ := e.Find(id)
	return r, nil
}

// tidy makes lists without entries missing ones, so that equal rules are written alike.
func tidy(r detect.Rule) detect.Rule {
	for _, list := range []*[]string{
		&r.Any, &r.All, &r.None, &r.Lists, &r.Scope.Targets, &r.Scope.Users, &r.Scope.Tags, &r.Scope.Groups, &r.Scope.Roles, &r.Scope.Policies,
	} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return r
}

// errSame: the change changes nothing.
var errSame = errors.New("rules: the same")

func rowOf(kind, id string, made body) (store.DetectionRule, error) {
	text, err := json.Marshal(made)
	return store.DetectionRule{Kind: kind, ID: id, Body: string(text)}, err
}

func taken(kind, id string, there bool, has, revision int64) (store.DetectionRule, error) {
	switch {
	case !there:
		return store.DetectionRule{}, fmt.Errorf("%w: %s", ErrUnknown, id)
	case has == 0:
		return store.DetectionRule{}, fmt.Errorf("%w: %s", ErrUnchanged, id)
	case has != revision:
		return store.DetectionRule{}, fmt.Errorf("%w: %s", ErrOutdated, id)
	}
	return store.DetectionRule{Kind: kind, ID: id, Deleted: true}, nil
}

// change writes the row that fn makes of the rules as they are, if all could be tried with it.
func (b *Book) change(ctx context.Context, by Author, fn func(*Effective) (store.DetectionRule, error)) error {
	for try := 1; ; try++ {
		rows, revision, err := b.db.DetectionRules.List(ctx)
		if err != nil {
			return err
		}
		before, err := assemble(&b.base, rows, revision)
		if err != nil {
			return err
		}
		row, err := fn(before)
		if errors.Is(err, errSame) {
			return nil
		}
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(rows, func(o store.DetectionRule) bool { return o.Kind == row.Kind && o.ID == row.ID }); i >= 0 && row.Deleted {
			row.Body = rows[i].Body // what it was
		}
		row.UpdatedBy, row.UpdatedByName, row.UpdatedAt = by.ID, by.Name, time.Now()
		if err := b.allowed(before, rows, row); err != nil {
			return err
		}
		err = b.db.Tx(ctx, func(tx *store.Store) error {
			_, err := tx.DetectionRules.Change(ctx, revision, row)
			return err
		})
		if errors.Is(err, store.ErrConflict) && try < maxTries {
			continue
		}
		if err == nil {
			select {
			case b.wake <- struct{}{}:
			default: // it is awake
			}
		}
		return err
	}
}

// allowed refuses a row with which something could not be tried that could be before, the row itself included.
func (b *Book) allowed(before *Effective, rows []store.DetectionRule, row store.DetectionRule) error {
	is := func(o store.DetectionRule) bool { return o.Kind == row.Kind && o.ID == row.ID }
	rows = slices.DeleteFunc(slices.Clone(rows), is)
	if !row.Deleted {
		row.Revision = before.Revision + 1
		rows = append(rows, row)
		slices.SortStableFunc(rows, func(x, y store.DetectionRule) int {
			if x.Kind == y.Kind {
				return 0
			}
			if x.Kind == store.DetectionListKind {
				return -1
			}
			return 1
		})
	}
	after, err := assemble(&b.base, rows, before.Revision+1)
	if err != nil {
		return err
	}
	for i := range after.Rules {
		r := &after.Rules[i]
		if r.Problem == "" {
			continue
		}
		if was, there := before.Find(r.ID); there && was.Problem != "" && r.ID != row.ID {
			continue // it was as bad before
		}
		wrong := &detect.RuleError{What: r.Problem, Pattern: badPattern(r, rows)}
		if r.ID != row.ID || row.Kind != store.DetectionRuleKind {
			wrong.ID = r.ID // it is about another than is changed
		}
		return wrong
	}
	return nil
}

// badPattern is the pattern of a row's rule that cannot be used; empty: it is something else.
func badPattern(r *Rule, rows []store.DetectionRule) string {
	for _, row := range rows {
		var made body
		if row.Kind != store.DetectionRuleKind || row.ID != r.ID || json.Unmarshal([]byte(row.Body), &made) != nil || made.Rule == nil {
			continue
		}
		if e, ok := errors.AsType[*detect.RuleError](made.Rule.Check()); ok {
			return e.Pattern
		}
	}
	return ""
}
