package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestAlerts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		sessions := []store.Session{
			{ID: "s1", UserID: "u1", UserName: "alice", TargetID: "t1", TargetName: "One", TargetProtocol: "vnc", AccountName: "root", State: "active", StartedAt: epoch},
			{ID: "s2", UserID: "u2", UserName: "bob", TargetID: "t2", TargetName: "Two", TargetProtocol: "rdp", State: "active", StartedAt: epoch},
		}
		for _, row := range sessions {
			require.NoError(t, s.Sessions.Create(ctx, row))
		}
		revision, err := s.Alerts.Revision(ctx)
		require.NoError(t, err)
		moved := func() bool {
			t.Helper()
			before := revision
			revision, err = s.Alerts.Revision(ctx)
			require.NoError(t, err)
			return revision > before
		}
		alert := func(id, session, rule, severity string, rank int, at time.Duration) store.Alert {
			return store.Alert{
				ID: id, SessionID: session, Rule: rule, Name: "Name of " + rule, Severity: severity, SeverityRank: rank, Action: "alert", Source: "typed",
				Person: "alice", Excerpt: "rm -rf /var/log", Count: 1, FirstAt: epoch.Add(at), LastAt: epoch.Add(at), First: at, Last: at,
			}
		}
		a1, a2, a3 := alert("a1", "s1", "logs", "high", 3, time.Minute), alert("a2", "s2", "logs", "high", 3, 2*time.Minute), alert("a3", "s1", "tools", "low", 1, time.Hour)
		for _, a := range []store.Alert{a1, a2, a3} {
			require.NoError(t, s.Alerts.Create(ctx, a))
			require.True(t, moved())
		}
		require.ErrorIs(t, s.Alerts.Create(ctx, a1), store.ErrExists)
		nowhere := alert("a9", "no-such", "logs", "high", 3, 0)
		require.Error(t, s.Alerts.Create(ctx, nowhere))
		require.False(t, moved(), "what failed changes nothing")

		a1.Session = sessions[0]
		got, err := s.Alerts.Get(ctx, "a1")
		require.NoError(t, err)
		require.Equal(t, a1, got)
		_, err = s.Alerts.Get(ctx, "none")
		require.ErrorIs(t, err, store.ErrNotFound)

		ids := func(f store.AlertFilter) (out []string) {
			t.Helper()
			if f.Limit == 0 {
				f.Limit = 10
			}
			list, err := s.Alerts.List(ctx, f)
			require.NoError(t, err)
			for _, a := range list {
				out = append(out, a.ID)
			}
			return out
		}
		fresh, seen := true, false
		require.Equal(t, []string{"a3", "a2", "a1"}, ids(store.AlertFilter{}))
		require.Equal(t, []string{"a3", "a2"}, ids(store.AlertFilter{Limit: 2}))
		require.Equal(t, []string{"a1"}, ids(store.AlertFilter{Before: "a2"}))
		require.Equal(t, []string{"a2", "a1"}, ids(store.AlertFilter{Severity: 2}))
		require.Equal(t, []string{"a3"}, ids(store.AlertFilter{Rule: "tools"}))
		require.Equal(t, []string{"a2"}, ids(store.AlertFilter{User: "u2"}))
		require.Equal(t, []string{"a3", "a1"}, ids(store.AlertFilter{Target: "t1"}))
		require.Equal(t, []string{"a1"}, ids(store.AlertFilter{Session: "s1", Rule: "logs"}))
		require.Equal(t, []string{"a3", "a1"}, ids(store.AlertFilter{Query: "ROOT ali"}))
		require.Equal(t, []string{"a2"}, ids(store.AlertFilter{Since: epoch.Add(2 * time.Minute), Until: epoch.Add(time.Hour)}))

		require.NoError(t, s.Alerts.Again(ctx, "a1", 4, epoch.Add(5*time.Minute), 5*time.Minute))
		require.True(t, moved())
		n, err := s.Alerts.Acknowledge(ctx, []string{"a1", "a3", "none"}, store.Actor{ID: "u9", Name: "carol"}, "known", epoch.Add(2*time.Hour))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.True(t, moved())
		n, err = s.Alerts.Acknowledge(ctx, []string{"a1"}, store.Actor{ID: "u8", Name: "dave"}, "late", epoch.Add(3*time.Hour))
		require.NoError(t, err)
		require.Zero(t, n, "the first word stays")
		require.ErrorIs(t, s.Alerts.Again(ctx, "a1", 1, epoch, 0), store.ErrNotFound, "what was seen is over")
		got, err = s.Alerts.Get(ctx, "a1")
		require.NoError(t, err)
		a1.Count, a1.LastAt, a1.Last = 5, epoch.Add(5*time.Minute), 5*time.Minute
		a1.Acknowledged, a1.AcknowledgedBy, a1.Note = epoch.Add(2*time.Hour), store.Actor{ID: "u9", Name: "carol"}, "known"
		require.Equal(t, a1, got)
		require.Equal(t, []string{"a2"}, ids(store.AlertFilter{New: &fresh}))
		require.Equal(t, []string{"a3", "a1"}, ids(store.AlertFilter{New: &seen}))

		a1.Answer = store.Answer{Kind: "given", By: "alice", Reason: "CHG-7"}
		require.NoError(t, s.Alerts.Answered(ctx, "a1", a1.Answer), "also when it was seen")
		require.True(t, moved())
		got, err = s.Alerts.Get(ctx, "a1")
		require.NoError(t, err)
		require.Equal(t, a1, got)
		require.ErrorIs(t, s.Alerts.Answered(ctx, "none", a1.Answer), store.ErrNotFound)

		require.NoError(t, s.Alerts.Forget(ctx, "s1"))
		list, err := s.Alerts.List(ctx, store.AlertFilter{Limit: 10})
		require.NoError(t, err)
		require.Equal(t, []string{"", "rm -rf /var/log", ""}, []string{list[0].Excerpt, list[1].Excerpt, list[2].Excerpt})

		gone, err := s.Alerts.DeleteBefore(ctx, epoch.Add(3*time.Minute), 10)
		require.NoError(t, err)
		require.Equal(t, int64(1), gone, "the last counts, not the first")
		require.Equal(t, []string{"a3", "a1"}, ids(store.AlertFilter{}))
		gone, err = s.Alerts.DeleteBefore(ctx, epoch, 1)
		require.NoError(t, err)
		require.Equal(t, int64(1), gone)
		require.Equal(t, []string{"a3"}, ids(store.AlertFilter{}))
	})
}
