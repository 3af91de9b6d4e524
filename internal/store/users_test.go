package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func addUser(t *testing.T, s *store.Store, id string, roles ...string) store.User {
	t.Helper()
	u := store.User{ID: id, Name: "name-" + id, PasswordHash: "h", CreatedAt: epoch, PasswordAt: epoch, Source: store.SourceLocal}
	require.NoError(t, s.Users.Create(t.Context(), u, roles...))
	return u
}

// TestUsersOfThePreviousRelease: everybody could do everything, so everybody becomes an administrator.
func TestUsersOfThePreviousRelease(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		ctx := t.Context()
		schema2(t, source)
		s := storetest.Open(t, source)
		users, err := s.Users.List(ctx, store.UserFilter{Query: "ADM", Role: store.RoleAdministrator, Limit: 5})
		require.NoError(t, err)
		require.Len(t, users, 1)
		require.Equal(t, store.SourceLocal, users[0].Source)
		require.Zero(t, users[0].LastSignInAt)
		list, err := s.BrowserSessions.OfUser(ctx, users[0].ID)
		require.NoError(t, err)
		require.NotEmpty(t, list)
		for _, b := range list {
			require.NotContains(t, b.TokenHash, b.ID)
			require.Equal(t, "password", b.Method)
			require.NoError(t, s.BrowserSessions.Revoke(ctx, users[0].ID, b.ID))
		}
	})
}

func TestExternalUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addUser(t, s, "a")
		addUser(t, s, "b") // several local users have no subject
		u := store.User{ID: "x", Name: "x", Source: "oidc:corp", ExternalSubject: "42", CreatedAt: epoch, PasswordAt: epoch}
		require.NoError(t, s.Users.Create(ctx, u))
		got, err := s.Users.ByExternal(ctx, "oidc:corp", "42")
		require.NoError(t, err)
		require.Equal(t, u, got)
		_, err = s.Users.ByExternal(ctx, "oidc:other", "42")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorIs(t, s.Users.Create(ctx, store.User{ID: "y", Name: "y", Source: "oidc:corp", ExternalSubject: "42"}), store.ErrExists)
		require.NoError(t, s.Users.Create(ctx, store.User{ID: "z", Name: "z", Source: "ldap:corp", ExternalSubject: "42"}))
	})
}

func TestListUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		for _, u := range []store.User{
			{ID: "1", Name: "ada", DisplayName: "Ada Lovelace", Email: "ada@Example.test"}, {ID: "2", Name: "bob_b", DisplayName: "Åke"}, {ID: "3", Name: "bobxb"}, {ID: "4", Name: "cy"},
		} {
			require.NoError(t, s.Users.Create(ctx, u, "user"))
		}
		require.NoError(t, s.Users.SetRoles(ctx, "4", store.SourceLocal, []string{"reviewer", "user", "user"}))
		require.NoError(t, s.Groups.Create(ctx, store.Group{ID: "g", Name: "G", CreatedAt: epoch}))
		require.NoError(t, s.Groups.Add(ctx, "g", "3"))
		for _, tc := range []struct {
			name   string
			filter store.UserFilter
			want   string
		}{
			{"all", store.UserFilter{Limit: 9}, "1 2 3 4"},
			{"a page", store.UserFilter{Limit: 2}, "1 2"},
			{"the next", store.UserFilter{Limit: 2, After: "bob_b"}, "3 4"},
			{"display name", store.UserFilter{Limit: 9, Query: "LOVE"}, "1"},
			{"e-mail", store.UserFilter{Limit: 9, Query: "example"}, "1"},
			{"beyond ASCII", store.UserFilter{Limit: 9, Query: "åKE"}, "2"},
			{"signs of LIKE are letters", store.UserFilter{Limit: 9, Query: "b_b"}, "2"},
			{"nothing", store.UserFilter{Limit: 9, Query: "%"}, ""},
			{"role", store.UserFilter{Limit: 9, Role: "reviewer"}, "4"},
			{"group", store.UserFilter{Limit: 9, Group: "g"}, "3"},
			{"all at once", store.UserFilter{Limit: 9, Group: "g", Role: "user", Query: "bob", After: "a"}, "3"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				list, err := s.Users.List(ctx, tc.filter)
				require.NoError(t, err)
				var ids []string
				for _, u := range list {
					ids = append(ids, u.ID)
				}
				require.Equal(t, tc.want, strings.Join(ids, " "))
			})
		}
		require.NoError(t, s.Users.SetProfile(ctx, "cy", store.Profile{DisplayName: "Cyrano", Email: "c@x.test"}))
		list, err := s.Users.List(ctx, store.UserFilter{Limit: 9, Query: "cyrano"})
		require.NoError(t, err)
		require.Equal(t, "c@x.test", list[0].Email)
	})
}

func TestLastAdministrator(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addUser(t, s, "a", store.RoleAdministrator, "user")
		addUser(t, s, "b", store.RoleAdministrator)
		require.NoError(t, s.Users.SetDisabled(ctx, "b", true))
		for name, change := range map[string]func() error{
			"demoted":  func() error { return s.Users.SetRoles(ctx, "a", store.SourceLocal, []string{"user"}) },
			"disabled": func() error { return s.Users.SetDisabled(ctx, "a", true) },
			"deleted":  func() error { return s.Users.Delete(ctx, "a") },
		} {
			require.ErrorIs(t, change(), store.ErrLastAdministrator, name)
		}
		m, err := s.Users.Memberships(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, []string{store.RoleAdministrator, "user"}, m.Roles, "nothing of a refused change stays")
		require.NoError(t, s.Users.SetDisabled(ctx, "b", false))
		require.NoError(t, s.Users.Delete(ctx, "a"))
		require.ErrorIs(t, s.Users.Delete(ctx, "a"), store.ErrNotFound)
		require.ErrorIs(t, s.Users.SetDisabled(ctx, "a", true), store.ErrNotFound)
		require.ErrorIs(t, s.Users.SetRoles(ctx, "a", store.SourceLocal, nil), store.ErrNotFound)
	})
}

// TestAdministratorsDemoteEachOther: of all who take the role from each other at once, one keeps it.
func TestAdministratorsDemoteEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		for round := range 5 {
			ids := []string{fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round), fmt.Sprintf("c%d", round)}
			for _, id := range ids {
				addUser(t, s, id, store.RoleAdministrator)
			}
			if round > 0 { // whoever was left over last time
				list, err := s.Users.List(ctx, store.UserFilter{Role: store.RoleAdministrator, Limit: 9})
				require.NoError(t, err)
				for _, u := range list {
					if !strings.HasSuffix(u.ID, fmt.Sprint(round)) {
						require.NoError(t, s.Users.Delete(ctx, u.ID))
					}
				}
			}
			errs := make([]error, len(ids))
			var wg sync.WaitGroup
			for i, id := range ids {
				wg.Go(func() { errs[i] = s.Users.SetRoles(ctx, id, store.SourceLocal, nil) })
			}
			wg.Wait()
			refused := 0
			for _, err := range errs {
				if err != nil {
					require.ErrorIs(t, err, store.ErrLastAdministrator)
					refused++
				}
			}
			require.Equal(t, 1, refused)
			list, err := s.Users.List(ctx, store.UserFilter{Role: store.RoleAdministrator, Limit: 9})
			require.NoError(t, err)
			require.Len(t, list, 1)
		}
	})
}

func TestCreateFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.Users.CreateFirst(ctx, store.User{ID: fmt.Sprint(i), Name: fmt.Sprint(i)}, store.RoleAdministrator)
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else {
				require.ErrorIs(t, err, store.ErrExists)
			}
		}
		require.Equal(t, 1, made)
		n, err := s.Users.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

// TestSourcesKeepToTheirOwn: what a provider says and what was given here do not touch each other.
func TestSourcesKeepToTheirOwn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addUser(t, s, "u", "user")
		require.NoError(t, s.Groups.Create(ctx, store.Group{ID: "g1", Name: "One", CreatedAt: epoch}))
		require.NoError(t, s.Groups.Create(ctx, store.Group{ID: "g2", Name: "Two", CreatedAt: epoch, Source: "oidc:c"}))
		require.NoError(t, s.Users.SetRoles(ctx, "u", "oidc:c", []string{"user", "reviewer"}))
		require.NoError(t, s.Groups.SetOf(ctx, "u", "oidc:c", []string{"g1", "g2", "g2"}))
		require.NoError(t, s.Groups.Add(ctx, "g1", "u"))
		require.NoError(t, s.Groups.Add(ctx, "g1", "u"), "twice is once")
		m, err := s.Users.Memberships(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, store.Memberships{
			Roles: []string{"reviewer", "user"}, GivenRoles: []string{"user"},
			Groups: []string{"One", "Two"}, GroupIDs: []string{"g1", "g2"}, GivenGroups: []string{"g1"},
		}, m)
		g, err := s.Groups.ByID(ctx, "g1")
		require.NoError(t, err)
		require.Equal(t, store.Group{ID: "g1", Name: "One", Source: store.SourceLocal, CreatedAt: epoch, Members: 1}, g)

		require.ErrorIs(t, s.Groups.Remove(ctx, "g2", "u"), store.ErrNotFound, "it was not given here")
		require.NoError(t, s.Groups.SetOf(ctx, "u", "oidc:c", nil))
		require.NoError(t, s.Users.SetRoles(ctx, "u", "oidc:c", nil))
		m, err = s.Users.Memberships(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, []string{"user"}, m.Roles)
		require.Equal(t, []string{"One"}, m.Groups)
		none, err := s.Users.MembershipsOf(ctx, nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addUser(t, s, "u")
		for i, name := range []string{"Night shift", "admins", "Östra"} {
			require.NoError(t, s.Groups.Create(ctx, store.Group{ID: fmt.Sprint(i), Name: name, Description: "D" + name, CreatedAt: epoch}))
		}
		require.ErrorIs(t, s.Groups.Create(ctx, store.Group{ID: "9", Name: "admins"}), store.ErrExists)
		require.ErrorIs(t, s.Groups.Update(ctx, "0", "admins", ""), store.ErrExists)
		require.ErrorIs(t, s.Groups.Update(ctx, "9", "x", ""), store.ErrNotFound)
		require.NoError(t, s.Groups.Update(ctx, "0", "Day shift", "days"))
		g, err := s.Groups.ByName(ctx, "Day shift")
		require.NoError(t, err)
		require.Equal(t, "days", g.Description)
		list, err := s.Groups.List(ctx, store.GroupFilter{Limit: 2})
		require.NoError(t, err)
		require.Len(t, list, 2)
		list, err = s.Groups.List(ctx, store.GroupFilter{Limit: 5, After: list[1].Name})
		require.NoError(t, err)
		require.Len(t, list, 1)
		list, err = s.Groups.List(ctx, store.GroupFilter{Limit: 5, Query: "öST"})
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.ErrorIs(t, s.Groups.Add(ctx, "0", "nobody"), store.ErrNotFound)
		require.ErrorIs(t, s.Groups.Add(ctx, "nothing", "u"), store.ErrNotFound)
		require.NoError(t, s.Groups.Add(ctx, "0", "u"))
		require.NoError(t, s.Groups.Delete(ctx, "0"))
		require.ErrorIs(t, s.Groups.Delete(ctx, "0"), store.ErrNotFound)
		_, err = s.Users.ByID(ctx, "u")
		require.NoError(t, err, "members stay users")
	})
}

func TestAPITokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addUser(t, s, "u")
		addUser(t, s, "v")
		tok := store.APIToken{ID: "1", UserID: "u", Name: "ci", TokenHash: "h1", Scopes: []string{"connect", "clipboard::to_target"}, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}
		require.NoError(t, s.APITokens.Create(ctx, tok, 2))
		require.ErrorIs(t, s.APITokens.Create(ctx, store.APIToken{ID: "2", UserID: "u", TokenHash: "h1"}, 2), store.ErrExists)
		require.NoError(t, s.APITokens.Create(ctx, store.APIToken{ID: "2", UserID: "u", TokenHash: "h2", CreatedAt: epoch.Add(time.Second), ExpiresAt: epoch.Add(2 * time.Hour)}, 2))
		require.ErrorIs(t, s.APITokens.Create(ctx, store.APIToken{ID: "3", UserID: "u", TokenHash: "h3"}, 2), store.ErrTooMany)
		require.NoError(t, s.APITokens.Create(ctx, store.APIToken{ID: "3", UserID: "v", TokenHash: "h3", ExpiresAt: epoch.Add(9 * time.Hour)}, 2))
		got, err := s.APITokens.ByHash(ctx, "h1")
		require.NoError(t, err)
		require.Equal(t, tok, got)
		require.NoError(t, s.APITokens.Used(ctx, "1", epoch.Add(time.Minute), "192.0.2.1"))
		list, err := s.APITokens.OfUser(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, "2", list[0].ID, "newest first")
		require.Equal(t, epoch.Add(time.Minute), list[1].LastUsedAt)
		require.Equal(t, "192.0.2.1", list[1].LastAddress)
		require.ErrorIs(t, s.APITokens.Delete(ctx, "v", "1"), store.ErrNotFound, "somebody else's")
		require.NoError(t, s.APITokens.Delete(ctx, "u", "1"))
		n, err := s.APITokens.DeleteExpired(ctx, epoch.Add(2*time.Hour))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.NoError(t, s.APITokens.DeleteOfUser(ctx, "v"))
		_, err = s.APITokens.ByHash(ctx, "h3")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

func TestDeletingAUserEndsEverything(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addUser(t, s, "u")
		require.NoError(t, s.BrowserSessions.Create(ctx, store.BrowserSession{ID: "b", TokenHash: "t", UserID: "u"}))
		require.NoError(t, s.APITokens.Create(ctx, store.APIToken{ID: "a", TokenHash: "h", UserID: "u"}, 1))
		require.NoError(t, s.Groups.Create(ctx, store.Group{ID: "g", Name: "g"}))
		require.NoError(t, s.Groups.Add(ctx, "g", "u"))
		require.NoError(t, s.Users.Remember(ctx, "u", "192.0.2.1", epoch))
		require.NoError(t, s.Users.Delete(ctx, "u"))
		for _, table := range []string{"browser_sessions", "api_tokens", "group_members", "user_roles", "known_sources"} {
			var n int
			require.NoError(t, storetest.Raw(t, s).QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n))
			require.Zero(t, n, table)
		}
	})
}

func TestLocksAndKnownSources(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		u := addUser(t, s, "u")
		for want := 1; want <= 3; want++ {
			n, err := s.Users.Failed(ctx, "u")
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		_, err := s.Users.Failed(ctx, "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, s.Users.Lock(ctx, "u", epoch.Add(time.Hour)))
		require.NoError(t, s.Users.Lock(ctx, "u", epoch), "never shorter")
		got, err := s.Users.ByID(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, epoch.Add(time.Hour), got.LockedUntil)
		require.NoError(t, s.Users.Unlock(ctx, "u"))
		got, err = s.Users.ByID(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, u, got)
		require.NoError(t, s.Users.Lock(ctx, "u", epoch.Add(time.Hour)))
		require.NoError(t, s.Users.SignedIn(ctx, "u", epoch))
		got, err = s.Users.ByID(ctx, "u")
		require.NoError(t, err)
		require.Zero(t, got.LockedUntil)
		require.Equal(t, epoch, got.LastSignInAt)

		known, err := s.Users.Knows(ctx, u.Name, "192.0.2.1")
		require.NoError(t, err)
		require.False(t, known)
		require.NoError(t, s.Users.Remember(ctx, "u", "192.0.2.1", epoch))
		require.NoError(t, s.Users.Remember(ctx, "u", "192.0.2.1", epoch.Add(time.Hour)))
		known, err = s.Users.Knows(ctx, u.Name, "192.0.2.1")
		require.NoError(t, err)
		require.True(t, known)
		n, err := s.Users.ForgetSources(ctx, epoch.Add(time.Minute))
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = s.Users.ForgetSources(ctx, epoch.Add(2*time.Hour))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestRenewHash(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addUser(t, s, "u")
		require.NoError(t, s.Users.RenewHash(ctx, "u", "another", "h9"))
		require.NoError(t, s.Users.RenewHash(ctx, "u", "h", "h2"))
		got, err := s.Users.ByID(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, "h2", got.PasswordHash)
		require.Equal(t, epoch, got.PasswordAt)
	})
}
