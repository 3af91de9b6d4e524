package serve

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/ocr"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// openOCR prepares what reads text on screens. It returns nil where it is switched off. Nothing is started before a session wants it.
func openOCR(c *config.OCR, mode sandbox.Mode, log *slog.Logger) (*ocr.Service, error) {
	if !c.Enabled {
		return nil, nil
	}
	return ocr.New(ocr.Options{
		Program: c.Program, Languages: c.Languages, Timeout: c.Timeout, Processes: c.Processes, Nice: c.Nice, Sandbox: mode, Logger: log,
	})
}

// checkOCR says in the log when text on screens cannot be read, loudly when policies want it.
func (g *Gateway) checkOCR(ctx context.Context) {
	m, ok := g.workers.(manager)
	if !ok {
		return
	}
	if m.text != nil {
		observeOCR(g.registry, m.text)
	}
	if e, missing := errors.AsType[*api.Error](ocrReady(ctx, m.text)); missing {
		level := slog.LevelInfo
		if g.engine.Obliges(func(o policy.Obligations) bool { return o.OCR }) {
			level = slog.LevelError
		}
		g.log.Log(ctx, level, "text on screens cannot be read: sessions that a policy obliges to it (@ocr) are refused", "component", "ocr", "error", e.Err)
	}
}

// Shutdown also ends what reads text, when no session needs it any more.
func (m manager) Shutdown(ctx context.Context) error {
	err := m.Manager.Shutdown(ctx)
	if m.text != nil {
		m.text.Close()
	}
	return err
}

// ocrReady is an error for who may begin a session only where text on its screen is read, and it cannot be.
func ocrReady(ctx context.Context, s *ocr.Service) error {
	err := errors.New("serve: ocr.enabled is false")
	if s != nil {
		err = s.Ready(ctx)
	}
	if err == nil {
		return nil
	}
	return &api.Error{
		Status: http.StatusServiceUnavailable, Code: "ocr_unavailable", Err: err,
		Detail: "A policy wants the text on this desktop's screen to be read, and this gateway cannot do that; its log tells why.",
	}
}

// observeOCR shows the figures of reading text.
func observeOCR(r prometheus.Registerer, s *ocr.Service) {
	counter := func(name, help string, value func(ocr.Stats) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return value(s.Stats()) })
	}
	r.MustRegister(
		counter("vitrine_ocr_readings_total", "Times that parts of a screen were read.", func(s ocr.Stats) float64 { return float64(s.Requests) }),
		counter("vitrine_ocr_pictures_total", "Parts of screens in them.", func(s ocr.Stats) float64 { return float64(s.Pictures) }),
		counter("vitrine_ocr_failures_total", "Readings that failed.", func(s ocr.Stats) float64 { return float64(s.Failures) }),
		counter("vitrine_ocr_busy_seconds_total", "Time that readings took.", func(s ocr.Stats) float64 { return s.Busy.Seconds() }),
	)
}
