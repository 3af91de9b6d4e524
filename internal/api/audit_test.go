package api

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
)

// TestActsAreWrittenDown is the table of what operations leave in the audit log.
func TestActsAreWrittenDown(t *testing.T) {
	for _, tc := range []struct {
		name  string
		req   request
		setup func(*fixture)
		want  *audit.Entry // nil: nothing
	}{
		{name: "an act", req: request{method: "POST", path: "/sessions/" + bobsID + "/terminate", body: `{"reason":"lunch"}`}, want: &audit.Entry{
			Action: "terminate_session", Outcome: audit.Success, Object: audit.Object{Kind: "session", ID: bobsID}, SessionID: bobsID,
			Details: map[string]string{"reason": "lunch"},
		}},
		{name: "what a handler adds", req: request{method: "POST", path: "/sessions", body: `{"target_id":"desk"}`}, want: &audit.Entry{
			Action: "create_session", Outcome: audit.Success, Object: audit.Object{Kind: "target", ID: "desk", Name: "Desk"}, SessionID: runningID,
			Details: map[string]string{},
		}},
		{name: "a second parameter", req: request{method: "DELETE", path: "/sessions/" + runningID + "/whep/mine"}, want: &audit.Entry{
			Action: "close_viewer", Outcome: audit.Success, Object: audit.Object{Kind: "session", ID: runningID}, SessionID: runningID,
			Details: map[string]string{"viewer": "mine"},
		}},
		{
			name: "denied", req: request{method: "POST", path: "/sessions/" + bobsID + "/terminate"},
			setup: func(f *fixture) { f.policy.denied = map[policy.Action]bool{policy.Terminate: true} },
			want: &audit.Entry{
				Action: "terminate_session", Outcome: audit.Denied, Object: audit.Object{Kind: "session", ID: bobsID}, SessionID: bobsID,
				Details:  map[string]string{"problem": "forbidden", "permission": "terminate", "reason": "the test forbids it"},
				Policies: []string{"forbidden-by-test"},
			},
		},
		{
			name: "failed", req: request{method: "POST", path: "/sessions/" + bobsID + "/terminate"},
			setup: func(f *fixture) { f.sessions.err = errors.New("secret cause") },
			want: &audit.Entry{
				Action: "terminate_session", Outcome: audit.Failed, Object: audit.Object{Kind: "session", ID: bobsID}, SessionID: bobsID,
				Details: map[string]string{"problem": "internal"},
			},
		},
		{name: "unknown", req: request{method: "POST", path: "/sessions/" + unknownID + "/terminate"}, want: &audit.Entry{
			Action: "terminate_session", Outcome: audit.Failed, Object: audit.Object{Kind: "session", ID: unknownID}, SessionID: unknownID,
			Details: map[string]string{"problem": "session_not_found"},
		}},
		{
			name: "evidence denied", req: request{method: "GET", path: "/recordings/" + endedID + "/index"},
			setup: func(f *fixture) { f.policy.denied = map[policy.Action]bool{policy.Replay: true} },
			want: &audit.Entry{
				Action: "replay_recording", Outcome: audit.Denied, Object: audit.Object{Kind: "recording", ID: endedID}, SessionID: endedID,
				Details:  map[string]string{"problem": "forbidden", "permission": "replay", "reason": "the test forbids it"},
				Policies: []string{"forbidden-by-test"},
			},
		},
		{
			name: "a reading of no evidence, denied", req: request{method: "GET", path: "/sessions/" + bobsID},
			setup: func(f *fixture) { f.policy.denied = map[policy.Action]bool{policy.ViewLive: true} },
			want: &audit.Entry{
				Action: "get_session", Outcome: audit.Denied, Object: audit.Object{Kind: "session", ID: bobsID}, SessionID: bobsID,
				Details:  map[string]string{"problem": "forbidden", "permission": "view_live", "reason": "the test forbids it"},
				Policies: []string{"forbidden-by-test"},
			},
		},
		{name: "a reading of no evidence", req: request{method: "GET", path: "/sessions/" + bobsID}},
		{name: "what nothing came of: malformed", req: request{method: "POST", path: "/sessions", body: `{}`}},
		{name: "part of another act", req: request{method: "PATCH", path: "/sessions/" + runningID + "/whep/mine", kind: "application/trickle-ice-sdpfrag", body: "a=x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t).signIn()
			f.audit.entries = nil
			if tc.setup != nil {
				tc.setup(f)
			}
			tc.req.path = BasePath + tc.req.path
			f.do(tc.req)
			if tc.want == nil {
				require.Empty(t, f.audit.entries)
				return
			}
			require.Len(t, f.audit.entries, 1)
			tc.want.Actor, tc.want.Source = audit.Actor{ID: f.aliceID, Name: "alice", Kind: audit.KindUser}, "192.0.2.1"
			require.Equal(t, *tc.want, f.audit.entries[0])
		})
	}
}

func TestSignInIsWrittenDown(t *testing.T) {
	f := newFixture(t)
	res := f.do(request{method: "POST", path: "/api/v1/sign-in", body: `{"username":"alice","password":"my secret is long"}`})
	require.Equal(t, 401, res.StatusCode)
	f.signIn()
	require.Equal(t, 204, f.do(request{method: "POST", path: "/api/v1/sign-out"}).StatusCode)
	alice := audit.Actor{ID: f.aliceID, Name: "alice", Kind: audit.KindUser}
	require.Len(t, f.audit.entries, 3)
	refused := f.audit.entries[0]
	require.Equal(t, audit.Denied, refused.Outcome)
	require.Equal(t, audit.KindAnonymous, refused.Actor.Kind)
	require.Equal(t, "sign_in_failed", refused.Details["problem"])
	require.Equal(t, audit.Object{Kind: "user", ID: f.aliceID, Name: "alice"}, refused.Object, "whose sign-in it was to be")
	require.Equal(t, alice, f.audit.entries[1].Actor)
	require.Equal(t, "sign_in", f.audit.entries[1].Action)
	require.Equal(t, alice, f.audit.entries[2].Actor)
	require.Equal(t, "sign_out", f.audit.entries[2].Action)
	for _, e := range f.audit.entries {
		for _, v := range e.Details {
			require.NotContains(t, v, "secret")
		}
	}
}

// TestReplayIsWrittenDownOnce: a player asks for hundreds of files.
func TestReplayIsWrittenDownOnce(t *testing.T) {
	f := newFixture(t).signIn()
	f.seal(recording.EndReason{})
	now := time.Now()
	f.server.recent.now = func() time.Time { return now }
	f.audit.entries = nil
	paths := []string{"/index", "/files/session.json", "/files/manifest.json", "/events", "/files/seg-000099.m4s", "/index"}
	for _, p := range paths {
		f.do(request{method: "GET", path: ended + p})
	}
	require.Len(t, f.audit.entries, 1)
	require.Equal(t, "replay_recording", f.audit.entries[0].Action)
	require.Equal(t, endedID, f.audit.entries[0].SessionID)
	now = now.Add(time.Hour)
	f.do(request{method: "GET", path: ended + "/index"})
	require.Len(t, f.audit.entries, 2)
}

// TestVerificationOutcome: the answer is good, what it says is not.
func TestVerificationOutcome(t *testing.T) {
	f := newFixture(t).signIn()
	f.seal(recording.EndReason{})
	segment := filepath.Join(f.stored, "recordings", endedID, "seg-000000.m4s")
	content, err := os.ReadFile(segment)
	require.NoError(t, err)
	require.Equal(t, 200, f.do(request{method: "POST", path: ended + "/verify"}).StatusCode)
	require.NoError(t, os.Remove(segment))
	require.NoError(t, os.WriteFile(segment, content[1:], 0o600))
	require.Equal(t, 200, f.do(request{method: "POST", path: ended + "/verify"}).StatusCode)
	last := f.audit.entries[len(f.audit.entries)-2:]
	require.Equal(t, []audit.Outcome{audit.Success, audit.Failed}, []audit.Outcome{last[0].Outcome, last[1].Outcome})
	require.Equal(t, "recording_altered", last[1].Details["problem"])
}

// TestNothingUnaudited: an answer whose entry cannot be written is not given, a refusal stays one.
func TestNothingUnaudited(t *testing.T) {
	f := newFixture(t).signIn()
	f.seal(recording.EndReason{})
	f.audit.err = audit.ErrUnavailable
	for _, req := range []request{
		{method: "POST", path: "/api/v1/sessions/" + bobsID + "/terminate"},
		{method: "GET", path: ended + "/index"},
		{method: "GET", path: ended + "/files/session.json"},
		{method: "GET", path: ended + "/files/session.json"},
	} {
		res := f.do(req)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		requireProblem(t, res, bodyOf(t, res), "audit_unavailable")
	}
	f.policy.denied = map[policy.Action]bool{policy.Terminate: true}
	require.Equal(t, 403, f.do(request{method: "POST", path: "/api/v1/sessions/" + bobsID + "/terminate"}).StatusCode)

	// Where that is known beforehand, nothing is begun.
	f.policy.denied, f.sessions.calls = nil, nil
	f.server.audit = unwritable{f.audit}
	require.Equal(t, 503, f.do(request{method: "POST", path: "/api/v1/sessions/" + bobsID + "/terminate"}).StatusCode)
	require.Empty(t, f.sessions.calls)
}

type unwritable struct{ audit.Recorder }

func (unwritable) Writable(context.Context) error { return audit.ErrUnavailable }

// TestAuditRules holds the marks of openapi.yaml to what the middleware reads.
func TestAuditRules(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	require.NoError(t, err)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			mark, marked := op.Extensions["x-audit"]
			if !marked {
				continue
			}
			rule, ok := mark.(map[string]any)
			require.True(t, ok, "%s %s", method, path)
			for key, value := range rule {
				switch key {
				case "action":
					require.Regexp(t, "^[a-z][a-z_]*$", value, "%s %s", method, path)
				case "every":
					every, err := time.ParseDuration(value.(string))
					require.NoError(t, err, "%s %s", method, path)
					require.Positive(t, every)
				case "skip":
					require.Equal(t, true, value)
				default:
					t.Errorf("%s %s: x-audit has %q", method, path, key)
				}
			}
		}
	}
	require.Equal(t, "list_ice_servers", snake("listICEServers"))
	require.Equal(t, "access_request", kindOf("/access-requests/{request}"))
	require.Equal(t, "policy", kindOf("/policies"))
	require.True(t, strings.HasPrefix(snake("createSession"), "create_"))
}
