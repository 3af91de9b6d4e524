package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Alerts are what rules of detection found in sessions.
type Alerts interface {
	List(ctx context.Context, f store.AlertFilter) ([]store.Alert, error)
	Get(ctx context.Context, id string) (store.Alert, error)
	Acknowledge(ctx context.Context, ids []string, by store.Actor, note string, at time.Time) (int, error)
	Revision(ctx context.Context) (int64, error)
}

var _ Alerts = (*store.Alerts)(nil)

// alertViewer knows of which sessions a person may see alerts, and acknowledge them: a session may have many.
type alertViewer struct {
	h     *handlers
	in    *call
	known map[policy.Action]map[string]bool
}

func (h *handlers) alertViewer(in *call) *alertViewer {
	return &alertViewer{h, in, map[policy.Action]map[string]bool{policy.ReadAlerts: {}, policy.AcknowledgeAlerts: {}}}
}

func (v *alertViewer) may(ctx context.Context, action policy.Action, a *store.Alert) (bool, error) {
	if allowed, known := v.known[action][a.SessionID]; known {
		return allowed, nil
	}
	allowed, err := v.h.permits(ctx, v.in, action, alertResource(a))
	if err == nil {
		v.known[action][a.SessionID] = allowed
	}
	return allowed, err
}

func alertResource(a *store.Alert) policy.Resource {
	return policy.Resource{Kind: policy.KindSession, ID: a.SessionID, Owner: a.Session.UserID, Target: a.Session.TargetID, Account: a.Session.AccountName}
}

// each goes through the alerts of a filter that the person may see, newest first, until fn is unset or maxSessionsRead were looked at.
// rest, unless "", is the id before which the others begin.
func (v *alertViewer) each(ctx context.Context, f store.AlertFilter, fn func(*store.Alert) (goOn bool)) (rest string, err error) {
	for looked := 0; ; {
		f.Limit = min(2*minRead, maxSessionsRead-looked)
		list, err := v.h.alerts.List(ctx, f)
		if err != nil {
			return "", err
		}
		for i := range list {
			allowed, err := v.may(ctx, policy.ReadAlerts, &list[i])
			if err != nil {
				return "", err
			}
			if allowed && !fn(&list[i]) {
				return f.Before, nil
			}
			f.Before = list[i].ID
		}
		looked += len(list)
		switch {
		case len(list) < f.Limit:
			return "", nil
		case looked >= maxSessionsRead:
			return f.Before, nil
		}
	}
}

// ListAlerts answers with a page of alerts.
func (h *handlers) ListAlerts(ctx context.Context, r apigen.ListAlertsRequestObject) (apigen.ListAlertsResponseObject, error) {
	ctx, in := enter(ctx)
	p := &r.Params
	f := store.AlertFilter{
		Severity: max(detect.Severity(valueOr(p.Severity, "")).Rank(), 0), Rule: valueOr(p.Rule, ""), User: valueOr(p.User, ""), Target: valueOr(p.Target, ""),
		Session: valueOr(p.Session, ""), Query: valueOr(p.Q, ""), Since: valueOr(p.Since, time.Time{}), Until: valueOr(p.Until, time.Time{}), Before: valueOr(p.Before, ""),
	}
	if p.State != nil {
		f.New = new(*p.State == apigen.ListAlertsParamsStateNew)
	}
	v, limit := h.alertViewer(in), valueOr(p.Limit, defaultRequestPage)
	var page []store.Alert
	next, err := v.each(ctx, f, func(a *store.Alert) bool {
		if len(page) == limit {
			return false // and there is at least this one more
		}
		page = append(page, *a)
		return true
	})
	if err != nil {
		return nil, err
	}
	out := apigen.ListAlerts200JSONResponse{Alerts: []apigen.Alert{}, Next: optional(next)}
	for i := range page {
		a, err := v.out(ctx, &page[i])
		if err != nil {
			return nil, err
		}
		out.Alerts = append(out.Alerts, a)
	}
	if len(page) == 0 {
		audit.Skip(ctx) // nothing was read
	}
	return out, nil
}

// GetAlert answers with one alert.
func (h *handlers) GetAlert(ctx context.Context, r apigen.GetAlertRequestObject) (apigen.GetAlertResponseObject, error) {
	ctx, in := enter(ctx)
	a, err := h.allowedAlert(ctx, in, r.AlertParameter, policy.ReadAlerts)
	if err != nil {
		return nil, err
	}
	out, err := h.alertViewer(in).out(ctx, &a)
	return apigen.GetAlert200JSONResponse(out), err
}

func (h *handlers) allowedAlert(ctx context.Context, in *call, id string, action policy.Action) (store.Alert, error) {
	a, err := h.alerts.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return a, &Error{http.StatusNotFound, "alert_not_found", "There is no such alert, or it is too old to be kept.", err}
	}
	if err == nil {
		err = h.may(ctx, in, action, alertResource(&a))
	}
	return a, err
}

// AcknowledgeAlerts notes that alerts were seen to.
func (h *handlers) AcknowledgeAlerts(ctx context.Context, r apigen.AcknowledgeAlertsRequestObject) (apigen.AcknowledgeAlertsResponseObject, error) {
	ctx, in := enter(ctx)
	var sessions []string
	for _, id := range r.Body.Alerts {
		a, err := h.allowedAlert(ctx, in, id, policy.AcknowledgeAlerts)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(sessions, a.SessionID) {
			sessions = append(sessions, a.SessionID)
		}
		audit.About(ctx, "alert", a.ID, a.Name)
	}
	if len(sessions) == 1 {
		audit.InSession(ctx, sessions[0])
	}
	note := strings.TrimSpace(valueOr(r.Body.Note, ""))
	audit.Detail(ctx, "alerts", strings.Join(r.Body.Alerts, " "))
	if note != "" {
		audit.Detail(ctx, "note", note)
	}
	n, err := h.alerts.Acknowledge(ctx, r.Body.Alerts, store.Actor{ID: in.subject.ID, Name: in.subject.Name}, note, time.Now())
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "were_new", strconv.Itoa(n))
	h.notifications.Stir()
	return apigen.AcknowledgeAlerts200JSONResponse{Acknowledged: n}, nil
}

func (v *alertViewer) out(ctx context.Context, a *store.Alert) (apigen.Alert, error) {
	out := apigen.Alert{
		Id: a.ID, Session: a.SessionID, Running: a.Session.State != store.StateEnded, User: apigen.Person{Id: a.Session.UserID, Name: a.Session.UserName},
		Target: apigen.AccessTarget{Id: a.Session.TargetID, Name: a.Session.TargetName}, Account: optional(a.Session.AccountName), Rule: a.Rule, Name: a.Name,
		Severity: apigen.DetectionSeverity(a.Severity), Action: apigen.DetectionAction(a.Action), Source: apigen.DetectionSource(a.Source),
		Person: optional(a.Person), Excerpt: optional(a.Excerpt), Count: a.Count, FirstAt: a.FirstAt, LastAt: a.LastAt,
		FirstMs: a.First.Milliseconds(), LastMs: a.Last.Milliseconds(), State: apigen.AlertStateNew,
	}
	if a.Answer.Kind != "" {
		out.Answer = &apigen.AlertAnswer{Kind: apigen.AlertAnswerKind(a.Answer.Kind), By: optional(a.Answer.By), Reason: optional(a.Answer.Reason)}
	}
	if !a.Acknowledged.IsZero() {
		out.State = apigen.AlertStateAcknowledged
		out.Acknowledged = &struct {
			At   time.Time `json:"at"`
			By   string    `json:"by"`
			Note *string   `json:"note,omitempty"`
		}{a.Acknowledged, a.AcknowledgedBy.Name, optional(a.Note)}
		return out, nil
	}
	var err error
	out.MayAcknowledge, err = v.may(ctx, policy.AcknowledgeAlerts, a)
	return out, err
}

// newAlerts counts the new alerts a person may see, up to maxNewAlerts.
func (h *handlers) newAlerts(ctx context.Context, in *call) (n int, err error) {
	_, err = h.alertViewer(in).each(ctx, store.AlertFilter{New: new(true)}, func(*store.Alert) bool {
		n++
		return n < maxNewAlerts
	})
	return n, err
}
