package stream

import (
	"math"
	"time"
)

// bucketDepth is how much may be sent ahead of the rate: what a viewer's jitter buffer and a pacer bear.
const bucketDepth = 300 * time.Millisecond

// bucket is a leaky bucket: pictures pour their bits in, the rate drains it. How full it is says how coarsely to code, and
// how long to wait. Times are on the schedule's clock.
type bucket struct {
	rate  float64 // bits per second
	level float64 // bits, at the time of last
	last  time.Time
}

func (b *bucket) capacity() float64 { return b.rate * bucketDepth.Seconds() }

// drain brings level up to now.
func (b *bucket) drain(now time.Time) {
	if !b.last.IsZero() {
		b.level = max(0, b.level-b.rate*now.Sub(b.last).Seconds())
	}
	b.last = now
}

func (b *bucket) setRate(now time.Time, bitsPerSecond int) {
	b.drain(now)
	b.rate = float64(bitsPerSecond)
}

func (b *bucket) pour(now time.Time, bytes int) {
	b.drain(now)
	b.level += float64(8 * bytes)
}

// pressure is how full the bucket is at now, from 0 to 1.
func (b *bucket) pressure(now time.Time) float64 {
	level := b.level - b.rate*max(0, now.Sub(b.last)).Seconds()
	return min(max(level/b.capacity(), 0), 1)
}

// belowAt returns when the bucket will be at most share full.
func (b *bucket) belowAt(share float64) time.Time {
	excess := b.level - share*b.capacity()
	if excess <= 0 {
		return b.last
	}
	return b.last.Add(time.Duration(excess / b.rate * float64(time.Second)))
}

// quality holds the quantisers. Six more are twice as coarse; at 14 text cannot be told from the original.
type quality struct {
	sharp    int // still picture, small changes
	motion   int // large changes
	intra    int // IDR pictures
	coarsest int // the floor of legible text
}

const (
	// freePressure is how full the bucket may be before it coarsens anything.
	freePressure = 0.3
	// flowGap is how close large changes follow each other in what flows: a video, a window that is dragged, not text that is scrolled by
	// hand. Once it has for flowAfter, its pictures are taken by flowQP coarser: each is seen for a moment only.
	flowGap, flowAfter = 80 * time.Millisecond, time.Second
	flowQP             = 2
	// refineStep is the most a refinement takes the quantiser down at once: on a screen full of text such a step
	// costs about a quarter of an IDR picture.
	refineStep = 8
	// intraBits is what a macroblock of a screen full of text takes in an IDR picture at quality.intra, and
	// intraHalving how many more quantisers halve that.
	intraBits    = 45 * 8
	intraHalving = 18
)

// coarsen moves qp towards the coarsest by pressure.
func (q quality) coarsen(qp int, pressure float64) int {
	p := max(0, (pressure-freePressure)/(1-freePressure))
	return qp + int(math.Round(p*float64(max(0, q.coarsest-qp))))
}

// forIDR returns the quantiser of an IDR picture of that many macroblocks, so that it should not take more than twice what
// the bucket holds.
func (q quality) forIDR(blocks int, b *bucket, now time.Time) int {
	qp := q.intra
	if over := float64(blocks*intraBits) / (2 * b.capacity()); over > 1 {
		qp += int(math.Round(intraHalving * math.Log2(over)))
	}
	return min(q.coarsen(qp, b.pressure(now)), max(q.coarsest, q.intra))
}

// forMotion returns the quantiser of a large change, which may be one of what flows.
func (q quality) forMotion(flows bool, b *bucket, now time.Time) int {
	qp := q.motion
	if flows {
		qp = min(qp+flowQP, q.coarsest)
	}
	return q.coarsen(qp, b.pressure(now))
}

// refined returns the next finer quantiser on the way from last to sharp.
func (q quality) refined(last int) int { return max(q.sharp, last-refineStep) }
