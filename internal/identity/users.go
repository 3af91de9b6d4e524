package identity

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// FirstUser is the name of the first user where nobody chose another: in the demo, and of `vitrine user password admin`
// before the first start.
const FirstUser = "admin"

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,127}$`)

// User is a person with what they are and belong to.
type User struct {
	store.User
	store.Memberships
}

// NewUser is what a user is made from.
type NewUser struct {
	Name               string
	DisplayName        string // may be empty
	Email              string // may be empty
	Password           string
	MustChangePassword bool // at the first sign-in
	Roles              []policy.Role
	Groups             []string // ids
}

// Change is what to change of a user; nil: nothing.
type Change struct {
	DisplayName *string
	Email       *string
	Disabled    *bool
	Roles       *[]policy.Role // given here; those a source gives stay
	Groups      *[]string      // ids, given here; those a source gives stay
}

// EnsureFirstUser makes the user FirstUser, an administrator, with a random password when there is no user at all, and
// returns that password for the one time it is shown. Otherwise it returns "".
func (s *Service) EnsureFirstUser(ctx context.Context) (password string, err error) {
	password = NewPassword()
	_, err = s.createFirst(ctx, NewUser{Name: FirstUser, Password: password})
	if errors.Is(err, ErrSetupDone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return password, nil
}

// createFirst makes an administrator when there is no user at all, or returns ErrSetupDone.
func (s *Service) createFirst(ctx context.Context, n NewUser) (store.User, error) {
	u, err := s.newUser(ctx, n)
	if err != nil {
		return store.User{}, err
	}
	err = s.users.CreateFirst(ctx, u, string(policy.Administrator))
	if errors.Is(err, store.ErrExists) {
		return store.User{}, ErrSetupDone
	}
	if err != nil {
		return store.User{}, fmt.Errorf("identity: create first user: %w", err)
	}
	s.log.InfoContext(ctx, "first user created", "user_id", u.ID, "user_name", u.Name)
	return u, nil
}

// CreateUser adds a user. It returns ErrExists, a *WeakPasswordError or an *InvalidError for what the caller can mend.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (User, error) {
	for _, r := range n.Roles {
		if err := checkRole(r); err != nil {
			return User{}, err
		}
	}
	if err := s.checkGroups(ctx, n.Groups); err != nil {
		return User{}, err
	}
	u, err := s.newUser(ctx, n)
	if err != nil {
		return User{}, err
	}
	if err := s.users.Create(ctx, u, roleNames(n.Roles)...); err != nil {
		if errors.Is(err, store.ErrExists) {
			return User{}, ErrExists
		}
		return User{}, fmt.Errorf("identity: create user: %w", err)
	}
	if len(n.Groups) > 0 {
		if err := s.groups.SetOf(ctx, u.ID, store.SourceLocal, n.Groups); err != nil {
			return User{}, fmt.Errorf("identity: create user: %w", err)
		}
	}
	s.log.InfoContext(ctx, "user created", "user_id", u.ID, "user_name", u.Name)
	return s.User(ctx, u.ID)
}

func (s *Service) newUser(ctx context.Context, n NewUser) (store.User, error) {
	n.Name = foldName(n.Name)
	if !validName.MatchString(n.Name) {
		return store.User{}, &InvalidError{"name", fmt.Sprintf("A name has 1 to %d letters, digits, dots, dashes, underscores and @, and begins with a letter or digit.", MaxNameBytes)}
	}
	p := store.Profile{DisplayName: n.DisplayName, Email: n.Email}
	if err := checkProfile(&p); err != nil {
		return store.User{}, err
	}
	if err := s.checkNewPassword(n.Name, n.Password); err != nil {
		return store.User{}, err
	}
	hash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return store.User{}, err
	}
	now := s.now()
	return store.User{
		ID: uuid.NewString(), Name: n.Name, DisplayName: p.DisplayName, Email: p.Email, PasswordHash: hash, PasswordAt: now,
		MustChangePassword: n.MustChangePassword, Source: store.SourceLocal, CreatedAt: now,
	}, nil
}

// User returns the user of that id, or ErrUnknownUser.
func (s *Service) User(ctx context.Context, id string) (User, error) {
	u, err := s.user(ctx, id)
	if err != nil {
		return User{}, err
	}
	m, err := s.users.Memberships(ctx, id)
	if err != nil {
		return User{}, fmt.Errorf("identity: %w", err)
	}
	return User{u, m}, nil
}

// UserByName returns the user of that name, or ErrUnknownUser.
func (s *Service) UserByName(ctx context.Context, name string) (User, error) {
	u, err := s.users.ByName(ctx, foldName(name))
	if errors.Is(err, store.ErrNotFound) {
		return User{}, ErrUnknownUser
	}
	if err != nil {
		return User{}, fmt.Errorf("identity: %w", err)
	}
	return s.User(ctx, u.ID)
}

// ListUsers returns users by name.
func (s *Service) ListUsers(ctx context.Context, f store.UserFilter) ([]User, error) {
	list, err := s.users.List(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	ids := make([]string, len(list))
	for i, u := range list {
		ids[i] = u.ID
	}
	m, err := s.users.MembershipsOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	out := make([]User, len(list))
	for i, u := range list {
		out[i] = User{u, m[u.ID]}
	}
	return out, nil
}

// UpdateUser changes a user and returns them as they are then. Whoever is disabled is signed out, and their tokens end.
// It returns ErrLastAdministrator when nobody who can sign in would be left to administer, ErrUnknownUser or an
// *InvalidError.
func (s *Service) UpdateUser(ctx context.Context, id string, c Change) (User, error) {
	u, err := s.user(ctx, id)
	if err != nil {
		return User{}, err
	}
	p := store.Profile{DisplayName: orElse(c.DisplayName, u.DisplayName), Email: orElse(c.Email, u.Email)}
	if err := checkProfile(&p); err != nil {
		return User{}, err
	}
	for _, r := range orElse(c.Roles, nil) {
		if err := checkRole(r); err != nil {
			return User{}, err
		}
	}
	if err := s.checkGroups(ctx, orElse(c.Groups, nil)); err != nil {
		return User{}, err
	}
	if c.DisplayName != nil || c.Email != nil {
		if err := s.users.SetProfile(ctx, u.Name, p); err != nil {
			return User{}, s.changed(err)
		}
	}
	if c.Roles != nil {
		if err := s.users.SetRoles(ctx, id, store.SourceLocal, roleNames(*c.Roles)); err != nil {
			return User{}, s.changed(err)
		}
	}
	if c.Groups != nil {
		if err := s.groups.SetOf(ctx, id, store.SourceLocal, *c.Groups); err != nil {
			return User{}, s.changed(err)
		}
	}
	if c.Disabled != nil && *c.Disabled != u.Disabled {
		if err := s.users.SetDisabled(ctx, id, *c.Disabled); err != nil {
			return User{}, s.changed(err)
		}
		if *c.Disabled {
			if err := s.endAll(ctx, id, ""); err != nil {
				return User{}, err
			}
		}
	}
	s.log.InfoContext(ctx, "user changed", "user_id", id, "user_name", u.Name)
	return s.User(ctx, id)
}

// DeleteUser removes a user with their sign-ins and tokens. It returns ErrLastAdministrator or ErrUnknownUser.
func (s *Service) DeleteUser(ctx context.Context, id string) error {
	u, err := s.user(ctx, id)
	if err != nil {
		return err
	}
	if err := s.users.Delete(ctx, id); err != nil {
		return s.changed(err)
	}
	s.log.InfoContext(ctx, "user deleted", "user_id", id, "user_name", u.Name)
	return nil
}

// SetPassword gives a user a new password and ends every sign-in and token of theirs. mustChange asks for another at the
// next sign-in. It returns ErrUnknownUser, ErrNotLocal or a *WeakPasswordError for what the caller can mend.
func (s *Service) SetPassword(ctx context.Context, id, password string, mustChange bool) error {
	u, err := s.user(ctx, id)
	if err != nil {
		return err
	}
	if err := s.setPassword(ctx, u, password, mustChange, ""); err != nil {
		return err
	}
	return s.Unlock(ctx, id)
}

// ChangePassword lets a user change their own password, which ends every other sign-in and every token of theirs; keep is
// the cookie of the one that stays. A wrong old password is ErrBadCredentials and counts like a failed sign-in.
func (s *Service) ChangePassword(ctx context.Context, id, old, password, source, keep string) error {
	u, err := s.user(ctx, id)
	if err != nil {
		return err
	}
	if u.Source != store.SourceLocal {
		return ErrNotLocal
	}
	if _, err := s.verifyPassword(ctx, u.Name, old, source); err != nil {
		return err
	}
	if old == password {
		return &WeakPasswordError{"The new password is the old one."}
	}
	return s.setPassword(ctx, u, password, false, keep)
}

func (s *Service) setPassword(ctx context.Context, u store.User, password string, mustChange bool, keep string) error {
	if u.Source != store.SourceLocal {
		return ErrNotLocal
	}
	if err := s.checkNewPassword(u.Name, password); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.users.SetPassword(ctx, u.ID, hash, s.now(), mustChange); err != nil {
		return fmt.Errorf("identity: set password: %w", err)
	}
	if err := s.endAll(ctx, u.ID, keep); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "password set", "user_id", u.ID, "user_name", u.Name)
	return nil
}

// endAll ends every sign-in of a user but the one of the cookie keep, and every token.
func (s *Service) endAll(ctx context.Context, id, keep string) error {
	if keep != "" {
		keep = hashToken(keep)
	}
	if err := errors.Join(s.browsers.DeleteOfUser(ctx, id, keep), s.tokens.DeleteOfUser(ctx, id)); err != nil {
		return fmt.Errorf("identity: end sign-ins: %w", err)
	}
	return nil
}

func (s *Service) user(ctx context.Context, id string) (store.User, error) {
	u, err := s.users.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, ErrUnknownUser
	}
	if err != nil {
		return store.User{}, fmt.Errorf("identity: %w", err)
	}
	return u, nil
}

// changed says what callers tell apart of what a table answered to a change of a user.
func (s *Service) changed(err error) error {
	switch {
	case errors.Is(err, store.ErrLastAdministrator):
		return ErrLastAdministrator
	case errors.Is(err, store.ErrNotFound):
		return ErrUnknownUser
	}
	return fmt.Errorf("identity: change user: %w", err)
}

func checkRole(r policy.Role) error {
	if !slices.Contains(policy.Roles(), r) {
		return &InvalidError{"roles", fmt.Sprintf("There is no role %q.", r)}
	}
	return nil
}

// checkProfile trims and checks what a person is called.
func checkProfile(p *store.Profile) error {
	p.DisplayName, p.Email = strings.TrimSpace(p.DisplayName), strings.TrimSpace(p.Email)
	if !printable(p.DisplayName) || utf8.RuneCountInString(p.DisplayName) > MaxDisplayName {
		return &InvalidError{"display_name", fmt.Sprintf("A display name is a line of at most %d characters.", MaxDisplayName)}
	}
	if p.Email == "" {
		return nil
	}
	if a, err := mail.ParseAddress(p.Email); err != nil || a.Address != p.Email || len(p.Email) > MaxEmailBytes {
		return &InvalidError{"email", "This is not an e-mail address."}
	}
	return nil
}

// printable tells whether s is valid text without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func orElse[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// Locked tells whether a user has to wait at now because of failed tries.
func (u User) Locked(now time.Time) bool { return u.LockedUntil.After(now) }
