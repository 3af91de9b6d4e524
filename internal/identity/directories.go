package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// ErrGone is that a directory no longer has a person, or they may no longer sign in.
var ErrGone = errors.New("identity: the person is gone or disabled")

// Directory is where people have a name and password elsewhere.
type Directory interface {
	// Source is what its users have as their source: ldap:NAME.
	Source() string
	// SignIn checks a name and password. The error wraps ErrBadCredentials or ErrDirectory.
	SignIn(ctx context.Context, name, password string) (ExternalIdentity, error)
	// Look returns what is said now of somebody who signed in once. The error wraps ErrGone or ErrDirectory.
	Look(ctx context.Context, subject string) (ExternalIdentity, error)
	// Recheck is how often those who are signed in are looked up; 0: never.
	Recheck() time.Duration
}

// askDirectories signs in at the first directory that knows name and password. A user who is kept here is not looked for
// elsewhere: no directory can stand in for them.
func (s *Service) askDirectories(ctx context.Context, name, password string) (store.User, string, error) {
	u, err := s.users.ByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.User{}, "", fmt.Errorf("identity: sign in: %w", err)
	}
	if err == nil && u.Source == store.SourceLocal {
		return store.User{}, "", ErrBadCredentials
	}
	outcome := ErrBadCredentials
	for _, d := range s.directories {
		e, err := d.SignIn(ctx, name, password)
		switch {
		case err == nil:
			u, err := s.admit(ctx, e)
			return u, e.Source, err
		case errors.Is(err, ErrBadCredentials):
		case errors.Is(err, ErrDirectory):
			outcome = err // perhaps it would have known
		default:
			return store.User{}, "", err
		}
	}
	return store.User{}, "", outcome
}

// watch looks the people of a directory up again who are signed in, until ctx ends.
func (s *Service) watch(ctx context.Context, d Directory) {
	tick := time.NewTicker(d.Recheck())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.recheck(ctx, d); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot look up who is signed in from a directory", "source", d.Source(), "error", err)
		}
	}
}

// recheck ends the sign-ins and tokens of people their directory no longer has, and gives the others what it says now.
// A directory that does not answer ends nothing.
func (s *Service) recheck(ctx context.Context, d Directory) error {
	ids, err := s.users.Present(ctx, d.Source())
	if err != nil {
		return err
	}
	for _, id := range ids {
		u, err := s.users.ByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		e, err := d.Look(ctx, u.ExternalSubject)
		switch {
		case err == nil:
			if err := s.applyMapping(ctx, u, e); err != nil {
				return err
			}
		case errors.Is(err, ErrGone):
			s.log.WarnContext(ctx, "gone from the directory or disabled there: signed out", "user_id", u.ID, "user_name", u.Name, "source", d.Source())
			if err := errors.Join(s.browsers.DeleteOfUser(ctx, id, ""), s.tokens.DeleteOfUser(ctx, id)); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}
