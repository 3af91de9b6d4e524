package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// ErrBadSetupCode says that the code is not the one that was printed, or it was used.
var ErrBadSetupCode = errors.New("identity: wrong set-up code")

// setupName stands for the set-up code in the throttle. No user can have it.
const setupName = "\x00setup"

// setupCode is what proves that whoever makes the first user sees what the gateway prints.
type setupCode struct {
	mu   sync.Mutex
	hash [sha256.Size]byte // of the code; zero: none
}

// NewSetupCode returns a fresh code for Setup when there is no user yet, which ends an earlier one; otherwise "".
func (s *Service) NewSetupCode(ctx context.Context) (string, error) {
	needed, err := s.SetupNeeded(ctx)
	if err != nil || !needed {
		return "", err
	}
	code := randomLetters(passwordLetters)
	s.setup.mu.Lock()
	defer s.setup.mu.Unlock()
	s.setup.hash = sha256.Sum256([]byte(code))
	return strings.Join([]string{code[:5], code[5:10], code[10:15], code[15:]}, "-"), nil
}

// SetupNeeded tells whether there is no user yet.
func (s *Service) SetupNeeded(ctx context.Context) (bool, error) {
	n, err := s.users.Count(ctx)
	if err != nil {
		return false, fmt.Errorf("identity: set-up: %w", err)
	}
	return n == 0, nil
}

// Setup makes the first user, an administrator, and signs them in; n.Roles and n.Groups do not count. The code ends with
// it. The error is ErrSetupDone, ErrBadSetupCode, a *ThrottledError, a *WeakPasswordError or an *InvalidError.
func (s *Service) Setup(ctx context.Context, code string, n NewUser, source, userAgent, previous string) (SignIn, error) {
	needed, err := s.SetupNeeded(ctx)
	if err != nil {
		return SignIn{}, err
	}
	if !needed {
		return SignIn{}, ErrSetupDone
	}
	if wait := s.throttle.begin(setupName, source, false); wait > 0 {
		s.log.WarnContext(ctx, "set-up throttled", "client_address", source, "retry_after", wait)
		return SignIn{}, &ThrottledError{RetryAfter: wait}
	}
	given := sha256.Sum256([]byte(strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))))
	// Held over the creation, so that of two who send the code at once one becomes the first user.
	s.setup.mu.Lock()
	defer s.setup.mu.Unlock()
	if s.setup.hash == [sha256.Size]byte{} || subtle.ConstantTimeCompare(given[:], s.setup.hash[:]) != 1 {
		s.log.WarnContext(ctx, "set-up refused", "client_address", source)
		return SignIn{}, ErrBadSetupCode
	}
	s.throttle.succeeded(setupName, source)
	u, err := s.createFirst(ctx, n)
	if err != nil {
		return SignIn{}, err
	}
	s.setup.hash = [sha256.Size]byte{}
	return s.begin(ctx, u, MethodPassword, time.Time{}, source, userAgent, previous)
}
