package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	indexFile = "index.html"
	// hashedPrefix is the folder of files whose names change with their content.
	hashedPrefix = "assets/"
	// minGzipBytes: below, compression gains nothing.
	minGzipBytes = 512
)

const notBuilt = "The console is not part of this build. Run `make build`.\n"

// assets is the console, compressed once.
type assets struct{ files map[string]*asset }

type asset struct {
	plain []byte
	gzip  []byte // nil: not worth it
	kind  string
	etag  string
	cache string
}

func loadAssets(files fs.FS) (*assets, error) {
	a := &assets{files: map[string]*asset{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		a.files[name], err = newAsset(name, content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("api: console: %w", err)
	}
	return a, nil
}

func newAsset(name string, content []byte) (*asset, error) {
	sum := sha256.Sum256(content)
	f := &asset{plain: content, kind: mime.TypeByExtension(path.Ext(name)), etag: strconv.Quote(hex.EncodeToString(sum[:16])), cache: "no-cache"}
	switch {
	case name == indexFile:
		f.cache = "no-store"
	case strings.HasPrefix(name, hashedPrefix):
		f.cache = "public, max-age=31536000, immutable"
	}
	if f.kind == "" {
		f.kind = "application/octet-stream"
	}
	if len(content) < minGzipBytes || !compressible(f.kind) {
		return f, nil
	}
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(content); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, err
	}
	if buf.Len() < len(content) {
		f.gzip = buf.Bytes()
	}
	return f, nil
}

func compressible(kind string) bool {
	return strings.HasPrefix(kind, "text/") || strings.Contains(kind, "javascript") ||
		strings.Contains(kind, "json") || strings.Contains(kind, "xml")
}

// serve answers with the file of that path, or with the console for a path it routes itself.
func (a *assets) serve(c *gin.Context) {
	r := c.Request
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		c.Header("Allow", "GET, HEAD")
		fail(c, &Error{Status: http.StatusMethodNotAllowed, Code: codeMethodNotAllowed, Detail: "This address does not know the method " + r.Method + "."})
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	f, ok := a.files[name]
	if !ok && (strings.HasPrefix(name, hashedPrefix) || path.Ext(name) != "") {
		fail(c, &Error{Status: http.StatusNotFound, Code: codeNotFound, Detail: "There is no such file."})
		return
	}
	if !ok {
		f, ok = a.files[indexFile]
	}
	if !ok {
		c.String(http.StatusServiceUnavailable, notBuilt)
		return
	}
	h := c.Writer.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	body, etag := f.plain, f.etag
	if f.gzip != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, etag = f.gzip, strings.TrimSuffix(f.etag, `"`)+`-gzip"`
		}
	}
	h.Set("ETag", etag)
	http.ServeContent(c.Writer, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads RFC 9110, 12.5.3 as far as gzip is concerned.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		if c := strings.ToLower(strings.TrimSpace(coding)); c != "gzip" && c != "*" {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !found || (err == nil && weight > 0)
	}
	return false
}
