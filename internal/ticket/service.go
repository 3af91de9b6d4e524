package ticket

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
)

// Tickets is what this package needs of the table of tickets.
type Tickets interface {
	Create(ctx context.Context, t store.NativeTicket) error
	Use(ctx context.Context, hash string, now time.Time) (store.NativeTicket, error)
	Get(ctx context.Context, hash string) (store.NativeTicket, error)
	DeleteExpired(ctx context.Context, before time.Time) (int64, error)
}

// Options are what a Service may be told.
type Options struct {
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
}

// Service issues tickets and takes them. It is safe for concurrent use. Run must run.
type Service struct {
	tickets Tickets
	log     *slog.Logger
	now     func() time.Time

	mu     sync.Mutex
	hashes map[string]*proof        // by the name of a ticket of form NLA; at most maxHashes
	people map[string]*rate.Limiter // by user id; at most maxPeople
}

// proof is what a password is checked by.
type proof struct {
	hash      ntlm.Hash
	expiresAt time.Time
	taken     bool // somebody proves it at this moment
	failures  int
}

// New returns a Service.
func New(tickets Tickets, opts Options) *Service {
	s := &Service{tickets: tickets, log: opts.Logger, now: opts.Now, hashes: map[string]*proof{}, people: map[string]*rate.Limiter{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// letters has no two that look alike to a person, and survives clients that change case.
var letters = base32.NewEncoding("abcdefghjkmnpqrstuvwxyz023456789").WithPadding(base32.NoPadding)

func random(n int) string {
	raw := make([]byte, n)
	rand.Read(raw) // never fails: crypto/rand ends the program instead
	return letters.EncodeToString(raw)
}

// key is what a ticket is kept under. The form is part of it: the name of form NLA, which travels in clear, is no ticket.
// It needs no salt and no stretching: a ticket is as random as a key.
func key(form Form, text string) string {
	sum := sha256.Sum256([]byte(string(form) + ":" + text))
	return hex.EncodeToString(sum[:])
}

// Issue makes a ticket for b. The error may be a *TooManyError.
func (s *Service) Issue(ctx context.Context, form Form, b Bound) (Ticket, error) {
	if form != Shell && form != NLA {
		return Ticket{}, ErrForm
	}
	now := s.now()
	if err := s.count(b.UserID, now); err != nil {
		return Ticket{}, err
	}
	t := Ticket{Form: form, Secret: desktop.Secret(random(secretBytes)), ExpiresAt: now.Add(Lifetime)}
	text := string(t.Secret)
	if form == NLA {
		t.ID = "v-" + random(secretBytes)[:idLetters]
		text = t.ID
		if err := s.keep(t, now); err != nil {
			return Ticket{}, err
		}
	}
	row := rowOf(b)
	row.Hash, row.CreatedAt, row.ExpiresAt = key(form, text), now, t.ExpiresAt
	if err := s.tickets.Create(ctx, row); err != nil {
		s.forget(t.ID)
		return Ticket{}, fmt.Errorf("ticket: %w", err)
	}
	s.log.InfoContext(ctx, "ticket issued", "form", string(form), "user_id", b.UserID, "target_id", b.TargetID)
	return t, nil
}

// count counts a ticket of a person.
func (s *Service) count(userID string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.people[userID]
	if l == nil {
		if len(s.people) >= maxPeople {
			clear(s.people)
		}
		l = rate.NewLimiter(rate.Limit(perMinute/60.0), burst)
		s.people[userID] = l
	}
	r := l.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return &TooManyError{RetryAfter: wait}
	}
	return nil
}

// keep remembers what the password of t is checked by.
func (s *Service) keep(t Ticket, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropOver(now)
	if len(s.hashes) >= maxHashes {
		return &TooManyError{RetryAfter: Lifetime}
	}
	s.hashes[t.ID] = &proof{hash: ntlm.NTHash(t.Secret), expiresAt: t.ExpiresAt}
	return nil
}

func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
}

// drop overwrites a hash before it forgets it. s.mu is held.
func (s *Service) drop(id string) {
	if p := s.hashes[id]; p != nil {
		clear(p.hash[:])
		delete(s.hashes, id)
	}
}

func (s *Service) dropOver(now time.Time) {
	for id, p := range s.hashes {
		if !now.Before(p.expiresAt) {
			s.drop(id)
		}
	}
}

// Prove begins to prove the password of a ticket of form NLA and returns its NT hash, false for one that cannot be proved now:
// there is none, it is over, or somebody else is at it. Proved must follow.
func (s *Service) Prove(id string) (ntlm.Hash, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.hashes[id]
	if p == nil || p.taken || !s.now().Before(p.expiresAt) {
		return ntlm.Hash{}, false
	}
	p.taken = true
	return p.hash, true
}

// Proved says what came of it. A password that was proved cannot be proved again, whatever becomes of its ticket; one that was not
// may be tried again, maxFailures times in all.
func (s *Service) Proved(id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.hashes[id]
	if p == nil {
		return
	}
	p.taken = false
	if p.failures++; ok || p.failures >= maxFailures {
		s.drop(id)
	}
}

// Redeem uses up the ticket that text is and returns what it is for. user is the name the client gives; empty with form NLA, where
// text is the name whose password it has proved. source is where it comes from. The error is a *RefusedError, or the ticket could
// not be looked up.
func (s *Service) Redeem(ctx context.Context, form Form, text, user string, source netip.Addr) (Bound, error) {
	if text == "" || len(text) > maxTextBytes {
		return Bound{}, &RefusedError{Cause: Unknown}
	}
	hash := key(form, text)
	row, err := s.tickets.Use(ctx, hash, s.now())
	if errors.Is(err, store.ErrNotFound) {
		return Bound{}, s.explain(ctx, hash)
	}
	if err != nil {
		return Bound{}, fmt.Errorf("ticket: %w", err)
	}
	b := boundOf(row)
	switch {
	case b.Source.IsValid() && b.Source != plain(source):
		return Bound{}, &RefusedError{OtherAddress, &b}
	case form == Shell && !strings.EqualFold(strings.TrimSpace(user), b.UserName):
		return Bound{}, &RefusedError{WrongUser, &b}
	}
	return b, nil
}

// Refused explains why the password of a name could not be proved, for the audit log.
func (s *Service) Refused(ctx context.Context, id string) *RefusedError {
	if e, ok := errors.AsType[*RefusedError](s.explain(ctx, key(NLA, id))); ok {
		return e
	}
	return &RefusedError{Cause: Unknown}
}

// explain finds out why a ticket is not to be had.
func (s *Service) explain(ctx context.Context, hash string) error {
	row, err := s.tickets.Get(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return &RefusedError{Cause: Unknown}
	}
	if err != nil {
		return fmt.Errorf("ticket: %w", err)
	}
	b := boundOf(row)
	switch {
	case !row.UsedAt.IsZero():
		return &RefusedError{Reused, &b}
	case !s.now().Before(row.ExpiresAt):
		return &RefusedError{Expired, &b}
	}
	return &RefusedError{WrongSecret, &b}
}

// Run removes what is over until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	for {
		now := s.now()
		s.mu.Lock()
		s.dropOver(now)
		for id, l := range s.people {
			if l.TokensAt(now) >= burst {
				delete(s.people, id)
			}
		}
		s.mu.Unlock()
		if n, err := s.tickets.DeleteExpired(ctx, now.Add(-keepFor)); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot remove old tickets", "error", err)
		} else if n > 0 {
			s.log.DebugContext(ctx, "old tickets removed", "count", n)
		}
		select {
		case <-ctx.Done():
			s.mu.Lock()
			for id := range s.hashes {
				s.drop(id)
			}
			s.mu.Unlock()
			return nil
		case <-tick.C:
		}
	}
}

// Looks tells whether a text has the shape of a ticket of form Shell.
func Looks(text string) bool {
	return len(text) == letters.EncodedLen(secretBytes) && strings.Trim(text, "abcdefghjkmnpqrstuvwxyz023456789") == ""
}
