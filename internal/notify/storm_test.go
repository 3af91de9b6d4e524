package notify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// TestStorm: however much happens, what waits is bounded, and the urgent is there.
func TestStorm(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db, Options{Webhooks: []Webhook{{Name: "dead", URL: "https://dead.test", Secret: hookSecret}}, MaxWaiting: 20})
		for i := range 60 {
			r.publish(Event{Kind: RequestMade, Title: fmt.Sprint(i)})
		}
		require.Equal(t, 20, r.waiting())
		for i := range 5 {
			r.publish(Event{Kind: BreakGlass, Urgent: true, Title: fmt.Sprint("urgent ", i)})
		}
		require.Equal(t, 20, r.waiting())
		due, err := db.Outbox.Due(t.Context(), time.Now(), 100)
		require.NoError(t, err)
		for i, d := range due {
			require.Equal(t, i < 5, d.Urgent, "urgent ones first")
		}
		require.Contains(t, r.log.String(), "the outbox is full")
		for range 30 {
			r.publish(Event{Kind: BreakGlass, Urgent: true, Title: "more"})
		}
		require.Equal(t, 20, r.waiting(), "the urgent are bounded too")
	})
}

// TestMailsOfAnHour: an address gets so many mails in an hour, three times as many when they are urgent.
func TestMailsOfAnHour(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)), Options{Mail: &Mail{Server: "127.0.0.1:1", From: "v@x.test", PerHour: 3}})
	ann := Recipient{UserID: "a", Email: "ann@x.test"}
	for range 10 {
		r.publish(Event{Kind: RequestMade, Title: "T", To: []Recipient{ann, {UserID: "b", Email: "bob@x.test"}, {UserID: "c"}}})
	}
	require.Equal(t, 6, r.waiting(), "three each")
	due, err := r.db.Outbox.Due(t.Context(), time.Now(), 100)
	require.NoError(t, err)
	last := 0
	for _, d := range due {
		if strings.Contains(d.Payload, `"last":true`) {
			last++
		}
	}
	require.Equal(t, 2, last, "each is told with the last one")
	for range 20 {
		r.publish(Event{Kind: BreakGlass, Urgent: true, Title: "T", To: []Recipient{ann}})
	}
	require.Equal(t, 12, r.waiting())
	unread, _, err := r.Standing(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, 30, unread, "the console has all")
}

func TestWhoWantsNoMail(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)), Options{Mail: &Mail{Server: "127.0.0.1:1", From: "v@x.test", PerHour: 3}})
	ann := []Recipient{{UserID: "a", Email: "ann@x.test"}}
	require.NoError(t, r.SetEmail(t.Context(), "a", false))
	r.publish(Event{Kind: RequestMade, Title: "T", To: ann})
	require.Zero(t, r.waiting())
	r.publish(Event{Kind: BreakGlass, Urgent: true, Title: "T", To: ann})
	require.Equal(t, 1, r.waiting())
	require.NoError(t, r.SetEmail(t.Context(), "a", true))
	r.publish(Event{Kind: RequestMade, Title: "T", To: ann})
	require.Equal(t, 2, r.waiting())
}

func TestClean(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db, Options{})
		ctx := t.Context()
		old := time.Now().Add(-keepNotifications - time.Hour)
		require.NoError(t, r.Publish(ctx, Event{Kind: RequestMade, At: old, Title: "old", To: []Recipient{{UserID: "a"}}}))
		require.NoError(t, db.Tx(ctx, func(tx *store.Store) error {
			for i := range maxNotifications + 10 {
				if err := tx.Notifications.Create(ctx, store.Notification{ID: fmt.Sprintf("%026d", i), UserID: "b", CreatedAt: time.Now()}); err != nil {
					return err
				}
			}
			return nil
		}))
		r.clean(ctx)
		list, err := r.List(ctx, "a", "", 10)
		require.NoError(t, err)
		require.Empty(t, list)
		list, err = r.List(ctx, "b", "", 1000)
		require.NoError(t, err)
		require.Len(t, list, maxNotifications)
		require.Equal(t, fmt.Sprintf("%026d", maxNotifications+9), list[0].ID)
	})
}

func TestEnqueueIsPartOfItsTransaction(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	r := newRig(t, db, Options{Webhooks: []Webhook{{Name: "x", URL: "https://x.test", Secret: hookSecret}}})
	require.Error(t, db.Tx(t.Context(), func(tx *store.Store) error {
		require.NoError(t, r.Enqueue(t.Context(), tx, Event{Kind: RequestMade, Title: "T", To: []Recipient{{UserID: "a"}}}))
		return context.Canceled
	}))
	require.Zero(t, r.waiting())
	unread, _, err := r.Standing(t.Context(), "a")
	require.NoError(t, err)
	require.Zero(t, unread)
}

func TestStreams(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)), Options{})
	news, cancel, err := r.Subscribe("a")
	require.NoError(t, err)
	other, cancelOther, err := r.Subscribe("b")
	require.NoError(t, err)
	for range 10 { // nobody reads, nobody waits
		r.publish(Event{Kind: RequestMade, Title: "T", To: []Recipient{{UserID: "a"}}})
	}
	require.Len(t, news, 1)
	require.Empty(t, other)
	cancel()
	cancel()
	cancelOther()
	require.Zero(t, r.streams.total)

	var cancels []func()
	for range maxStreamsOfUser {
		_, cancel, err := r.Subscribe("a")
		require.NoError(t, err)
		cancels = append(cancels, cancel)
	}
	_, _, err = r.Subscribe("a")
	require.ErrorIs(t, err, ErrTooManyStreams)
	var wg sync.WaitGroup
	for _, cancel := range cancels {
		wg.Go(cancel)
		wg.Go(func() { r.Told(Event{To: []Recipient{{UserID: "a"}}}) })
	}
	wg.Go(r.CloseStreams)
	wg.Wait()
	_, _, err = r.Subscribe("b")
	require.ErrorIs(t, err, ErrTooManyStreams, "the gateway stops")
}

func TestTexts(t *testing.T) {
	require.Equal(t, "a b", oneLine("a\r\nb"))
	require.Equal(t, "a b", oneLine("\x00a\u2028\tb\n"))
	long := cut(strings.Repeat("é", 300), maxTitle)
	require.LessOrEqual(t, len(long), maxTitle)
	require.True(t, strings.HasSuffix(long, "é…"))
}
