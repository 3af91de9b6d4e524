package credential

import "time"

const (
	maxOutputBytes = 64 << 10 // of a command

	killDelay = time.Second // between a command's time being up and its pipes being closed
)
