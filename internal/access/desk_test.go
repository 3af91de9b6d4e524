package access

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
)

func TestAdmit(t *testing.T) {
	const connect = `permit (principal in Role::"user", action == Action::"connect", resource)`
	grant := func(approvals int) func(r *rig, f *Facts) {
		return func(r *rig, _ *Facts) {
			r.grants.grant = &Grant{ID: "g", From: time.Now(), Until: time.Now().Add(time.Hour), Approvals: approvals, Ticket: "CHG-1", Reason: "as asked"}
		}
	}
	for _, tc := range []struct {
		name   string
		text   string
		change func(r *rig, f *Facts)
		want   string // a NeededError's code, "denied", "error", or "" for a yes
	}{
		{"yes", connect + `;`, nil, ""},
		{"no", `forbid (principal, action, resource in Target::"desk"); ` + connect + `;`, nil, "denied"},
		{"reason", `@reason("required") ` + connect + `;`, nil, NeedReason},
		{"blank reason", `@reason("required") ` + connect + `;`, func(_ *rig, f *Facts) { f.Reason = " \t" }, NeedReason},
		{"reason given", `@reason("required") ` + connect + `;`, func(_ *rig, f *Facts) { f.Reason = "disk full" }, ""},
		{"reason of the grant", `@reason("required") @approvals("1") ` + connect + `;`, grant(1), ""},
		{"ticket", `@ticket("required") ` + connect + `;`, nil, NeedTicket},
		{"ticket of another kind", `@ticket("required") ` + connect + `;`, func(_ *rig, f *Facts) { f.Ticket = "INC-1" }, NeedTicket},
		{"ticket given", `@ticket("required") ` + connect + `;`, func(_ *rig, f *Facts) { f.Ticket = "CHG-12" }, ""},
		{"ticket of the grant", `@ticket("required") ` + connect + `;`, grant(1), ""},
		{"approval", `@approvals("1") ` + connect + `;`, nil, NeedApproval},
		{"approval given", `@approvals("1") ` + connect + `;`, grant(1), ""},
		{"two approvals, one given", `@approvals("2") ` + connect + `;`, grant(1), NeedApproval},
		{"two approvals given", `@approvals("2") ` + connect + `;`, grant(2), ""},
		{"approval in the condition", connect + ` when { context.approved };`, nil, NeedApproval},
		{"approval for somebody else's role", `permit (principal in Role::"reviewer", action == Action::"connect", resource) when { context.approved };`, nil, "denied"},
		{"factor", connect + ` when { context has mfa_age && context.mfa_age < 60 };`, nil, NeedMFA},
		{"factor and approval", connect + ` when { context has mfa_age && context.approved };`, nil, NeedApproval},
		{"factor given", connect + ` when { context has mfa_age && context.mfa_age < 60 };`, func(_ *rig, f *Facts) { f.Subject.MFAAt = time.Now() }, ""},
		{"too many", connect + ` when { context.concurrent < 2 };`, func(r *rig, _ *Facts) {
			r.desk.Concurrent = func(context.Context, string) (int, error) { return 2, nil }
		}, "denied"},
		{"not counted", connect + `;`, func(r *rig, _ *Facts) {
			r.desk.Concurrent = func(context.Context, string) (int, error) { return 0, errors.New("store down") }
		}, "error"},
		{"grants unknown", connect + `;`, func(r *rig, _ *Facts) { r.grants.err = errors.New("store down") }, "error"},
		{"source", connect + ` when { context has source && context.source.isLoopback() };`, func(_ *rig, f *Facts) { f.Source = netip.MustParseAddr("127.0.0.1") }, ""},
		{"token", connect + `;`, func(_ *rig, f *Facts) { f.Subject.Scopes = []policy.Action{policy.Replay} }, "denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inRig(t, tc.text, func(r *rig) {
				r.desk.TicketPattern = regexp.MustCompile(`^(?:CHG-\d+)$`)
				f := r.facts()
				if tc.change != nil {
					tc.change(r, &f)
				}
				a, err := r.desk.Admit(r.t.Context(), f)
				need, needed := errors.AsType[*NeededError](err)
				_, denied := errors.AsType[*policy.DeniedError](err)
				switch tc.want {
				case "":
					require.NoError(t, err)
					require.NotEmpty(t, a.Policies)
					require.Equal(t, Clipboard{}, a.Clipboard, "nothing allows it")
				case "denied":
					require.True(t, denied, "%v", err)
				case "error":
					require.ErrorContains(t, err, "store down")
				default:
					require.True(t, needed, "%v", err)
					require.Equal(t, tc.want, need.Code)
					require.NotContains(t, need.Detail(), "access:")
					require.NotEmpty(t, need.Policies)
				}
			})
		})
	}
}

func TestApprovals(t *testing.T) {
	inRig(t, `@approvals("2") permit (principal in Role::"user", action == Action::"connect", resource in Tag::"prod") when { context.approved };
		@approvals("1") permit (principal in Role::"user", action == Action::"connect", resource) when { context.approved };`, func(r *rig) {
		n, err := r.desk.Approvals(r.t.Context(), r.facts())
		require.NoError(t, err)
		require.Equal(t, 2, n, "the strictest")
		f := r.facts()
		f.Resource.Tags = nil
		n, err = r.desk.Approvals(r.t.Context(), f)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		f.Subject.Roles = nil
		n, err = r.desk.Approvals(r.t.Context(), f)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestNeededInWords(t *testing.T) {
	require.Contains(t, (&NeededError{Code: NeedTicket, Pattern: `CHG-\d+`}).Detail(), `CHG-\d+`)
	require.Contains(t, (&NeededError{Code: NeedApproval, Approvals: 2}).Detail(), "2 people")
}
