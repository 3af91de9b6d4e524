package trust

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// pinError says that the certificate is not the one pinned.
type pinError struct{ shown, pinned Fingerprint }

func (e *pinError) Error() string {
	return fmt.Sprintf("it showed %s, the expected one is %s", e.shown.Colons(), e.pinned.Colons())
}

// Error tells apart why a TLS handshake failed: a certificate that was not accepted (desktop.ErrCertificate), a
// connection that broke or fell silent (desktop.ErrTargetGone, desktop.ErrTimeout), or TLS that the two sides could not
// agree on (desktop.ErrSecurity). An error that has one of these already is kept.
func Error(err error) error {
	for _, known := range []error{desktop.ErrCertificate, desktop.ErrSecurity, desktop.ErrProtocol, desktop.ErrTimeout, desktop.ErrTargetGone} {
		if errors.Is(err, known) {
			return err
		}
	}
	if pin, ok := errors.AsType[*pinError](err); ok {
		return fmt.Errorf("trust: %w: %w", desktop.ErrCertificate, pin)
	}
	if verification, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		err = verification.Err // the wrapper repeats the words
		if shown := verification.UnverifiedCertificates; len(shown) > 0 {
			return fmt.Errorf("trust: %w: %w; it showed %s", desktop.ErrCertificate, err, Of(shown[0]).Colons())
		}
		return fmt.Errorf("trust: %w: %w", desktop.ErrCertificate, err)
	}
	return fmt.Errorf("trust: TLS handshake: %w: %w", kindOf(err), err)
}

// kindOf returns the sentinel of a handshake that failed for another reason than the certificate.
func kindOf(err error) error {
	if broken, ok := errors.AsType[net.Error](err); ok && broken.Timeout() {
		return desktop.ErrTimeout
	}
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, gone) {
			return desktop.ErrTargetGone
		}
	}
	return desktop.ErrSecurity
}
