package api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Idempotency keys, after draft-ietf-httpapi-idempotency-key-header. A POST or PATCH that carries the header
// Idempotency-Key is done once: sent again within answersKept it gets the same answer, with Idempotency-Replayed: true.
// Only success is kept. What was refused or failed may be tried again with the same key.
const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	// A key is the secret under which the request's hash is kept, since a request may hold a password: guessable ones do not do.
	minIdempotencyKey = 16
	maxIdempotencyKey = 255
	answersKept       = 24 * time.Hour
	// After this a key is free whose request was never answered, as when the gateway was killed: longer than any request takes.
	longestRequest   = 15 * time.Minute
	maxKeptAnswer    = 256 << 10 // bytes; larger ones are not kept
	purgeAnswers     = 10 * time.Minute
	keepAnswerWithin = 5 * time.Second // to the store, also when the caller has left
)

// secretAnswer is what the document calls operations whose answers hold a secret, which is told once and kept nowhere.
const secretAnswer = "x-secret-answer"

// Idempotency remembers which requests were done and how they were answered.
type Idempotency interface {
	Begin(ctx context.Context, k store.IdempotencyKey, now time.Time) (held store.IdempotencyKey, begun bool, err error)
	Finish(ctx context.Context, k store.IdempotencyKey) error
	Release(ctx context.Context, k store.IdempotencyKey) error
	DeleteExpired(ctx context.Context, now time.Time) (int64, error)
}

// once is the middleware that does a request once.
type once struct {
	keys Idempotency

	mu     sync.Mutex
	purged time.Time
}

// once lets a request pass that was not done yet, and answers one that was.
func (s *Server) once(c *gin.Context) {
	key := c.GetHeader(idempotencyHeader)
	_, _, op := s.checks.operation(c)
	value, signedIn := c.Get(callerKey)
	if key == "" || op == nil || !signedIn || (c.Request.Method != http.MethodPost && c.Request.Method != http.MethodPatch) {
		c.Next()
		return
	}
	if len(key) < minIdempotencyKey || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
		fail(c, &Error{
			Status: http.StatusBadRequest, Code: "idempotency_key_invalid",
			Detail: fmt.Sprintf("An Idempotency-Key has %d to %d visible ASCII characters, such as a UUID.", minIdempotencyKey, maxIdempotencyKey),
		})
		return
	}
	subject := value.(identity.Caller).Subject
	hash, err := requestHash(c, key, subject)
	if err != nil {
		fail(c, err)
		return
	}
	now := time.Now()
	sum := sha256.Sum256([]byte(key))
	k := store.IdempotencyKey{
		SubjectID: subject.ID, Operation: op.OperationID, KeyHash: hex.EncodeToString(sum[:]), RequestHash: hash, ExpiresAt: now.Add(longestRequest),
	}
	ctx := c.Request.Context()
	if err := s.repeats.purge(ctx, now); err != nil {
		fail(c, err)
		return
	}
	held, begun, err := s.repeats.keys.Begin(ctx, k, now)
	switch {
	case err != nil:
		fail(c, err)
	case begun:
		secret, _ := op.Extensions[secretAnswer].(bool)
		s.doOnce(c, k, secret)
	default:
		replay(c, &held, hash)
	}
}

// doOnce lets the request pass and keeps its answer when it is a success. The key is free again otherwise.
func (s *Server) doOnce(c *gin.Context, k store.IdempotencyKey, secret bool) {
	copied := &copyingWriter{ResponseWriter: c.Writer, secret: secret}
	c.Writer = copied
	finished := false
	defer func() { // also after a panic
		c.Writer = copied.ResponseWriter
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), keepAnswerWithin)
		defer cancel()
		var err error
		if status := copied.Status(); copied.Written() && status >= 200 && status < 300 {
			copied.over = copied.over || !finished // done, but the answer broke off
			k.ExpiresAt, k.Answer = time.Now().Add(answersKept), copied.answer()
			err = s.repeats.keys.Finish(ctx, k)
		} else {
			err = s.repeats.keys.Release(ctx, k)
		}
		if err != nil {
			s.log.ErrorContext(ctx, "answer not kept for its idempotency key", "operation", k.Operation, "error", err)
		}
	}()
	c.Next()
	c.Writer.WriteHeaderNow() // an answer without a body is written by whoever is outside
	finished = true
}

// replay answers with what the first request was answered.
func replay(c *gin.Context, held *store.IdempotencyKey, hash string) {
	switch a := held.Answer; {
	case !hmac.Equal([]byte(held.RequestHash), []byte(hash)):
		fail(c, &Error{Status: http.StatusUnprocessableEntity, Code: "idempotency_key_reused", Detail: "This Idempotency-Key was used for another request."})
	case a == nil:
		c.Header("Retry-After", "1")
		fail(c, &Error{Status: http.StatusConflict, Code: "idempotency_in_progress", Detail: "The first request with this Idempotency-Key is still under way."})
	case !a.Kept:
		fail(c, &Error{
			Status: http.StatusConflict, Code: "idempotency_answer_not_kept",
			Detail: "This was done already. Its answer held a secret, or was very large, and is not kept.",
		})
	default:
		c.Header(replayedHeader, "true")
		if a.Location != "" {
			c.Header("Location", a.Location)
		}
		c.Abort()
		if len(a.Body) == 0 {
			c.Status(a.Status)
			c.Writer.WriteHeaderNow()
			return
		}
		c.Data(a.Status, a.ContentType, a.Body)
	}
}

// requestHash is an HMAC of everything the answer depends on, under the key. It leaves the body to be read again.
func requestHash(c *gin.Context, key string, subject policy.Subject) (string, error) {
	body, err := io.ReadAll(c.Request.Body) // capped by limitRequest
	if err != nil {
		return "", err
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	mac := hmac.New(sha256.New, []byte(key))
	scopes := fmt.Sprint(slices.Sorted(slices.Values(subject.Scopes))) // a narrower token does not get a wider one's answers
	for _, part := range []string{c.Request.Method, c.Request.URL.RequestURI(), c.ContentType(), scopes, string(body)} {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// purge removes what has expired, now and then.
func (o *once) purge(ctx context.Context, now time.Time) error {
	o.mu.Lock()
	due := now.Sub(o.purged) >= purgeAnswers
	if due {
		o.purged = now
	}
	o.mu.Unlock()
	if !due {
		return nil
	}
	_, err := o.keys.DeleteExpired(ctx, now)
	return err
}

// copyingWriter keeps what is written, unless it is secret or too much.
type copyingWriter struct {
	gin.ResponseWriter
	secret bool
	body   bytes.Buffer
	over   bool // not all of it was kept
}

// Unwrap is for http.ResponseController.
func (w *copyingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *copyingWriter) Write(p []byte) (int, error) {
	w.copy(p)
	return w.ResponseWriter.Write(p)
}

// WriteString implements gin.ResponseWriter.
func (w *copyingWriter) WriteString(s string) (int, error) {
	w.copy([]byte(s))
	return w.ResponseWriter.WriteString(s)
}

func (w *copyingWriter) copy(p []byte) {
	if w.secret || w.over {
		return
	}
	if w.over = w.body.Len()+len(p) > maxKeptAnswer; w.over {
		w.body = bytes.Buffer{}
		return
	}
	w.body.Write(p)
}

func (w *copyingWriter) answer() *store.KeptAnswer {
	if w.secret || w.over {
		return &store.KeptAnswer{Status: w.Status()}
	}
	h := w.Header()
	return &store.KeptAnswer{Status: w.Status(), Kept: true, ContentType: h.Get("Content-Type"), Location: h.Get("Location"), Body: w.body.Bytes()}
}
