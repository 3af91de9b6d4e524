package store_test

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestSessionFilter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		ids := map[string]string{} // id to name
		add := func(name string, minutes int, change func(*store.Session)) {
			x := session(0)
			x.StartedAt = epoch.Add(time.Duration(minutes) * time.Minute)
			x.ID = ulid.MustNew(ulid.Timestamp(x.StartedAt), ulid.DefaultEntropy()).String()
			change(&x)
			require.NoError(t, s.Sessions.Create(ctx, x))
			require.NoError(t, s.Recordings.Put(ctx, store.Recording{SessionID: x.ID, State: store.RecordingRunning}))
			ids[x.ID] = name
		}
		add("a", 0, func(x *store.Session) { x.UserID, x.UserName, x.TargetName = "ua", "Alice", "Büro 100%" })
		add("b", 10, func(x *store.Session) { x.UserID, x.UserName, x.TargetID = "ub", "Bob", "win_1" })
		add("c", 20, func(x *store.Session) {
			x.UserID, x.UserName, x.AccountName, x.ClientAddress = "ua", "Alice", "Admin", "2001:db8::7"
		})
		require.NoError(t, s.Sessions.End(ctx, at(ids, "b"), "done", "", epoch))

		for _, tc := range []struct {
			user, target, before string
			want                 int
		}{{"ua", "", "", 2}, {"ua", "", at(ids, "c"), 1}, {"ua", "", at(ids, "a"), 0}, {"", "win_1", "", 0}, {"", "", at(ids, "c"), 1}, {"ub", "", "", 0}} {
			n, err := s.Sessions.CountBefore(ctx, tc.user, tc.target, tc.before)
			require.NoError(t, err)
			require.Equal(t, tc.want, n, "%+v", tc)
		}
		for name, tc := range map[string]struct {
			filter store.SessionFilter
			want   []string
		}{
			"all":                  {store.SessionFilter{}, []string{"c", "b", "a"}},
			"a word":               {store.SessionFilter{Query: "ALI"}, []string{"c", "a"}},
			"two words":            {store.SessionFilter{Query: "alice admin"}, []string{"c"}},
			"beyond ASCII":         {store.SessionFilter{Query: "BÜRO"}, []string{"a"}},
			"an address":           {store.SessionFilter{Query: "2001:db8"}, []string{"c"}},
			"what LIKE means":      {store.SessionFilter{Query: "%"}, []string{"a"}},
			"what LIKE means too":  {store.SessionFilter{Query: "win_"}, []string{"b"}},
			"nothing":              {store.SessionFilter{Query: "nobody"}, nil},
			"a person":             {store.SessionFilter{User: "ua"}, []string{"c", "a"}},
			"a target":             {store.SessionFilter{Target: "win_1"}, []string{"b"}},
			"running, of a person": {store.SessionFilter{User: "ub", Running: new(true)}, nil},
			"ended":                {store.SessionFilter{Running: new(false)}, []string{"b"}},
			"since":                {store.SessionFilter{Since: epoch.Add(10 * time.Minute)}, []string{"c", "b"}},
			"until":                {store.SessionFilter{Until: epoch.Add(10 * time.Minute)}, []string{"a"}},
			"a moment":             {store.SessionFilter{Since: epoch.Add(10 * time.Minute), Until: epoch.Add(10*time.Minute + time.Microsecond)}, []string{"b"}},
			"before, of a person":  {store.SessionFilter{User: "ua", Before: at(ids, "c")}, []string{"a"}},
			"before all time":      {store.SessionFilter{Until: time.Unix(-1e9, 0)}, nil},
			"after all time":       {store.SessionFilter{Since: time.Unix(1e12, 0)}, nil},
			"text that is no text": {store.SessionFilter{Query: "\x00\xff", User: "\x00"}, nil},
		} {
			tc.filter.Limit = 10
			list, err := s.Sessions.List(ctx, tc.filter)
			require.NoError(t, err, name)
			recordings, err := s.Recordings.List(ctx, tc.filter)
			require.NoError(t, err, name)
			var got, recorded []string
			for _, x := range list {
				got = append(got, ids[x.ID])
			}
			for _, x := range recordings {
				recorded = append(recorded, ids[x.SessionID])
			}
			require.Equal(t, tc.want, got, name)
			require.Equal(t, tc.want, recorded, name)
		}
	})
}

func at(ids map[string]string, name string) string {
	for id, n := range ids {
		if n == name {
			return id
		}
	}
	return ""
}
