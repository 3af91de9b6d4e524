package review_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rig is a gateway's recordings: real files, in a spool and a store.
type rig struct {
	t       *testing.T
	db      *store.Store
	spool   string
	objects objectstore.Store
	library *recording.Library
	n       int
}

func newRig(t *testing.T, db *store.Store) *rig {
	t.Helper()
	dir := t.TempDir()
	objects, err := objectstore.OpenDisk(filepath.Join(dir, "store"))
	require.NoError(t, err)
	r := &rig{t: t, db: db, spool: filepath.Join(dir, "spool"), objects: objects}
	require.NoError(t, os.MkdirAll(r.spool, 0o700))
	r.library = recording.NewLibrary(r.spool, objects, nil)
	return r
}

func (r *rig) service(change ...func(*review.Options)) *review.Service {
	opts := review.Options{DB: r.db, Library: r.library, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&opts)
	}
	return review.New(opts)
}

// record begins a recording with these events, a picture before each.
func (r *rig) record(events ...recording.Event) (id string, seal func()) {
	t := r.t
	t.Helper()
	r.n++
	at := start.Add(time.Duration(r.n) * time.Hour)
	id = ulid.MustNew(ulid.Timestamp(at), strings.NewReader("0123456789")).String()
	require.NoError(t, r.db.Sessions.Create(t.Context(), store.Session{
		ID: id, UserID: fmt.Sprintf("u%d", r.n), UserName: "alice", TargetID: "desk", TargetName: "Desk", StartedAt: at, State: store.StateEnded,
	}))
	require.NoError(t, r.db.Recordings.Put(t.Context(), store.Recording{SessionID: id, State: store.RecordingRunning}))
	dir := filepath.Join(r.spool, id)
	require.NoError(t, os.Mkdir(dir, 0o700))
	rec, err := recording.NewRecorder(dir, recording.SessionInfo{SessionID: id, StartedAt: time.Now()}, recording.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- rec.Run(ctx) }()
	clip := fmp4test.New(t)
	require.NoError(t, rec.WriteUnit(ctx, clip.Unit(0)))
	for _, e := range events {
		require.NoError(t, rec.Event(e))
	}
	sealed := false
	seal = func() {
		if sealed {
			return
		}
		sealed = true
		require.NoError(t, rec.Seal(recording.EndReason{Code: "over"}))
		cancel()
		require.NoError(t, <-done)
		r.upload(id)
	}
	t.Cleanup(seal)
	return id, seal
}

// upload brings what is in the spool to the store.
func (r *rig) upload(id string) {
	t := r.t
	t.Helper()
	key, err := signkey.Open(filepath.Join(t.TempDir(), "key"), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	up := recording.NewUploader(r.spool, r.objects, key, slog.New(slog.DiscardHandler), recording.UploaderOptions{
		OnState: func(session string, s recording.State) {
			if session == id && s.Sealed {
				cancel()
			}
		},
	})
	require.NoError(t, up.Run(ctx))
	require.NoError(t, r.db.Recordings.Put(context.Background(), store.Recording{SessionID: id, State: store.RecordingSealed}))
}

// run runs s until the test ends and waits until all that is sealed is in the index.
func (r *rig) run(s *review.Service) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		require.NoError(r.t, <-done)
	})
	require.Eventually(r.t, func() bool {
		behind, err := r.db.Search.Behind(r.t.Context(), "", 10)
		return err == nil && len(behind) == 0
	}, time.Minute, 5*time.Millisecond)
}

func copied(text string) recording.Event {
	return recording.ClipboardEvent{Actor: "alice", Direction: recording.ToTarget, Text: text}
}

func everybody(context.Context, string) (bool, error) { return true, nil }

// show writes a snippet with the hits in brackets.
func show(hits []review.Hit) []string {
	out := []string{}
	for _, h := range hits {
		var b strings.Builder
		for _, p := range h.Snippet {
			if p.Hit {
				fmt.Fprintf(&b, "[%s]", p.Text)
			} else {
				b.WriteString(p.Text)
			}
		}
		out = append(out, h.Kind+" "+b.String())
	}
	return out
}

func TestFind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db)
		old, seal := r.record(copied("sudo cat /etc/shadow"), recording.NameEvent{Name: "root@web01: ~"})
		seal()
		var many []recording.Event
		for i := range 30 {
			many = append(many, copied(fmt.Sprintf("line %d of Passw%%rd's file", i)))
		}
		recent, seal := r.record(append(many, copied("two\nlines: /etc/SHADOW-\nis here"))...)
		seal()
		s := r.service()
		r.run(s)

		find := func(q review.Query) (out map[string][]string, order []string) {
			t.Helper()
			if q.Limit == 0 {
				q.Limit = 10
			}
			found, next, err := s.Find(t.Context(), q, everybody)
			require.NoError(t, err)
			require.Empty(t, next)
			out = map[string][]string{}
			for _, f := range found {
				out[f.SessionID] = show(f.Hits)
				order = append(order, f.SessionID)
			}
			return out, order
		}
		got, order := find(review.Query{Text: "/ETC/shadow"})
		require.Equal(t, []string{recent, old}, order, "newest first")
		require.Equal(t, map[string][]string{
			old: {"clipboard sudo cat [/etc/shadow]"}, recent: {"clipboard two\nlines: [/etc/SHADOW]-\nis here"},
		}, got)
		got, _ = find(review.Query{Text: `shadow is`})
		require.Equal(t, map[string][]string{recent: {"clipboard two\nlines: /etc/[SHADOW]-\n[is] here"}}, got, "short words count, too")
		got, _ = find(review.Query{Text: `"cat /etc"`})
		require.Equal(t, map[string][]string{old: {"clipboard sudo [cat /etc]/shadow"}}, got)
		got, _ = find(review.Query{Text: `"etc cat"`})
		require.Empty(t, got)
		got, _ = find(review.Query{Text: "web01", Kinds: []string{review.KindTitle}})
		require.Equal(t, map[string][]string{old: {"title root@[web01]: ~"}}, got)
		got, _ = find(review.Query{Text: "web01", Kinds: []string{review.KindClipboard}})
		require.Empty(t, got)
		got, _ = find(review.Query{Text: "shadow", Sessions: store.SessionFilter{User: "u1"}})
		require.Len(t, got, 1)

		found, _, err := s.Find(t.Context(), review.Query{Text: "passw%rd's", Limit: 10}, everybody)
		require.NoError(t, err)
		require.Len(t, found[0].Hits, 5)
		require.True(t, found[0].More)

		// What one may not replay is not there, and does not count.
		found, next, err := s.Find(t.Context(), review.Query{Text: "shadow", Limit: 1}, func(_ context.Context, id string) (bool, error) { return id == old, nil })
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, found, 1)
		require.Equal(t, old, found[0].SessionID)

		// Page by page.
		found, next, err = s.Find(t.Context(), review.Query{Text: "shadow", Limit: 1}, everybody)
		require.NoError(t, err)
		require.Equal(t, recent, found[0].SessionID)
		found, next, err = s.Find(t.Context(), review.Query{Text: "shadow", Limit: 1, Cursor: next}, everybody)
		require.NoError(t, err)
		require.Equal(t, old, found[0].SessionID)
		require.Empty(t, next)

		_, _, err = s.Find(t.Context(), review.Query{Text: "ls -", Limit: 1}, everybody)
		require.ErrorIs(t, err, review.ErrTooShort)
		_, _, err = s.Find(t.Context(), review.Query{Text: "shadow", Limit: 1, Cursor: "*"}, everybody)
		require.ErrorIs(t, err, review.ErrCursor)

		// In one recording, short words and pages.
		hits, next, err := s.FindIn(t.Context(), recent, review.Query{Text: "of 2", Limit: 3})
		require.NoError(t, err)
		firstPage := show(hits)
		require.Equal(t, []string{"clipboard line [2] [of] Passw%rd's file", "clipboard line 1[2] [of] Passw%rd's file", "clipboard line [2]0 [of] Passw%rd's file"}, firstPage)
		hits, next, err = s.FindIn(t.Context(), recent, review.Query{Text: "of 2", Limit: 300, Cursor: next})
		require.NoError(t, err)
		require.Len(t, hits, 9)
		require.Empty(t, next)

		// The same when there is no index.
		off := r.service(func(o *review.Options) { o.Mode = review.ModeOff })
		r2, cancel := context.WithCancel(t.Context())
		go cancel()
		require.NoError(t, off.Run(r2))
		_, _, err = off.Find(t.Context(), review.Query{Text: "shadow"}, everybody)
		require.ErrorIs(t, err, review.ErrOff)
		require.NoError(t, off.Rebuild(t.Context()))
		again, _, err := off.FindIn(t.Context(), recent, review.Query{Text: "of 2", Limit: 3})
		require.NoError(t, err)
		require.Equal(t, firstPage, show(again))
	})
}

func typed(text string) (events []recording.Event) {
	for _, c := range text {
		key := string(c)
		if c == '\n' {
			key = "Return"
		}
		sym := uint32(c)
		if c == '\n' {
			sym = 0xff0d
		}
		events = append(events, recording.KeyEvent{Actor: "alice", Keysym: sym, Key: key, Down: true}, recording.KeyEvent{Actor: "alice", Keysym: sym, Key: key})
	}
	return events
}

// TestLinesOfKeys: recordings without lines of their own get them, and running ones are found once a file is closed.
func TestLinesOfKeys(t *testing.T) {
	db := storetest.Open(t, storetest.Migrated(t))
	r := newRig(t, db)
	id, seal := r.record(append(typed("mimikatz\nls"), copied("out"))...)
	s := r.service(func(o *review.Options) { o.NewTypist = review.NewTypist })
	require.Eventually(t, func() bool { // what is flushed is found in a running one
		hits, _, err := s.FindIn(t.Context(), id, review.Query{Text: "mimik", Limit: 5})
		return err == nil && len(hits) == 1
	}, time.Minute, 5*time.Millisecond)
	seal()
	r.run(s)
	found, _, err := s.Find(t.Context(), review.Query{Text: "mimik", Limit: 5}, everybody)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, []string{"line [mimik]atz"}, show(found[0].Hits))
	hits, _, err := s.FindIn(t.Context(), id, review.Query{Text: "ls", Limit: 5})
	require.NoError(t, err)
	require.Equal(t, []string{"line [ls]"}, show(hits))

	line, err := s.Timeline(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 11, line.Keys[0])
	require.Positive(t, line.Picture[0])
	var kinds []string
	for _, m := range line.Markers {
		kinds = append(kinds, m.Kind+" "+m.Text)
	}
	require.Equal(t, []string{"line mimikatz", "line ls", "clipboard out"}, kinds)
}

// TestEncryptedStaysOut: with ModeUnencrypted, and what was in the index before goes.
func TestEncryptedStaysOut(t *testing.T) {
	db := storetest.Open(t, storetest.Migrated(t))
	r := newRig(t, db)
	id, seal := r.record(copied("the secret thing"))
	seal()
	secret := func(context.Context, string) (bool, error) { return true, nil }
	s := r.service(func(o *review.Options) { o.Mode, o.Encrypted = review.ModeUnencrypted, secret })
	r.run(s)
	found, _, err := s.Find(t.Context(), review.Query{Text: "secret", Limit: 5}, everybody)
	require.NoError(t, err)
	require.Empty(t, found)
	hits, _, err := s.FindIn(t.Context(), id, review.Query{Text: "secret", Limit: 5})
	require.NoError(t, err)
	require.Len(t, hits, 1, "one recording can always be searched")
}
