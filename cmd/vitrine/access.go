package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func newAccessCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "access", Short: "Look at access requests, and give and end access"}
	configFlag(cmd)
	cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.AddCommand(newAccessListCommand(), newAccessRequestsCommand(), newAccessGrantCommand(), newAccessEndCommand())
	return cmd
}

// accessStates are what --state takes.
var accessStates = []string{"open", "closed", "all"}

func newAccessListCommand() *cobra.Command {
	var who, target, state string
	cmd := &cobra.Command{
		Use: "list", Short: "List who may be on which target, and until when", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := store.AccessGrantFilter{TargetID: target, Limit: accessPage}
			switch state {
			case "open":
				f.States = []string{accessrequest.GrantActive, accessrequest.GrantUsedUp}
			case "closed":
				f.States = []string{accessrequest.GrantEnded, accessrequest.GrantExpired}
			}
			return withAccess(cmd, func(ctx context.Context, a *accessTools) error {
				if who != "" {
					u, err := a.identity.UserByName(ctx, who)
					if err != nil {
						return fmt.Errorf("user %q: %w", who, err)
					}
					f.UserID = u.ID
				}
				var all []grantJSON
				for {
					list, err := a.access.Grants(ctx, f)
					if err != nil {
						return err
					}
					for _, g := range list {
						all = append(all, grantOut(g))
						f.Before = g.ID
					}
					if len(list) < f.Limit {
						return printList(cmd, all, "ID\tUSER\tTARGET\tACCOUNT\tFROM\tUNTIL\tSTATE\tSTARTS\tRUNNING", grantJSON.row)
					}
				}
			})
		},
	}
	cmd.Flags().StringVar(&who, "user", "", "only of this user")
	cmd.Flags().StringVar(&target, "target", "", "only for this target")
	stateFlag(cmd, &state)
	return cmd
}

func newAccessRequestsCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "requests", Short: "List what people asked for", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := store.AccessRequestFilter{Limit: accessPage}
			open := []string{accessrequest.StatePending, accessrequest.StateNeedsReview}
			if state == "open" {
				f.States = open
			}
			return withAccess(cmd, func(ctx context.Context, a *accessTools) error {
				var all []requestJSON
				for {
					list, err := a.access.List(ctx, f)
					if err != nil {
						return err
					}
					for _, q := range list {
						f.Before = q.ID
						if state != "closed" || !slices.Contains(open, q.State) {
							all = append(all, requestOut(q))
						}
					}
					if len(list) < f.Limit {
						return printList(cmd, all, "ID\tUSER\tTARGET\tACCOUNT\tFROM\tUNTIL\tSTATE\tDECIDED BY\tREASON", requestJSON.row)
					}
				}
			})
		},
	}
	stateFlag(cmd, &state)
	return cmd
}

func newAccessGrantCommand() *cobra.Command {
	var who, target, account, from, until, reason, ticket string
	var length time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:   "grant --user NAME --target ID (--for DURATION | --until TIME)",
		Short: "Give somebody access to a target, without a request",
		Long: "Gives access as an approved request does: within the window, one session at a time. What policies say besides\n" +
			"approvals holds as ever. Times are such as 2026-03-01T14:00:00+01:00.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := accessrequest.Ask{TargetID: target, TargetName: target, Account: account, Duration: length, Once: once, Reason: reason, Ticket: ticket}
			for _, t := range []struct {
				flag, text string
				into       *time.Time
			}{{"from", from, &ask.From}, {"until", until, &ask.Until}} {
				var err error
				if t.text == "" {
					continue
				}
				if *t.into, err = time.Parse(time.RFC3339, t.text); err != nil {
					return fmt.Errorf("--%s: %q is not a time such as 2026-03-01T14:00:00+01:00", t.flag, t.text)
				}
			}
			if (length == 0) == (until == "") || (length != 0 && from != "") {
				return errors.New("say either --for how long, or --until when, perhaps with --from")
			}
			return withAccess(cmd, func(ctx context.Context, a *accessTools) error {
				u, err := a.identity.UserByName(ctx, who)
				if err != nil {
					return fmt.Errorf("user %q: %w", who, err)
				}
				ask.Person = accessrequest.Person{ID: u.ID, Name: u.Name}
				t, err := a.Targets.Get(ctx, target)
				if err != nil {
					return fmt.Errorf("target %q: %w", target, err)
				}
				as, err := t.Account(account)
				if err != nil {
					return fmt.Errorf("target %q: account %q: %w", target, account, err)
				}
				ask.TargetName, ask.Account = t.Name, as.Name
				var g accessrequest.Grant
				err = a.audited(ctx, "create_access_grant", audit.Object{Kind: "access_grant", Name: u.Name + " on " + t.ID}, func() error {
					g, err = a.access.Invite(ctx, ask, operator())
					return err
				})
				if err != nil {
					return err
				}
				return printOne(cmd, grantOut(g), func() string {
					return fmt.Sprintf("%s may be on %s until %s: %s\n", g.UserName, g.TargetName, g.Until.Format(time.RFC3339), g.ID)
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&who, "user", "", "who")
	f.StringVar(&target, "target", "", "id of the target")
	f.StringVar(&account, "account", "", "name of the account on the target")
	f.DurationVar(&length, "for", 0, "how long from now, such as 2h")
	f.StringVar(&from, "from", "", "when it begins; default: now")
	f.StringVar(&until, "until", "", "when it ends")
	f.BoolVar(&once, "once", false, "for one session only")
	f.StringVar(&reason, "reason", "", "why, for the record")
	f.StringVar(&ticket, "ticket", "", "ticket of the change or incident")
	for _, name := range []string{"user", "target"} {
		if err := cmd.MarkFlagRequired(name); err != nil { // no such flag
			panic(err)
		}
	}
	return cmd
}

func newAccessEndCommand() *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use: "end ID", Short: "End access before its time, and the sessions begun on it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccess(cmd, func(ctx context.Context, a *accessTools) error {
				var g accessrequest.Grant
				err := a.audited(ctx, "end_access_grant", audit.Object{Kind: "access_grant", ID: args[0]}, func() (err error) {
					g, err = a.access.End(ctx, args[0], accessrequest.Person{Name: operator()}, note)
					return err
				})
				if errors.Is(err, accessrequest.ErrClosed) {
					return fmt.Errorf("%s is over already", args[0])
				}
				if err != nil {
					return err
				}
				return printOne(cmd, grantOut(g), func() string {
					return fmt.Sprintf("%s may be on %s no more. A running gateway ends the sessions begun on it within seconds: %d.\n", g.UserName, g.TargetName, len(g.Running))
				})
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "a word about it, for the record and the person")
	return cmd
}

// accessPage is how many rows are read at a time.
const accessPage = 500

func stateFlag(cmd *cobra.Command, state *string) {
	cmd.Flags().StringVar(state, "state", "open", "which: "+strings.Join(accessStates, ", "))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(accessStates, *state) {
			return fmt.Errorf("--state: %q is not one of %s", *state, strings.Join(accessStates, ", "))
		}
		return nil
	}
}

type accessTools struct {
	*serve.AccessTools
	access   *accessrequest.Service
	identity *identity.Service
	// audited does something and writes it to the audit log.
	audited func(ctx context.Context, action string, object audit.Object, do func() error) error
}

// withAccess opens the database beside a running serve, if any, which delivers what people are told.
func withAccess(cmd *cobra.Command, do func(context.Context, *accessTools) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), cfg.Database.Source())
	if err != nil {
		return err
	}
	defer db.Close()
	tools, err := serve.OpenAccess(cfg, db, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return do(cmd.Context(), &accessTools{
		AccessTools: tools, access: tools.Access, identity: tools.Identity,
		audited: func(ctx context.Context, action string, object audit.Object, do func() error) error {
			return audited(ctx, cfg, db, action, object, do)
		},
	})
}

// operator is the name under which what is done here is remembered.
func operator() string {
	return serve.CommandLine().Name + " (command line)"
}

type grantJSON struct {
	ID        string     `json:"id"`
	Request   string     `json:"request,omitempty"`
	UserID    string     `json:"user_id"`
	User      string     `json:"user"`
	Target    string     `json:"target"`
	Account   string     `json:"account,omitempty"`
	Ticket    string     `json:"ticket,omitempty"`
	From      time.Time  `json:"from"`
	Until     time.Time  `json:"until"`
	State     string     `json:"state"`
	Once      bool       `json:"once"`
	Starts    int        `json:"starts"`
	Running   []string   `json:"running"`
	CreatedBy string     `json:"created_by"`
	ClosedBy  string     `json:"closed_by,omitempty"`
	ClosedAt  *time.Time `json:"closed_at,omitempty"`
	Note      string     `json:"note,omitempty"`
}

func grantOut(g accessrequest.Grant) grantJSON {
	out := grantJSON{
		ID: g.ID, Request: g.RequestID, UserID: g.UserID, User: g.UserName, Target: g.TargetID, Account: g.Account, Ticket: g.Ticket, From: g.From,
		Until: g.Until, State: g.State, Once: g.MaxStarts == 1, Starts: g.Starts, Running: append([]string{}, g.Running...), CreatedBy: g.CreatedBy,
		ClosedBy: g.ClosedBy, Note: g.Note,
	}
	if !g.ClosedAt.IsZero() {
		out.ClosedAt = &g.ClosedAt
	}
	return out
}

func (g grantJSON) row() string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", g.ID, g.User, g.Target, dash(g.Account), g.From.Format(time.RFC3339), g.Until.Format(time.RFC3339), g.State, g.Starts, len(g.Running))
}

type requestJSON struct {
	ID        string         `json:"id"`
	Kind      string         `json:"kind"`
	State     string         `json:"state"`
	UserID    string         `json:"user_id"`
	User      string         `json:"user"`
	Target    string         `json:"target"`
	Account   string         `json:"account,omitempty"`
	From      time.Time      `json:"from"`
	Until     time.Time      `json:"until"`
	Floating  bool           `json:"floating"` // the window begins with the approval
	Reason    string         `json:"reason"`
	Ticket    string         `json:"ticket,omitempty"`
	Approvals int            `json:"approvals"`
	Decisions []decisionJSON `json:"decisions"`
	Grant     string         `json:"grant,omitempty"`
	CreatedAt time.Time      `json:"created_at"`
}

type decisionJSON struct {
	UserID  string    `json:"user_id"`
	User    string    `json:"user"`
	Verdict string    `json:"verdict"`
	Note    string    `json:"note,omitempty"`
	At      time.Time `json:"at"`
}

func requestOut(q accessrequest.Request) requestJSON {
	out := requestJSON{
		ID: q.ID, Kind: q.Kind, State: q.State, UserID: q.UserID, User: q.UserName, Target: q.TargetID, Account: q.Account, From: q.From, Until: q.Until,
		Floating: q.Floating, Reason: q.Reason, Ticket: q.Ticket, Approvals: q.ApprovalsNeeded, Decisions: []decisionJSON{}, Grant: q.GrantID, CreatedAt: q.CreatedAt,
	}
	for _, d := range q.Decisions {
		out.Decisions = append(out.Decisions, decisionJSON{d.UserID, d.UserName, d.Verdict, d.Note, d.DecidedAt})
	}
	return out
}

func (q requestJSON) row() string {
	var by []string
	for _, d := range q.Decisions {
		by = append(by, d.User)
	}
	reason := []rune(strings.Join(strings.Fields(q.Reason), " "))
	if len(reason) > 60 {
		reason = append(reason[:59], '…')
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", q.ID, q.User, q.Target, dash(q.Account), q.From.Format(time.RFC3339), q.Until.Format(time.RFC3339), q.State, dash(strings.Join(by, ",")), string(reason))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// printList prints rows under a header, or as JSON.
func printList[T any](cmd *cobra.Command, list []T, header string, row func(T) string) error {
	if list == nil {
		list = []T{}
	}
	return printOne(cmd, list, func() string {
		var out strings.Builder
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, header)
		for _, one := range list {
			fmt.Fprint(w, row(one))
		}
		w.Flush() // into memory
		return out.String()
	})
}

// printOne prints what text says, or what as JSON.
func printOne(cmd *cobra.Command, what any, text func() string) error {
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(what)
	}
	_, err = io.WriteString(cmd.OutOrStdout(), text())
	return err
}
