package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/worker"
)

// Alerts that are alike are grouped.
const (
	// alertWindow is how long alerts of one rule in one session are counted after the first was told.
	alertWindow = time.Minute
	// alertGap is how long nothing of a rule may be found in a session until what is found next is an alert of its own in the store. What
	// was acknowledged counts no further in any case.
	alertGap = 15 * time.Minute
	// alertCounts is how often what was counted is written to the store.
	alertCounts = 2 * time.Second
	// maxSessionAlerts bounds the rules of a session that are told apart: workers are not believed in how many there are.
	maxSessionAlerts = 500
	// maxAlerts bounds the alerts in the store, beside their retention.
	maxAlerts = 100_000
	// alertsClean is how often old ones are removed.
	alertsClean = time.Hour
)

// alerts brings what rules of detection find in sessions to the store, to the audit log and to supervisors. A storm is told once: the
// first of a rule in a session at once, the rest as a number with the next one after the window or when the session ends.
type alerts struct {
	db     *store.Store
	audit  audit.Recorder
	people *people
	notify *notify.Service
	keep   time.Duration // 0: for ever
	now    func() time.Time
	log    *slog.Logger

	mu  sync.Mutex
	all map[string]map[string]*raised // by session and rule

	writing sync.Mutex // held while the store learns of alerts, before mu
}

// raised is what is known of a rule in a session.
type raised struct {
	last    worker.Alert
	at      time.Time // of the last
	toldAt  time.Time
	untold  int
	highest detect.Severity

	row       string // id of the alert in the store; "": none yet
	unwritten int    // counted since that was written
	gap       bool   // the next one is another alert in the store
}

func newAlerts(db *store.Store, a audit.Recorder, p *people, n *notify.Service, keep time.Duration, log *slog.Logger) *alerts {
	return &alerts{
		db: db, audit: a, people: p, notify: n, keep: keep, now: time.Now, log: log.With("component", "detection"), all: map[string]map[string]*raised{},
	}
}

// Run writes down what is counted and removes what is old, until ctx ends.
func (a *alerts) Run(ctx context.Context) error {
	counts, clean := time.NewTicker(alertCounts), time.NewTicker(alertsClean)
	defer counts.Stop()
	defer clean.Stop()
	a.clean(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-counts.C:
			a.mu.Lock()
			sessions := slices.Collect(maps.Keys(a.all))
			a.mu.Unlock()
			for _, session := range sessions {
				a.store(session)
			}
		case <-clean.C:
			a.clean(ctx)
		}
	}
}

func (a *alerts) clean(ctx context.Context) {
	before := time.UnixMicro(0)
	if a.keep > 0 {
		before = a.now().Add(-a.keep)
	}
	if n, err := a.db.Alerts.DeleteBefore(ctx, before, maxAlerts); err != nil && ctx.Err() == nil {
		a.log.ErrorContext(ctx, "old alerts not removed", "error", err)
	} else if n > 0 {
		a.log.InfoContext(ctx, "old alerts removed", "alerts", n)
	}
}

// raise takes in an alert of a session.
func (a *alerts) raise(session string, alert worker.Alert) {
	repeated, tell := a.count(session, alert)
	if !tell {
		return
	}
	a.store(session)
	a.told(session, a.rowOf(session, alert.Rule), alert, repeated)
}

// count notes an alert. It tells whether it is to be told, and how many have not been.
func (a *alerts) count(session string, alert worker.Alert) (repeated int, tell bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rules := a.all[session]
	if rules == nil {
		rules = map[string]*raised{}
		a.all[session] = rules
	}
	r := rules[alert.Rule]
	if r == nil {
		if len(rules) == maxSessionAlerts {
			return 0, false
		}
		r = &raised{}
		rules[alert.Rule] = r
	}
	if r.highest == "" || alert.Severity.Rank() > r.highest.Rank() {
		r.highest = alert.Severity
	}
	now := a.now()
	r.gap = r.gap || now.Sub(r.at) >= alertGap
	r.last, r.at = alert, now
	r.unwritten += max(alert.Count, 1)
	if r.toldAt.IsZero() || now.Sub(r.toldAt) >= alertWindow {
		repeated, r.untold, r.toldAt = r.untold+max(alert.Count-1, 0), 0, now
		return repeated, true
	}
	r.untold += max(alert.Count, 1)
	return 0, false
}

// rowOf is the alert in the store; "": there is none.
func (a *alerts) rowOf(session, rule string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.all[session][rule]; r != nil {
		return r.row
	}
	return ""
}

// store writes down what was counted in a session. What cannot be is tried again with the next.
func (a *alerts) store(session string) {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	pending := map[string]raised{}
	for id, r := range a.all[session] {
		if r.unwritten > 0 {
			pending[id] = *r
		}
	}
	a.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(pending)) {
		r := pending[id]
		row, err := a.write(session, &r)
		if err != nil {
			a.log.Error("alert not written to the store", "session_id", session, "rule", id, "error", err)
			continue
		}
		a.mu.Lock()
		if now := a.all[session][id]; now != nil {
			now.row, now.gap = row, false
			now.unwritten -= r.unwritten
		}
		a.mu.Unlock()
	}
}

// write adds what was counted to the alert in the store, or makes another, and returns its id.
func (a *alerts) write(session string, r *raised) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if r.row != "" && !r.gap {
		err := a.db.Alerts.Again(ctx, r.row, r.unwritten, r.at, r.last.Moment)
		if !errors.Is(err, store.ErrNotFound) {
			return r.row, err
		}
	}
	row := store.Alert{
		ID: ulid.Make().String(), SessionID: session, Rule: r.last.Rule, Name: r.last.Name, Severity: string(r.last.Severity),
		SeverityRank: r.last.Severity.Rank(), Action: string(r.last.Action), Source: string(r.last.Source), Person: r.last.Actor, Excerpt: r.last.Excerpt,
		Count: r.unwritten, FirstAt: r.at, LastAt: r.at, First: r.last.Moment, Last: r.last.Moment,
	}
	if err := a.db.Alerts.Create(ctx, row); err != nil {
		return "", err
	}
	a.notify.Stir()
	return row.ID, nil
}

// over tells of what was counted in a session that has ended, and forgets it.
func (a *alerts) over(session string) {
	a.store(session)
	a.mu.Lock()
	rules := a.all[session]
	delete(a.all, session)
	a.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		if r := rules[id]; r.untold > 0 {
			a.record(session, r.last, r.untold-1)
		}
	}
}

// severities returns those of the rules that fit in a running session, one for each rule.
func (a *alerts) severities(session string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, r := range a.all[session] {
		out = append(out, string(r.highest))
	}
	slices.Sort(out)
	return out
}

// record puts an alert into the audit log.
func (a *alerts) record(session string, alert worker.Alert, repeated int) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	row, err := a.db.Sessions.Get(ctx, session)
	if err == nil {
		err = a.audit.Record(ctx, sessionAlert(&row, alert, repeated))
	}
	if err != nil {
		a.log.Error("alert not written to the audit log", "session_id", session, "rule", alert.Rule, "error", err)
	}
}

// told writes an alert down and tells supervisors.
func (a *alerts) told(session, row string, alert worker.Alert, repeated int) {
	a.log.Warn("a rule fits what happens in a session", "session_id", session, "rule", alert.Rule, "severity", string(alert.Severity), "action", string(alert.Action))
	a.record(session, alert, repeated)
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	of, err := a.db.Sessions.Get(ctx, session)
	if err != nil {
		a.log.Error("nobody is told of an alert", "session_id", session, "error", err)
		return
	}
	to, err := a.people.alerted(ctx, &of)
	if err == nil || len(to) > 0 {
		err = errors.Join(err, a.notify.Publish(ctx, alertNews(&of, row, alert, repeated, to)))
	}
	if err != nil {
		a.log.Error("not everybody is told of an alert", "session_id", session, "error", err)
	}
}

// sessionAlert is the entry of an alert. Its actor is who did what the rule fits.
func sessionAlert(row *store.Session, alert worker.Alert, repeated int) audit.Entry {
	e := audit.Entry{
		Actor: system("detection"), Action: audit.ActionSessionAlert, Outcome: audit.Success, SessionID: row.ID,
		Object: audit.Object{Kind: "target", ID: row.TargetID, Name: row.TargetName},
		Details: map[string]string{
			"rule": alert.Rule, "name": alert.Name, "severity": string(alert.Severity), "action": string(alert.Action),
			"source": string(alert.Source), "person": alert.Actor, "user_name": row.UserName,
		},
	}
	if alert.Excerpt != "" {
		e.Details["excerpt"] = alert.Excerpt
	}
	if repeated > 0 {
		e.Details["repeated"] = strconv.Itoa(repeated)
	}
	return e
}

// justified writes down what somebody says to a rule that asks why, beside its alert too, and tells those who were told of that.
func (a *alerts) justified(session string, j worker.Justification) {
	a.log.Info("a rule that asks why has its answer", "session_id", session, "rule", j.Rule, "answer", j.Answer)
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	row, err := a.db.Sessions.Get(ctx, session)
	if err == nil {
		err = a.audit.Record(ctx, sessionJustification(&row, j))
	}
	if err != nil {
		a.log.Error("justification not written to the audit log", "session_id", session, "rule", j.Rule, "error", err)
		return
	}
	if id := a.rowOf(session, j.Rule); id != "" {
		err := a.db.Alerts.Answered(ctx, id, store.Answer{Kind: j.Answer, By: j.Actor, Reason: j.Text})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			a.log.Error("justification not written to its alert", "session_id", session, "rule", j.Rule, "error", err)
		}
		a.notify.Stir()
	}
	if j.Answer == recording.AnswerWithdrawn {
		return // whoever did that knows
	}
	to, err := a.people.alerted(ctx, &row)
	if err == nil || len(to) > 0 {
		err = errors.Join(err, a.notify.Publish(ctx, justificationNews(&row, j, to)))
	}
	if err != nil {
		a.log.Error("not everybody is told of a justification", "session_id", session, "error", err)
	}
}

// sessionJustification is the entry of an answer. Its details name who gave it.
func sessionJustification(row *store.Session, j worker.Justification) audit.Entry {
	e := audit.Entry{
		Actor: system("detection"), Action: audit.ActionSessionJustification, Outcome: audit.Success, SessionID: row.ID,
		Object: audit.Object{Kind: "target", ID: row.TargetID, Name: row.TargetName},
		Details: map[string]string{
			"rule": j.Rule, "name": j.Name, "answer": j.Answer, "person": j.Actor, "user_name": row.UserName, "released": strconv.FormatBool(j.Released),
		},
	}
	if j.Text != "" {
		e.Details["reason"] = j.Text
	}
	return e
}

func justificationNews(row *store.Session, j worker.Justification, to []notify.Recipient) notify.Event {
	who := cmp.Or(j.Actor, row.UserName)
	said := map[string]string{
		recording.AnswerGiven: who + " says: " + j.Text, recording.AnswerRefused: who + " does not do it.",
		recording.AnswerExpired: "Nobody said why in time.",
	}[j.Answer]
	return notify.Event{
		Kind: notify.SessionAlert, Title: "Answer: " + j.Name + " on " + row.TargetName,
		Text: fmt.Sprintf("%s asked why in the session of %s on %s. %s", j.Name, row.UserName, row.TargetName, said), Link: "/sessions", To: to,
		Data: map[string]string{
			"session_id": row.ID, "rule": j.Rule, "name": j.Name, "answer": j.Answer, "reason": j.Text, "user_id": row.UserID, "user_name": row.UserName,
			"target_id": row.TargetID, "target_name": row.TargetName,
		},
	}
}

// consequences words what a rule did.
var consequences = map[detect.Action]string{
	detect.ActionJustify: " The session waits for a reason.", detect.ActionFreeze: " The session was frozen.", detect.ActionTerminate: " The session was ended.",
}

func alertNews(row *store.Session, id string, alert worker.Alert, repeated int, to []notify.Recipient) notify.Event {
	text := fmt.Sprintf("%s (%s, %s) in the session of %s on %s.%s", alert.Name, alert.Severity, alert.Source, row.UserName, row.TargetName, consequences[alert.Action])
	if repeated > 0 {
		text += fmt.Sprintf(" And %d more of the kind before.", repeated)
	}
	if alert.Excerpt != "" {
		text += " " + alert.Excerpt
	}
	link := "/alerts"
	if id != "" {
		link += "/" + id + "/open" // where it is depends on whether the session still runs
	}
	return notify.Event{
		Kind: notify.SessionAlert, Urgent: alert.Severity.Rank() >= detect.High.Rank(), Title: "Alert: " + alert.Name + " on " + row.TargetName,
		Text: text, Link: link, To: to,
		Data: map[string]string{
			"session_id": row.ID, "alert_id": id, "moment_ms": strconv.FormatInt(alert.Moment.Milliseconds(), 10), "rule": alert.Rule, "name": alert.Name, "severity": string(alert.Severity), "action": string(alert.Action),
			"source": string(alert.Source), "excerpt": alert.Excerpt, "user_id": row.UserID, "user_name": row.UserName,
			"target_id": row.TargetID, "target_name": row.TargetName, "repeated": strconv.Itoa(repeated),
		},
	}
}

// alerted are those who may read the alerts of a session, by policy, besides whose it is.
func (p *people) alerted(ctx context.Context, row *store.Session) ([]notify.Recipient, error) {
	return p.allowed(ctx, policy.ReadAlerts, policy.Resource{
		Kind: policy.KindSession, ID: row.ID, Owner: row.UserID, Target: row.TargetID, Account: row.AccountName,
	})
}
