package worker

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
)

// rdpRequest is what a worker must know of an RDP target besides what all have; nil for others.
func rdpRequest(cfg *ManagerConfig, req CreateRequest) *workerpb.RDP {
	r := req.Target.RDP
	if r == nil {
		return nil
	}
	shown := func(b *bool) bool { return b != nil && *b }
	p := r.Performance
	out := &workerpb.RDP{
		Security: string(r.Security), RestrictedAdmin: r.RestrictedAdmin, KeyboardLayout: uint32(r.KeyboardLayout),
		UnicodeKeys: r.Keyboard == config.RDPUnicode, ColorDepth: uint32(r.ColorDepth), LoadBalanceInfo: []byte(r.LoadBalanceInfo),
		Performance: &workerpb.RDPPerformance{
			Wallpaper: shown(p.Wallpaper), Themes: shown(p.Themes), FontSmoothing: shown(p.FontSmoothing),
			Composition: shown(p.Composition), Animations: shown(p.Animations), WindowDrag: shown(p.WindowDrag),
		},
		ReconnectSeconds: uint32(cfg.Reconnect / time.Second),
	}
	for _, g := range r.Graphics {
		out.Graphics = append(out.Graphics, string(g))
	}
	if t := req.ticket; t != nil {
		out.KerberosTicket = &workerpb.KerberosTicket{
			Realm: t.Realm, NameType: t.NameType, Client: t.Client, Ticket: t.Ticket, KeyType: t.KeyType, Key: []byte(t.Key),
		}
	}
	return out
}

// obtainTicket gets the Kerberos ticket for a target that is configured to have one, for workers reach no KDC; nil for
// others. An error is an *EndError.
func obtainTicket(ctx context.Context, t target.Target, c target.Credential) (*kerberos.Ticket, error) {
	if t.RDP == nil || t.RDP.Kerberos == nil {
		return nil, nil
	}
	k := t.RDP.Kerberos
	spn := k.SPN
	if spn == "" {
		host, _, err := net.SplitHostPort(t.Address)
		if err != nil {
			return nil, endError(session.EndInternal, "", err)
		}
		spn = "TERMSRV/" + host
	}
	ticket, err := kerberos.Obtain(ctx, kerberos.Config{
		Realm: k.Realm, KDCs: k.KDCs, Username: c.Username, Password: desktop.Secret(c.Password.Reveal()), SPN: spn,
	})
	if err != nil {
		return nil, ticketFailure(ctx, spn, err)
	}
	return &ticket, nil
}

// ticketFailure words why there is no ticket.
func ticketFailure(ctx context.Context, spn string, err error) *EndError {
	switch {
	case errors.Is(context.Cause(ctx), errConnectTimeout):
		return endError(session.EndTargetTimeout, "no Kerberos server answers", err)
	case ctx.Err() != nil:
		return &EndError{cancelEnd(ctx), err}
	case errors.Is(err, desktop.ErrAuth):
		return &EndError{session.TargetEnd(err), err}
	case errors.Is(err, kerberos.ErrUnreachable):
		return endError(session.EndTargetUnreachable, "no Kerberos server answers", err)
	case errors.Is(err, kerberos.ErrService):
		return endError(session.EndTargetAuthFailed, "Kerberos does not know it as "+spn, err)
	}
	return endError(session.EndTargetAuthFailed, "Kerberos gave no ticket for it", err)
}
