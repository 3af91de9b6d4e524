package access

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

// crowd counts what a test says.
type crowd struct {
	mine, there int
	err         error
}

func (c *crowd) OfPerson(context.Context, string, string) (int, error) { return c.mine, c.err }
func (c *crowd) OnTarget(context.Context, string, string) (int, error) { return c.there, c.err }

const limited = `@max_sessions("2") @max_target_sessions("3")
	permit (principal in Role::"user", action in [Action::"connect", Action::"clipboard"], resource);`

func TestCrowded(t *testing.T) {
	for _, tt := range []struct {
		name, text  string
		mine, there int
		want        *CrowdedError
	}{
		{"room", limited, 1, 2, nil},
		{"the person's", limited, 2, 2, &CrowdedError{Most: 2}},
		{"the target's", limited, 1, 3, &CrowdedError{Target: true, Most: 3}},
		{"without a limit", always, 99, 99, nil},
		{"the stricter", limited + "\n" + `@max_sessions("1") permit (principal in Role::"user", action == Action::"connect", resource);`, 1, 0, &CrowdedError{Most: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inRig(t, tt.text, func(r *rig) {
				r.desk.Crowd = &crowd{mine: tt.mine, there: tt.there}
				_, err := r.desk.Admit(t.Context(), r.facts())
				if tt.want == nil {
					require.NoError(t, err)
					return
				}
				found, ok := errors.AsType[*CrowdedError](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, tt.want, found)
				require.NotEmpty(t, found.Detail())
				approvals, err := r.desk.Approvals(t.Context(), r.facts())
				require.NoError(t, err)
				require.Zero(t, approvals, "no approval helps")
			})
		})
	}
	inRig(t, limited, func(r *rig) {
		down := errors.New("down")
		r.desk.Crowd = &crowd{err: down}
		_, err := r.desk.Admit(t.Context(), r.facts())
		require.ErrorIs(t, err, down, "what cannot be counted is not let in")
	})
}

// TestLimitIsLowered: the sessions beyond it end after a warning, unless another ends first.
func TestLimitIsLowered(t *testing.T) {
	inRig(t, always, func(r *rig) {
		others := &crowd{mine: 1}
		r.desk.Crowd = others
		r.begin()
		r.change(`@max_sessions("1") ` + always)
		r.want("0s session_limit in 1m0s")
		time.Sleep(30 * time.Second)
		r.want()
		r.set(func() { others.mine = 0 })
		r.want("30s goes on")
		r.set(func() { others.mine = 1 })
		r.want("30s session_limit in 1m0s")
		time.Sleep(time.Minute + time.Second)
		r.want("1m30s ended session_limit")
	})
}

func TestObligationsOfNumbers(t *testing.T) {
	for _, text := range []string{`@max_sessions("0")`, `@max_sessions("many")`, `@max_target_sessions("-1")`, `@max_target_sessions("1001")`} {
		require.Error(t, policy.Errors(policy.Inspect(text+` permit (principal, action == Action::"connect", resource);`)), text)
	}
	require.Equal(t, []string{"ends after 1h", "at most 2 sessions of a person at a time", "at most 1 session on the target at a time"},
		policy.Obligations{MaxDuration: time.Hour, MaxSessions: 2, MaxTargetSessions: 1}.List())
}
