package rules_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/rules"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = rules.Author{ID: "u1", Name: "alice"}
	own   = detect.Rule{
		ID: "own", Name: "Ours", Severity: detect.Medium, Action: detect.ActionAlert, Sources: []detect.Source{detect.Typed}, Any: []string{`^launch\b`},
	}
)

// configured has a file with a rule and a list, another in place of a shipped rule, and a changed action.
func configured(t *testing.T) rules.Base {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
lists: [{name: mine, words: [zap]}]
rules:
  - {id: linux-logs, name: Theirs, severity: low, action: alert, sources: [typed], any: ['^theirs']}
  - {id: filed, name: Filed, severity: low, action: alert, sources: [typed], lists: [mine, attack-tools], scope: {groups: [admins], tags: [prod]}}
`), 0o600))
	b, err := rules.Configured(&config.Detection{
		Enabled: true, RulesFile: path, Actions: []config.RuleAction{{Rule: "attack-tools", Action: "freeze"}, {Rule: "linux-credentials", Action: config.RuleOff}},
	})
	require.NoError(t, err)
	return b
}

func TestConfigured(t *testing.T) {
	b := configured(t)
	require.Len(t, b.File.Rules, len(detect.Starter().Rules)+1)
	require.Equal(t, detect.ActionAlert, detect.Starter().Rules[0].Action, "the shipped ones stay as they are")

	_, err := rules.Configured(&config.Detection{Enabled: true, Actions: []config.RuleAction{{Rule: "none-such", Action: "alert"}}})
	require.ErrorContains(t, err, `detection.actions: there is no rule "none-such"`)
	path := filepath.Join(t.TempDir(), "rules.yaml")
	_, err = rules.Configured(&config.Detection{Enabled: true, RulesFile: path})
	require.ErrorContains(t, err, "detection.rules_file")
	require.NoError(t, os.WriteFile(path, []byte("rules: [{id: a, name: a, severity: low, action: alert, sources: [typed], any: ['(']}]"), 0o600))
	_, err = rules.Configured(&config.Detection{Enabled: true, RulesFile: path})
	require.ErrorContains(t, err, "missing closing )")
}

func TestBook(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		ctx := t.Context()
		base := configured(t)
		book := rules.NewBook(db, base, slog.New(slog.DiscardHandler))
		find := func(id string) rules.Rule {
			t.Helper()
			e, err := book.Effective(ctx)
			require.NoError(t, err)
			r, ok := e.Find(id)
			require.True(t, ok, id)
			return r
		}
		require.Equal(t, rules.Shipped, find("attack-tools").Origin)
		require.True(t, find("attack-tools").Configured)
		require.Equal(t, detect.ActionFreeze, find("attack-tools").Action)
		require.True(t, find("linux-credentials").Disabled)
		require.Equal(t, rules.Configuration, find("linux-logs").Origin)
		require.Equal(t, rules.Unchanged, find("linux-logs").Change)

		// One of its own.
		r, err := book.Add(ctx, alice, own)
		require.NoError(t, err)
		require.Equal(t, rules.Console, r.Origin)
		require.Equal(t, int64(1), r.Revision)
		require.Equal(t, "alice", r.UpdatedBy)
		_, err = book.Add(ctx, alice, own)
		require.ErrorIs(t, err, rules.ErrTaken)
		shipped := find("attack-tools")
		_, err = book.Add(ctx, alice, shipped.Rule)
		require.ErrorIs(t, err, rules.ErrTaken)

		// A shipped one that does something else follows the shipped patterns; one with other patterns stands alone.
		off := shipped.Rule
		off.Disabled, off.Scope.Tags = true, []string{"lab"}
		r, err = book.Set(ctx, alice, off, 0)
		require.NoError(t, err)
		require.Equal(t, rules.Adjusted, r.Change)
		require.Equal(t, rules.Shipped, r.Origin)
		require.Equal(t, shipped.Rule, *r.Base)
		later := base
		later.File.Rules = slices.Clone(base.File.Rules)
		i := slices.IndexFunc(later.File.Rules, func(r detect.Rule) bool { return r.ID == "attack-tools" })
		later.File.Rules[i].Any = []string{`^newer\b`}
		e, err := rules.NewBook(db, later, slog.New(slog.DiscardHandler)).Effective(ctx)
		require.NoError(t, err)
		updated, _ := e.Find("attack-tools")
		require.True(t, updated.Disabled)
		require.Equal(t, []string{`^newer\b`}, updated.Any)
		_, err = book.Set(ctx, alice, off, 0)
		require.ErrorIs(t, err, rules.ErrOutdated)
		other := off
		other.Any = []string{`^mimi\b`}
		r, err = book.Set(ctx, alice, other, r.Revision)
		require.NoError(t, err)
		require.Equal(t, rules.Replaced, r.Change)
		require.Equal(t, []string{`^mimi\b`}, r.Any)

		// As it was: nothing is said of it any more.
		r, err = book.Set(ctx, alice, shipped.Rule, r.Revision)
		require.NoError(t, err)
		require.Equal(t, rules.Unchanged, r.Change)
		require.Zero(t, r.Revision)
		require.ErrorIs(t, book.Remove(ctx, alice, "attack-tools", 0), rules.ErrUnchanged)
		_, err = book.Set(ctx, alice, shipped.Rule, 0)
		require.NoError(t, err)
		versions, err := book.Versions(ctx, "attack-tools", 0, 10)
		require.NoError(t, err)
		require.Len(t, versions, 3)
		require.True(t, versions[0].Removed)
		require.Equal(t, []string{`^mimi\b`}, versions[0].Rule.Any, "what it was")
		require.True(t, versions[2].Rule.Disabled)
		require.Equal(t, shipped.Any, versions[2].Rule.Any)

		// What cannot be tried is refused, and says what is wrong.
		bad := own
		bad.Any = []string{"fine", "(open"}
		_, err = book.Set(ctx, alice, bad, 1)
		var wrong *detect.RuleError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, "(open", wrong.Pattern)
		require.Contains(t, wrong.What, "missing closing )")
		require.ErrorAs(t, book.Check(ctx, bad), &wrong)
		require.NoError(t, book.Check(ctx, own))
		bad = own
		bad.Lists = []string{"none-such"}
		_, err = book.Set(ctx, alice, bad, 1)
		require.ErrorContains(t, err, `there is no list "none-such"`)
		_, err = book.Set(ctx, alice, detect.Rule{ID: "none-such"}, 0)
		require.ErrorIs(t, err, rules.ErrUnknown)

		// A list, which a rule needs as long as it names it.
		l, err := book.SetList(ctx, alice, detect.List{Name: "crown", Words: []string{"jewels"}}, 0)
		require.NoError(t, err)
		require.Equal(t, rules.Console, l.Origin)
		named := own
		named.Lists = []string{"crown"}
		r, err = book.Set(ctx, alice, named, 1)
		require.NoError(t, err)
		require.ErrorContains(t, book.RemoveList(ctx, alice, "crown", l.Revision), `there is no list "crown"`)
		l, err = book.SetList(ctx, alice, detect.List{Name: "attack-tools", Words: []string{"only"}}, 0)
		require.NoError(t, err)
		require.Equal(t, rules.Replaced, l.Change)
		require.ErrorIs(t, book.RemoveList(ctx, alice, "attack-tools", 1), rules.ErrOutdated)
		require.NoError(t, book.RemoveList(ctx, alice, "attack-tools", l.Revision))
		_, err = book.SetList(ctx, alice, detect.List{Name: "crown", Words: []string{"two words"}}, 0)
		require.ErrorAs(t, err, &wrong)

		// Sessions get what covers them.
		e, err = book.Effective(ctx)
		require.NoError(t, err)
		ids := func(u detect.Subject) (out []string) {
			for _, r := range e.For(u).Rules {
				require.Zero(t, r.Scope)
				out = append(out, r.ID)
			}
			return out
		}
		require.NotContains(t, ids(detect.Subject{}), "filed")
		require.Contains(t, ids(detect.Subject{Groups: []string{"admins"}, Tags: []string{"prod"}}), "filed")
		require.Contains(t, ids(detect.Subject{}), "own")
		require.NotContains(t, ids(detect.Subject{}), "linux-credentials")
		named.Scope.Users = []string{"bob"}
		r, err = book.Set(ctx, alice, named, r.Revision)
		require.NoError(t, err)
		e, err = book.Effective(ctx)
		require.NoError(t, err)
		require.NotContains(t, ids(detect.Subject{User: []string{"alice", "u1"}}), "own")
		require.Contains(t, ids(detect.Subject{User: []string{"bob", "u2"}}), "own")

		require.NoError(t, book.Remove(ctx, alice, "own", r.Revision))
		require.ErrorIs(t, book.Remove(ctx, alice, "own", r.Revision), rules.ErrUnknown)
	})
}

func TestNothingIsDetectedWhereItIsOff(t *testing.T) {
	b, err := rules.Configured(&config.Detection{})
	require.NoError(t, err)
	e, err := rules.NewBook(storetest.Open(t, storetest.Migrated(t)), b, slog.New(slog.DiscardHandler)).Effective(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, e.Rules)
	require.Empty(t, e.For(detect.Subject{}).Rules)
}

// TestWhatCannotBeUsedGivesWay: rows of an earlier version, or of somebody's hand, neither stop the gateway nor take shipped rules away.
func TestWhatCannotBeUsedGivesWay(t *testing.T) {
	db := storetest.Open(t, storetest.Migrated(t))
	base, err := rules.Configured(&config.Detection{Enabled: true})
	require.NoError(t, err)
	for i, row := range []store.DetectionRule{
		{Kind: store.DetectionRuleKind, ID: "attack-tools", Body: `{"rule":{"id":"attack-tools","name":"x","severity":"low","action":"alert","sources":["typed"],"any":["("]}}`},
		{Kind: store.DetectionRuleKind, ID: "linux-logs", Body: `no JSON`},
		{Kind: store.DetectionRuleKind, ID: "gone", Body: `{"adjust":{"disabled":true}}`},
		{Kind: store.DetectionRuleKind, ID: "listless", Body: `{"rule":{"name":"x","severity":"low","action":"alert","sources":["typed"],"lists":["none-such"]}}`},
		{Kind: store.DetectionListKind, ID: "empty", Body: `{"list":{"words":[]}}`},
		{Kind: store.DetectionRuleKind, ID: "good", Body: `{"rule":{"name":"x","severity":"low","action":"alert","sources":["typed"],"any":["good"]}}`},
	} {
		require.NoError(t, db.Tx(t.Context(), func(tx *store.Store) error {
			_, err := tx.DetectionRules.Change(t.Context(), int64(i), row)
			return err
		}))
	}
	book := rules.NewBook(db, base, slog.New(slog.DiscardHandler))
	e, err := book.Effective(t.Context())
	require.NoError(t, err)
	problems := map[string]string{}
	for _, r := range e.Rules {
		if r.Problem != "" {
			problems[r.ID] = r.Problem
		}
	}
	require.Len(t, problems, 4)
	require.Contains(t, problems["attack-tools"], "missing closing )")
	require.Contains(t, problems["listless"], "there is no list")
	require.Contains(t, problems["gone"], "not there any more")
	tried := e.For(detect.Subject{}).Rules
	require.Len(t, tried, len(base.File.Rules)+1)
	require.Equal(t, base.File.Rules[0], tried[0], "the shipped one is tried")
	require.Equal(t, "good", tried[len(tried)-1].ID)

	// Others can be changed all the same, and what is wrong taken back.
	_, err = book.Add(t.Context(), alice, own)
	require.NoError(t, err)
	require.NoError(t, book.Remove(t.Context(), alice, "gone", 3))
}

// TestRun: what another node changes is told.
func TestRun(t *testing.T) {
	db := storetest.Open(t, storetest.Migrated(t))
	base, err := rules.Configured(&config.Detection{Enabled: true})
	require.NoError(t, err)
	here, there := rules.NewBook(db, base, slog.New(slog.DiscardHandler)), rules.NewBook(db, base, slog.New(slog.DiscardHandler))
	told := make(chan int64, 10)
	here.Changed = func(_ context.Context, e *rules.Effective) { told <- e.Revision }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- here.Run(ctx) }()
	wait := func(want int64) {
		t.Helper()
		select {
		case n := <-told:
			require.Equal(t, want, n)
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was told")
		}
	}
	wait(0)
	r, err := here.Add(t.Context(), alice, own)
	require.NoError(t, err)
	wait(1)
	require.NoError(t, there.Remove(t.Context(), alice, "own", r.Revision))
	wait(2)
	cancel()
	require.NoError(t, <-done)
}
