package identity

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// TokenPrefix begins every API token, so that people and scanners of secrets know one when they see it.
const TokenPrefix = "vtr_"

// An API token is TokenPrefix, 43 letters of 256 random bits and 6 of their CRC-32, both in base 62. The checksum lets a
// scanner tell a token from a text that looks like one, and lets a mistyped one be refused without the database.
const (
	tokenSecretLetters = 43
	tokenCheckLetters  = 6
	tokenLength        = len(TokenPrefix) + tokenSecretLetters + tokenCheckLetters
)

// What callers tell apart.
var (
	// ErrUnknownToken: the user has no such token.
	ErrUnknownToken = errors.New("identity: no such token")
	// ErrTooManyTokens: the user has MaxTokensPerUser.
	ErrTooManyTokens = fmt.Errorf("identity: nobody has more than %d tokens", MaxTokensPerUser)
)

// NewToken is what a token is made from.
type NewToken struct {
	Name      string
	Scopes    []policy.Action // at least one; the token may do nothing else, and nothing its user may not
	ExpiresAt time.Time
}

// CreateToken makes a token for a user and returns it with the one text that shows it. It returns ErrTooManyTokens or an
// *InvalidError for what the caller can mend.
func (s *Service) CreateToken(ctx context.Context, user string, n NewToken) (store.APIToken, string, error) {
	n.Name = strings.TrimSpace(n.Name)
	now := s.now()
	switch {
	case n.Name == "" || !printable(n.Name) || utf8.RuneCountInString(n.Name) > MaxDisplayName:
		return store.APIToken{}, "", &InvalidError{"name", fmt.Sprintf("A token's name is a line of 1 to %d characters.", MaxDisplayName)}
	case len(n.Scopes) == 0:
		return store.APIToken{}, "", &InvalidError{"scopes", "A token may do at least one thing."}
	case !n.ExpiresAt.After(now):
		return store.APIToken{}, "", &InvalidError{"expires_at", "A token expires in the future."}
	case n.ExpiresAt.Sub(now) > s.tokenMost+time.Minute: // clocks differ
		return store.APIToken{}, "", &InvalidError{"expires_at", fmt.Sprintf("A token lives for at most %d days.", int(s.tokenMost.Hours()/24))}
	}
	var scopes []string
	for _, a := range policy.All() {
		if slices.Contains(n.Scopes, a) {
			scopes = append(scopes, string(a))
		}
	}
	for _, a := range n.Scopes {
		if !slices.Contains(policy.All(), a) {
			return store.APIToken{}, "", &InvalidError{"scopes", fmt.Sprintf("There is no action %q.", a)}
		}
	}
	text := newAPIToken()
	t := store.APIToken{
		ID: uuid.NewString(), UserID: user, Name: n.Name, TokenHash: hashToken(text), Scopes: scopes, CreatedAt: now, ExpiresAt: n.ExpiresAt,
	}
	if err := s.tokens.Create(ctx, t, MaxTokensPerUser); err != nil {
		if errors.Is(err, store.ErrTooMany) {
			return store.APIToken{}, "", ErrTooManyTokens
		}
		return store.APIToken{}, "", fmt.Errorf("identity: create token: %w", err)
	}
	s.log.InfoContext(ctx, "token created", "user_id", user, "token_id", t.ID)
	return t, text, nil
}

// Tokens returns the tokens of a user, newest first, those that expired of late too.
func (s *Service) Tokens(ctx context.Context, user string) ([]store.APIToken, error) {
	list, err := s.tokens.OfUser(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return list, nil
}

// RevokeToken ends a token of a user, or returns ErrUnknownToken.
func (s *Service) RevokeToken(ctx context.Context, user, id string) error {
	if err := s.tokens.Delete(ctx, user, id); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return ErrUnknownToken
		}
		return fmt.Errorf("identity: %w", err)
	}
	s.log.InfoContext(ctx, "token revoked", "user_id", user, "token_id", id)
	return nil
}

// AuthenticateToken tells whose API token text is, or returns ErrNotSignedIn. address is the client's.
func (s *Service) AuthenticateToken(ctx context.Context, text, address string) (Caller, error) {
	if !wellFormedToken(text) {
		return Caller{}, ErrNotSignedIn
	}
	t, err := s.tokens.ByHash(ctx, hashToken(text))
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, ErrNotSignedIn
	}
	if err != nil {
		return Caller{}, fmt.Errorf("identity: %w", err)
	}
	now := s.now()
	if !now.Before(t.ExpiresAt) {
		return Caller{}, ErrNotSignedIn
	}
	u, err := s.enabled(ctx, t.UserID)
	if err != nil {
		return Caller{}, err
	}
	if now.Sub(t.LastUsedAt) >= seenInterval || t.LastAddress != address {
		if err := s.tokens.Used(ctx, t.ID, now, address); err != nil {
			return Caller{}, fmt.Errorf("identity: %w", err)
		}
	}
	subject, err := s.subjectOf(ctx, u, time.Time{})
	if err != nil {
		return Caller{}, err
	}
	subject.Scopes = []policy.Action{}
	for _, a := range t.Scopes {
		subject.Scopes = append(subject.Scopes, policy.Action(a))
	}
	subject.Permissions = slices.DeleteFunc(subject.Permissions, func(a policy.Action) bool { return !slices.Contains(subject.Scopes, a) })
	return Caller{Subject: subject, TokenID: t.ID, MustChangePassword: u.MustChangePassword}, nil
}

func newAPIToken() string {
	raw := make([]byte, tokenBytes)
	rand.Read(raw) // never fails: crypto/rand ends the program instead
	secret := base62(raw, tokenSecretLetters)
	return TokenPrefix + secret + tokenChecksum(secret)
}

func wellFormedToken(text string) bool {
	rest, ok := strings.CutPrefix(text, TokenPrefix)
	return ok && len(text) == tokenLength && tokenChecksum(rest[:tokenSecretLetters]) == rest[tokenSecretLetters:]
}

func tokenChecksum(secret string) string {
	return base62(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(secret))), tokenCheckLetters)
}

// base62 writes raw as a number with that many letters, zeros first.
func base62(raw []byte, letters int) string {
	text := new(big.Int).SetBytes(raw).Text(62)
	return strings.Repeat("0", max(0, letters-len(text))) + text
}
