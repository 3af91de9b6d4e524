package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// Every operation that changes something is written to the audit log, and so is every reading that openapi.yaml marks
// with x-audit. The entry is durable before the caller gets the answer; an answer whose entry cannot be written is not
// given. Refusals are written too, but a refusal stays one when the log is not there.
//
// x-audit is a map: action names the act where the operation's own name does not, every: 1h writes what one person
// repeats on one object once an hour, skip: true leaves out what is part of another act. Handlers add what they know by
// audit.About, audit.Detail and the like, with the context that enter returns.

// writable is a Recorder that can tell beforehand that it will fail.
type writable interface {
	Writable(ctx context.Context) error
}

var _ writable = (*audit.Log)(nil)

// auditRule is how an operation is written down.
type auditRule struct {
	action string
	read   bool          // it changes nothing
	marked bool          // x-audit is there
	every  time.Duration // 0: each time
	skip   bool
}

// ruleOf reads the rule of the operation gin has matched.
func (s *Server) ruleOf(c *gin.Context) (rule auditRule, object string) {
	path, _, op := s.checks.operation(c)
	if op == nil {
		return auditRule{skip: true}, ""
	}
	rule = auditRule{action: snake(op.OperationID), read: c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead}
	marks, ok := op.Extensions["x-audit"].(map[string]any)
	if rule.marked = ok; ok {
		if action, ok := marks["action"].(string); ok {
			rule.action = action
		}
		if every, ok := marks["every"].(string); ok {
			rule.every, _ = time.ParseDuration(every) // TestAuditRules holds the document to it
		}
		rule.skip = marks["skip"] == true
	}
	return rule, kindOf(path)
}

// kindOf names the kind of object a path is about: /access-requests/{id} is an access_request.
func kindOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	first = strings.ReplaceAll(first, "-", "_")
	if stem, ok := strings.CutSuffix(first, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(first, "s")
}

// snake turns an operation's name into an action: terminateSession is terminate_session, listICEServers list_ice_servers.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// audited is the middleware between the request's checks and the handler.
func (s *Server) audited(next apigen.StrictHandlerFunc, _ string) apigen.StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) {
		rule, kind := s.ruleOf(c)
		if rule.skip {
			return next(c, request)
		}
		draft := s.draft(c, rule, kind)
		c.Request = c.Request.WithContext(audit.WithDraft(c.Request.Context(), draft))
		ctx := c.Request.Context()
		if w, ok := s.audit.(writable); ok && !rule.read {
			if err := w.Writable(ctx); err != nil {
				return nil, err
			}
		}
		response, err := next(c, request)
		if recordErr := s.conclude(ctx, draft, rule, err); recordErr != nil && err == nil {
			if closer, ok := response.(io.Closer); ok {
				recordErr = errors.Join(recordErr, closer.Close())
			}
			return nil, recordErr
		}
		return response, err
	}
}

// draft begins the entry with what the request itself tells.
func (s *Server) draft(c *gin.Context, rule auditRule, kind string) *audit.Draft {
	_, in := enter(c)
	e := audit.Entry{
		Actor: audit.Actor{Kind: audit.KindAnonymous}, Source: in.address, Action: rule.action, Details: map[string]string{},
	}
	if in.subject.ID != "" {
		e.Actor = actorOf(in.subject)
		if in.caller.TokenID != "" {
			e.Details["token_id"] = in.caller.TokenID
		}
	}
	for i, p := range c.Params {
		if i == 0 {
			e.Object = audit.Object{Kind: kind, ID: p.Value}
		} else {
			e.Details[p.Key] = p.Value
		}
		if p.Key == "session" {
			e.SessionID = p.Value
		}
	}
	return audit.NewDraft(e)
}

func actorOf(s policy.Subject) audit.Actor {
	return audit.Actor{ID: s.ID, Name: s.Name, Kind: audit.KindUser}
}

// conclude writes the entry of an operation that ended with err.
func (s *Server) conclude(ctx context.Context, draft *audit.Draft, rule auditRule, err error) error {
	e, wanted := draft.Entry()
	outcome, denied := audit.Success, (*policy.DeniedError)(nil)
	if err != nil {
		problem := errorOf(err)
		outcome = audit.Failed
		switch problem.Status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
			outcome = audit.Denied
		}
		e.Details["problem"] = problem.Code
		if errors.As(err, &denied) {
			outcome = audit.Denied
			e.Details["permission"], e.Details["reason"] = string(denied.Action), denied.Reason
			for _, p := range denied.Policies {
				if !slices.Contains(e.Policies, p) {
					e.Policies = append(e.Policies, p)
				}
			}
		}
	}
	if e.Outcome == "" {
		e.Outcome = outcome
	}
	every := rule.every
	switch {
	case !wanted, rule.read && !rule.marked && denied == nil:
		return nil // what reads no evidence is only of interest where it was refused
	case rule.read && err != nil && denied == nil:
		return nil // nothing was read
	case rule.read && denied != nil:
		every = time.Hour
	}
	if every > 0 && !s.recent.first(e, every) {
		return nil
	}
	if err := s.audit.Record(ctx, e); err != nil {
		s.recent.forget(e)
		s.log.ErrorContext(ctx, "act not written to the audit log", "action", e.Action, "outcome", string(e.Outcome), "error", err)
		return err
	}
	return nil
}

// maxRecent bounds what recent remembers. Beyond, something is written once more than needed.
const maxRecent = 10_000

// recent remembers what was written lately, for what is not worth writing each time.
type recent struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[recentKey]time.Time
}

type recentKey struct {
	actor, source, action, object string
	outcome                       audit.Outcome
}

func recentKeyOf(e audit.Entry) recentKey {
	return recentKey{e.Actor.Kind + e.Actor.ID + e.Details["token_id"], e.Source, e.Action, e.Object.Kind + "/" + e.Object.ID, e.Outcome}
}

// first tells whether e is the first of its kind within a while, and remembers it.
func (r *recent) first(e audit.Entry, every time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, key := r.now(), recentKeyOf(e)
	if at, ok := r.seen[key]; ok && now.Sub(at) < every {
		return false
	}
	if len(r.seen) >= maxRecent {
		for k, at := range r.seen {
			if now.Sub(at) >= every {
				delete(r.seen, k)
			}
		}
		if len(r.seen) >= maxRecent {
			clear(r.seen)
		}
	}
	r.seen[key] = now
	return true
}

// forget takes back what could not be written.
func (r *recent) forget(e audit.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, recentKeyOf(e))
}
