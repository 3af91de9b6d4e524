package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// SignIn is a browser's fresh sign-in.
type SignIn struct {
	Token     string // for the cookie; nowhere else
	ExpiresAt time.Time
	Subject   policy.Subject
}

// SignIn checks a password and begins a sign-in. previous is the cookie the browser came with, if any: it ends, so that
// a cookie planted before the sign-in is worth nothing. The error wraps ErrBadCredentials or is a *ThrottledError.
func (s *Service) SignIn(ctx context.Context, name, password, source, previous string) (SignIn, error) {
	name = foldName(name)
	if wait := s.throttle.begin(name, source); wait > 0 {
		s.log.WarnContext(ctx, "sign-in throttled", "client_address", source, "retry_after", wait)
		return SignIn{}, &ThrottledError{RetryAfter: wait}
	}
	u, err := s.checkPassword(ctx, name, password)
	if err != nil {
		if errors.Is(err, ErrBadCredentials) {
			s.log.WarnContext(ctx, "sign-in refused", "client_address", source)
		}
		return SignIn{}, err
	}
	s.throttle.succeeded(name, source)

	if previous != "" {
		if err := s.SignOut(ctx, previous); err != nil {
			return SignIn{}, err
		}
	}
	now := s.now()
	token, hash := newToken()
	expires := now.Add(s.absolute)
	err = s.browsers.Create(ctx, store.BrowserSession{
		TokenHash: hash, UserID: u.ID, CreatedAt: now, SeenAt: now, ExpiresAt: expires, Address: source,
	})
	if err != nil {
		return SignIn{}, fmt.Errorf("identity: sign in: %w", err)
	}
	s.log.InfoContext(ctx, "signed in", "user_id", u.ID, "user_name", u.Name, "client_address", source)
	return SignIn{Token: token, ExpiresAt: expires, Subject: subjectOf(u)}, nil
}

// checkPassword takes the same time whatever is wrong.
func (s *Service) checkPassword(ctx context.Context, name, password string) (store.User, error) {
	u, err := s.users.ByName(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := s.hasher.waste(ctx, password); err != nil {
			return store.User{}, err
		}
		return store.User{}, ErrBadCredentials
	case err != nil:
		return store.User{}, fmt.Errorf("identity: sign in: %w", err)
	}
	match, outdated, err := s.hasher.check(ctx, password, u.PasswordHash)
	if err != nil {
		return store.User{}, err
	}
	if !match || u.Disabled {
		return store.User{}, ErrBadCredentials
	}
	if outdated {
		hash, err := s.hasher.hash(ctx, password)
		if err != nil {
			return store.User{}, err
		}
		if err := s.users.SetPassword(ctx, u.ID, hash, u.PasswordAt); err != nil {
			return store.User{}, fmt.Errorf("identity: renew hash: %w", err)
		}
	}
	return u, nil
}

// Authenticate tells whose sign-in token is, or returns ErrNotSignedIn.
func (s *Service) Authenticate(ctx context.Context, token string) (policy.Subject, error) {
	if token == "" {
		return policy.Subject{}, ErrNotSignedIn
	}
	hash := hashToken(token)
	b, err := s.browsers.Get(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return policy.Subject{}, ErrNotSignedIn
	}
	if err != nil {
		return policy.Subject{}, fmt.Errorf("identity: %w", err)
	}
	now := s.now()
	if !now.Before(b.ExpiresAt) || now.Sub(b.SeenAt) >= s.idle {
		if err := s.browsers.Delete(ctx, hash); err != nil {
			return policy.Subject{}, fmt.Errorf("identity: %w", err)
		}
		return policy.Subject{}, ErrNotSignedIn
	}
	u, err := s.users.ByID(ctx, b.UserID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && u.Disabled) {
		return policy.Subject{}, ErrNotSignedIn
	}
	if err != nil {
		return policy.Subject{}, fmt.Errorf("identity: %w", err)
	}
	if now.Sub(b.SeenAt) >= seenInterval {
		// A sign-out at the same moment may have removed the row; that request was still signed in.
		if err := s.browsers.Seen(ctx, hash, now); err != nil && !errors.Is(err, store.ErrNotFound) {
			return policy.Subject{}, fmt.Errorf("identity: %w", err)
		}
	}
	return subjectOf(u), nil
}

// SignOut ends the sign-in of token. Ending one that is over is no error.
func (s *Service) SignOut(ctx context.Context, token string) error {
	if err := s.browsers.Delete(ctx, hashToken(token)); err != nil {
		return fmt.Errorf("identity: sign out: %w", err)
	}
	return nil
}

// Run removes what is over from the table, now and every hour, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		now := s.now()
		if n, err := s.browsers.DeleteExpired(ctx, now, now.Add(-s.idle)); err != nil {
			s.log.WarnContext(ctx, "cannot remove expired sign-ins", "error", err)
		} else if n > 0 {
			s.log.DebugContext(ctx, "expired sign-ins removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
