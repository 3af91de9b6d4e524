package native

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound who is let in.
type Limits struct {
	Connections int // at a time
	PerSource   int // from one address
	HalfOpen    int // that have not said who they are
	PerMinute   int // new ones from one address; 0: no limit
}

// Why a connection is not taken.
const (
	tooMany       = "too_many"
	tooManySource = "too_many_from_address"
	tooOften      = "too_often"
)

// maxSources bounds the addresses whose pace is remembered.
const maxSources = 20_000

// crowd counts who is there. Of those who have not said who they are only so many are kept: when another comes, the oldest of the
// address that has most of them goes, so that somebody who opens connections and says nothing takes no place from others.
type crowd struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	all     int
	sources map[netip.Addr]*presence // those with connections, and with a pace not forgotten; at most about maxSources
	half    int
	oldest  *place // list of half-open places by age
	newest  *place
}

type presence struct {
	all, half int
	pace      *rate.Limiter
}

// place is a connection's.
type place struct {
	c          *crowd
	source     netip.Addr
	conn       net.Conn
	isHalf     bool
	thrown     bool
	prev, next *place
}

func newCrowd(l Limits) *crowd {
	return &crowd{limits: l, now: time.Now, sources: map[netip.Addr]*presence{}}
}

// sourceKey counts an IPv6 network of 64 bits, which one person commonly owns, as one.
func sourceKey(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

// enter takes a place for a connection, or tells why there is none.
func (c *crowd) enter(source netip.Addr, conn net.Conn) (*place, string) {
	source = sourceKey(source)
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.sources[source]
	if p == nil {
		c.makeRoom()
		p = &presence{}
		if c.limits.PerMinute > 0 {
			p.pace = rate.NewLimiter(rate.Limit(float64(c.limits.PerMinute)/60), c.limits.PerMinute)
		}
		c.sources[source] = p
	}
	switch {
	case p.pace != nil && !p.pace.AllowN(c.now(), 1):
		return nil, tooOften
	case c.all >= c.limits.Connections:
		return nil, tooMany
	case p.all-p.half >= c.limits.PerSource:
		return nil, tooManySource
	}
	if c.half >= c.limits.HalfOpen || p.all >= c.limits.PerSource {
		c.throwOne()
	}
	l := &place{c: c, source: source, conn: conn, isHalf: true, prev: c.newest}
	if c.newest != nil {
		c.newest.next = l
	} else {
		c.oldest = l
	}
	c.newest = l
	c.all, c.half, p.all, p.half = c.all+1, c.half+1, p.all+1, p.half+1
	return l, ""
}

// makeRoom forgets who is not there.
func (c *crowd) makeRoom() {
	if len(c.sources) < maxSources {
		return
	}
	for a, p := range c.sources {
		if p.all == 0 {
			delete(c.sources, a)
		}
	}
}

// throwOne closes the oldest half-open connection of the address that has most.
func (c *crowd) throwOne() {
	most := 0
	for l := c.oldest; l != nil; l = l.next {
		most = max(most, c.sources[l.source].half)
	}
	for l := c.oldest; l != nil; l = l.next {
		if c.sources[l.source].half == most {
			l.thrown = true
			l.settle()
			_ = l.conn.Close()
			return
		}
	}
}

// settle takes l off the list of those who have not said who they are. c.mu is held.
func (l *place) settle() {
	if !l.isHalf {
		return
	}
	l.isHalf = false
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		l.c.oldest = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		l.c.newest = l.prev
	}
	l.c.half--
	l.c.sources[l.source].half--
}

// known tells that the client has said who it is.
func (l *place) known() {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.settle()
}

// evicted tells whether the connection was closed to make room.
func (l *place) evicted() bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.thrown
}

// leave gives the place back.
func (l *place) leave() {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.settle()
	l.c.all--
	p := l.c.sources[l.source]
	if p.all--; p.all == 0 && (p.pace == nil || p.pace.TokensAt(l.c.now()) >= float64(l.c.limits.PerMinute)) {
		delete(l.c.sources, l.source)
	}
}
