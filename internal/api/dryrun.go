package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/rules"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// DryRunDetection tries a rule on recordings.
func (h *handlers) DryRunDetection(ctx context.Context, r apigen.DryRunDetectionRequestObject) (apigen.DryRunDetectionResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.readRules(ctx, in); err != nil {
		return nil, err
	}
	rule, err := h.ruleToTry(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "detection_rule", rule.ID, rule.Name)
	tellChange(ctx, nil, struct {
		Any   []string `json:"any,omitempty"`
		All   []string `json:"all,omitempty"`
		None  []string `json:"none,omitempty"`
		Lists []string `json:"lists,omitempty"`
	}{rule.Any, rule.All, rule.None, rule.Lists}, 0)
	set, err := h.alone(ctx, rule)
	if err != nil {
		return nil, err
	}
	select {
	case h.dryRuns <- struct{}{}:
		defer func() { <-h.dryRuns }()
	default:
		return nil, &Error{Status: http.StatusServiceUnavailable, Code: "dry_run_busy", Detail: "As many rules are being tried as can be at a time. Try again in a moment."}
	}
	out := apigen.DryRunResult{Skipped: []struct {
		Reason    string           `json:"reason"`
		Recording apigen.Recording `json:"recording"`
	}{}, Recordings: []apigen.DryRunRecording{}}
	filter := store.SessionFilter{
		User: valueOr(r.Body.User, ""), Target: valueOr(r.Body.Target, ""), Since: valueOr(r.Body.Since, time.Time{}), Before: valueOr(r.Body.Before, ""),
	}
	err = h.dryRun(ctx, in, set, filter, valueOr(r.Body.Limit, defaultDryRun), &out)
	return apigen.DryRunDetection200JSONResponse(out), err
}

// ruleToTry is the one that is sent, or the one of that id.
func (h *handlers) ruleToTry(ctx context.Context, b *apigen.DryRun) (detect.Rule, error) {
	id := valueOr(b.Id, "")
	if (id == "") == (b.Rule == nil) {
		return detect.Rule{}, &Error{Status: http.StatusBadRequest, Code: codeRequestInvalid, Detail: "Send either the id of a rule or a rule."}
	}
	if b.Rule == nil {
		r, err := h.rule(ctx, id)
		return r.Rule, err
	}
	return ruleIn(b.Rule)
}

// dryRun tries recordings until limit of them were, there are no more, or the time is over.
func (h *handlers) dryRun(ctx context.Context, in *call, set *detect.Set, filter store.SessionFilter, limit int, out *apigen.DryRunResult) error {
	end := time.Now().Add(dryRunTime)
	for looked := 0; out.Tried < limit; {
		filter.Limit = min(minRead, maxSessionsRead-looked)
		list, err := h.recordings.List(ctx, filter)
		if err != nil {
			return err
		}
		for i := range list {
			rec := &list[i]
			if out.Tried == limit || time.Now().After(end) {
				out.Next = optional(filter.Before)
				return nil
			}
			filter.Before = rec.SessionID
			allowed, err := h.permits(ctx, in, policy.Replay, recordingResource(rec))
			if err != nil {
				return err
			}
			if !allowed {
				continue
			}
			if err := h.tryOn(ctx, set, rec, out); err != nil {
				return err
			}
		}
		looked += len(list)
		if len(list) < filter.Limit {
			return nil
		}
		if looked >= maxSessionsRead {
			break
		}
	}
	out.Next = optional(filter.Before)
	return nil
}

// tryOn tries the rules on one recording. One that cannot be read says why.
func (h *handlers) tryOn(ctx context.Context, set *detect.Set, rec *Recording, out *apigen.DryRunResult) error {
	skip := func(reason string) {
		out.Skipped = append(out.Skipped, struct {
			Reason    string           `json:"reason"`
			Recording apigen.Recording `json:"recording"`
		}{reason, recordingOut(rec)})
	}
	out.Tried++
	if err := gone(rec); err != nil {
		skip(errorOf(err).Detail)
		return nil
	}
	one, cancel := context.WithTimeout(ctx, dryRunOne)
	defer cancel()
	trial, err := h.tryRecording(one, set, rec.SessionID)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		skip("It has so much in it that trying it took too long.")
		return nil
	case err != nil:
		e := errorOf(err)
		if e.Status == http.StatusInternalServerError {
			return err
		}
		skip(e.Detail)
		return nil
	}
	if len(trial.Hits) == 0 {
		return nil
	}
	found := apigen.DryRunRecording{Recording: recordingOut(rec), More: trial.More}
	if trial.Info.Keys != recording.KeysFull {
		found.Keys = optional(string(trial.Info.Keys))
	}
	for _, hit := range trial.Hits {
		found.Hits = append(found.Hits, struct {
			Actor  *string                `json:"actor,omitempty"`
			Source apigen.DetectionSource `json:"source"`

			// TMs Since the recording began.
			TMs  int64  `json:"t_ms"`
			Text string `json:"text"`

			// Told An alert of this rule is in the recording thereabouts.
			Told bool `json:"told"`
		}{optional(hit.Actor), apigen.DetectionSource(hit.Source), hit.US / 1000, hit.Excerpt, hit.Told})
	}
	out.Recordings = append(out.Recordings, found)
	return nil
}

func (h *handlers) tryRecording(ctx context.Context, set *detect.Set, session string) (_ rules.Trial, err error) {
	rec, err := h.library.Open(ctx, session)
	if err != nil {
		return rules.Trial{}, err
	}
	defer func() { err = errors.Join(err, rec.Close()) }()
	return rules.Try(ctx, rec, set, rules.MaxTrialHits)
}
