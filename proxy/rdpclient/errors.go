package rdpclient

import (
	"errors"
	"fmt"
	"os"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/outbox"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/license"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// protocolError returns an error about something the protocol forbids or a cap refuses.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("rdpclient: "+format+": %w", append(args, desktop.ErrProtocol)...)
}

// securityError returns an error about security the two sides do not agree on.
func securityError(format string, args ...any) error {
	return fmt.Errorf("rdpclient: "+format+": %w", append(args, desktop.ErrSecurity)...)
}

// sentinels are those of package desktop that say how a session ended.
var sentinels = []error{
	desktop.ErrAuth, desktop.ErrCertificate, desktop.ErrSecurity, desktop.ErrProtocol, desktop.ErrWrongProtocol,
	desktop.ErrTargetGone, desktop.ErrTimeout, desktop.ErrEnded, desktop.ErrNotConnected,
}

// streamError words what went wrong while doing, and adds the sentinel that fits: malformed data, silence, or a
// connection that broke. An error that has a sentinel already is kept.
func streamError(doing string, err error) error {
	for _, known := range sentinels {
		if errors.Is(err, known) {
			return err
		}
	}
	if alert, ok := errors.AsType[*license.AlertError](err); ok {
		return fmt.Errorf("rdpclient: %w: %w", desktop.ErrEnded, alert)
	}
	kind := desktop.ErrTargetGone
	switch {
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, svc.ErrTooLong), errors.Is(err, outbox.ErrFull), errors.Is(err, desktop.ErrSize):
		kind = desktop.ErrProtocol
	case errors.Is(err, os.ErrDeadlineExceeded):
		kind = desktop.ErrTimeout
	}
	return fmt.Errorf("rdpclient: %s: %w: %w", doing, kind, err)
}

// broken reports whether a connection that ended with err may be there again in a moment.
func broken(err error) bool {
	return errors.Is(err, desktop.ErrTargetGone) || errors.Is(err, desktop.ErrTimeout)
}

// ended is the error for a connection the target ended with a reason. Some reasons are answers to who signs in.
func ended(info rdp.ErrorInfo) error {
	kind := desktop.ErrEnded
	switch info {
	case rdp.ErrorInfoServerDenied, rdp.ErrorInfoInsufficientPrivilege, rdp.ErrorInfoFreshCredentials:
		kind = desktop.ErrAuth
	}
	return fmt.Errorf("rdpclient: %w: %s", kind, info)
}

// redirectError sends the gateway elsewhere. The packet may hold a password, so the text tells nothing of it.
type redirectError struct{ to rdp.Redirection }

func (*redirectError) Error() string { return "rdpclient: the target sends the connection elsewhere" }
