// Package factor keeps what people prove themselves with besides a password: a generator of one-time passwords, any number
// of passkeys, and recovery codes for the day these are lost.
//
// Whoever has a generator or a passkey has recovery codes too: they are made with the first of them, shown once and gone
// with the last. The generator's seed rests sealed; of recovery codes only hashes rest; of passkeys public keys.
// Every proof counts once: codes by the step they are of, recovery codes because they are removed, passkeys because
// their challenge is.
package factor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/identity/passkey"
	"github.com/vitrine-psm/vitrine/internal/identity/totp"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Limits.
const (
	MaxPasskeys       = 20               // of a person
	MaxNameBytes      = 64               // of a passkey
	RecoveryCodes     = 10               // in a set
	recoveryLetters   = 16               // of 32 different: 80 bits
	enrolmentLifetime = 15 * time.Minute // to scan a QR code and type the code
	challengeLifetime = 5 * time.Minute  // more than passkey.Timeout
)

// What callers tell apart.
var (
	// ErrWrong: the code is wrong or was used before, or the passkey did not prove what it should.
	ErrWrong = errors.New("factor: not proved")
	// ErrExpired: what was begun is over, or was finished already.
	ErrExpired = errors.New("factor: begun too long ago, or finished already")
	// ErrUnknown: the person has no such factor.
	ErrUnknown = errors.New("factor: there is no such factor")
	// ErrName: a passkey needs a name.
	ErrName = fmt.Errorf("factor: a name has 1 to %d bytes and no control characters", MaxNameBytes)
	// ErrTooMany: there are MaxPasskeys already.
	ErrTooMany = fmt.Errorf("factor: a person has at most %d passkeys", MaxPasskeys)
	// ErrExists: this passkey is enrolled already.
	ErrExists = errors.New("factor: this passkey is enrolled already")
	// ErrNoPasskeys: the gateway's address allows none.
	ErrNoPasskeys = errors.New("factor: passkeys need a domain name and https, or localhost")
)

// Rows is what this package needs of the tables of second factors.
type Rows interface {
	TOTP(ctx context.Context, user string) (store.TOTPFactor, error)
	SetTOTP(ctx context.Context, f store.TOTPFactor) error
	UseTOTP(ctx context.Context, user string, step int64) error
	DeleteTOTP(ctx context.Context, user string) error
	AddPasskey(ctx context.Context, p store.Passkey, most int) error
	Passkeys(ctx context.Context, user string) ([]store.Passkey, error)
	UsePasskey(ctx context.Context, p store.Passkey, before uint32) error
	RenamePasskey(ctx context.Context, user, id, name string) error
	DeletePasskey(ctx context.Context, user, id string) error
	SetRecoveryCodes(ctx context.Context, user string, hashes []string, at time.Time) error
	UseRecoveryCode(ctx context.Context, user, hash string) error
	CountRecoveryCodes(ctx context.Context, user string) (int, error)
}

// Ceremonies keeps what is begun in one request and finished in another.
type Ceremonies interface {
	Put(ctx context.Context, c store.Ceremony, now time.Time) error
	Get(ctx context.Context, id string, now time.Time) (store.Ceremony, error)
	Take(ctx context.Context, id string, now time.Time) (store.Ceremony, error)
	Delete(ctx context.Context, id string) error
}

// Seeds keeps the seeds of generators, sealed. There is one for each record.
type Seeds interface {
	Seal(ctx context.Context, record string, seed []byte) error
	Open(ctx context.Context, record string) ([]byte, error)
	Forget(ctx context.Context, record string) error
}

// Person is whose factors they are.
type Person = passkey.Person

// Options are what a Service may be told.
type Options struct {
	Issuer string                // as authenticator apps show it; empty: Vitrine
	RP     *passkey.RelyingParty // nil: no passkeys
	Logger *slog.Logger          // nil: none
	Now    func() time.Time      // nil: time.Now
}

// Service enrols and checks second factors. It is safe for concurrent use.
type Service struct {
	rows       Rows
	ceremonies Ceremonies
	seeds      Seeds
	issuer     string
	rp         *passkey.RelyingParty
	log        *slog.Logger
	now        func() time.Time
}

// New returns a Service.
func New(rows Rows, ceremonies Ceremonies, seeds Seeds, opts Options) *Service {
	s := &Service{rows: rows, ceremonies: ceremonies, seeds: seeds, issuer: opts.Issuer, rp: opts.RP, log: opts.Logger, now: opts.Now}
	if s.issuer == "" {
		s.issuer = "Vitrine"
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Factors are what a person has enrolled.
type Factors struct {
	TOTP          *store.TOTPFactor // nil: none
	Passkeys      []store.Passkey   // oldest first
	RecoveryCodes int               // left
}

// Any tells whether there is anything to prove besides recovery codes.
func (f Factors) Any() bool { return f.TOTP != nil || f.UsablePasskeys() > 0 }

// UsablePasskeys counts those that no copy is feared of.
func (f Factors) UsablePasskeys() int {
	n := 0
	for _, p := range f.Passkeys {
		if !p.Cloned {
			n++
		}
	}
	return n
}

// Of returns what a user has enrolled.
func (s *Service) Of(ctx context.Context, user string) (Factors, error) {
	var f Factors
	t, err := s.rows.TOTP(ctx, user)
	switch {
	case err == nil:
		f.TOTP = &t
	case !errors.Is(err, store.ErrNotFound):
		return f, fmt.Errorf("factor: %w", err)
	}
	if f.Passkeys, err = s.rows.Passkeys(ctx, user); err != nil {
		return f, fmt.Errorf("factor: %w", err)
	}
	if f.RecoveryCodes, err = s.rows.CountRecoveryCodes(ctx, user); err != nil {
		return f, fmt.Errorf("factor: %w", err)
	}
	return f, nil
}

// HasPasskeys tells whether the gateway takes passkeys at all.
func (s *Service) HasPasskeys() bool { return s.rp != nil }

// Reset removes all factors of a user.
func (s *Service) Reset(ctx context.Context, user string) error {
	f, err := s.Of(ctx, user)
	if err != nil {
		return err
	}
	for _, p := range f.Passkeys {
		if err := s.rows.DeletePasskey(ctx, user, p.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("factor: reset: %w", err)
		}
	}
	if f.TOTP != nil {
		if err := s.removeTOTP(ctx, user); err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
	}
	if err := s.rows.SetRecoveryCodes(ctx, user, nil, s.now()); err != nil {
		return fmt.Errorf("factor: reset: %w", err)
	}
	s.log.InfoContext(ctx, "second factors reset", "user_id", user)
	return nil
}

// CheckTOTP proves the generator once by its code.
func (s *Service) CheckTOTP(ctx context.Context, user, code string) error {
	f, err := s.rows.TOTP(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: there is no generator", ErrWrong)
	}
	if err != nil {
		return fmt.Errorf("factor: %w", err)
	}
	seed, err := s.seeds.Open(ctx, user)
	if err != nil {
		return fmt.Errorf("factor: seed: %w", err)
	}
	defer clear(seed)
	step, err := totp.Check(string(seed), code, s.now(), f.LastStep)
	if err != nil {
		return wrong(err)
	}
	err = s.rows.UseTOTP(ctx, user, step)
	if errors.Is(err, store.ErrNotFound) { // used in another request at this moment
		return fmt.Errorf("%w: %w", ErrWrong, totp.ErrUsed)
	}
	return err
}

func wrong(err error) error {
	if errors.Is(err, totp.ErrWrongCode) || errors.Is(err, totp.ErrUsed) || errors.Is(err, passkey.ErrRefused) {
		return fmt.Errorf("%w: %w", ErrWrong, err)
	}
	return err
}

// BeginTOTP makes a generator for the person, which counts once ConfirmTOTP had a code of it. One that is there stays
// until then.
func (s *Service) BeginTOTP(ctx context.Context, p Person) (totp.Key, error) {
	key, err := totp.NewKey(s.issuer, p.Name)
	if err != nil {
		return totp.Key{}, err
	}
	if err := s.seeds.Seal(ctx, freshSeed(p.ID), []byte(key.Seed)); err != nil {
		return totp.Key{}, fmt.Errorf("factor: seed: %w", err)
	}
	return key, s.begin(ctx, "totp_enrol:"+p.ID, p.ID, "", enrolmentLifetime)
}

// freshSeed is the record of a seed that is not confirmed.
func freshSeed(user string) string { return user + "/new" }

// ConfirmTOTP makes the begun generator the person's, by its code, and returns recovery codes when there were none. After
// a wrong code another may be tried.
func (s *Service) ConfirmTOTP(ctx context.Context, p Person, code string) (recovery []string, err error) {
	now, id := s.now(), "totp_enrol:"+p.ID
	if _, err := s.ceremonies.Get(ctx, id, now); err != nil {
		return nil, expired(err)
	}
	seed, err := s.seeds.Open(ctx, freshSeed(p.ID))
	if err != nil {
		return nil, fmt.Errorf("factor: seed: %w", err)
	}
	defer clear(seed)
	step, err := totp.Check(string(seed), code, now, 0)
	if err != nil {
		return nil, wrong(err)
	}
	if _, err := s.ceremonies.Take(ctx, id, now); err != nil {
		return nil, expired(err)
	}
	if err := s.seeds.Seal(ctx, p.ID, seed); err != nil {
		return nil, fmt.Errorf("factor: seed: %w", err)
	}
	if err := s.seeds.Forget(ctx, freshSeed(p.ID)); err != nil {
		return nil, fmt.Errorf("factor: seed: %w", err)
	}
	if err := s.rows.SetTOTP(ctx, store.TOTPFactor{UserID: p.ID, CreatedAt: now, LastStep: step}); err != nil {
		return nil, fmt.Errorf("factor: %w", err)
	}
	s.log.InfoContext(ctx, "generator of one-time passwords enrolled", "user_id", p.ID)
	return s.firstRecoveryCodes(ctx, p.ID)
}

// RemoveTOTP removes a user's generator, or returns ErrUnknown.
func (s *Service) RemoveTOTP(ctx context.Context, user string) error {
	if err := s.removeTOTP(ctx, user); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "generator of one-time passwords removed", "user_id", user)
	return s.dropRecoveryCodes(ctx, user)
}

func (s *Service) removeTOTP(ctx context.Context, user string) error {
	if err := s.rows.DeleteTOTP(ctx, user); err != nil {
		return unknown(err)
	}
	for _, record := range []string{user, freshSeed(user)} {
		if err := s.seeds.Forget(ctx, record); err != nil {
			return fmt.Errorf("factor: seed: %w", err)
		}
	}
	return nil
}

// CheckRecovery proves a recovery code, which is gone then.
func (s *Service) CheckRecovery(ctx context.Context, user, code string) error {
	err := s.rows.UseRecoveryCode(ctx, user, hashRecovery(user, code))
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: no such recovery code", ErrWrong)
	}
	if err != nil {
		return fmt.Errorf("factor: %w", err)
	}
	s.log.WarnContext(ctx, "recovery code used", "user_id", user)
	return nil
}

// NewRecoveryCodes replaces a user's codes and returns the new ones for the one time they are shown. Without another
// factor there are none: ErrUnknown.
func (s *Service) NewRecoveryCodes(ctx context.Context, user string) ([]string, error) {
	f, err := s.Of(ctx, user)
	if err != nil {
		return nil, err
	}
	if f.TOTP == nil && len(f.Passkeys) == 0 {
		return nil, ErrUnknown
	}
	var codes, hashes []string
	for range RecoveryCodes {
		code := recoveryCode()
		codes, hashes = append(codes, code), append(hashes, hashRecovery(user, code))
	}
	if err := s.rows.SetRecoveryCodes(ctx, user, hashes, s.now()); err != nil {
		return nil, fmt.Errorf("factor: %w", err)
	}
	s.log.InfoContext(ctx, "recovery codes made", "user_id", user)
	return codes, nil
}

func (s *Service) firstRecoveryCodes(ctx context.Context, user string) ([]string, error) {
	n, err := s.rows.CountRecoveryCodes(ctx, user)
	if err != nil || n > 0 {
		return nil, err
	}
	return s.NewRecoveryCodes(ctx, user)
}

// dropRecoveryCodes removes the codes of a user who has nothing else.
func (s *Service) dropRecoveryCodes(ctx context.Context, user string) error {
	f, err := s.Of(ctx, user)
	if err != nil || f.TOTP != nil || len(f.Passkeys) > 0 {
		return err
	}
	return s.rows.SetRecoveryCodes(ctx, user, nil, s.now())
}

// recoveryCode is four groups of four letters and digits, none alike.
func recoveryCode() string {
	const alphabet = "abcdefghjkmnpqrstuvwxyz023456789"
	raw := make([]byte, recoveryLetters)
	rand.Read(raw) // never fails
	var b strings.Builder
	for i, c := range raw {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[c%32])
	}
	return b.String()
}

// hashRecovery needs no stretching: a code has 80 random bits. Case, dashes and spaces do not matter.
func hashRecovery(user, code string) string {
	code = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, strings.ToLower(code))
	sum := sha256.Sum256([]byte("vitrine recovery\x00" + user + "\x00" + code))
	return hex.EncodeToString(sum[:])
}

// begin keeps what a ceremony of that id needs to be finished.
func (s *Service) begin(ctx context.Context, id, user, payload string, lifetime time.Duration) error {
	now := s.now()
	if err := s.ceremonies.Put(ctx, store.Ceremony{ID: id, UserID: user, Payload: payload, ExpiresAt: now.Add(lifetime)}, now); err != nil {
		return fmt.Errorf("factor: %w", err)
	}
	return nil
}

func expired(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrExpired
	}
	return fmt.Errorf("factor: %w", err)
}

func unknown(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrUnknown
	}
	return fmt.Errorf("factor: %w", err)
}
