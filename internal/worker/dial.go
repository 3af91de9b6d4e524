package worker

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/vitrine-psm/vitrine/internal/session"
)

// dialTarget connects to a target. An error is an *EndError.
func dialTarget(ctx context.Context, address string) (*net.TCPConn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive / 3, Count: 4}}
	d.SetMultipathTCP(false)
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialFailure(ctx, err)
	}
	return conn.(*net.TCPConn), nil
}

// dialFailure words why a target cannot be reached.
func dialFailure(ctx context.Context, err error) *EndError {
	dns, noName := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(context.Cause(ctx), errConnectTimeout):
		return endError(session.EndTargetTimeout, "nothing answers at its address", err)
	case ctx.Err() != nil:
		return &EndError{cancelEnd(ctx), err}
	case noName && dns.IsNotFound:
		return endError(session.EndTargetUnreachable, "its name is not known", err)
	case noName:
		return endError(session.EndTargetUnreachable, "its name cannot be looked up", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return endError(session.EndTargetUnreachable, "the connection was refused", err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return endError(session.EndTargetUnreachable, "there is no way to its network", err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return endError(session.EndTargetTimeout, "nothing answers at its address", err)
	}
	return endError(session.EndTargetUnreachable, "", err)
}
