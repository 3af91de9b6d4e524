package vncclient

import (
	"errors"
	"fmt"
	"os"

	"github.com/vitrine-psm/vitrine/codec/rfbenc"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// protocolError returns an error about something the protocol forbids or a cap refuses.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("vncclient: "+format+": %w", append(args, desktop.ErrProtocol)...)
}

// sentinels are those of package desktop that say how a session ended.
var sentinels = []error{
	desktop.ErrAuth, desktop.ErrCertificate, desktop.ErrSecurity, desktop.ErrProtocol, desktop.ErrWrongProtocol,
	desktop.ErrTargetGone, desktop.ErrTimeout,
}

// streamError words what went wrong while doing, and adds the sentinel that fits: malformed data, silence, or
// a connection that broke. An error that has a sentinel already is kept.
func streamError(doing string, err error) error {
	kind := desktop.ErrTargetGone
	for _, known := range sentinels {
		if errors.Is(err, known) {
			return err
		}
	}
	switch {
	case errors.Is(err, rfbenc.ErrData):
		kind = desktop.ErrProtocol
	case errors.Is(err, os.ErrDeadlineExceeded):
		kind = desktop.ErrTimeout
	}
	return fmt.Errorf("vncclient: %s: %w: %w", doing, kind, err)
}
