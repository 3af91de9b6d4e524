package stream

import "time"

// Caps and times of this package.
const (
	// MaxSinks bounds the sinks of one session.
	MaxSinks = 64
	// MaxQueue bounds the queue of one sink in access units: 20 s at 30 a second.
	MaxQueue = 600

	// minTarget is the lowest rate SetTarget takes, in bits per second. Pictures are then at their coarsest, and come the more slowly.
	minTarget = 100_000
	// maxStall bounds how long a picture waits for the rate: what people do is shown once a second, whatever it costs.
	maxStall = time.Second
)
