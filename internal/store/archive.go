package store

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// An archive is a ZIP file: tables/NAME.jsonl for each table, one row a line as a JSON array in the order of the
// manifest's columns, and at last manifest.json. Values are null, text, numbers, and {"b64": "..."} for bytes: nothing in
// it says which database it came from, so it may go to the other.
const (
	archiveFormat  = "vitrine-backup"
	archiveVersion = 1
	manifestName   = "manifest.json"
	// Caps on what is read: a damaged archive must not take all memory.
	maxManifest = 4 << 20
	maxRow      = 64 << 20
	maxTables   = 1000
	maxColumns  = 1000
)

// Manifest says what an archive holds.
type Manifest struct {
	Format        string          `json:"format"`
	Version       int             `json:"version"` // of the format
	CreatedAt     time.Time       `json:"created_at"`
	MadeBy        string          `json:"made_by"`
	Database      string          `json:"database"` // sqlite or postgresql: for people
	SchemaVersion int64           `json:"schema_version"`
	Tables        []ArchivedTable `json:"tables"` // by name
}

// ArchivedTable is a table in an archive.
type ArchivedTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"`
	SHA256  string   `json:"sha256"` // of the lines, hex
}

// Rows counts the rows of all tables.
func (m *Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// DamagedError says what of an archive is not as it was written.
type DamagedError struct {
	Table string // "": the archive as a whole
	Err   error
}

func (e *DamagedError) Error() string {
	if e.Table == "" {
		return fmt.Sprintf("store: the archive is damaged: %v", e.Err)
	}
	return fmt.Sprintf("store: the archive is damaged: table %s: %v", e.Table, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

func entryName(table string) string { return "tables/" + table + ".jsonl" }

// encodeRow appends a row as a line. It changes values.
func encodeRow(enc *json.Encoder, values []any) error {
	for i, v := range values {
		switch v := v.(type) {
		case nil, int64, float64, bool:
		case string:
			values[i] = tidyText(v) // an old SQLite file may hold what JSON and PostgreSQL cannot
		case []byte:
			values[i] = map[string]string{"b64": base64.StdEncoding.EncodeToString(v)}
		default:
			return fmt.Errorf("a value of type %T is not archived", v)
		}
	}
	return enc.Encode(values)
}

// decodeRow is the reverse of encodeRow.
func decodeRow(line []byte, columns int) ([]any, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var values []any
	if err := dec.Decode(&values); err != nil {
		return nil, errors.New("is not JSON")
	}
	if dec.More() || len(values) != columns {
		return nil, fmt.Errorf("has %d values, not %d", len(values), columns)
	}
	for i, v := range values {
		switch v := v.(type) {
		case nil, string, bool:
		case json.Number:
			if n, err := v.Int64(); err == nil {
				values[i] = n
			} else if f, err := v.Float64(); err == nil {
				values[i] = f
			} else {
				return nil, errors.New("has a number out of range")
			}
		case map[string]any:
			text, ok := v["b64"].(string)
			b, err := base64.StdEncoding.DecodeString(text)
			if !ok || err != nil || len(v) != 1 {
				return nil, errors.New("has bytes that are not base64")
			}
			values[i] = b
		default:
			return nil, errors.New("has a list where a value must be")
		}
	}
	return values, nil
}

// archive is one that is read.
type archive struct {
	Manifest
	zip *zip.Reader
}

// openArchive reads the manifest and looks whether it is one we can read. It does not read the tables.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, &DamagedError{Err: fmt.Errorf("not a whole ZIP file: %w", err)}
	}
	a := &archive{zip: z}
	f, err := z.Open(manifestName)
	if err != nil {
		return nil, &DamagedError{Err: errors.New("it has no manifest.json")}
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil || len(content) > maxManifest {
		return nil, &DamagedError{Err: errors.Join(errors.New("manifest.json cannot be read"), err)}
	}
	if err := json.Unmarshal(content, &a.Manifest); err != nil || a.Format != archiveFormat {
		return nil, &DamagedError{Err: errors.New("manifest.json is not that of a backup of Vitrine")}
	}
	if a.Version != archiveVersion {
		return nil, fmt.Errorf("store: the archive has format version %d, and this program reads %d", a.Version, archiveVersion)
	}
	if len(a.Tables) > maxTables {
		return nil, &DamagedError{Err: fmt.Errorf("manifest.json names %d tables", len(a.Tables))}
	}
	seen := map[string]bool{}
	for _, t := range a.Tables {
		if seen[t.Name] || len(t.Columns) == 0 || len(t.Columns) > maxColumns || t.Rows < 0 {
			return nil, &DamagedError{Table: t.Name, Err: errors.New("manifest.json describes it wrongly")}
		}
		seen[t.Name] = true
	}
	return a, nil
}

// verify reads everything.
func (a *archive) verify(ctx context.Context) error {
	for i := range a.Tables {
		if err := a.read(ctx, &a.Tables[i], func([]any) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// read gives row every row of a table, and afterwards says whether they were the right ones.
func (a *archive) read(ctx context.Context, t *ArchivedTable, row func([]any) error) error {
	damaged := func(err error) error { return &DamagedError{Table: t.Name, Err: err} }
	f, err := a.zip.Open(entryName(t.Name))
	if err != nil {
		return damaged(errors.New("is missing"))
	}
	defer f.Close()
	sum := sha256.New()
	// One byte more than there may be shows that there is more.
	lines := bufio.NewReaderSize(io.TeeReader(io.LimitReader(f, t.Bytes+1), sum), 64<<10)
	var rows, size int64
	for {
		line, err := readLine(lines)
		size += int64(len(line))
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil {
			return damaged(fmt.Errorf("row %d cannot be read: %w", rows+1, err))
		}
		values, err := decodeRow(line, len(t.Columns))
		if err != nil {
			return damaged(fmt.Errorf("row %d %w", rows+1, err))
		}
		rows++
		if err := row(values); err != nil {
			return err
		}
		if rows%1000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	switch {
	case rows != t.Rows || size != t.Bytes:
		return damaged(fmt.Errorf("has %d rows in %d bytes, not %d in %d", rows, size, t.Rows, t.Bytes))
	case hex.EncodeToString(sum.Sum(nil)) != t.SHA256:
		return damaged(errors.New("its SHA-256 is not the one in the manifest"))
	}
	return nil
}

// readLine reads to the end of the line, which it keeps, of at most maxRow bytes.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxRow {
			return nil, fmt.Errorf("is longer than %d bytes", maxRow)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return line, err
		}
	}
}
