package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// MethodPassword is the method of a sign-in with a local password. The others are passkey, oidc:NAME and ldap:NAME.
const MethodPassword = "password"

// SignIn is a browser's fresh sign-in.
type SignIn struct {
	Token     string // for the cookie; nowhere else
	ExpiresAt time.Time
	Subject   policy.Subject
	// MustChangePassword: nothing else works before.
	MustChangePassword bool
	// Pending: nobody is signed in yet; a second step is needed. All else is zero then.
	Pending *Pending
}

// SignIn checks a password and begins a sign-in. source is the client's address. previous is the cookie the browser came
// with, if any: it ends, so that a cookie planted before the sign-in is worth nothing. The error wraps ErrBadCredentials
// or is a *ThrottledError.
func (s *Service) SignIn(ctx context.Context, name, password, source, userAgent, previous string) (SignIn, error) {
	method := MethodPassword
	u, err := s.verify(ctx, name, source, func(name string) (store.User, error) {
		u, err := s.checkPassword(ctx, name, password)
		if errors.Is(err, ErrBadCredentials) && len(s.directories) > 0 {
			u, method, err = s.askDirectories(ctx, name, password)
		}
		return u, err
	})
	if err != nil {
		return SignIn{}, err
	}
	return s.proceed(ctx, u, method, time.Time{}, source, userAgent, previous)
}

// verifyPassword checks a password kept here within what the throttle and the account's lock allow.
func (s *Service) verifyPassword(ctx context.Context, name, password, source string) (store.User, error) {
	return s.verify(ctx, name, source, func(name string) (store.User, error) { return s.checkPassword(ctx, name, password) })
}

// verify is verifyPassword by whatever check does.
func (s *Service) verify(ctx context.Context, name, source string, check func(name string) (store.User, error)) (store.User, error) {
	name = foldName(name)
	if err := s.beginTry(ctx, name, source); err != nil {
		return store.User{}, err
	}
	u, err := check(name)
	if err != nil {
		if errors.Is(err, ErrBadCredentials) {
			s.log.WarnContext(ctx, "sign-in refused", "client_address", source)
			return store.User{}, errors.Join(err, s.tryFailed(ctx, name))
		}
		return store.User{}, err
	}
	s.throttle.succeeded(name, source)
	return u, nil
}

// begin begins a sign-in of u, who was found to be who they say they are by method; mfaAt is when they proved a second
// factor, zero when they did not.
func (s *Service) begin(ctx context.Context, u store.User, method string, mfaAt time.Time, source, userAgent, previous string) (SignIn, error) {
	if previous != "" {
		if err := s.SignOut(ctx, previous); err != nil {
			return SignIn{}, err
		}
	}
	subject, err := s.subjectOf(ctx, u, mfaAt)
	if err != nil {
		return SignIn{}, err
	}
	now := s.now()
	token, hash := newToken()
	expires := now.Add(s.absolute)
	err = s.browsers.Create(ctx, store.BrowserSession{
		ID: uuid.NewString(), TokenHash: hash, UserID: u.ID, CreatedAt: now, SeenAt: now, ExpiresAt: expires, MFAAt: mfaAt,
		Method: method, Address: source, UserAgent: shorten(userAgent, maxUserAgentBytes),
	})
	if err != nil {
		return SignIn{}, fmt.Errorf("identity: sign in: %w", err)
	}
	// Whoever was disabled or given another password meanwhile is not signed in by what held before.
	if now, err := s.enabled(ctx, u.ID); err != nil || !now.PasswordAt.Equal(u.PasswordAt.Truncate(time.Microsecond)) { // what tables keep
		if err == nil || errors.Is(err, ErrNotSignedIn) {
			err = ErrBadCredentials
		}
		return SignIn{}, errors.Join(err, s.browsers.Delete(ctx, hash))
	}
	if err := errors.Join(s.users.SignedIn(ctx, u.ID, now), s.users.Remember(ctx, u.ID, sourceKey(source), now)); err != nil {
		return SignIn{}, fmt.Errorf("identity: sign in: %w", err)
	}
	s.log.InfoContext(ctx, "signed in", "user_id", u.ID, "user_name", u.Name, "method", method, "client_address", source)
	return SignIn{Token: token, ExpiresAt: expires, Subject: subject, MustChangePassword: u.MustChangePassword}, nil
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
	case u.PasswordHash == "": // signs in elsewhere
		if err := s.hasher.waste(ctx, password); err != nil {
			return store.User{}, err
		}
		return store.User{}, ErrBadCredentials
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
		if err := s.users.RenewHash(ctx, u.ID, u.PasswordHash, hash); err != nil {
			return store.User{}, fmt.Errorf("identity: renew hash: %w", err)
		}
		u.PasswordHash = hash
	}
	return u, nil
}

// Authenticate tells whose sign-in token is, or returns ErrNotSignedIn.
func (s *Service) Authenticate(ctx context.Context, token string) (Caller, error) {
	if token == "" {
		return Caller{}, ErrNotSignedIn
	}
	hash := hashToken(token)
	b, err := s.browsers.Get(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, ErrNotSignedIn
	}
	if err != nil {
		return Caller{}, fmt.Errorf("identity: %w", err)
	}
	now := s.now()
	if !now.Before(b.ExpiresAt) || now.Sub(b.SeenAt) >= s.idle {
		if err := s.browsers.Delete(ctx, hash); err != nil {
			return Caller{}, fmt.Errorf("identity: %w", err)
		}
		return Caller{}, ErrNotSignedIn
	}
	u, err := s.enabled(ctx, b.UserID)
	if err != nil {
		return Caller{}, err
	}
	if now.Sub(b.SeenAt) >= seenInterval {
		// A sign-out at the same moment may have removed the row; that request was still signed in.
		if err := s.browsers.Seen(ctx, hash, now); err != nil && !errors.Is(err, store.ErrNotFound) {
			return Caller{}, fmt.Errorf("identity: %w", err)
		}
	}
	subject, err := s.subjectOf(ctx, u, b.MFAAt)
	if err != nil {
		return Caller{}, err
	}
	return Caller{Subject: subject, SignInID: b.ID, MustChangePassword: u.MustChangePassword}, nil
}

// enabled returns a user who may still sign in, or ErrNotSignedIn.
func (s *Service) enabled(ctx context.Context, id string) (store.User, error) {
	u, err := s.users.ByID(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound) || (err == nil && u.Disabled):
		return store.User{}, ErrNotSignedIn
	case err != nil:
		return store.User{}, fmt.Errorf("identity: %w", err)
	}
	return u, nil
}

// SignOut ends the sign-in of token. Ending one that is over is no error.
func (s *Service) SignOut(ctx context.Context, token string) error {
	if err := s.browsers.Delete(ctx, hashToken(token)); err != nil {
		return fmt.Errorf("identity: sign out: %w", err)
	}
	return nil
}

// Run removes what is over from the tables, now and every hour, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	for _, d := range s.directories {
		if d.Recheck() > 0 {
			watching.Go(func() { s.watch(ctx, d) })
		}
	}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		now := s.now()
		for _, table := range []struct {
			what string
			tidy func() (int64, error)
		}{
			{"sign-ins", func() (int64, error) { return s.browsers.DeleteExpired(ctx, now, now.Add(-s.idle)) }},
			{"tokens", func() (int64, error) { return s.tokens.DeleteExpired(ctx, now.Add(-keepExpiredTokens)) }},
			{"known sources", func() (int64, error) { return s.users.ForgetSources(ctx, now.Add(-knownSourceFor)) }},
		} {
			if n, err := table.tidy(); err != nil {
				s.log.WarnContext(ctx, "cannot remove what has expired", "table", table.what, "error", err)
			} else if n > 0 {
				s.log.DebugContext(ctx, "expired removed", "table", table.what, "count", n)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// shorten cuts s to at most n bytes of whole, valid characters.
func shorten(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
