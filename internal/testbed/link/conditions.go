package link

import "time"

// Conditions say how one direction behaves. The zero value is a perfect line.
type Conditions struct {
	// Loss is the share of packets that are lost.
	Loss float64
	// Burst is how many packets are lost in a row on average, where Loss comes in bursts (Gilbert's model). Below 1/(1-Loss), which is
	// what it amounts to by chance, each packet is lost by itself.
	Burst float64
	// Delay is how long a packet is under way.
	Delay time.Duration
	// Jitter is added to Delay, between nothing and this, with equal likelihood.
	Jitter time.Duration
	// Reorder lets packets overtake each other by Jitter. Without, a late packet holds up those behind it.
	Reorder bool
	// Rate is what the line carries, in bits a second of IP packets. Zero: without limit.
	Rate int
	// Queue is how many bytes may wait for the line where it has a Rate; what comes on top is lost. Zero: what Rate carries in 200 ms,
	// but at least leastQueue.
	Queue int
	// MTU is the largest IP packet that comes through, in bytes; larger ones are lost without a word. Zero: DeviceMTU, beyond
	// which the devices of both ends send nothing.
	MTU int
	// BlockUDP loses all UDP.
	BlockUDP bool
	// Outage loses everything, also what is under way.
	Outage bool
}

const (
	// DeviceMTU is that of the TUN devices, in bytes.
	DeviceMTU = 1500
	// leastQueue holds a few packets, in bytes: below, nothing gets through at all.
	leastQueue = 8 * DeviceMTU
	// defaultQueue is how long a packet waits behind a full queue.
	defaultQueue = 200 * time.Millisecond
)

// queue is how many bytes may wait.
func (c *Conditions) queue() int {
	if c.Queue > 0 {
		return c.Queue
	}
	return max(int(float64(c.Rate)/8*defaultQueue.Seconds()), leastQueue)
}

// Counters tell what became of the packets of one direction, each of which is in one of them once it is not under way any more.
type Counters struct {
	Packets, Bytes int // came through
	Lost           int // by Loss
	Overflowed     int // found the queue full
	TooLarge       int // exceeded MTU
	Blocked        int // UDP, while that was blocked
	Outage         int // came during an outage, or were under way when it began
	Foreign        int // no IPv4: the link carries nothing else
}
