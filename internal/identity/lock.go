package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// beginTry counts a try at a name's password from a source, or returns a *ThrottledError.
//
// Tries at one name from many places lock the name for everybody but those it has signed in from before, so that
// strangers cannot lock a person out where they usually are. The lock is kept in the database: a restart does not
// begin the count anew.
func (s *Service) beginTry(ctx context.Context, name, source string) error {
	known, err := s.users.Knows(ctx, name, sourceKey(source))
	if err != nil {
		return fmt.Errorf("identity: sign in: %w", err)
	}
	wait := s.throttle.begin(name, source, known)
	if wait == 0 && !known {
		if wait, err = s.locked(ctx, name); err != nil {
			return err
		}
	}
	if wait > 0 {
		s.log.WarnContext(ctx, "sign-in throttled", "client_address", source, "retry_after", wait)
		return &ThrottledError{RetryAfter: wait}
	}
	return nil
}

// locked returns how long a name is locked by what the database remembers.
func (s *Service) locked(ctx context.Context, name string) (time.Duration, error) {
	u, err := s.users.ByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("identity: sign in: %w", err)
	}
	return max(0, u.LockedUntil.Sub(s.now())), nil
}

// tryFailed writes down a failure and, when there were many, the lock.
func (s *Service) tryFailed(ctx context.Context, name string) error {
	u, err := s.users.ByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("identity: count failure: %w", err)
	}
	n, err := s.users.Failed(ctx, u.ID)
	if err != nil {
		return fmt.Errorf("identity: count failure: %w", err)
	}
	if wait := backoff(n, freeNameFailures, maxNameWait); wait > 0 {
		if err := s.users.Lock(ctx, u.ID, s.now().Add(wait)); err != nil {
			return fmt.Errorf("identity: lock: %w", err)
		}
	}
	return nil
}

// Unlock lets a user sign in at once again after too many failures.
func (s *Service) Unlock(ctx context.Context, id string) error {
	u, err := s.user(ctx, id)
	if err != nil {
		return err
	}
	if err := s.users.Unlock(ctx, id); err != nil {
		return fmt.Errorf("identity: unlock: %w", err)
	}
	s.throttle.forget(u.Name)
	s.log.InfoContext(ctx, "user unlocked", "user_id", id, "user_name", u.Name)
	return nil
}
