package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

const aKey = "8e03978e-40d5-43dd-bc93-6894a57f9324"

func connectWith(key, body string) request {
	return request{method: "POST", path: "/api/v1/sessions", body: body, header: http.Header{"Idempotency-Key": {key}}}
}

func (f *fakeSessions) count(call string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

func TestIdempotencyKeyReplays(t *testing.T) {
	f := newFixture(t).signIn()
	first := f.do(connectWith(aKey, `{"target_id":"desk"}`))
	require.Equal(t, http.StatusCreated, first.StatusCode)
	require.Empty(t, first.Header.Get("Idempotency-Replayed"))
	again := f.do(connectWith(aKey, `{"target_id":"desk"}`))
	require.Equal(t, http.StatusCreated, again.StatusCode)
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	require.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))
	require.Equal(t, first.Header.Get("Content-Type"), again.Header.Get("Content-Type"))
	require.Equal(t, bodyOf(t, first), bodyOf(t, again))
	require.Equal(t, 1, f.sessions.count("create"))

	require.Equal(t, http.StatusUnprocessableEntity, f.do(connectWith(aKey, `{"target_id":"bare"}`)).StatusCode)
	other := connectWith(aKey, `{"target_id":"desk"}`)
	other.path += "?x=1"
	require.Equal(t, http.StatusUnprocessableEntity, f.do(other).StatusCode)
	require.Equal(t, http.StatusCreated, f.do(connectWith(strings.Repeat("k", 16), `{"target_id":"desk"}`)).StatusCode)
	require.Equal(t, 2, f.sessions.count("create"))
	for range 2 { // without the header nothing changes
		require.Equal(t, http.StatusCreated, f.do(request{method: "POST", path: "/api/v1/sessions", body: `{"target_id":"desk"}`}).StatusCode)
	}
	require.Equal(t, 4, f.sessions.count("create"))
	// A key of one operation says nothing of another, whose answer has no body.
	for range 2 {
		end := request{method: "POST", path: "/api/v1/sessions/" + runningID + "/terminate", header: http.Header{"Idempotency-Key": {aKey}}}
		require.Equal(t, http.StatusNoContent, f.do(end).StatusCode)
	}
	require.Equal(t, 1, f.sessions.count("terminate "+runningID+" alice user_disconnected alice disconnected."))
}

func TestIdempotencyKeyIsOnePersonsAndScopes(t *testing.T) {
	f := newFixture(t).signIn()
	require.Equal(t, http.StatusCreated, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
	who := &otherSubject{Identity: f.server.identity}
	f.server.identity = who
	who.change = func(s *policy.Subject) { s.ID = "somebody else" }
	require.Empty(t, f.do(connectWith(aKey, `{"target_id":"desk"}`)).Header.Get("Idempotency-Replayed"))
	require.Equal(t, 2, f.sessions.count("create"))
	who.change = func(s *policy.Subject) { s.Scopes = []policy.Action{policy.Connect} }
	require.Equal(t, http.StatusUnprocessableEntity, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
}

func TestIdempotencyKeyOfFailuresIsFree(t *testing.T) {
	f := newFixture(t).signIn()
	f.sessions.err = errBroken
	require.Equal(t, http.StatusInternalServerError, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
	f.sessions.err = nil
	f.policy.denied = map[policy.Action]bool{policy.Connect: true}
	require.Equal(t, http.StatusForbidden, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
	f.policy.denied = nil
	require.Equal(t, http.StatusBadRequest, f.do(connectWith(aKey, `{"target":"desk"}`)).StatusCode)
	require.Equal(t, http.StatusCreated, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)

	for _, bad := range []string{"short", strings.Repeat("k", 256), "with a space in it", "ключ ключ ключ ключ"} {
		res := f.do(connectWith(bad, `{"target_id":"desk"}`))
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		require.Contains(t, bodyOf(t, res), "idempotency_key_invalid")
	}
	f.cookie = nil
	require.Equal(t, http.StatusUnauthorized, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
}

// TestIdempotencyKeyInProgress: of many at once one is done; the others are told to wait, and have its answer later.
func TestIdempotencyKeyInProgress(t *testing.T) {
	f := newFixture(t).signIn()
	f.sessions.block = make(chan struct{})
	var wg sync.WaitGroup
	statuses := make(chan int, 8)
	for range cap(statuses) {
		wg.Go(func() { statuses <- f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode })
	}
	for range cap(statuses) - 1 { // all but the one that waits for the desktop
		require.Equal(t, http.StatusConflict, <-statuses)
	}
	close(f.sessions.block)
	wg.Wait()
	require.Equal(t, http.StatusCreated, <-statuses)
	require.Equal(t, "true", f.do(connectWith(aKey, `{"target_id":"desk"}`)).Header.Get("Idempotency-Replayed"))
	require.Equal(t, 1, f.sessions.count("create"))
}

// TestIdempotencyKeyOfACrash: a request the gateway did not live to answer does not hold its key for ever.
func TestIdempotencyKeyOfACrash(t *testing.T) {
	keys := &remembered{}
	f := newFixture(t, func(o *Options) { keys.Idempotency = o.Idempotency; o.Idempotency = keys }).signIn()
	keys.lost = true
	require.Equal(t, http.StatusCreated, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
	require.Equal(t, http.StatusConflict, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
	keys.ahead = longestRequest + time.Second
	require.Equal(t, http.StatusCreated, f.do(connectWith(aKey, `{"target_id":"desk"}`)).StatusCode)
}

// TestSecretAnswersAreNotKept: the answer to an offer carries credentials of the relay.
func TestSecretAnswersAreNotKept(t *testing.T) {
	f := newFixture(t).signIn()
	offer := request{
		method: "POST", path: "/api/v1/sessions/" + runningID + "/whep", kind: "application/sdp", body: "v=0\r\n",
		header: http.Header{"Idempotency-Key": {aKey}},
	}
	require.Equal(t, http.StatusCreated, f.do(offer).StatusCode)
	res := f.do(offer)
	require.Equal(t, http.StatusConflict, res.StatusCode)
	require.Contains(t, bodyOf(t, res), "idempotency_answer_not_kept")
	require.Equal(t, 1, f.sessions.count("offer "+runningID))
}

// TestSecretAnswersAreDeclared: a member of an answer to a POST or PATCH that is called like a secret makes the operation one
// whose answers are not kept. Whoever adds one that is none says so in this list.
func TestSecretAnswersAreDeclared(t *testing.T) {
	harmless := []string{
		"signIn.must_change_password", "updateMe.must_change_password", "updateUser.must_change_password",
		"importTargets.secret",                                // that it is one
		"createTarget.credential", "createAccount.credential", // where the password is, never the password
	}
	secret := regexp.MustCompile(`(^|_)(token|secret|password|credential|codes|key|uri|url)$`)
	doc, err := openapi3.NewLoader().LoadFromData(document)
	require.NoError(t, err)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if method != http.MethodPost && method != http.MethodPatch {
				continue
			}
			for status, res := range op.Responses.Map() {
				for kind, media := range res.Value.Content {
					if status == "default" || media.Schema == nil {
						continue
					}
					for _, name := range members(media.Schema, nil) {
						if declared, _ := op.Extensions[secretAnswer].(bool); secret.MatchString(name) && !slices.Contains(harmless, op.OperationID+"."+name) {
							require.True(t, declared, "%s %s answers %s with %q: x-secret-answer: true?", method, path, kind, name)
						}
					}
				}
			}
		}
	}
}

// members are the names of a schema's members at every depth.
func members(ref *openapi3.SchemaRef, above []*openapi3.Schema) (names []string) {
	if ref == nil || slices.Contains(above, ref.Value) {
		return nil
	}
	above = append(above, ref.Value)
	for name, property := range ref.Value.Properties {
		names = append(append(names, name), members(property, above)...)
	}
	names = append(names, members(ref.Value.Items, above)...)
	for _, refs := range []openapi3.SchemaRefs{ref.Value.AllOf, ref.Value.AnyOf, ref.Value.OneOf} {
		for _, r := range refs {
			names = append(names, members(r, above)...)
		}
	}
	return names
}

// otherSubject changes who asks.
type otherSubject struct {
	Identity
	change func(*policy.Subject)
}

func (o *otherSubject) Authenticate(ctx context.Context, token string) (identity.Caller, error) {
	caller, err := o.Identity.Authenticate(ctx, token)
	o.change(&caller.Subject)
	return caller, err
}

// remembered loses answers, and lives ahead of time.
type remembered struct {
	Idempotency
	lost  bool
	ahead time.Duration
}

func (r *remembered) Begin(ctx context.Context, k store.IdempotencyKey, now time.Time) (store.IdempotencyKey, bool, error) {
	k.ExpiresAt = k.ExpiresAt.Add(r.ahead)
	return r.Idempotency.Begin(ctx, k, now.Add(r.ahead))
}

func (r *remembered) Finish(ctx context.Context, k store.IdempotencyKey) error {
	if r.lost {
		return nil
	}
	return r.Idempotency.Finish(ctx, k)
}
