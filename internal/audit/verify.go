package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Problem is a kind of finding.
type Problem string

// What Verify finds.
const (
	Altered    Problem = "altered"        // an entry is not what was written
	Missing    Problem = "missing"        // an entry was removed, or all from one on
	Inserted   Problem = "inserted"       // an entry is there that was never appended
	Rewritten  Problem = "rewritten"      // the log is consistent in itself, but not the one that was signed
	RolledBack Problem = "rolled_back"    // more was signed than is there
	BadKey     Problem = "wrong_key"      // signed, or said to be signed, by a key that is not the log's
	BadCopy    Problem = "altered_copy"   // a column or table made of the entries does not say what they say
	Unsigned   Problem = "unsigned"       // nothing is signed by a key that is trusted
	Malformed  Problem = "bad_checkpoint" // something among the checkpoints is none
)

// VerifyError is a finding: the first entry that is not as it was signed. Where only signed hashes tell, the first one is
// between Index and Last.
type VerifyError struct {
	Problem     Problem
	Index, Last int64
	Detail      string
}

func (e *VerifyError) Error() string {
	if e.Last > e.Index {
		return fmt.Sprintf("audit: %s, first between the entries %d and %d: %s", e.Problem, e.Index, e.Last, e.Detail)
	}
	return fmt.Sprintf("audit: %s at entry %d: %s", e.Problem, e.Index, e.Detail)
}

// Kept is a signed checkpoint and where it is from, for people.
type Kept struct{ Note, From string }

// Source is a log to verify: a database or a bundle.
type Source interface {
	Head(ctx context.Context) (store.AuditHead, error)
	Range(ctx context.Context, first int64, limit int) ([]store.AuditEntry, error)
	Checkpoints(ctx context.Context, after int64, limit int) ([]store.AuditCheckpoint, error)
}

// Report is what Verify has found out.
type Report struct {
	Entries     int64   `json:"entries"`
	Signed      int64   `json:"signed"` // the first so many entries are what a trusted key signed
	Checkpoints int     `json:"checkpoints"`
	Outside     int     `json:"outside"`           // of these, kept outside of the database
	Abandoned   int     `json:"abandoned"`         // of these, for another continuation of the log: a database put back, by the entries Resumed
	Resumed     []int64 `json:"resumed,omitempty"` // entries by which somebody accepted that
	Key         string  `json:"key"`               // the log's present key
	Root        string  `json:"root"`              // hash over all entries, base64
}

// Caps and sizes of verifying.
const (
	verifyPage     = 2000
	maxCheckpoints = 5_000_000 // ten years of one a minute
)

// Verify checks the log of src against its checkpoints, those in outside too. keys are the verifier keys to trust; one
// suffices, if there is a checkpoint signed by it, to follow the others through the log. The log may grow meanwhile. The
// error is a *VerifyError for a finding, and another when it could not be found out.
func Verify(ctx context.Context, src Source, outside []Kept, keys []string) (Report, error) {
	v := verifier{src: src, roots: map[int64]tlog.Hash{}, ends: map[string]int64{}}
	if err := v.gather(ctx, outside); err != nil {
		return v.report, err
	}
	// After the checkpoints: every honest one is of no more entries than there are now.
	head, err := src.Head(ctx)
	if err != nil {
		return v.report, err
	}
	v.report.Entries = head.Size
	found := &first{}
	err = v.read(ctx, head.Size)
	if !found.take(err) {
		return v.report, err
	}
	if err == nil {
		if err := v.beyond(ctx, head.Size); !found.take(err) {
			return v.report, err
		}
	}
	for _, err := range v.signatures(head, keys) {
		if !found.take(err) {
			return v.report, err
		}
	}
	return v.report, found.err()
}

// first keeps the finding of the smallest index.
type first struct{ found *VerifyError }

// take tells whether err is none or a finding.
func (f *first) take(err error) bool {
	if err == nil {
		return true
	}
	e, ok := errors.AsType[*VerifyError](err)
	if ok && (f.found == nil || e.Index < f.found.Index) {
		f.found = e
	}
	return ok
}

func (f *first) err() error {
	if f.found == nil {
		return nil
	}
	return f.found
}

// signedTree is a checkpoint that is to be held against the log.
type signedTree struct {
	Kept
	Checkpoint
}

// keyEntry is an entry that names keys.
type keyEntry struct {
	index    int64
	old, key string
}

type verifier struct {
	src    Source
	report Report

	checkpoints []signedTree
	sizes       map[int64]bool // of checkpoints
	roots       map[int64]tlog.Hash
	done        int64 // entries found to be good in themselves
	keys        []keyEntry
	gaps        []gap
	ends        map[string]int64 // sessions whose row names an end that has not come by yet
	begun       int64
}

// gather reads all checkpoints.
func (v *verifier) gather(ctx context.Context, outside []Kept) error {
	v.sizes = map[int64]bool{}
	for _, k := range outside {
		c, err := unsignedCheckpoint(k.Note)
		if err != nil {
			return &VerifyError{Problem: Malformed, Detail: k.From + ": " + err.Error()}
		}
		v.add(k, c)
	}
	v.report.Outside = len(outside)
	for after, seen := int64(-1), map[string]bool{}; ; {
		list, err := v.src.Checkpoints(ctx, after, verifyPage)
		if err != nil {
			return err
		}
		fresh := 0
		for _, row := range list {
			if seen[row.Note] {
				continue
			}
			seen[row.Note] = true
			fresh++
			c, err := unsignedCheckpoint(row.Note)
			if err == nil && c.N != row.Size {
				err = fmt.Errorf("the row says %d, the checkpoint %d entries", row.Size, c.N)
			}
			if err != nil {
				return &VerifyError{Problem: Malformed, Index: max(0, row.Size-1), Detail: err.Error()}
			}
			v.add(Kept{row.Note, "the database"}, c)
		}
		if len(list) < verifyPage || fresh == 0 {
			return nil
		}
		if len(v.checkpoints) > maxCheckpoints {
			return fmt.Errorf("audit: more than %d checkpoints", maxCheckpoints)
		}
		after = list[len(list)-1].Size - 1 // there may be two of one size
	}
}

func (v *verifier) add(k Kept, c Checkpoint) {
	v.checkpoints = append(v.checkpoints, signedTree{k, c})
	v.sizes[c.N] = true
	v.report.Checkpoints = len(v.checkpoints)
}

// read goes through the first size entries and computes the tree anew.
func (v *verifier) read(ctx context.Context, size int64) error {
	var tree frontier
	v.note(0, tree.root())
	for next := int64(0); next < size; {
		page, err := v.src.Range(ctx, next, verifyPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return &VerifyError{Problem: Missing, Index: next, Last: size - 1, Detail: fmt.Sprintf("the log counts %d entries", size)}
		}
		if page, err = v.entries(&tree, page, next, size); err != nil {
			return err
		}
		if err := v.accesses(ctx, page, size); err != nil {
			return err
		}
		next += int64(len(page))
	}
	v.report.Root = tree.root().String()
	return nil
}

// entries checks a page, of which it returns what is within size.
func (v *verifier) entries(tree *frontier, page []store.AuditEntry, next, size int64) ([]store.AuditEntry, error) {
	for i, row := range page {
		index := next + int64(i)
		if index == size {
			return page[:i], nil
		}
		if row.Index != index {
			return nil, &VerifyError{Problem: Missing, Index: index, Last: index, Detail: fmt.Sprintf("entry %d follows", row.Index)}
		}
		claimed, e, err := Decode([]byte(row.Entry))
		if err != nil {
			return nil, &VerifyError{Problem: Altered, Index: index, Detail: err.Error()}
		}
		if claimed != index {
			return nil, &VerifyError{Problem: Altered, Index: index, Detail: fmt.Sprintf("it was written as entry %d", claimed)}
		}
		hashes := tree.add(tlog.RecordHash([]byte(row.Entry)))
		if encodeHashes(hashes) != row.Hashes {
			return nil, &VerifyError{Problem: Altered, Index: index, Detail: "the entry or a stored hash at or below it"}
		}
		if want := rowOf(index, e, row.Entry, row.Hashes); want != row {
			return nil, &VerifyError{Problem: BadCopy, Index: index, Detail: "a column beside the entry says something else"}
		}
		switch e.Action {
		case ActionLogCreated:
			v.keys = append(v.keys, keyEntry{index: index, key: e.Details["key"]})
		case ActionLogResumed:
			g, err := gapOf(index, e)
			if err != nil {
				return nil, &VerifyError{Problem: Malformed, Index: index, Detail: err.Error()}
			}
			v.gaps = append(v.gaps, g)
			v.report.Resumed = append(v.report.Resumed, index)
		case ActionKeyRotated:
			if err := checkRotation(e); err != nil {
				return nil, &VerifyError{Problem: BadKey, Index: index, Detail: err.Error()}
			}
			v.keys = append(v.keys, keyEntry{index, e.Details["old_key"], e.Details["new_key"]})
		}
		v.done = index + 1
		v.note(index+1, hashOr(tree, v.sizes[index+1]))
	}
	return page, nil
}

// hashOr computes the root only where it is wanted.
func hashOr(tree *frontier, wanted bool) tlog.Hash {
	if !wanted {
		return tlog.Hash{}
	}
	return tree.root()
}

func (v *verifier) note(size int64, root tlog.Hash) {
	if v.sizes[size] {
		v.roots[size] = root
	}
}

// beyond looks for rows after the log's end.
func (v *verifier) beyond(ctx context.Context, size int64) error {
	page, err := v.src.Range(ctx, size, 1)
	if err != nil || len(page) == 0 {
		return err
	}
	head, err := v.src.Head(ctx) // it may have grown
	if err != nil {
		return err
	}
	if page[0].Index >= head.Size {
		return &VerifyError{Problem: Inserted, Index: page[0].Index, Detail: fmt.Sprintf("the log counts %d entries", head.Size)}
	}
	return nil
}

// signatures holds the checkpoints against the log that was read.
func (v *verifier) signatures(head store.AuditHead, keys []string) (findings []error) {
	trusted := map[string]bool{}
	for _, k := range keys {
		trusted[k] = true
	}
	known := append([]string(nil), keys...)
	for _, k := range v.keys {
		known = append(known, k.key)
	}
	// A checkpoint of a trusted key that is right vouches for the entries below it, and so for the keys these name.
	signers := make([][]string, len(v.checkpoints))
	for i, c := range v.checkpoints {
		_, by, err := OpenCheckpoint(c.Note, known...)
		if _, unknown := errors.AsType[*note.UnverifiedNoteError](err); err != nil && !unknown {
			findings = append(findings, &VerifyError{Problem: BadKey, Index: max(0, c.N-1), Detail: c.From + ": " + err.Error()})
		}
		signers[i] = by
	}
	good := make([]bool, len(v.checkpoints))
	for again := true; again; {
		again = false
		for i, c := range v.checkpoints {
			if good[i] || !anyOf(signers[i], trusted) || v.contradicts(c) {
				continue
			}
			good[i], again = true, true
			v.report.Signed = max(v.report.Signed, c.N)
			for _, k := range v.keys {
				if k.index < c.N {
					trusted[k.key] = true
					if k.old != "" {
						trusted[k.old] = true
					}
				}
			}
		}
	}
	for i, c := range v.checkpoints {
		if !good[i] && anyOf(signers[i], trusted) && v.excused(c) {
			v.report.Abandoned++
		} else if !good[i] {
			findings = append(findings, v.judge(c, anyOf(signers[i], trusted), good, head.Size))
		}
	}
	if v.report.Signed == 0 && v.done == head.Size && v.done > 0 {
		findings = append(findings, &VerifyError{Problem: Unsigned, Last: max(0, v.done-1), Detail: "no checkpoint is signed by a key that is trusted"})
	}
	return append(findings, v.chain(head)...)
}

// contradicts tells whether the log that was read is not the one c was signed for.
func (v *verifier) contradicts(c signedTree) bool {
	root, known := v.roots[c.N]
	return !known || root != c.Hash
}

// excused tells whether a signed entry says that c does not count.
func (v *verifier) excused(c signedTree) bool {
	return slices.ContainsFunc(v.gaps, func(g gap) bool { return g.index < v.report.Signed && g.excuses(c.N) })
}

// judge says what is wrong with a checkpoint that is not good.
func (v *verifier) judge(c signedTree, trusted bool, good []bool, size int64) error {
	below := int64(0) // entries that are known to be good
	for i, g := range good {
		if n := v.checkpoints[i].N; g && n < c.N {
			below = max(below, n)
		}
	}
	_, known := v.roots[c.N]
	switch {
	case !trusted:
		return &VerifyError{Problem: BadKey, Index: max(0, c.N-1), Detail: fmt.Sprintf("the checkpoint of %d entries in %s is not signed by a key of this log", c.N, c.From)}
	case c.N > size:
		return &VerifyError{Problem: RolledBack, Index: size, Last: c.N - 1, Detail: fmt.Sprintf("%s has a checkpoint of %d entries; the log has %d", c.From, c.N, size)}
	case !known:
		return nil // reading stopped before it, and that is a finding
	}
	return &VerifyError{Problem: Rewritten, Index: below, Last: c.N - 1, Detail: fmt.Sprintf("the checkpoint of %d entries in %s was signed for other ones", c.N, c.From)}
}

// chain checks the keys the log names, one after the other.
func (v *verifier) chain(head store.AuditHead) (findings []error) {
	current := ""
	for i, k := range v.keys {
		if (i == 0) != (k.index == 0) || k.old != current {
			findings = append(findings, &VerifyError{Problem: BadKey, Index: k.index, Detail: "it does not follow from the key before"})
		}
		current = k.key
	}
	v.report.Key = current
	if _, bundle := v.src.(*bundled); !bundle && v.done == head.Size && head.Size > 0 && current != head.SignedBy {
		findings = append(findings, &VerifyError{Problem: BadKey, Index: head.Size - 1, Detail: "the database names another key than the log"})
	}
	return findings
}

func anyOf(list []string, in map[string]bool) bool {
	for _, s := range list {
		if in[s] {
			return true
		}
	}
	return false
}

// frontier computes a tree from its leaves, with the hashes of the complete subtrees on its right edge, largest first.
type frontier struct {
	n      int64
	hashes []tlog.Hash
}

// add appends a leaf and returns the hashes of the subtrees it completes, its own first.
func (f *frontier) add(leaf tlog.Hash) []tlog.Hash {
	completed := []tlog.Hash{leaf}
	for n := f.n; n&1 != 0; n >>= 1 {
		last := len(f.hashes) - 1
		leaf = tlog.NodeHash(f.hashes[last], leaf)
		f.hashes = f.hashes[:last]
		completed = append(completed, leaf)
	}
	f.hashes = append(f.hashes, leaf)
	f.n++
	return completed
}

func (f *frontier) root() tlog.Hash {
	if f.n == 0 {
		h, _ := tlog.TreeHash(0, nil) // of nothing
		return h
	}
	root := f.hashes[len(f.hashes)-1]
	for i := len(f.hashes) - 2; i >= 0; i-- {
		root = tlog.NodeHash(f.hashes[i], root)
	}
	return root
}
