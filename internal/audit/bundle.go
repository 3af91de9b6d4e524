package audit

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// A bundle is a ZIP file that proves itself: entries.ndjson with the entries as they were hashed, a line each,
// checkpoints.ndjson, keys.pub and, when it holds only a part of the log, proofs.ndjson with a proof for each entry. It
// always holds the entries that name keys.

// Names of a bundle's files.
const (
	bundleEntries     = "entries.ndjson"
	bundleCheckpoints = "checkpoints.ndjson"
	bundleProofs      = "proofs.ndjson"
	bundleKeys        = "keys.pub"
)

// Caps of a bundle that is read.
const (
	maxBundleLine = 64 << 10
	maxBundleKeys = 256 << 10
)

// Export writes the entries from first on and before end as a bundle, and returns how many there are besides those that
// name keys. end is at most the size of the newest checkpoint; 0 means that. publicKeys are the lines of the key's public file.
func Export(ctx context.Context, w io.Writer, db *store.Audit, first, end int64, publicKeys []byte) (n int64, err error) {
	c, signed, err := newest(ctx, db)
	if err != nil {
		return 0, err
	}
	if end == 0 || end > c.N {
		end = c.N
	}
	z := zip.NewWriter(w)
	x := exporter{db: db, zip: z, tree: c, reader: hashColumns(db.Hashes).reader(ctx, nil), whole: first == 0 && end == c.N}
	if n, err = x.entries(ctx, first, end); err != nil {
		return 0, err
	}
	if err := x.proofs(ctx, first, end); err != nil {
		return 0, err
	}
	if err := x.checkpoints(ctx, signed); err != nil {
		return 0, err
	}
	keys, err := z.Create(bundleKeys)
	if err != nil {
		return 0, err
	}
	if _, err := keys.Write(publicKeys); err != nil {
		return 0, err
	}
	return n, z.Close()
}

type exporter struct {
	db     *store.Audit
	zip    *zip.Writer
	tree   Checkpoint
	reader tlog.HashReader
	whole  bool
}

// each calls yield with the entries from first to end, and with those before and after that name keys.
func (x *exporter) each(ctx context.Context, first, end int64, yield func(store.AuditEntry) error) error {
	var after []store.AuditEntry
	if !x.whole {
		keys, err := x.db.ByAction(ctx, x.tree.N, ActionLogCreated, ActionKeyRotated)
		if err != nil {
			return err
		}
		for _, e := range keys {
			if e.Index >= end {
				after = append(after, e)
			} else if e.Index < first {
				if err := yield(e); err != nil {
					return err
				}
			}
		}
	}
	for next := first; next < end; {
		page, err := x.db.Range(ctx, next, int(min(verifyPage, end-next)))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fmt.Errorf("audit: entry %d is missing; verify the log", next)
		}
		for _, e := range page {
			if e.Index != next || e.Index >= end {
				return fmt.Errorf("audit: entry %d is missing; verify the log", next)
			}
			next++
			if err := yield(e); err != nil {
				return err
			}
		}
	}
	for _, e := range after {
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) entries(ctx context.Context, first, end int64) (n int64, err error) {
	w, err := x.zip.Create(bundleEntries)
	if err != nil {
		return 0, err
	}
	err = x.each(ctx, first, end, func(e store.AuditEntry) error {
		if e.Index >= first && e.Index < end {
			n++
		}
		_, err := io.WriteString(w, e.Entry+"\n")
		return err
	})
	return n, err
}

func (x *exporter) proofs(ctx context.Context, first, end int64) error {
	if x.whole {
		return nil // all leaves are there
	}
	w, err := x.zip.Create(bundleProofs)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	return x.each(ctx, first, end, func(e store.AuditEntry) error {
		proof, err := tlog.ProveRecord(x.tree.N, e.Index, x.reader)
		if err != nil {
			return fmt.Errorf("audit: prove entry %d: %w", e.Index, err)
		}
		return enc.Encode(Proof{Index: e.Index, Size: x.tree.N, Root: x.tree.Hash.String(), Hashes: encodeProof(proof)})
	})
}

// checkpoints writes all of a whole log, and the one the proofs lead to of a part.
func (x *exporter) checkpoints(ctx context.Context, signed string) error {
	w, err := x.zip.Create(bundleCheckpoints)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	if !x.whole {
		return enc.Encode(keptLine{Size: x.tree.N, Note: signed})
	}
	for after := int64(0); ; {
		list, err := x.db.Checkpoints(ctx, after, verifyPage)
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.Size > x.tree.N {
				return nil
			}
			if err := enc.Encode(keptLine{c.CreatedAt, c.Size, c.Note}); err != nil {
				return err
			}
			after = c.Size
		}
		if len(list) < verifyPage {
			return nil
		}
	}
}

// VerifyBundle checks a bundle by itself. keys are the verifier keys to trust; none: those in the bundle, which proves no
// more than that it is whole. outside are checkpoints its log must agree with, where it is a whole one.
func VerifyBundle(ctx context.Context, r io.ReaderAt, size int64, outside []Kept, keys []string) (Report, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Report{}, fmt.Errorf("audit: bundle: %w", err)
	}
	if len(keys) == 0 {
		if keys, err = bundledKeys(z); err != nil {
			return Report{}, err
		}
	}
	if _, err := z.Open(bundleProofs); err == nil {
		return verifyPart(ctx, z, keys)
	}
	src, err := openBundle(z)
	if err != nil {
		return Report{}, err
	}
	defer src.close()
	return Verify(ctx, src, outside, keys)
}

func bundledKeys(z *zip.Reader) ([]string, error) {
	f, err := z.Open(bundleKeys)
	if err != nil {
		return nil, fmt.Errorf("audit: bundle: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxBundleKeys))
	if err != nil {
		return nil, fmt.Errorf("audit: bundle: %w", err)
	}
	return Keys(string(content))
}

// lines opens a file of a bundle to read line by line.
func lines(z *zip.Reader, name string) (io.Closer, *bufio.Scanner, error) {
	f, err := z.Open(path.Clean(name))
	if err != nil {
		return nil, nil, fmt.Errorf("audit: bundle: %w", err)
	}
	scan := bufio.NewScanner(f)
	scan.Buffer(make([]byte, 0, 4096), maxBundleLine)
	return f, scan, nil
}

// bundled is a whole log in a bundle. It is read once, in order.
type bundled struct {
	file    io.Closer
	entries *bufio.Scanner
	tree    frontier
	notes   []store.AuditCheckpoint
	head    store.AuditHead
}

var _ Source = (*bundled)(nil)

func openBundle(z *zip.Reader) (*bundled, error) {
	b := &bundled{}
	f, scan, err := lines(z, bundleCheckpoints)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for scan.Scan() {
		var k keptLine
		if err := json.Unmarshal(scan.Bytes(), &k); err != nil {
			return nil, fmt.Errorf("audit: bundle: checkpoint: %w", err)
		}
		if len(b.notes) == maxCheckpoints {
			return nil, errors.New("audit: bundle: too many checkpoints")
		}
		b.notes = append(b.notes, store.AuditCheckpoint{Size: k.Size, Note: k.Note, CreatedAt: k.Time})
		b.head.Size = max(b.head.Size, k.Size)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("audit: bundle: checkpoints: %w", err)
	}
	if b.file, b.entries, err = lines(z, bundleEntries); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *bundled) close() { b.file.Close() }

func (b *bundled) Head(context.Context) (store.AuditHead, error) { return b.head, nil }

func (b *bundled) Checkpoints(_ context.Context, after int64, limit int) ([]store.AuditCheckpoint, error) {
	var list []store.AuditCheckpoint
	for _, c := range b.notes {
		if c.Size > after && len(list) < limit {
			list = append(list, c)
		}
	}
	return list, nil
}

// Range makes the columns from the entries, for in a bundle there are none.
func (b *bundled) Range(_ context.Context, first int64, limit int) ([]store.AuditEntry, error) {
	var list []store.AuditEntry
	for len(list) < limit && b.entries.Scan() {
		leaf := b.entries.Text()
		row := store.AuditEntry{Index: b.tree.n, Entry: leaf}
		if row.Index < first {
			return nil, errors.New("audit: bundle: read twice")
		}
		hashes := encodeHashes(b.tree.add(tlog.RecordHash([]byte(leaf))))
		if _, e, err := Decode([]byte(leaf)); err == nil {
			row = rowOf(row.Index, e, leaf, hashes)
		}
		list = append(list, row)
	}
	if err := b.entries.Err(); err != nil {
		return nil, fmt.Errorf("audit: bundle: entries: %w", err)
	}
	return list, nil
}

// verifyPart checks each entry of a part of a log by its proof.
func verifyPart(ctx context.Context, z *zip.Reader, keys []string) (Report, error) {
	src, err := openBundle(z)
	if err != nil {
		return Report{}, err
	}
	defer src.close()
	if len(src.notes) != 1 {
		return Report{}, &VerifyError{Problem: Malformed, Detail: fmt.Sprintf("the bundle has %d checkpoints, want one", len(src.notes))}
	}
	f, proofs, err := lines(z, bundleProofs)
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	c, err := unsignedCheckpoint(src.notes[0].Note)
	if err != nil {
		return Report{}, &VerifyError{Problem: Malformed, Detail: err.Error()}
	}
	report := Report{Checkpoints: 1, Root: c.Hash.String()}
	trusted := append([]string(nil), keys...)
	last, afterKey := int64(-1), false // only entries that name keys may stand apart
	for src.entries.Scan() {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		index, e, err := Decode(src.entries.Bytes())
		if err != nil {
			return report, &VerifyError{Problem: Altered, Index: last + 1, Detail: err.Error()}
		}
		if index <= last {
			return report, &VerifyError{Problem: Altered, Index: index, Detail: "it is out of order"}
		}
		if index > last+1 && report.Entries > 0 && e.Action != ActionKeyRotated && !afterKey {
			return report, &VerifyError{Problem: Missing, Index: last + 1, Last: index - 1, Detail: fmt.Sprintf("entry %d follows", index)}
		}
		afterKey = e.Action == ActionLogCreated || e.Action == ActionKeyRotated
		last = index
		var p Proof
		if !proofs.Scan() {
			return report, &VerifyError{Problem: Missing, Index: index, Detail: "there is no proof"}
		}
		if err := json.Unmarshal(proofs.Bytes(), &p); err != nil || p.Index != index {
			return report, &VerifyError{Problem: Malformed, Index: index, Detail: "its proof cannot be read"}
		}
		path, err := decodeProof(p.Hashes)
		if err == nil {
			err = tlog.CheckRecord(path, c.N, c.Hash, index, tlog.RecordHash(src.entries.Bytes()))
		}
		if err != nil {
			return report, &VerifyError{Problem: Altered, Index: index, Detail: "it is not the entry the checkpoint was signed for"}
		}
		if e.Action == ActionKeyRotated && checkRotation(e) == nil && slices.Contains(trusted, e.Details["old_key"]) {
			trusted = append(trusted, e.Details["new_key"])
		}
		report.Entries++
	}
	if err := src.entries.Err(); err != nil {
		return report, fmt.Errorf("audit: bundle: entries: %w", err)
	}
	_, by, err := OpenCheckpoint(src.notes[0].Note, trusted...)
	if err != nil {
		return report, &VerifyError{Problem: BadKey, Index: max(0, last), Detail: err.Error()}
	}
	report.Signed, report.Key = report.Entries, strings.Join(by, " ")
	return report, nil
}
