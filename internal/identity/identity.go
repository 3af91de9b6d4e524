// Package identity knows who is asking: users with passwords, and the browsers they are signed in with.
//
// A sign-in is a random 256-bit token in a cookie, kept here only as its SHA-256. It ends when not used for a while,
// at an absolute age, at sign-out, and when the password changes. Passwords rest as argon2id. An unknown name costs
// as much time as a wrong password, and failures slow down further tries by name and by source.
package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// What callers tell apart.
var (
	// ErrBadCredentials: the name or the password is wrong; which of them is not told.
	ErrBadCredentials = errors.New("identity: wrong name or password")
	// ErrNotSignedIn: there is no such sign-in, or it is over.
	ErrNotSignedIn = errors.New("identity: not signed in")
	// ErrUnknownUser: there is no user of that name.
	ErrUnknownUser = errors.New("identity: no such user")
	// ErrWeakPassword: the new password is too short or too long.
	ErrWeakPassword = fmt.Errorf("identity: a password has %d to %d characters", MinPasswordLength, MaxPasswordBytes)
)

// ThrottledError is returned after too many failures; RetryAfter is how long to wait.
type ThrottledError struct{ RetryAfter time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("identity: too many failed tries, wait %v", e.RetryAfter.Round(time.Second))
}

// Users is what this package needs of the table of users.
type Users interface {
	Create(ctx context.Context, u store.User) error
	ByName(ctx context.Context, name string) (store.User, error)
	ByID(ctx context.Context, id string) (store.User, error)
	SetPassword(ctx context.Context, id, hash string, at time.Time) error
	Count(ctx context.Context) (int, error)
}

// BrowserSessions is what this package needs of the table of sign-ins.
type BrowserSessions interface {
	Create(ctx context.Context, b store.BrowserSession) error
	Get(ctx context.Context, tokenHash string) (store.BrowserSession, error)
	Seen(ctx context.Context, tokenHash string, at time.Time) error
	Delete(ctx context.Context, tokenHash string) error
	DeleteOfUser(ctx context.Context, userID string) error
	DeleteExpired(ctx context.Context, now, idle time.Time) (int64, error)
}

// Options are what a Service may be told. The zero value is right for production.
type Options struct {
	IdleTimeout     time.Duration    // a sign-in not used for so long is over; 0: DefaultIdleTimeout
	AbsoluteTimeout time.Duration    // a sign-in this old is over; 0: DefaultAbsoluteTimeout
	Hashing         *argon2id.Params // nil: DefaultHashing
	Logger          *slog.Logger     // nil: none
	Now             func() time.Time // nil: time.Now
}

// Service signs people in and out and tells who a request is from. It is safe for concurrent use.
type Service struct {
	users    Users
	browsers BrowserSessions
	hasher   *hasher
	throttle *throttle
	idle     time.Duration
	absolute time.Duration
	log      *slog.Logger
	now      func() time.Time
}

// New returns a Service. It computes one hash, so it takes as long as a sign-in.
func New(users Users, browsers BrowserSessions, opts Options) (*Service, error) {
	s := &Service{
		users: users, browsers: browsers,
		idle: opts.IdleTimeout, absolute: opts.AbsoluteTimeout, log: opts.Logger, now: opts.Now,
	}
	if s.idle == 0 {
		s.idle = DefaultIdleTimeout
	}
	if s.absolute == 0 {
		s.absolute = DefaultAbsoluteTimeout
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if opts.Hashing == nil {
		opts.Hashing = DefaultHashing()
	}
	var err error
	if s.hasher, err = newHasher(opts.Hashing); err != nil {
		return nil, err
	}
	s.throttle = newThrottle(s.now)
	return s, nil
}

// Subject is who u is to policy. In this version every user may do everything.
func subjectOf(u store.User) policy.Subject {
	return policy.Subject{ID: u.ID, Name: u.Name, Permissions: policy.All()}
}
