package demotarget

import (
	"errors"
	"fmt"
)

// ErrProtocol is wrapped by the errors about messages that RFB does not know or that exceed our caps.
var ErrProtocol = errors.New("demotarget: protocol violation")

// errHungUp ends a connection whose viewer has left in good order.
var errHungUp = errors.New("demotarget: viewer hung up")

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
