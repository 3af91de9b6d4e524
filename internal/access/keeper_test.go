package access

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

const (
	always    = `permit (principal in Role::"user", action in [Action::"connect", Action::"clipboard"], resource);`
	nineToTen = `permit (principal in Role::"user", action == Action::"connect", resource) when { context.minutes < 10 };
		permit (principal, action in Action::"clipboard", resource);`
	approved = `@approvals("1") permit (principal in Role::"user", action == Action::"connect", resource) when { context.approved };
		permit (principal, action in Action::"clipboard", resource);`
)

func TestNothingHappens(t *testing.T) {
	inRig(t, always, func(r *rig) {
		r.begin()
		time.Sleep(time.Hour)
		r.want()
	})
}

// TestWindowCloses: the session ends to the second when its window does, after a warning.
func TestWindowCloses(t *testing.T) {
	inRig(t, nineToTen, func(r *rig) {
		r.begin()
		time.Sleep(9*time.Minute - lookInterval)
		r.want()
		time.Sleep(lookInterval)
		r.want("9m0s window_closed in 1m0s")
		time.Sleep(time.Minute - time.Second)
		r.want()
		time.Sleep(2 * time.Second)
		r.want("10m0s ended window_closed")
		time.Sleep(time.Hour)
		r.want()
	})
}

// TestWindowIsWidened: a reason that goes away takes its warning with it.
func TestWindowIsWidened(t *testing.T) {
	inRig(t, nineToTen, func(r *rig) {
		r.begin()
		time.Sleep(9*time.Minute + 30*time.Second)
		r.want("9m0s window_closed in 1m0s")
		r.change(always)
		r.want("9m30s goes on")
		time.Sleep(time.Hour)
		r.want()
	})
}

func TestPolicyIsRevoked(t *testing.T) {
	inRig(t, always, func(r *rig) {
		r.begin()
		time.Sleep(time.Minute)
		r.change(`forbid (principal == User::"u1", action == Action::"connect", resource);` + always)
		r.want("1m0s policy_revoked in 15s")
		time.Sleep(14 * time.Second)
		r.want()
		time.Sleep(time.Second)
		r.want("1m15s ended policy_revoked")
	})
}

// meanwhile is policy that does something after it has decided, once.
type meanwhile struct {
	policy.Authorizer
	then func()
}

func (m *meanwhile) Authorize(ctx context.Context, q policy.Query) (policy.Decision, error) {
	d, err := m.Authorizer.Authorize(ctx, q)
	if then := m.then; then != nil {
		m.then = nil
		then()
	}
	return d, err
}

// TestPolicyIsRevokedMeanwhile: policies change between two questions of one look, of which the first was answered by the old ones. That
// is no window which closes now.
func TestPolicyIsRevokedMeanwhile(t *testing.T) {
	inRig(t, always, func(r *rig) {
		r.begin()
		time.Sleep(time.Minute)
		synctest.Wait()
		r.desk.Authorizer = &meanwhile{r.engine, func() {
			r.rules.mu.Lock()
			r.rules.text, r.rules.revision = `forbid (principal, action == Action::"connect", resource);`+always, r.rules.revision+1
			r.rules.mu.Unlock()
			require.NoError(t, r.engine.Load(t.Context()))
		}}
		r.keeper.Poke()
		r.want("1m0s policy_revoked in 15s")
		time.Sleep(15 * time.Second)
		r.want("1m15s ended policy_revoked")
	})
}

// TestRolesChange: also what another process has changed is seen within seconds.
func TestRolesChange(t *testing.T) {
	inRig(t, always, func(r *rig) {
		r.begin()
		time.Sleep(time.Minute + time.Second)
		r.mu.Lock()
		r.person.Roles = []policy.Role{policy.Reviewer}
		r.mu.Unlock()
		time.Sleep(10 * time.Second)
		r.want("1m3s policy_revoked in 15s")
		r.set(func() { r.person.Roles = []policy.Role{policy.Member} })
		r.want("1m11s goes on")
		r.set(func() { r.disabled = true })
		time.Sleep(time.Minute)
		r.want("1m11s user_disabled in 15s", "1m26s ended user_disabled")
	})
}

func TestTagsChange(t *testing.T) {
	inRig(t, `permit (principal, action, resource in Tag::"prod");`, func(r *rig) {
		r.begin()
		time.Sleep(time.Minute)
		r.set(func() { r.tags = []string{"lab"} })
		r.want("1m0s policy_revoked in 15s")
	})
}

func TestGrantEnds(t *testing.T) {
	inRig(t, approved, func(r *rig) {
		_, err := r.desk.Admit(t.Context(), r.facts())
		need, ok := errors.AsType[*NeededError](err)
		require.True(t, ok)
		require.Equal(t, NeedApproval, need.Code)
		require.Equal(t, 1, need.Approvals)

		r.grants.grant = &Grant{ID: "g", From: time.Now(), Until: time.Now().Add(time.Hour), Approvals: 1}
		a := r.begin()
		require.Equal(t, "g", a.Grant.ID)
		time.Sleep(2 * time.Hour)
		r.want("59m0s window_closed in 1m0s", "1h0m0s ended window_closed")
	})
	inRig(t, approved, func(r *rig) {
		r.grants.grant = &Grant{ID: "g", From: time.Now(), Until: time.Now().Add(time.Hour), Approvals: 1}
		r.begin()
		time.Sleep(time.Minute)
		r.grants.mu.Lock()
		r.grants.ended, r.grants.grant.EndedBy = true, "bob"
		r.grants.mu.Unlock()
		r.keeper.Poke()
		time.Sleep(time.Minute)
		r.want("1m0s policy_revoked in 15s", "1m15s ended policy_revoked")
	})
	inRig(t, approved, func(r *rig) { // a grant that is made longer
		r.grants.grant = &Grant{ID: "g", From: time.Now(), Until: time.Now().Add(time.Hour), Approvals: 1}
		r.begin()
		time.Sleep(59*time.Minute + 30*time.Second)
		r.grants.mu.Lock()
		r.grants.grant.Until = r.grants.grant.Until.Add(20 * time.Second)
		r.grants.mu.Unlock()
		r.keeper.Poke()
		time.Sleep(time.Minute)
		r.want("59m0s window_closed in 1m0s", "59m30s window_closed in 50s", "1h0m20s ended window_closed")
	})
}

// TestGrantIsNotNeeded: who may connect anyway neither uses up a grant nor ends with it.
func TestGrantIsNotNeeded(t *testing.T) {
	inRig(t, always, func(r *rig) {
		r.grants.grant = &Grant{ID: "g", From: time.Now(), Until: time.Now().Add(time.Hour), Approvals: 1}
		require.Nil(t, r.begin().Grant)
		time.Sleep(2 * time.Hour)
		r.want()
	})
}

func TestMaxDuration(t *testing.T) {
	inRig(t, `@max_duration("30m") `+always, func(r *rig) {
		r.begin()
		time.Sleep(time.Hour)
		r.want("29m0s max_duration in 1m0s", "30m0s ended max_duration")
	})
	inRig(t, `@max_duration("4h") `+always, func(r *rig) { // shortened after the fact
		r.begin()
		time.Sleep(time.Hour)
		r.change(`@max_duration("30m") ` + always)
		r.want("1h0m0s max_duration in 15s")
		time.Sleep(time.Minute)
		r.want("1h0m15s ended max_duration")
	})
}

func TestClipboardChanges(t *testing.T) {
	inRig(t, always, func(r *rig) {
		require.Equal(t, Clipboard{true, true}, r.begin().Clipboard)
		r.change(always + `forbid (principal, action == Action::"clipboard::from_target", resource in Tag::"prod");`)
		r.want("0s clipboard true false")
		r.change(always)
		r.want("0s clipboard true true")
	})
}

// TestFactorStaysFresh: what was fresh enough to begin is fresh enough to go on.
func TestFactorStaysFresh(t *testing.T) {
	inRig(t, `permit (principal, action, resource) when { context has mfa_age && context.mfa_age < 300 && context.concurrent < 1 };`, func(r *rig) {
		_, err := r.desk.Admit(t.Context(), r.facts())
		need, ok := errors.AsType[*NeededError](err)
		require.True(t, ok)
		require.Equal(t, NeedMFA, need.Code)
		time.Sleep(time.Minute)
		r.person.MFAAt = time.Now()
		time.Sleep(4 * time.Minute)
		r.begin()
		time.Sleep(time.Hour)
		r.want()
	})
}

// TestUndecided: a store that cannot be read ends sessions after a grace, not before.
func TestUndecided(t *testing.T) {
	inRig(t, always, func(r *rig) {
		r.begin()
		r.set(func() { r.failing = errors.New("store down") })
		time.Sleep(UndecidedGrace - time.Second)
		r.want()
		r.set(func() { r.failing = nil })
		time.Sleep(10 * time.Minute)
		r.want()
		r.set(func() { r.failing = errors.New("store down") })
		time.Sleep(10 * time.Minute)
		r.want("19m59s policy_unavailable in 1m0s", "20m59s ended policy_unavailable")
	})
	inRig(t, always, func(r *rig) { // the policies' store: the engine's own grace, and none on top
		r.begin()
		r.rules.mu.Lock()
		r.rules.err = errors.New("store down")
		r.rules.mu.Unlock()
		time.Sleep(policy.StaleAfter - 3*time.Second)
		r.want()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.mu.Lock()
		require.Len(t, r.journal, 1)
		r.mu.Unlock()
		r.rules.mu.Lock()
		r.rules.err = nil
		r.rules.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.mu.Lock()
		require.Len(t, r.journal, 2)
		require.Contains(t, r.journal[1], "goes on")
		r.mu.Unlock()
	})
}
