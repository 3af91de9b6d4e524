package api

import (
	"context"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// Health knows whether what sessions need is there.
type Health interface {
	// Checks returns how it is now; nobody changes what it returns.
	Checks(ctx context.Context) []HealthCheck
}

// States of a HealthCheck.
const (
	HealthOK      = "ok"
	HealthWarning = "warning" // it holds up no session yet
	HealthFailing = "failing" // no session begins
)

// HealthCheck is one thing sessions need.
type HealthCheck struct {
	Name   string
	State  string
	Detail string // why it is not in order, for who manages the gateway
	Since  time.Time
}

// GetHealth answers with what keeps sessions from beginning.
func (h *handlers) GetHealth(ctx context.Context, _ apigen.GetHealthRequestObject) (apigen.GetHealthResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.may(ctx, in, policy.ManageSystem, policy.Resource{Kind: policy.KindSystem}); err != nil {
		return nil, err
	}
	out := apigen.GetHealth200JSONResponse{Sessions: apigen.HealthSessionsAccepted, Checks: []apigen.HealthCheck{}}
	for _, c := range h.health.Checks(ctx) {
		out.Checks = append(out.Checks, apigen.HealthCheck{Name: c.Name, State: apigen.HealthCheckState(c.State), Detail: optional(c.Detail), Since: c.Since})
		if c.State == HealthFailing {
			out.Sessions = apigen.HealthSessionsRefused
		}
	}
	return out, nil
}
