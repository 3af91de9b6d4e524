package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Custody keeps recordings: see package custody.
type Custody interface {
	Hold(ctx context.Context, session, by, reason string) error
	Release(ctx context.Context, session string) error
	Shred(ctx context.Context, session, by, reason string) error
}

var _ Custody = (*custody.Service)(nil)

// HoldRecording puts a legal hold on a recording.
func (h *handlers) HoldRecording(ctx context.Context, r apigen.HoldRecordingRequestObject) (apigen.HoldRecordingResponseObject, error) {
	out, err := h.changeCustody(ctx, r.SessionParameter, r.Body.Reason, func(ctx context.Context, in *call) error {
		return h.custody.Hold(ctx, r.SessionParameter, in.subject.Name, r.Body.Reason)
	})
	return apigen.HoldRecording200JSONResponse(out), err
}

// ReleaseRecording takes a legal hold off.
func (h *handlers) ReleaseRecording(ctx context.Context, r apigen.ReleaseRecordingRequestObject) (apigen.ReleaseRecordingResponseObject, error) {
	out, err := h.changeCustody(ctx, r.SessionParameter, r.Body.Reason, func(ctx context.Context, _ *call) error {
		return h.custody.Release(ctx, r.SessionParameter)
	})
	return apigen.ReleaseRecording200JSONResponse(out), err
}

// ShredRecording destroys the key of a recording.
func (h *handlers) ShredRecording(ctx context.Context, r apigen.ShredRecordingRequestObject) (apigen.ShredRecordingResponseObject, error) {
	out, err := h.changeCustody(ctx, r.SessionParameter, r.Body.Reason, func(ctx context.Context, in *call) error {
		if r.Body.Confirm != r.SessionParameter {
			return &Error{Status: http.StatusUnprocessableEntity, Code: "not_confirmed", Detail: "Confirm with the id of the session."}
		}
		return h.custody.Shred(ctx, r.SessionParameter, in.subject.Name, r.Body.Reason)
	})
	return apigen.ShredRecording200JSONResponse(out), err
}

// changeCustody changes what becomes of a recording, if the caller manages the gateway, and answers with how it is then.
func (h *handlers) changeCustody(ctx context.Context, session, reason string, change func(context.Context, *call) error) (apigen.Recording, error) {
	ctx, in := enter(ctx)
	if err := h.may(ctx, in, policy.ManageSystem, policy.Resource{Kind: policy.KindSystem}); err != nil {
		return apigen.Recording{}, err
	}
	audit.Detail(ctx, "reason", reason)
	rec, err := h.recordings.Get(ctx, session)
	if errors.Is(err, store.ErrNotFound) {
		return apigen.Recording{}, recordingMissing()
	}
	if err == nil {
		err = change(ctx, in)
	}
	if err == nil {
		rec, err = h.recordings.Get(ctx, session)
	}
	return recordingOut(&rec), err
}

func recordingMissing() error {
	return &Error{Status: http.StatusNotFound, Code: "recording_not_found", Detail: "There is no such recording."}
}

// gone tells that nothing is left of a recording.
func gone(r *Recording) error {
	if r.State != store.RecordingDeleted {
		return nil
	}
	return &Error{
		Status: http.StatusGone, Code: "recording_deleted",
		Detail: "This recording was deleted on " + r.Custody.DeletedAt.UTC().Format("2 January 2006") + ": its retention was over.",
	}
}

func custodyOut(c *store.Custody) *apigen.Custody {
	if c.SessionID == "" {
		return nil
	}
	return &apigen.Custody{
		RetentionS: int64(c.Retention.Seconds()), RetainUntil: optional(c.RetainUntil), DeletionError: optional(c.DeletionError),
		Hold:     custodyAct(c.HoldSince, c.HoldBy, c.HoldReason),
		Shredded: custodyAct(c.ShreddedAt, c.ShreddedBy, c.ShredReason),
		Deleted:  custodyAct(c.DeletedAt, "", c.DeletedReason), ManifestSha256: optional(c.ManifestSHA256),
		Deleting: optional(!c.DeletingSince.IsZero() && c.DeletedAt.IsZero()),
	}
}

// custodyAct is what was done at that time; nil for what was not.
func custodyAct(at time.Time, by, reason string) *apigen.CustodyAct {
	if at.IsZero() {
		return nil
	}
	return &apigen.CustodyAct{At: at, By: optional(by), Reason: reason}
}
