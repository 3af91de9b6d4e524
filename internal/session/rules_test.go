package session

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
)

// TestSetRules: rules that come while a session runs are tried from then on, also on what is half typed, and others no more.
func TestSetRules(t *testing.T) {
	set := func(action detect.Action, pattern string) *detect.Set {
		s, err := detect.Compile([]detect.Rule{{
			ID: "late", Name: "Late", Severity: detect.High, Action: action, Sources: []detect.Source{detect.Typed}, Any: []string{pattern},
		}}, nil)
		require.NoError(t, err)
		return s
	}
	for name, with := range map[string][]func(*rig){"without any before": nil, "with others before": {ruled}} {
		t.Run(name, func(t *testing.T) {
			inActive(t, func(r *rig) {
				if len(with) > 0 {
					r.typed("echo one")
				} else {
					require.NoError(r.t, r.s.SetRules(r.t.Context(), set(detect.ActionAlert, "nothing")))
					r.typed("echo one")
				}
				require.NoError(r.t, r.s.SetRules(r.t.Context(), set(detect.ActionFreeze, "^echo one two$")))
				r.typed(" two")
				require.ErrorIs(r.t, r.s.Input(r.t.Context(), ann, enter), RefusedByRule)
				synctest.Wait()
				require.Equal(r.t, StateFrozen, r.s.status.State)
			}, with...)
		})
	}
	inActive(t, func(r *rig) {
		require.NoError(r.t, r.s.SetRules(r.t.Context(), set(detect.ActionAlert, "^gone$")))
		none, err := detect.Compile(nil, nil)
		require.NoError(r.t, err)
		require.NoError(r.t, r.s.SetRules(r.t.Context(), none))
		r.typed("do-terminate")
		require.NoError(r.t, r.s.Input(r.t.Context(), ann, enter), "the rule is gone")
		r.running()
	}, ruled)
}
