package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// Targets is the list of desktops and of the accounts on them.
type Targets interface {
	List(ctx context.Context, f target.Filter) ([]target.Target, error)
	Get(ctx context.Context, id string) (target.Target, error)
	// Change runs do in a transaction.
	Change(ctx context.Context, do func(tx *target.Tx) error) error
}

// Certificates are those targets are held to since their first use.
type Certificates interface {
	List(ctx context.Context) ([]store.TargetCertificate, error)
	// Forget returns store.ErrNotFound when the target has none.
	Forget(ctx context.Context, target string) error
}

// ListTargets answers with the targets the caller may connect to or manage.
func (h *handlers) ListTargets(ctx context.Context, r apigen.ListTargetsRequestObject) (apigen.ListTargetsResponseObject, error) {
	ctx, in := enter(ctx)
	filter := target.Filter{
		Query: valueOr(r.Params.Q, ""), Tags: valueOr(r.Params.Tag, nil), Protocol: string(valueOr(r.Params.Protocol, "")),
	}
	limit := valueOr(r.Params.Limit, defaultTargetPage)
	var err error
	if filter.After, err = readTargetCursor(valueOr(r.Params.After, "")); err != nil {
		return nil, err
	}
	trusted, err := h.trusted(ctx)
	if err != nil {
		return nil, err
	}
	out := apigen.ListTargets200JSONResponse{Targets: []apigen.Target{}}
	// Those the caller may not see are left out, so more may have to be read; but not without end within one request.
	for read := 0; ; {
		filter.Limit = limit - len(out.Targets)
		list, err := h.targets.List(ctx, filter)
		if err != nil {
			return nil, err
		}
		for i := range list {
			t := &list[i]
			view, err := h.viewOf(ctx, in, t)
			if err != nil {
				return nil, err
			}
			if view.visible() {
				out.Targets = append(out.Targets, targetOut(t, trusted[t.ID], view))
			}
			filter.After = target.Cursor{Name: t.Name, ID: t.ID}
		}
		read += len(list)
		if len(list) < filter.Limit {
			return out, nil // the last page
		}
		if len(out.Targets) == limit || read >= maxTargetsRead {
			out.Next = new(writeTargetCursor(filter.After))
			return out, nil
		}
	}
}

// GetTarget answers with one target.
func (h *handlers) GetTarget(ctx context.Context, r apigen.GetTargetRequestObject) (apigen.GetTargetResponseObject, error) {
	ctx, in := enter(ctx)
	t, view, err := h.visibleTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	out, err := h.targetWithSettings(ctx, &t, view)
	return apigen.GetTarget200JSONResponse(out), err
}

// ForgetCertificate lets a target show another certificate.
func (h *handlers) ForgetCertificate(ctx context.Context, r apigen.ForgetCertificateRequestObject) (apigen.ForgetCertificateResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := h.manageableTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	if err := h.certificates.Forget(ctx, t.ID); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil, &Error{http.StatusNotFound, "certificate_not_found", "No certificate is remembered for this target.", err}
		}
		return nil, err
	}
	return apigen.ForgetCertificate204Response{}, nil
}

// targetView is what the caller may do with a target.
type targetView struct {
	manage   bool
	accounts map[string]bool // by id: those the caller may connect with, after proving a second factor perhaps (true), or ask for (false)
}

// visible tells whether the caller may know that the target is there.
func (v *targetView) visible() bool { return v.manage || len(v.accounts) > 0 }

// connectable returns the ids of the accounts the caller may connect with.
func (v *targetView) connectable() []string {
	var ids []string
	for id, may := range v.accounts {
		if may {
			ids = append(ids, id)
		}
	}
	return ids
}

func (h *handlers) viewOf(ctx context.Context, in *call, t *target.Target) (targetView, error) {
	v := targetView{accounts: map[string]bool{}}
	var err error
	if v.manage, err = h.permits(ctx, in, policy.ManageTargets, targetResource(t)); err != nil {
		return v, err
	}
	// Who only lacks a fresh second factor is asked for it when they connect.
	proved := new(*in)
	if in.subject.Scopes == nil {
		proved.subject.MFAAt = time.Now()
	}
	for _, a := range t.Accounts {
		for _, try := range []struct {
			by     *call
			action policy.Action
		}{{in, policy.Connect}, {proved, policy.Connect}, {in, policy.RequestAccess}, {in, policy.BreakGlass}} {
			may, err := h.permits(ctx, try.by, try.action, connectResource(t, a))
			if err != nil {
				return v, err
			}
			if may {
				v.accounts[a.ID] = try.action == policy.Connect
				break
			}
		}
	}
	return v, nil
}

// visibleTarget returns a target of which the caller may know. Others are not there.
func (h *handlers) visibleTarget(ctx context.Context, in *call, id string) (target.Target, targetView, error) {
	t, err := h.targets.Get(ctx, id)
	if err != nil {
		return target.Target{}, targetView{}, err
	}
	v, err := h.viewOf(ctx, in, &t)
	if err == nil && !v.visible() {
		err = target.ErrNotFound
	}
	return t, v, err
}

// manageableTarget returns a target the caller may manage.
func (h *handlers) manageableTarget(ctx context.Context, in *call, id string) (target.Target, error) {
	t, _, err := h.visibleTarget(ctx, in, id)
	if err != nil {
		return target.Target{}, err
	}
	return t, h.may(ctx, in, policy.ManageTargets, targetResource(&t))
}

// trusted returns the certificates taken at first use, by target.
func (h *handlers) trusted(ctx context.Context) (map[string]store.TargetCertificate, error) {
	list, err := h.certificates.List(ctx)
	if err != nil {
		return nil, err
	}
	byTarget := make(map[string]store.TargetCertificate, len(list))
	for _, c := range list {
		byTarget[c.TargetID] = c
	}
	return byTarget, nil
}

func targetResource(t *target.Target) policy.Resource {
	return policy.Resource{Kind: policy.KindTarget, ID: t.ID, Target: t.ID, Tags: t.Tags}
}

// connectResource is a target with one of its accounts, whose tags count as the target's.
func connectResource(t *target.Target, a target.Account) policy.Resource {
	r := targetResource(t)
	r.Account = a.Name
	if len(a.Tags) > 0 {
		r.Tags = slices.Concat(t.Tags, a.Tags)
		slices.Sort(r.Tags)
		r.Tags = slices.Compact(r.Tags)
	}
	return r
}

func (h *handlers) targetWithSettings(ctx context.Context, t *target.Target, view targetView) (apigen.Target, error) {
	trusted, err := h.trusted(ctx)
	if err != nil {
		return apigen.Target{}, err
	}
	out := targetOut(t, trusted[t.ID], view)
	if view.manage {
		out.Settings, err = settingsOut(t)
	}
	return out, err
}

func targetOut(t *target.Target, trusted store.TargetCertificate, view targetView) apigen.Target {
	out := apigen.Target{
		Id: t.ID, Name: t.Name, Description: optional(t.Description), Protocol: apigen.TargetProtocol(t.Protocol),
		Address: t.Address, Tags: orEmpty(t.Tags), Certificate: certificateOut(t.TLS, trusted),
		Origin: apigen.TargetOrigin(t.Origin), Revision: t.Revision, Accounts: []apigen.TargetAccount{},
	}
	for _, a := range t.Accounts {
		if may, known := view.accounts[a.ID]; known || view.manage {
			shown := accountOut(a, view.manage)
			shown.Connect = may
			out.Accounts = append(out.Accounts, shown)
		}
	}
	return out
}

func certificateOut(t target.TLS, trusted store.TargetCertificate) *apigen.Certificate {
	switch {
	case t.AllowPlaintext:
		return &apigen.Certificate{Trust: apigen.CertificateTrustNone}
	case t.FirstUse && trusted.Fingerprint != "":
		return &apigen.Certificate{Trust: apigen.CertificateTrustFirstUse, Fingerprint: &trusted.Fingerprint, FirstSeen: &trusted.FirstSeen}
	case t.FirstUse:
		return &apigen.Certificate{Trust: apigen.CertificateTrustFirstUse}
	case t.Fingerprint != "":
		return &apigen.Certificate{Trust: apigen.CertificateTrustPin, Fingerprint: &t.Fingerprint}
	}
	return &apigen.Certificate{Trust: apigen.CertificateTrustVerify}
}

// A cursor is a name and an id; neither holds a NUL.
func writeTargetCursor(c target.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.Name + "\x00" + c.ID))
}

func readTargetCursor(s string) (target.Cursor, error) {
	if s == "" {
		return target.Cursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	name, id, ok := strings.Cut(string(b), "\x00")
	if err != nil || !ok {
		return target.Cursor{}, &Error{Status: http.StatusBadRequest, Code: codeRequestInvalid, Detail: `The cursor in "after" is not one this list gave out.`}
	}
	return target.Cursor{Name: name, ID: id}, nil
}
