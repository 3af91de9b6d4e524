package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// CreateTarget adds a target.
func (h *handlers) CreateTarget(ctx context.Context, r apigen.CreateTargetRequestObject) (apigen.CreateTargetResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := settingsIn(r.Body.Settings)
	if err != nil {
		return nil, err
	}
	t.ID, t.Origin = r.Body.Id, store.OriginConsole
	audit.About(ctx, "target", t.ID, t.Name)
	if err := h.may(ctx, in, policy.ManageTargets, targetResource(&t)); err != nil {
		return nil, err
	}
	if err := h.targets.Change(ctx, func(tx *target.Tx) error { return tx.Create(ctx, t) }); err != nil {
		return nil, err
	}
	out, err := h.managed(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	return apigen.CreateTarget201JSONResponse{
		Body: out, Headers: apigen.CreateTarget201ResponseHeaders{Location: new(BasePath + "/targets/" + t.ID)},
	}, nil
}

// UpdateTarget replaces the settings of a target.
func (h *handlers) UpdateTarget(ctx context.Context, r apigen.UpdateTargetRequestObject) (apigen.UpdateTargetResponseObject, error) {
	ctx, in := enter(ctx)
	before, err := h.manageableTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	t, err := settingsIn(r.Body.Settings)
	if err != nil {
		return nil, err
	}
	t.ID, t.Origin, t.Revision = before.ID, before.Origin, r.Body.Revision
	// Also by its new tags: nobody may put a target where they could not manage it.
	if err := h.may(ctx, in, policy.ManageTargets, targetResource(&t)); err != nil {
		return nil, err
	}
	if err := h.targets.Change(ctx, func(tx *target.Tx) error { return tx.Update(ctx, t) }); err != nil {
		return nil, err
	}
	out, err := h.managed(ctx, t.ID)
	return apigen.UpdateTarget200JSONResponse(out), err
}

// DeleteTarget removes a target.
func (h *handlers) DeleteTarget(ctx context.Context, r apigen.DeleteTargetRequestObject) (apigen.DeleteTargetResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := h.manageableTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	err = h.targets.Change(ctx, func(tx *target.Tx) error { return tx.Delete(ctx, t.ID, r.Params.Revision) })
	return apigen.DeleteTarget204Response{}, err
}

// managed returns a target as its managers see it.
func (h *handlers) managed(ctx context.Context, id string) (apigen.Target, error) {
	t, err := h.targets.Get(ctx, id)
	if err != nil {
		return apigen.Target{}, err
	}
	return h.targetWithSettings(ctx, &t, targetView{manage: true})
}

// settingsIn reads what a caller wants a target to be. Whether it can be, target.Check says.
func settingsIn(s apigen.TargetSettings) (target.Target, error) {
	t := target.Target{
		Name: s.Name, Description: valueOr(s.Description, ""), Protocol: string(s.Protocol), Address: s.Address,
		Tags: valueOr(s.Tags, nil), ViewOnly: valueOr(s.ViewOnly, false), ClipboardToTarget: true, ClipboardFromTarget: true,
		Keys: config.Keys(valueOr(s.RecordKeys, "")),
	}
	if c := s.Clipboard; c != nil {
		t.ClipboardToTarget, t.ClipboardFromTarget = valueOr(c.ToTarget, true), valueOr(c.FromTarget, true)
	}
	if s.Rdp != nil {
		// Both sides have the same names in JSON, as openapi.yaml describes config.RDP.
		b, err := json.Marshal(s.Rdp)
		if err != nil {
			return t, err
		}
		t.RDP = &config.RDP{}
		if err := json.Unmarshal(b, t.RDP); err != nil { // a keyboard layout that is none
			return t, &target.InvalidError{Problems: []target.Problem{{Path: "rdp", Text: err.Error()}}}
		}
	}
	var err error
	t.TLS, err = tlsIn(s.Tls)
	return t, err
}

func tlsIn(s *apigen.TargetTLS) (target.TLS, error) {
	if s == nil {
		return target.TLS{}, nil
	}
	return target.NewTLS(config.TLSMode(s.Mode), valueOr(s.ServerName, ""), []byte(valueOr(s.Ca, "")), valueOr(s.Fingerprint, ""))
}

func settingsOut(t *target.Target) (*apigen.TargetSettings, error) {
	s := &apigen.TargetSettings{
		Name: t.Name, Description: optional(t.Description), Protocol: apigen.TargetSettingsProtocol(t.Protocol), Address: t.Address,
		Tags: new(orEmpty(t.Tags)), ViewOnly: &t.ViewOnly, RecordKeys: optional(apigen.TargetSettingsRecordKeys(t.Keys)),
		Tls: &apigen.TargetTLS{
			Mode: apigen.TargetTLSMode(t.TLS.Mode()), ServerName: optional(t.TLS.ServerName), Ca: optional(string(t.TLS.CAPEM)),
			Fingerprint: optional(t.TLS.Fingerprint),
		},
	}
	s.Clipboard = &struct {
		FromTarget *bool `json:"from_target,omitempty"`
		ToTarget   *bool `json:"to_target,omitempty"`
	}{&t.ClipboardFromTarget, &t.ClipboardToTarget}
	if t.RDP == nil {
		return s, nil
	}
	b, err := json.Marshal(t.RDP)
	if err != nil {
		return nil, fmt.Errorf("api: rdp: %w", err)
	}
	s.Rdp = &apigen.RDPSettings{}
	if err := json.Unmarshal(b, s.Rdp); err != nil {
		return nil, fmt.Errorf("api: rdp: %w", err)
	}
	return s, nil
}
