package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Read, check, change and explain policies",
		Long: "Policies say who may do what. They are kept in the database; a running gateway takes up changes within seconds.\n" +
			"A file holds one policy; its name without .cedar is the policy's id.",
	}
	configFlag(cmd)
	cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.AddCommand(policyCheckCommand(), policyListCommand(), policyShowCommand(), policyApplyCommand(), policyDeleteCommand(), policyExportCommand(), policyExplainCommand())
	return cmd
}

func policyCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Check files against the schema, without a database",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			type finding struct {
				File     string          `json:"file"`
				Line     int             `json:"line"`
				Column   int             `json:"column"`
				Severity policy.Severity `json:"severity"`
				Message  string          `json:"message"`
			}
			out, bad := []finding{}, 0
			for _, file := range args {
				text, err := readPolicy(file)
				if err != nil {
					return err
				}
				found := policy.Inspect(text)
				if policy.Errors(found) != nil {
					bad++
				}
				for _, f := range found {
					out = append(out, finding{file, f.Line, f.Column, f.Severity, f.Message})
				}
			}
			err := printed(cmd, out, func(w io.Writer) {
				for _, f := range out {
					fmt.Fprintf(w, "%s:%d:%d: %s: %s\n", f.File, f.Line, f.Column, f.Severity, f.Message)
				}
			})
			if err == nil && bad > 0 {
				err = fmt.Errorf("%d of %d files have errors", bad, len(args))
			}
			return err
		},
	}
}

// policyOut is a policy in JSON.
type policyOut struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Enabled   bool      `json:"enabled"`
	Deleted   bool      `json:"deleted,omitempty"`
	Revision  int64     `json:"revision"`
	UpdatedAt time.Time `json:"updated_at"`
	UpdatedBy string    `json:"updated_by"`
	Text      string    `json:"text"`
}

func outOf(p store.Policy) policyOut {
	return policyOut{p.ID, p.Name, p.Enabled, p.Deleted, p.Revision, p.UpdatedAt, p.UpdatedByName, p.Text}
}

func policyListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the policies", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBook(cmd, func(ctx context.Context, b *bookAndAll) error {
				list, err := b.book.List(ctx)
				if err != nil {
					return err
				}
				out := []policyOut{}
				for _, p := range list {
					out = append(out, outOf(p))
				}
				return printed(cmd, out, func(w io.Writer) {
					t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
					fmt.Fprintln(t, "ID\tNAME\tENABLED\tUPDATED\tBY")
					for _, p := range out {
						fmt.Fprintf(t, "%s\t%s\t%t\t%s\t%s\n", p.ID, p.Name, p.Enabled, p.UpdatedAt.Local().Format(time.DateTime), p.UpdatedBy)
					}
					t.Flush()
				})
			})
		},
	}
}

func policyShowCommand() *cobra.Command {
	var history bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a policy, or its history", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBook(cmd, func(ctx context.Context, b *bookAndAll) error {
				list := make([]store.Policy, 1)
				var err error
				if history {
					list, err = b.book.Versions(ctx, args[0], 0, 1000)
				} else {
					list[0], err = b.book.Get(ctx, args[0])
				}
				if err != nil {
					return err
				}
				out := []policyOut{}
				for _, p := range list {
					out = append(out, outOf(p))
				}
				return printed(cmd, out, func(w io.Writer) {
					for i, p := range out {
						if history {
							fmt.Fprintf(w, "// %s by %s, revision %d%s\n", p.UpdatedAt.Local().Format(time.DateTime), p.UpdatedBy, p.Revision, map[bool]string{true: ", deleted"}[p.Deleted])
						}
						fmt.Fprintln(w, strings.TrimRight(p.Text, "\n"))
						if history && i < len(out)-1 {
							fmt.Fprintln(w)
						}
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&history, "history", false, "every version, newest first")
	return cmd
}

func policyApplyCommand() *cobra.Command {
	var force, disabled bool
	var name string
	cmd := &cobra.Command{
		Use:   "apply FILE…",
		Short: "Put the policies of files in force, all or none",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name != "" && len(args) > 1 {
				return errors.New("--name is for one file")
			}
			return withBook(cmd, func(ctx context.Context, b *bookAndAll) error {
				var changes []policy.Change
				for _, file := range args {
					text, err := readPolicy(file)
					if err != nil {
						return err
					}
					if found := policy.Inspect(text); policy.Errors(found) != nil {
						return fmt.Errorf("%s:%v", file, found[0])
					}
					d := policy.Document{ID: strings.TrimSuffix(filepath.Base(file), ".cedar"), Text: text, Enabled: !disabled}
					d.Name = d.ID
					if before, err := b.book.Get(ctx, d.ID); err == nil {
						d.Name = before.Name
					}
					if name != "" {
						d.Name = name
					}
					changes = append(changes, policy.Change{Document: d, Base: policy.AnyRevision})
				}
				ids := make([]string, len(changes))
				for i, c := range changes {
					ids[i] = c.ID
				}
				err := audited(ctx, b.cfg, b.db, "update_policy", audit.Object{Kind: "policy", ID: strings.Join(ids, " ")}, func() error {
					return b.book.Apply(ctx, policy.Author{Name: "command line", Force: force}, changes...)
				})
				if err != nil {
					return err
				}
				for _, c := range changes {
					fmt.Fprintf(cmd.OutOrStdout(), "%s is in force\n", c.ID)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also when no administrator could manage policies any more")
	cmd.Flags().BoolVar(&disabled, "disabled", false, "save, but do not put in force")
	cmd.Flags().StringVar(&name, "name", "", "what the policy is called (default: as before, or its id)")
	return cmd
}

func policyDeleteCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "delete ID", Short: "Remove a policy; its history stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBook(cmd, func(ctx context.Context, b *bookAndAll) error {
				return audited(ctx, b.cfg, b.db, "delete_policy", audit.Object{Kind: "policy", ID: args[0]}, func() error {
					return b.book.Apply(ctx, policy.Author{Name: "command line", Force: force},
						policy.Change{Document: policy.Document{ID: args[0]}, Delete: true, Base: policy.AnyRevision})
				})
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also when no administrator could manage policies any more")
	return cmd
}

func policyExportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export FOLDER", Short: "Write every policy to a file of its own", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBook(cmd, func(ctx context.Context, b *bookAndAll) error {
				list, err := b.book.List(ctx)
				if err != nil {
					return err
				}
				if err := os.MkdirAll(args[0], 0o755); err != nil {
					return err
				}
				for _, p := range list {
					name := p.ID + ".cedar"
					if !p.Enabled {
						name = p.ID + ".cedar.disabled"
					}
					if err := os.WriteFile(filepath.Join(args[0], name), []byte(p.Text), 0o644); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func policyExplainCommand() *cobra.Command {
	var user, action, id, account, owner, at, source, ticket, mfaAge string
	var approved bool
	var concurrent int
	cmd := &cobra.Command{
		Use:   "explain --user NAME --action ACTION [--target ID]",
		Short: "Tell whether somebody may do something, and which policies decide",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBook(cmd, func(ctx context.Context, b *bookAndAll) error {
				q := policy.Query{Action: policy.Action(action), Circumstances: policy.Circumstances{
					Time: time.Now(), Ticket: ticket, Approved: approved, Concurrent: concurrent,
				}}
				var err error
				if at != "" {
					if q.Circumstances.Time, err = parseAt(at, b.engine.Zone()); err != nil {
						return err
					}
				}
				if source != "" {
					if q.Circumstances.Source, err = netip.ParseAddr(source); err != nil {
						return fmt.Errorf("--source: %w", err)
					}
				}
				who, err := b.person(ctx, user)
				if err != nil {
					return fmt.Errorf("--user: %w", err)
				}
				if q.Subject = who.Subject(); q.Subject.ID == "" {
					return fmt.Errorf("--user: %s is disabled and may do nothing", who.Name)
				}
				if mfaAge != "" {
					age, err := time.ParseDuration(mfaAge)
					if err != nil || age < 0 {
						return fmt.Errorf("--mfa-age: %q is not a time such as 5m", mfaAge)
					}
					q.Subject.MFAAt = q.Circumstances.Time.Add(-age)
				}
				ownerID := ""
				if owner != "" {
					o, err := b.person(ctx, owner)
					if err != nil {
						return fmt.Errorf("--owner: %w", err)
					}
					ownerID = o.ID
				}
				q.Resource = policy.ResourceOf(q.Action, id, account, ownerID)
				if q.Resource.Tags, err = serve.TagsOf(ctx, b.targets, b.db.Targets, id, account); err != nil {
					return err
				}
				x, err := b.engine.Explain(ctx, q)
				if err != nil {
					return err
				}
				return printed(cmd, explanationOf(x), func(w io.Writer) { writeExplanation(w, x) })
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&user, "user", "", "who: name or id")
	f.StringVar(&action, "action", string(policy.Connect), "what, such as connect, view_live, replay, clipboard::to_target")
	f.StringVar(&id, "target", "", "id of the target")
	f.StringVar(&account, "account", "", "account on the target")
	f.StringVar(&owner, "owner", "", "whose session, recording or request it is: name or id")
	f.StringVar(&at, "at", "", "when: RFC 3339, or such as 2026-03-02 09:00 in the time zone of policies")
	f.StringVar(&source, "source", "", "IP address the person comes from")
	f.StringVar(&ticket, "ticket", "", "ticket that was named")
	f.StringVar(&mfaAge, "mfa-age", "", "how long ago a second factor was proved, such as 5m; without it there was none")
	f.BoolVar(&approved, "approved", false, "an access request was approved")
	f.IntVar(&concurrent, "concurrent", 0, "sessions the person runs already")
	_ = cmd.MarkFlagRequired("user")
	return cmd
}

func parseAt(text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.DateTime} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--at: %q is not a time such as 2026-03-02 09:00", text)
}

type explanationOut struct {
	Allowed     bool         `json:"allowed"`
	Reason      string       `json:"reason"`
	At          time.Time    `json:"at"`
	Policies    []string     `json:"policies"`
	Obligations []string     `json:"obligations"`
	Statements  []verdictOut `json:"statements"`
}

type verdictOut struct {
	ID          string   `json:"id"`
	Policy      string   `json:"policy"`
	Effect      string   `json:"effect"`
	Decided     bool     `json:"decided"`
	Applies     bool     `json:"applies"`
	Missed      []string `json:"missed,omitempty"`
	Error       string   `json:"error,omitempty"`
	Obligations []string `json:"obligations,omitempty"`
	Line        int      `json:"line"`
	Text        string   `json:"text"`
}

func explanationOf(x policy.Explanation) explanationOut {
	out := explanationOut{
		Allowed: x.Decision.Allowed, Reason: x.Decision.Reason, At: x.Time,
		Policies: append([]string{}, x.Decision.Policies...), Obligations: append([]string{}, x.Decision.Obligations.List()...), Statements: []verdictOut{},
	}
	for _, v := range x.Statements {
		out.Statements = append(out.Statements, verdictOut{
			v.ID, v.Document, effectOf(v), v.Decided, v.Applies, v.Missed, v.Error, v.Obligations.List(), v.Line, v.Text,
		})
	}
	return out
}

func effectOf(v policy.Verdict) string {
	if v.Forbids {
		return "forbid"
	}
	return "permit"
}

func writeExplanation(w io.Writer, x policy.Explanation) {
	fmt.Fprintf(w, "%s: %s (%s)\n", map[bool]string{true: "yes", false: "no"}[x.Decision.Allowed], x.Decision.Reason, x.Time.Format("Mon 2 Jan 2006 15:04:05 MST"))
	for _, o := range x.Decision.Obligations.List() {
		fmt.Fprintf(w, "  %s\n", o)
	}
	for _, v := range x.Statements {
		switch {
		case v.Decided:
			fmt.Fprintf(w, "\n%s decided (%s):\n", v.ID, v.Name)
		case v.Error != "":
			fmt.Fprintf(w, "\n%s cannot be evaluated (%s): %s\n", v.ID, v.Name, v.Error)
		case v.Applies:
			fmt.Fprintf(w, "\n%s would permit it, but a forbid overrules it (%s):\n", v.ID, v.Name)
		default:
			fmt.Fprintf(w, "\n%s nearly matched (%s); not so: %s\n", v.ID, v.Name, strings.Join(v.Missed, "; "))
		}
		for line := range strings.SplitSeq(v.Text, "\n") {
			fmt.Fprintln(w, "  "+line)
		}
	}
}

// bookAndAll is what the commands on policies work with.
type bookAndAll struct {
	cfg     *config.Config
	db      *store.Store
	book    *policy.Book
	engine  *policy.Engine
	who     *identity.Service
	targets *target.Repository
}

// withBook opens the database beside a running serve, if any.
func withBook(cmd *cobra.Command, do func(context.Context, *bookAndAll) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), cfg.Database.Source())
	if err != nil {
		return err
	}
	defer db.Close()
	b := &bookAndAll{cfg: cfg, db: db}
	b.targets = target.NewRepository(db, nil) // only read
	if b.who, err = identity.New(identity.TablesOf(db), identity.Options{}); err != nil {
		return err
	}
	kept := policy.StoreOf(db)
	b.engine = policy.NewEngine(policy.Kept(kept), policy.EngineOptions{Zone: cfg.Policy.Zone()})
	b.book = policy.NewBook(kept, b.engine)
	if err := b.book.Seed(cmd.Context()); err != nil {
		return err
	}
	// One that does not compile must not keep from mending it.
	if err := b.engine.Load(cmd.Context()); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", err)
	}
	b.book.Administrators = b.administrators
	return do(cmd.Context(), b)
}

func (b *bookAndAll) administrators(ctx context.Context) ([]policy.Subject, error) {
	var out []policy.Subject
	for f := (store.UserFilter{Role: string(policy.Administrator), Limit: 200}); ; {
		list, err := b.who.ListUsers(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			f.After = u.Name
			if s := u.Subject(); s.ID != "" {
				out = append(out, s)
			}
		}
		if len(list) < f.Limit {
			break
		}
	}
	if len(out) == 0 { // before the first start
		out = append(out, policy.Subject{ID: "administrator", Roles: []policy.Role{policy.Administrator}})
	}
	return out, nil
}

func (b *bookAndAll) person(ctx context.Context, nameOrID string) (identity.User, error) {
	u, err := b.who.UserByName(ctx, strings.ToLower(nameOrID))
	if errors.Is(err, identity.ErrUnknownUser) {
		return b.who.User(ctx, nameOrID)
	}
	return u, err
}

// maxPolicyFile is more than any policy has.
const maxPolicyFile = 1 << 20

func readPolicy(file string) (string, error) {
	in := os.Stdin
	if file != "-" {
		var err error
		if in, err = os.Open(file); err != nil {
			return "", err
		}
		defer in.Close()
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPolicyFile))
	return string(text), err
}

// printed prints v as JSON with --json, else as text does.
func printed(cmd *cobra.Command, v any, text func(w io.Writer)) error {
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	if !asJSON {
		text(cmd.OutOrStdout())
		return nil
	}
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
