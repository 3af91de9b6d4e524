package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// recorded makes sessions with sealed recordings, a second apart.
func recorded(t *testing.T, s *store.Store, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range n {
		row := session(i)
		row.ID = ulid.MustNew(ulid.Timestamp(row.StartedAt), strings.NewReader("0123456789")).String()
		row.UserID, row.TargetID = fmt.Sprintf("u%d", i%2), fmt.Sprintf("t%d", i%3)
		require.NoError(t, s.Sessions.Create(t.Context(), row))
		require.NoError(t, s.Recordings.Put(t.Context(), store.Recording{SessionID: row.ID, State: store.RecordingSealed}))
		ids[i] = row.ID
	}
	return ids
}

func addTexts(t *testing.T, s *store.Store, id string, texts ...string) store.SearchProgress {
	t.Helper()
	p, err := s.Search.Begin(t.Context(), id)
	require.NoError(t, err)
	var blocks []store.SearchBlock
	for i, text := range texts {
		blocks = append(blocks, store.SearchBlock{Kinds: 1 << (i % 2), Texts: id + ":" + text, Folded: text})
	}
	p.Cursor, p.Done = "1.0", true
	require.NoError(t, s.Search.Add(t.Context(), &p, blocks))
	return p
}

// found are the texts of the blocks that match.
func found(t *testing.T, s *store.Store, q store.SearchQuery) []string {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	ids, err := s.Search.Match(t.Context(), q)
	require.NoError(t, err)
	blocks, err := s.Search.Blocks(t.Context(), ids)
	require.NoError(t, err)
	out := []string{}
	for i, b := range blocks {
		require.Equal(t, ids[i], b.ID)
		_, text, _ := strings.Cut(b.Texts, ":")
		out = append(out, text)
	}
	return out
}

func TestSearch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		ids := recorded(t, s, 6)
		behind, err := s.Search.Behind(ctx, "", 100)
		require.NoError(t, err)
		require.Len(t, behind, 6)
		require.Equal(t, ids[5], behind[0], "newest first")

		addTexts(t, s, ids[0], "cat /etc/shadow", "vi /etc/hosts")
		addTexts(t, s, ids[1], `echo "it's a \ backslash"`)
		addTexts(t, s, ids[2], "invoke-mimikatz -dumpcreds", "sekurlsa::logonpasswords", "sudo cat /etc/shadow-")
		addTexts(t, s, ids[3], "größe 日本語テスト", "100% sure")
		p := addTexts(t, s, ids[4])
		require.Zero(t, p.Blocks)

		for _, tc := range []struct {
			name string
			q    store.SearchQuery
			want []string
		}{
			{"a path, newest recording first", store.SearchQuery{Terms: []string{"/etc/shadow"}}, []string{"sudo cat /etc/shadow-", "cat /etc/shadow"}},
			{"the middle of a word", store.SearchQuery{Terms: []string{"password"}}, []string{"sekurlsa::logonpasswords"}},
			{"several", store.SearchQuery{Terms: []string{"etc", "cat"}}, []string{"sudo cat /etc/shadow-", "cat /etc/shadow"}},
			{"short ones do not lead anywhere", store.SearchQuery{Terms: []string{"etc", "vi"}}, []string{"sudo cat /etc/shadow-", "cat /etc/shadow", "vi /etc/hosts"}},
			{"in a recording's order", store.SearchQuery{Terms: []string{"/etc"}, Sessions: store.SessionFilter{Until: epoch.Add(time.Second)}}, []string{"cat /etc/shadow", "vi /etc/hosts"}},
			{"signs", store.SearchQuery{Terms: []string{`it's`, `a \ b`, `"it`}}, []string{`echo "it's a \ backslash"`}},
			{"quotes are no operators", store.SearchQuery{Terms: []string{`" or "`}}, []string{}},
			{"other scripts", store.SearchQuery{Terms: []string{"größe", "本語テ"}}, []string{"größe 日本語テスト"}},
			{"in vain", store.SearchQuery{Terms: []string{"qqqq"}}, []string{}},
			{"one person", store.SearchQuery{Terms: []string{"/etc"}, Sessions: store.SessionFilter{User: "u1"}}, []string{}},
			{"one target", store.SearchQuery{Terms: []string{"/etc"}, Sessions: store.SessionFilter{Target: "t2", Query: "alice"}}, []string{"sudo cat /etc/shadow-"}},
			{"since", store.SearchQuery{Terms: []string{"/etc"}, Sessions: store.SessionFilter{Since: epoch.Add(time.Second)}}, []string{"sudo cat /etc/shadow-"}},
			{"a kind", store.SearchQuery{Terms: []string{"/etc"}, Kinds: 2}, []string{"vi /etc/hosts"}},
			{"limit", store.SearchQuery{Terms: []string{"/etc"}, Limit: 1}, []string{"sudo cat /etc/shadow-"}},
		} {
			t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, found(t, s, tc.q)) })
		}

		// Paging goes on below a recording's number.
		all, err := s.Search.Match(ctx, store.SearchQuery{Terms: []string{"/etc"}, Limit: 1})
		require.NoError(t, err)
		base := store.BaseOf(all[0])
		sessions, err := s.Search.SessionsOf(ctx, []int64{base})
		require.NoError(t, err)
		require.Equal(t, map[int64]string{base: ids[2]}, sessions)
		require.Equal(t, []string{"cat /etc/shadow", "vi /etc/hosts"}, found(t, s, store.SearchQuery{Terms: []string{"/etc"}, Before: base}))
		blocks, err := s.Search.BlocksOf(ctx, base, 0, 2)
		require.NoError(t, err)
		require.Equal(t, ids[2]+":invoke-mimikatz -dumpcreds", blocks[0].Texts)
		blocks, err = s.Search.BlocksOf(ctx, base, blocks[1].ID, 2)
		require.NoError(t, err)
		require.Len(t, blocks, 1)

		behind, err = s.Search.Behind(ctx, "", 100)
		require.NoError(t, err)
		require.Equal(t, []string{ids[5]}, behind)
		counts, err := s.Search.Counts(ctx)
		require.NoError(t, err)
		require.Equal(t, store.SearchCounts{Recordings: 4, Blocks: 8, Behind: 1}, counts)

		// A recording that begins anew keeps its number and loses its texts; one that is forgotten leaves nothing.
		again, err := s.Search.Begin(ctx, ids[2])
		require.NoError(t, err)
		require.Equal(t, base, again.Base)
		require.Equal(t, []string{"cat /etc/shadow", "vi /etc/hosts"}, found(t, s, store.SearchQuery{Terms: []string{"/etc"}}))
		require.NoError(t, s.Search.Forget(ctx, ids[0]))
		require.NoError(t, s.Search.Forget(ctx, ids[0]))
		require.Empty(t, found(t, s, store.SearchQuery{Terms: []string{"/etc"}}))
		_, err = s.Search.Progress(ctx, ids[0])
		require.ErrorIs(t, err, store.ErrNotFound)

		require.NoError(t, s.Recordings.Put(ctx, store.Recording{SessionID: ids[5], State: store.RecordingFailed}))
		orphans, err := s.Search.Orphans(ctx, 10)
		require.NoError(t, err)
		require.Empty(t, orphans)
		addTexts(t, s, "01JA9999990000000000000000", "of a recording that is not there")
		orphans, err = s.Search.Orphans(ctx, 10)
		require.NoError(t, err)
		require.Equal(t, []string{"01JA9999990000000000000000"}, orphans)
		require.NoError(t, s.Search.ForgetAll(ctx))
		require.Empty(t, found(t, s, store.SearchQuery{Terms: []string{"größe"}}))
	})
}

// TestSearchNumbers: recordings that began in the same millisecond have numbers of their own, and a recording never has more
// blocks than numbers.
func TestSearchNumbers(t *testing.T) {
	s := storetest.Open(t, storetest.Migrated(t))
	seen := map[int64]bool{}
	for i := range 100 {
		p, err := s.Search.Begin(t.Context(), fmt.Sprintf("01JA000000%016d", i))
		require.NoError(t, err)
		require.False(t, seen[p.Base])
		require.Equal(t, p.Base, store.BaseOf(p.Base+store.MaxSearchBlocks-1))
		seen[p.Base] = true
	}
	p, err := s.Search.Begin(t.Context(), "01JA000000000000000000000A")
	require.NoError(t, err)
	require.NoError(t, s.Search.Add(t.Context(), &p, make([]store.SearchBlock, store.MaxSearchBlocks+1)))
	require.Equal(t, store.MaxSearchBlocks, p.Blocks)
	require.NoError(t, s.Search.Add(t.Context(), &p, make([]store.SearchBlock, 1)))
	require.Equal(t, store.MaxSearchBlocks, p.Blocks)
}

func TestReviews(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		ids := recorded(t, s, 3)
		rec, err := s.Recordings.Get(ctx, ids[1])
		require.NoError(t, err)
		require.Equal(t, store.Review{State: store.ReviewToDo}, rec.Review)
		first := store.ReviewAct{ID: "a1", SessionID: ids[1], Review: store.Review{State: store.ReviewFlagged, UserID: "r", UserName: "rita", At: epoch}, Comment: "look at minute 3"}
		then := store.ReviewAct{ID: "a2", SessionID: ids[1], Review: store.Review{State: store.ReviewSeen, UserID: "q", UserName: "quentin", At: epoch.Add(time.Hour)}}
		require.NoError(t, s.Reviews.Set(ctx, first))
		require.NoError(t, s.Reviews.Set(ctx, then))
		got, err := s.Reviews.Get(ctx, ids[1])
		require.NoError(t, err)
		require.Equal(t, then.Review, got)
		rec, err = s.Recordings.Get(ctx, ids[1])
		require.NoError(t, err)
		require.Equal(t, then.Review, rec.Review)
		acts, err := s.Reviews.Acts(ctx, ids[1])
		require.NoError(t, err)
		require.Equal(t, []store.ReviewAct{then, first}, acts)
		first.SessionID = "nowhere"
		require.ErrorIs(t, s.Reviews.Set(ctx, first), store.ErrExists)
		first.ID = "a3"
		require.ErrorIs(t, s.Reviews.Set(ctx, first), store.ErrReference)

		for state, want := range map[string][]string{
			"": {ids[2], ids[1], ids[0]}, store.ReviewToDo: {ids[2], ids[0]}, store.ReviewSeen: {ids[1]}, store.ReviewFlagged: nil,
		} {
			list, err := s.Recordings.List(ctx, store.SessionFilter{Review: state, Query: "alice", Limit: 10})
			require.NoError(t, err)
			var got []string
			for _, r := range list {
				got = append(got, r.SessionID)
			}
			require.Equal(t, want, got, "state %q", state)
		}
	})
}

func TestRecordingNotes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		id := recorded(t, s, 1)[0]
		late := store.RecordingNote{ID: "n1", SessionID: id, At: time.Minute, Text: "here", UserID: "r", UserName: "rita", CreatedAt: epoch}
		early := store.RecordingNote{ID: "n2", SessionID: id, At: time.Second, Text: "there", UserID: "q", UserName: "quentin", CreatedAt: epoch}
		require.NoError(t, s.RecordingNotes.Create(ctx, late))
		require.NoError(t, s.RecordingNotes.Create(ctx, early))
		require.ErrorIs(t, s.RecordingNotes.Create(ctx, early), store.ErrExists)
		list, err := s.RecordingNotes.List(ctx, id)
		require.NoError(t, err)
		require.Equal(t, []store.RecordingNote{early, late}, list)
		require.ErrorIs(t, s.RecordingNotes.Edit(ctx, id, "n1", "q", "not mine", epoch), store.ErrNotFound)
		require.NoError(t, s.RecordingNotes.Edit(ctx, id, "n1", "r", "changed", epoch.Add(time.Hour)))
		late.Text, late.EditedAt = "changed", epoch.Add(time.Hour)
		got, err := s.RecordingNotes.Get(ctx, id, "n1")
		require.NoError(t, err)
		require.Equal(t, late, got)
		require.ErrorIs(t, s.RecordingNotes.Delete(ctx, id, "n1", "q"), store.ErrNotFound)
		require.NoError(t, s.RecordingNotes.Delete(ctx, id, "n1", "r"))
		_, err = s.RecordingNotes.Get(ctx, id, "n1")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}
