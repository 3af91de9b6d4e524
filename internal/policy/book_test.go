package policy

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
)

func newBook(t *testing.T) (*Book, *Engine, *store.Store) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "v.db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	e := NewEngine(Kept(StoreOf(db)), EngineOptions{Zone: time.UTC})
	b := NewBook(StoreOf(db), e)
	require.NoError(t, b.Seed(t.Context()))
	require.NoError(t, e.Load(t.Context()))
	return b, e, db
}

const allowReplay = `permit (principal, action == Action::"replay", resource);`

func may(t *testing.T, e *Engine, s Subject, a Action) bool {
	t.Helper()
	d, err := e.Authorize(t.Context(), Query{Subject: s, Action: a, Resource: resources()[a]})
	require.NoError(t, err)
	return d.Allowed
}

func TestBook(t *testing.T) {
	b, e, db := newBook(t)
	ctx := t.Context()
	require.NoError(t, b.Seed(ctx), "again")
	list, err := b.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, len(Defaults()))
	require.Equal(t, "administrators", list[0].ID)

	alice := Author{Subject: Subject{ID: "a", Name: "alice"}, Name: "alice"}
	doc := Document{ID: "replay", Name: "Replay", Text: allowReplay, Enabled: true}
	require.False(t, may(t, e, person("x"), Replay))
	require.NoError(t, b.Apply(ctx, alice, Change{Document: doc}))
	require.True(t, may(t, e, person("x"), Replay), "in force at once")
	saved, err := b.Get(ctx, "replay")
	require.NoError(t, err)
	require.Equal(t, int64(2), saved.Revision)
	require.Equal(t, "alice", saved.UpdatedByName)

	// Another process sees it by looking.
	other := NewEngine(Kept(StoreOf(db)), EngineOptions{})
	require.NoError(t, other.Load(ctx))
	require.True(t, may(t, other, person("x"), Replay))

	require.ErrorIs(t, b.Apply(ctx, alice, Change{Document: doc}), ErrTaken)
	doc.Enabled = false
	require.ErrorIs(t, b.Apply(ctx, alice, Change{Document: doc, Base: 1}), ErrOutdated)
	require.NoError(t, b.Apply(ctx, alice, Change{Document: doc, Base: saved.Revision}))
	require.False(t, may(t, e, person("x"), Replay))
	require.True(t, may(t, other, person("x"), Replay), "it has not looked yet")
	require.NoError(t, other.Load(ctx))
	require.False(t, may(t, other, person("x"), Replay))

	require.NoError(t, b.Apply(ctx, alice, Change{Document: Document{ID: "replay"}, Delete: true, Base: AnyRevision}))
	_, err = b.Get(ctx, "replay")
	require.ErrorIs(t, err, ErrUnknown)
	versions, err := b.Versions(ctx, "replay", 0, 10)
	require.NoError(t, err)
	require.Len(t, versions, 3)
	require.True(t, versions[0].Deleted)
	require.Equal(t, allowReplay, versions[0].Text)
	require.True(t, versions[2].Enabled)
	versions, err = b.Versions(ctx, "replay", versions[0].Revision, 1)
	require.NoError(t, err)
	require.Len(t, versions, 1)
	require.False(t, versions[0].Deleted)
	_, err = b.Versions(ctx, "never", 0, 10)
	require.ErrorIs(t, err, ErrUnknown)
}

// TestSeedFollows: a shipped policy as an earlier version wrote it gets what this one says; what people wrote stays.
func TestSeedFollows(t *testing.T) {
	b, e, db := newBook(t)
	ctx := t.Context()
	before := `// Supervisors watch sessions, step in, and decide on access requests.
permit (
  principal in Role::"supervisor",
  action in [Action::"view_live", Action::"take_over", Action::"freeze", Action::"message", Action::"terminate", Action::"approve_access"],
  resource
);
`
	write := func(id, text string, by Author) {
		t.Helper()
		_, revision, err := db.Policies.List(ctx)
		require.NoError(t, err)
		_, err = StoreOf(db).Change(ctx, revision, []store.Policy{row(Document{ID: id, Name: "Mine", Text: text, Enabled: true}, by)})
		require.NoError(t, err)
	}
	supervisor := person("x", Supervisor)
	write("supervisors", before, seeder)
	require.NoError(t, e.Load(ctx))
	require.False(t, may(t, e, supervisor, ReadAlerts))
	require.NoError(t, b.Seed(ctx))
	require.NoError(t, e.Load(ctx))
	require.True(t, may(t, e, supervisor, ReadAlerts))
	kept, err := b.Get(ctx, "supervisors")
	require.NoError(t, err)
	require.Equal(t, "Mine", kept.Name)
	require.NoError(t, b.Seed(ctx), "there is nothing left to do")
	again, err := b.Get(ctx, "supervisors")
	require.NoError(t, err)
	require.Equal(t, kept.Revision, again.Revision)

	for _, touched := range []struct {
		text string
		by   Author
	}{{before, Author{Subject: Subject{ID: "a"}, Name: "alice"}}, {before + "// mine\n", seeder}} {
		write("supervisors", touched.text, touched.by)
		require.NoError(t, b.Seed(ctx))
		require.NoError(t, e.Load(ctx))
		require.False(t, may(t, e, supervisor, ReadAlerts))
	}
}

func TestBookRefuses(t *testing.T) {
	b, _, _ := newBook(t)
	refused := func(c Change) error { return b.Apply(t.Context(), Author{Name: "x"}, c) }
	text := func(s string) Change { return Change{Document: Document{ID: "x", Name: "X", Text: s, Enabled: true}} }
	_, isText := errors.AsType[*TextError](refused(text(`permit (principal, action == Action::"fly", resource);`)))
	require.True(t, isText)
	_, invalid := errors.AsType[*InvalidError](refused(Change{Document: Document{ID: "Not An Id", Name: "x", Text: allowReplay}}))
	require.True(t, invalid)
	_, invalid = errors.AsType[*InvalidError](refused(Change{Document: Document{ID: "x", Name: " ", Text: allowReplay}}))
	require.True(t, invalid)
	require.ErrorIs(t, refused(Change{Document: Document{ID: "x"}, Delete: true}), ErrUnknown)
	require.ErrorIs(t, refused(Change{Document: Document{ID: "x", Name: "X", Text: allowReplay}, Base: 7}), ErrUnknown)
	list, err := b.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, len(Defaults()), "nothing was written")
}

func TestLockout(t *testing.T) {
	b, e, _ := newBook(t)
	alice := person("a", Administrator)
	b.Administrators = func(context.Context) ([]Subject, error) { return []Subject{alice}, nil }
	by := Author{Subject: alice, Name: "alice"}
	forbid := func(s string) Change {
		return Change{Document: Document{ID: "x", Name: "X", Text: s, Enabled: true}, Base: AnyRevision}
	}
	ctx := t.Context()
	require.ErrorIs(t, b.Apply(ctx, by, Change{Document: Document{ID: "administrators"}, Delete: true, Base: AnyRevision}), ErrLockout)
	require.ErrorIs(t, b.Apply(ctx, by, Change{Document: Document{ID: "administrators", Name: "A", Text: allowReplay, Enabled: true}, Base: AnyRevision}), ErrLockout)
	disabled := Defaults()[0]
	disabled.Enabled = false
	require.ErrorIs(t, b.Apply(ctx, by, Change{Document: disabled, Base: AnyRevision}), ErrLockout)
	require.ErrorIs(t, b.Apply(ctx, by, forbid(`forbid (principal, action in Action::"manage", resource);`)), ErrLockout)
	require.ErrorIs(t, b.Apply(ctx, by, forbid(`forbid (principal, action, resource) unless { context has mfa_age && context.mfa_age < 600 };`)), ErrLockout,
		"alice has no second factor")
	require.ErrorIs(t, b.Apply(ctx, by, forbid(`forbid (principal, action, resource) when { context.time * 9223372036854775807 > 0 };`)), ErrLockout,
		"a forbid that cannot be evaluated forbids")
	require.True(t, may(t, e, alice, ManagePolicies))

	// With a second administrator, or with both changes at once, it goes.
	bob := person("b", Administrator)
	b.Administrators = func(context.Context) ([]Subject, error) { return []Subject{alice, bob}, nil }
	require.NoError(t, b.Apply(ctx, by, forbid(`forbid (principal == User::"a", action in Action::"manage", resource);`)))
	require.False(t, may(t, e, alice, ManagePolicies))
	require.NoError(t, b.Apply(ctx, Author{Subject: bob},
		Change{Document: Document{ID: "administrators"}, Delete: true, Base: AnyRevision},
		Change{Document: Document{ID: "bob", Name: "B", Text: `permit (principal == User::"b", action in Action::"manage", resource);`, Enabled: true}}))
	require.NoError(t, b.Apply(ctx, Author{Name: "root", Force: true}, Change{Document: Document{ID: "bob"}, Delete: true, Base: AnyRevision}))

	b.Administrators = func(context.Context) ([]Subject, error) { return nil, errors.New("store down") }
	require.ErrorContains(t, b.Apply(ctx, by, forbid(allowReplay)), "store down")
}
