package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Errors of a Book.
var (
	// ErrUnknown: there is no such policy.
	ErrUnknown = errors.New("policy: no such policy")
	// ErrTaken: there is a policy of that id already.
	ErrTaken = errors.New("policy: the id is taken")
	// ErrOutdated: the policy was changed since the caller saw it.
	ErrOutdated = errors.New("policy: changed meanwhile")
	// ErrLockout: with the change no administrator could manage policies any more.
	ErrLockout = errors.New("policy: no administrator could manage policies any more")
	// ErrTooMany: there are as many policies as there may be.
	ErrTooMany = fmt.Errorf("policy: there are at most %d policies", maxPolicies)
)

// InvalidError is an id or a name that cannot be one.
type InvalidError struct{ What string }

func (e *InvalidError) Error() string { return "policy: " + e.What }

// Store is where a Book keeps policies.
type Store interface {
	Revision(ctx context.Context) (int64, error)
	List(ctx context.Context) ([]store.Policy, int64, error)
	Get(ctx context.Context, id string) (store.Policy, error)
	Versions(ctx context.Context, id string, before int64, limit int) ([]store.Policy, error)
	Change(ctx context.Context, base int64, changes []store.Policy) (int64, error)
}

// StoreOf returns the policies of a database.
func StoreOf(db *store.Store) Store { return table{db.Policies, db} }

type table struct {
	*store.Policies
	db *store.Store
}

// Change implements Store.
func (t table) Change(ctx context.Context, base int64, changes []store.Policy) (revision int64, err error) {
	err = t.db.Tx(ctx, func(tx *store.Store) error {
		revision, err = tx.Policies.Change(ctx, base, changes)
		return err
	})
	return revision, err
}

// Author is who changes policies.
type Author struct {
	Subject       Subject       // the zero value for the command line
	Name          string        // for people
	Circumstances Circumstances // of the change
	// Force leaves out the guard against locking everybody out. The command line has it: whoever can use it on the
	// gateway's machine can put things right again.
	Force bool
}

// Book keeps the policies: each change is checked, guarded, written with its history, and in force at once.
type Book struct {
	store  Store
	engine *Engine
	// Administrators returns those who are to be able to manage policies: enabled people with the role. When nil, there is
	// one with nothing but the role.
	Administrators func(ctx context.Context) ([]Subject, error)
}

// NewBook returns a Book in s. Changes are put in force in engine, which may be nil.
func NewBook(s Store, engine *Engine) *Book { return &Book{store: s, engine: engine} }

// Kept returns s as what an Engine reads.
func Kept(s Store) Source { return kept{s} }

type kept struct{ Store }

// Documents implements Source.
func (k kept) Documents(ctx context.Context) ([]Document, int64, error) {
	list, revision, err := k.List(ctx)
	return documents(list), revision, err
}

func documents(list []store.Policy) []Document {
	out := make([]Document, len(list))
	for i, p := range list {
		out[i] = Document{ID: p.ID, Name: p.Name, Text: p.Text, Enabled: p.Enabled}
	}
	return out
}

// Seed writes the policies Vitrine comes with where there have never been any, and brings up to date those of an earlier version that nobody
// has touched.
func (b *Book) Seed(ctx context.Context) error {
	list, revision, err := b.store.List(ctx)
	if err != nil {
		return err
	}
	var changes []store.Policy
	for _, d := range Defaults() {
		i := slices.IndexFunc(list, func(p store.Policy) bool { return p.ID == d.ID })
		switch {
		case revision == 0:
			changes = append(changes, row(d, seeder))
		case i >= 0 && isFormerDefault(&list[i]):
			d.Name, d.Enabled = list[i].Name, list[i].Enabled
			changes = append(changes, row(d, seeder))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	// Another node may be first, with the same.
	if _, err := b.store.Change(ctx, revision, changes); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("policy: defaults: %w", err)
	}
	return nil
}

// List returns all policies, by name.
func (b *Book) List(ctx context.Context) ([]store.Policy, error) {
	list, _, err := b.store.List(ctx)
	slices.SortStableFunc(list, func(x, y store.Policy) int {
		return cmp.Or(cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), cmp.Compare(x.ID, y.ID))
	})
	return list, err
}

// NamingGroup returns the names of the policies that name a group, which must not get another name or go without them.
func (b *Book) NamingGroup(ctx context.Context, group string) ([]string, error) {
	list, err := b.List(ctx)
	if err != nil {
		return nil, err
	}
	return NamingGroup(documents(list), group), nil
}

// Get returns a policy, or ErrUnknown.
func (b *Book) Get(ctx context.Context, id string) (store.Policy, error) {
	p, err := b.store.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Policy{}, ErrUnknown
	}
	return p, err
}

// Versions returns what a policy was, newest first, also of one that is gone. before is a revision; 0: from the newest.
func (b *Book) Versions(ctx context.Context, id string, before int64, limit int) ([]store.Policy, error) {
	list, err := b.store.Versions(ctx, id, before, limit)
	if err == nil && len(list) == 0 && before == 0 {
		return nil, ErrUnknown
	}
	return list, err
}

// Change is a change of one policy.
type Change struct {
	Document
	Delete bool
	// Base is the revision of the policy that was changed. 0: there is none yet. AnyRevision: whichever there is.
	Base int64
}

// AnyRevision is the Base of a change that does not care what was there before.
const AnyRevision = -1

// maxTries bounds how often a change is tried again because others changed other policies at the same time.
const maxTries = 5

// Apply makes changes, all or none. The error wraps *TextError, *InvalidError, ErrUnknown, ErrTaken, ErrOutdated, ErrTooMany or
// ErrLockout for what the caller can mend.
func (b *Book) Apply(ctx context.Context, by Author, changes ...Change) error {
	for _, c := range changes {
		if err := check(c); err != nil {
			return err
		}
	}
	for try := 1; ; try++ {
		err := b.apply(ctx, by, changes)
		if !errors.Is(err, store.ErrConflict) || try == maxTries {
			return err
		}
	}
}

var validID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// reservedIDs are addresses of the console beside those of policies.
var reservedIDs = []string{"new", "explain"}

func check(c Change) error {
	if !validID.MatchString(c.ID) || slices.Contains(reservedIDs, c.ID) {
		return &InvalidError{fmt.Sprintf("the id %q is not made of 1 to 64 lower-case letters, digits and dashes, or is reserved", c.ID)}
	}
	if c.Delete {
		return nil
	}
	if strings.TrimSpace(c.Name) == "" || len(c.Name) > maxNameBytes {
		return &InvalidError{fmt.Sprintf("a name has 1 to %d bytes", maxNameBytes)}
	}
	return Errors(Inspect(c.Text))
}

func (b *Book) apply(ctx context.Context, by Author, changes []Change) error {
	list, revision, err := b.store.List(ctx)
	if err != nil {
		return err
	}
	var rows []store.Policy
	for _, c := range changes {
		i := slices.IndexFunc(list, func(p store.Policy) bool { return p.ID == c.ID })
		switch {
		case i < 0 && (c.Delete || c.Base > 0):
			return fmt.Errorf("%w: %s", ErrUnknown, c.ID)
		case i >= 0 && c.Base == 0:
			return fmt.Errorf("%w: %s", ErrTaken, c.ID)
		case i >= 0 && c.Base > 0 && c.Base != list[i].Revision:
			return fmt.Errorf("%w: %s", ErrOutdated, c.ID)
		}
		r := row(c.Document, by)
		r.Deleted = c.Delete
		switch {
		case c.Delete:
			r.Name, r.Text, r.Enabled = list[i].Name, list[i].Text, list[i].Enabled
			list = slices.Delete(list, i, i+1)
		case i >= 0:
			list[i] = r
		default:
			list = append(list, r)
		}
		rows = append(rows, r)
	}
	if len(list) > maxPolicies {
		return ErrTooMany
	}
	set, err := Compile(revision+1, documents(list))
	if err != nil {
		return err
	}
	if !by.Force {
		if err := b.guard(ctx, by, set); err != nil {
			return err
		}
	}
	if _, err := b.store.Change(ctx, revision, rows); err != nil {
		return err
	}
	if b.engine != nil {
		b.engine.swap(set)
	}
	return nil
}

func row(d Document, by Author) store.Policy {
	return store.Policy{
		ID: d.ID, Name: d.Name, Text: d.Text, Enabled: d.Enabled,
		UpdatedBy: by.Subject.ID, UpdatedByName: by.Name, UpdatedAt: time.Now(),
	}
}

// guard decides, by the policies as they would be, whether some administrator could still manage them: the one who makes
// the change, as they are, or another, from where the change is made and with a fresh second factor.
func (b *Book) guard(ctx context.Context, by Author, set *Set) error {
	administrators := []Subject{{ID: "administrator", Name: "administrator", Roles: []Role{Administrator}}}
	if b.Administrators != nil {
		var err error
		if administrators, err = b.Administrators(ctx); err != nil {
			return fmt.Errorf("policy: administrators: %w", err)
		}
	}
	zone := time.Local
	if b.engine != nil {
		zone = b.engine.zone
	}
	c := by.Circumstances
	if c.Time.IsZero() {
		c.Time = time.Now()
	}
	for _, s := range administrators {
		s.Scopes = nil
		if s.ID == by.Subject.ID {
			s.MFAAt = by.Subject.MFAAt
		} else {
			s.MFAAt = c.Time
		}
		q := Query{Subject: s, Action: ManagePolicies, Resource: Resource{Kind: KindSystem}, Circumstances: c}
		if d, _ := set.decide(newWorld(&q, zone)); d.Allowed {
			return nil
		}
	}
	return ErrLockout
}
