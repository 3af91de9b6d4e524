package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Notifications are what people are told.
type Notifications interface {
	List(ctx context.Context, userID, before string, limit int) ([]store.Notification, error)
	Standing(ctx context.Context, userID string) (unread int, newest string, err error)
	Read(ctx context.Context, userID, upTo string) error
	// Subscribe returns a channel that has a value when there may be something new; it is closed when the gateway stops.
	Subscribe(userID string) (news <-chan struct{}, cancel func(), err error)
	// Stir lets everybody look whether there is something new.
	Stir()
	SettingsOf(ctx context.Context, userID string) (notify.Settings, error)
	SetEmail(ctx context.Context, userID string, wants bool) error
}

// ListNotifications answers with what the caller was told.
func (h *handlers) ListNotifications(ctx context.Context, r apigen.ListNotificationsRequestObject) (apigen.ListNotificationsResponseObject, error) {
	ctx, in := enter(ctx)
	limit := valueOr(r.Params.Limit, defaultRequestPage)
	list, err := h.notifications.List(ctx, in.subject.ID, valueOr(r.Params.Before, ""), limit)
	if err != nil {
		return nil, err
	}
	out := apigen.ListNotifications200JSONResponse{Notifications: []apigen.Notification{}}
	if out.Unread, _, err = h.notifications.Standing(ctx, in.subject.ID); err != nil {
		return nil, err
	}
	for _, n := range list {
		out.Notifications = append(out.Notifications, apigen.Notification{
			Id: n.ID, Kind: n.Kind, Urgent: n.Urgent, Title: n.Title, Text: optional(n.Body), Link: optional(n.Link), At: n.CreatedAt, Read: !n.ReadAt.IsZero(),
		})
	}
	if len(list) == limit {
		out.Next = &list[len(list)-1].ID
	}
	return out, nil
}

// ReadNotifications notes what the caller has seen.
func (h *handlers) ReadNotifications(ctx context.Context, r apigen.ReadNotificationsRequestObject) (apigen.ReadNotificationsResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.notifications.Read(ctx, in.subject.ID, r.Body.UpTo); err != nil {
		return nil, err
	}
	return apigen.ReadNotifications204Response{}, nil
}

// GetNotificationSettings answers with how the caller wants to be told.
func (h *handlers) GetNotificationSettings(ctx context.Context, _ apigen.GetNotificationSettingsRequestObject) (apigen.GetNotificationSettingsResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.notifications.SettingsOf(ctx, in.subject.ID)
	return apigen.GetNotificationSettings200JSONResponse{Email: s.Email, Available: s.Available}, err
}

// SetNotificationSettings changes how the caller wants to be told.
func (h *handlers) SetNotificationSettings(ctx context.Context, r apigen.SetNotificationSettingsRequestObject) (apigen.SetNotificationSettingsResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.notifications.SetEmail(ctx, in.subject.ID, r.Body.Email); err != nil {
		return nil, err
	}
	s, err := h.notifications.SettingsOf(ctx, in.subject.ID)
	return apigen.SetNotificationSettings200JSONResponse{Email: s.Email, Available: s.Available}, err
}

// StreamNotifications tells the caller at once when there is something new.
func (h *handlers) StreamNotifications(ctx context.Context, _ apigen.StreamNotificationsRequestObject) (apigen.StreamNotificationsResponseObject, error) {
	ctx, in := enter(ctx)
	news, cancel, err := h.notifications.Subscribe(in.subject.ID)
	if err != nil {
		return nil, err
	}
	return &newsStream{ctx: ctx, in: in, h: h, news: news, cancel: cancel}, nil
}

// newsStream is an answer that goes on. It has a context because the generated interface hands it none.
type newsStream struct {
	ctx    context.Context
	in     *call
	h      *handlers
	news   <-chan struct{}
	cancel func()
}

// VisitStreamNotificationsResponse implements apigen.StreamNotificationsResponseObject.
func (s *newsStream) VisitStreamNotificationsResponse(w http.ResponseWriter) error {
	defer s.cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events to itself
	w.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithTimeout(s.ctx, streamLifetime)
	defer cancel()
	look := time.NewTicker(streamLook)
	defer look.Stop()
	out := unhurried{w}
	last, quiet := "", 0
	alerts := alertsStanding{revision: -1, look: slices.Contains(s.h.possible(s.in.subject), policy.ReadAlerts)}
	for {
		unread, newest, err := s.h.notifications.Standing(ctx, s.in.subject.ID)
		if err != nil {
			return streamEnd(ctx, err)
		}
		event := fmt.Sprintf("event: standing\ndata: {\"unread\": %d, \"newest\": %q}\n\n", unread, newest)
		switch {
		case event != last:
			last, quiet = event, 0
		case quiet >= streamQuiet: // a comment, so that nobody in between takes the connection for dead
			event, quiet = ":\n\n", 0
		default:
			event = ""
			quiet++
		}
		more, err := alerts.event(ctx, s)
		if err != nil {
			return streamEnd(ctx, err)
		}
		if event += more; event != "" {
			if _, err := out.Write([]byte(event)); err != nil {
				return streamEnd(ctx, err)
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return streamEnd(ctx, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-s.news:
			if !open {
				return nil
			}
		case <-look.C: // another node may have news, and the sign-in may be over
			if _, err := s.h.identity.Authenticate(ctx, s.in.token); err != nil {
				return nil
			}
		}
	}
}

// alertsStanding is what a stream has told of alerts.
type alertsStanding struct {
	look     bool // the person may see any
	revision int64
}

// event tells how many alerts are new where that may have changed; "": nothing has.
func (a *alertsStanding) event(ctx context.Context, s *newsStream) (string, error) {
	if !a.look {
		return "", nil
	}
	revision, err := s.h.alerts.Revision(ctx)
	if err != nil || revision == a.revision {
		return "", err
	}
	n, err := s.h.newAlerts(ctx, s.in)
	if err != nil {
		return "", err
	}
	a.revision = revision
	return fmt.Sprintf("event: alerts\ndata: {\"new\": %d, \"revision\": %d}\n\n", n, revision), nil
}

// streamEnd: a stream that ends because its reader left, or its time is over, ends well.
func streamEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
