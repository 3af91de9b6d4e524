package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
)

func newUserCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Add users, give them roles and set their passwords"}
	configFlag(cmd)
	cmd.AddCommand(newUserAdd(), newUserPassword(), newUserList(), newUserRoles(), newUserDelete(), newUserResetFactors(),
		userChange("disable", "Refuse a user, and end their sign-ins and tokens", identity.Change{Disabled: new(true)}, "%s may not sign in any more.\n"),
		userChange("enable", "Let a disabled user sign in again", identity.Change{Disabled: new(false)}, "%s may sign in.\n"),
		&cobra.Command{
			Use: "unlock NAME", Short: "Let a user try at once again after too many failures", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withUsers(cmd, func(ctx context.Context, u *users) error {
					return u.change(ctx, "unlock_user", args[0], nil, func(id string) error {
						if err := u.Unlock(ctx, id); err != nil {
							return err
						}
						// A running gateway also counts in memory, for a minute at most.
						_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is not locked.\n", args[0])
						return err
					})
				})
			},
		})
	return cmd
}

func newUserAdd() *cobra.Command {
	var n identity.NewUser
	var roles, groups []string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long:  "Reads the password from standard input, or makes a random one and prints it with --random.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				n.Name, n.Roles = args[0], rolesOf(roles)
				var err error
				if n.Groups, err = u.groupIDs(ctx, groups); err != nil {
					return err
				}
				var shown bool
				if n.Password, shown, err = newPassword(cmd, args[0]); err != nil {
					return err
				}
				details := map[string]string{"roles": strings.Join(roles, " ")}
				err = u.act(ctx, "create_user", audit.Object{Kind: "user", Name: args[0]}, details, func() error {
					_, err := u.CreateUser(ctx, n)
					return err
				})
				if err != nil {
					return err
				}
				return printPassword(cmd, args[0], n.Password, shown)
			})
		},
	}
	f := cmd.Flags()
	f.Bool("random", false, "make a random password and print it")
	f.StringArrayVar(&roles, "role", []string{string(policy.Member)}, "a role; may be given several times: "+strings.Join(roleNames(), ", "))
	f.StringArrayVar(&groups, "group", nil, "a group's name; may be given several times")
	f.StringVar(&n.DisplayName, "display-name", "", "how people know them")
	f.StringVar(&n.Email, "email", "", "e-mail address")
	f.BoolVar(&n.MustChangePassword, "must-change-password", false, "ask for another password at the first sign-in")
	return cmd
}

func newUserPassword() *cobra.Command {
	var mustChange bool
	cmd := &cobra.Command{
		Use:     "password NAME",
		Aliases: []string{"passwd"},
		Short:   "Set a user's password, and end their sign-ins and tokens",
		Long: "Reads the new password from standard input, or makes a random one and prints it with --random.\n" +
			"Before there is any user it also makes the administrator " + identity.FirstUser + ".",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				password, shown, err := newPassword(cmd, args[0])
				if err != nil {
					return err
				}
				if err := u.setPassword(ctx, args[0], password, mustChange); err != nil {
					return err
				}
				return printPassword(cmd, args[0], password, shown)
			})
		},
	}
	cmd.Flags().Bool("random", false, "make a random password and print it")
	cmd.Flags().BoolVar(&mustChange, "must-change-password", false, "ask for another password at the next sign-in")
	return cmd
}

// setPassword sets the password of a user, or makes the first one.
func (u *users) setPassword(ctx context.Context, name, password string, mustChange bool) error {
	if name == identity.FirstUser {
		needed, err := u.SetupNeeded(ctx)
		if err != nil {
			return err
		}
		if needed {
			return u.act(ctx, "create_user", audit.Object{Kind: "user", Name: name}, nil, func() error {
				_, err := u.CreateUser(ctx, identity.NewUser{
					Name: name, Password: password, MustChangePassword: mustChange, Roles: []policy.Role{policy.Administrator},
				})
				return err
			})
		}
	}
	return u.change(ctx, "reset_password", name, nil, func(id string) error { return u.SetPassword(ctx, id, password, mustChange) })
}

func newUserList() *cobra.Command {
	var asJSON bool
	var query string
	cmd := &cobra.Command{
		Use: "list", Short: "List users with their roles and groups", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				list, err := u.list(ctx, query)
				if err != nil {
					return err
				}
				if asJSON {
					out := []userJSON{}
					for _, x := range list {
						out = append(out, userOut(x))
					}
					return printJSON(cmd.OutOrStdout(), out)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "NAME\tDISPLAY NAME\tROLES\tGROUPS\tSOURCE\tSTATE\tLAST SIGN-IN")
				for _, x := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Name, x.DisplayName, strings.Join(x.Roles, ","), strings.Join(x.Groups, ","),
						x.Source, stateOf(x), timeText(x.LastSignInAt))
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVarP(&query, "query", "q", "", "only those with this in their name or e-mail address")
	return cmd
}

// list returns all users that match.
func (u *users) list(ctx context.Context, query string) ([]identity.User, error) {
	const page = 500
	var all []identity.User
	for after := ""; ; {
		list, err := u.ListUsers(ctx, store.UserFilter{Query: query, After: after, Limit: page})
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if len(list) < page {
			return all, nil
		}
		after = list[page-1].Name
	}
}

func newUserRoles() *cobra.Command {
	return &cobra.Command{
		Use:   "roles NAME [ROLE...]",
		Short: "Replace the roles of a user",
		Long:  "Roles: " + strings.Join(roleNames(), ", ") + ". Those that an identity provider or directory gives stay.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			roles := rolesOf(args[1:])
			return updateUser(cmd, args[0], identity.Change{Roles: &roles}, map[string]string{"roles": strings.Join(args[1:], " ")}, "The roles of %s are set.\n")
		},
	}
}

func newUserDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a user with their sign-ins and tokens; recordings and the audit log stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				return u.change(ctx, "delete_user", args[0], nil, func(id string) error {
					if err := u.DeleteUser(ctx, id); err != nil {
						return err
					}
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is deleted.\n", args[0])
					return err
				})
			})
		},
	}
}

func newUserResetFactors() *cobra.Command {
	return &cobra.Command{
		Use: "reset-factors NAME", Short: "Remove the second factors of a user who has lost them, and end their sign-ins", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				return u.change(ctx, "reset_factors", args[0], nil, func(id string) error {
					factors, err := serve.OpenFactors(ctx, u.cfg, u.db, slog.New(slog.DiscardHandler))
					if err != nil {
						return err
					}
					if err := factors.Reset(ctx, id); err != nil {
						return err
					}
					if err := u.RevokeSignIns(ctx, id, ""); err != nil {
						return err
					}
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has no second factors any more.\n", args[0])
					return err
				})
			})
		},
	}
}

func userChange(verb, short string, c identity.Change, done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return updateUser(cmd, args[0], c, map[string]string{"disabled": fmt.Sprint(*c.Disabled)}, done)
		},
	}
}

func updateUser(cmd *cobra.Command, name string, c identity.Change, details map[string]string, done string) error {
	return withUsers(cmd, func(ctx context.Context, u *users) error {
		return u.change(ctx, "update_user", name, details, func(id string) error {
			if _, err := u.UpdateUser(ctx, id, c); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), done, name)
			return err
		})
	})
}

// users is what the commands about users, groups and tokens work with.
type users struct {
	*identity.Service
	audit *audit.Log
	cfg   *config.Config
	db    *store.Store
}

// withUsers opens the database beside a running serve, if any.
func withUsers(cmd *cobra.Command, do func(context.Context, *users) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	db, err := store.Open(ctx, cfg.Database.Source())
	if err != nil {
		return err
	}
	defer db.Close()
	quiet := slog.New(slog.DiscardHandler)
	who, err := serve.OpenIdentity(cfg, db, quiet)
	if err != nil {
		return err
	}
	written, err := serve.OpenAudit(ctx, cfg, db, nil, quiet)
	if err != nil {
		return err
	}
	return do(ctx, &users{who, written, cfg, db})
}

// change does something to the user of that name, and writes it down.
func (u *users) change(ctx context.Context, action, name string, details map[string]string, do func(id string) error) error {
	found, err := u.UserByName(ctx, name)
	return u.act(ctx, action, audit.Object{Kind: "user", ID: found.ID, Name: name}, details, func() error {
		if err != nil {
			return err
		}
		return do(found.ID)
	})
}

// act does something and writes it to the audit log, which was opened before.
func (u *users) act(ctx context.Context, action string, object audit.Object, details map[string]string, do func() error) error {
	e := audit.Entry{Actor: serve.CommandLine(), Action: action, Outcome: audit.Success, Object: object, Details: map[string]string{}}
	maps.Copy(e.Details, details)
	err := do()
	if err != nil {
		e.Outcome, e.Details["reason"] = audit.Failed, err.Error()
	}
	return errors.Join(err, u.audit.Record(ctx, e), u.audit.Checkpoint(ctx))
}

// groupIDs finds groups by their names.
func (u *users) groupIDs(ctx context.Context, names []string) ([]string, error) {
	var ids []string
	for _, name := range names {
		g, err := u.GroupByName(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", name, err)
		}
		ids = append(ids, g.ID)
	}
	return ids, nil
}

// userJSON is a user as the commands print it.
type userJSON struct {
	ID                 string     `json:"id"`
	Username           string     `json:"username"`
	DisplayName        string     `json:"display_name"`
	Email              string     `json:"email"`
	Source             string     `json:"source"`
	Roles              []string   `json:"roles"`
	Groups             []string   `json:"groups"`
	Disabled           bool       `json:"disabled"`
	MustChangePassword bool       `json:"must_change_password"`
	CreatedAt          time.Time  `json:"created_at"`
	LastSignInAt       *time.Time `json:"last_sign_in_at,omitempty"`
	LockedUntil        *time.Time `json:"locked_until,omitempty"`
}

func userOut(u identity.User) userJSON {
	out := userJSON{
		ID: u.ID, Username: u.Name, DisplayName: u.DisplayName, Email: u.Email, Source: u.Source,
		Roles: slices.Concat([]string{}, u.Roles), Groups: slices.Concat([]string{}, u.Groups),
		Disabled: u.Disabled, MustChangePassword: u.MustChangePassword, CreatedAt: u.CreatedAt, LastSignInAt: timeJSON(u.LastSignInAt),
	}
	if u.Locked(time.Now()) {
		out.LockedUntil = &u.LockedUntil
	}
	return out
}

func stateOf(u identity.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case u.Locked(time.Now()):
		return "locked"
	case u.MustChangePassword:
		return "must change password"
	}
	return "active"
}

func printPassword(cmd *cobra.Command, name, password string, shown bool) error {
	if shown {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), password)
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "The password of %s is set.\n", name)
	return err
}

func rolesOf(names []string) []policy.Role {
	out := []policy.Role{}
	for _, n := range names {
		out = append(out, policy.Role(n))
	}
	return out
}

func roleNames() []string {
	var out []string
	for _, r := range policy.Roles() {
		out = append(out, string(r))
	}
	return out
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}

func timeJSON(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
