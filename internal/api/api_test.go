package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

const sdpKind = "application/sdp"

// TestEndpoints is the table of every operation's good and bad paths, signed in as alice.
func TestEndpoints(t *testing.T) {
	deny := func(actions ...policy.Action) func(*fixture) {
		return func(f *fixture) {
			f.policy.denied = map[policy.Action]bool{}
			for _, a := range actions {
				f.policy.denied[a] = true
			}
		}
	}
	refuse := func(err error) func(*fixture) { return func(f *fixture) { f.sessions.err = err } }
	trust := func(f *fixture) {
		_, err := f.certificates.Trust(t.Context(), store.TargetCertificate{
			TargetID: "win", Fingerprint: strings.Repeat("ab", 32), FirstSeen: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), SessionID: endedID,
		})
		require.NoError(f.t, err)
	}
	unreachable := &Error{http.StatusBadGateway, "target_unreachable", "Nobody answers.", errors.New("dial tcp: refused")}

	for _, tc := range []struct {
		name   string
		req    request
		setup  func(*fixture)
		status int
		code   string   // of the problem
		has    []string // in the body
		calls  []string // that reached the sessions
	}{
		{name: "me", req: request{method: "GET", path: "/me"}, status: 200, has: []string{`"username":"alice"`, `"connect"`, `"export"`}},
		{name: "targets", req: request{method: "GET", path: "/targets"}, status: 200, has: []string{`"id":"bare"`, `"tags":["a","b"]`, `"tags":[]`}},
		{name: "targets denied", req: request{method: "GET", path: "/targets"}, setup: deny(policy.Connect, policy.ManageTargets, policy.RequestAccess, policy.BreakGlass), status: 200, has: []string{`"targets":[]`}},
		{name: "invisible target", req: request{method: "GET", path: "/targets/desk"}, setup: deny(policy.Connect, policy.ManageTargets, policy.RequestAccess, policy.BreakGlass), status: 404, code: "target_not_found"},
		{name: "session on an invisible target", req: request{method: "POST", path: "/sessions", body: `{"target_id":"desk"}`}, setup: deny(policy.Connect, policy.ManageTargets, policy.RequestAccess, policy.BreakGlass), status: 404, code: "target_not_found"},
		{name: "targets and their certificates", req: request{method: "GET", path: "/targets"}, status: 200, has: []string{`"protocol":"rdp"`, `"certificate":{"trust":"first_use"}`, `"certificate":{"trust":"verify"}`}},
		{name: "certificate known", req: request{method: "GET", path: "/targets"}, setup: trust, status: 200, has: []string{`"fingerprint":"abab`, `"first_seen":"2026-`}},
		{name: "forget certificate", req: request{method: "DELETE", path: "/targets/win/certificate"}, setup: trust, status: 204},
		{name: "forget no certificate", req: request{method: "DELETE", path: "/targets/win/certificate"}, status: 404, code: "certificate_not_found"},
		{name: "forget of no such target", req: request{method: "DELETE", path: "/targets/x/certificate"}, status: 404, code: "target_not_found"},
		{name: "forget denied", req: request{method: "DELETE", path: "/targets/win/certificate"}, setup: deny(policy.ManageTargets), status: 403, code: "forbidden"},
		{name: "policy broken", req: request{method: "GET", path: "/targets"}, setup: func(f *fixture) { f.policy.err = errBroken }, status: 500, code: "internal"},

		{name: "sessions running", req: request{method: "GET", path: "/sessions"}, status: 200, has: []string{runningID, bobsID, `"frame_rate":12.5`, `"role":"control"`}},
		{name: "sessions all", req: request{method: "GET", path: "/sessions?state=all"}, status: 200, has: []string{runningID, bobsID, endedID, `"code":"user_disconnected"`}},
		{name: "sessions page", req: request{method: "GET", path: "/sessions?state=all&limit=1"}, status: 200, has: []string{runningID, `"next":"` + runningID + `"`}},
		{name: "sessions before", req: request{method: "GET", path: "/sessions?state=all&before=" + endedID}, status: 200, has: []string{bobsID}},
		{name: "sessions bad state", req: request{method: "GET", path: "/sessions?state=odd"}, status: 400, code: "request_invalid", has: []string{`\"state\"`}},
		{name: "sessions bad limit", req: request{method: "GET", path: "/sessions?limit=501"}, status: 400, code: "request_invalid"},
		{name: "sessions limit no number", req: request{method: "GET", path: "/sessions?limit=many"}, status: 400, code: "request_invalid"},
		{name: "sessions broken", req: request{method: "GET", path: "/sessions"}, setup: refuse(errBroken), status: 500, code: "internal"},

		{name: "create", req: request{method: "POST", path: "/sessions", body: `{"target_id":"desk","width":1600,"height":900}`}, status: 201, has: []string{runningID}, calls: []string{"create"}},
		{name: "create on no such target", req: request{method: "POST", path: "/sessions", body: `{"target_id":"x"}`}, status: 404, code: "target_not_found"},
		{name: "create denied", req: request{method: "POST", path: "/sessions", body: `{"target_id":"desk"}`}, setup: deny(policy.Connect), status: 403, code: "forbidden", has: []string{"the test forbids it"}},
		{name: "create unreachable", req: request{method: "POST", path: "/sessions", body: `{"target_id":"desk"}`}, setup: refuse(unreachable), status: 502, code: "target_unreachable", has: []string{"Nobody answers."}},
		{name: "create too small", req: request{method: "POST", path: "/sessions", body: `{"target_id":"desk","width":15}`}, status: 400, code: "request_invalid", has: []string{`\"width\"`}},
		{name: "create without target", req: request{method: "POST", path: "/sessions", body: `{}`}, status: 400, code: "request_invalid", has: []string{"target_id"}},
		{name: "create without body", req: request{method: "POST", path: "/sessions"}, status: 400, code: "request_invalid", has: []string{"missing"}},
		{name: "create from no JSON", req: request{method: "POST", path: "/sessions", body: `{`}, status: 400, code: "request_invalid"},
		{name: "create from a form", req: request{method: "POST", path: "/sessions", kind: "application/x-www-form-urlencoded", body: "target_id=desk"}, status: 415, code: "unsupported_media_type"},
		{name: "create from too much", req: request{method: "POST", path: "/sessions", body: strings.Repeat(" ", maxBodyBytes+1)}, status: 413, code: "body_too_large"},

		{name: "session", req: request{method: "GET", path: "/sessions/" + runningID}, status: 200, has: []string{`"state":"active"`, `"width":1024`, `"client_address":"192.0.2.1"`}},
		{name: "session ended", req: request{method: "GET", path: "/sessions/" + endedID}, status: 200, has: []string{`"ended_at"`, `"message":"bye"`}},
		{name: "session unknown", req: request{method: "GET", path: "/sessions/" + unknownID}, status: 404, code: "session_not_found"},
		{name: "session id malformed", req: request{method: "GET", path: "/sessions/nonsense"}, status: 400, code: "request_invalid"},
		{name: "session id climbs", req: request{method: "GET", path: "/sessions/..%2f..%2fetc"}, status: 404, code: "not_found"},
		{name: "another's session denied", req: request{method: "GET", path: "/sessions/" + bobsID}, setup: deny(policy.ViewLive), status: 403, code: "forbidden"},
		{name: "own session needs no view_live", req: request{method: "GET", path: "/sessions/" + runningID}, setup: deny(policy.ViewLive), status: 200},

		{name: "terminate", req: request{method: "POST", path: "/sessions/" + runningID + "/terminate"}, status: 204, calls: []string{"terminate " + runningID + " alice user_disconnected alice disconnected."}},
		{name: "terminate another's with a reason", req: request{method: "POST", path: "/sessions/" + bobsID + "/terminate", body: `{"reason":"lunch"}`}, status: 204, calls: []string{"terminate " + bobsID + " alice user_terminated lunch"}},
		{name: "terminate denied", req: request{method: "POST", path: "/sessions/" + bobsID + "/terminate"}, setup: deny(policy.Terminate), status: 403, code: "forbidden"},
		{name: "terminate unknown", req: request{method: "POST", path: "/sessions/" + unknownID + "/terminate"}, status: 404, code: "session_not_found"},
		{name: "terminate with an essay", req: request{method: "POST", path: "/sessions/" + runningID + "/terminate", body: `{"reason":"` + strings.Repeat("x", 501) + `"}`}, status: 400, code: "request_invalid"},

		{name: "terminate and lock oneself", req: request{method: "POST", path: "/sessions/" + runningID + "/terminate", body: `{"lock_user":true}`}, status: 409, code: "own_user"},
		{name: "terminate and lock without the right", req: request{method: "POST", path: "/sessions/" + bobsID + "/terminate", body: `{"lock_user":true}`}, setup: deny(policy.LockUser), status: 403, code: "forbidden"},

		{name: "freeze", req: request{method: "POST", path: "/sessions/" + bobsID + "/freeze", body: `{"reason":"What is this?"}`}, status: 204, calls: []string{"freeze " + bobsID + " alice What is this?"}},
		{name: "freeze without a reason", req: request{method: "POST", path: "/sessions/" + bobsID + "/freeze", body: `{"reason":""}`}, status: 400, code: "request_invalid"},
		{name: "freeze denied", req: request{method: "POST", path: "/sessions/" + bobsID + "/freeze", body: `{"reason":"x"}`}, setup: deny(policy.Freeze), status: 403, code: "forbidden"},
		{name: "freeze unknown", req: request{method: "POST", path: "/sessions/" + unknownID + "/freeze", body: `{"reason":"x"}`}, status: 404, code: "session_not_found"},
		{name: "freeze frozen", req: request{method: "POST", path: "/sessions/" + bobsID + "/freeze", body: `{"reason":"x"}`}, setup: refuse(&Error{409, "session_frozen", "The session is frozen already.", nil}), status: 409, code: "session_frozen"},
		{name: "answer", req: request{method: "POST", path: "/sessions/" + runningID + "/answer", body: `{"question":"q1","viewer":"v1","reason":"ticket 7"}`}, status: 200, has: []string{`"sent":true`}, calls: []string{"answer " + runningID + ` alice q1 v1 "ticket 7" false`}},
		{name: "answer no", req: request{method: "POST", path: "/sessions/" + runningID + "/answer", body: `{"question":"q1","reason":"hm","refuse":true}`}, status: 200, has: []string{`"sent":false`}, calls: []string{"answer " + runningID + ` alice q1  "" true`}},
		{name: "answer nothing", req: request{method: "POST", path: "/sessions/" + runningID + "/answer", body: `{"reason":"ticket 7"}`}, status: 400, code: "request_invalid"},
		{name: "answer with an essay", req: request{method: "POST", path: "/sessions/" + runningID + "/answer", body: `{"question":"q1","reason":"` + strings.Repeat("x", 501) + `"}`}, status: 400, code: "request_invalid"},
		{name: "answer for another", req: request{method: "POST", path: "/sessions/" + bobsID + "/answer", body: `{"question":"q1","reason":"x"}`}, status: 403, code: "not_in_control"},
		{name: "answer what is not shown", req: request{method: "POST", path: "/sessions/" + bobsID + "/answer", body: `{"question":"q1","reason":"x"}`}, setup: deny(policy.ViewLive), status: 403, code: "forbidden"},
		{name: "answer too late", req: request{method: "POST", path: "/sessions/" + runningID + "/answer", body: `{"question":"q1","refuse":true}`}, setup: refuse(&Error{409, "not_asked", "This is not asked any more.", nil}), status: 409, code: "not_asked"},
		{name: "resume", req: request{method: "POST", path: "/sessions/" + bobsID + "/resume"}, status: 204, calls: []string{"resume " + bobsID + " alice"}},
		{name: "resume denied", req: request{method: "POST", path: "/sessions/" + bobsID + "/resume"}, setup: deny(policy.Freeze), status: 403, code: "forbidden"},
		{name: "take control", req: request{method: "PUT", path: "/sessions/" + bobsID + "/control"}, status: 204, calls: []string{"take " + bobsID + " alice  false"}},
		{name: "take control from another", req: request{method: "PUT", path: "/sessions/" + bobsID + "/control", body: `{"viewer":"v1","from_other":true}`}, status: 204, calls: []string{"take " + bobsID + " alice v1 true"}},
		{name: "take control denied", req: request{method: "PUT", path: "/sessions/" + bobsID + "/control"}, setup: deny(policy.TakeOver), status: 403, code: "forbidden"},
		{name: "give control back", req: request{method: "DELETE", path: "/sessions/" + bobsID + "/control"}, status: 204, calls: []string{"release " + bobsID + " alice"}},
		{name: "send a message", req: request{method: "POST", path: "/sessions/" + bobsID + "/messages", body: `{"text":"Call me."}`}, status: 201, has: []string{`"id":"m1"`}, calls: []string{"message " + bobsID + " alice Call me."}},
		{name: "send an essay", req: request{method: "POST", path: "/sessions/" + bobsID + "/messages", body: `{"text":"` + strings.Repeat("x", 1001) + `"}`}, status: 400, code: "request_invalid"},
		{name: "send a message denied", req: request{method: "POST", path: "/sessions/" + bobsID + "/messages", body: `{"text":"x"}`}, setup: deny(policy.Message), status: 403, code: "forbidden"},

		{name: "offer to view", req: request{method: "POST", path: "/sessions/" + bobsID + "/whep", kind: sdpKind, body: "v=0"}, status: 201, has: []string{"v=0\r\n"}, calls: []string{"offer " + bobsID}},
		{name: "offer to control another's denied", req: request{method: "POST", path: "/sessions/" + bobsID + "/whep?role=control", kind: sdpKind, body: "v=0"}, setup: deny(policy.TakeOver), status: 403, code: "forbidden"},
		{name: "offer to control one's own", req: request{method: "POST", path: "/sessions/" + runningID + "/whep?role=control", kind: sdpKind, body: "v=0"}, setup: deny(policy.TakeOver, policy.ViewLive), status: 201},
		{name: "offer malformed", req: request{method: "POST", path: "/sessions/" + runningID + "/whep", kind: sdpKind, body: "x"}, setup: refuse(&Error{422, "offer_malformed", "No.", nil}), status: 422, code: "offer_malformed"},
		{name: "offer too long", req: request{method: "POST", path: "/sessions/" + runningID + "/whep", kind: sdpKind, body: strings.Repeat("x", 65537)}, status: 400, code: "request_invalid"},
		{name: "offer in JSON", req: request{method: "POST", path: "/sessions/" + runningID + "/whep", body: "{}"}, status: 415, code: "unsupported_media_type"},
		{name: "offer empty", req: request{method: "POST", path: "/sessions/" + runningID + "/whep", kind: sdpKind}, status: 400, code: "request_invalid"},
		{name: "offer odd role", req: request{method: "POST", path: "/sessions/" + runningID + "/whep?role=god", kind: sdpKind, body: "v=0"}, status: 400, code: "request_invalid"},
		{name: "offer to unknown", req: request{method: "POST", path: "/sessions/" + unknownID + "/whep", kind: sdpKind, body: "v=0"}, status: 404, code: "session_not_found"},

		{name: "trickle", req: request{method: "PATCH", path: "/sessions/" + runningID + "/whep/mine", kind: "application/trickle-ice-sdpfrag", body: "a=x"}, status: 204, calls: []string{"candidates " + runningID + " mine a=x"}},
		{name: "trickle to another's viewer denied", req: request{method: "PATCH", path: "/sessions/" + bobsID + "/whep/theirs", kind: "application/trickle-ice-sdpfrag", body: "a=x"}, setup: deny(policy.TakeOver), status: 403, code: "forbidden"},
		{name: "trickle SDP", req: request{method: "PATCH", path: "/sessions/" + runningID + "/whep/mine", kind: sdpKind, body: "a=x"}, status: 415, code: "unsupported_media_type"},
		{name: "close viewer", req: request{method: "DELETE", path: "/sessions/" + runningID + "/whep/mine"}, status: 204, calls: []string{"close " + runningID + " mine"}},
		{name: "close another's viewer denied", req: request{method: "DELETE", path: "/sessions/" + bobsID + "/whep/theirs"}, setup: deny(policy.Terminate), status: 403, code: "forbidden"},
		{name: "close viewer long gone", req: request{method: "DELETE", path: "/sessions/" + runningID + "/whep/x"}, setup: refuse(&Error{404, "viewer_not_found", "Gone.", nil}), status: 404, code: "viewer_not_found"},
		{name: "whep options", req: request{method: "OPTIONS", path: "/sessions/" + runningID + "/whep"}, status: 204},

		{name: "recordings", req: request{method: "GET", path: "/recordings"}, status: 200, has: []string{`"state":"sealed"`, `"sealed_by":"worker"`, `"pending_files":2`}},
		{name: "recordings page", req: request{method: "GET", path: "/recordings?limit=2"}, status: 200, has: []string{`"next":"` + endedID + `"`}},
		{name: "recordings denied", req: request{method: "GET", path: "/recordings"}, setup: deny(policy.Replay), status: 200, has: []string{`"recordings":[]`}},
		{name: "recordings broken", req: request{method: "GET", path: "/recordings"}, setup: refuse(errBroken), status: 500, code: "internal"},
		{name: "recording", req: request{method: "GET", path: "/recordings/" + runningID}, status: 200, has: []string{`"state":"recording"`, `"duration_ms":1000`}},
		{name: "recording unknown", req: request{method: "GET", path: "/recordings/" + unknownID}, status: 404, code: "recording_not_found"},
		{name: "recording denied", req: request{method: "GET", path: "/recordings/" + runningID}, setup: deny(policy.Replay), status: 403, code: "forbidden"},
		{name: "index of a lost recording", req: request{method: "GET", path: "/recordings/" + runningID + "/index"}, status: 404, code: "recording_not_found"},
		{name: "index denied", req: request{method: "GET", path: "/recordings/" + runningID + "/index"}, setup: deny(policy.Replay), status: 403, code: "forbidden"},
		{name: "file of odd name", req: request{method: "GET", path: "/recordings/" + runningID + "/files/journal.ndjson"}, status: 400, code: "request_invalid"},
		{name: "file that climbs", req: request{method: "GET", path: "/recordings/" + runningID + "/files/..%2F..%2Fv.db"}, status: 404, code: "not_found"},
		{name: "file denied", req: request{method: "GET", path: "/recordings/" + runningID + "/files/session.json"}, setup: deny(policy.Replay), status: 403, code: "forbidden"},
		{name: "events limit", req: request{method: "GET", path: "/recordings/" + runningID + "/events?limit=0"}, status: 400, code: "request_invalid"},
		{name: "events denied", req: request{method: "GET", path: "/recordings/" + runningID + "/events"}, setup: deny(policy.Replay), status: 403, code: "forbidden"},
		{name: "export denied", req: request{method: "POST", path: "/recordings/" + runningID + "/exports", body: `{"kind":"mp4","reason":"because"}`}, setup: deny(policy.Export), status: 403, code: "forbidden"},
		{name: "verify denied", req: request{method: "POST", path: "/recordings/" + runningID + "/verify"}, setup: deny(policy.Replay), status: 403, code: "forbidden"},

		{name: "nothing here", req: request{method: "GET", path: "/nothing"}, status: 404, code: "not_found"},
		{name: "wrong method", req: request{method: "DELETE", path: "/sessions"}, status: 405, code: "method_not_allowed"},
		{name: "sign out", req: request{method: "POST", path: "/sign-out"}, status: 204},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t).signIn()
			if tc.setup != nil {
				tc.setup(f)
			}
			tc.req.path = BasePath + tc.req.path
			res := f.do(tc.req)
			body := bodyOf(t, res)
			require.Equal(t, tc.status, res.StatusCode, body)
			for _, has := range tc.has {
				require.Contains(t, body, has)
			}
			if tc.code != "" {
				requireProblem(t, res, body, tc.code)
			}
			for _, call := range tc.calls {
				require.Contains(t, f.sessions.calls, call)
			}
			if tc.status >= 400 && tc.setup == nil {
				require.Empty(t, f.sessions.calls, "a refused request reaches nothing")
			}
			require.NotContains(t, body+f.log.String(), "hunter2", "targets' secrets stay inside")
		})
	}
}

func requireProblem(t *testing.T, res *http.Response, body, code string) {
	t.Helper()
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	var p struct {
		Type, Title, Detail, Instance, Code string
		Status                              int
	}
	require.NoError(t, json.Unmarshal([]byte(body), &p))
	require.Equal(t, code, p.Code)
	require.Equal(t, res.StatusCode, p.Status)
	require.Equal(t, http.StatusText(res.StatusCode), p.Title)
	require.NotEmpty(t, p.Detail)
	require.Equal(t, res.Header.Get("X-Request-Id"), p.Instance)
	require.NotContains(t, body, "/secret/path", "causes are for the log")
}

// openOperations are all that somebody who is not signed in may do.
var openOperations = []string{
	"getSignIn", "signIn", "forgetPendingSignIn", "signInTOTP", "signInRecovery", "signInPasskeyOptions", "signInPasskey",
	"beginEnrolTOTP", "signInEnrolTOTP", "beginEnrolPasskey", "signInEnrolPasskey", "signInProvider", "signInProviderCallback",
	"getSetup", "setUp",
}

// TestEveryOperationNeedsSignIn goes through the document, so that a new operation cannot be forgotten.
func TestEveryOperationNeedsSignIn(t *testing.T) {
	f := newFixture(t)
	path := strings.NewReplacer("{session}", runningID, "{target}", "win", "{viewer}", "mine", "{user}", "u", "{group}", "g", "{token}", "t", "{sign_in}", "s", "{passkey}", "p", "{provider}", "corp", "{file}", "session.json")
	operations := 0
	for p, item := range f.server.checks.doc.Paths.Map() {
		for method, op := range item.Operations() {
			operations++
			if slices.Contains(openOperations, op.OperationID) {
				continue
			}
			t.Run(op.OperationID, func(t *testing.T) {
				for name, cookie := range map[string]*http.Cookie{"no cookie": nil, "stale cookie": {Name: cookieName, Value: "stale"}} {
					f.cookie = cookie
					res := f.do(request{method: method, path: BasePath + path.Replace(p)})
					require.Equal(t, http.StatusUnauthorized, res.StatusCode, name)
					requireProblem(t, res, bodyOf(t, res), "unauthenticated")
				}
			})
		}
	}
	require.Greater(t, operations, 15)
	require.Empty(t, f.sessions.calls)
}

func TestCreatePassesWhatWasAsked(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.TrustedProxies = []string{"192.0.2.0/24"} }).signIn()
	res := f.do(request{
		method: "POST", path: "/api/v1/sessions", body: `{"target_id":"desk","width":1600,"height":900}`,
		header: http.Header{"X-Forwarded-For": {"203.0.113.9"}},
	})
	require.Equal(t, "/api/v1/sessions/"+runningID, res.Header.Get("Location"))
	got := f.sessions.got
	require.Equal(t, "alice", got.Subject.Name)
	require.Equal(t, "desk", got.Target.ID)
	require.Equal(t, "default", got.Account.Name)
	require.Equal(t, []int{1600, 900}, []int{got.Width, got.Height})
	require.Equal(t, "203.0.113.9", got.ClientAddress)

	f.do(request{method: "POST", path: "/api/v1/sessions/" + runningID + "/whep?role=control", kind: sdpKind + "; charset=utf-8", body: "offer"})
	require.Equal(t, Offer{Subject: got.Subject, Role: "control", ClientAddress: "192.0.2.1", SDP: "offer"}, f.sessions.offer)
}

func TestForwardedForIsNotBelievedFromStrangers(t *testing.T) {
	f := newFixture(t).signIn()
	f.do(request{
		method: "POST", path: "/api/v1/sessions", body: `{"target_id":"desk"}`, header: http.Header{"X-Forwarded-For": {"203.0.113.9"}},
	})
	require.Equal(t, "192.0.2.1", f.sessions.got.ClientAddress)

	// Through a proxy that is trusted, too, a client chooses neither the front of the list nor the other headers there are.
	f = newFixture(t, func(o *Options) { o.TrustedProxies = []string{"192.0.2.0/24"} }).signIn()
	for _, tc := range []struct {
		header http.Header
		want   string
	}{
		{http.Header{"X-Forwarded-For": {"127.0.0.1, 203.0.113.9"}}, "203.0.113.9"},
		{http.Header{"X-Forwarded-For": {"127.0.0.1, 203.0.113.9, 192.0.2.77"}}, "203.0.113.9"},
		{http.Header{"X-Forwarded-For": {"not an address"}}, "192.0.2.1"},
		{http.Header{"X-Real-Ip": {"127.0.0.1"}}, "192.0.2.1"},
		{http.Header{"Forwarded": {"for=127.0.0.1"}, "Cf-Connecting-Ip": {"127.0.0.1"}}, "192.0.2.1"},
	} {
		f.do(request{method: "POST", path: "/api/v1/sessions", body: `{"target_id":"desk"}`, header: tc.header})
		require.Equal(t, tc.want, f.sessions.got.ClientAddress, "%v", tc.header)
	}
}

func TestOfferLocation(t *testing.T) {
	f := newFixture(t).signIn()
	res := f.do(request{method: "POST", path: "/api/v1/sessions/" + runningID + "/whep", kind: sdpKind, body: "v=0"})
	require.Equal(t, "/api/v1/sessions/"+runningID+"/whep/fresh", res.Header.Get("Location"))
	require.Equal(t, sdpKind, res.Header.Get("Content-Type"))
	res = f.do(request{method: "OPTIONS", path: "/api/v1/sessions/" + runningID + "/whep"})
	require.Equal(t, sdpKind, res.Header.Get("Accept-Post"))
}

// TestErrorsHaveCodes: what handlers return maps to what callers see.
func TestErrorsHaveCodes(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		code   string
	}{
		{recording.ErrNotSealed, 409, "recording_not_sealed"},
		{recording.ErrEmpty, 409, "recording_empty"},
		{recording.ErrCursor, 400, "request_invalid"},
		{recording.ErrFormatVersion, 422, "recording_version"},
		{&recording.CorruptError{File: "seg-000001.m4s", Err: recording.ErrChecksum}, 422, "recording_corrupt"},
		{context.DeadlineExceeded, 504, "timeout"},
		{errors.Join(errBroken, &Error{Status: 418, Code: "teapot"}), 418, "teapot"},
		{errBroken, 500, "internal"},
	} {
		e := errorOf(tc.err)
		require.Equal(t, tc.status, e.Status, tc.err)
		require.Equal(t, tc.code, e.Code, tc.err)
		require.NotEmpty(t, e.Error())
	}
}
