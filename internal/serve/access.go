package serve

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// AccessRules are what the configuration says about access requests.
func AccessRules(c *config.Access) accessrequest.Rules {
	return accessrequest.Rules{
		MaxWindow: c.MaxWindow, MaxAhead: c.MaxAhead, PendingTimeout: c.PendingTimeout, Approvals: c.Approvals, ReasonMin: c.ReasonMin,
		TicketRequired: c.TicketRequired, TicketPattern: c.Ticket(), MaxPending: c.MaxPending, MaxConcurrent: c.MaxConcurrent,
		BreakGlass: c.BreakGlassWindow, EndWarning: c.EndWarning,
	}
}

// openAccess gets access requests, and what is told of them, ready to run.
func (g *Gateway) openAccess(targets targetsByID) error {
	log := g.log.With("component", "access")
	var err error
	if g.notify, err = openNotify(&g.cfg.Notify, g.db, g.URL(), g.log); err != nil {
		return err
	}
	g.people = &people{g.identity, g.engine, targets}
	g.access = accessrequest.New(accessrequest.Options{
		DB: g.db, Rules: AccessRules(&g.cfg.Access), Notifier: g.notify, People: g.people,
		Journal: accessJournal{g.audit, log}, GrantClosed: func(accessrequest.Grant) { g.keeper.Poke() }, Logger: log,
	})
	return nil
}

func openNotify(c *config.Notify, db *store.Store, url string, log *slog.Logger) (*notify.Service, error) {
	opts := notify.Options{DB: db, ConsoleURL: url, MaxWaiting: c.MaxWaiting, Logger: log.With("component", "notify")}
	for _, w := range c.Webhooks {
		hook := notify.Webhook{Name: w.Name, URL: w.URL, Secret: w.Secret.Reveal(), CAFile: w.CAFile}
		for _, kind := range w.Events {
			hook.Kinds = append(hook.Kinds, notify.Kind(kind))
		}
		opts.Webhooks = append(opts.Webhooks, hook)
	}
	if e := &c.Email; e.Server != "" {
		opts.Mail = &notify.Mail{
			Server: e.Server, TLS: notify.MailTLS(e.TLS), CAFile: e.CAFile, Username: e.Username, Password: e.Password.Reveal(),
			From: e.From, PerHour: e.MaxPerHour,
		}
	}
	return notify.New(opts)
}

// endedByPolicy are the ends of sessions that neither their person nor the target chose.
var endedByPolicy = []session.EndCode{
	session.EndPolicyRevoked, session.EndWindowClosed, session.EndMaxDuration, session.EndSessionLimit, session.EndUserDisabled, session.EndPolicyUnavailable,
}

// tellOfEnd tells the person whose session was ended by policy, and the webhooks.
func (g *Gateway) tellOfEnd(id, code, message string) {
	if !slices.Contains(endedByPolicy, session.EndCode(code)) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	row, err := g.db.Sessions.Get(ctx, id)
	if err == nil {
		e := notify.Event{
			Kind: notify.SessionEnded, Title: "Your session on " + row.TargetName + " was ended", Text: message, Link: "/sessions",
			Data: map[string]string{
				"session_id": id, "code": code, "user_id": row.UserID, "user_name": row.UserName, "target_id": row.TargetID, "target_name": row.TargetName,
			},
		}
		var to notify.Recipient
		if to, err = (&people{identity: g.identity}).Person(ctx, row.UserID); err == nil {
			if to.UserID != "" {
				e.To = []notify.Recipient{to}
			}
			err = g.notify.Publish(ctx, e)
		}
	}
	if err != nil {
		g.log.Error("nobody is told that a session was ended", "session_id", id, "error", err)
	}
}

// people knows whom to tell.
type people struct {
	identity   *identity.Service
	authorizer policy.Authorizer
	targets    targetsByID
}

type targetsByID interface {
	Get(ctx context.Context, id string) (target.Target, error)
}

var _ accessrequest.People = (*people)(nil)

// userBatch is how many users are read at a time.
const userBatch = 200

// Approvers asks policy about everybody. A person without a second factor at this moment may have one when they decide, so
// that a policy which wants one does not keep the news from them.
func (p *people) Approvers(ctx context.Context, q accessrequest.Request) ([]notify.Recipient, error) {
	return p.allowed(ctx, policy.ApproveAccess, policy.Resource{
		Kind: policy.KindRequest, ID: q.ID, Owner: q.UserID, Target: q.TargetID, Account: q.Account,
	})
}

// allowed returns those but its owner whom policy allows something on a resource, which need not have its tags.
func (p *people) allowed(ctx context.Context, action policy.Action, resource policy.Resource) ([]notify.Recipient, error) {
	t, err := p.targets.Get(ctx, resource.Target)
	if err != nil && !errors.Is(err, target.ErrNotFound) {
		return nil, err
	}
	resource.Tags = t.Tags
	if a, err := t.Account(resource.Account); err == nil {
		resource.Tags = slices.Compact(slices.Sorted(slices.Values(slices.Concat(t.Tags, a.Tags))))
	}
	var out []notify.Recipient
	for f := (store.UserFilter{Limit: userBatch}); ; {
		list, err := p.identity.ListUsers(ctx, f)
		if err != nil {
			return out, err
		}
		for _, u := range list {
			f.After = u.Name
			subject := u.Subject()
			if u.ID == resource.Owner || subject.ID == "" {
				continue
			}
			now := time.Now()
			subject.MFAAt = now
			d, err := p.authorizer.Authorize(ctx, policy.Query{
				Subject: subject, Action: action, Resource: resource, Circumstances: policy.Circumstances{Time: now},
			})
			if err != nil {
				return out, err
			}
			if d.Allowed {
				out = append(out, recipient(u))
			}
		}
		if len(list) < f.Limit {
			return out, nil
		}
	}
}

// Person implements accessrequest.People.
func (p *people) Person(ctx context.Context, userID string) (notify.Recipient, error) {
	u, err := p.identity.User(ctx, userID)
	if errors.Is(err, identity.ErrUnknownUser) || (err == nil && u.Disabled) {
		return notify.Recipient{}, nil
	}
	return recipient(u), err
}

func recipient(u identity.User) notify.Recipient {
	name := u.DisplayName
	if name == "" {
		name = u.Name
	}
	return notify.Recipient{UserID: u.ID, Name: name, Email: u.Email}
}

// accessJournal writes what the API does not see into the audit log.
type accessJournal struct {
	audit audit.Recorder
	log   *slog.Logger
}

var _ accessrequest.Journal = accessJournal{}

// RequestExpired implements accessrequest.Journal.
func (j accessJournal) RequestExpired(ctx context.Context, q accessrequest.Request) {
	j.record(ctx, audit.Entry{
		Actor: system("access"), Action: "access_request_expired", Outcome: audit.Success, Object: requestObject(q.ID, q.TargetName),
		Details: map[string]string{"user_id": q.UserID, "user_name": q.UserName, "target_id": q.TargetID, "account": q.Account},
	})
}

// GrantClosed implements accessrequest.Journal.
func (j accessJournal) GrantClosed(ctx context.Context, g accessrequest.Grant) {
	j.record(ctx, audit.Entry{
		Actor: system("access"), Action: "access_grant_expired", Outcome: audit.Success, Object: audit.Object{Kind: "access_grant", ID: g.ID, Name: g.TargetName},
		Details: map[string]string{"user_id": g.UserID, "user_name": g.UserName, "target_id": g.TargetID, "account": g.Account, "state": g.State},
	})
}

// GlassBroken implements accessrequest.Journal. What it cannot write down does not happen.
func (j accessJournal) GlassBroken(ctx context.Context, q accessrequest.Request, g accessrequest.Grant, source string) error {
	j.log.WarnContext(ctx, "break-glass", "request_id", q.ID, "user_name", q.UserName, "target_id", q.TargetID, "client_address", source)
	return j.audit.Record(ctx, audit.Entry{
		Actor: audit.Actor{ID: q.UserID, Name: q.UserName, Kind: audit.KindUser}, Source: source, Action: "glass_broken", Outcome: audit.Success,
		Object: requestObject(q.ID, q.TargetName), Details: map[string]string{
			"target_id": q.TargetID, "account": q.Account, "grant_id": g.ID, "until": g.Until.Format(time.RFC3339), "reason": q.Reason, "ticket": q.Ticket,
		},
	})
}

func (j accessJournal) record(ctx context.Context, e audit.Entry) {
	if err := j.audit.Record(ctx, e); err != nil {
		j.log.ErrorContext(ctx, "not in the audit log", "action", e.Action, "object_id", e.Object.ID, "error", err)
	}
}

func requestObject(id, name string) audit.Object {
	return audit.Object{Kind: "access_request", ID: id, Name: name}
}
