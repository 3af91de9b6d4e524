package factor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/identity/passkey"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// BeginEnrolment makes the options for a new passkey.
func (s *Service) BeginEnrolment(ctx context.Context, p Person) (passkey.Options, error) {
	if s.rp == nil {
		return nil, ErrNoPasskeys
	}
	list, err := s.rows.Passkeys(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("factor: %w", err)
	}
	if len(list) >= MaxPasskeys {
		return nil, ErrTooMany
	}
	options, session, err := s.rp.BeginRegistration(p, credentials(list, true))
	if err != nil {
		return nil, err
	}
	return options, s.begin(ctx, "passkey_enrol:"+p.ID, p.ID, session, challengeLifetime)
}

// FinishEnrolment adds the passkey the browser made, and returns recovery codes when there were none.
func (s *Service) FinishEnrolment(ctx context.Context, p Person, name string, answer []byte) (store.Passkey, []string, error) {
	if s.rp == nil {
		return store.Passkey{}, nil, ErrNoPasskeys
	}
	name, err := checkName(name)
	if err != nil {
		return store.Passkey{}, nil, err
	}
	c, err := s.ceremonies.Take(ctx, "passkey_enrol:"+p.ID, s.now())
	if err != nil {
		return store.Passkey{}, nil, expired(err)
	}
	made, err := s.rp.FinishRegistration(p, c.Payload, answer)
	if err != nil {
		return store.Passkey{}, nil, wrong(err)
	}
	row := store.Passkey{ID: made.ID, UserID: p.ID, Name: name, Credential: made.JSON, SignCount: made.SignCount, CreatedAt: s.now()}
	switch err := s.rows.AddPasskey(ctx, row, MaxPasskeys); {
	case errors.Is(err, store.ErrExists):
		return store.Passkey{}, nil, ErrExists
	case errors.Is(err, store.ErrTooMany):
		return store.Passkey{}, nil, ErrTooMany
	case err != nil:
		return store.Passkey{}, nil, fmt.Errorf("factor: %w", err)
	}
	s.log.InfoContext(ctx, "passkey enrolled", "user_id", p.ID, "passkey_id", row.ID)
	codes, err := s.firstRecoveryCodes(ctx, p.ID)
	return row, codes, err
}

// RenamePasskey gives a user's passkey another name.
func (s *Service) RenamePasskey(ctx context.Context, user, id, name string) error {
	name, err := checkName(name)
	if err != nil {
		return err
	}
	if err := s.rows.RenamePasskey(ctx, user, id, name); err != nil {
		return unknown(err)
	}
	return nil
}

// RemovePasskey removes a user's passkey.
func (s *Service) RemovePasskey(ctx context.Context, user, id string) error {
	if err := s.rows.DeletePasskey(ctx, user, id); err != nil {
		return unknown(err)
	}
	s.log.InfoContext(ctx, "passkey removed", "user_id", user, "passkey_id", id)
	return s.dropRecoveryCodes(ctx, user)
}

// BeginPasskey makes the options for proving one of the person's passkeys. One ceremony of that purpose runs at a time.
func (s *Service) BeginPasskey(ctx context.Context, purpose string, p Person) (passkey.Options, error) {
	if s.rp == nil {
		return nil, ErrNoPasskeys
	}
	list, err := s.rows.Passkeys(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("factor: %w", err)
	}
	options, session, err := s.rp.BeginAssertion(p, credentials(list, false))
	if err != nil {
		return nil, wrong(err)
	}
	return options, s.begin(ctx, purpose, p.ID, session, challengeLifetime)
}

// FinishPasskey checks the browser's answer to what BeginPasskey made for that purpose.
func (s *Service) FinishPasskey(ctx context.Context, purpose string, p Person, answer []byte) error {
	if s.rp == nil {
		return ErrNoPasskeys
	}
	c, err := s.ceremonies.Take(ctx, purpose, s.now())
	if err != nil {
		return expired(err)
	}
	if c.UserID != p.ID {
		return ErrExpired
	}
	list, err := s.rows.Passkeys(ctx, p.ID)
	if err != nil {
		return fmt.Errorf("factor: %w", err)
	}
	used, err := s.rp.FinishAssertion(p, credentials(list, false), c.Payload, answer)
	return s.used(ctx, list, used, err)
}

// BeginSignIn makes the options for a sign-in by passkey alone, and the token that FinishSignIn wants back from this browser.
func (s *Service) BeginSignIn(ctx context.Context) (passkey.Options, string, error) {
	if s.rp == nil {
		return nil, "", ErrNoPasskeys
	}
	options, session, err := s.rp.BeginSignIn()
	if err != nil {
		return nil, "", err
	}
	token := rand.Text()
	return options, token, s.begin(ctx, signInCeremony(token), "", session, challengeLifetime)
}

func signInCeremony(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "passkey_sign_in:" + hex.EncodeToString(sum[:])
}

// FinishSignIn checks the browser's answer and returns the id of the user who signs in. person tells who has an id.
func (s *Service) FinishSignIn(ctx context.Context, token string, answer []byte, person func(id string) (Person, error)) (string, error) {
	if s.rp == nil {
		return "", ErrNoPasskeys
	}
	c, err := s.ceremonies.Take(ctx, signInCeremony(token), s.now())
	if err != nil {
		return "", expired(err)
	}
	var who Person
	var list []store.Passkey
	used, err := s.rp.FinishSignIn(c.Payload, answer, func(id string) (Person, []passkey.Credential, error) {
		if who, err = person(id); err != nil {
			return Person{}, nil, err
		}
		if list, err = s.rows.Passkeys(ctx, id); err != nil {
			return Person{}, nil, err
		}
		return who, credentials(list, false), nil
	})
	return who.ID, s.used(ctx, list, used, err)
}

// used writes down what an assertion changed. err is the assertion's own.
func (s *Service) used(ctx context.Context, list []store.Passkey, c passkey.Credential, err error) error {
	cloned := errors.Is(err, passkey.ErrCloned)
	if err != nil && !cloned {
		return wrong(err)
	}
	for _, row := range list {
		if row.ID != c.ID {
			continue
		}
		before := row.SignCount
		row.Credential, row.SignCount, row.Cloned, row.LastUsedAt = c.JSON, c.SignCount, cloned, s.now()
		if cloned {
			s.log.WarnContext(ctx, "a passkey's counter went back: there may be a copy, so it is no longer taken",
				"user_id", row.UserID, "passkey_id", row.ID)
		}
		switch werr := s.rows.UsePasskey(ctx, row, before); {
		case errors.Is(werr, store.ErrNotFound):
			return fmt.Errorf("%w: the passkey was used or removed meanwhile", ErrWrong)
		case werr != nil:
			return fmt.Errorf("factor: %w", werr)
		}
		if cloned {
			return wrong(err)
		}
		return nil
	}
	return fmt.Errorf("%w: the passkey is not one of the person's", ErrWrong)
}

// credentials are what the authenticator is asked for; cloned ones only when they are to be excluded.
func credentials(list []store.Passkey, cloned bool) []passkey.Credential {
	var out []passkey.Credential
	for _, p := range list {
		if !p.Cloned || cloned {
			out = append(out, passkey.Credential{ID: p.ID, JSON: p.Credential, SignCount: p.SignCount})
		}
	}
	return out
}

func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > MaxNameBytes || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", ErrName
	}
	return name, nil
}
