// Package signkey keeps the Ed25519 key the gateway signs evidence with, and the public keys of all it ever had.
//
// Signatures are signed notes (golang.org/x/mod/sumdb/note): a text people can read, and below it a line for each key that
// signed. The private key lies in one file, the public keys beside it in another that ends in ".pub", one a line, the oldest
// first; that one is for whoever verifies, anywhere. A rotated key's private half is gone for good; what it signed stays
// verifiable.
package signkey

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

var (
	// ErrMissing is returned when the private key is not there. Open makes none where there are public keys: it was lost or
	// taken away, and a new one in its place would look like a forger's.
	ErrMissing = errors.New("signkey: the private key is missing")
	// ErrUnsigned is returned for a note without a signature by a trusted key.
	ErrUnsigned = errors.New("signkey: not signed by a trusted key")
)

// Caps of what is read.
const (
	maxKeyFile    = 4 << 10
	maxPublicFile = 256 << 10
	maxNote       = 1 << 20
)

// PublicSuffix is added to the private key's file name for the file of public keys.
const PublicSuffix = ".pub"

// Key signs.
type Key struct {
	signer  note.Signer
	trusted Trusted
	public  []byte
}

// Open is Load, but makes a new key of that name when neither the private key nor its public keys are there.
func Open(path, name string) (*Key, error) {
	_, errSecret := os.Lstat(path)
	_, errPublic := os.Lstat(path + PublicSuffix)
	if errors.Is(errSecret, fs.ErrNotExist) && errors.Is(errPublic, fs.ErrNotExist) {
		if err := generate(path, name, nil); err != nil {
			return nil, err
		}
	}
	return Load(path)
}

// Load reads the private key in the file at path. It returns ErrMissing when it is not there.
func Load(path string) (*Key, error) {
	secret, err := readCapped(path, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, path)
	}
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(secret)))
	if err != nil {
		return nil, fmt.Errorf("signkey: %s is no private key", path) // the cause could quote it
	}
	public, err := readCapped(path+PublicSuffix, maxPublicFile)
	if err != nil {
		return nil, err
	}
	trusted, err := ParsePublic(public)
	if err != nil {
		return nil, err
	}
	if _, err := trusted.Verifier(signer.Name(), signer.KeyHash()); err != nil {
		return nil, fmt.Errorf("signkey: the public key of %s is not in %s", path, path+PublicSuffix)
	}
	return &Key{signer: signer, trusted: trusted, public: public}, nil
}

// Rotate replaces the private key by a new one of that name. The old public keys stay.
func Rotate(path, name string) error {
	k, err := Load(path)
	if err != nil {
		return err
	}
	return generate(path, name, k.public)
}

// Promote puts the key in the file at staged in the place of the one at path, whose public keys stay. It may be repeated
// after it was cut off.
func Promote(path, staged string) error {
	next, err := Load(staged)
	if err != nil {
		return err
	}
	public, err := readCapped(path+PublicSuffix, maxPublicFile)
	if err != nil {
		return err
	}
	secret, err := readCapped(staged, maxKeyFile)
	if err != nil {
		return err
	}
	if !bytes.Contains(public, []byte(next.Verifier()+"\n")) {
		public = append(public, next.Verifier()+"\n"...)
	}
	if err := writeWhole(path+PublicSuffix, public, 0o644); err != nil {
		return err
	}
	if err := writeWhole(path, secret, 0o600); err != nil {
		return err
	}
	return errors.Join(os.Remove(staged), os.Remove(staged+PublicSuffix))
}

// generate writes the public keys first: with them and the old private key everything still works.
func generate(path, name string, public []byte) error {
	secret, verifier, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return fmt.Errorf("signkey: %w", err)
	}
	if _, err := note.NewVerifier(verifier); err != nil {
		return fmt.Errorf("signkey: key name %q: want no spaces and no +", name)
	}
	if err := writeWhole(path+PublicSuffix, append(bytes.Clone(public), verifier+"\n"...), 0o644); err != nil {
		return err
	}
	return writeWhole(path, []byte(secret+"\n"), 0o600)
}

// ID names the key that signs: name and hash, as in signature lines and public keys.
func (k *Key) ID() string { return fmt.Sprintf("%s+%08x", k.signer.Name(), k.signer.KeyHash()) }

// Name is the key's name.
func (k *Key) Name() string { return k.signer.Name() }

// Signer signs in notes together with others.
func (k *Key) Signer() note.Signer { return k.signer }

// Verifier is the public half, as note.NewVerifier takes it.
func (k *Key) Verifier() string {
	for line := range bytes.Lines(k.public) {
		if v, err := note.NewVerifier(string(bytes.TrimSpace(line))); err == nil && v.Name() == k.signer.Name() && v.KeyHash() == k.signer.KeyHash() {
			return string(bytes.TrimSpace(line))
		}
	}
	return "" // Open has made sure that it is there
}

// Public returns the public keys, in the form of their file.
func (k *Key) Public() []byte { return bytes.Clone(k.public) }

// Trusted returns the public keys, to verify with.
func (k *Key) Trusted() Trusted { return k.trusted }

// Sign returns text, which ends with a newline and has no control characters, as a signed note.
func (k *Key) Sign(text string) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		return nil, fmt.Errorf("signkey: sign: %w", err)
	}
	return signed, nil
}

// Trusted are public keys.
type Trusted struct{ note.Verifiers }

// ParsePublic reads public keys, one a line; empty lines and lines that begin with # are skipped.
func ParsePublic(b []byte) (Trusted, error) {
	if len(b) > maxPublicFile {
		return Trusted{}, fmt.Errorf("signkey: public keys of %d bytes", len(b))
	}
	var list []note.Verifier
	for scan := bufio.NewScanner(bytes.NewReader(b)); scan.Scan(); {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := note.NewVerifier(line)
		if err != nil {
			return Trusted{}, fmt.Errorf("signkey: public key %q: %w", line, err)
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return Trusted{}, errors.New("signkey: no public key")
	}
	return Trusted{note.VerifierList(list...)}, nil
}

// Open checks a signed note and returns its text and the key that signed it, as ID names it. The error wraps ErrUnsigned
// when no trusted key did.
func (t Trusted) Open(signed []byte) (text, by string, err error) {
	if len(signed) > maxNote {
		return "", "", fmt.Errorf("%w: %d bytes", ErrUnsigned, len(signed))
	}
	n, err := note.Open(signed, t)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrUnsigned, err)
	}
	return n.Text, fmt.Sprintf("%s+%08x", n.Sigs[0].Name, n.Sigs[0].Hash), nil
}

func readCapped(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("signkey: %w", err)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("signkey: %s has %d bytes", path, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("signkey: %w", err)
	}
	return b, nil
}

// writeWhole replaces a file durably or not at all.
func writeWhole(path string, b []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("signkey: %w", err)
	}
	f, err := os.CreateTemp(dir, ".signkey-*")
	if err != nil {
		return fmt.Errorf("signkey: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("signkey: %w", errors.Join(err, os.Remove(f.Name())))
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("signkey: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
