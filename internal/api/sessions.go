package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/risk"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// Sessions runs sessions and remembers them. What it refuses it says with an *Error, store.ErrNotFound for a session
// that never was.
type Sessions interface {
	// Create returns when the desktop is there, or has failed.
	Create(ctx context.Context, n NewSession) (Session, error)
	Get(ctx context.Context, id string) (Session, error)
	List(ctx context.Context, f store.SessionFilter) ([]Session, error)
	Offer(ctx context.Context, id string, o Offer) (Answer, error)
	AddCandidates(ctx context.Context, id, viewer, fragment string) error
	CloseViewer(ctx context.Context, id, viewer string) error
	// Terminate returns when the session has been told to end.
	Terminate(ctx context.Context, id string, by policy.Subject, code, message string) error

	// Freeze, Resume, TakeControl, ReleaseControl and Message are what session.Session does of nearly the same names, by somebody.
	Freeze(ctx context.Context, id string, by policy.Subject, reason string) error
	Resume(ctx context.Context, id string, by policy.Subject) error
	TakeControl(ctx context.Context, id string, by policy.Subject, viewer string, fromOther bool) error
	ReleaseControl(ctx context.Context, id string, by policy.Subject) error
	Message(ctx context.Context, id string, from policy.Subject, text string) (message string, err error)
	// Answer takes what somebody says to a rule that asks why; sent tells that what was held back was done.
	Answer(ctx context.Context, id string, by policy.Subject, a Reply) (sent bool, err error)
	// Thumbnail returns what the desktop of a running session looks like.
	Thumbnail(ctx context.Context, id string) (Thumbnail, error)
}

// NewSession is what a session is to be.
type NewSession struct {
	Subject       policy.Subject
	Target        target.Target
	Account       target.Account
	ClientAddress string
	Width, Height int // wished; 0: no wish
	Admission     access.Admission
	EndWarning    time.Duration // before it ends of being idle
}

// Desk admits people to desktops. Its errors are *access.NeededError, *policy.DeniedError, or that there is no decision.
type Desk interface {
	Admit(ctx context.Context, f access.Facts) (access.Admission, error)
}

// Session is a session as the store remembers it and, while it runs, as it is at this moment.
type Session struct {
	store.Session
	Viewers   []Viewer
	Frozen    *Frozen    // nil: it is not, or for another reason than somebody's freeze
	Control   *TakenOver // nil: nobody has taken over
	Question  *Question  // nil: nothing is asked
	FrameRate float64    // frames a second of late; only while it runs
	Bitrate   float64    // bits a second of late; only while it runs
	Frames    uint64     // encoded since the beginning; only while it runs
	Bytes     uint64     // of video since the beginning; only while it runs
	Encoders  uint64     // opened since the beginning; only while it runs
	Tags      []string
	Risk      *risk.Risk // nil: not known
}

// Frozen tells of a freeze.
type Frozen struct {
	ByID, ByName string // empty: a rule of the gateway
	Code, Reason string
	Since        time.Time
}

// TakenOver tells of a supervisor who has taken over.
type TakenOver struct {
	Viewer               string // id
	PersonID, PersonName string
	Since                time.Time
}

// Question is what rules of detection want to know before something is done.
type Question struct {
	ID                   string
	PersonID, PersonName string // who is asked
	Viewer               string // id of theirs with control; empty: none has it
	Rules                []AskedRule
	Source               string
	Held                 bool // something waits for the answer
	Since, Until         time.Time
}

// AskedRule is a rule that asks.
type AskedRule struct{ ID, Name, About string }

// Reply is an answer to a Question: a reason, or that it is not done.
type Reply struct {
	Question, Viewer, Reason string
	Refuse                   bool
}

// Viewer is somebody who sees a session.
type Viewer struct {
	ID         string
	PersonID   string
	PersonName string
	Role       string // control or view
	Address    string
	Announced  bool // the session's own person is told
	Native     bool // came with a native client
}

// Offer is a WHEP offer.
type Offer struct {
	Subject       policy.Subject
	Role          string // control or view
	ClientAddress string
	SDP           string
	Announced     bool // the session's own person is told that this one watches
}

// Answer is the answer to an offer.
type Answer struct {
	Viewer string
	SDP    string
}

// Reasons to end a session, from here.
const (
	endByOwner = "user_disconnected"
	endByOther = "user_terminated"
)

// ListSessions answers with the sessions the caller may see.
func (h *handlers) ListSessions(ctx context.Context, r apigen.ListSessionsRequestObject) (apigen.ListSessionsResponseObject, error) {
	ctx, in := enter(ctx)
	p := &r.Params
	filter := store.SessionFilter{
		Before: valueOr(p.Before, ""), Query: valueOr(p.Q, ""), User: valueOr(p.User, ""), Target: valueOr(p.Target, ""),
		Since: valueOr(p.Since, time.Time{}), Until: valueOr(p.Until, time.Time{}),
	}
	switch valueOr(p.State, apigen.ListSessionsParamsStateRunning) {
	case apigen.ListSessionsParamsStateRunning:
		filter.Running = new(true)
	case apigen.ListSessionsParamsStateEnded:
		filter.Running = new(false)
	}
	page, next, err := fillPage(ctx, filter, valueOr(p.Limit, defaultSessionPage), h.sessions.List,
		func(s *Session) string { return s.ID },
		func(s *Session) error { return h.mayWatch(ctx, in, &s.Session) })
	if err != nil {
		return nil, err
	}
	out := apigen.ListSessions200JSONResponse{Sessions: []apigen.Session{}, Next: optional(next)}
	for i := range page {
		out.Sessions = append(out.Sessions, sessionOut(&page[i]))
	}
	return out, nil
}

// CreateSession connects to a target.
func (h *handlers) CreateSession(ctx context.Context, r apigen.CreateSessionRequestObject) (apigen.CreateSessionResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.limits.connect(in.subject, in.address); err != nil {
		return nil, err
	}
	patient(in.writer, 0) // the target may take longer than an answer has
	d, err := h.admit(ctx, in, wish{r.Body.TargetId, valueOr(r.Body.Account, ""), valueOr(r.Body.Ticket, ""), valueOr(r.Body.Reason, "")})
	if err != nil {
		return nil, err
	}
	s, err := h.sessions.Create(ctx, NewSession{
		Admission: d.admission,
		Subject:   in.subject, Target: d.target, Account: d.account, ClientAddress: in.address,
		Width: valueOr(r.Body.Width, 0), Height: valueOr(r.Body.Height, 0),
	})
	if err != nil {
		return nil, err
	}
	audit.InSession(ctx, s.ID)
	patient(in.writer, answerTimeout)
	return apigen.CreateSession201JSONResponse{
		Body:    sessionOut(&s),
		Headers: apigen.CreateSession201ResponseHeaders{Location: new(BasePath + "/sessions/" + s.ID)},
	}, nil
}

// wish is a desktop somebody wants, and what they give for it.
type wish struct{ target, account, ticket, reason string }

// desktop is what they are admitted to.
type desktop struct {
	target    target.Target
	account   target.Account
	admission access.Admission
}

// admit admits the caller to a desktop, now.
func (h *handlers) admit(ctx context.Context, in *call, w wish) (desktop, error) {
	t, view, err := h.visibleTarget(ctx, in, w.target)
	if err != nil {
		return desktop{}, err
	}
	a, err := t.Account(w.account)
	if may := view.connectable(); errors.Is(err, target.ErrWhichAccount) && len(may) == 1 {
		a, err = t.Account(may[0]) // of several, the only one for the caller
	}
	if err != nil {
		return desktop{}, err
	}
	audit.About(ctx, string(policy.KindTarget), t.ID, t.Name)
	asked := in.query(policy.Connect, connectResource(&t, a))
	admission, err := h.desk.Admit(ctx, access.Facts{
		Subject: in.subject, Resource: asked.Resource, Source: asked.Circumstances.Source, Ticket: w.ticket, Reason: w.reason,
		NoPaste: !t.ClipboardToTarget, NoCopy: !t.ClipboardFromTarget,
	})
	if err != nil {
		_, denied := errors.AsType[*policy.DeniedError](err)
		if _, known := view.accounts[a.ID]; denied && !known && !view.manage {
			err = target.ErrUnknownAccount
		}
		return desktop{}, err
	}
	return desktop{t, a, admission}, nil
}

// GetSession answers with one session.
func (h *handlers) GetSession(ctx context.Context, r apigen.GetSessionRequestObject) (apigen.GetSessionResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.watchable(ctx, in, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	return apigen.GetSession200JSONResponse(sessionOut(&s)), nil
}

// TerminateSession ends a session in good order.
func (h *handlers) TerminateSession(ctx context.Context, r apigen.TerminateSessionRequestObject) (apigen.TerminateSessionResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.sessions.Get(ctx, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	if err := h.may(ctx, in, policy.Terminate, sessionResource(&s.Session)); err != nil {
		return nil, err
	}
	code, message := endByOwner, fmt.Sprintf("%s disconnected.", in.subject.Name)
	if s.UserID != in.subject.ID {
		code, message = endByOther, fmt.Sprintf("%s ended the session.", in.subject.Name)
	}
	if r.Body != nil && valueOr(r.Body.Reason, "") != "" {
		message = *r.Body.Reason
		audit.Detail(ctx, "reason", message)
	}
	if r.Body != nil && valueOr(r.Body.LockUser, false) {
		if err := h.lockOut(ctx, in, &s.Session); err != nil {
			return nil, err
		}
	}
	if err := h.sessions.Terminate(ctx, s.ID, in.subject, code, message); err != nil {
		return nil, err
	}
	return apigen.TerminateSession204Response{}, nil
}

// OfferViewer lets a browser see, or control, a session.
func (h *handlers) OfferViewer(ctx context.Context, r apigen.OfferViewerRequestObject) (apigen.OfferViewerResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.sessions.Get(ctx, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	announced, err := h.watching(ctx, in, &s.Session)
	if err != nil {
		return nil, err
	}
	role := valueOr(r.Params.Role, apigen.OfferViewerParamsRoleView)
	audit.Detail(ctx, "role", string(role))
	if role == apigen.OfferViewerParamsRoleControl {
		err := in.scoped(policy.Connect)
		if s.UserID != in.subject.ID {
			err = h.may(ctx, in, policy.TakeOver, sessionResource(&s.Session))
		}
		if err != nil {
			return nil, err
		}
	}
	sdp, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a, err := h.sessions.Offer(ctx, s.ID, Offer{Subject: in.subject, Role: string(role), ClientAddress: in.address, SDP: string(sdp), Announced: announced})
	if err != nil {
		return nil, err
	}
	return offerAnswer{
		sdp: a.SDP, location: fmt.Sprintf("%s/sessions/%s/whep/%s", BasePath, s.ID, a.Viewer), relays: h.relaysFor(in, &s),
	}, nil
}

// offerAnswer is written here because the generated type takes a reader.
type offerAnswer struct {
	sdp, location string
	relays        []RelayCredential
}

// VisitOfferViewerResponse implements apigen.OfferViewerResponseObject.
func (a offerAnswer) VisitOfferViewerResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", a.location)
	linkRelays(w.Header(), a.relays)
	w.WriteHeader(http.StatusCreated)
	_, err := io.WriteString(w, a.sdp)
	return err
}

// TrickleViewer adds ICE candidates of the caller's own viewer.
func (h *handlers) TrickleViewer(ctx context.Context, r apigen.TrickleViewerRequestObject) (apigen.TrickleViewerResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.ownViewer(ctx, in, r.SessionParameter, r.ViewerParameter, policy.TakeOver); err != nil {
		return nil, err
	}
	fragment, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := h.sessions.AddCandidates(ctx, r.SessionParameter, r.ViewerParameter, string(fragment)); err != nil {
		return nil, err
	}
	return apigen.TrickleViewer204Response{}, nil
}

// CloseViewer ends a viewer: one's own, or anybody's with the right to end the session.
func (h *handlers) CloseViewer(ctx context.Context, r apigen.CloseViewerRequestObject) (apigen.CloseViewerResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.ownViewer(ctx, in, r.SessionParameter, r.ViewerParameter, policy.Terminate); err != nil {
		return nil, err
	}
	if err := h.sessions.CloseViewer(ctx, r.SessionParameter, r.ViewerParameter); err != nil {
		return nil, err
	}
	return apigen.CloseViewer204Response{}, nil
}

// ownViewer checks that the viewer is the caller's, or that they may do action to the session. A viewer too fresh to be
// listed passes: its id is as hard to guess as a password.
func (h *handlers) ownViewer(ctx context.Context, in *call, id, viewer string, action policy.Action) error {
	s, err := h.watchable(ctx, in, id)
	if err != nil {
		return err
	}
	for _, v := range s.Viewers {
		if v.ID == viewer && v.PersonID != in.subject.ID {
			return h.may(ctx, in, action, sessionResource(&s.Session))
		}
	}
	return nil
}

// watchable returns the session if the caller may see it.
func (h *handlers) watchable(ctx context.Context, in *call, id string) (Session, error) {
	s, err := h.sessions.Get(ctx, id)
	if err != nil {
		return Session{}, err
	}
	return s, h.mayWatch(ctx, in, &s.Session)
}

// mayWatch: policies tell one's own sessions from others'.
func (h *handlers) mayWatch(ctx context.Context, in *call, s *store.Session) error {
	return h.may(ctx, in, policy.ViewLive, sessionResource(s))
}

func sessionResource(s *store.Session) policy.Resource {
	return policy.Resource{Kind: policy.KindSession, ID: s.ID, Owner: s.UserID, Target: s.TargetID, Account: s.AccountName}
}

func sessionOut(s *Session) apigen.Session {
	out := apigen.Session{
		Id: s.ID, State: apigen.SessionState(s.State), StartedAt: s.StartedAt,
		User:          apigen.Person{Id: s.UserID, Name: s.UserName},
		ClientAddress: optional(s.ClientAddress), DesktopName: optional(s.DesktopName),
		Width: optional(s.Width), Height: optional(s.Height), Viewers: []apigen.Viewer{},
	}
	out.Target.Id, out.Target.Name, out.Target.Protocol = s.TargetID, s.TargetName, s.TargetProtocol
	if s.AccountID != "" {
		out.Account = &apigen.AccountName{Id: s.AccountID, Name: s.AccountName}
	}
	for _, v := range s.Viewers {
		out.Viewers = append(out.Viewers, apigen.Viewer{
			Id: v.ID, Person: apigen.Person{Id: v.PersonID, Name: v.PersonName}, Role: apigen.ViewerRole(v.Role), Address: optional(v.Address),
			Announced: optional(v.Announced), Native: optional(v.Native),
		})
	}
	if s.State == store.StateEnded {
		out.EndedAt = &s.EndedAt
		out.End = &apigen.End{Code: s.EndCode, Message: s.EndMessage}
		return out
	}
	if f := s.Frozen; f != nil {
		out.Frozen = &apigen.Frozen{Code: f.Code, Reason: f.Reason, Since: f.Since}
		if f.ByID != "" {
			out.Frozen.By = &apigen.Person{Id: f.ByID, Name: f.ByName}
		}
	}
	if q := s.Question; q != nil {
		out.Question = &apigen.Question{
			Id: q.ID, Person: apigen.Person{Id: q.PersonID, Name: q.PersonName}, Viewer: optional(q.Viewer), Source: q.Source, Held: q.Held, Since: q.Since,
			Until: optional(q.Until), Rules: []apigen.AskedRule{},
		}
		for _, r := range q.Rules {
			out.Question.Rules = append(out.Question.Rules, apigen.AskedRule{Id: r.ID, Name: r.Name, About: optional(r.About)})
		}
	}
	if c := s.Control; c != nil {
		out.Control = &apigen.TakenOver{Viewer: c.Viewer, Person: apigen.Person{Id: c.PersonID, Name: c.PersonName}, Since: c.Since}
	}
	if s.Tags != nil {
		out.Tags = &s.Tags
	}
	if r := s.Risk; r != nil {
		out.Risk = &apigen.Risk{Score: r.Score, Level: apigen.RiskLevel(r.Level), Reasons: slices.Concat([]string{}, r.Reasons)}
	}
	out.FrameRate, out.Bitrate = new(float32(s.FrameRate)), new(float32(s.Bitrate))
	out.Frames, out.Bytes = new(int64(min(s.Frames, math.MaxInt64))), new(int64(min(s.Bytes, math.MaxInt64)))
	out.Encoders = new(int(min(s.Encoders, math.MaxInt32)))
	return out
}
