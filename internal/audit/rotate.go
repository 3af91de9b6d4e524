package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// rotationText is what both keys sign at a rotation.
func rotationText(oldKey, newKey string) string {
	return fmt.Sprintf("vitrine audit key rotation\n%s\n%s\n", oldKey, newKey)
}

// Rotate makes a new key, has the old one sign it in an entry of the log, and signs a checkpoint with both. The old
// private key is gone afterwards. Cut off in the middle, it is completed, or begun anew, the next time.
func (l *Log) Rotate(ctx context.Context, by Actor) (newKey string, err error) {
	l.signing.Lock()
	defer l.signing.Unlock()
	head, err := l.db.Head(ctx)
	if err != nil {
		return "", err
	}
	old, err := currentKey(l.opts.KeyFile, head.SignedBy)
	if err != nil {
		return "", err
	}
	if err := l.consistent(ctx, head); err != nil {
		return "", err
	}
	next, err := signkey.Open(l.opts.KeyFile+pendingSuffix, old.Name())
	if err != nil {
		return "", fmt.Errorf("audit: new key: %w", err)
	}
	signature, err := note.Sign(&note.Note{Text: rotationText(old.Verifier(), next.Verifier())}, old.Signer(), next.Signer())
	if err != nil {
		return "", fmt.Errorf("audit: sign the new key: %w", err)
	}
	entry := Entry{
		Actor: by, Action: ActionKeyRotated, Outcome: Success, Object: Object{Kind: "audit_log", Name: old.Name()},
		Details: map[string]string{"old_key": old.Verifier(), "new_key": next.Verifier(), "signature": string(signature)},
	}.clean(l.now())
	err = l.db.Append(ctx, 1, func(ctx context.Context, tx *store.AuditTx) error {
		if tx.Head.SignedBy != old.Verifier() {
			return fmt.Errorf("%w: it was rotated by somebody else at this moment", ErrKey)
		}
		if err := tx.SignedBy(ctx, next.Verifier()); err != nil {
			return err
		}
		head = tx.Head
		return write(ctx, tx, []Entry{entry})
	})
	if err != nil {
		return "", err
	}
	l.key = next
	c, err := l.treeOf(ctx, head.Size)
	if err != nil {
		return "", err
	}
	signed, err := c.sign(old.Signer(), next.Signer())
	if err != nil {
		return "", err
	}
	if err := errors.Join(l.keep(ctx, c, signed, true), signkey.Promote(l.opts.KeyFile, l.opts.KeyFile+pendingSuffix)); err != nil {
		return "", err
	}
	return next.Verifier(), nil
}

// checkRotation checks that an entry's new key is signed by the old one and by itself.
func checkRotation(e Entry) error {
	oldKey, newKey := e.Details["old_key"], e.Details["new_key"]
	var verifiers []note.Verifier
	for _, k := range []string{oldKey, newKey} {
		v, err := note.NewVerifier(k)
		if err != nil {
			return fmt.Errorf("key %q: %w", k, err)
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open([]byte(e.Details["signature"]), note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	if n.Text != rotationText(oldKey, newKey) || len(n.Sigs) != 2 {
		return errors.New("the new key is not signed by the old one and itself")
	}
	return nil
}

// Keys returns the verifier keys in the text of a key file's public half, one a line.
func Keys(text string) ([]string, error) {
	var keys []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := note.NewVerifier(line); err != nil {
			return nil, fmt.Errorf("audit: public key %q: %w", line, err)
		}
		keys = append(keys, line)
	}
	if len(keys) == 0 {
		return nil, errors.New("audit: there is no public key")
	}
	return keys, nil
}
