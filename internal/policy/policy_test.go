package policy

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPermissions(t *testing.T) {
	for _, tc := range []struct {
		name    string
		subject Subject
		action  Action
		want    bool
	}{
		{"granted", Subject{ID: "1", Permissions: All()}, Export, true},
		{"not granted", Subject{ID: "1", Permissions: []Action{Connect}}, Export, false},
		{"nobody", Subject{Permissions: All()}, Connect, false},
		{"unknown action", Subject{ID: "1", Permissions: All()}, "fly", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := Permissions{}.Authorize(t.Context(), tc.subject, tc.action, Resource{})
			require.NoError(t, err)
			require.Equal(t, tc.want, d.Allowed)
			require.NotEmpty(t, d.Reason)
		})
	}
}

type broken struct{}

func (broken) Authorize(context.Context, Subject, Action, Resource) (Decision, error) {
	return Decision{Allowed: true}, errors.New("engine down")
}

func TestCheck(t *testing.T) {
	require.NoError(t, Check(t.Context(), Permissions{}, Subject{ID: "1", Permissions: All()}, Connect, Resource{}))
	err := Check(t.Context(), Permissions{}, Subject{ID: "1", Name: "bob"}, Connect, Resource{})
	denied, ok := errors.AsType[*DeniedError](err)
	require.True(t, ok)
	require.Equal(t, Connect, denied.Action)
	require.Contains(t, denied.Reason, "bob")
	require.ErrorContains(t, Check(t.Context(), broken{}, Subject{ID: "1"}, Connect, Resource{}), "engine down")
}
