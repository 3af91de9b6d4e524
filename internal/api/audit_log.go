package api

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// AuditLog is the log to read.
type AuditLog interface {
	List(ctx context.Context, f store.AuditFilter) ([]store.AuditEntry, error)
	Access(ctx context.Context, f store.AccessFilter) ([]store.Access, error)
	// Proof returns store.ErrNotFound for an unknown index and audit.ErrNotSigned for an entry that is too new.
	Proof(ctx context.Context, index int64) (audit.Proof, error)
	State(ctx context.Context) (audit.State, error)
	StartVerification() audit.Verification
	Verification() audit.Verification
}

var _ AuditLog = (*audit.Reader)(nil)

const (
	defaultAuditPage = 100
	csvPage          = 500 // rows of a CSV answer that are read at once
)

// mayReadAudit: the log is one thing, of the whole gateway.
func (h *handlers) mayReadAudit(ctx context.Context, in *call) error {
	return h.may(ctx, in, policy.ReadAudit, policy.Resource{Kind: policy.KindSystem})
}

// ListAuditEntries answers with entries.
func (h *handlers) ListAuditEntries(ctx context.Context, r apigen.ListAuditEntriesRequestObject) (apigen.ListAuditEntriesResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.mayReadAudit(ctx, in); err != nil {
		return nil, err
	}
	p := r.Params
	f := store.AuditFilter{
		Actor: valueOr(p.Actor, ""), Action: valueOr(p.Action, ""), Outcome: string(valueOr(p.Outcome, "")), Object: valueOr(p.Object, ""),
		Session: valueOr(p.Session, ""), From: valueOr(p.From, time.Time{}), Until: valueOr(p.Until, time.Time{}),
		Before: valueOr(p.Before, -1), Limit: valueOr(p.Limit, defaultAuditPage),
	}
	list, err := h.auditLog.List(ctx, f)
	if err != nil {
		return nil, unknownCursor(err)
	}
	out := apigen.ListAuditEntries200JSONResponse{Entries: []apigen.AuditEntry{}}
	for _, row := range list {
		out.Entries = append(out.Entries, entryOut(row))
	}
	if len(list) == f.Limit {
		out.Next = &list[len(list)-1].Index
	}
	return out, nil
}

// unknownCursor tells a page that begins nowhere from other things that are not found.
func unknownCursor(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &Error{http.StatusBadRequest, codeRequestInvalid, "The parameter \"before\" is not one this list gave out.", err}
	}
	return err
}

// entryOut shows a row by the text that was hashed. One that was altered beyond reading is shown by its columns.
func entryOut(row store.AuditEntry) apigen.AuditEntry {
	_, e, err := audit.Decode([]byte(row.Entry))
	if err != nil {
		e = audit.Entry{
			Time: row.Time, Actor: audit.Actor{ID: row.ActorID, Name: row.ActorName, Kind: audit.KindSystem}, Source: row.Source, Action: row.Action,
			Outcome: audit.Failed, Object: audit.Object{Kind: row.ObjectKind, ID: row.ObjectID, Name: row.ObjectName}, SessionID: row.SessionID,
			Details: map[string]string{"altered": "The text of this entry is not as it was written. Verify the log."},
		}
	}
	out := apigen.AuditEntry{
		Index: row.Index, Time: e.Time, Source: optional(e.Source), Action: e.Action, Outcome: apigen.AuditEntryOutcome(e.Outcome),
		Session: optional(e.SessionID), Canonical: &row.Entry,
	}
	out.Actor.Id, out.Actor.Kind, out.Actor.Name = optional(e.Actor.ID), apigen.AuditEntryActorKind(e.Actor.Kind), optional(e.Actor.Name)
	if e.Object != (audit.Object{}) {
		out.Object = &struct {
			Id   *string `json:"id,omitempty"`
			Kind *string `json:"kind,omitempty"`
			Name *string `json:"name,omitempty"`
		}{optional(e.Object.ID), optional(e.Object.Kind), optional(e.Object.Name)}
	}
	if len(e.Policies) > 0 {
		out.Policies = &e.Policies
	}
	if len(e.Details) > 0 {
		out.Details = &e.Details
	}
	return out
}

// GetAuditProof answers with the inclusion proof of an entry.
func (h *handlers) GetAuditProof(ctx context.Context, r apigen.GetAuditProofRequestObject) (apigen.GetAuditProofResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.mayReadAudit(ctx, in); err != nil {
		return nil, err
	}
	p, err := h.auditLog.Proof(ctx, r.Index)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, &Error{http.StatusNotFound, "audit_entry_not_found", "There is no such entry.", err}
	case errors.Is(err, audit.ErrNotSigned):
		return nil, &Error{http.StatusConflict, "audit_not_signed", "The entry is so new that no checkpoint covers it yet. Ask again in a minute.", err}
	case err != nil:
		return nil, err
	}
	return apigen.GetAuditProof200JSONResponse{Index: p.Index, Leaf: p.Leaf, Size: p.Size, Root: p.Root, Hashes: p.Hashes, Checkpoint: p.Checkpoint}, nil
}

// GetAuditCheckpoint answers with how the log is.
func (h *handlers) GetAuditCheckpoint(ctx context.Context, _ apigen.GetAuditCheckpointRequestObject) (apigen.GetAuditCheckpointResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.mayReadAudit(ctx, in); err != nil {
		return nil, err
	}
	s, err := h.auditLog.State(ctx)
	if err != nil {
		return nil, err
	}
	out := apigen.GetAuditCheckpoint200JSONResponse{
		Size: s.Size, Signed: s.Signed, SignedAt: optional(s.SignedAt), Key: s.Key, Checkpoint: optional(s.Checkpoint), Consistent: s.Consistent,
	}
	if len(s.Sinks) > 0 {
		var sinks []apigen.AuditSink
		for _, k := range s.Sinks {
			sinks = append(sinks, apigen.AuditSink{Name: k.Name, Type: k.Type, Behind: k.Behind, Error: optional(k.Error)})
		}
		out.Sinks = &sinks
	}
	return out, nil
}

// GetAuditVerification answers with how the last verification went.
func (h *handlers) GetAuditVerification(ctx context.Context, _ apigen.GetAuditVerificationRequestObject) (apigen.GetAuditVerificationResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.mayReadAudit(ctx, in); err != nil {
		return nil, err
	}
	return apigen.GetAuditVerification200JSONResponse(verificationOut(h.auditLog.Verification())), nil
}

// VerifyAuditLog starts a verification.
func (h *handlers) VerifyAuditLog(ctx context.Context, _ apigen.VerifyAuditLogRequestObject) (apigen.VerifyAuditLogResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.mayReadAudit(ctx, in); err != nil {
		return nil, err
	}
	return apigen.VerifyAuditLog202JSONResponse(verificationOut(h.auditLog.StartVerification())), nil
}

func verificationOut(v audit.Verification) apigen.AuditVerification {
	out := apigen.AuditVerification{
		State: apigen.AuditVerificationState(v.State), StartedAt: optional(v.StartedAt), EndedAt: optional(v.EndedAt),
		Entries: &v.Report.Entries, Signed: &v.Report.Signed, Checkpoints: &v.Report.Checkpoints, Outside: &v.Report.Outside,
	}
	if f := v.Finding; f != nil {
		out.Problem, out.FirstIndex, out.LastIndex = new(strings.TrimPrefix(f.Error(), "audit: ")), &f.Index, new(max(f.Index, f.Last))
	}
	return out
}

// ListAccess answers with who accessed what, when and for how long.
func (h *handlers) ListAccess(ctx context.Context, r apigen.ListAccessRequestObject) (apigen.ListAccessResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.mayReadAudit(ctx, in); err != nil {
		return nil, err
	}
	p := r.Params
	f := store.AccessFilter{
		User: valueOr(p.User, ""), Target: valueOr(p.Target, ""), Tag: valueOr(p.Tag, ""), Account: valueOr(p.Account, ""), Query: valueOr(p.Q, ""),
		From: valueOr(p.From, time.Time{}), Until: valueOr(p.Until, time.Time{}), Before: valueOr(p.Before, ""), Limit: valueOr(p.Limit, defaultAuditPage),
	}
	format := valueOr(p.Format, "")
	if format == apigen.Csv || format == "" && strings.HasPrefix(in.request.Header.Get("Accept"), "text/csv") {
		audit.Detail(ctx, "format", "csv")
		f.Limit = csvPage
		return h.accessCSV(ctx, f)
	}
	list, err := h.auditLog.Access(ctx, f)
	if err != nil {
		return nil, unknownCursor(err)
	}
	out := apigen.ListAccess200JSONResponse{Access: []apigen.Access{}}
	for i := range list {
		out.Access = append(out.Access, accessOut(&list[i]))
	}
	if len(list) == f.Limit {
		out.Next = &list[len(list)-1].SessionID
	}
	return out, nil
}

func accessOut(a *store.Access) apigen.Access {
	out := apigen.Access{
		Session: a.SessionID, User: apigen.Person{Id: a.UserID, Name: a.UserName}, Account: optional(a.Account), Source: a.Source,
		StartedAt: a.StartedAt, DurationMs: durationOf(a).Milliseconds(), Index: a.StartIndex,
	}
	out.Target.Id, out.Target.Name, out.Target.Protocol, out.Target.Address = a.TargetID, a.TargetName, a.Protocol, optional(a.Address)
	if len(a.Tags) > 0 {
		out.Tags = &a.Tags
	}
	if a.EndIndex >= 0 {
		out.EndedAt, out.EndIndex, out.End = &a.EndedAt, &a.EndIndex, &apigen.End{Code: a.EndCode, Message: a.EndMessage}
	}
	return out
}

func durationOf(a *store.Access) time.Duration {
	if a.EndIndex < 0 {
		return max(0, time.Since(a.StartedAt))
	}
	return max(0, a.EndedAt.Sub(a.StartedAt))
}

// accessColumns head the CSV of the access report.
var accessColumns = []string{
	"session", "user", "target_id", "target", "protocol", "address", "account", "tags", "source", "started_at", "ended_at", "duration_s", "end_code", "end_message",
}

// accessCSV streams the whole report. The first page is read before the answer begins, so that a failure is an answer of
// its own.
func (h *handlers) accessCSV(ctx context.Context, f store.AccessFilter) (apigen.ListAccessResponseObject, error) {
	page, err := h.auditLog.Access(ctx, f)
	if err != nil {
		return nil, unknownCursor(err)
	}
	header := http.Header{"Content-Type": {"text/csv; charset=utf-8; header=present"}, "Content-Disposition": {`attachment; filename="vitrine-access.csv"`}}
	return stream{header: header, size: -1, write: func(w io.Writer) error {
		out := csv.NewWriter(w)
		out.UseCRLF = true // RFC 4180
		if err := out.Write(accessColumns); err != nil {
			return err
		}
		for {
			for i := range page {
				if err := out.Write(accessRecord(&page[i])); err != nil {
					return err
				}
			}
			out.Flush()
			if err := out.Error(); err != nil || len(page) < f.Limit {
				return err
			}
			f.Before = page[len(page)-1].SessionID
			if page, err = h.auditLog.Access(ctx, f); err != nil {
				return err
			}
		}
	}}, nil
}

// VisitListAccessResponse implements apigen.ListAccessResponseObject.
func (s stream) VisitListAccessResponse(w http.ResponseWriter) error { return s.visit(w) }

func accessRecord(a *store.Access) []string {
	ended := ""
	if a.EndIndex >= 0 {
		ended = a.EndedAt.Format(time.RFC3339)
	}
	record := []string{
		a.SessionID, a.UserName, a.TargetID, a.TargetName, a.Protocol, a.Address, a.Account, strings.Join(a.Tags, " "), a.Source,
		a.StartedAt.Format(time.RFC3339), ended, strconv.FormatInt(int64(durationOf(a).Seconds()), 10), a.EndCode, a.EndMessage,
	}
	for i, s := range record {
		record[i] = harmless(s)
	}
	return record
}

// harmless keeps spreadsheets from taking a text for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
