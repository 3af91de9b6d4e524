package api

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/target/manifest"
)

// ImportTargets makes targets as YAML says, or tells what that would do.
func (h *handlers) ImportTargets(ctx context.Context, r apigen.ImportTargetsRequestObject) (apigen.ImportTargetsResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.may(ctx, in, policy.ManageTargets, policy.Resource{Kind: policy.KindSystem}); err != nil {
		return nil, err
	}
	documents, err := manifest.Parse([]manifest.File{{Name: "import", Content: []byte(r.Body.Yaml)}}, manifest.Options{
		Vaults: h.providers.Vaults, Commands: h.providers.Commands,
	})
	if err != nil {
		return nil, err
	}
	plan, err := manifest.Apply(ctx, h.targets, documents, manifest.ApplyOptions{
		DryRun: valueOr(r.Body.DryRun, false), Prune: valueOr(r.Body.Prune, false), Digest: valueOr(r.Body.Digest, ""),
		May: func(t *target.Target) error { return h.may(ctx, in, policy.ManageTargets, targetResource(t)) },
	})
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "dry_run", strconv.FormatBool(valueOr(r.Body.DryRun, false)))
	audit.Detail(ctx, "changes", strconv.Itoa(len(plan.Changes)))
	// The same names in JSON, as openapi.yaml describes manifest.Plan.
	b, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	var out apigen.ImportTargets200JSONResponse
	return out, json.Unmarshal(b, &out)
}
