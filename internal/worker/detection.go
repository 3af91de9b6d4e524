package worker

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
)

// Alert is a rule of detection that fits what happens in a session.
type Alert struct {
	Rule, Name string
	Severity   detect.Severity
	Action     detect.Action
	Source     detect.Source
	Excerpt    string        // empty where the recording keeps no typed text
	Actor      string        // name of the person
	Count      int           // more of the same since the last; 0: it is one
	Moment     time.Duration // on the recording's clock
}

// alertIn reads an alert of a worker, which may have been taken over. ok is unset for what no worker says.
func alertIn(a *workerpb.Alert) (out Alert, ok bool) {
	out = Alert{
		Rule: bounded(a.GetRule()), Name: bounded(a.GetName()), Excerpt: bounded(a.GetExcerpt()), Actor: bounded(a.GetActor()),
		Severity: detect.Severity(a.GetSeverity()), Action: detect.Action(a.GetAction()), Source: detect.Source(a.GetSource()),
		Count: int(min(a.GetCount(), 1<<30)), Moment: time.Duration(min(max(a.GetMomentUs(), 0), maxMomentUS)) * time.Microsecond,
	}
	return out, out.Rule != "" && out.Severity.Rank() >= 0 && slices.Contains(detect.Actions(), out.Action) &&
		slices.Contains(detect.Sources(), out.Source)
}

// Justification is what became of a rule's question why.
type Justification struct {
	Rule, Name string
	Answer     string // one of recording's answers
	Text       string
	Actor      string // name of the person; empty: the gateway
	Released   bool   // what was held back was done
}

// justificationIn reads an answer of a worker. ok is unset for what no worker says.
func justificationIn(j *workerpb.Justification) (out Justification, ok bool) {
	out = Justification{
		Rule: bounded(j.GetRule()), Name: bounded(j.GetName()), Answer: j.GetAnswer(), Text: bounded(j.GetText()), Actor: bounded(j.GetActor()),
		Released: j.GetReleased(),
	}
	answers := []string{recording.AnswerGiven, recording.AnswerRefused, recording.AnswerExpired, recording.AnswerWithdrawn}
	return out, out.Rule != "" && slices.Contains(answers, out.Answer)
}

// detection is what the session watches for, as serve says.
func detection(req *workerpb.StartRequest, origin time.Time, f *feed) (session.Detection, error) {
	rules, err := rulesIn(req.GetDetection())
	return session.Detection{
		Rules: rules, Windows: req.GetTarget().GetProtocol() == "rdp", Origin: origin,
		Secret:      recording.KeyMode(req.GetRecording().GetKeys()) != recording.KeysFull,
		Alert:       func(a recording.AlertEvent) { f.alert(a, time.Since(origin)) },
		AnswerLimit: time.Duration(req.GetAnswerSeconds()) * time.Second, Unanswered: session.Unanswered(req.GetUnanswered()), Answered: f.justification,
	}, err
}

// rulesIn reads rules as serve sends them; empty: none.
func rulesIn(text []byte) (*detect.Set, error) {
	var file detect.File
	if len(text) > 0 {
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("worker: rules of detection: %w", err)
		}
	}
	rules, err := detect.Compile(file.Rules, file.Lists)
	if err != nil {
		return nil, fmt.Errorf("worker: rules of detection: %w", err)
	}
	return rules, nil
}
