package recording

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An evidence package is a recording with what people read beside it, as FORMAT.md specifies: a zip file or its folder.
const (
	packageFolder = "recording" // of the recording's files
	packageFile   = "package.sig"
	packageTitle  = "vitrine evidence package"
	// maxPackageBeside bounds what lies beside the recording, in bytes a file: a report of many typed lines.
	maxPackageBeside = 256 << 20
	maxPackageFiles  = maxSegments + maxChunks + maxInits + 100
)

// PackageFile is what a package has beside the recording.
type PackageFile struct {
	Name    string
	Content []byte
}

// VerifyPath verifies an evidence package, packed or not, or the folder of a sealed recording: no server is needed.
func VerifyPath(ctx context.Context, name string, trust Trust) (Verification, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Verification{}, fmt.Errorf("recording: %w", err)
	}
	if !info.IsDir() {
		z, err := zip.OpenReader(filepath.Clean(name))
		if err != nil {
			return Verification{}, &VerifyError{Problem: Malformed, File: filepath.Base(name), Detail: err.Error()}
		}
		v, err := verifyZip(ctx, &z.Reader, trust)
		return v, errors.Join(err, z.Close())
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return Verification{}, fmt.Errorf("recording: %w", err)
	}
	if _, err := root.Stat(packageFile); err != nil {
		if err := root.Close(); err != nil {
			return Verification{}, fmt.Errorf("recording: %w", err)
		}
		return VerifyFolder(ctx, name, trust)
	}
	v, err := verifyPackage(ctx, root.FS(), trust)
	return v, errors.Join(err, root.Close())
}

// verifyZip refuses what unpacks in more than one way.
func verifyZip(ctx context.Context, z *zip.Reader, trust Trust) (Verification, error) {
	if len(z.File) > maxPackageFiles {
		return Verification{}, &VerifyError{Problem: Malformed, File: packageFile, Detail: fmt.Sprintf("%d files in the package", len(z.File))}
	}
	seen := map[string]bool{}
	for _, f := range z.File {
		if seen[f.Name] {
			return Verification{}, &VerifyError{Problem: Extra, File: f.Name, Detail: "it is in the package twice"}
		}
		seen[f.Name] = true
		if !fs.ValidPath(strings.TrimSuffix(f.Name, "/")) {
			return Verification{}, &VerifyError{Problem: Extra, File: f.Name, Detail: "it would be unpacked elsewhere"}
		}
	}
	return verifyPackage(ctx, z, trust)
}

// verifyPackage verifies what stands beside the recording, and the recording.
func verifyPackage(ctx context.Context, fsys fs.FS, trust Trust) (Verification, error) {
	root := fsFiles{fsys}
	signed, err := readRaw(ctx, root, packageFile, maxPackageBeside)
	if errors.Is(err, ErrNotFound) {
		return Verification{}, &VerifyError{Problem: Missing, File: packageFile, Detail: "this is no evidence package"}
	}
	if err != nil {
		return Verification{}, packageDamage(packageFile, err)
	}
	beside, session, err := parsePackage(signed, trust)
	if err != nil {
		return Verification{}, err
	}
	names, err := root.names(ctx)
	if err != nil {
		return Verification{}, err
	}
	for _, name := range names {
		if _, ok := beside[name]; !ok && name != packageFile && name != packageFolder {
			return Verification{}, &VerifyError{Problem: Extra, File: name, Detail: packageFile + " does not list it"}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(beside)) {
		b, err := readRaw(ctx, root, name, maxPackageBeside)
		if errors.Is(err, ErrNotFound) {
			return Verification{}, &VerifyError{Problem: Missing, File: name, Detail: packageFile + " lists it"}
		}
		if err != nil {
			return Verification{}, packageDamage(name, err)
		}
		if sha256.Sum256(b) != beside[name] {
			return Verification{}, &VerifyError{Problem: Altered, File: name, Detail: "it is not the one that was signed", To: int64(len(b))}
		}
	}
	inside, err := fs.Sub(fsys, packageFolder)
	if err != nil {
		return Verification{}, err
	}
	v, err := verify(ctx, archive{files: fsFiles{inside}}, trust)
	if err == nil && v.SessionID != session {
		err = &VerifyError{Problem: Forged, File: packageFile, Detail: "it is of session " + session + ", the recording of " + v.SessionID}
	}
	v.Packaged = true
	return v, err
}

// packageDamage tells a file that cannot be unpacked from a disk that cannot be read.
func packageDamage(name string, err error) error {
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &VerifyError{Problem: Altered, File: name, Detail: "it cannot be unpacked: " + err.Error()}
	}
	if c, ok := errors.AsType[*CorruptError](err); ok {
		return &VerifyError{Problem: Malformed, File: name, Detail: c.Err.Error()}
	}
	return err
}

// parsePackage reads package.sig: what stands beside the recording, with its hashes, and the session. Without trust the
// signature is not checked.
func parsePackage(signed []byte, trust Trust) (beside map[string]Hash, session string, err error) {
	bad := func(detail string) error { return &VerifyError{Problem: Malformed, File: packageFile, Detail: detail} }
	text, _, found := strings.Cut(string(signed), "\n\n") // a signed note's text ends where an empty line begins its signatures
	if text += "\n"; !found {
		return nil, "", bad("it is not signed")
	}
	if trust != nil {
		if text, _, err = trust.Open(signed); err != nil {
			return nil, "", &VerifyError{Problem: Forged, File: packageFile, Detail: err.Error()}
		}
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != packageTitle || !strings.HasPrefix(lines[1], "session ") {
		return nil, "", bad("it is not of an evidence package")
	}
	beside = map[string]Hash{}
	for _, line := range lines[3:] {
		name, sum, _ := strings.Cut(line, " ")
		var h Hash
		if err := h.UnmarshalText([]byte(sum)); err != nil || strings.Contains(name, "/") || !fs.ValidPath(name) {
			return nil, "", bad("it lists what cannot be")
		}
		beside[name] = h
	}
	return beside, strings.TrimPrefix(lines[1], "session "), nil
}

// fsFiles are the files of a folder of any file system, such as a zip file.
type fsFiles struct{ fs.FS }

func (f fsFiles) raw(_ context.Context, name string) (io.ReadCloser, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	file, err := f.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return file, err
}

func (f fsFiles) names(context.Context) ([]string, error) {
	list, err := fs.ReadDir(f.FS, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, err
}
