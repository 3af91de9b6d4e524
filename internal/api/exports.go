package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/export"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Exports takes recordings out: see package export.
type Exports interface {
	Begin(ctx context.Context, w export.Wish) (store.ExportJob, error)
	Get(ctx context.Context, session, id string) (store.ExportJob, error)
	List(ctx context.Context, session string) ([]store.ExportJob, error)
	Cancel(ctx context.Context, session, id string) error
	Ticket(ctx context.Context, session, id, userID string) (ticket string, until time.Time, err error)
	Download(ctx context.Context, session, id, userID, ticket string) (store.ExportJob, *os.File, error)
}

var _ Exports = (*export.Service)(nil)

// CreateExport begins an export.
func (h *handlers) CreateExport(ctx context.Context, r apigen.CreateExportRequestObject) (apigen.CreateExportResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Export)
	if err == nil {
		err = gone(&rec)
	}
	if err != nil {
		return nil, err
	}
	b := r.Body
	audit.Detail(ctx, "reason", b.Reason)
	audit.Detail(ctx, "kind", string(b.Kind))
	w := export.Wish{SessionID: rec.SessionID, Kind: string(b.Kind), Reason: b.Reason, UserID: in.subject.ID, UserName: in.subject.Name}
	w.Film = export.Film{
		BurnTime: valueOr(b.BurnTime, false), BurnEvents: valueOr(b.BurnEvents, false),
		Subtitles: valueOr(b.Subtitles, false), OneSize: valueOr(b.OneSize, false),
	}
	switch {
	case w.Kind == export.Package && w.Film != export.Film{}:
		return nil, &Error{Status: http.StatusUnprocessableEntity, Code: codeRequestInvalid, Detail: "Nothing is drawn into an evidence package: it is what was sealed."}
	case w.Kind == export.Package && rec.State != store.RecordingSealed:
		return nil, &Error{Status: http.StatusConflict, Code: "recording_not_sealed", Detail: "The recording is not sealed yet."}
	}
	j, err := h.exports.Begin(ctx, w)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "export_id", j.ID)
	return apigen.CreateExport202JSONResponse(exportOut(&j)), nil
}

// ListExports answers with the exports of a recording.
func (h *handlers) ListExports(ctx context.Context, r apigen.ListExportsRequestObject) (apigen.ListExportsResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Export); err != nil {
		return nil, err
	}
	list, err := h.exports.List(ctx, r.SessionParameter)
	out := apigen.ListExports200JSONResponse{Exports: []apigen.Export{}}
	for i := range list {
		out.Exports = append(out.Exports, exportOut(&list[i]))
	}
	return out, err
}

// GetExport answers with one export.
func (h *handlers) GetExport(ctx context.Context, r apigen.GetExportRequestObject) (apigen.GetExportResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Export); err != nil {
		return nil, err
	}
	j, err := h.exports.Get(ctx, r.SessionParameter, r.ExportParameter)
	return apigen.GetExport200JSONResponse(exportOut(&j)), noExport(err)
}

// CancelExport ends an export.
func (h *handlers) CancelExport(ctx context.Context, r apigen.CancelExportRequestObject) (apigen.CancelExportResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Export); err != nil {
		return nil, err
	}
	return apigen.CancelExport204Response{}, noExport(h.exports.Cancel(ctx, r.SessionParameter, r.ExportParameter))
}

// LinkExport makes a link for one download.
func (h *handlers) LinkExport(ctx context.Context, r apigen.LinkExportRequestObject) (apigen.LinkExportResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Export); err != nil {
		return nil, err
	}
	ticket, until, err := h.exports.Ticket(ctx, r.SessionParameter, r.ExportParameter, in.subject.ID)
	link := fmt.Sprintf("%s/recordings/%s/exports/%s/file?ticket=%s", BasePath, r.SessionParameter, r.ExportParameter, url.QueryEscape(ticket))
	return apigen.LinkExport200JSONResponse{Url: link, ExpiresAt: until}, noExport(err)
}

// DownloadExport answers with a result.
func (h *handlers) DownloadExport(ctx context.Context, r apigen.DownloadExportRequestObject) (apigen.DownloadExportResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Export)
	if err != nil {
		return nil, err
	}
	j, f, err := h.exports.Download(ctx, r.SessionParameter, r.ExportParameter, in.subject.ID, r.Params.Ticket)
	if err != nil {
		return nil, noExport(err)
	}
	audit.Detail(ctx, "kind", j.Kind)
	audit.Detail(ctx, "sha256", j.SHA256)
	name, kind := fmt.Sprintf("vitrine-%s-%s", rec.Session.TargetID, rec.Session.StartedAt.UTC().Format("20060102-150405")), "video/mp4"
	if j.Kind == export.Package {
		name, kind = name+"-evidence.zip", "application/zip"
	} else {
		name += ".mp4"
	}
	header := http.Header{
		"Content-Type":        {kind},
		"Cache-Control":       {"no-store"},
		"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": name})},
	}
	return stream{header: header, size: j.Bytes, close: []io.Closer{f}, write: func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	}}, nil
}

// VisitDownloadExportResponse implements apigen.DownloadExportResponseObject.
func (s stream) VisitDownloadExportResponse(w http.ResponseWriter) error { return s.visit(w) }

// noExport tells an export that is not there from a recording that is not.
func noExport(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Code: "export_not_found", Detail: "There is no such export.", Err: err}
	case errors.Is(err, store.ErrTicket):
		return &Error{Status: http.StatusForbidden, Code: "link_used", Detail: "The link was used, is over, or is somebody else's. Ask for another.", Err: err}
	case errors.Is(err, export.ErrNotReady):
		return &Error{Status: http.StatusConflict, Code: "export_not_ready", Detail: "The export has no result, or not any more.", Err: err}
	}
	return err
}

func exportOut(j *store.ExportJob) apigen.Export {
	var film export.Film
	_ = json.Unmarshal([]byte(j.Options), &film) // the zero value for what is not there
	return apigen.Export{
		Id: j.ID, Kind: apigen.ExportKind(j.Kind), State: apigen.ExportState(j.State), Progress: float32(j.Progress) / 1000, Reason: j.Reason, By: j.UserName,
		BurnTime: optional(film.BurnTime), BurnEvents: optional(film.BurnEvents), Subtitles: optional(film.Subtitles), OneSize: optional(film.OneSize),
		Bytes: optional(j.Bytes), Sha256: optional(j.SHA256), Error: optional(j.Error), ErrorCode: optional(j.ErrorCode),
		CreatedAt: j.CreatedAt, FinishedAt: optional(j.FinishedAt), ExpiresAt: optional(j.ExpiresAt),
	}
}
