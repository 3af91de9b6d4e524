package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// Keys keeps the key of each session's recording: 32 bytes. ErrNoKey says that there is none, because it was shredded or
// the recording is not encrypted.
type Keys interface {
	Key(ctx context.Context, sessionID string) ([]byte, error)
}

// ErrNoKey is returned for what cannot be decrypted because its key is gone: nobody can read the recording any more.
var ErrNoKey = errors.New("recording: its key does not exist")

// cryptMagic begins an encrypted object.
const cryptMagic = "vitrine\x01"

// cryptChunk is the size of a separately authenticated piece of ciphertext.
const cryptChunk = 64 << 10

// aead is AES-256-GCM over chunks (the STREAM construction, by Tink), with a key derived for each object.
func aead(key []byte) (*subtle.AESGCMHKDF, error) {
	a, err := subtle.NewAESGCMHKDF(key, "SHA256", 32, cryptChunk, 0)
	if err != nil {
		return nil, fmt.Errorf("recording: key: %w", err)
	}
	return a, nil
}

// bound is what an object is of: it decrypts in no other's place.
func bound(session, name string) []byte { return []byte("vitrine recording\n" + session + "\n" + name) }

// encrypt reads a file of size bytes that hashes to sum and returns it encrypted, in memory: transfers want the size and
// hash before the first byte, and a file is at most 64 MiB. Content that is not what the entry says is a *CorruptError.
func encrypt(key []byte, session, name string, r io.Reader, size int64, sum Hash) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(cryptMagic) + a.HeaderLength() + int(size) + (int(size)/cryptChunk+2)*subtle.AESGCMHKDFTagSizeInBytes)
	out.WriteString(cryptMagic)
	w, err := a.NewEncryptingWriter(&out, bound(session, name))
	if err != nil {
		return nil, fmt.Errorf("recording: encrypt: %w", err)
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(r, size+1))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("recording: encrypt %s: %w", name, err)
	}
	if n != size || Hash(hash.Sum(nil)) != sum {
		return nil, &CorruptError{File: name, Offset: -1, Err: ErrChecksum}
	}
	return out.Bytes(), nil
}

// archive is a recording as it rests, read as it was.
type archive struct {
	files
	id   string
	keys Keys // nil: there are none to ask for
}

func (a archive) key(ctx context.Context) ([]byte, error) {
	if a.keys == nil {
		return nil, ErrNoKey
	}
	return a.keys.Key(ctx, a.id)
}

// open opens a file, decrypted. It returns ErrNotFound for a name that is not there.
func (a archive) open(ctx context.Context, name string) (io.ReadCloser, error) {
	body, err := a.raw(ctx, name)
	if err != nil {
		return nil, err
	}
	return a.decrypt(ctx, name, body)
}

// decrypting is an object as it was before it was encrypted, or the object itself when it is not. What was changed in the
// store ends it with a *CorruptError.
type decrypting struct {
	io.Reader
	io.Closer
}

func (a archive) decrypt(ctx context.Context, name string, body io.ReadCloser) (io.ReadCloser, error) {
	begin := make([]byte, len(cryptMagic))
	n, err := io.ReadFull(body, begin)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.Join(fmt.Errorf("recording: read %s: %w", name, err), body.Close())
	}
	if string(begin[:n]) != cryptMagic {
		return decrypting{io.MultiReader(bytes.NewReader(begin[:n]), body), body}, nil
	}
	key, err := a.key(ctx)
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	defer clear(key)
	c, err := aead(key)
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	source := &sourceErr{r: body}
	plain, err := c.NewDecryptingReader(source, bound(a.id, name))
	if err != nil {
		return nil, errors.Join(source.or(&CorruptError{File: name, Offset: -1, Err: err}), body.Close())
	}
	return decrypting{&plainReader{r: plain, source: source, name: name}, body}, nil
}

// sourceErr keeps the error of what is decrypted apart from those of decrypting it.
type sourceErr struct {
	r   io.Reader
	err error
}

func (s *sourceErr) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (s *sourceErr) or(err error) error {
	if s.err != nil {
		return s.err
	}
	return err
}

// plainReader turns a failed decryption into a *CorruptError.
type plainReader struct {
	r      io.Reader
	source *sourceErr
	name   string
	n      int64
}

func (p *plainReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = p.source.or(&CorruptError{File: p.name, Offset: p.n, Err: errors.New("it does not decrypt: it was altered, cut off, or is another file's")})
	}
	return n, err
}
