package serve

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/native"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/internal/ticket/rdpfile"
	"github.com/vitrine-psm/vitrine/internal/worker"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
)

// nativePort is where native clients look.
const nativePort = ":3389"

// nativeDoor is the door for native clients, with what it needs. Its zero value is none.
type nativeDoor struct {
	*native.Door
	tickets     *ticket.Service
	certificate *certificate // shown to clients
	signing     *certificate // signs .rdp files
	cfg         *config.Native
	plain, nla  net.Listener // nil: not
}

var _ api.Native = (*nativeDoor)(nil)

// listenNative gets the door ready to listen, at given instead of the configured address when set.
func (g *Gateway) listenNative(given net.Listener) error {
	cfg := &g.cfg.Native
	if !cfg.Enabled() && given == nil {
		return nil
	}
	d := &nativeDoor{cfg: cfg, plain: given}
	var err error
	if listen := cfg.Listen; listen != "" && given == nil {
		if listen == config.NativeAuto {
			listen = nativePort
		}
		d.plain, err = net.Listen("tcp", listen)
		if err != nil && cfg.Listen == config.NativeAuto && errors.Is(err, syscall.EADDRINUSE) {
			g.log.Warn("no native clients: another program has their port; set native.listen", "address", nativePort)
			d.plain, err = nil, nil
		}
	}
	if err == nil && cfg.NLAListen != "" {
		d.nla, err = net.Listen("tcp", cfg.NLAListen)
	}
	g.native = d // to be closed
	if err != nil {
		return fmt.Errorf("serve: native: %w", err)
	}
	if d.plain == nil && d.nla == nil {
		g.native = nil
		return nil
	}
	cert, key := cfg.CertFile, cfg.KeyFile
	log := g.log.With("component", "native")
	if cert == "" {
		if cert, key, err = nativeOwn.files(g.cfg.CertificateFolder(), cfg.Listen, time.Now(), log); err != nil {
			return err
		}
	}
	d.certificate = &certificate{cert: cert, key: key, log: log}
	if err := d.certificate.load(); err != nil {
		return fmt.Errorf("serve: native: certificate: %w", err)
	}
	d.signing = d.certificate
	if cfg.SignCertFile != "" {
		d.signing = &certificate{cert: cfg.SignCertFile, key: cfg.SignKeyFile, log: log}
		if err := d.signing.load(); err != nil {
			return fmt.Errorf("serve: native: certificate that signs: %w", err)
		}
	}
	return nil
}

// openNative makes what lets people in.
func (g *Gateway) openNative(running *sessions, targets *target.Repository) {
	d := g.native
	if d == nil {
		return
	}
	log := g.log.With("component", "native")
	d.tickets = ticket.New(g.db.NativeTickets, ticket.Options{Logger: log})
	d.Door = native.New(native.Options{
		Tickets: d.tickets, Identity: g.identity, Desks: &desks{g: g, sessions: running, targets: targets},
		Certificate: func() (*tls.Certificate, error) { return d.certificate.get(nil) },
		Limits: native.Limits{
			Connections: d.cfg.MaxConnections, PerSource: d.cfg.MaxPerSource, HalfOpen: d.cfg.MaxHalfOpen, PerMinute: d.cfg.ConnectsPerMin,
		},
		HandshakeTimeout: d.cfg.HandshakeTimeout, SignInTimeout: d.cfg.SignInTimeout, Name: consoleName(g.URL()),
		Audit: g.audit, Registry: g.registry, Logger: log,
	})
}

// consoleName is the console's address as people say it.
func consoleName(url string) string {
	_, host, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	return strings.TrimSuffix(host, "/")
}

// run lets clients in until ctx ends.
func (d *nativeDoor) run(ctx context.Context) error {
	done := make(chan error, 3)
	n := 1
	go func() { done <- d.tickets.Run(ctx) }()
	for l, security := range map[net.Listener]rdpserver.Security{d.plain: rdpserver.SecurityTLS, d.nla: rdpserver.SecurityNLA} {
		if l != nil {
			n++
			go func() { done <- d.Serve(ctx, l, security) }()
		}
	}
	var errs []error
	for range n {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

func (d *nativeDoor) close() error {
	var errs []error
	for _, l := range []net.Listener{d.plain, d.nla} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// NativeAddress is where native clients are let in, "" for nowhere.
func (g *Gateway) NativeAddress() string {
	if g.native == nil || g.native.plain == nil {
		return ""
	}
	return g.native.plain.Addr().String()
}

// Info implements api.Native.
func (d *nativeDoor) Info() api.NativeInfo {
	info := api.NativeInfo{Address: publicAddress(d.plain, d.cfg.PublicAddress), NLAAddress: publicAddress(d.nla, d.cfg.NLAPublicAddress)}
	if c, err := d.certificate.get(nil); err == nil {
		sum := sha256.Sum256(c.Certificate[0])
		info.CertificateSHA256 = hex.EncodeToString(sum[:])
	}
	return info
}

// publicAddress is what clients are told of a listener: host:port, the host empty where it is the console's.
func publicAddress(l net.Listener, public string) string {
	if l == nil {
		return ""
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	port := fmt.Sprint(at.Port())
	if public != "" {
		if _, _, err := net.SplitHostPort(public); err == nil {
			return public
		}
		return net.JoinHostPort(public, port)
	}
	if at.Addr().IsUnspecified() {
		return ":" + port
	}
	return net.JoinHostPort(at.Addr().Unmap().String(), port)
}

// Issue implements api.Native.
func (d *nativeDoor) Issue(ctx context.Context, form ticket.Form, b ticket.Bound) (ticket.Ticket, error) {
	return d.tickets.Issue(ctx, form, b)
}

// File implements api.Native.
func (d *nativeDoor) File(s rdpfile.Settings) ([]byte, error) {
	c, err := d.signing.get(nil)
	if err != nil {
		return nil, err
	}
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("serve: native: the key of %s does not sign", d.signing.cert)
	}
	by := rdpfile.Signer{Certificate: c.Leaf, Key: key}
	for _, der := range c.Certificate[1:] {
		link, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("serve: native: chain: %w", err)
		}
		by.Chain = append(by.Chain, link)
	}
	return rdpfile.Sign(s, by)
}

// desks are the desktops as the door for native clients sees them.
type desks struct {
	g        *Gateway
	sessions *sessions
	targets  *target.Repository
}

var _ native.Desks = (*desks)(nil)

// Subject implements native.Desks.
func (d *desks) Subject(ctx context.Context, userID string) (policy.Subject, error) {
	return subjects{d.g.identity}.Subject(ctx, userID)
}

// listBatch is how many targets are read at a time, maxListed how many desktops one person is shown, maxLooked how many are looked at.
const (
	listBatch = 200
	maxListed = 500
	maxLooked = 2000
)

// List implements native.Desks.
func (d *desks) List(ctx context.Context, s policy.Subject, source netip.Addr) ([]native.Desk, error) {
	var out []native.Desk
	for f, looked := (target.Filter{Limit: listBatch}), 0; looked < maxLooked && len(out) < maxListed; {
		list, err := d.targets.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range list {
			t := &list[i]
			f.After = target.Cursor{Name: t.Name, ID: t.ID}
			for _, a := range t.Accounts {
				action, err := d.may(ctx, s, t, a, source)
				if err != nil {
					return nil, err
				}
				if action == "" {
					continue
				}
				desk := native.Desk{TargetID: t.ID, TargetName: t.Name, Address: t.Address, AccountID: a.ID, Ask: action != policy.Connect}
				if len(t.Accounts) > 1 {
					desk.AccountName = a.Name
				}
				out = append(out, desk)
			}
		}
		if looked += len(list); len(list) < f.Limit {
			break
		}
	}
	return out, nil
}

// may tells what somebody may do with an account of a target: connect, ask for access, or "" for nothing.
func (d *desks) may(ctx context.Context, s policy.Subject, t *target.Target, a target.Account, source netip.Addr) (policy.Action, error) {
	for _, action := range []policy.Action{policy.Connect, policy.RequestAccess} {
		decision, err := d.g.engine.Authorize(ctx, policy.Query{
			Subject: s, Action: action, Resource: connectResource(t, a), Circumstances: policy.Circumstances{Time: time.Now(), Source: source},
		})
		if err != nil || decision.Allowed {
			return action, err
		}
	}
	return "", nil
}

func connectResource(t *target.Target, a target.Account) policy.Resource {
	tags := slices.Compact(slices.Sorted(slices.Values(slices.Concat(t.Tags, a.Tags))))
	return policy.Resource{Kind: policy.KindTarget, ID: t.ID, Target: t.ID, Account: a.Name, Tags: tags}
}

// errGrant says that a ticket was issued on another grant than there is now.
var errGrant = &api.Error{Status: 403, Code: "not_granted", Detail: "The access this ticket was issued on is over."}

// Open implements native.Desks.
func (d *desks) Open(ctx context.Context, v native.Visit) (native.Session, error) {
	if v.SessionID != "" {
		return d.again(ctx, &v)
	}
	t, err := d.targets.Get(ctx, v.TargetID)
	if err != nil {
		return native.Session{}, err
	}
	a, err := t.Account(v.Account)
	if err != nil {
		return native.Session{}, err
	}
	// Somebody's own session goes on in the client: it was admitted, and is kept within what is allowed.
	if s, ok, err := d.running(ctx, &v, &t, a); ok || err != nil {
		return s, err
	}
	admission, err := d.sessions.desk.Admit(ctx, access.Facts{
		Subject: v.Subject, Resource: connectResource(&t, a), Source: v.Source, Ticket: v.Change, Reason: v.Reason,
		NoPaste: !t.ClipboardToTarget, NoCopy: !t.ClipboardFromTarget,
	})
	if err != nil {
		return native.Session{}, err
	}
	if v.Ticketed && v.GrantID != "" && (admission.Grant == nil || admission.Grant.ID != v.GrantID) {
		return native.Session{}, errGrant
	}
	s, err := d.sessions.Create(ctx, api.NewSession{
		Admission: admission, Subject: v.Subject, Target: t, Account: a, ClientAddress: v.Source.String(), Width: v.Width, Height: v.Height,
	})
	if err != nil {
		return native.Session{}, err
	}
	return native.Session{ID: s.ID, Target: t.Name}, nil
}

// again finds a session that somebody was in a moment ago.
func (d *desks) again(ctx context.Context, v *native.Visit) (native.Session, error) {
	s, err := d.sessions.Get(ctx, v.SessionID)
	if err != nil {
		return native.Session{}, err
	}
	if s.UserID != v.Subject.ID || s.State != stateActive && s.State != stateFrozen {
		return native.Session{}, &api.Error{Status: 409, Code: "session_ended", Detail: "The session has ended."}
	}
	return native.Session{ID: s.ID, Target: s.TargetName, Joined: true}, nil
}

// running finds the session that somebody runs on an account of a target. Whether they may still be in it is the Keeper's business, as
// in a browser.
func (d *desks) running(ctx context.Context, v *native.Visit, t *target.Target, a target.Account) (native.Session, bool, error) {
	list, err := d.sessions.List(ctx, store.SessionFilter{User: v.Subject.ID, Target: t.ID, Running: new(true), Limit: 20})
	if err != nil {
		return native.Session{}, false, err
	}
	for _, s := range list {
		if s.UserID != v.Subject.ID || s.TargetID != t.ID || s.AccountID != a.ID || s.State != stateActive && s.State != stateFrozen {
			continue
		}
		if _, ok := d.sessions.workers.Get(s.ID); !ok {
			continue
		}
		return native.Session{ID: s.ID, Target: t.Name, Joined: true}, true, nil
	}
	return native.Session{}, false, nil
}

// Ask implements native.Desks.
func (d *desks) Ask(ctx context.Context, v native.Visit) (string, error) {
	t, err := d.targets.Get(ctx, v.TargetID)
	if err != nil {
		return "", err
	}
	a, err := t.Account(v.Account)
	if err != nil {
		return "", err
	}
	q := policy.Query{
		Subject: v.Subject, Action: policy.RequestAccess, Resource: connectResource(&t, a),
		Circumstances: policy.Circumstances{Time: time.Now(), Source: v.Source},
	}
	if _, err := policy.Check(ctx, d.g.engine, q); err != nil {
		return "", err
	}
	q.Action, q.Circumstances.Approved = policy.Connect, true
	must, err := d.g.engine.Authorize(ctx, q)
	if err != nil {
		return "", err
	}
	rules := d.g.access.AccessRules()
	r, err := d.g.access.Request(ctx, accessrequest.Ask{
		Person: accessrequest.Person{ID: v.Subject.ID, Name: v.Subject.Name}, TargetID: t.ID, TargetName: t.Name, Account: a.Name,
		Duration: min(time.Hour, rules.MaxWindow), Reason: v.Reason, Ticket: v.Change,
		Approvals: must.Obligations.Approvals, NeedTicket: must.Obligations.TicketNeeded,
	})
	if err != nil {
		return "", err
	}
	e := audit.Entry{
		Actor: audit.Actor{ID: v.Subject.ID, Name: v.Subject.Name, Kind: audit.KindUser}, Source: v.Source.String(), Action: "create_access_request",
		Outcome: audit.Success, Object: requestObject(r.ID, r.TargetName), Details: map[string]string{"target_id": t.ID, "account": a.Name, "by": "native_client"},
	}
	if err := d.g.audit.Record(ctx, e); err != nil {
		return "", err
	}
	return r.ID, nil
}

// Asked implements native.Desks.
func (d *desks) Asked(ctx context.Context, id string) (string, bool, error) {
	r, err := d.g.access.Get(ctx, id)
	if err != nil {
		return "", false, err
	}
	switch r.State {
	case accessrequest.StatePending:
		if r.ApprovalsNeeded > 1 {
			return fmt.Sprintf("%d of %d people have approved.", len(r.Decisions), r.ApprovalsNeeded), false, nil
		}
		return "Nobody has decided yet.", false, nil
	case accessrequest.StateApproved:
		return "", true, nil
	case accessrequest.StateDenied:
		return "Your request was denied.", true, nil
	}
	return "Your request is over.", true, nil
}

// Hand implements native.Desks.
func (d *desks) Hand(ctx context.Context, s native.Session, p native.Passage) error {
	return d.sessions.workers.OpenNative(ctx, s.ID, p)
}

// Explain implements native.Desks.
func (d *desks) Explain(err error) string {
	if e, ok := errors.AsType[*policy.DeniedError](err); ok {
		return fmt.Sprintf("You may not do this: %s.", e.Reason)
	}
	if e, ok := errors.AsType[*access.NeededError](err); ok {
		return e.Detail()
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Detail
	}
	if e, ok := errors.AsType[*accessrequest.InvalidError](err); ok {
		return fmt.Sprintf("The %s %s.", e.Field, e.Detail)
	}
	if errors.Is(err, target.ErrNotFound) || errors.Is(err, target.ErrUnknownAccount) {
		return "The desktop is not there any more."
	}
	d.g.log.Error("native client without a desktop", "error", err)
	return "The gateway failed; its log tells why."
}

// OpenNative implements workers.
func (m manager) OpenNative(ctx context.Context, id string, p native.Passage) error {
	return m.with(id, func(s *worker.Session) error {
		_, err := s.OpenNative(ctx, worker.NativeOffer{
			Person: person(p.Subject), Role: session.RoleControl, ClientAddress: p.Source.String(), State: p.State, Conn: p.Conn,
		})
		return err
	})
}
