package credssp

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/spnego"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// errState is what a Step out of turn gives.
var errState = errors.New("credssp: step out of turn")

// sentinels are those of package desktop that an error of this package may wrap.
var sentinels = []error{
	desktop.ErrAuth, desktop.ErrCertificate, desktop.ErrSecurity, desktop.ErrProtocol, desktop.ErrTargetGone, desktop.ErrTimeout,
}

// kinds are the errors of the mechanisms, and the sentinel that tells a caller what to do about each.
var kinds = []struct{ err, kind error }{
	{wire.ErrMalformed, desktop.ErrProtocol},
	{ntlm.ErrWeak, desktop.ErrSecurity},
	{spnego.ErrNoMechanism, desktop.ErrSecurity},
	{spnego.ErrUnproved, desktop.ErrSecurity},
	{ntlm.ErrCredentials, desktop.ErrAuth},
	{ntlm.ErrBindings, desktop.ErrCertificate},
	{kerberos.ErrRefused, desktop.ErrAuth},
	{kerberos.ErrAltered, desktop.ErrAuth},
	{ntlm.ErrAltered, desktop.ErrAuth},
	{os.ErrDeadlineExceeded, desktop.ErrTimeout},
	{io.EOF, desktop.ErrTargetGone},
	{io.ErrUnexpectedEOF, desktop.ErrTargetGone},
}

// streamError words what went wrong while doing, and adds the sentinel that fits, unless err has one.
func streamError(doing string, err error) error {
	for _, known := range sentinels {
		if errors.Is(err, known) {
			return err
		}
	}
	kind := desktop.ErrTargetGone
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			kind = k.kind
			break
		}
	}
	return fmt.Errorf("credssp: %s: %w: %w", doing, kind, err)
}
