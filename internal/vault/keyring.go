package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// keyPrefix begins a master key as it is written. What comes after is base64 of its 32 bytes.
const keyPrefix = "vitrine-master-key-1:"

// masterKey is a master key with its id.
type masterKey struct {
	id  string
	key []byte
}

// newMasterKey makes a random one.
func newMasterKey() masterKey {
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails
	return withID(key)
}

// NewKey returns a new master key as it is written, for those that keep it in the environment.
func NewKey() string { return newMasterKey().text() }

func withID(key []byte) masterKey {
	hash := sha256.Sum256(append([]byte("vitrine master key id\x00"), key...))
	return masterKey{hex.EncodeToString(hash[:keyIDBytes]), key}
}

func (k masterKey) text() string { return keyPrefix + base64.StdEncoding.EncodeToString(k.key) }

// parseKeys reads master keys, separated by commas or white space; lines that begin with # are comments. The first one seals.
func parseKeys(text string) ([]masterKey, error) {
	var keys []masterKey
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
			if len(keys) == maxKeys {
				return nil, fmt.Errorf("there are more than %d master keys", maxKeys)
			}
			raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(word, keyPrefix))
			if err != nil || len(raw) != keyBytes {
				return nil, fmt.Errorf("master key %d is not %s followed by base64 of %d bytes", len(keys)+1, keyPrefix, keyBytes)
			}
			k := withID(raw)
			if slices.ContainsFunc(keys, func(other masterKey) bool { return other.id == k.id }) {
				return nil, fmt.Errorf("master key %d is there twice", len(keys)+1)
			}
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no master key")
	}
	return keys, nil
}

// source is where master keys come from.
type source struct {
	path  string // empty: fixed
	fixed []masterKey
}

// stamp tells whether the file is the one that was read.
type stamp struct {
	info fs.FileInfo
}

func (s stamp) same(info fs.FileInfo) bool {
	return s.info != nil && os.SameFile(s.info, info) && s.info.ModTime().Equal(info.ModTime()) && s.info.Size() == info.Size()
}

// read returns the keys and what the file is like. The error is fs.ErrNotExist for a file that is not there.
func (s *source) read() ([]masterKey, stamp, error) {
	if s.path == "" {
		return s.fixed, stamp{}, nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, stamp{}, fmt.Errorf("vault: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, stamp{}, fmt.Errorf("vault: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, stamp{}, fmt.Errorf("vault: %s is not a file", s.path)
	case info.Size() > maxKeyFile:
		return nil, stamp{}, fmt.Errorf("vault: %s holds %d bytes, more than %d", s.path, info.Size(), maxKeyFile)
	}
	content := make([]byte, info.Size())
	if _, err := f.ReadAt(content, 0); err != nil {
		return nil, stamp{}, fmt.Errorf("vault: %w", err)
	}
	keys, err := parseKeys(string(content))
	clear(content)
	if err != nil {
		return nil, stamp{}, fmt.Errorf("vault: %s: %w", s.path, err)
	}
	return keys, stamp{info}, nil
}

// openToOthers tells whether people other than the owner may read the file.
func (s stamp) openToOthers() bool { return s.info != nil && s.info.Mode().Perm()&0o077 != 0 }

// lock keeps other programs from replacing the file meanwhile: of two that add a key each, one key would be lost.
func (s *source) lock() (unlock func(), err error) {
	if s.path == "" {
		return func() {}, nil
	}
	folder, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		folder.Close()
		return nil, fmt.Errorf("vault: another program is at the master keys: %w", err)
	}
	return func() { folder.Close() }, nil
}

const keyFileHeader = `# Master keys of Vitrine. The first one seals what the database keeps secret, all of them open it.
# Without them those secrets are lost. Back this file up, and keep it apart from the database and its backups.
`

// write replaces the file: it holds these keys or those of before, whatever happens.
func (s *source) write(keys []masterKey) error {
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	f, err := os.CreateTemp(dir, ".master-key-*") // 0600
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	var text strings.Builder
	text.WriteString(keyFileHeader)
	for _, k := range keys {
		text.WriteString(k.text() + "\n")
	}
	_, err = f.WriteString(text.String())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("vault: %w", err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
