package api

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// Limits are how often a minute; 0 is no limit. A pause is made up for by a burst afterwards.
type Limits struct {
	Requests       int // of one person
	Connects       int // new sessions of one person
	SourceConnects int // new sessions from one address
}

// maxLimited bounds the people or sources that are counted at a time.
const maxLimited = 100_000

// requestBurst is the part of a minute's requests that may come at once: a page of the console asks for several things.
const requestBurst = 10 * time.Second

// LimitedError says that something was asked for too often.
type LimitedError struct {
	What       string        // for people: "requests"
	RetryAfter time.Duration // until the next is taken
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("api: too many %s; wait %v", e.What, e.RetryAfter)
}

// limits are all limits of a server. Those without a bound are nil.
type limits struct{ requests, connects, sourceConnects *limiter }

func newLimits(l Limits) limits {
	return limits{
		requests:       newLimiter("requests", l.Requests, requestBurst),
		connects:       newLimiter("new sessions", l.Connects, time.Minute),
		sourceConnects: newLimiter("new sessions from your address", l.SourceConnects, time.Minute),
	}
}

// connect counts a new session of a person from an address.
func (l limits) connect(subject policy.Subject, address string) error {
	now := time.Now()
	if err := l.connects.take(subject.ID, now); err != nil {
		return err
	}
	return l.sourceConnects.take(sourceKey(address), now)
}

// limitPerson refuses a person's requests when they come too fast. Those who are not signed in have the limits of signing in.
func (s *Server) limitPerson(c *gin.Context) {
	if caller, ok := c.Get(callerKey); ok {
		if err := s.limits.requests.take(caller.(identity.Caller).ID, time.Now()); err != nil {
			fail(c, err)
			return
		}
	}
	c.Next()
}

// limiter counts by key.
type limiter struct {
	what  string
	every rate.Limit // a second
	burst int

	mu      sync.Mutex
	entries map[string]*rate.Limiter // at most maxLimited
}

// newLimiter allows perMinute, and at once as many as come in burst. It returns nil, which allows everything, for 0.
func newLimiter(what string, perMinute int, burst time.Duration) *limiter {
	if perMinute <= 0 {
		return nil
	}
	return &limiter{
		what: what, every: rate.Limit(float64(perMinute) / 60), burst: max(1, int(float64(perMinute)*burst.Minutes())),
		entries: map[string]*rate.Limiter{},
	}
}

// take counts one of key at now, or returns a *LimitedError and counts nothing.
func (l *limiter) take(key string, now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[key]
	if e == nil {
		l.makeRoom(now)
		e = rate.NewLimiter(l.every, l.burst)
		l.entries[key] = e
	}
	r := e.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return &LimitedError{What: l.what, RetryAfter: wait}
	}
	return nil
}

// makeRoom keeps the table bounded: those go first who have been away for so long that they may do all again, then whatever
// the map yields, a quarter at once so that a flood does not walk the table each time.
func (l *limiter) makeRoom(now time.Time) {
	if len(l.entries) < maxLimited {
		return
	}
	for key, e := range l.entries {
		if e.TokensAt(now) >= float64(l.burst) {
			delete(l.entries, key)
		}
	}
	if len(l.entries) < maxLimited/4*3 {
		return
	}
	for key := range l.entries {
		if len(l.entries) < maxLimited/4*3 {
			return
		}
		delete(l.entries, key)
	}
}

// sourceKey counts an IPv6 network of 64 bits, which one person commonly owns, as one source.
func sourceKey(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// retryAfter tells a program how many seconds to wait, rounded up.
func retryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
}
