package notify

import (
	"context"
	"errors"
	"sync"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// ErrTooManyStreams is returned when a person, or all together, wait in more places than there may be.
var ErrTooManyStreams = errors.New("notify: too many streams")

// streams are the places where the console waits for something new. What waits gets a signal, not the news: it reads
// those from the database, so a slow reader holds up nobody and misses nothing.
type streams struct {
	mu     sync.Mutex
	of     map[string]map[chan struct{}]struct{} // by user; each channel has a capacity of 1
	total  int
	closed bool
}

// Subscribe returns a channel that has a value when there may be something new for a person. Call cancel when done. The
// channel is closed when the gateway stops.
func (s *Service) Subscribe(userID string) (news <-chan struct{}, cancel func(), err error) {
	return s.streams.add(userID)
}

func (s *streams) add(userID string) (<-chan struct{}, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.total >= maxStreams || len(s.of[userID]) >= maxStreamsOfUser {
		return nil, nil, ErrTooManyStreams
	}
	if s.of == nil {
		s.of = map[string]map[chan struct{}]struct{}{}
	}
	if s.of[userID] == nil {
		s.of[userID] = map[chan struct{}]struct{}{}
	}
	ch := make(chan struct{}, 1)
	s.of[userID][ch] = struct{}{}
	s.total++
	return ch, sync.OnceFunc(func() { s.remove(userID, ch) }), nil
}

func (s *streams) remove(userID string, ch chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.of[userID][ch]; !there {
		return
	}
	delete(s.of[userID], ch)
	if len(s.of[userID]) == 0 {
		delete(s.of, userID)
	}
	s.total--
}

func (s *streams) signal(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.of[userID] {
		select {
		case ch <- struct{}{}:
		default: // it has not read the last signal yet
		}
	}
}

// Stir lets everybody who waits look whether there is something new: what they may see is for others to say.
func (s *Service) Stir() {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	for _, channels := range s.streams.of {
		for ch := range channels {
			select {
			case ch <- struct{}{}:
			default: // it has not read the last signal yet
			}
		}
	}
}

// CloseStreams ends every subscription, and those that come.
func (s *Service) CloseStreams() {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	s.streams.closed = true
	for _, channels := range s.streams.of {
		for ch := range channels {
			close(ch)
		}
	}
	s.streams.of, s.streams.total = nil, 0
}

// List returns at most limit notifications of a person, newest first.
func (s *Service) List(ctx context.Context, userID, before string, limit int) ([]store.Notification, error) {
	return s.db.Notifications.List(ctx, userID, before, limit)
}

// Standing returns how many notifications of a person are unread, and the id of the newest ("": there is none).
func (s *Service) Standing(ctx context.Context, userID string) (unread int, newest string, err error) {
	return s.db.Notifications.Standing(ctx, userID)
}

// Read notes that a person has read everything up to upTo.
func (s *Service) Read(ctx context.Context, userID, upTo string) error {
	if err := s.db.Notifications.Read(ctx, userID, upTo, s.now()); err != nil {
		return err
	}
	s.streams.signal(userID) // their other windows
	return nil
}

// Settings are how a person wants to be told.
type Settings struct {
	Email     bool // wants it
	Available bool // the gateway sends any
}

// SettingsOf returns how a person wants to be told.
func (s *Service) SettingsOf(ctx context.Context, userID string) (Settings, error) {
	wants, err := s.db.Notifications.WantsEmail(ctx, userID)
	return Settings{Email: wants, Available: s.mail != nil}, err
}

// SetEmail notes whether a person takes e-mail. Urgent ones come in any case.
func (s *Service) SetEmail(ctx context.Context, userID string, wants bool) error {
	return s.db.Notifications.SetEmail(ctx, userID, wants)
}
