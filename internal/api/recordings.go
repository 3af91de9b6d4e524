package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strconv"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Recordings is the list of recordings. It returns store.ErrNotFound for a session that never was.
type Recordings interface {
	Get(ctx context.Context, session string) (Recording, error)
	List(ctx context.Context, before string, limit int) ([]Recording, error)
}

// Library reads what was recorded.
type Library interface {
	Open(ctx context.Context, session string) (*recording.Recording, error)
}

var _ Library = (*recording.Library)(nil)

// Recording is the state of a recording, with its session.
type Recording struct {
	store.Recording
	Session Session
}

// ListRecordings answers with the recordings the caller may replay.
func (h *handlers) ListRecordings(ctx context.Context, r apigen.ListRecordingsRequestObject) (apigen.ListRecordingsResponseObject, error) {
	ctx, in := enter(ctx)
	limit := valueOr(r.Params.Limit, defaultSessionPage)
	list, err := h.recordings.List(ctx, valueOr(r.Params.Before, ""), limit)
	if err != nil {
		return nil, err
	}
	out := apigen.ListRecordings200JSONResponse{Recordings: []apigen.Recording{}}
	for i := range list {
		err := h.may(ctx, in, policy.Replay, recordingResource(&list[i]))
		if _, denied := errors.AsType[*policy.DeniedError](err); denied {
			continue
		}
		if err != nil {
			return nil, err
		}
		out.Recordings = append(out.Recordings, recordingOut(&list[i]))
	}
	if len(list) == limit {
		out.Next = &list[len(list)-1].SessionID
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

// ExportRecording answers with one MP4 of all that is closed.
func (h *handlers) ExportRecording(ctx context.Context, r apigen.ExportRecordingRequestObject) (apigen.ExportRecordingResponseObject, error) {
	ctx, in := enter(ctx)
	state, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Export)
	if err != nil {
		return nil, err
	}
	rec, err := h.library.Open(ctx, state.SessionID)
	if err != nil {
		return nil, err
	}
	x, err := rec.Export(ctx)
	if err != nil {
		return nil, errors.Join(err, rec.Close())
	}
	name := fmt.Sprintf("vitrine-%s-%s.mp4", state.Session.TargetID, state.Session.StartedAt.UTC().Format("20060102-150405"))
	header := http.Header{
		"Content-Type":        {"video/mp4"},
		"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": name})},
	}
	return stream{header: header, size: -1, close: []io.Closer{rec}, write: func(w io.Writer) error { return x.Write(ctx, w) }}, nil
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
	v, err := rec.Verify(ctx)
	out := apigen.VerifyRecording200JSONResponse{Ok: true, Files: v.Files, Bytes: v.Bytes, SealedBy: optional(string(v.SealedBy))}
	finding, found := errors.AsType[*recording.VerifyError](err)
	if err != nil && !found {
		return nil, err
	}
	if found {
		out.Ok, out.Problem = false, new(fmt.Sprintf("%s is %s: %s", finding.File, finding.Problem, finding.Detail))
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
	if _, err := h.allowedRecording(ctx, in, session, action); err != nil {
		return nil, err
	}
	return h.library.Open(ctx, session)
}

func recordingResource(r *Recording) policy.Resource {
	return policy.Resource{Kind: policy.KindRecording, ID: r.SessionID, Owner: r.Session.UserID}
}

func recordingOut(r *Recording) apigen.Recording {
	return apigen.Recording{
		Session: sessionOut(&r.Session), State: apigen.RecordingState(r.State), Bytes: r.Bytes,
		DurationMs: r.Duration.Milliseconds(), PendingFiles: &r.PendingFiles, Error: optional(r.Error),
		SealedBy: optional(apigen.RecordingSealedBy(r.SealedBy)),
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
	err := s.write(unhurried{w})
	for _, c := range s.close {
		err = errors.Join(err, c.Close())
	}
	return err
}

// VisitGetRecordingFileResponse implements apigen.GetRecordingFileResponseObject.
func (s stream) VisitGetRecordingFileResponse(w http.ResponseWriter) error { return s.visit(w) }

// VisitExportRecordingResponse implements apigen.ExportRecordingResponseObject.
func (s stream) VisitExportRecordingResponse(w http.ResponseWriter) error { return s.visit(w) }
