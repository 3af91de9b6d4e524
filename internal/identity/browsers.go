package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// ErrUnknownSignIn says that the user has no such sign-in.
var ErrUnknownSignIn = errors.New("identity: no such sign-in")

// SignIns returns the sign-ins of a user that are not over, last used first.
func (s *Service) SignIns(ctx context.Context, user string) ([]store.BrowserSession, error) {
	list, err := s.browsers.OfUser(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	now := s.now()
	var out []store.BrowserSession
	for _, b := range list {
		if now.Before(b.ExpiresAt) && now.Sub(b.SeenAt) < s.idle {
			out = append(out, b)
		}
	}
	return out, nil
}

// RevokeSignIn ends one sign-in of a user, or returns ErrUnknownSignIn.
func (s *Service) RevokeSignIn(ctx context.Context, user, id string) error {
	if err := s.browsers.Revoke(ctx, user, id); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return ErrUnknownSignIn
		}
		return fmt.Errorf("identity: %w", err)
	}
	s.log.InfoContext(ctx, "sign-in revoked", "user_id", user, "sign_in_id", id)
	return nil
}

// RevokeSignIns ends every sign-in of a user but the one of the cookie keep, which may be empty.
func (s *Service) RevokeSignIns(ctx context.Context, user, keep string) error {
	if keep != "" {
		keep = hashToken(keep)
	}
	if err := s.browsers.DeleteOfUser(ctx, user, keep); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	s.log.InfoContext(ctx, "sign-ins revoked", "user_id", user)
	return nil
}
