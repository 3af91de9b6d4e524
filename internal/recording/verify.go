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
	Forged    Problem = "forged"    // no trusted key has signed this manifest
)

// VerifyError is the first problem Verify found.
type VerifyError struct {
	Problem Problem
	File    string
	Detail  string
	// From and To bound the first bytes that are wrong, To excluded; both 0 when the file as such is.
	From, To int64
}

func (e *VerifyError) Error() string { return "recording: " + e.Sentence() }

// Sentence says for people what is wrong, and where.
func (e *VerifyError) Sentence() string {
	where := ""
	if e.To > e.From {
		where = fmt.Sprintf(" in bytes %d to %d", e.From, e.To-1)
	}
	return fmt.Sprintf("%s is %s%s: %s", e.File, e.Problem, where, e.Detail)
}

// Verification is what Verify looked at.
type Verification struct {
	SessionID string
	// Packaged is set for an evidence package, whose report was verified, too.
	Packaged bool

	Files    int
	Bytes    int64
	SealedBy SealedBy
	// SignedBy is the key that signed the manifest; empty when that was not asked for.
	SignedBy string
	// Encrypted is set when there was no key: what was compared is the encrypted objects, not what they hold.
	Encrypted bool
}

// files is a sealed recording's folder or its place in a store.
type files interface {
	// raw opens a file as it lies there. It returns ErrNotFound for a name that is not there.
	raw(ctx context.Context, name string) (io.ReadCloser, error)
	// names lists everything there is.
	names(ctx context.Context) ([]string, error)
}

// VerifyFolder verifies a sealed recording in a folder, as it lies in the store: no server is needed. Without trust it
// tells whether the recording is as its manifest says, not who made the manifest.
func VerifyFolder(ctx context.Context, dir string, trust Trust) (Verification, error) {
	f, err := openFolder(dir)
	if err != nil {
		return Verification{}, err
	}
	v, err := verify(ctx, archive{files: f}, trust)
	return v, errors.Join(err, f.close())
}

// verify reads every file and compares it with the manifest. A *VerifyError is a finding; another error means that it
// could not find out.
func verify(ctx context.Context, src archive, trust Trust) (Verification, error) {
	b, err := readRaw(ctx, src, manifestFile, maxJournalBytes)
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
	v := Verification{SessionID: m.SessionID, Files: len(m.Files), SealedBy: m.SealedBy}
	src.id = m.SessionID
	list, listed, err := readStored(ctx, src, m)
	if err != nil {
		return v, err
	}
	if trust != nil {
		if v.SignedBy, err = verifySignature(ctx, src, m, b, listed, trust); err != nil {
			return v, err
		}
	}
	names, err := src.names(ctx)
	if err != nil {
		return v, err
	}
	known := map[string]bool{manifestFile: true, signatureFile: true, journalFile: true, storedFile: list != nil}
	byHash := map[Hash]string{}
	for i := range m.Files {
		known[m.Files[i].Name] = true
		byHash[m.Files[i].SHA256] = m.Files[i].Name
	}
	for _, name := range names {
		if !known[name] {
			return v, &VerifyError{Problem: Extra, File: name, Detail: "the manifest does not list it"}
		}
	}
	keyless := false
	if list != nil {
		key, err := src.key(ctx)
		if clear(key); errors.Is(err, ErrNoKey) {
			keyless = true
		} else if err != nil {
			return v, err
		}
	}
	for i := range m.Files {
		var n int64
		sealed := false
		if keyless { // in an evidence package files lie as they were before they were encrypted
			if sealed, err = isEncrypted(ctx, src, m.Files[i].Name); err != nil {
				return v, err
			}
		}
		if sealed {
			v.Encrypted = true
			n, err = verifyStored(ctx, src, &list.Objects[i])
		} else {
			n, err = verifyFile(ctx, src, &m.Files[i], byHash)
		}
		v.Bytes += n
		if err != nil {
			return v, err
		}
	}
	return v, nil
}

// isEncrypted tells whether an object is encrypted. One that is missing, or cannot be read to its magic, is not.
func isEncrypted(ctx context.Context, src files, name string) (bool, error) {
	body, err := src.raw(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	begin := make([]byte, len(cryptMagic))
	_, err = io.ReadFull(body, begin)
	return err == nil && string(begin) == cryptMagic, nil
}

// verifyFile compares one file with its entry. It hashes the whole; only what is not as it was is read again block by block,
// to tell where.
func verifyFile(ctx context.Context, src opener, e *Entry, byHash map[Hash]string) (int64, error) {
	if intact(ctx, src, e) {
		return e.Size, nil
	}
	return compareFile(ctx, src, e, byHash)
}

// readBuffer is what is read and hashed at a time.
const readBuffer = 256 << 10

// intact tells whether a file is what its entry says.
func intact(ctx context.Context, src opener, e *Entry) bool {
	body, err := src.open(ctx, e.Name)
	if err != nil {
		return false
	}
	defer body.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.LimitReader(body, e.Size+1)}, make([]byte, min(readBuffer, e.Size+1)))
	return err == nil && n == e.Size && Hash(h.Sum(nil)) == e.SHA256
}

// compareFile finds out what is wrong with a file, if anything is.
func compareFile(ctx context.Context, src opener, e *Entry, byHash map[Hash]string) (int64, error) {
	body, err := src.open(ctx, e.Name)
	if errors.Is(err, ErrNotFound) {
		return 0, &VerifyError{Problem: Missing, File: e.Name, Detail: "the manifest lists it"}
	}
	if c, ok := errors.AsType[*CorruptError](err); ok {
		return 0, &VerifyError{Problem: Altered, File: e.Name, Detail: c.Err.Error()}
	}
	if err != nil {
		return 0, err
	}
	defer body.Close()
	digest := newDigest()
	_, err = io.Copy(digest, io.LimitReader(body, max(e.Size, maxFileBytes)+1))
	if c, ok := errors.AsType[*CorruptError](err); ok {
		return digest.size, &VerifyError{Problem: Altered, File: e.Name, Detail: c.Err.Error(), From: digest.size, To: max(e.Size, digest.size+1)}
	}
	if found, ok := errors.AsType[*VerifyError](packageDamage(e.Name, err)); ok {
		found.From, found.To = digest.size, max(e.Size, digest.size+1)
		return digest.size, found
	}
	if err != nil {
		return digest.size, fmt.Errorf("recording: read %s: %w", e.Name, err)
	}
	n, sum, blocks := digest.end()
	if sum == e.SHA256 && n == e.Size {
		return n, nil
	}
	found := &VerifyError{File: e.Name}
	found.From, found.To = e.differs(n, blocks)
	other := byHash[sum]
	switch {
	case other != "" && other != e.Name:
		found.Problem, found.Detail = Reordered, "it holds what was sealed as "+other
		found.From, found.To = 0, 0
	case n < e.Size:
		found.Problem, found.Detail = Truncated, fmt.Sprintf("%d bytes of %d", n, e.Size)
		if found.From >= n/blockBytes*blockBytes {
			found.From, found.To = n, e.Size // no block before the end differs
		}
	case n > e.Size:
		found.Problem, found.Detail = Altered, fmt.Sprintf("longer than the %d bytes that were sealed", e.Size)
	default:
		found.Problem, found.Detail = Altered, "it does not have the SHA-256 that was sealed"
	}
	return n, found
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
