package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// What callers tell apart of sign-ins vouched for elsewhere.
var (
	// ErrUserDisabled: the person may not sign in here, whatever their source says.
	ErrUserDisabled = errors.New("identity: the user is disabled")
	// ErrNameTaken: somebody else has the name, also with the source behind it.
	ErrNameTaken = errors.New("identity: another user has that name")
)

// ExternalIdentity is what a source says of a person who proved to it who they are.
type ExternalIdentity struct {
	Source      string   // oidc:NAME or ldap:NAME
	Subject     string   // what the source calls the person for ever; never an address or a name that is given to others
	Name        string   // wished for; folded, and with characters that names do not have replaced
	DisplayName string   // may be empty
	Email       string   // may be empty
	Groups      []string // as the source names them
	MFA         bool     // the source had a second factor proved
	Mapping     Mapping
}

// Mapping says what a source's groups mean here. Each sign-in gives exactly what the mapping yields then; what was given
// here stays.
type Mapping struct {
	Rules []MappingRule
	// Roles everybody of this source has.
	Roles []policy.Role
	// AllGroups makes people members of groups of the same names as those of the source, besides what Rules say.
	AllGroups bool
}

// MappingRule gives members of a source's group groups and roles of Vitrine.
type MappingRule struct {
	Group  string   // of the source; "*": everybody
	Groups []string // names; made when they are not there
	Roles  []policy.Role
}

// apply returns the names of groups and the roles, both sorted, each once.
func (m Mapping) apply(external []string) (groups []string, roles []policy.Role) {
	roles = slices.Clone(m.Roles)
	if m.AllGroups {
		groups = slices.Clone(external)
	}
	for _, r := range m.Rules {
		if r.Group == "*" || slices.Contains(external, r.Group) {
			groups, roles = append(groups, r.Groups...), append(roles, r.Roles...)
		}
	}
	slices.Sort(groups)
	slices.Sort(roles)
	return slices.Compact(groups), slices.Compact(roles)
}

// SignInExternal signs in a person a source vouches for, making or updating their user with what the mapping yields of
// groups and roles. A user is found by source and subject alone, never by name or e-mail address: no source can take
// over somebody else's user. The error may be ErrUserDisabled or ErrNameTaken.
func (s *Service) SignInExternal(ctx context.Context, e ExternalIdentity, source, userAgent, previous string) (SignIn, error) {
	u, err := s.admit(ctx, e)
	if err != nil {
		return SignIn{}, err
	}
	var mfaAt time.Time
	if e.MFA {
		mfaAt = s.now()
	}
	return s.proceed(ctx, u, e.Source, mfaAt, source, userAgent, previous)
}

// admit finds or makes the user of an identity and gives them what its mapping yields.
func (s *Service) admit(ctx context.Context, e ExternalIdentity) (store.User, error) {
	if e.Source == "" || e.Source == store.SourceLocal || e.Subject == "" {
		return store.User{}, fmt.Errorf("identity: external identity of source %q has no source or subject", e.Source)
	}
	u, err := s.external(ctx, e)
	if err != nil {
		return store.User{}, err
	}
	if u.Disabled {
		s.log.WarnContext(ctx, "sign-in refused", "user_id", u.ID, "method", e.Source)
		return store.User{}, ErrUserDisabled
	}
	return u, s.applyMapping(ctx, u, e)
}

// external finds or makes the user of an identity.
func (s *Service) external(ctx context.Context, e ExternalIdentity) (store.User, error) {
	profile := store.Profile{DisplayName: shorten(strings.Map(noControl, e.DisplayName), MaxDisplayName), Email: e.Email}
	if err := checkProfile(&profile); err != nil { // not the person's fault, and no reason to keep them out
		profile = store.Profile{}
	}
	u, err := s.users.ByExternal(ctx, e.Source, e.Subject)
	switch {
	case err == nil:
		if u.DisplayName != profile.DisplayName || u.Email != profile.Email {
			if err := s.users.SetProfile(ctx, u.Name, profile); err != nil {
				return store.User{}, fmt.Errorf("identity: update external user: %w", err)
			}
			u.DisplayName, u.Email = profile.DisplayName, profile.Email
		}
		return u, nil
	case !errors.Is(err, store.ErrNotFound):
		return store.User{}, fmt.Errorf("identity: external user: %w", err)
	}
	_, provider, _ := strings.Cut(e.Source, ":")
	name := externalName(e.Name)
	for _, candidate := range []string{name, shorten(name, MaxNameBytes-1-len(provider)) + "@" + strings.ToLower(provider)} {
		if !validName.MatchString(candidate) {
			continue
		}
		now := s.now()
		u = store.User{
			ID: uuid.NewString(), Name: candidate, DisplayName: profile.DisplayName, Email: profile.Email, PasswordAt: now,
			Source: e.Source, ExternalSubject: e.Subject, CreatedAt: now,
		}
		err := s.users.Create(ctx, u)
		if err == nil {
			s.log.InfoContext(ctx, "user created", "user_id", u.ID, "user_name", u.Name, "source", e.Source)
			return u, nil
		}
		if !errors.Is(err, store.ErrExists) {
			return store.User{}, fmt.Errorf("identity: create external user: %w", err)
		}
		// Perhaps the same person, signing in twice at once.
		if u, err := s.users.ByExternal(ctx, e.Source, e.Subject); err == nil {
			return u, nil
		}
	}
	return store.User{}, fmt.Errorf("%w: %s", ErrNameTaken, name)
}

// applyMapping gives a user what the mapping yields.
func (s *Service) applyMapping(ctx context.Context, u store.User, e ExternalIdentity) error {
	names, roles := e.Mapping.apply(e.Groups)
	for _, r := range roles {
		if err := checkRole(r); err != nil {
			return err
		}
	}
	err := s.users.SetRoles(ctx, u.ID, e.Source, roleNames(roles))
	if errors.Is(err, store.ErrLastAdministrator) {
		// Locked out of its own administration the gateway would be of no use to anybody.
		s.log.WarnContext(ctx, "the source no longer makes this user an administrator, but it is the last one",
			"user_id", u.ID, "user_name", u.Name, "source", e.Source)
	} else if err != nil {
		return s.changed(err)
	}
	var ids []string
	for _, name := range names {
		g, err := s.GroupByName(ctx, name)
		if errors.Is(err, ErrUnknownGroup) {
			g, err = s.createGroup(ctx, name, "", e.Source)
			if errors.Is(err, ErrExists) { // made by another at the same moment
				g, err = s.GroupByName(ctx, name)
			}
		}
		if _, odd := errors.AsType[*InvalidError](err); odd {
			s.log.WarnContext(ctx, "a group of the source cannot be one here", "source", e.Source, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		ids = append(ids, g.ID)
	}
	if err := s.groups.SetOf(ctx, u.ID, e.Source, ids); err != nil {
		return s.changed(err)
	}
	return nil
}

// externalName makes a name of what a source calls somebody.
func externalName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._@-", r) {
			return r
		}
		return '-'
	}, foldName(name))
	return shorten(strings.TrimLeft(name, "._@-"), MaxNameBytes)
}

func noControl(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}
