package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Signer signs what a sealed manifest says, as a signed note.
type Signer interface {
	Sign(text string) ([]byte, error)
}

// Trust checks signed notes: text is what was signed, by the key that did.
type Trust interface {
	Open(signed []byte) (text, by string, err error)
}

// statement is the text that is signed for a manifest, and for the list of what is stored where there is one: people can
// read it, and it holds them to every byte.
func statement(m *Manifest, manifest, listed []byte) string {
	var head Hash
	if n := len(m.Files); n > 0 {
		head = m.Files[n-1].Chain
	}
	text := fmt.Sprintf("vitrine recording\nsession %s\nmanifest %x\nchain %x\nsealed by the %s\n", m.SessionID, sha256.Sum256(manifest), head, m.SealedBy)
	if listed != nil {
		text += fmt.Sprintf("stored %x\n", sha256.Sum256(listed))
	}
	return text
}

// verifySignature checks that a key of trust has signed the manifest, and returns which. Recordings of format 1 were not
// signed, which anybody could claim of any: they do not pass either.
func verifySignature(ctx context.Context, src files, m *Manifest, manifest, listed []byte, trust Trust) (by string, err error) {
	signed, err := readRaw(ctx, src, signatureFile, maxSmallFile)
	switch {
	case errors.Is(err, ErrNotFound):
		return "", &VerifyError{Problem: Missing, File: signatureFile, Detail: "the manifest is not signed"}
	case err != nil:
		return "", err
	}
	text, by, err := trust.Open(signed)
	if err != nil {
		return "", &VerifyError{Problem: Forged, File: signatureFile, Detail: err.Error()}
	}
	if text != statement(m, manifest, listed) {
		return "", &VerifyError{Problem: Forged, File: manifestFile, Detail: "it is not the one that " + by + " has signed"}
	}
	return by, nil
}

// sign stores the signature of a manifest. It comes before the manifest, so that what is sealed is signed.
func (s *upload) sign(ctx context.Context, m *Manifest, manifest, listed []byte) error {
	signed, err := s.u.signer.Sign(statement(m, manifest, listed))
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	return s.put(ctx, signatureFile, bytes.NewReader(signed), int64(len(signed)), sha256.Sum256(signed))
}
