package api

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// answer asks, expects a status and reads the answer.
func (f *fixture) answer(method, path, body string, status int, out any) {
	f.t.Helper()
	res := f.do(request{method: method, path: path, body: body})
	text := bodyOf(f.t, res)
	require.Equal(f.t, status, res.StatusCode, text)
	if out != nil {
		require.NoError(f.t, json.Unmarshal([]byte(text), out), text)
	}
}

func lastEntry(f *fixture) audit.Entry {
	f.audit.mu.Lock()
	defer f.audit.mu.Unlock()
	return f.audit.entries[len(f.audit.entries)-1]
}

// reviewed is a fixture with a sealed recording that has rows.
func reviewed(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t).signIn()
	f.seal(recording.EndReason{Code: "over"})
	require.NoError(t, f.db.Sessions.Create(t.Context(), store.Session{
		ID: endedID, UserID: f.aliceID, UserName: "alice", TargetID: "desk", TargetName: "Desk", State: store.StateEnded, StartedAt: time.Now(),
	}))
	require.NoError(t, f.db.Recordings.Put(t.Context(), store.Recording{SessionID: endedID, State: store.RecordingSealed}))
	return f
}

func TestRecordingReview(t *testing.T) {
	f := reviewed(t)
	var got struct {
		State   string
		History []struct{ State, By, Comment string }
	}
	f.answer("GET", ended+"/review", "", 200, &got)
	require.Equal(t, "to_do", got.State)
	require.Empty(t, got.History)
	f.answer("PUT", ended+"/review", `{"state": "flagged", "comment": " look at 0:05 "}`, 200, &got)
	f.answer("PUT", ended+"/review", `{"state": "seen"}`, 200, &got)
	require.Equal(t, "seen", got.State)
	require.Len(t, got.History, 2)
	require.Equal(t, "flagged", got.History[1].State)
	require.Equal(t, "alice", got.History[1].By)
	require.Equal(t, "look at 0:05", got.History[1].Comment)
	require.Equal(t, map[string]string{"state": "seen", "was": "flagged"}, lastEntry(f).Details)
	f.answer("PUT", ended+"/review", `{"state": "done"}`, 400, nil)

	f.policy.denied = map[policy.Action]bool{policy.Replay: true}
	f.answer("PUT", ended+"/review", `{"state": "seen"}`, 403, nil)
	f.answer("GET", ended+"/review", "", 403, nil)
}

func TestRecordingNotes(t *testing.T) {
	f := reviewed(t)
	type note struct {
		ID   string
		TMs  int64 `json:"t_ms"`
		Text string
		By   string
		Own  bool
	}
	var n note
	f.answer("POST", ended+"/notes", `{"t_ms": 5000, "text": " a new administrator "}`, 201, &n)
	require.Equal(t, note{n.ID, 5000, "a new administrator", "alice", true}, n)
	require.Equal(t, "a new administrator", lastEntry(f).Details["text"])
	f.answer("POST", ended+"/notes", `{"t_ms": 5000, "text": "  "}`, 400, nil)
	f.answer("POST", ended+"/notes", `{"t_ms": -1, "text": "x"}`, 400, nil)
	other := store.RecordingNote{ID: "01JB", SessionID: endedID, At: time.Second, Text: "first", UserID: "bob", UserName: "bob", CreatedAt: time.Now()}
	require.NoError(t, f.db.RecordingNotes.Create(t.Context(), other))
	var list struct{ Notes []note }
	f.answer("GET", ended+"/notes", "", 200, &list)
	require.Equal(t, []note{{"01JB", 1000, "first", "bob", false}, n}, list.Notes)
	f.answer("PATCH", ended+"/notes/"+n.ID, `{"text": "none"}`, 200, &n)
	require.Equal(t, "none", n.Text)
	require.Equal(t, "a new administrator", lastEntry(f).Details["was"])
	f.answer("PATCH", ended+"/notes/01JB", `{"text": "mine now"}`, 403, nil)
	f.answer("DELETE", ended+"/notes/01JB", "", 403, nil)
	f.answer("DELETE", ended+"/notes/nothing", "", 404, nil)
	f.answer("DELETE", ended+"/notes/"+n.ID, "", 204, nil)
	f.policy.denied = map[policy.Action]bool{policy.Replay: true}
	f.answer("GET", ended+"/notes", "", 403, nil)
	f.answer("POST", ended+"/notes", `{"t_ms": 1, "text": "x"}`, 403, nil)
}

func TestSearchRecordings(t *testing.T) {
	f := reviewed(t)
	p, err := f.db.Search.Begin(t.Context(), endedID)
	require.NoError(t, err)
	p.Done = true
	require.NoError(t, f.db.Search.Add(t.Context(), &p, []store.SearchBlock{{
		Kinds: 1, Texts: `[{"t":1500000,"k":"line","a":"alice","s":"cat /etc/shadow"}]`, Folded: "cat /etc/shadow",
	}}))
	var got struct {
		Found []struct {
			Recording struct{ Session struct{ ID string } }
			Hits      []struct {
				TMs     int64 `json:"t_ms"`
				Kind    string
				Snippet []struct {
					Text string
					Hit  bool
				}
			}
			More bool
		}
		Next string
	}
	f.answer("GET", "/api/v1/recordings/search?q=ETC/sha&kind=line", "", 200, &got)
	require.Len(t, got.Found, 1)
	require.Equal(t, endedID, got.Found[0].Recording.Session.ID)
	require.Equal(t, "[{1500 line [{cat / false} {etc/sha true} {dow false}]}]", fmt.Sprint(got.Found[0].Hits))
	require.Equal(t, "ETC/sha", lastEntry(f).Details["q"])
	f.answer("GET", ended+"/search?q=cat", "", 200, nil)
	f.answer("GET", "/api/v1/recordings/search?q=ls", "", 400, nil)
	f.answer("GET", "/api/v1/recordings/search?q=shadow&before=!", "", 400, nil)
	f.answer("GET", "/api/v1/recordings/search?q=shadow&kind=secret", "", 400, nil)

	var line struct {
		BucketMs int64 `json:"bucket_ms"`
		Keys     []int
	}
	f.answer("GET", ended+"/timeline", "", 200, &line)
	require.Equal(t, int64(1000), line.BucketMs)
	sum := 0
	for _, n := range line.Keys {
		sum += n
	}
	require.Equal(t, 1, sum)

	f.policy.denied = map[policy.Action]bool{policy.Replay: true}
	f.answer("GET", "/api/v1/recordings/search?q=shadow", "", 200, &got)
	require.Empty(t, got.Found)
	require.Empty(t, got.Next)
	f.answer("GET", ended+"/search?q=cat", "", 403, nil)
	f.answer("GET", ended+"/timeline", "", 403, nil)
}
