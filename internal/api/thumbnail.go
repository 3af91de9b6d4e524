package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
)

// Thumbnail is a small still picture of a desktop.
type Thumbnail struct {
	JPEG []byte // shared: not to be changed
	Tag  string // the same for the same bytes
}

// GetSessionThumbnail answers with what a session's desktop looks like. Who may watch it may see that.
func (h *handlers) GetSessionThumbnail(ctx context.Context, r apigen.GetSessionThumbnailRequestObject) (apigen.GetSessionThumbnailResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.watchable(ctx, in, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	t, err := h.sessions.Thumbnail(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	return picture{t, "private, no-cache", in.request}, nil
}

// GetRecordingThumbnail answers with a picture out of a recording.
func (h *handlers) GetRecordingThumbnail(ctx context.Context, r apigen.GetRecordingThumbnailRequestObject) (apigen.GetRecordingThumbnailResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.open(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	defer rec.Close()
	at := time.Duration(-1)
	if r.Params.At != nil {
		at = time.Duration(*r.Params.At) * time.Millisecond
	}
	name, jpeg, err := rec.Thumbnail(ctx, at)
	if errors.Is(err, recording.ErrNotFound) {
		return nil, &Error{Status: http.StatusNotFound, Code: "no_thumbnail", Detail: "The recording has no picture of that.", Err: err}
	}
	if err != nil {
		return nil, err
	}
	cache := "private, no-cache"
	if !rec.Live() {
		cache = "private, max-age=86400"
	}
	return picture{Thumbnail{JPEG: jpeg, Tag: r.SessionParameter + "-" + name}, cache, in.request}, nil
}

// VisitGetRecordingThumbnailResponse implements apigen.GetRecordingThumbnailResponseObject.
func (p picture) VisitGetRecordingThumbnailResponse(w http.ResponseWriter) error { return p.visit(w) }

// picture is an answer that a browser keeps and asks about by its tag.
type picture struct {
	Thumbnail
	cache   string
	request *http.Request
}

// VisitGetSessionThumbnailResponse implements apigen.GetSessionThumbnailResponseObject.
func (p picture) VisitGetSessionThumbnailResponse(w http.ResponseWriter) error { return p.visit(w) }

func (p picture) visit(w http.ResponseWriter) error {
	tag := `"` + p.Tag + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", p.cache)
	if known(p.request.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Content-Length", strconv.Itoa(len(p.JPEG)))
	_, err := w.Write(p.JPEG)
	return err
}

// known tells whether If-None-Match ([RFC 9110] 13.1.2) names tag.
func known(header []string, tag string) bool {
	for list := range slices.Values(header) {
		for t := range strings.SplitSeq(list, ",") {
			if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
				return true
			}
		}
	}
	return false
}
