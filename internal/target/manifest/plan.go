package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// What a Change does.
const (
	Create = "create"
	Update = "update"
	Delete = "delete"
)

// Change is what becomes of a target.
type Change struct {
	Op     string  `json:"op"`
	ID     string  `json:"id"`
	Fields []Field `json:"fields"`
}

// Field is a value that changes, of a target or, with accounts.NAME before it, of an account. Secrets have no values: only
// that they change is told.
type Field struct {
	Path   string `json:"path"`
	Old    string `json:"old,omitempty"` // empty: it was not set
	New    string `json:"new,omitempty"` // empty: it will not be set
	Secret bool   `json:"secret,omitempty"`
}

// Plan is what applying documents does. An empty one does nothing.
type Plan struct {
	Changes   []Change `json:"changes"`
	Unchanged int      `json:"unchanged"`
	// Digest names the plan: the same changes of the same revisions. Who has looked at a plan can so say which.
	Digest string `json:"digest"`
}

// ErrOtherPlan is returned when what would be done is not what was looked at.
var ErrOtherPlan = errors.New("manifest: the targets have changed since the plan was made")

// ApplyOptions say how documents are applied.
type ApplyOptions struct {
	Prune  bool   // remove targets that came from documents before and are in none now
	DryRun bool   // plan only
	Digest string // of the plan that was looked at; empty: none was
	// May is asked for each target as it is and as it will be, before anything is done; nil: everything may be done.
	May func(t *target.Target) error
}

// Repository is where targets are; a target.Repository.
type Repository interface {
	Change(ctx context.Context, do func(tx *target.Tx) error) error
}

// errDry rolls a plan back that is only looked at.
var errDry = errors.New("manifest: dry run")

// Apply makes the targets as documents say, all or none, and returns what it did or, with DryRun, would do. The errors are
// *InvalidError, ErrOtherPlan and those of a target.Tx.
func Apply(ctx context.Context, r Repository, documents []Document, opts ApplyOptions) (Plan, error) {
	var plan Plan
	err := r.Change(ctx, func(tx *target.Tx) error {
		a := &applier{ctx: ctx, tx: tx, opts: opts, hash: []any{opts.Prune}}
		steps, err := a.plan(documents)
		if err != nil {
			return err
		}
		if plan, err = a.result(); err != nil {
			return err
		}
		if opts.Digest != "" && opts.Digest != plan.Digest {
			return ErrOtherPlan
		}
		if opts.DryRun {
			return errDry
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return plan, err
}

// applier plans within a transaction.
type applier struct {
	ctx     context.Context //nolint:containedctx // it lives for one call of Apply
	tx      *target.Tx
	opts    ApplyOptions
	changes []Change
	same    int
	hash    []any // what the digest is of besides the changes
}

// plan returns what to do, in order.
func (a *applier) plan(documents []Document) ([]func() error, error) {
	all, err := a.tx.List(a.ctx, target.Filter{})
	if err != nil {
		return nil, err
	}
	there := make(map[string]*target.Target, len(all))
	for i := range all {
		there[all[i].ID] = &all[i]
	}
	var steps []func() error
	var problems []Problem
	for i := range documents {
		d := &documents[i]
		have := there[d.Target.ID]
		delete(there, d.Target.ID)
		todo, err := a.document(have, d)
		if p, ok := refused(d, have); ok {
			problems = append(problems, p)
			continue
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, todo...)
	}
	if problems != nil {
		return nil, &InvalidError{problems[:min(len(problems), maxProblems)]}
	}
	if !a.opts.Prune {
		return steps, nil
	}
	for _, id := range slices.Sorted(maps.Keys(there)) {
		if gone := there[id]; gone.Origin == store.OriginApply {
			if err := a.may(gone); err != nil {
				return nil, err
			}
			a.changes = append(a.changes, Change{Op: Delete, ID: id, Fields: difference(fieldsOf(gone), nil)})
			a.hash = append(a.hash, gone.Revision)
			steps = append(steps, func() error { return a.tx.Delete(a.ctx, gone.ID, gone.Revision) })
		}
	}
	return steps, nil
}

// refused says why a document cannot be applied to what is there.
func refused(d *Document, have *target.Target) (Problem, bool) {
	p := Problem{File: d.File, Line: d.Line, Path: "id"}
	switch {
	case have == nil:
		return p, false
	case have.Origin == store.OriginConfig:
		p.Text = fmt.Sprintf("%q is in the gateway's configuration file, which alone changes it", d.Target.ID)
	case have.Protocol != d.Target.Protocol:
		p.Path = "protocol"
		p.Text = fmt.Sprintf("%q is of protocol %s, which stays: remove it first, or take another id", d.Target.ID, have.Protocol)
	default:
		return p, false
	}
	return p, true
}

// document plans one target.
func (a *applier) document(have *target.Target, d *Document) ([]func() error, error) {
	want := d.Target
	if err := a.may(&want); err != nil {
		return nil, err
	}
	op := Update
	var before []value
	var steps []func() error
	if have == nil {
		op = Create
		steps = append(steps, func() error { return a.tx.Create(a.ctx, want) })
		have = &target.Target{}
	} else {
		if err := a.may(have); err != nil {
			return nil, err
		}
		a.hash = append(a.hash, have.Revision)
		before = targetFields(have)
		want.Revision = have.Revision
		if len(difference(before, targetFields(&want))) > 0 {
			steps = append(steps, func() error { return a.tx.Update(a.ctx, want) })
		}
	}
	fields := difference(before, targetFields(&want))
	there := make(map[string]target.Account, len(have.Accounts))
	for _, account := range have.Accounts {
		there[account.Name] = account
		a.hash = append(a.hash, account.Revision)
	}
	for i := range d.Accounts {
		was, known := there[d.Accounts[i].Name]
		delete(there, d.Accounts[i].Name)
		more, todo, err := a.account(was, known, d.Accounts[i])
		if err != nil {
			return nil, err
		}
		fields, steps = append(fields, more...), append(steps, todo...)
	}
	var removed []func() error
	for _, name := range slices.Sorted(maps.Keys(there)) {
		gone := there[name]
		fields = append(fields, difference(accountFields(&gone), nil)...)
		removed = append(removed, func() error { return a.tx.DeleteAccount(a.ctx, gone.TargetID, gone.ID, gone.Revision) })
	}
	if len(fields) == 0 {
		a.same++
		return nil, nil
	}
	a.changes = append(a.changes, Change{Op: op, ID: want.ID, Fields: fields})
	return append(removed, steps...), nil
}

// account plans one account.
func (a *applier) account(was target.Account, known bool, want Account) ([]Field, []func() error, error) {
	if !known {
		fields := difference(nil, accountFields(&want.Account))
		if want.Source.Kind == target.KindStored {
			fields = append(fields, Field{Path: accountPath(want.Name) + ".password", New: redacted, Secret: true})
		}
		return fields, []func() error{func() error {
			_, err := a.tx.CreateAccount(a.ctx, want.Account, want.Password)
			return err
		}}, nil
	}
	want.ID, want.TargetID, want.Revision = was.ID, was.TargetID, was.Revision
	reference := want.Account
	if want.Keep {
		reference.Source = was.Source
	}
	fields := difference(accountFields(&was), accountFields(&reference))
	var steps []func() error
	plain := was
	plain.Source = reference.Source
	if len(difference(accountFields(&plain), accountFields(&reference))) > 0 {
		steps = append(steps, func() error { return a.tx.UpdateAccount(a.ctx, want.Account) })
		reference.Revision++
	}
	if want.Keep {
		return fields, steps, nil
	}
	secret := false
	if want.Source.Kind == target.KindStored {
		same := false
		if was.Source.Kind == target.KindStored {
			var err error
			if same, err = a.tx.PasswordIs(a.ctx, was, want.Password); err != nil {
				return nil, nil, err
			}
		}
		if secret = !same; secret {
			fields = append(fields, Field{Path: accountPath(want.Name) + ".password", New: redacted, Secret: true})
		}
	}
	if secret || was.Source != want.Source {
		steps = append(steps, func() error {
			return a.tx.SetCredential(a.ctx, was.TargetID, was.ID, reference.Revision, want.Source, want.Password)
		})
	}
	return fields, steps, nil
}

func (a *applier) may(t *target.Target) error {
	if a.opts.May == nil {
		return nil
	}
	return a.opts.May(t)
}

func (a *applier) result() (Plan, error) {
	p := Plan{Changes: a.changes, Unchanged: a.same}
	if p.Changes == nil {
		p.Changes = []Change{}
	}
	b, err := json.Marshal([]any{p.Changes, a.hash})
	if err != nil {
		return Plan{}, fmt.Errorf("manifest: %w", err)
	}
	sum := sha256.Sum256(b)
	p.Digest = hex.EncodeToString(sum[:])
	return p, nil
}
