package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/identity/passkey"
	"github.com/vitrine-psm/vitrine/internal/identity/totp"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// MethodPasskey is the method of a sign-in by passkey alone.
const MethodPasskey = "passkey"

// Second factors, as the API names them.
const (
	FactorTOTP     = "totp"
	FactorPasskey  = "passkey"
	FactorRecovery = "recovery"
)

// What callers tell apart of second steps.
var (
	// ErrSecondFactor: it was not proved.
	ErrSecondFactor = errors.New("identity: the second factor was not proved")
	// ErrPendingOver: the half sign-in is over: too late, tried too often, or finished.
	ErrPendingOver = errors.New("identity: the sign-in has to begin anew")
	// ErrEnrolFirst: the person has to enrol a second factor, or has one and may not enrol here.
	ErrEnrolFirst = errors.New("identity: not what this sign-in waits for")
)

// Half a sign-in.
const (
	PendingLifetime    = 5 * time.Minute
	maxPendingAttempts = 6
)

// Ceremonies keeps half sign-ins.
type Ceremonies interface {
	Put(ctx context.Context, c store.Ceremony, now time.Time) error
	Get(ctx context.Context, id string, now time.Time) (store.Ceremony, error)
	Attempt(ctx context.Context, id string, most int, now time.Time) (store.Ceremony, error)
	Take(ctx context.Context, id string, now time.Time) (store.Ceremony, error)
	Delete(ctx context.Context, id string) error
}

// MFA is the policy on second factors.
type MFA struct {
	Mode       config.MFA
	Roles      []policy.Role   // that need one when it is required; none: all
	Factors    *factor.Service // nil: there are none
	Ceremonies Ceremonies
}

// Pending is a sign-in that waits for its second step.
type Pending struct {
	Token     string // for the cookie; nowhere else
	ExpiresAt time.Time
	UserID    string
	Name      string
	Methods   []string // what may be proved
	Enrol     bool     // nothing is there yet: one has to be enrolled
}

// Step is a request for a second step.
type Step struct {
	Token     string // of the half sign-in
	Source    string // the client's address
	UserAgent string
	Previous  string // the cookie of a sign-in the browser came with; it ends
}

// half is what is kept of a Pending.
type half struct {
	Method     string `json:"method"`
	PasswordAt int64  `json:"password_at"` // µs: another password meanwhile ends it
	Enrol      bool   `json:"enrol"`
}

func pendingID(token string) string { return "sign_in:" + hashToken(token) }

// proceed begins a sign-in of u or, when a second factor is to be proved or enrolled first, half of one.
func (s *Service) proceed(ctx context.Context, u store.User, method string, mfaAt time.Time, source, userAgent, previous string) (SignIn, error) {
	if !mfaAt.IsZero() || s.mfa.Factors == nil || s.mfa.Mode == config.MFAOff {
		return s.begin(ctx, u, method, mfaAt, source, userAgent, previous)
	}
	f, err := s.mfa.Factors.Of(ctx, u.ID)
	if err != nil {
		return SignIn{}, err
	}
	has := f.TOTP != nil || len(f.Passkeys) > 0
	enrol := false
	if !has {
		if enrol, err = s.mustHaveFactor(ctx, u.ID); err != nil {
			return SignIn{}, err
		}
		if !enrol {
			return s.begin(ctx, u, method, mfaAt, source, userAgent, previous)
		}
	}
	now := s.now()
	token, _ := newToken()
	payload, err := json.Marshal(half{Method: method, PasswordAt: u.PasswordAt.UnixMicro(), Enrol: enrol})
	if err != nil {
		return SignIn{}, fmt.Errorf("identity: %w", err)
	}
	c := store.Ceremony{ID: pendingID(token), UserID: u.ID, Payload: string(payload), ExpiresAt: now.Add(PendingLifetime)}
	if err := s.mfa.Ceremonies.Put(ctx, c, now); err != nil {
		return SignIn{}, fmt.Errorf("identity: %w", err)
	}
	p := s.pendingOf(u, f, enrol)
	p.Token, p.ExpiresAt = token, c.ExpiresAt
	return SignIn{Pending: &p}, nil
}

// mustHaveFactor tells whether the policy wants a second factor of a user.
func (s *Service) mustHaveFactor(ctx context.Context, user string) (bool, error) {
	if s.mfa.Mode != config.MFARequired {
		return false, nil
	}
	if len(s.mfa.Roles) == 0 {
		return true, nil
	}
	m, err := s.users.Memberships(ctx, user)
	if err != nil {
		return false, fmt.Errorf("identity: %w", err)
	}
	return slices.ContainsFunc(s.mfa.Roles, func(r policy.Role) bool { return slices.Contains(m.Roles, string(r)) }), nil
}

// MustHaveFactor tells whether a user may not be without a second factor.
func (s *Service) MustHaveFactor(ctx context.Context, user string) (bool, error) {
	return s.mustHaveFactor(ctx, user)
}

func (s *Service) pendingOf(u store.User, f factor.Factors, enrol bool) Pending {
	p := Pending{UserID: u.ID, Name: u.Name, Enrol: enrol}
	if enrol {
		p.Methods = []string{FactorTOTP}
		if s.mfa.Factors.HasPasskeys() {
			p.Methods = append(p.Methods, FactorPasskey)
		}
		return p
	}
	if s.mfa.Factors.HasPasskeys() && f.UsablePasskeys() > 0 {
		p.Methods = append(p.Methods, FactorPasskey)
	}
	if f.TOTP != nil {
		p.Methods = append(p.Methods, FactorTOTP)
	}
	if f.RecoveryCodes > 0 {
		p.Methods = append(p.Methods, FactorRecovery)
	}
	return p
}

// Pending returns the half sign-in of a token, or ErrPendingOver.
func (s *Service) Pending(ctx context.Context, token string) (Pending, error) {
	if token == "" || s.mfa.Factors == nil {
		return Pending{}, ErrPendingOver
	}
	c, err := s.mfa.Ceremonies.Get(ctx, pendingID(token), s.now())
	if err != nil {
		return Pending{}, over(err)
	}
	u, h, err := s.waiting(ctx, c)
	if err != nil {
		return Pending{}, err
	}
	f, err := s.mfa.Factors.Of(ctx, u.ID)
	if err != nil {
		return Pending{}, err
	}
	p := s.pendingOf(u, f, h.Enrol)
	p.Token, p.ExpiresAt = token, c.ExpiresAt
	return p, nil
}

// ForgetPending ends a half sign-in.
func (s *Service) ForgetPending(ctx context.Context, token string) error {
	if token == "" || s.mfa.Ceremonies == nil {
		return nil
	}
	return s.mfa.Ceremonies.Delete(ctx, pendingID(token))
}

func over(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrPendingOver
	}
	return fmt.Errorf("identity: %w", err)
}

// waiting returns whose half sign-in it is, as they were when the password was checked.
func (s *Service) waiting(ctx context.Context, c store.Ceremony) (store.User, half, error) {
	var h half
	if err := json.Unmarshal([]byte(c.Payload), &h); err != nil {
		return store.User{}, h, fmt.Errorf("identity: half sign-in: %w", err)
	}
	u, err := s.enabled(ctx, c.UserID)
	if errors.Is(err, ErrNotSignedIn) {
		return store.User{}, h, ErrPendingOver
	}
	if err != nil {
		return store.User{}, h, err
	}
	if u.PasswordAt.UnixMicro() != h.PasswordAt {
		return store.User{}, h, ErrPendingOver
	}
	return u, h, nil
}

// finish finishes a half sign-in that waits for a proof, or for an enrolment, once prove is content.
func (s *Service) finish(ctx context.Context, step Step, enrol bool, prove func(factor.Person) error) (SignIn, error) {
	if step.Token == "" || s.mfa.Factors == nil {
		return SignIn{}, ErrPendingOver
	}
	now := s.now()
	c, err := s.mfa.Ceremonies.Attempt(ctx, pendingID(step.Token), maxPendingAttempts, now)
	if err != nil {
		return SignIn{}, over(err)
	}
	u, h, err := s.waiting(ctx, c)
	if err != nil {
		return SignIn{}, err
	}
	if h.Enrol != enrol {
		return SignIn{}, ErrEnrolFirst
	}
	if err := s.prove(ctx, u, step.Source, prove); err != nil {
		return SignIn{}, err
	}
	if _, err := s.mfa.Ceremonies.Take(ctx, c.ID, now); err != nil {
		return SignIn{}, over(err)
	}
	return s.begin(ctx, u, h.Method, s.now(), step.Source, step.UserAgent, step.Previous)
}

// prove lets somebody try to prove a factor, more slowly after failures, wherever they come from: who gets here has the
// password already.
func (s *Service) prove(ctx context.Context, u store.User, source string, prove func(factor.Person) error) error {
	key := "second factor of " + u.ID // both name and source: nobody else's tries are slowed down
	if wait := s.throttle.begin(key, key, true); wait > 0 {
		s.log.WarnContext(ctx, "second factor throttled", "user_id", u.ID, "client_address", source, "retry_after", wait)
		return &ThrottledError{RetryAfter: wait}
	}
	err := prove(personOf(u))
	if errors.Is(err, factor.ErrWrong) {
		s.log.WarnContext(ctx, "second factor refused", "user_id", u.ID, "client_address", source, "error", err)
		return errors.Join(fmt.Errorf("%w: %w", ErrSecondFactor, err), s.tryFailed(ctx, u.Name))
	}
	if err != nil {
		return err
	}
	s.throttle.succeeded(key, key)
	return nil
}

func personOf(u store.User) factor.Person {
	return factor.Person{ID: u.ID, Name: u.Name, DisplayName: u.DisplayName}
}

// FinishTOTP finishes a sign-in by a one-time password. Its error, like those of the other steps, is ErrSecondFactor,
// ErrPendingOver, ErrEnrolFirst or a *ThrottledError.
func (s *Service) FinishTOTP(ctx context.Context, step Step, code string) (SignIn, error) {
	return s.finish(ctx, step, false, func(p factor.Person) error { return s.mfa.Factors.CheckTOTP(ctx, p.ID, code) })
}

// FinishRecovery finishes a sign-in by a recovery code.
func (s *Service) FinishRecovery(ctx context.Context, step Step, code string) (SignIn, error) {
	return s.finish(ctx, step, false, func(p factor.Person) error { return s.mfa.Factors.CheckRecovery(ctx, p.ID, code) })
}

// BeginPasskeyStep makes the options for finishing a sign-in by a passkey.
func (s *Service) BeginPasskeyStep(ctx context.Context, token string) (passkey.Options, error) {
	p, err := s.Pending(ctx, token)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.Methods, FactorPasskey) || p.Enrol {
		return nil, ErrEnrolFirst
	}
	return s.mfa.Factors.BeginPasskey(ctx, "passkey_step:"+hashToken(token), factor.Person{ID: p.UserID, Name: p.Name})
}

// FinishPasskeyStep finishes a sign-in by a passkey.
func (s *Service) FinishPasskeyStep(ctx context.Context, step Step, answer []byte) (SignIn, error) {
	return s.finish(ctx, step, false, func(p factor.Person) error {
		return s.mfa.Factors.FinishPasskey(ctx, "passkey_step:"+hashToken(step.Token), p, answer)
	})
}

// BeginPasskeySignIn makes the options for signing in by passkey alone, and the token that the browser brings back.
func (s *Service) BeginPasskeySignIn(ctx context.Context) (passkey.Options, string, error) {
	if s.mfa.Factors == nil {
		return nil, "", factor.ErrNoPasskeys
	}
	return s.mfa.Factors.BeginSignIn(ctx)
}

// FinishPasskeySignIn signs in by passkey alone. The authenticator has verified the person, so it counts as two factors.
func (s *Service) FinishPasskeySignIn(ctx context.Context, step Step, answer []byte) (SignIn, error) {
	if s.mfa.Factors == nil {
		return SignIn{}, factor.ErrNoPasskeys
	}
	var u store.User
	_, err := s.mfa.Factors.FinishSignIn(ctx, step.Token, answer, func(id string) (factor.Person, error) {
		var err error
		if u, err = s.enabled(ctx, id); errors.Is(err, ErrNotSignedIn) {
			return factor.Person{}, factor.ErrWrong
		}
		return personOf(u), err
	})
	if errors.Is(err, factor.ErrWrong) {
		s.log.WarnContext(ctx, "sign-in refused", "method", MethodPasskey, "client_address", step.Source, "error", err)
		return SignIn{}, fmt.Errorf("%w: %w", ErrSecondFactor, err)
	}
	if err != nil {
		return SignIn{}, err
	}
	return s.begin(ctx, u, MethodPasskey, s.now(), step.Source, step.UserAgent, step.Previous)
}

// enrolling returns who a half sign-in that waits for an enrolment is of.
func (s *Service) enrolling(ctx context.Context, token string) (factor.Person, error) {
	p, err := s.Pending(ctx, token)
	if err != nil {
		return factor.Person{}, err
	}
	if !p.Enrol {
		return factor.Person{}, ErrEnrolFirst
	}
	return factor.Person{ID: p.UserID, Name: p.Name}, nil
}

// BeginEnrolTOTP makes a generator for whoever has to enrol before they are signed in.
func (s *Service) BeginEnrolTOTP(ctx context.Context, token string) (totp.Key, error) {
	p, err := s.enrolling(ctx, token)
	if err != nil {
		return totp.Key{}, err
	}
	return s.mfa.Factors.BeginTOTP(ctx, p)
}

// FinishEnrolTOTP confirms the generator, signs in, and returns the recovery codes.
func (s *Service) FinishEnrolTOTP(ctx context.Context, step Step, code string) (SignIn, []string, error) {
	var codes []string
	in, err := s.finish(ctx, step, true, func(p factor.Person) (err error) {
		codes, err = s.mfa.Factors.ConfirmTOTP(ctx, p, code)
		return err
	})
	return in, codes, err
}

// BeginEnrolPasskey makes the options for a passkey of whoever has to enrol before they are signed in.
func (s *Service) BeginEnrolPasskey(ctx context.Context, token string) (passkey.Options, error) {
	p, err := s.enrolling(ctx, token)
	if err != nil {
		return nil, err
	}
	return s.mfa.Factors.BeginEnrolment(ctx, p)
}

// FinishEnrolPasskey adds the passkey, signs in, and returns the recovery codes.
func (s *Service) FinishEnrolPasskey(ctx context.Context, step Step, name string, answer []byte) (SignIn, []string, error) {
	var codes []string
	in, err := s.finish(ctx, step, true, func(p factor.Person) (err error) {
		_, codes, err = s.mfa.Factors.FinishEnrolment(ctx, p, name, answer)
		return err
	})
	return in, codes, err
}

// Proof is a second factor proved by somebody who is signed in. One member is set.
type Proof struct {
	TOTP     string
	Recovery string
	Passkey  []byte
}

// BeginStepUp makes the options for proving a passkey again.
func (s *Service) BeginStepUp(ctx context.Context, user string) (passkey.Options, error) {
	u, err := s.enabled(ctx, user)
	if err != nil {
		return nil, err
	}
	if s.mfa.Factors == nil {
		return nil, factor.ErrNoPasskeys
	}
	return s.mfa.Factors.BeginPasskey(ctx, "step_up:"+user, personOf(u))
}

// StepUp proves a second factor again and notes it with the sign-in of the cookie token.
func (s *Service) StepUp(ctx context.Context, token, user, source string, proof Proof) (time.Time, error) {
	u, err := s.enabled(ctx, user)
	if err != nil {
		return time.Time{}, err
	}
	if s.mfa.Factors == nil {
		return time.Time{}, ErrSecondFactor
	}
	err = s.prove(ctx, u, source, func(p factor.Person) error {
		switch {
		case proof.TOTP != "":
			return s.mfa.Factors.CheckTOTP(ctx, p.ID, proof.TOTP)
		case proof.Recovery != "":
			return s.mfa.Factors.CheckRecovery(ctx, p.ID, proof.Recovery)
		case len(proof.Passkey) > 0:
			return s.mfa.Factors.FinishPasskey(ctx, "step_up:"+p.ID, p, proof.Passkey)
		}
		return factor.ErrWrong
	})
	if err != nil {
		return time.Time{}, err
	}
	now := s.now()
	if err := s.browsers.SetMFA(ctx, hashToken(token), now); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return time.Time{}, ErrNotSignedIn
		}
		return time.Time{}, fmt.Errorf("identity: step up: %w", err)
	}
	s.log.InfoContext(ctx, "second factor proved again", "user_id", user, "client_address", source)
	return now, nil
}

// ResetFactors removes somebody's second factors and ends their sign-ins, and returns their name. The error may be ErrUnknownUser.
func (s *Service) ResetFactors(ctx context.Context, id string) (name string, err error) {
	u, err := s.users.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrUnknownUser
	}
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	if s.mfa.Factors != nil {
		if err := s.mfa.Factors.Reset(ctx, id); err != nil {
			return u.Name, err
		}
	}
	return u.Name, s.RevokeSignIns(ctx, id, "")
}
