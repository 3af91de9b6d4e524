package recording

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// PackageWork is a package on the way, for whoever goes on with it in another life of the program: the first End bytes of its file are
// to be kept, and are the files it lists.
type PackageWork struct {
	Made   time.Time // as the package says
	Packed []PackedFile
}

// PackedFile is a file in a package on the way.
type PackedFile struct {
	Name       string
	Method     uint16
	CRC32      uint32
	Size       uint64
	Compressed uint64
	SHA256     Hash  // of the compressed bytes
	At         int64 // of them
}

// End is how many bytes of the file are to be kept.
func (w *PackageWork) End() int64 {
	if len(w.Packed) == 0 {
		return 0
	}
	last := w.Packed[len(w.Packed)-1]
	return last.At + int64(last.Compressed)
}

// zipVersion is 2.0, which knows DEFLATE.
const zipVersion = 20

// ErrPackageWork is returned when what is kept of a package is not what its work says.
var ErrPackageWork = errors.New("recording: what was kept of the package is not what was written")

// PackageOutput is the file of a package.
type PackageOutput interface {
	io.Writer
	io.ReaderAt // of what is kept
}

// PackageWriter writes a whole sealed recording, decrypted, and what stands beside it as a package.
type PackageWriter struct {
	r    *Recording
	work *PackageWork
	// After is told, after each file, how many bytes of the recording are in the package; an error ends Write. It may be nil.
	After func(bytes int64) error

	out  *continued
	zip  *zip.Writer
	kept int // files
}

// NewPackageWriter goes on with a package as far as work says; an empty one begins.
func (r *Recording) NewPackageWriter(out PackageOutput, work *PackageWork) (*PackageWriter, error) {
	if !r.Sealed() {
		return nil, ErrNotSealed
	}
	p := &PackageWriter{r: r, work: work, kept: len(work.Packed), out: &continued{out: out, keep: work.End()}}
	p.zip = zip.NewWriter(p.out)
	return p, p.keep()
}

// continued writes behind what a file begins with. What would be written there is compared with it.
type continued struct {
	out  PackageOutput
	keep int64
	at   int64
}

func (c *continued) Write(b []byte) (int, error) {
	known := b[:max(0, min(int64(len(b)), c.keep-c.at))]
	was := make([]byte, len(known))
	if _, err := c.out.ReadAt(was, c.at); len(known) > 0 && (err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(was, known)) {
		return 0, ErrPackageWork
	}
	c.at += int64(len(known))
	n, err := c.out.Write(b[len(known):])
	c.at += int64(n)
	return len(known) + n, err
}

// keep enters what is kept.
func (p *PackageWriter) keep() error {
	for _, f := range p.work.Packed {
		b := make([]byte, f.Compressed)
		if _, err := p.out.out.ReadAt(b, f.At); err != nil || sha256.Sum256(b) != f.SHA256 {
			return ErrPackageWork
		}
		if err := p.raw(&f, b); err != nil {
			return err
		}
	}
	return nil
}

// raw writes a compressed file.
func (p *PackageWriter) raw(f *PackedFile, compressed []byte) error {
	made := p.work.Made.UTC()
	w, err := p.zip.CreateRaw(&zip.FileHeader{
		Name: f.Name, Method: f.Method, CRC32: f.CRC32, UncompressedSize64: f.Size, CompressedSize64: f.Compressed,
		CreatorVersion: zipVersion, ReaderVersion: zipVersion,
		ModifiedDate: uint16(made.Day() + int(made.Month())<<5 + (made.Year()-1980)<<9), //nolint:staticcheck // CreateRaw writes these, as MS-DOS had them, and not Modified
		ModifiedTime: uint16(made.Second()/2 + made.Minute()<<5 + made.Hour()<<11),      //nolint:staticcheck // likewise
	})
	if err == nil {
		_, err = w.Write(compressed)
	}
	if err == nil {
		err = p.zip.Flush()
	}
	f.At = p.out.at - int64(f.Compressed)
	return err
}

// add packs a file, unless it is among those that are kept: they come in the same order.
func (p *PackageWriter) add(name string, method uint16, read func() ([]byte, error)) error {
	if p.kept > 0 {
		if at := len(p.work.Packed) - p.kept; p.work.Packed[at].Name != name {
			return ErrPackageWork
		}
		p.kept--
		return nil
	}
	b, err := read()
	if err != nil {
		return err
	}
	f := PackedFile{Name: name, Method: method, CRC32: crc32.ChecksumIEEE(b), Size: uint64(len(b))}
	if method == zip.Deflate {
		if b, err = deflate(b); err != nil {
			return err
		}
	}
	f.Compressed, f.SHA256 = uint64(len(b)), sha256.Sum256(b)
	if err := p.raw(&f, b); err != nil {
		return err
	}
	p.work.Packed = append(p.work.Packed, f)
	return nil
}

func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// Begin writes what stands beside the recording, signed by signer. It is not called for a package that goes on.
func (p *PackageWriter) Begin(beside []PackageFile, signer Signer) error {
	var statement strings.Builder
	fmt.Fprintf(&statement, "%s\nsession %s\nmade %s\n", packageTitle, p.r.id, p.work.Made.UTC().Format(time.RFC3339))
	for _, f := range beside {
		fmt.Fprintf(&statement, "%s %x\n", f.Name, sha256.Sum256(f.Content))
	}
	signed, err := signer.Sign(statement.String())
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	for _, f := range append(slices.Clone(beside), PackageFile{packageFile, signed}) {
		if err := p.add(f.Name, zip.Deflate, func() ([]byte, error) { return f.Content, nil }); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the recording and the package's end. A recording that is not what was sealed makes no package.
func (p *PackageWriter) Write(ctx context.Context) error {
	for p.kept > 0 && !strings.HasPrefix(p.work.Packed[len(p.work.Packed)-p.kept].Name, packageFolder+"/") {
		p.kept-- // beside the recording
	}
	var done int64
	for i := range p.r.entries {
		e := &p.r.entries[i]
		method := zip.Store // pictures are compressed
		if e.Kind == KindEvents || e.Kind == KindSession {
			method = zip.Deflate
		}
		kept := p.kept > 0
		if err := p.add(path.Join(packageFolder, e.Name), method, func() ([]byte, error) { return p.r.read(ctx, e.Name) }); err != nil {
			return err
		}
		if done += e.Size; p.After != nil && !kept {
			if err := p.After(done); err != nil {
				return err
			}
		}
	}
	// These as they lie in the store, for their signature is over their bytes.
	for _, name := range []string{storedFile, signatureFile, manifestFile} {
		b, err := readRaw(ctx, p.r.src.store, name, maxJournalBytes)
		if errors.Is(err, ErrNotFound) && name != manifestFile {
			continue // not encrypted, or of format 1
		}
		if err == nil {
			err = p.add(path.Join(packageFolder, name), zip.Deflate, func() ([]byte, error) { return b, nil })
		}
		if err != nil {
			return err
		}
	}
	return p.zip.Close()
}
