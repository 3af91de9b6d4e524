package recording

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
)

// Problem is a way in which a recording is not what was sealed.
type Problem string

// The problems Verify finds.
const (
	Missing   Problem = "missing"   // a file of the manifest is not there
	Extra     Problem = "extra"     // a file is there that the manifest does not know
	Truncated Problem = "truncated" // a file is shorter than when it was sealed
	Altered   Problem = "altered"   // a file's content has changed
	Reordered Problem = "reordered" // files stand in each other's place, or the manifest's entries do
	Malformed Problem = "malformed" // the manifest cannot be read, or says what cannot be
)

// VerifyError is the first problem Verify found.
type VerifyError struct {
	Problem Problem
	File    string
	Detail  string
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("recording: %s is %s: %s", e.File, e.Problem, e.Detail)
}

// Verification is what Verify looked at.
type Verification struct {
	Files    int
	Bytes    int64
	SealedBy SealedBy
}

// files is a sealed recording's folder or its place in a store.
type files interface {
	// open returns ErrNotFound for a name that is not there.
	open(ctx context.Context, name string) (io.ReadCloser, error)
	// names lists everything there is.
	names(ctx context.Context) ([]string, error)
}

// VerifyFolder verifies a sealed recording in a folder, as it lies in the store: no server is needed.
func VerifyFolder(ctx context.Context, dir string) (Verification, error) {
	f, err := openFolder(dir)
	if err != nil {
		return Verification{}, err
	}
	v, err := verify(ctx, f)
	return v, errors.Join(err, f.close())
}

// verify reads every file and compares it with the manifest. A *VerifyError is a finding; another error means that it
// could not find out.
func verify(ctx context.Context, src files) (Verification, error) {
	b, err := readAll(ctx, src, manifestFile, maxJournalBytes)
	if errors.Is(err, ErrNotFound) {
		return Verification{}, ErrNotSealed
	}
	if err != nil {
		return Verification{}, err
	}
	m, err := ParseManifest(b)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Files: len(m.Files), SealedBy: m.SealedBy}
	names, err := src.names(ctx)
	if err != nil {
		return v, err
	}
	known := map[string]bool{manifestFile: true, journalFile: true}
	byHash := map[Hash]string{}
	for i := range m.Files {
		known[m.Files[i].Name] = true
		byHash[m.Files[i].SHA256] = m.Files[i].Name
	}
	for _, name := range names {
		if !known[name] {
			return v, &VerifyError{Extra, name, "the manifest does not list it"}
		}
	}
	for i := range m.Files {
		n, err := verifyFile(ctx, src, &m.Files[i], byHash)
		v.Bytes += n
		if err != nil {
			return v, err
		}
	}
	return v, nil
}

// verifyFile compares one file with its entry.
func verifyFile(ctx context.Context, src files, e *Entry, byHash map[Hash]string) (int64, error) {
	body, err := src.open(ctx, e.Name)
	if errors.Is(err, ErrNotFound) {
		return 0, &VerifyError{Missing, e.Name, "the manifest lists it"}
	}
	if err != nil {
		return 0, err
	}
	defer body.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, body)
	if err != nil {
		return n, fmt.Errorf("recording: read %s: %w", e.Name, err)
	}
	sum := Hash(hash.Sum(nil))
	other := byHash[sum]
	switch {
	case sum == e.SHA256 && n == e.Size:
		return n, nil
	case other != "" && other != e.Name:
		return n, &VerifyError{Reordered, e.Name, "it holds what was sealed as " + other}
	case n < e.Size:
		return n, &VerifyError{Truncated, e.Name, fmt.Sprintf("%d bytes of %d", n, e.Size)}
	default:
		return n, &VerifyError{Altered, e.Name, fmt.Sprintf("%d bytes, sealed with %d, of another SHA-256", n, e.Size)}
	}
}

// checkContent compares a whole file with its entry, for replay.
func checkContent(e *Entry, b []byte) error {
	if int64(len(b)) < e.Size {
		return &CorruptError{File: e.Name, Offset: int64(len(b)), Err: ErrTruncated}
	}
	if int64(len(b)) == e.Size && sha256.Sum256(b) == e.SHA256 {
		return nil
	}
	offset := int64(-1)
	if e.Kind == KindSegment {
		if _, err := fmp4.Inspect(b); err != nil {
			if c, ok := errors.AsType[*fmp4.CorruptError](err); ok {
				offset = int64(c.Offset)
			}
		}
	}
	return &CorruptError{File: e.Name, Offset: offset, Err: ErrChecksum}
}
