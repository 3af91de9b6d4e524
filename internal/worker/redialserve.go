package worker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// redials is serve's side of the dial socket of one worker. The worker is not trusted: what it may reach is decided here,
// by the configuration alone.
type redials struct {
	conn   *net.UnixConn
	target target.Target
	log    *slog.Logger
	dial   func(ctx context.Context, address string) (*net.TCPConn, error)
	pace   *rate.Limiter // delays
	supply *rate.Limiter // refuses
}

func newRedials(conn *net.UnixConn, t target.Target, log *slog.Logger) *redials {
	return &redials{
		conn: conn, target: t, log: log, dial: dialTarget,
		pace: rate.NewLimiter(rate.Every(redialInterval), 1), supply: rate.NewLimiter(rate.Every(redialRefill), redialBurst),
	}
}

// run answers requests, one at a time, until the worker is gone or ctx ends. It closes the socket.
func (r *redials) run(ctx context.Context) {
	defer r.conn.Close()
	defer context.AfterFunc(ctx, func() { r.conn.Close() })()
	var b [maxRequestDatagram]byte
	for {
		n, err := r.conn.Read(b[:])
		if err != nil {
			return
		}
		var request dialRequest
		answer, conn := dialAnswer{code: codeMalformed}, (*net.TCPConn)(nil)
		if err := request.decode(b[:n]); err != nil {
			r.log.Warn("dial request refused", "error", err)
		} else {
			answer.number = request.number
			answer.code, conn = r.connect(ctx, request)
		}
		err = r.answer(answer, conn)
		if conn != nil {
			conn.Close() // the worker has a copy
		}
		if err != nil {
			return
		}
	}
}

// connect decides on a request and dials.
func (r *redials) connect(ctx context.Context, request dialRequest) (dialCode, *net.TCPConn) {
	address := r.target.Address
	if request.purpose == purposeRedirect {
		address = request.address
	}
	log := r.log.With("purpose", request.purpose.String(), "address", address, "target_id", r.target.ID)
	switch {
	case request.purpose == purposeReconnect && request.address != "":
		log.Warn("dial request refused", "reason", "an address with a reconnection")
		return codeMalformed, nil
	case request.purpose == purposeRedirect && !mayRedirect(r.target, address):
		log.Warn("dial request refused", "reason", "not allowed by redirect_to")
		return codeNotAllowed, nil
	case !r.supply.Allow():
		log.Warn("dial request refused", "reason", "too many")
		return codeTooOften, nil
	}
	if err := r.pace.Wait(ctx); err != nil {
		return codeUnreachable, nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, redialTimeout, errConnectTimeout)
	defer cancel()
	conn, err := r.dial(limited, address)
	if err != nil {
		log.Warn("target not reached again", "error", err)
		if end, ok := errors.AsType[*EndError](err); ok && end.Code == session.EndTargetTimeout {
			return codeTimeout, nil
		}
		return codeUnreachable, nil
	}
	log.Info("target dialled again")
	return codeConnected, conn
}

// answer sends an answer, and conn with it unless nil.
func (r *redials) answer(a dialAnswer, conn *net.TCPConn) error {
	if err := r.conn.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if conn == nil {
		_, err := r.conn.Write(a.append(nil))
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) {
		_, _, sent = r.conn.WriteMsgUnix(a.append(nil), unix.UnixRights(int(fd)), nil)
	}); err != nil {
		return err
	}
	return sent
}

// rdpPort is where RDP listens unless configured otherwise; redirections do not say another.
const rdpPort = "3389"

// mayRedirect tells whether the target may send a session to address. Names are held against names, and IP addresses
// against addresses and networks: a name is not looked up to find out where it leads. The port is RDP's or the target's.
func mayRedirect(t target.Target, address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || t.RDP == nil {
		return false
	}
	if _, own, err := net.SplitHostPort(t.Address); port != rdpPort && (err != nil || port != own) {
		return false
	}
	ip, notIP := netip.ParseAddr(host)
	for _, pattern := range t.RDP.RedirectTo {
		if one, err := netip.ParseAddr(pattern); err == nil {
			if notIP == nil && one.Unmap() == ip.Unmap() {
				return true
			}
			continue
		}
		if network, err := netip.ParsePrefix(pattern); err == nil {
			if notIP == nil && ip.Zone() == "" && network.Contains(ip.Unmap()) {
				return true
			}
			continue
		}
		if notIP != nil && matchName(pattern, host) {
			return true
		}
	}
	return false
}

// matchName holds a host name against a name or "*.domain", which stands for any name below the domain.
func matchName(pattern, host string) bool {
	pattern, host = strings.ToLower(strings.TrimSuffix(pattern, ".")), strings.ToLower(strings.TrimSuffix(host, "."))
	if domain, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, domain) && len(host) > len(domain)
	}
	return pattern == host
}
