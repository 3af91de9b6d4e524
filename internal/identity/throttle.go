package identity

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// throttle slows down guessing. Failures are counted for a pair of name and source, for a source and for a name,
// each with a number of free ones; after these the next try has to wait, twice as long with each failure.
//
// A try counts as a failure when it begins, so that many at once gain nothing; success takes it back.
type throttle struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]*failures // by kind and key, at most maxThrottleEntries
}

type failures struct {
	count  int
	until  time.Time // no try before
	last   time.Time // the newest failure
	before time.Time // the one before it, which success goes back to
}

// rule is how one kind of key is treated.
type rule struct {
	key     string
	free    int
	maxWait time.Duration
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, entries: map[string]*failures{}}
}

// rules are those for a try at name from source. Where the name's owner is known from, its own count does not hold: it is
// strangers' doing.
func rules(name, source string, known bool) []rule {
	source = sourceKey(source)
	list := []rule{
		{"p\x00" + name + "\x00" + source, freePairFailures, maxPairWait},
		{"s\x00" + source, freeSourceFailures, maxSourceWait},
		{"n\x00" + name, freeNameFailures, maxNameWait},
	}
	if known {
		return list[:2]
	}
	return list
}

// backoff is how long to wait after that many failures, of which some are free.
func backoff(failures, free int, longest time.Duration) time.Duration {
	if failures < free {
		return 0
	}
	return min(firstWait<<min(failures-free, 20), longest)
}

// sourceKey counts an IPv6 network of 64 bits, which one person commonly owns, as one source.
func sourceKey(source string) string {
	addr, err := netip.ParseAddr(source)
	if err != nil {
		return source
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// begin counts a try, or returns how long to wait before the next. known tells that the name has signed in from source.
func (t *throttle) begin(name, source string, known bool) (wait time.Duration) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	list := rules(name, source, known)
	for _, r := range list {
		if f := t.entries[r.key]; f != nil && now.Sub(f.last) < forgetAfter {
			wait = max(wait, f.until.Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	t.makeRoom(now, len(list))
	for _, r := range list {
		f := t.entries[r.key]
		if f == nil || now.Sub(f.last) >= forgetAfter {
			f = &failures{}
			t.entries[r.key] = f
		}
		f.count++
		f.before, f.last = f.last, now
		if wait := backoff(f.count, r.free, r.maxWait); wait > 0 {
			f.until = now.Add(wait)
		}
	}
	return 0
}

// succeeded takes back what begin counted. The pair is forgiven wholly; the source and the name only this try, so
// that an attacker with one account gains no tries at others.
func (t *throttle) succeeded(name, source string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range rules(name, source, false) {
		f := t.entries[r.key]
		switch {
		case f == nil:
		case i == 0 || f.count <= 1:
			delete(t.entries, r.key)
		default:
			f.count--
			f.until, f.last = time.Time{}, f.before
		}
	}
}

// forget ends the waits of a name: its own and those of it with any source.
func (t *throttle) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, "n\x00"+name)
	pair := "p\x00" + name + "\x00"
	for key := range t.entries {
		if strings.HasPrefix(key, pair) {
			delete(t.entries, key)
		}
	}
}

// makeRoom keeps the table bounded: when it is full, what is forgotten goes, then whatever the map yields, a quarter
// at once so that a flood of names does not walk the table at every try.
func (t *throttle) makeRoom(now time.Time, n int) {
	if len(t.entries)+n <= maxThrottleEntries {
		return
	}
	for key, f := range t.entries {
		if now.Sub(f.last) >= forgetAfter {
			delete(t.entries, key)
		}
	}
	for key := range t.entries {
		if len(t.entries) <= maxThrottleEntries/4*3 {
			return
		}
		delete(t.entries, key)
	}
}
