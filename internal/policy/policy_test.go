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
			d, err := Permissions{}.Authorize(t.Context(), Query{Subject: tc.subject, Action: tc.action})
			require.NoError(t, err)
			require.Equal(t, tc.want, d.Allowed)
			require.NotEmpty(t, d.Reason)
		})
	}
}

type broken struct{}

func (broken) Authorize(context.Context, Query) (Decision, error) {
	return Decision{Allowed: true}, errors.New("engine down")
}

func TestCheck(t *testing.T) {
	d, err := Check(t.Context(), Permissions{}, Query{Subject: Subject{ID: "1", Permissions: All()}, Action: Connect})
	require.NoError(t, err)
	require.True(t, d.Allowed)
	_, err = Check(t.Context(), Permissions{}, Query{Subject: Subject{ID: "1", Name: "bob"}, Action: Connect})
	denied, ok := errors.AsType[*DeniedError](err)
	require.True(t, ok)
	require.Equal(t, Connect, denied.Action)
	require.Contains(t, denied.Reason, "bob")
	_, err = Check(t.Context(), broken{}, Query{Subject: Subject{ID: "1"}, Action: Connect})
	require.ErrorContains(t, err, "engine down")
}
