package native

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/native/screen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
)

// guest is a client that has said who it is, until it is in a session or gone. It is one goroutine's.
type guest struct {
	d      *Door
	client *rdpserver.Client // nil once it is active
	hello  rdpserver.Hello
	source netip.Addr
	log    *slog.Logger
	stage  *stage // nil: it is shown nothing
}

// Ends of a guest's way that have a word for clients.
var (
	errShutdown = errors.New("native: the gateway is stopping")
	errGone     = errors.New("native: the client has gone")
	errCancel   = errors.New("native: the person has cancelled")
	errIdle     = errors.New("native: the person did nothing for too long")
	errRefused  = errors.New("native: refused")
)

// run brings the client to its desktop.
func (g *guest) run(ctx context.Context) {
	err := g.way(ctx)
	if err == nil {
		return
	}
	if ctx.Err() != nil {
		err = errShutdown
	}
	g.log.Info("native client not let in", "reason", err.Error())
	g.dismiss(ctx, errorInfo(err))
}

// errorInfo is what a client is told of the end of its way. Nothing of it tells why a ticket was refused.
func errorInfo(err error) rdp.ErrorInfo {
	_, denied := errors.AsType[*policy.DeniedError](err)
	_, needed := errors.AsType[*access.NeededError](err)
	switch {
	case errors.Is(err, errShutdown):
		return rdp.ErrorInfoLogoffByAdmin
	case errors.Is(err, errIdle):
		return rdp.ErrorInfoIdleTimeout
	case errors.Is(err, errCancel):
		return rdp.ErrorInfoLogoffByUser
	case denied || needed:
		return rdp.ErrorInfoInsufficientPrivilege
	}
	return rdp.ErrorInfoServerDenied
}

// dismiss tells the client that it is over.
func (g *guest) dismiss(ctx context.Context, reason rdp.ErrorInfo) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	var err error
	switch {
	case g.stage != nil:
		conn := g.stage.end()
		g.stage = nil
		err = conn.Disconnect(ctx, reason)
	case g.client != nil:
		err = g.client.Refuse(ctx, reason)
	}
	if err != nil {
		g.log.Debug("native client hung up before it heard why", "error", err)
	}
}

// way is all of it.
func (g *guest) way(ctx context.Context) error {
	h := &g.hello
	if back, ok := g.d.returns.take(h.Reconnect, g.source); ok {
		return g.again(ctx, back)
	}
	var b ticket.Bound
	var err error
	switch text := ticketOf(string(h.AlternateShell)); {
	case h.Proved != nil:
		b, err = g.d.Tickets.Redeem(ctx, ticket.NLA, h.Proved.Username, "", g.source)
	case text != "":
		b, err = g.d.Tickets.Redeem(ctx, ticket.Shell, text, h.Username, g.source)
	default:
		return g.typed(ctx)
	}
	if e, ok := errors.AsType[*ticket.RefusedError](err); ok {
		g.d.refuse(ctx, refusal{cause: string(e.Cause), source: g.source, bound: e.Bound})
		return errRefused
	}
	if err != nil {
		return err
	}
	s, err := g.d.Desks.Subject(ctx, b.UserID)
	if err != nil {
		g.d.refuse(ctx, refusal{cause: "user_gone", source: g.source, bound: &b})
		return errRefused
	}
	s.MFAAt = b.MFAAt
	g.welcomed(ctx, s, "ticket", b.TargetID)
	v := g.visit(s)
	v.TargetID, v.Account, v.GrantID, v.Ticketed, v.Reason, v.Change = b.TargetID, b.AccountID, b.GrantID, true, b.Reason, b.Change
	session, err := g.open(ctx, v, "")
	if err != nil {
		return g.regret(ctx, err)
	}
	return g.hand(ctx, s, session, b.Source)
}

// again brings a client whose connection broke back into its session, if that still runs and its person may still sign in.
func (g *guest) again(ctx context.Context, back comeback) error {
	s, err := g.d.Desks.Subject(ctx, back.userID)
	if err != nil {
		g.d.refuse(ctx, refusal{cause: "user_gone", source: g.source})
		return errRefused
	}
	s.MFAAt = back.mfaAt
	g.welcomed(ctx, s, "reconnect", "")
	v := g.visit(s)
	v.SessionID = back.session.ID
	session, err := g.open(ctx, v, "")
	if err != nil {
		return err
	}
	return g.hand(ctx, s, session, back.source)
}

func (g *guest) visit(s policy.Subject) Visit {
	return Visit{Subject: s, Source: g.source, Width: g.hello.Size.X, Height: g.hello.Size.Y}
}

// welcomed writes down who has come.
func (g *guest) welcomed(ctx context.Context, s policy.Subject, by, target string) {
	g.log = g.log.With("user_id", s.ID)
	g.log.InfoContext(ctx, "native client signed in", "user_name", s.Name, "by", by)
	e := audit.Entry{
		Actor: audit.Actor{ID: s.ID, Name: s.Name, Kind: audit.KindUser}, Source: g.source.String(), Action: "native_sign_in", Outcome: audit.Success,
		Object: audit.Object{Kind: "gateway"}, Details: map[string]string{"by": by, "client": g.hello.ClientName},
	}
	if target != "" {
		e.Object = audit.Object{Kind: "target", ID: target}
	}
	if err := g.d.Audit.Record(ctx, e); err != nil {
		g.log.ErrorContext(ctx, "not in the audit log", "action", e.Action, "error", err)
	}
}

// open opens a desktop. A client that has to wait for it sees so.
func (g *guest) open(ctx context.Context, v Visit, name string) (Session, error) {
	type result struct {
		s   Session
		err error
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan result, 1)
	go func() {
		s, err := g.d.Desks.Open(ctx, v)
		done <- result{s, err}
	}()
	finish := func(cause error) (Session, error) {
		cancel(cause)
		r := <-done
		if cause != nil {
			return Session{}, cause // a session that came about all the same ends when nobody looks at it
		}
		return r.s, r.err
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	if g.stage == nil {
		select {
		case r := <-done:
			cancel(nil)
			return r.s, r.err
		case <-wait.C:
		}
		if err := g.setUp(ctx); err != nil {
			return finish(err)
		}
	}
	title := "Opening the desktop"
	if name != "" {
		title = "Opening " + name
	}
	g.stage.Show(screen.Form{Title: title, Notice: "Reaching the desktop and preparing its recording…", Busy: true, Links: []screen.Link{{ID: "cancel", Label: "Cancel"}}, Foot: g.foot()})
	for {
		select {
		case r := <-done:
			cancel(nil)
			return r.s, r.err
		case <-g.stage.gone:
			return finish(errGone)
		case a := <-g.stage.Acts():
			if a.ID == "cancel" {
				return finish(errCancel)
			}
		case <-ctx.Done():
			return finish(context.Cause(ctx))
		}
	}
}

// regret shows why there is no desktop, and returns err when the person has read it.
func (g *guest) regret(ctx context.Context, err error) error {
	if errors.Is(err, errGone) || errors.Is(err, errCancel) || ctx.Err() != nil || g.setUp(ctx) != nil {
		return err
	}
	g.stage.Show(screen.Form{Title: "There is no desktop", Error: g.d.Desks.Explain(err), Submit: "Close", Foot: g.foot()})
	_, _ = g.next(ctx, readingTime)
	return err
}

// hand gives the client to its session, and copies until it is over.
func (g *guest) hand(ctx context.Context, s policy.Subject, session Session, bound netip.Addr) error {
	state, conn, err := g.detach()
	if err != nil {
		return err
	}
	back := g.d.returns.give(comeback{userID: s.ID, mfaAt: s.MFAAt, session: session, source: bound})
	if back != nil {
		state.Cookie = &back.cookie
		defer g.d.returns.left(back)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		conn.Close()
		return err
	}
	err = g.d.Desks.Hand(ctx, session, Passage{Subject: s, Source: g.source, State: state, Conn: theirs})
	theirs.Close()
	if err != nil {
		// The session's process tells the client, if it got the connection.
		g.log.Warn("native client not handed over", "session_id", session.ID, "error", err)
	} else {
		g.d.metrics.handed.Inc()
		g.log.Info("native client in its session", "session_id", session.ID, "joined", session.Joined)
	}
	g.client = nil
	copyBoth(conn, ours)
	return nil
}

func (g *guest) detach() (rdpserver.State, net.Conn, error) {
	if g.stage != nil {
		conn := g.stage.end()
		g.stage = nil
		return conn.Detach()
	}
	return g.client.Detach()
}

// stage is what a client is shown.
type stage struct {
	*screen.Screen
	conn *rdpserver.Conn
	stop context.CancelFunc
	gone chan struct{} // closed when the client has gone, or the stage has ended
	over chan struct{} // closed when both goroutines have ended
}

// setUp makes the client active and shows it a screen, if it is not yet.
func (g *guest) setUp(ctx context.Context) error {
	if g.stage != nil {
		return nil
	}
	size := g.hello.Size
	if desktop.CheckSize(size) != nil {
		size = image.Pt(1024, 768)
	}
	scr, err := screen.New(size, int(g.hello.Scale))
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, g.d.HandshakeTimeout)
	defer cancel()
	client := g.client
	g.client = nil
	conn, err := client.Activate(limited, size)
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	on, stop := context.WithCancel(ctx)
	st := &stage{Screen: scr, conn: conn, stop: stop, gone: make(chan struct{}), over: make(chan struct{})}
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		if err := scr.Run(on); err != nil {
			g.log.Error("sign-in screen not drawn", "error", err)
		}
	}()
	go func() {
		defer close(st.over)
		err := conn.Serve(on, rdpserver.Desktop{Framebuffer: scr.Framebuffer(), Handler: scr})
		g.log.Debug("sign-in screen over", "error", err)
		close(st.gone)
		stop()
		<-drawn
	}()
	g.stage = st
	return nil
}

// end ends what is shown and returns the connection.
func (s *stage) end() *rdpserver.Conn {
	s.stop()
	<-s.over
	s.Forget()
	return s.conn
}

// next waits for what the person does, for a time without any act.
func (g *guest) next(ctx context.Context, most time.Duration) (screen.Act, error) {
	idle := time.NewTimer(most)
	defer idle.Stop()
	for {
		select {
		case a := <-g.stage.Acts():
			return a, nil
		case <-g.stage.Stirred():
			idle.Reset(most)
		case <-g.stage.gone:
			return screen.Act{}, errGone
		case <-idle.C:
			return screen.Act{}, errIdle
		case <-ctx.Done():
			return screen.Act{}, context.Cause(ctx)
		}
	}
}

func (g *guest) foot() string { return g.d.Name + " · every session is recorded" }
