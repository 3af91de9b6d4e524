package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Reviews keep how far the review of each recording is.
type Reviews interface {
	Get(ctx context.Context, session string) (store.Review, error)
	Set(ctx context.Context, a store.ReviewAct) error
	Acts(ctx context.Context, session string) ([]store.ReviewAct, error)
}

// RecordingNotes keep what reviewers wrote. Edit and Delete find only a person's own.
type RecordingNotes interface {
	List(ctx context.Context, session string) ([]store.RecordingNote, error)
	Get(ctx context.Context, session, id string) (store.RecordingNote, error)
	Create(ctx context.Context, n store.RecordingNote) error
	Edit(ctx context.Context, session, id, user, text string, at time.Time) error
	Delete(ctx context.Context, session, id, user string) error
}

// Replays finds texts and moments in recordings.
type Replays interface {
	Find(ctx context.Context, q review.Query, allowed func(ctx context.Context, session string) (bool, error)) ([]review.Found, string, error)
	FindIn(ctx context.Context, session string, q review.Query) ([]review.Hit, string, error)
	Timeline(ctx context.Context, session string) (*review.Timeline, error)
}

var (
	_ Reviews        = (*store.Reviews)(nil)
	_ RecordingNotes = (*store.RecordingNotes)(nil)
	_ Replays        = (*review.Service)(nil)
)

// SearchRecordings looks for texts in what the caller may replay.
func (h *handlers) SearchRecordings(ctx context.Context, r apigen.SearchRecordingsRequestObject) (apigen.SearchRecordingsResponseObject, error) {
	ctx, in := enter(ctx)
	p := &r.Params
	audit.Detail(ctx, "q", p.Q)
	allowed := map[string]Recording{}
	found, next, err := h.replays.Find(ctx, review.Query{
		Text: p.Q, Kinds: kindsIn(p.Kind), Limit: valueOr(p.Limit, defaultSearchPage), Cursor: valueOr(p.Before, ""),
		Sessions: store.SessionFilter{
			User: valueOr(p.User, ""), Target: valueOr(p.Target, ""), Query: valueOr(p.Names, ""),
			Since: valueOr(p.Since, time.Time{}), Until: valueOr(p.Until, time.Time{}),
		},
	}, func(ctx context.Context, session string) (bool, error) {
		rec, err := h.recordings.Get(ctx, session)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		allowed[session] = rec
		return h.permits(ctx, in, policy.Replay, recordingResource(&rec))
	})
	if err != nil {
		return nil, err
	}
	out := apigen.SearchRecordings200JSONResponse{Found: []apigen.FoundRecording{}, Next: optional(next)}
	for _, f := range found {
		rec := allowed[f.SessionID]
		out.Found = append(out.Found, apigen.FoundRecording{Recording: recordingOut(&rec), Hits: hitsOut(f.Hits), More: f.More})
	}
	return out, nil
}

// SearchRecording looks for texts in one recording.
func (h *handlers) SearchRecording(ctx context.Context, r apigen.SearchRecordingRequestObject) (apigen.SearchRecordingResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	hits, next, err := h.replays.FindIn(ctx, rec.SessionID, review.Query{
		Text: r.Params.Q, Kinds: kindsIn(r.Params.Kind), Limit: valueOr(r.Params.Limit, defaultHitPage), Cursor: valueOr(r.Params.After, ""),
	})
	if err != nil {
		return nil, err
	}
	return apigen.SearchRecording200JSONResponse{Hits: hitsOut(hits), Next: optional(next)}, nil
}

func kindsIn(list *[]apigen.TextKind) (out []string) {
	for _, k := range valueOr(list, nil) {
		out = append(out, string(k))
	}
	return out
}

func hitsOut(hits []review.Hit) []apigen.RecordingHit {
	out := make([]apigen.RecordingHit, len(hits))
	for i, hit := range hits {
		out[i] = apigen.RecordingHit{TMs: hit.US / 1000, Kind: apigen.TextKind(hit.Kind), Actor: optional(hit.Actor)}
		for _, p := range hit.Snippet {
			out[i].Snippet = append(out[i].Snippet, struct {
				Hit  *bool  `json:"hit,omitempty"`
				Text string `json:"text"`
			}{optional(p.Hit), p.Text})
		}
	}
	return out
}

// GetRecordingTimeline answers with what happened when.
func (h *handlers) GetRecordingTimeline(ctx context.Context, r apigen.GetRecordingTimelineRequestObject) (apigen.GetRecordingTimelineResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	t, err := h.replays.Timeline(ctx, rec.SessionID)
	if err != nil {
		return nil, err
	}
	type marker struct {
		TMs   int64  `json:"t_ms"`
		Kind  string `json:"kind"`
		Actor string `json:"actor,omitempty"`
		Text  string `json:"text,omitempty"`
	}
	markers := make([]marker, len(t.Markers))
	for i, m := range t.Markers {
		markers[i] = marker{m.US / 1000, m.Kind, m.Actor, m.Text}
	}
	return jsonAnswer{in.request, struct {
		BucketMS   int64    `json:"bucket_ms"`
		DurationMS int64    `json:"duration_ms"`
		Keys       []int    `json:"keys"`
		Pointer    []int    `json:"pointer"`
		Picture    []int64  `json:"picture"`
		Markers    []marker `json:"markers"`
		LeftOut    bool     `json:"left_out"`
	}{t.Bucket.Milliseconds(), t.Duration.Milliseconds(), t.Keys, t.Pointer, t.Picture, markers, t.LeftOut}}, nil
}

// VisitGetRecordingTimelineResponse implements apigen.GetRecordingTimelineResponseObject.
func (a jsonAnswer) VisitGetRecordingTimelineResponse(w http.ResponseWriter) error { return a.write(w) }

// GetRecordingReview answers with how far the review is.
func (h *handlers) GetRecordingReview(ctx context.Context, r apigen.GetRecordingReviewRequestObject) (apigen.GetRecordingReviewResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	out, err := h.reviewOf(ctx, rec.SessionID)
	return apigen.GetRecordingReview200JSONResponse(out), err
}

// SetRecordingReview notes how far the review is.
func (h *handlers) SetRecordingReview(ctx context.Context, r apigen.SetRecordingReviewRequestObject) (apigen.SetRecordingReviewResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	before, err := h.reviews.Get(ctx, rec.SessionID)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "state", string(r.Body.State))
	audit.Detail(ctx, "was", before.State)
	comment := strings.TrimSpace(valueOr(r.Body.Comment, ""))
	if comment != "" {
		audit.Detail(ctx, "comment", comment)
	}
	err = h.reviews.Set(ctx, store.ReviewAct{
		ID: ulid.Make().String(), SessionID: rec.SessionID, Comment: comment,
		Review: store.Review{State: string(r.Body.State), UserID: in.subject.ID, UserName: in.subject.Name, At: time.Now()},
	})
	if err != nil {
		return nil, err
	}
	out, err := h.reviewOf(ctx, rec.SessionID)
	return apigen.SetRecordingReview200JSONResponse(out), err
}

func (h *handlers) reviewOf(ctx context.Context, session string) (apigen.RecordingReview, error) {
	acts, err := h.reviews.Acts(ctx, session)
	if err != nil {
		return apigen.RecordingReview{}, err
	}
	out := apigen.RecordingReview{State: store.ReviewToDo}
	if len(acts) > 0 {
		out.State = apigen.ReviewState(acts[0].State)
	}
	out.History = make([]struct {
		At      time.Time          `json:"at"`
		By      string             `json:"by"`
		Comment *string            `json:"comment,omitempty"`
		State   apigen.ReviewState `json:"state"`
	}, len(acts))
	for i, a := range acts {
		item := &out.History[i]
		item.At, item.By, item.Comment, item.State = a.At, a.UserName, optional(a.Comment), apigen.ReviewState(a.State)
	}
	return out, nil
}

func reviewOut(r *store.Review) *apigen.Review {
	if r.State == "" {
		return nil
	}
	out := &apigen.Review{State: apigen.ReviewState(r.State), By: optional(r.UserName)}
	if !r.At.IsZero() {
		out.At = &r.At
	}
	return out
}

// ListRecordingNotes answers with what reviewers wrote.
func (h *handlers) ListRecordingNotes(ctx context.Context, r apigen.ListRecordingNotesRequestObject) (apigen.ListRecordingNotesResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	list, err := h.notes.List(ctx, rec.SessionID)
	if err != nil {
		return nil, err
	}
	out := apigen.ListRecordingNotes200JSONResponse{Notes: []apigen.RecordingNote{}}
	for i := range list {
		out.Notes = append(out.Notes, noteOut(&list[i], in))
	}
	return out, nil
}

// CreateRecordingNote adds a note about a moment.
func (h *handlers) CreateRecordingNote(ctx context.Context, r apigen.CreateRecordingNoteRequestObject) (apigen.CreateRecordingNoteResponseObject, error) {
	ctx, in := enter(ctx)
	rec, err := h.allowedRecording(ctx, in, r.SessionParameter, policy.Replay)
	if err != nil {
		return nil, err
	}
	text, err := noteText(r.Body.Text)
	if err != nil {
		return nil, err
	}
	n := store.RecordingNote{
		ID: ulid.Make().String(), SessionID: rec.SessionID, At: time.Duration(r.Body.TMs) * time.Millisecond, Text: text,
		UserID: in.subject.ID, UserName: in.subject.Name, CreatedAt: time.Now(),
	}
	if err := h.notes.Create(ctx, n); err != nil {
		return nil, err
	}
	audit.Detail(ctx, "note", n.ID)
	audit.Detail(ctx, "text", text)
	return apigen.CreateRecordingNote201JSONResponse(noteOut(&n, in)), nil
}

// UpdateRecordingNote changes the text of one's own note.
func (h *handlers) UpdateRecordingNote(ctx context.Context, r apigen.UpdateRecordingNoteRequestObject) (apigen.UpdateRecordingNoteResponseObject, error) {
	ctx, in := enter(ctx)
	n, err := h.ownNote(ctx, in, r.SessionParameter, r.Note)
	if err != nil {
		return nil, err
	}
	text, err := noteText(r.Body.Text)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "was", n.Text)
	audit.Detail(ctx, "text", text)
	if err := h.notes.Edit(ctx, n.SessionID, n.ID, in.subject.ID, text, time.Now()); err != nil {
		return nil, err
	}
	if n, err = h.notes.Get(ctx, n.SessionID, n.ID); err != nil {
		return nil, err
	}
	return apigen.UpdateRecordingNote200JSONResponse(noteOut(&n, in)), nil
}

// DeleteRecordingNote removes one's own note. What it said stays in the audit log.
func (h *handlers) DeleteRecordingNote(ctx context.Context, r apigen.DeleteRecordingNoteRequestObject) (apigen.DeleteRecordingNoteResponseObject, error) {
	ctx, in := enter(ctx)
	n, err := h.ownNote(ctx, in, r.SessionParameter, r.Note)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "was", n.Text)
	if err := h.notes.Delete(ctx, n.SessionID, n.ID, in.subject.ID); err != nil {
		return nil, err
	}
	return apigen.DeleteRecordingNote204Response{}, nil
}

// ownNote returns a note of the caller's own on a recording they may replay.
func (h *handlers) ownNote(ctx context.Context, in *call, session, id string) (store.RecordingNote, error) {
	rec, err := h.allowedRecording(ctx, in, session, policy.Replay)
	if err != nil {
		return store.RecordingNote{}, err
	}
	n, err := h.notes.Get(ctx, rec.SessionID, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.RecordingNote{}, &Error{Status: http.StatusNotFound, Code: "note_not_found", Detail: "There is no such note."}
	case err == nil && n.UserID != in.subject.ID:
		return store.RecordingNote{}, &Error{Status: http.StatusForbidden, Code: "note_not_own", Detail: "Only who wrote a note may change it."}
	}
	return n, err
}

// noteText refuses a note of spaces.
func noteText(s string) (string, error) {
	if s = strings.TrimSpace(s); s == "" {
		return "", &Error{Status: http.StatusBadRequest, Code: codeRequestInvalid, Detail: "The note is empty."}
	}
	return s, nil
}

func noteOut(n *store.RecordingNote, in *call) apigen.RecordingNote {
	out := apigen.RecordingNote{
		Id: n.ID, TMs: n.At.Milliseconds(), Text: n.Text, By: n.UserName, Own: n.UserID == in.subject.ID, CreatedAt: n.CreatedAt,
	}
	if !n.EditedAt.IsZero() {
		out.EditedAt = &n.EditedAt
	}
	return out
}
