package serve

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
)

// newManager stands where worker.Manager goes: every session is refused with a reason.
func newManager(*config.Config, string, *slog.Logger, *observer) (workers, error) {
	return noWorkers{}, nil
}

type noWorkers struct{}

var errNoWorkers = &api.Error{Status: http.StatusServiceUnavailable, Code: "no_workers", Detail: "This build cannot run sessions."}

func (noWorkers) Create(context.Context, string, api.NewSession) (live, error) {
	return live{}, errNoWorkers
}

func (noWorkers) Get(string) (live, bool) { return live{}, false }

func (noWorkers) Offer(context.Context, string, api.Offer) (api.Answer, error) {
	return api.Answer{}, errNoWorkers
}

func (noWorkers) AddCandidates(context.Context, string, string, string) error {
	return errNoWorkers
}

func (noWorkers) CloseViewer(context.Context, string, string) error { return errNoWorkers }

func (noWorkers) Terminate(context.Context, string, string, string) error { return errNoWorkers }

func (noWorkers) Shutdown(context.Context) error { return nil }
