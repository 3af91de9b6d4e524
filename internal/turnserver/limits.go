package turnserver

import "time"

// times are how long the server waits.
type times struct {
	allocation, greet, idle time.Duration
}

var defaultTimes = times{allocationLifetime, greetTime, idleTime}

const (
	// allocationLifetime is how long an allocation lives without a refresh where a client asks for no other time. Browsers refresh a
	// minute before.
	allocationLifetime = 10 * time.Minute
	// greetTime is how long a TCP or TLS connection may take to make its allocation, TLS handshake included.
	greetTime = 15 * time.Second
	// idleTime is how long a connection with an allocation may say nothing. Its refreshes come earlier; pion lets clients ask for
	// allocations of up to an hour, which are cut short so.
	idleTime = allocationLifetime + time.Minute
	// connectionsPerAllocation bounds the TCP and TLS connections: so many times the allocations there may be.
	connectionsPerAllocation = 2
	// acceptPause is the wait after a failure to accept a connection, such as too many open files.
	acceptPause = 50 * time.Millisecond
	// maxUsername is how long a username may be, in bytes (RFC 8489, section 14.3).
	maxUsername = 508
	// udpBuffer is asked for on UDP sockets, in bytes: a burst of video waits there. The kernel may grant less.
	udpBuffer = 1 << 20
	// sendBuffer bounds what waits for a slow TCP connection, in bytes: more would be old when it arrives.
	sendBuffer = 256 << 10
	// refusalsLogged is how often refusals are written to the log; anybody can cause them. All are counted.
	refusalsLogged = 5 * time.Second
)
