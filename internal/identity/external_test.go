package identity

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

func (f fixture) external(t *testing.T, e ExternalIdentity) (SignIn, error) {
	t.Helper()
	return f.SignInExternal(t.Context(), e, "192.0.2.1", "browser", "")
}

func TestSignInExternal(t *testing.T) {
	f := newFixture(t)
	f.create(t, "alice", policy.Administrator)
	m := Mapping{
		Roles: []policy.Role{policy.Member},
		Rules: []MappingRule{{Group: "ops", Groups: []string{"Operators"}, Roles: []policy.Role{policy.Supervisor}}, {Group: "*", Groups: []string{"Everybody"}}},
	}
	carol := ExternalIdentity{
		Source: "oidc:corp", Subject: "42", Name: "Carol Ünal", DisplayName: "Carol\x00 Ünal", Email: "carol@x.test", Groups: []string{"ops", "other"}, MFA: true, Mapping: m,
	}
	in, err := f.external(t, carol)
	require.NoError(t, err)
	require.Equal(t, "carol--nal", in.Subject.Name)
	require.Equal(t, []policy.Role{policy.Supervisor, policy.Member}, in.Subject.Roles)
	require.Equal(t, []string{"Everybody", "Operators"}, in.Subject.Groups)
	require.Equal(t, f.clock.now(), in.Subject.MFAAt)
	who, err := f.Authenticate(t.Context(), in.Token)
	require.NoError(t, err)
	require.Equal(t, in.Subject, who.Subject)
	u, err := f.User(t.Context(), in.Subject.ID)
	require.NoError(t, err)
	require.Equal(t, "Carol Ünal", u.DisplayName)
	require.Empty(t, u.GivenRoles)

	// The next sign-in gives what the mapping yields then; what was given here stays.
	_, err = f.UpdateUser(t.Context(), u.ID, Change{Roles: &[]policy.Role{policy.Reviewer}})
	require.NoError(t, err)
	carol.Groups, carol.Name, carol.MFA, carol.Email = nil, "renamed", false, "not an address"
	in, err = f.external(t, carol)
	require.NoError(t, err)
	require.Equal(t, u.ID, in.Subject.ID, "found by subject")
	require.Equal(t, "carol--nal", in.Subject.Name)
	require.Equal(t, []policy.Role{policy.Reviewer, policy.Member}, in.Subject.Roles)
	require.Equal(t, []string{"Everybody"}, in.Subject.Groups)
	require.Zero(t, in.Subject.MFAAt)

	// No password here, and no way to set one.
	require.ErrorIs(t, f.SetPassword(t.Context(), u.ID, "a password of hers", false), ErrNotLocal)
	require.ErrorIs(t, f.ChangePassword(t.Context(), u.ID, "x", "a password of hers", "s", ""), ErrNotLocal)
	_, err = f.SignIn(t.Context(), "carol--nal", "", "s", "", "")
	require.ErrorIs(t, err, ErrBadCredentials)

	_, err = f.UpdateUser(t.Context(), u.ID, Change{Disabled: new(true)})
	require.NoError(t, err)
	_, err = f.Authenticate(t.Context(), in.Token)
	require.ErrorIs(t, err, ErrNotSignedIn)
	_, err = f.external(t, carol)
	require.ErrorIs(t, err, ErrUserDisabled)
}

// TestNobodyIsTakenOver: a provider's user with somebody's name or address is another user.
func TestNobodyIsTakenOver(t *testing.T) {
	f := newFixture(t)
	alice := f.create(t, "alice", policy.Administrator)
	_, err := f.UpdateUser(t.Context(), alice.ID, Change{Email: new("alice@x.test")})
	require.NoError(t, err)
	in, err := f.external(t, ExternalIdentity{Source: "oidc:corp", Subject: "1", Name: "alice", Email: "alice@x.test"})
	require.NoError(t, err)
	require.NotEqual(t, alice.ID, in.Subject.ID)
	require.Equal(t, "alice@corp", in.Subject.Name)
	require.Empty(t, in.Subject.Roles)
	other, err := f.external(t, ExternalIdentity{Source: "ldap:corp", Subject: "1", Name: "bob"})
	require.NoError(t, err)
	require.NotEqual(t, in.Subject.ID, other.Subject.ID, "another source's subject is another person")
	_, err = f.external(t, ExternalIdentity{Source: "oidc:corp", Subject: "2", Name: "alice"})
	require.ErrorIs(t, err, ErrNameTaken)
	for name, e := range map[string]ExternalIdentity{
		"no subject": {Source: "oidc:corp", Name: "x"}, "no source": {Subject: "1", Name: "x"}, "local": {Source: "local", Subject: "1", Name: "x"},
		"no name": {Source: "oidc:corp", Subject: "3", Name: "…"}, "an odd role": {Source: "oidc:corp", Subject: "4", Name: "odd", Mapping: Mapping{Roles: []policy.Role{"god"}}},
	} {
		_, err := f.external(t, e)
		require.Error(t, err, name)
	}
	long, err := f.external(t, ExternalIdentity{Source: "oidc:corp", Subject: "5", Name: strings.Repeat("aé", 500)})
	require.NoError(t, err)
	require.LessOrEqual(t, len(long.Subject.Name), MaxNameBytes)
}

// TestProviderCannotLockOut: the last administrator stays one, whatever the provider says.
func TestProviderCannotLockOut(t *testing.T) {
	f := newFixture(t)
	admin := Mapping{Rules: []MappingRule{{Group: "admins", Roles: []policy.Role{policy.Administrator}}}}
	e := ExternalIdentity{Source: "oidc:corp", Subject: "1", Name: "ada", Groups: []string{"admins"}, Mapping: admin}
	_, err := f.external(t, e)
	require.NoError(t, err)
	e.Groups = nil
	in, err := f.external(t, e)
	require.NoError(t, err)
	require.Equal(t, []policy.Role{policy.Administrator}, in.Subject.Roles)
	f.create(t, "eve", policy.Administrator)
	in, err = f.external(t, e)
	require.NoError(t, err)
	require.Empty(t, in.Subject.Roles)
}

// TestFirstExternalSignInsAtOnce make one user.
func TestFirstExternalSignInsAtOnce(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	ids := make([]string, 6)
	for i := range ids {
		wg.Go(func() {
			in, err := f.SignInExternal(t.Context(), ExternalIdentity{
				Source: "ldap:ad", Subject: "s", Name: "dave", Groups: []string{"g"}, Mapping: Mapping{AllGroups: true},
			}, "192.0.2.1", "", "")
			if err != nil {
				t.Error(err)
			}
			ids[i] = in.Subject.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
}
