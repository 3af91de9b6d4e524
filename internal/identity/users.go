package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// FirstUser is the name of the user made at the first start.
const FirstUser = "admin"

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,127}$`)

// EnsureFirstUser makes the first user with a random password when there is no user at all, and returns that password
// for the one time it is shown. Otherwise it returns "".
func (s *Service) EnsureFirstUser(ctx context.Context) (password string, err error) {
	n, err := s.users.Count(ctx)
	if err != nil {
		return "", fmt.Errorf("identity: first user: %w", err)
	}
	if n > 0 {
		return "", nil
	}
	password = NewPassword()
	if err := s.CreateUser(ctx, FirstUser, password); err != nil {
		return "", err
	}
	return password, nil
}

// CreateUser adds a user.
func (s *Service) CreateUser(ctx context.Context, name, password string) error {
	name = foldName(name)
	if !validName.MatchString(name) {
		return fmt.Errorf("identity: user name %q: want 1 to %d letters, digits, dots, dashes, underscores and @", name, MaxNameBytes)
	}
	if err := checkNewPassword(password); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	now := s.now()
	u := store.User{ID: uuid.NewString(), Name: name, PasswordHash: hash, CreatedAt: now, PasswordAt: now}
	if err := s.users.Create(ctx, u); err != nil {
		return fmt.Errorf("identity: create user: %w", err)
	}
	s.log.InfoContext(ctx, "user created", "user_id", u.ID, "user_name", u.Name)
	return nil
}

// SetPassword gives a user a new password and ends every sign-in of theirs. It returns ErrUnknownUser or
// ErrWeakPassword for what the caller can mend.
func (s *Service) SetPassword(ctx context.Context, name, password string) error {
	if err := checkNewPassword(password); err != nil {
		return err
	}
	u, err := s.users.ByName(ctx, foldName(name))
	if errors.Is(err, store.ErrNotFound) {
		return ErrUnknownUser
	}
	if err != nil {
		return fmt.Errorf("identity: set password: %w", err)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.users.SetPassword(ctx, u.ID, hash, s.now()); err != nil {
		return fmt.Errorf("identity: set password: %w", err)
	}
	if err := s.browsers.DeleteOfUser(ctx, u.ID); err != nil {
		return fmt.Errorf("identity: set password: %w", err)
	}
	s.log.InfoContext(ctx, "password set", "user_id", u.ID, "user_name", u.Name)
	return nil
}

// NewPassword returns a random password, for those who would rather not think of one.
func NewPassword() string { return randomLetters(passwordLetters) }

func checkNewPassword(password string) error {
	if utf8.RuneCountInString(password) < MinPasswordLength || len(password) > MaxPasswordBytes {
		return ErrWeakPassword
	}
	return nil
}
