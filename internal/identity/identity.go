// Package identity knows who is asking: users with their roles and groups, the browsers they are signed in with, and the
// tokens their programs act with.
//
// A sign-in is a random 256-bit token in a cookie, kept here only as its SHA-256. It ends when not used for a while,
// at an absolute age, at sign-out, when it is revoked, when the password changes and when the user is disabled or deleted.
// An API token is as long, shown once, and ends likewise. Passwords rest as argon2id. An unknown name costs as much time
// as a wrong password, and failures slow down further tries by name and by source.
//
// People may also be vouched for elsewhere: SignInExternal takes what an OIDC provider or a directory says of them.
package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// What callers tell apart.
var (
	// ErrBadCredentials: the name or the password is wrong; which of them is not told.
	ErrBadCredentials = errors.New("identity: wrong name or password")
	// ErrNotSignedIn: there is no such sign-in or token, or it is over.
	ErrNotSignedIn = errors.New("identity: not signed in")
	// ErrUnknownUser: there is no such user.
	ErrUnknownUser = errors.New("identity: no such user")
	// ErrUnknownGroup: there is no such group.
	ErrUnknownGroup = errors.New("identity: no such group")
	// ErrExists: another user, group or token has that name.
	ErrExists = errors.New("identity: the name is taken")
	// ErrLastAdministrator: nobody who can sign in would be left to administer.
	ErrLastAdministrator = errors.New("identity: the last administrator stays one")
	// ErrNotLocal: the user signs in elsewhere and has no password here.
	ErrNotLocal = errors.New("identity: the user signs in elsewhere and has no password here")
	// ErrDirectory: a directory could not be asked. It is nobody's wrong password.
	ErrDirectory = errors.New("identity: a directory cannot be asked")
	// ErrSetupDone: there is a user already, so nobody else becomes the first.
	ErrSetupDone = errors.New("identity: the gateway is set up already")
)

// ThrottledError is returned after too many failures; RetryAfter is how long to wait.
type ThrottledError struct{ RetryAfter time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("identity: too many failed tries, wait %v", e.RetryAfter.Round(time.Second))
}

// InvalidError is something a person can mend in what they entered. Reason is a sentence for them, Field what it is about.
type InvalidError struct{ Field, Reason string }

func (e *InvalidError) Error() string { return fmt.Sprintf("identity: %s: %s", e.Field, e.Reason) }

// Users is what this package needs of the table of users.
type Users interface {
	Create(ctx context.Context, u store.User, roles ...string) error
	CreateFirst(ctx context.Context, u store.User, roles ...string) error
	ByName(ctx context.Context, name string) (store.User, error)
	ByID(ctx context.Context, id string) (store.User, error)
	ByExternal(ctx context.Context, source, subject string) (store.User, error)
	List(ctx context.Context, f store.UserFilter) ([]store.User, error)
	Present(ctx context.Context, source string) ([]string, error)
	Memberships(ctx context.Context, id string) (store.Memberships, error)
	MembershipsOf(ctx context.Context, ids []string) (map[string]store.Memberships, error)
	SetPassword(ctx context.Context, id, hash string, at time.Time, mustChange bool) error
	RenewHash(ctx context.Context, id, old, hash string) error
	SetProfile(ctx context.Context, name string, p store.Profile) error
	SetRoles(ctx context.Context, id, source string, roles []string) error
	SetDisabled(ctx context.Context, id string, disabled bool) error
	SignedIn(ctx context.Context, id string, at time.Time) error
	Failed(ctx context.Context, id string) (int, error)
	Lock(ctx context.Context, id string, until time.Time) error
	Unlock(ctx context.Context, id string) error
	Knows(ctx context.Context, name, source string) (bool, error)
	Remember(ctx context.Context, id, source string, at time.Time) error
	ForgetSources(ctx context.Context, before time.Time) (int64, error)
	Delete(ctx context.Context, id string) error
	Count(ctx context.Context) (int, error)
}

// Groups is what this package needs of the tables of groups.
type Groups interface {
	Create(ctx context.Context, g store.Group) error
	ByID(ctx context.Context, id string) (store.Group, error)
	ByName(ctx context.Context, name string) (store.Group, error)
	List(ctx context.Context, f store.GroupFilter) ([]store.Group, error)
	Update(ctx context.Context, id, name, description string) error
	Delete(ctx context.Context, id string) error
	Add(ctx context.Context, group, user string) error
	Remove(ctx context.Context, group, user string) error
	SetOf(ctx context.Context, user, source string, groups []string) error
}

// BrowserSessions is what this package needs of the table of sign-ins.
type BrowserSessions interface {
	Create(ctx context.Context, b store.BrowserSession) error
	Get(ctx context.Context, tokenHash string) (store.BrowserSession, error)
	OfUser(ctx context.Context, user string) ([]store.BrowserSession, error)
	Seen(ctx context.Context, tokenHash string, at time.Time) error
	SetMFA(ctx context.Context, tokenHash string, at time.Time) error
	Delete(ctx context.Context, tokenHash string) error
	Revoke(ctx context.Context, user, id string) error
	DeleteOfUser(ctx context.Context, userID, keep string) error
	DeleteExpired(ctx context.Context, now, idle time.Time) (int64, error)
}

// Tokens is what this package needs of the table of API tokens.
type Tokens interface {
	Create(ctx context.Context, t store.APIToken, most int) error
	ByHash(ctx context.Context, hash string) (store.APIToken, error)
	OfUser(ctx context.Context, user string) ([]store.APIToken, error)
	Used(ctx context.Context, id string, at time.Time, address string) error
	Delete(ctx context.Context, user, id string) error
	DeleteOfUser(ctx context.Context, user string) error
	DeleteExpired(ctx context.Context, before time.Time) (int64, error)
}

// Tables are where a Service keeps what it knows.
type Tables struct {
	Users           Users
	Groups          Groups
	BrowserSessions BrowserSessions
	Tokens          Tokens
}

// TablesOf returns the tables of a database.
func TablesOf(db *store.Store) Tables {
	return Tables{Users: db.Users, Groups: db.Groups, BrowserSessions: db.BrowserSessions, Tokens: db.APITokens}
}

// Options are what a Service may be told. The zero value is right for production.
type Options struct {
	IdleTimeout       time.Duration    // a sign-in not used for so long is over; 0: DefaultIdleTimeout
	AbsoluteTimeout   time.Duration    // a sign-in this old is over; 0: DefaultAbsoluteTimeout
	MinPasswordLength int              // of a new password, in characters; 0: DefaultMinPasswordLength
	MaxTokenLifetime  time.Duration    // of an API token; 0: DefaultMaxTokenLifetime
	Hashing           *argon2id.Params // nil: DefaultHashing
	MFA               MFA              // the zero value: no second factors
	Directories       []Directory      // asked in this order for names that are not kept here
	Logger            *slog.Logger     // nil: none
	Now               func() time.Time // nil: time.Now
}

// Service signs people in and out and tells who a request is from. It is safe for concurrent use.
type Service struct {
	users       Users
	groups      Groups
	browsers    BrowserSessions
	tokens      Tokens
	hasher      *hasher
	throttle    *throttle
	mfa         MFA
	directories []Directory
	setup       *setupCode
	idle        time.Duration
	absolute    time.Duration
	minPassword int
	tokenMost   time.Duration
	log         *slog.Logger
	now         func() time.Time
}

// New returns a Service.
func New(tables Tables, opts Options) (*Service, error) {
	s := &Service{
		users: tables.Users, groups: tables.Groups, browsers: tables.BrowserSessions, tokens: tables.Tokens,
		idle:        valueOr(opts.IdleTimeout, DefaultIdleTimeout),
		setup:       &setupCode{},
		absolute:    valueOr(opts.AbsoluteTimeout, DefaultAbsoluteTimeout),
		minPassword: valueOr(opts.MinPasswordLength, DefaultMinPasswordLength),
		tokenMost:   valueOr(opts.MaxTokenLifetime, DefaultMaxTokenLifetime),
		mfa:         opts.MFA, directories: opts.Directories,
		log: opts.Logger, now: opts.Now,
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
	s.hasher = newHasher(opts.Hashing)
	s.throttle = newThrottle(s.now)
	return s, nil
}

// valueOr returns v, or fallback for the zero value.
func valueOr[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
