package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// storedFile is the list of a recording's objects as they rest, for recordings that are encrypted.
const storedFile = "stored.json"

// storedObject is a file as it rests in the store.
type storedObject struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 Hash   `json:"sha256"`
}

// storedList is stored.json: what an encrypted recording can be verified by without its key.
type storedList struct {
	Format    int            `json:"format"`
	SessionID string         `json:"session_id"`
	Cipher    string         `json:"cipher"`
	Objects   []storedObject `json:"objects"`
}

// cipherName is what crypt.go does.
const cipherName = "AES-256-GCM-HKDF-64KiB"

// parseStored reads stored.json and checks that it lists the manifest's files in its order.
func parseStored(b []byte, m *Manifest) (*storedList, error) {
	bad := func(format string, args ...any) error {
		return &VerifyError{Problem: Malformed, File: storedFile, Detail: fmt.Sprintf(format, args...)}
	}
	var l storedList
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, bad("%v", err)
	}
	if l.Format != 1 || l.Cipher != cipherName {
		return nil, fmt.Errorf("%w: %s of format %d with %q", ErrFormatVersion, storedFile, l.Format, l.Cipher)
	}
	if l.SessionID != m.SessionID || len(l.Objects) != len(m.Files) {
		return nil, bad("%d objects of session %s, for %d files of %s", len(l.Objects), l.SessionID, len(m.Files), m.SessionID)
	}
	for i := range l.Objects {
		if l.Objects[i].Name != m.Files[i].Name || l.Objects[i].Size < 0 {
			return nil, bad("object %d is %q, the manifest has %s there", i, l.Objects[i].Name, m.Files[i].Name)
		}
	}
	return &l, nil
}

// verifyStored compares an object as it rests with its element of the list.
func verifyStored(ctx context.Context, src files, o *storedObject) (int64, error) {
	body, err := src.raw(ctx, o.Name)
	if errors.Is(err, ErrNotFound) {
		return 0, &VerifyError{Problem: Missing, File: o.Name, Detail: "the manifest lists it"}
	}
	if err != nil {
		return 0, err
	}
	defer body.Close()
	h := sha256.New()
	size, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.LimitReader(body, o.Size+1)}, make([]byte, min(readBuffer, o.Size+1)))
	if err != nil {
		if found, ok := errors.AsType[*VerifyError](packageDamage(o.Name, err)); ok {
			return size, found
		}
		return size, fmt.Errorf("recording: read %s: %w", o.Name, err)
	}
	sum := Hash(h.Sum(nil))
	switch {
	case size == o.Size && sum == o.SHA256:
		return size, nil
	case size < o.Size:
		return size, &VerifyError{Problem: Truncated, File: o.Name, Detail: fmt.Sprintf("%d bytes of %d", size, o.Size), From: size, To: o.Size}
	}
	return size, &VerifyError{Problem: Altered, File: o.Name, Detail: "it does not have the SHA-256 that was sealed", To: size}
}

// storeList stores stored.json, if anything of the recording is encrypted, and returns its content.
func (s *upload) storeList(ctx context.Context, m *Manifest) ([]byte, error) {
	l := storedList{Format: 1, SessionID: s.id, Cipher: cipherName}
	encrypted := false
	for i := range m.Files {
		o, ok := s.done[m.Files[i].Name]
		if !ok {
			return nil, fmt.Errorf("recording: %s is not in the store", m.Files[i].Name)
		}
		l.Objects = append(l.Objects, o)
		encrypted = encrypted || o.SHA256 != m.Files[i].SHA256
	}
	if !encrypted {
		return nil, nil
	}
	b, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return b, s.put(ctx, storedFile, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
}

// readStored reads stored.json and what it says; nil when the recording is not encrypted.
func readStored(ctx context.Context, src files, m *Manifest) (*storedList, []byte, error) {
	b, err := readRaw(ctx, src, storedFile, maxJournalBytes)
	if errors.Is(err, ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	l, err := parseStored(b, m)
	return l, b, err
}

// readRaw reads a whole file of at most limit bytes as it lies there.
func readRaw(ctx context.Context, src files, name string, limit int64) ([]byte, error) {
	return readAll(ctx, rawOpener{src}, name, limit)
}

type rawOpener struct{ files }

func (r rawOpener) open(ctx context.Context, name string) (io.ReadCloser, error) {
	return r.raw(ctx, name)
}
