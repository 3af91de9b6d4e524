package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// TestTerminateAndLock: the person may not sign in any more, what they were signed in with is over, and their other sessions end. Who may end
// a session and not manage users ends nothing by asking for both.
func TestTerminateAndLock(t *testing.T) {
	f := newFixture(t).signIn()
	eve, err := f.identity.CreateUser(t.Context(), identity.NewUser{Name: "eve", Password: password, Roles: []policy.Role{policy.Member}})
	require.NoError(t, err)
	signed, err := f.identity.SignIn(t.Context(), "eve", password, "192.0.2.9", "test", "")
	require.NoError(t, err)
	const first, second = "01JA0000000000000000000011", "01JA0000000000000000000012"
	for _, id := range []string{first, second} {
		f.sessions.list = append(f.sessions.list, Session{Session: store.Session{ID: id, UserID: eve.ID, UserName: "eve", State: "active", StartedAt: time.Now()}})
	}
	ask := request{method: "POST", path: "/api/v1/sessions/" + first + "/terminate", body: `{"reason":"theft","lock_user":true}`}

	f.policy.denied = map[policy.Action]bool{policy.LockUser: true}
	require.Equal(t, 403, f.do(ask).StatusCode)
	require.Empty(t, f.sessions.calls)
	_, err = f.identity.Authenticate(t.Context(), signed.Token)
	require.NoError(t, err)

	// The right to lock people out is enough, but for an administrator.
	f.policy.denied = map[policy.Action]bool{policy.ManageUsers: true}
	_, err = f.identity.UpdateUser(t.Context(), eve.ID, identity.Change{Roles: &[]policy.Role{policy.Member, policy.Administrator}})
	require.NoError(t, err)
	require.Equal(t, 403, f.do(ask).StatusCode)
	require.Empty(t, f.sessions.calls)
	_, err = f.identity.UpdateUser(t.Context(), eve.ID, identity.Change{Roles: &[]policy.Role{policy.Member}})
	require.NoError(t, err)
	require.Equal(t, 204, f.do(ask).StatusCode)
	require.Contains(t, f.sessions.calls, "terminate "+second+" alice user_disabled This account may not be used any more.")
	require.Equal(t, "terminate "+first+" alice user_terminated theft", f.sessions.calls[len(f.sessions.calls)-1])
	u, err := f.identity.User(t.Context(), eve.ID)
	require.NoError(t, err)
	require.True(t, u.Disabled)
	_, err = f.identity.Authenticate(t.Context(), signed.Token)
	require.ErrorIs(t, err, identity.ErrNotSignedIn)
	entry := f.audit.entries[len(f.audit.entries)-1]
	require.Equal(t, map[string]string{"reason": "theft", "locked_user": "eve"}, entry.Details)
}

// TestWatchingIsAnnouncedByPolicy: the obligation of the permit that lets somebody watch goes to the session, and into the log.
func TestWatchingIsAnnouncedByPolicy(t *testing.T) {
	for _, watching := range []string{"", policy.WatchingSilent, policy.WatchingAnnounced} {
		f := newFixture(t).signIn()
		f.policy.obligations = policy.Obligations{Watching: watching}
		require.Equal(t, 201, f.do(request{method: "POST", path: "/api/v1/sessions/" + bobsID + "/whep", kind: sdpKind, body: "v=0"}).StatusCode)
		announced := watching == policy.WatchingAnnounced
		require.Equal(t, announced, f.sessions.offer.Announced)
		said := f.audit.entries[len(f.audit.entries)-1].Details["watching"]
		require.Equal(t, announced, said == policy.WatchingAnnounced, said)
		require.Equal(t, 201, f.do(request{method: "POST", path: "/api/v1/sessions/" + runningID + "/whep", kind: sdpKind, body: "v=0"}).StatusCode)
		require.False(t, f.sessions.offer.Announced, "of oneself")
	}
}

// TestAnswerOfASupervisor: who has taken over is asked themselves, and then it is not for the session's own person to answer.
func TestAnswerOfASupervisor(t *testing.T) {
	f := newFixture(t).signIn()
	for i := range f.sessions.list {
		s := &f.sessions.list[i]
		asked := &Question{ID: "q1", PersonID: "somebody", PersonName: "somebody", Rules: []AskedRule{{ID: "r", Name: "R"}}, Since: time.Now(), Until: time.Now().Add(time.Minute)}
		if s.ID == bobsID {
			asked.PersonID = f.sessions.list[0].UserID // alice
		}
		s.Question = asked
	}
	body := `{"question":"q1","reason":"why"}`
	require.Equal(t, 403, f.do(request{method: "POST", path: "/api/v1/sessions/" + runningID + "/answer", body: body}).StatusCode)
	require.Equal(t, 200, f.do(request{method: "POST", path: "/api/v1/sessions/" + bobsID + "/answer", body: body}).StatusCode)
	entry := f.audit.entries[len(f.audit.entries)-1]
	require.Equal(t, "answer_question", entry.Action)
	require.Equal(t, map[string]string{"question": "q1", "answer": "given", "reason": "why"}, entry.Details)
	var shown struct {
		Question struct {
			ID     string
			Person struct{ Name string }
			Rules  []struct{ Name string }
			Until  time.Time
		}
	}
	res := f.do(request{method: "GET", path: "/api/v1/sessions/" + runningID})
	require.NoError(t, json.NewDecoder(res.Body).Decode(&shown))
	require.Equal(t, "somebody", shown.Question.Person.Name)
	require.Equal(t, "R", shown.Question.Rules[0].Name)
	require.False(t, shown.Question.Until.IsZero())
}
