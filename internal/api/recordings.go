package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Recordings is the list of recordings. It returns store.ErrNotFound for a session that never was.
type Recordings interface {
	Get(ctx context.Context, session string) (Recording, error)
	List(ctx context.Context, f store.SessionFilter) ([]Recording, error)
}

// Library reads what was recorded.
type Library interface {
	Open(ctx context.Context, session string) (*recording.Recording, error)
}

var _ Library = (*recording.Library)(nil)

// Evidence tells which keys' signatures count.
type Evidence interface {
	Trust() (recording.Trust, error)
}

// Recording is the state of a recording, with its session.
type Recording struct {
	store.Recording
	Session Session
	Review  store.Review
	Custody store.Custody // the zero value where nothing is known of it
}

// ListRecordings answers with the recordings the caller may replay.
func (h *handlers) ListRecordings(ctx context.Context, r apigen.ListRecordingsRequestObject) (apigen.ListRecordingsResponseObject, error) {
	ctx, in := enter(ctx)
	p := &r.Params
	filter := store.SessionFilter{
		Before: valueOr(p.Before, ""), Query: valueOr(p.Q, ""), User: valueOr(p.User, ""), Target: valueOr(p.Target, ""),
		Since: valueOr(p.Since, time.Time{}), Until: valueOr(p.Until, time.Time{}), Review: string(valueOr(p.Review, "")),
	}
	page, next, err := fillPage(ctx, filter, valueOr(p.Limit, defaultSessionPage), h.recordings.List,
		func(r *Recording) string { return r.SessionID },
		func(r *Recording) error { return h.may(ctx, in, policy.Replay, recordingResource(r)) })
	if err != nil {
		return nil, err
	}
	out := apigen.ListRecordings200JSONResponse{Recordings: []apigen.Recording{}, Next: optional(next)}
	for i := range page {
		out.Recordings = append(out.Recordings, recordingOut(&page[i]))
	}
	return out, nil
}

// GetRecording answers with the state of one recording.
func (h *handlers) GetRecording(ctx context.Context, r apigen.GetRecordingRequestObject) (apigen.GetRecordingResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	return apigen.GetRecording200JSONResponse(recordingOut(&rec)), nil
}

// GetRecordingIndex answers with what a player needs.
func (h *handlers) GetRecordingIndex(ctx context.Context, r apigen.GetRecordingIndexRequestObject) (apigen.GetRecordingIndexResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.open(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	defer rec.Close()
	index, err := rec.Index(ctx)
	if err != nil {
		return nil, err
	}
	return jsonAnswer{in.request, index}, nil
}

// ListRecordingEvents answers with a page of events.
func (h *handlers) ListRecordingEvents(ctx context.Context, r apigen.ListRecordingEventsRequestObject) (apigen.ListRecordingEventsResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.open(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	defer rec.Close()
	page, err := rec.Events(ctx, recording.EventQuery{After: valueOr(r.Params.After, ""), Limit: valueOr(r.Params.Limit, defaultEventPage)})
	if err != nil {
		return nil, err
	}
	return jsonAnswer{in.request, page}, nil
}

// GetRecordingFile answers with a file of the recording. Closed ones never change; of one that grows, what is whole.
func (h *handlers) GetRecordingFile(ctx context.Context, r apigen.GetRecordingFileRequestObject) (apigen.GetRecordingFileResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.open(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	body, size, err := rec.File(ctx, r.File)
	if err != nil {
		return nil, errors.Join(err, rec.Close())
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if rec.Closed(r.File) {
		header.Set("Cache-Control", sealedMaxAge)
	}
	return stream{header: header, size: size, close: []io.Closer{body, rec}, write: func(w io.Writer) error {
		_, err := io.Copy(w, body)
		return err
	}}, nil
}

// VerifyRecording compares everything with the sealed manifest.
func (h *handlers) VerifyRecording(ctx context.Context, r apigen.VerifyRecordingRequestObject) (apigen.VerifyRecordingResponseObject, error) {
	ctx, in := enter(ctx)
	patient(in.writer, 0) // it reads gigabytes before it answers
	rec, err := h.open(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	defer rec.Close()
	trust, err := h.evidence.Trust()
	if err != nil {
		return nil, err
	}
	v, err := rec.Verify(ctx, trust)
	out := apigen.VerifyRecording200JSONResponse{
		Ok: true, Files: v.Files, Bytes: v.Bytes, SealedBy: optional(string(v.SealedBy)), SignedBy: optional(v.SignedBy),
	}
	finding, found := errors.AsType[*recording.VerifyError](err)
	if err != nil && !found {
		return nil, err
	}
	if found {
		out.Ok, out.Problem, out.File = false, new(finding.Sentence()), &finding.File
		out.From, out.To = optional(finding.From), optional(finding.To)
		audit.As(ctx, audit.Failed)
		audit.Detail(ctx, "problem", "recording_altered")
		audit.Detail(ctx, "finding", finding.Sentence())
	}
	return out, nil
}

// allowedRecording returns the state of a recording if the caller may do action with it.
func (h *handlers) allowedRecording(ctx context.Context, in *call, session string, action policy.Action) (Recording, error) {
	rec, err := h.recordings.Get(ctx, session)
	if errors.Is(err, store.ErrNotFound) {
		return Recording{}, recording.ErrNotFound
	}
	if err != nil {
		return Recording{}, err
	}
	return rec, h.may(ctx, in, action, recordingResource(&rec))
}

// open opens the files of a recording if the caller may do action with it.
func (h *handlers) open(ctx context.Context, in *call, session string, action policy.Action) (*recording.Recording, error) {
	rec, err := h.allowedRecording(ctx, in, session, action)
	if err == nil {
		err = gone(&rec)
	}
	if err != nil {
		return nil, err
	}
	return h.library.Open(ctx, session)
}

func recordingResource(r *Recording) policy.Resource {
	return policy.Resource{Kind: policy.KindRecording, ID: r.SessionID, Owner: r.Session.UserID, Target: r.Session.TargetID, Account: r.Session.AccountName}
}

func recordingOut(r *Recording) apigen.Recording {
	return apigen.Recording{
		Session: sessionOut(&r.Session), State: apigen.RecordingState(r.State), Bytes: r.Bytes,
		DurationMs: r.Duration.Milliseconds(), PendingFiles: &r.PendingFiles, Error: optional(r.Error),
		SealedBy: optional(apigen.RecordingSealedBy(r.SealedBy)), Review: reviewOut(&r.Review), Custody: custodyOut(&r.Custody),
	}
}

// jsonAnswer writes what package recording already has in the form of the API, compressed where the caller takes it:
// the index of a long session is large and asked for again and again.
type jsonAnswer struct {
	request *http.Request
	value   any
}

func (a jsonAnswer) write(w http.ResponseWriter) error {
	body, err := json.Marshal(a.value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Vary", "Accept-Encoding")
	if len(body) >= minGzipBytes && acceptsGzip(a.request.Header.Get("Accept-Encoding")) {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		if _, err := z.Write(body); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		w.Header().Set("Content-Encoding", "gzip")
		body = buf.Bytes()
	}
	_, err = w.Write(body)
	return err
}

// VisitGetRecordingIndexResponse implements apigen.GetRecordingIndexResponseObject.
func (a jsonAnswer) VisitGetRecordingIndexResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitListRecordingEventsResponse implements apigen.ListRecordingEventsResponseObject.
func (a jsonAnswer) VisitListRecordingEventsResponse(w http.ResponseWriter) error { return a.write(w) }

// stream is an answer too large to hold. When a file turns out to be damaged half-way, it breaks off; see fail.
type stream struct {
	header http.Header
	size   int64 // in bytes; -1: not known
	write  func(io.Writer) error
	close  []io.Closer
}

func (s stream) visit(w http.ResponseWriter) error {
	maps.Copy(w.Header(), s.header)
	if s.size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(s.size, 10))
	}
	return errors.Join(s.write(unhurried{w}), s.Close())
}

// Close releases what is behind an answer, also one that is not given.
func (s stream) Close() error {
	var err error
	for _, c := range s.close {
		err = errors.Join(err, c.Close())
	}
	return err
}

// VisitGetRecordingFileResponse implements apigen.GetRecordingFileResponseObject.
func (s stream) VisitGetRecordingFileResponse(w http.ResponseWriter) error { return s.visit(w) }

// VisitExportRecordingResponse implements apigen.ExportRecordingResponseObject.
func (s stream) VisitExportRecordingResponse(w http.ResponseWriter) error { return s.visit(w) }
