package policy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fixed is a Source that only tests change.
type fixed struct {
	documents []Document
	revision  int64
	err       error
}

func (f *fixed) Revision(context.Context) (int64, error) { return f.revision, f.err }

func (f *fixed) Documents(context.Context) ([]Document, int64, error) {
	return f.documents, f.revision, f.err
}

func newEngine(t testing.TB, texts ...string) *Engine {
	t.Helper()
	f := &fixed{revision: 1}
	for i, text := range texts {
		require.NoError(t, Errors(Inspect(text)), "%s", text)
		f.documents = append(f.documents, Document{ID: fmt.Sprintf("p%d", i), Name: fmt.Sprintf("P%d", i), Text: text, Enabled: true})
	}
	e := NewEngine(f, EngineOptions{Zone: time.UTC})
	require.NoError(t, e.Load(t.Context()))
	return e
}

func defaultEngine(t testing.TB, more ...Document) *Engine {
	t.Helper()
	e := NewEngine(&fixed{documents: append(Defaults(), more...), revision: 1}, EngineOptions{Zone: time.UTC})
	require.NoError(t, e.Load(context.Background()))
	return e
}

func person(id string, roles ...Role) Subject { return Subject{ID: id, Name: id, Roles: roles} }

func TestDefaultsAreCorrect(t *testing.T) {
	for _, d := range Defaults() {
		require.Empty(t, Inspect(d.Text), d.ID)
		require.NotEmpty(t, d.Name, d.ID)
	}
}

// resources has one of every kind, none of them the asking person's own.
func resources() map[Action]Resource {
	desk := Resource{Kind: KindTarget, ID: "desk", Target: "desk", Account: "root", Tags: []string{"prod"}}
	owned := func(kind Kind) Resource {
		return Resource{Kind: kind, ID: "x", Owner: "somebody", Target: "desk", Account: "root", Tags: []string{"prod"}}
	}
	system := Resource{Kind: KindSystem}
	return map[Action]Resource{
		Connect: desk, ClipboardToTarget: desk, ClipboardFromTarget: desk, RequestAccess: desk, BreakGlass: desk, ManageTargets: desk,
		ViewLive: owned(KindSession), TakeOver: owned(KindSession), Freeze: owned(KindSession), Message: owned(KindSession), Terminate: owned(KindSession), LockUser: owned(KindSession),
		ReadAlerts: owned(KindSession), AcknowledgeAlerts: owned(KindSession), ReadRules: system, ManageRules: system,
		Replay: owned(KindRecording), Export: owned(KindRecording), ApproveAccess: owned(KindRequest),
		ManageUsers: system, ManagePolicies: system, ReadAudit: system, ManageSystem: system,
	}
}

func TestDefaultMatrix(t *testing.T) {
	allowed := map[Role][]Action{
		Administrator: All(),
		Member:        {RequestAccess, ClipboardToTarget, ClipboardFromTarget},
		Supervisor:    {ViewLive, TakeOver, Freeze, Message, Terminate, LockUser, ApproveAccess, ReadRules, ReadAlerts, AcknowledgeAlerts},
		Reviewer:      {Replay, Export, ReadAudit, ReadRules, ReadAlerts},
		"":            nil,
	}
	e := defaultEngine(t)
	for role, yes := range allowed {
		for _, action := range All() {
			t.Run(fmt.Sprintf("%s %s", role, action), func(t *testing.T) {
				r, ok := resources()[action]
				require.True(t, ok)
				s := person("me", role)
				if role == "" {
					s = person("me")
				}
				q := Query{Subject: s, Action: action, Resource: r}
				d, err := e.Authorize(t.Context(), q)
				require.NoError(t, err)
				require.Equal(t, slices.Contains(yes, action), d.Allowed, d.Reason)
				require.NotEmpty(t, d.Reason)
				require.Equal(t, d.Allowed, len(d.Policies) > 0)

				q.Resource.Owner = "me"
				d, err = e.Authorize(t.Context(), q)
				require.NoError(t, err)
				own := r.Kind == KindSession && (action == ViewLive || action == Terminate)
				require.Equal(t, slices.Contains(yes, action) || own, d.Allowed, d.Reason)
			})
		}
	}
}

func TestDefaultGrant(t *testing.T) {
	e := defaultEngine(t)
	q := Query{Subject: person("me", Member), Action: Connect, Resource: resources()[Connect], Circumstances: Circumstances{Approved: true}}
	d, err := e.Authorize(t.Context(), q)
	require.NoError(t, err)
	require.True(t, d.Allowed)
	require.Equal(t, 1, d.Obligations.Approvals)
	require.Equal(t, []string{"users#2"}, d.Policies)
	q.Subject.Roles = []Role{Reviewer}
	d, err = e.Authorize(t.Context(), q)
	require.NoError(t, err)
	require.False(t, d.Allowed, "an approval is nothing to somebody who may not connect")
}

func TestPossible(t *testing.T) {
	e := defaultEngine(t, Document{ID: "n", Name: "n", Enabled: true, Text: `
		forbid (principal, action == Action::"export", resource);
		forbid (principal, action == Action::"replay", resource in Tag::"secret");
		permit (principal in Group::"ops", action == Action::"manage_targets", resource in Tag::"lab") when { context.concurrent < 3 };`})
	require.Equal(t, []Action{ViewLive, Terminate}, e.Possible(person("x")))
	require.Equal(t, []Action{Connect, ViewLive, Terminate, ClipboardToTarget, ClipboardFromTarget, RequestAccess}, e.Possible(person("x", Member)))
	require.Equal(t, []Action{ViewLive, Terminate, Replay, ReadAudit, ReadRules, ReadAlerts}, e.Possible(person("x", Reviewer)))
	ops := person("x")
	ops.Groups = []string{"ops"}
	require.Equal(t, []Action{ViewLive, Terminate, ManageTargets}, e.Possible(ops))
	ops.Scopes = []Action{ManageTargets}
	require.Equal(t, []Action{ManageTargets}, e.Possible(ops))
	require.Empty(t, e.Possible(Subject{}))
	require.NotContains(t, e.Possible(person("x", Administrator)), Export)
}

func TestDecisions(t *testing.T) {
	desk := Resource{Kind: KindTarget, ID: "desk", Target: "desk", Account: "root", Tags: []string{"prod"}}
	monday := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		policy string
		change func(q *Query)
		want   bool
	}{
		{"target", `permit (principal, action == Action::"connect", resource in Target::"desk");`, nil, true},
		{"other target", `permit (principal, action == Action::"connect", resource in Target::"desk2");`, nil, false},
		{"account", `permit (principal, action == Action::"connect", resource == Account::"desk/root");`, nil, true},
		{"tag", `permit (principal, action == Action::"connect", resource in Tag::"prod");`, nil, true},
		{"tag of no account", `permit (principal, action == Action::"connect", resource in Tag::"prod");`, func(q *Query) { q.Resource.Account = "" }, true},
		{"group", `permit (principal in Group::"ops", action == Action::"connect", resource);`, nil, true},
		{"other group", `permit (principal in Group::"op", action == Action::"connect", resource);`, nil, false},
		{"person", `permit (principal == User::"u1", action == Action::"connect", resource);`, nil, true},
		{"name", `permit (principal, action == Action::"connect", resource) when { principal has name && principal.name == "alice" };`, nil, true},
		{"forbid wins", `permit (principal, action == Action::"connect", resource); forbid (principal, action == Action::"connect", resource in Tag::"prod");`, nil, false},
		{"hours", `permit (principal, action == Action::"connect", resource) when { context.minutes >= 480 && context.minutes < 1080 && ["mon", "tue"].contains(context.weekday) };`, nil, true},
		{"after hours", `permit (principal, action == Action::"connect", resource) when { context.minutes >= 480 && context.minutes < 1080 };`, func(q *Query) { q.Circumstances.Time = monday.Add(9 * time.Hour) }, false},
		{"until", `permit (principal, action == Action::"connect", resource) when { context.time < 1772443800 };`, nil, false},
		{"source", `permit (principal, action == Action::"connect", resource) when { context has source && context.source.isInRange(ip("10.0.0.0/8")) };`, nil, true},
		{"source unknown", `permit (principal, action == Action::"connect", resource) when { context has source && context.source.isInRange(ip("10.0.0.0/8")) };`, func(q *Query) { q.Circumstances.Source = netip.Addr{} }, false},
		{"mapped source", `permit (principal, action == Action::"connect", resource) when { context has source && context.source.isInRange(ip("10.0.0.0/8")) };`, func(q *Query) { q.Circumstances.Source = netip.MustParseAddr("::ffff:10.1.2.3") }, true},
		{"fresh factor", `permit (principal, action == Action::"connect", resource) when { context has mfa_age && context.mfa_age < 300 };`, nil, true},
		{"old factor", `permit (principal, action == Action::"connect", resource) when { context has mfa_age && context.mfa_age < 30 };`, nil, false},
		{"no factor", `permit (principal, action == Action::"connect", resource) when { context has mfa_age };`, func(q *Query) { q.Subject.MFAAt = time.Time{} }, false},
		{"factor of the future", `permit (principal, action == Action::"connect", resource) when { context has mfa_age };`, func(q *Query) { q.Subject.MFAAt = monday.Add(time.Minute) }, false},
		{"ticket", `permit (principal, action == Action::"connect", resource) when { context has ticket && context.ticket like "CHG-*" };`, nil, true},
		{"account in context", `permit (principal, action == Action::"connect", resource) when { context has account && context.account == "root" };`, nil, true},
		{"tags", `permit (principal, action == Action::"connect", resource) when { context.tags.contains("prod") };`, nil, true},
		{"concurrent", `permit (principal, action == Action::"connect", resource) when { context.concurrent < 2 };`, nil, false},
		{"token within", `permit (principal, action, resource);`, func(q *Query) { q.Subject.Scopes = []Action{Connect} }, true},
		{"token without", `permit (principal, action, resource);`, func(q *Query) { q.Subject.Scopes = []Action{Replay} }, false},
		{"token without any", `permit (principal, action, resource);`, func(q *Query) { q.Subject.Scopes = []Action{} }, false},
		{"unknown action", `permit (principal, action, resource);`, func(q *Query) { q.Action = "fly" }, false},
		{"action that is a group", `permit (principal, action, resource);`, func(q *Query) { q.Action = "manage" }, false},
		{"nobody", `permit (principal, action, resource);`, func(q *Query) { q.Subject.ID = "" }, false},
		{"permit that fails", `permit (principal, action == Action::"connect", resource) when { context.time * 9223372036854775807 > 0 };`, nil, false},
		{"forbid that fails", `permit (principal, action, resource); forbid (principal, action == Action::"connect", resource) when { context.time * 9223372036854775807 > 0 };`, nil, false},
		{"other permit than the one that fails", `permit (principal, action, resource); permit (principal, action == Action::"connect", resource) when { context.time * 9223372036854775807 > 0 };`, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := Query{
				Subject:       Subject{ID: "u1", Name: "alice", Roles: []Role{Member}, Groups: []string{"ops"}, MFAAt: monday.Add(-time.Minute)},
				Action:        Connect,
				Resource:      desk,
				Circumstances: Circumstances{Time: monday, Source: netip.MustParseAddr("10.1.2.3"), Ticket: "CHG-7", Concurrent: 2},
			}
			if tc.change != nil {
				tc.change(&q)
			}
			d, err := newEngine(t, tc.policy).Authorize(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, tc.want, d.Allowed, d.Reason)
		})
	}
}

func TestZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	e := NewEngine(&fixed{revision: 1, documents: []Document{{ID: "p", Enabled: true, Text: `permit (principal, action, resource) when { context.minutes == 30 && context.weekday == "tue" };`}}}, EngineOptions{Zone: berlin})
	require.NoError(t, e.Load(t.Context()))
	q := Query{Subject: person("x"), Action: ReadAudit, Circumstances: Circumstances{Time: time.Date(2026, 3, 2, 23, 30, 0, 0, time.UTC)}}
	d, err := e.Authorize(t.Context(), q)
	require.NoError(t, err)
	require.True(t, d.Allowed)
}

func TestObligationsAreTheStrictest(t *testing.T) {
	e := newEngine(t, `
		@max_duration("4h") @keys("commands") @watermark("on") @ocr("on") @retention("365d")
		permit (principal, action == Action::"connect", resource);
		@max_duration("8h") @idle_limit("15m") @keys("none") @approvals("2") @retention("30d")
		permit (principal in Role::"user", action == Action::"connect", resource);
		@watching("announced") permit (principal, action == Action::"view_live", resource);
		@watching("silent") permit (principal, action == Action::"view_live", resource);
		@reason("required") @ticket("required") @approvals("9")
		permit (principal in Role::"reviewer", action == Action::"connect", resource);`)
	d, err := e.Authorize(t.Context(), Query{Subject: person("x", Member), Action: Connect, Resource: resources()[Connect]})
	require.NoError(t, err)
	require.Equal(t, Obligations{Keys: KeysNone, MaxDuration: 4 * time.Hour, IdleLimit: 15 * time.Minute, Retention: 365 * 24 * time.Hour, Watermark: true, OCR: true, Approvals: 2}, d.Obligations)
	seen, err := e.Authorize(t.Context(), Query{Subject: person("x", Member), Action: ViewLive, Resource: resources()[ViewLive]})
	require.NoError(t, err)
	require.Equal(t, Obligations{Watching: WatchingAnnounced}, seen.Obligations)
	require.Equal(t, Obligations{Watching: WatchingSilent}, Obligations{}.Strictest(Obligations{Watching: WatchingSilent}))
	require.Equal(t, Obligations{Watching: WatchingAnnounced}, Obligations{Watching: WatchingAnnounced}.Strictest(Obligations{Watching: WatchingSilent}))
	require.Equal(t, []string{
		"needs the approval of 2 people", "ends after 4h", "ends after 15m without input",
		"no key is recorded", "its recording is kept for 365d", "person, time and session are drawn into the picture", "text on the screen is read",
	}, d.Obligations.List())
	require.True(t, e.Obliges(func(o Obligations) bool { return o.OCR }))
	require.False(t, e.Obliges(func(o Obligations) bool { return o.MaxSessions > 0 }))
	d, err = e.Authorize(t.Context(), Query{Subject: person("x", Reviewer), Action: Connect, Resource: resources()[Connect]})
	require.NoError(t, err)
	require.True(t, d.Obligations.ReasonNeeded)
	require.True(t, d.Obligations.TicketNeeded)
}

func TestChangesAreTakenUp(t *testing.T) {
	f := &fixed{revision: 1, documents: []Document{{ID: "p", Text: `permit (principal, action, resource);`, Enabled: true}}}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	e := NewEngine(f, EngineOptions{Now: func() time.Time { return now }})
	q := Query{Subject: person("x"), Action: ReadAudit}
	_, err := e.Authorize(t.Context(), q)
	require.ErrorIs(t, err, ErrNotLoaded)
	require.NoError(t, e.Load(t.Context()))
	changed := e.Changed()
	d, err := e.Authorize(t.Context(), q)
	require.NoError(t, err)
	require.True(t, d.Allowed)

	f.documents[0].Enabled = false
	require.NoError(t, e.Load(t.Context()))
	d, err = e.Authorize(t.Context(), q)
	require.NoError(t, err)
	require.True(t, d.Allowed, "the revision is the same")
	f.revision = 2
	require.NoError(t, e.Load(t.Context()))
	d, err = e.Authorize(t.Context(), q)
	require.NoError(t, err)
	require.False(t, d.Allowed)
	select {
	case <-changed:
	default:
		t.Fatal("nobody was told")
	}

	f.documents[0].Text, f.revision = "permit", 3
	f.documents[0].Enabled = true
	require.ErrorContains(t, e.Load(t.Context()), "p: ")
	d, err = e.Authorize(t.Context(), q)
	require.NoError(t, err)
	require.False(t, d.Allowed, "those of before stay")
	now = now.Add(StaleAfter + time.Second)
	_, err = e.Authorize(t.Context(), q)
	require.ErrorIs(t, err, ErrStale)
}

func BenchmarkAuthorize(b *testing.B) {
	e := defaultEngine(b, manyPolicies(200)...)
	targets := make([]Resource, 10_000)
	for i := range targets {
		id := fmt.Sprintf("t%d", i)
		targets[i] = Resource{Kind: KindTarget, ID: id, Target: id, Account: "root", Tags: []string{fmt.Sprintf("tag%d", i%200)}}
	}
	s := Subject{ID: "u", Name: "u", Roles: []Role{Member}, Groups: []string{"g7", "ops"}}
	c := Circumstances{Time: time.Now(), Source: netip.MustParseAddr("10.1.2.3")}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := e.Authorize(b.Context(), Query{Subject: s, Action: Connect, Resource: targets[i%len(targets)], Circumstances: c}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkPossible(b *testing.B) {
	e := defaultEngine(b, manyPolicies(200)...)
	s := Subject{ID: "u", Name: "u", Roles: []Role{Member}, Groups: []string{"g7", "ops"}}
	for b.Loop() {
		e.Possible(s)
	}
}

func manyPolicies(n int) []Document {
	var out []Document
	for i := range n {
		out = append(out, Document{ID: fmt.Sprintf("g%d", i), Name: "g", Enabled: true, Text: fmt.Sprintf(
			`permit (principal in Group::"g%d", action == Action::"connect", resource in Tag::"tag%d") when { context.minutes < 1080 };`, i, i)})
	}
	return out
}
