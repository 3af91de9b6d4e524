package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// Targets is the list of desktops.
type Targets interface {
	List(ctx context.Context) ([]target.Target, error)
	Get(ctx context.Context, id string) (target.Target, error)
}

// Certificates are those targets are held to since their first use.
type Certificates interface {
	List(ctx context.Context) ([]store.TargetCertificate, error)
	// Forget returns store.ErrNotFound when the target has none.
	Forget(ctx context.Context, target string) error
}

// ListTargets answers with the targets the caller may connect to.
func (h *handlers) ListTargets(ctx context.Context, _ apigen.ListTargetsRequestObject) (apigen.ListTargetsResponseObject, error) {
	ctx, in := enter(ctx)
	list, err := h.targets.List(ctx)
	if err != nil {
		return nil, err
	}
	trusted, err := h.trusted(ctx)
	if err != nil {
		return nil, err
	}
	out := apigen.ListTargets200JSONResponse{Targets: []apigen.Target{}}
	for _, t := range list {
		err := h.may(ctx, in, policy.Connect, targetResource(t))
		if _, denied := errors.AsType[*policy.DeniedError](err); denied {
			continue
		}
		if err != nil {
			return nil, err
		}
		out.Targets = append(out.Targets, targetOut(t, trusted[t.ID]))
	}
	return out, nil
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

// ForgetCertificate lets a target show another certificate.
func (h *handlers) ForgetCertificate(ctx context.Context, r apigen.ForgetCertificateRequestObject) (apigen.ForgetCertificateResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := h.targets.Get(ctx, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	if err := h.may(ctx, in, policy.ManageTargets, targetResource(t)); err != nil {
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

func targetResource(t target.Target) policy.Resource {
	return policy.Resource{Kind: policy.KindTarget, ID: t.ID, Tags: t.Tags}
}

func targetOut(t target.Target, trusted store.TargetCertificate) apigen.Target {
	out := apigen.Target{
		Id: t.ID, Name: t.Name, Description: optional(t.Description), Protocol: apigen.TargetProtocol(t.Protocol),
		Address: t.Address, Tags: t.Tags, Certificate: certificateOut(t.TLS, trusted),
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	return out
}

func certificateOut(t target.TLS, trusted store.TargetCertificate) *apigen.Certificate {
	switch {
	case t.AllowPlaintext:
		return &apigen.Certificate{Trust: apigen.None}
	case t.FirstUse && trusted.Fingerprint != "":
		return &apigen.Certificate{Trust: apigen.FirstUse, Fingerprint: &trusted.Fingerprint, FirstSeen: &trusted.FirstSeen}
	case t.FirstUse:
		return &apigen.Certificate{Trust: apigen.FirstUse}
	case t.Fingerprint != "":
		return &apigen.Certificate{Trust: apigen.Pin, Fingerprint: &t.Fingerprint}
	}
	return &apigen.Certificate{Trust: apigen.Verify}
}
