package gfx

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// protocolError returns an error about something the protocol forbids or a cap refuses.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("rdpclient: graphics: "+format+": %w", append(args, desktop.ErrProtocol)...)
}

// failed words what went wrong with bytes of the target while doing something.
func failed(doing string, err error) error {
	return fmt.Errorf("rdpclient: graphics: %s: %w: %w", doing, desktop.ErrProtocol, err)
}
