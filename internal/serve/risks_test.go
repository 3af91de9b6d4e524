package serve

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/risk"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func TestRisks(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	reads := 0
	failure := error(nil)
	found := []string(nil)
	r := &risks{
		tags: func(_ context.Context, target, account string) ([]string, error) {
			reads++
			require.Equal(t, []string{"db", "root"}, []string{target, account})
			return []string{"production"}, failure
		},
		breakGlass: func(_ context.Context, session string) (bool, error) { return session == "glass", nil },
		alerts:     func(string) []string { return found },
		zone:       time.UTC, now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler), known: map[string]weighed{},
	}
	look := func(id string) api.Session {
		s := api.Session{Session: store.Session{ID: id, TargetID: "db", AccountName: "root", StartedAt: now}}
		r.assess(t.Context(), &s)
		return s
	}
	require.Equal(t, &risk.Risk{Score: 35, Level: risk.Elevated, Reasons: []string{"target is tagged production", "signed in as root"}}, look("plain").Risk)
	require.Equal(t, []string{"production"}, look("plain").Tags)
	require.Equal(t, 1, reads, "many look at many sessions")
	require.Equal(t, 75, look("glass").Risk.Score)
	found = []string{"high"}
	require.Equal(t, risk.Risk{Score: 65, Level: risk.High, Reasons: []string{"an alert", "target is tagged production", "signed in as root"}}, *look("plain").Risk,
		"an alert weighs at once")
	found = nil

	now = now.Add(riskFresh)
	failure = errors.New("down")
	require.Nil(t, look("plain").Risk)
	failure = nil
	require.NotNil(t, look("plain").Risk)
	now = now.Add(7 * riskFresh)
	look("other")
	require.Len(t, r.known, 1)
}
