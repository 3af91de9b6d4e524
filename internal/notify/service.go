package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Channels of deliveries.
const (
	channelWebhook = "webhook"
	channelEmail   = "email"
)

// sender brings one delivery to where it goes. An error that is permanent is not tried again.
type sender interface {
	send(ctx context.Context, d store.Delivery) error
}

// Options are what a Service is made of.
type Options struct {
	DB         *store.Store
	Webhooks   []Webhook
	Mail       *Mail // nil: no e-mail
	ConsoleURL string
	MaxWaiting int              // deliveries
	Logger     *slog.Logger     // nil: none
	Now        func() time.Time // nil: time.Now
}

// Service writes events down and brings them to people and programs. It is safe for concurrent use.
type Service struct {
	db         *store.Store
	webhooks   []*webhook
	mail       *mailer // nil: none
	url        string
	maxWaiting int
	log        *slog.Logger
	now        func() time.Time
	streams    streams
	wake       chan struct{} // capacity 1: something is due
	wait       func(attempt int) time.Duration
}

// New returns a Service.
func New(opts Options) (*Service, error) {
	s := &Service{
		db: opts.DB, url: opts.ConsoleURL, maxWaiting: opts.MaxWaiting, log: opts.Logger, now: opts.Now,
		wake: make(chan struct{}, 1), wait: backoff,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, w := range opts.Webhooks {
		made, err := newWebhook(w, s.now)
		if err != nil {
			return nil, err
		}
		s.webhooks = append(s.webhooks, made)
	}
	if opts.Mail != nil {
		var err error
		if s.mail, err = newMailer(*opts.Mail); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Publish writes e down and sends it on its way.
func (s *Service) Publish(ctx context.Context, e Event) error {
	if err := s.db.Tx(ctx, func(tx *store.Store) error { return s.Enqueue(ctx, tx, e) }); err != nil {
		return err
	}
	s.Told(e)
	return nil
}

// Enqueue writes e down in tx, which may be the transaction of what e tells of. Call Told once tx is committed.
func (s *Service) Enqueue(ctx context.Context, tx *store.Store, e Event) error {
	e = s.tidy(e)
	id := newID()
	for _, to := range e.To {
		err := tx.Notifications.Create(ctx, store.Notification{
			ID: newID(), UserID: to.UserID, Kind: string(e.Kind), Urgent: e.Urgent, Title: e.Title, Body: e.Text, Link: e.Link, CreatedAt: e.At,
		})
		if err != nil {
			return err
		}
	}
	if err := s.enqueueWebhooks(ctx, tx, id, e); err != nil {
		return err
	}
	return s.enqueueMails(ctx, tx, id, e)
}

// Told lets e's people and the outbox know that there is something new.
func (s *Service) Told(e Event) {
	for _, to := range e.To {
		s.streams.signal(to.UserID)
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

func (s *Service) tidy(e Event) Event {
	if e.At.IsZero() {
		e.At = s.now()
	}
	e.At = e.At.UTC()
	e.Title, e.Text = cut(oneLine(e.Title), maxTitle), cut(e.Text, maxText)
	return e
}

func (s *Service) enqueueWebhooks(ctx context.Context, tx *store.Store, id string, e Event) error {
	data := map[string]any{"urgent": e.Urgent, "title": e.Title, "text": e.Text}
	if e.Link != "" {
		data["link"] = s.url + e.Link
	}
	for k, v := range e.Data {
		data[k] = v
	}
	body, err := json.Marshal(map[string]any{"type": e.Kind, "timestamp": e.At.Format(time.RFC3339Nano), "data": data})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	for _, w := range s.webhooks {
		if !w.wants(e.Kind) {
			continue
		}
		if err := s.enqueue(ctx, tx, store.Delivery{EventID: id, Channel: channelWebhook, Recipient: w.name, Urgent: e.Urgent, Payload: string(body)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) enqueueMails(ctx context.Context, tx *store.Store, id string, e Event) error {
	if s.mail == nil {
		return nil
	}
	for _, to := range e.To {
		if to.Email == "" {
			continue
		}
		wants, err := tx.Notifications.WantsEmail(ctx, to.UserID)
		if err != nil {
			return err
		}
		if !wants && !e.Urgent {
			continue
		}
		sent, err := tx.Outbox.Since(ctx, to.Email, s.now().Add(-time.Hour))
		if err != nil {
			return err
		}
		most := s.mail.perHour
		if e.Urgent {
			most *= urgentFactor
		}
		if sent >= most {
			s.log.WarnContext(ctx, "no e-mail: the address had as many as it may have in an hour", "user_id", to.UserID, "kind", string(e.Kind), "mails", sent)
			continue
		}
		m := message{To: to.Email, Name: to.Name, Title: e.Title, Text: e.Text, Urgent: e.Urgent, Last: sent == most-1}
		if e.Link != "" && s.url != "" {
			m.Link = s.url + e.Link
		}
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("notify: %w", err)
		}
		if err := s.enqueue(ctx, tx, store.Delivery{EventID: id, Channel: channelEmail, Recipient: to.Email, Urgent: e.Urgent, Payload: string(body)}); err != nil {
			return err
		}
	}
	return nil
}

// enqueue adds d unless too many wait. An urgent one takes the place of the oldest that is not.
func (s *Service) enqueue(ctx context.Context, tx *store.Store, d store.Delivery) error {
	waiting, err := tx.Outbox.Waiting(ctx)
	if err != nil {
		return err
	}
	if waiting >= s.maxWaiting {
		s.log.ErrorContext(ctx, "the outbox is full", "waiting", waiting, "channel", d.Channel, "urgent", d.Urgent)
		if !d.Urgent {
			return nil
		}
		if err := tx.Outbox.DropOldest(ctx, "made room for something urgent"); err != nil {
			return err
		}
		if waiting, err = tx.Outbox.Waiting(ctx); err != nil {
			return err
		}
		if waiting >= s.maxWaiting { // all of them are urgent
			return nil
		}
	}
	d.ID, d.CreatedAt, d.NextAt = newID(), s.now(), s.now()
	return tx.Outbox.Add(ctx, d)
}

// Run delivers until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	clean := time.NewTicker(cleanInterval)
	defer clean.Stop()
	s.clean(ctx)
	for {
		if err := s.deliverDue(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "notifications cannot be delivered", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-poll.C:
		case <-clean.C:
			s.clean(ctx)
		}
	}
}

// deliverDue tries everything that is due, a few at a time.
func (s *Service) deliverDue(ctx context.Context) error {
	for {
		due, err := s.db.Outbox.Due(ctx, s.now(), dueBatch)
		if err != nil || len(due) == 0 {
			return err
		}
		var under errgroup.Group
		under.SetLimit(atOnce)
		for _, d := range due {
			under.Go(func() error { return s.deliver(ctx, d) })
		}
		if err := under.Wait(); err != nil {
			return err
		}
		if len(due) < dueBatch {
			return nil
		}
	}
}

// deliver tries d once and notes how it went. What it returns is about the database.
func (s *Service) deliver(ctx context.Context, d store.Delivery) error {
	claimed, err := s.db.Outbox.Claim(ctx, d, s.now().Add(lease))
	if err != nil || !claimed {
		return err
	}
	sendErr := errNoChannel
	if to := s.senderOf(d); to != nil {
		sending, cancel := context.WithTimeout(ctx, sendTimeout)
		sendErr = to.send(sending, d)
		cancel()
	}
	if ctx.Err() != nil {
		return ctx.Err() // the lease ends, and the next life tries again
	}
	log := s.log.With("channel", d.Channel, "delivery_id", d.ID, "attempt", d.Attempts+1)
	if d.Channel == channelWebhook {
		log = log.With("webhook", d.Recipient)
	}
	switch attempt := d.Attempts + 1; {
	case sendErr == nil:
		log.DebugContext(ctx, "notification delivered")
		return s.db.Outbox.Sent(ctx, d.ID)
	case isPermanent(sendErr), attempt >= maxAttempts, s.now().Sub(d.CreatedAt) > giveUpAfter:
		log.ErrorContext(ctx, "notification given up", "error", sendErr)
		return s.db.Outbox.Fail(ctx, d.ID, cut(sendErr.Error(), maxTitle))
	default:
		next := s.now().Add(s.wait(attempt))
		log.WarnContext(ctx, "notification not delivered", "error", sendErr, "next_at", next)
		return s.db.Outbox.Retry(ctx, d.ID, cut(sendErr.Error(), maxTitle), next)
	}
}

func (s *Service) senderOf(d store.Delivery) sender {
	switch d.Channel {
	case channelWebhook:
		for _, w := range s.webhooks {
			if w.name == d.Recipient {
				return w
			}
		}
	case channelEmail:
		if s.mail != nil {
			return s.mail
		}
	}
	return nil
}

// clean removes what is too old to matter.
func (s *Service) clean(ctx context.Context) {
	now := s.now()
	err := errors.Join(
		s.db.Notifications.DeleteBefore(ctx, now.Add(-keepNotifications), maxNotifications),
		s.db.Outbox.DeleteDoneBefore(ctx, now.Add(-keepDone)),
	)
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "old notifications stay", "error", err)
	}
}

// cut shortens s to at most n bytes, at the edge of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
