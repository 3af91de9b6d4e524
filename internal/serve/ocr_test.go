package serve

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// constant is policies of one text.
type constant string

func (constant) Revision(context.Context) (int64, error) { return 1, nil }

func (c constant) Documents(context.Context) ([]policy.Document, int64, error) {
	return []policy.Document{{ID: "p", Text: string(c), Enabled: true}}, 1, nil
}

// TestScreenCannotBeRead: a session that is to be read does not begin where that is switched off or the program is missing, and the log says
// so at the start, loudly where a policy wants it.
func TestScreenCannotBeRead(t *testing.T) {
	for name, c := range map[string]config.OCR{
		"off":     {},
		"missing": {Enabled: true, Program: "no-such-program-anywhere", Languages: []string{"eng"}, Timeout: time.Second},
	} {
		text, err := openOCR(&c, sandbox.BestEffort, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		m := manager{Manager: nil, text: text}
		_, err = m.Create(t.Context(), "01ARZ3NDEKTSV4RRFFQ69G5FAV", api.NewSession{Admission: access.Admission{Obligations: policy.Obligations{OCR: true}}}, target.Credential{}, nil)
		e, ok := errors.AsType[*api.Error](err)
		require.True(t, ok, name)
		require.Equal(t, http.StatusServiceUnavailable, e.Status)
		require.Equal(t, "ocr_unavailable", e.Code)

		for wanted, level := range map[string]string{"": "INFO", `@ocr("on")`: "ERROR"} {
			engine := policy.NewEngine(constant(wanted+` permit (principal, action == Action::"connect", resource);`), policy.EngineOptions{})
			require.NoError(t, engine.Load(t.Context()))
			var log bytes.Buffer
			g := &Gateway{workers: m, engine: engine, registry: prometheus.NewRegistry(), log: slog.New(slog.NewTextHandler(&log, nil))}
			g.checkOCR(t.Context())
			require.Contains(t, log.String(), "level="+level+` msg="text on screens cannot be read`, name)
		}
		if text != nil {
			text.Close()
		}
	}
}
