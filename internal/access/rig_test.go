package access

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rules are policies a test changes.
type rules struct {
	mu       sync.Mutex
	text     string
	revision int64
	err      error
}

func (r *rules) Revision(context.Context) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.revision, r.err
}

func (r *rules) Documents(context.Context) ([]policy.Document, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []policy.Document{{ID: "p", Name: "P", Text: r.text, Enabled: true}}, r.revision, r.err
}

// grants has at most one, for everybody and everything.
type grants struct {
	mu    sync.Mutex
	grant *Grant
	err   error
	ended bool
}

func (g *grants) get(at time.Time) (Grant, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil || g.grant == nil {
		return Grant{}, false, g.err
	}
	return *g.grant, !g.ended && !at.Before(g.grant.From) && at.Before(g.grant.Until), nil
}

func (g *grants) Active(_ context.Context, _, _, _ string, at time.Time) (Grant, bool, error) {
	return g.get(at)
}

func (g *grants) Covers(_ context.Context, _ string, at time.Time) (Grant, bool, error) {
	return g.get(at)
}
func (g *grants) Begin(context.Context, string, string) error { return nil }
func (g *grants) Release(context.Context, string) error       { return nil }

// rig is a Keeper and a Desk over real policies, in a bubble of time that begins on a Saturday, at midnight.
type rig struct {
	t      *testing.T
	rules  *rules
	grants *grants
	engine *policy.Engine
	desk   *Desk
	keeper *Keeper

	mu       sync.Mutex
	person   policy.Subject
	disabled bool
	failing  error
	tags     []string
	journal  []string
	start    time.Time
}

func inRig(t *testing.T, text string, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, policy.Errors(policy.Inspect(text)), text)
		r := &rig{
			t: t, rules: &rules{text: text, revision: 1}, grants: &grants{}, start: time.Now(),
			person: policy.Subject{ID: "u1", Name: "ann", Roles: []policy.Role{policy.Member}},
		}
		r.engine = policy.NewEngine(r.rules, policy.EngineOptions{Zone: time.UTC})
		require.NoError(t, r.engine.Load(t.Context()))
		r.desk = New(Options{Authorizer: r.engine, Grants: r.grants})
		r.keeper = NewKeeper(KeeperOptions{
			Desk: r.desk, Running: r, People: r, Changed: r.engine.Changed, Warning: time.Minute,
			Tags: func(context.Context, string, string) ([]string, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.tags, nil
			},
		})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { require.NoError(t, r.keeper.Run(ctx)) })
		running.Go(func() { require.NoError(t, r.engine.Run(ctx)) })
		defer func() {
			stop()
			running.Wait()
		}()
		test(r)
	})
}

// facts are those of ann, who wants to be root on desk.
func (r *rig) facts() Facts {
	return Facts{Subject: r.person, Resource: policy.Resource{Kind: policy.KindTarget, ID: "desk", Target: "desk", Account: "root", Tags: []string{"prod"}}}
}

// begin starts a session as serve does.
func (r *rig) begin() Admission {
	r.t.Helper()
	r.mu.Lock()
	r.tags = []string{"prod"}
	r.mu.Unlock()
	a, err := r.desk.Admit(r.t.Context(), r.facts())
	require.NoError(r.t, err)
	r.keeper.Began("s1", a)
	synctest.Wait()
	return a
}

// change puts other policies in force.
func (r *rig) change(text string) {
	r.t.Helper()
	require.NoError(r.t, policy.Errors(policy.Inspect(text)), text)
	r.rules.mu.Lock()
	r.rules.text, r.rules.revision = text, r.rules.revision+1
	r.rules.mu.Unlock()
	require.NoError(r.t, r.engine.Load(r.t.Context()))
	synctest.Wait()
}

func (r *rig) set(change func()) {
	r.mu.Lock()
	change()
	r.mu.Unlock()
	r.keeper.Poke()
	synctest.Wait()
}

// want compares what happened in the session since the last time, each with the time since the beginning.
func (r *rig) want(lines ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.journal
	r.journal = nil
	if len(lines) == 0 {
		require.Empty(r.t, got)
		return
	}
	require.Equal(r.t, lines, got)
}

func (r *rig) note(format string, args ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.journal = append(r.journal, fmt.Sprintf("%v ", time.Since(r.start).Round(time.Second))+fmt.Sprintf(format, args...))
	return nil
}

func (r *rig) Announce(_ context.Context, _ string, e Ending) error {
	if e.Code == "" {
		return r.note("goes on")
	}
	return r.note("%s in %v", e.Code, time.Until(e.Deadline).Round(time.Second))
}

func (r *rig) Permit(_ context.Context, _ string, c Clipboard) error {
	return r.note("clipboard %t %t", c.ToTarget, c.FromTarget)
}

func (r *rig) Terminate(_ context.Context, id, code, _ string) error {
	r.keeper.Ended(id)
	return r.note("ended %s", code)
}

func (r *rig) Subject(context.Context, string) (policy.Subject, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.disabled {
		return policy.Subject{}, ErrDisabled
	}
	return r.person, r.failing
}
