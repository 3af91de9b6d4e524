package link

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// shaper is one direction without its devices and its clock: packets are pushed, and popped when they have arrived. Of the times it
// is given none may lie before the one given before.
type shaper struct {
	conditions Conditions
	counters   Counters
	random     *rand.Rand

	losing  bool      // in a burst of losses
	waiting []packet  // for the line, oldest first
	queued  int       // bytes in waiting
	free    time.Time // when the line has sent what it began to send
	flight  flight    // under way
	last    time.Time // when the one that arrives last of those arrives
	pushed  uint64
}

// packet is one IP packet.
type packet struct {
	data []byte
	came time.Time // in the queue
	due  time.Time // at the other end
	nth  uint64    // of those pushed: the order of packets that are due at the same time
}

func newShaper(seed uint64) *shaper {
	return &shaper{random: rand.New(rand.NewPCG(seed, seed))}
}

// set makes the line behave otherwise from now on.
func (s *shaper) set(now time.Time, c Conditions) {
	s.send(now)
	s.conditions = c
	if c.Outage {
		s.counters.Outage += len(s.waiting) + len(s.flight)
		s.waiting, s.flight, s.queued = nil, nil, 0
	}
}

// push takes a packet, which it then owns, and reports whether it was not lost at once.
func (s *shaper) push(now time.Time, data []byte) bool {
	s.send(now)
	if lost := s.lose(data); lost != nil {
		*lost++
		return false
	}
	s.pushed++
	s.waiting = append(s.waiting, packet{data: data, came: now, nth: s.pushed})
	s.queued += len(data)
	s.send(now)
	return true
}

// lose decides what becomes of a packet: it returns the counter of how it is lost, nil when it is not.
func (s *shaper) lose(data []byte) *int {
	c, n := &s.conditions, &s.counters
	switch {
	case len(data) < ipv4Header || data[0]>>4 != 4:
		return &n.Foreign
	case c.Outage:
		return &n.Outage
	case c.MTU > 0 && len(data) > c.MTU:
		return &n.TooLarge
	case c.BlockUDP && data[ipv4Protocol] == protocolUDP:
		return &n.Blocked
	case s.draw():
		return &n.Lost
	case c.Rate > 0 && s.queued+len(data) > c.queue():
		return &n.Overflowed
	}
	return nil
}

// What is looked at in an IPv4 header ([RFC 791] 3.1), in bytes.
const (
	ipv4Header   = 20
	ipv4Protocol = 9
	protocolUDP  = 17
)

// draw decides whether the next packet is lost by chance.
func (s *shaper) draw() bool {
	c := &s.conditions
	if c.Loss <= 0 {
		s.losing = false
		return false
	}
	if c.Burst*(1-c.Loss) <= 1 {
		s.losing = s.random.Float64() < c.Loss
		return s.losing
	}
	// Two states: of all packets a share of Loss is to fall into the losing one, which lasts Burst packets on average.
	if s.losing {
		s.losing = s.random.Float64() >= 1/c.Burst
	} else {
		s.losing = s.random.Float64() < c.Loss/(c.Burst*(1-c.Loss))
	}
	return s.losing
}

// send lets the line send what it has begun to send by now.
func (s *shaper) send(now time.Time) {
	c := &s.conditions
	sent := 0
	for _, p := range s.waiting {
		begin := later(s.free, p.came)
		if c.Rate > 0 && begin.After(now) {
			break
		}
		s.free = begin
		if c.Rate > 0 {
			s.free = begin.Add(time.Duration(float64(8*len(p.data)) / float64(c.Rate) * float64(time.Second)))
		}
		p.due = s.free.Add(c.Delay)
		if c.Jitter > 0 {
			p.due = p.due.Add(time.Duration(s.random.Int64N(int64(c.Jitter))))
		}
		if !c.Reorder {
			p.due = later(p.due, s.last)
		}
		s.last = later(s.last, p.due)
		heap.Push(&s.flight, p)
		s.queued -= len(p.data)
		sent++
	}
	s.waiting = slices.Delete(s.waiting, 0, sent)
}

// pop returns a packet that has arrived by now. When there is none it returns nil, and when to come again; the zero time when
// nothing is under way.
func (s *shaper) pop(now time.Time) (data []byte, again time.Time) {
	s.send(now)
	switch {
	case len(s.flight) > 0 && !s.flight[0].due.After(now):
		p, _ := heap.Pop(&s.flight).(packet)
		s.counters.Packets++
		s.counters.Bytes += len(p.data)
		return p.data, time.Time{}
	case len(s.flight) > 0:
		again = s.flight[0].due
	}
	if len(s.waiting) > 0 && (again.IsZero() || s.free.Before(again)) {
		again = s.free
	}
	return nil, again
}

// flight is a heap of packets by when they are due.
type flight []packet

// Len implements heap.Interface.
func (f flight) Len() int { return len(f) }

// Less implements heap.Interface.
func (f flight) Less(i, j int) bool {
	if f[i].due.Equal(f[j].due) {
		return f[i].nth < f[j].nth
	}
	return f[i].due.Before(f[j].due)
}

// Swap implements heap.Interface.
func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push implements heap.Interface.
func (f *flight) Push(x any) { *f = append(*f, x.(packet)) }

// Pop implements heap.Interface.
func (f *flight) Pop() any {
	last := len(*f) - 1
	p := (*f)[last]
	(*f)[last] = packet{}
	*f = (*f)[:last]
	return p
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
