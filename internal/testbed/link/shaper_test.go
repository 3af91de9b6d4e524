package link

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ipv4 is a packet of that many bytes with a number in it.
func ipv4(protocol byte, size, number int) []byte {
	b := make([]byte, size)
	b[0], b[ipv4Protocol] = 4<<4|5, protocol
	if size >= ipv4Header+4 {
		binary.BigEndian.PutUint32(b[ipv4Header:], uint32(number))
	}
	return b
}

// arrived is a packet and when it came through.
type arrived struct {
	number, size int
	at           time.Duration
}

// drive pushes count packets of a size, each gap after the one before, and returns what comes through. before, where not nil, is
// called with the number of each packet before that is pushed.
func drive(s *shaper, size, count int, gap time.Duration, before func(n int, now time.Time)) []arrived {
	zero := time.Unix(1000, 0)
	var got []arrived
	until := func(end time.Time) {
		now := zero
		for {
			data, again := s.pop(now)
			if data != nil {
				got = append(got, arrived{int(binary.BigEndian.Uint32(data[ipv4Header:])), len(data), now.Sub(zero)})
				continue
			}
			if again.IsZero() || again.After(end) {
				return
			}
			now = again
		}
	}
	for n := range count {
		now := zero.Add(time.Duration(n) * gap)
		until(now)
		if before != nil {
			before(n, now)
		}
		s.push(now, ipv4(protocolUDP, size, n))
	}
	until(zero.Add(time.Hour))
	return got
}

func numbers(got []arrived) []int {
	var n []int
	for _, a := range got {
		n = append(n, a.number)
	}
	return n
}

func shaped(c Conditions) *shaper {
	s := newShaper(1)
	s.set(time.Unix(0, 0), c)
	return s
}

func TestPerfect(t *testing.T) {
	got := drive(shaped(Conditions{}), 100, 1000, time.Millisecond, nil)
	require.Len(t, got, 1000)
	for i, a := range got {
		require.Equal(t, arrived{i, 100, time.Duration(i) * time.Millisecond}, a)
	}
}

func TestDelay(t *testing.T) {
	for i, a := range drive(shaped(Conditions{Delay: 50 * time.Millisecond}), 100, 100, time.Millisecond, nil) {
		require.Equal(t, arrived{i, 100, time.Duration(50+i) * time.Millisecond}, a)
	}
}

func TestJitter(t *testing.T) {
	c := Conditions{Delay: 50 * time.Millisecond, Jitter: 20 * time.Millisecond}
	for _, reorder := range []bool{false, true} {
		c.Reorder = reorder
		got := drive(shaped(c), 100, 5000, time.Millisecond, nil)
		require.Len(t, got, 5000)
		require.Equal(t, !reorder, slices.IsSorted(numbers(got)), "in order with reorder %v", reorder)
		var sum time.Duration
		for _, a := range got {
			took := a.at - time.Duration(a.number)*time.Millisecond
			require.GreaterOrEqual(t, took, c.Delay)
			require.Less(t, took, c.Delay+c.Jitter)
			sum += took
		}
		if reorder {
			require.InDelta(t, 60, float64(sum/5000)/1e6, 1, "milliseconds on average")
		}
	}
}

func TestLoss(t *testing.T) {
	const count = 200_000
	for _, c := range []Conditions{{Loss: 0.05}, {Loss: 0.3}, {Loss: 0.05, Burst: 4}, {Loss: 0.2, Burst: 10}, {Loss: 1}} {
		s := shaped(c)
		got := drive(s, 100, count, time.Microsecond, nil)
		require.Equal(t, count, len(got)+s.counters.Lost)
		require.InDelta(t, c.Loss, float64(s.counters.Lost)/count, 0.01, "%+v", c)
		if c.Loss == 1 {
			continue
		}
		bursts := 0
		for i := 1; i < len(got); i++ {
			if got[i].number > got[i-1].number+1 {
				bursts++
			}
		}
		want := max(c.Burst, 1/(1-c.Loss))
		require.InDelta(t, want, float64(s.counters.Lost)/float64(bursts), 0.1*want, "packets a burst, %+v", c)
	}
}

func TestSameSeedSameLosses(t *testing.T) {
	c := Conditions{Loss: 0.3, Burst: 3, Jitter: time.Second, Reorder: true}
	first := drive(shaped(c), 100, 1000, time.Millisecond, nil)
	require.Equal(t, first, drive(shaped(c), 100, 1000, time.Millisecond, nil))
	other := newShaper(2)
	other.set(time.Time{}, c)
	require.NotEqual(t, first, drive(other, 100, 1000, time.Millisecond, nil))
}

func TestRate(t *testing.T) {
	const rate, queue, size = 1_000_000, 20_000, 1000
	s := shaped(Conditions{Rate: rate, Queue: queue, Delay: 30 * time.Millisecond})
	got := drive(s, size, 5000, 2*time.Millisecond, nil) // four times the rate for ten seconds
	took := got[len(got)-1].at - got[0].at
	require.InEpsilon(t, rate, float64(8*size*(len(got)-1))/took.Seconds(), 0.001, "bits a second")
	require.Equal(t, 5000-len(got), s.counters.Overflowed)
	require.True(t, slices.IsSorted(numbers(got)))
	for _, a := range got {
		sent := time.Duration(a.number) * 2 * time.Millisecond
		most := 30*time.Millisecond + time.Duration(8*(queue+2*size))*time.Second/rate // waits, is sent, behind one being sent
		require.LessOrEqual(t, a.at-sent, most)
	}
}

func TestRateOfOne(t *testing.T) {
	got := drive(shaped(Conditions{Rate: 80_000, Delay: 30 * time.Millisecond}), 100, 3, time.Second, nil)
	for i, a := range got {
		require.Equal(t, arrived{i, 100, time.Duration(i)*time.Second + 40*time.Millisecond}, a)
	}
}

// TestRateEnds changes the rate while packets wait: they go at the new one.
func TestRateEnds(t *testing.T) {
	s := shaped(Conditions{Rate: 80_000, Queue: 1 << 20})
	got := drive(s, 1000, 100, time.Millisecond, func(n int, now time.Time) {
		if n == 50 {
			s.set(now, Conditions{})
		}
	})
	require.Len(t, got, 100)
	require.Less(t, got[99].at, 101*time.Millisecond, "those that waited went at once, but for the one under way")
}

func TestMTU(t *testing.T) {
	s := shaped(Conditions{MTU: 1000})
	require.Empty(t, drive(s, 1001, 10, time.Millisecond, nil))
	require.Equal(t, Counters{TooLarge: 10}, s.counters)
	require.Len(t, drive(shaped(Conditions{MTU: 1000}), 1000, 10, time.Millisecond, nil), 10)
}

func TestBlockUDP(t *testing.T) {
	s := shaped(Conditions{BlockUDP: true})
	now := time.Unix(1000, 0)
	require.False(t, s.push(now, ipv4(protocolUDP, 100, 0)))
	require.True(t, s.push(now, ipv4(6, 100, 0)), "TCP")
	require.Equal(t, 1, s.counters.Blocked)
}

func TestOutage(t *testing.T) {
	s := shaped(Conditions{Delay: 10 * time.Millisecond})
	got := drive(s, 100, 100, time.Millisecond, func(n int, now time.Time) {
		switch n {
		case 50:
			s.set(now, Conditions{Outage: true})
		case 70:
			s.set(now, Conditions{})
		}
	})
	var want []int
	for n := range 100 {
		if n <= 40 || n >= 70 { // nine were under way
			want = append(want, n)
		}
	}
	require.Equal(t, want, numbers(got))
	require.Equal(t, 100-len(got), s.counters.Outage)
}

// TestGarbage: what is no IPv4 does not come through, however short.
func TestGarbage(t *testing.T) {
	s := shaped(Conditions{MTU: 100, BlockUDP: true, Rate: 1000})
	for _, data := range [][]byte{nil, {}, {0x45}, make([]byte, 40), {0x60, 1, 2}, ipv4(protocolUDP, ipv4Header-1, 0)} {
		require.False(t, s.push(time.Unix(1000, 0), data))
	}
	require.Equal(t, Counters{Foreign: 6}, s.counters)
}
