package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func newTokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Make, list and revoke API tokens"}
	configFlag(cmd)
	cmd.AddCommand(newTokenCreate(), newTokenList(), &cobra.Command{
		Use: "revoke USER ID", Short: "Revoke a token of a user", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				return u.change(ctx, "revoke_token", args[0], map[string]string{"token": args[1]}, func(id string) error {
					if err := u.RevokeToken(ctx, id, args[1]); err != nil {
						return err
					}
					_, err := fmt.Fprintln(cmd.OutOrStdout(), "The token is revoked.")
					return err
				})
			})
		},
	})
	return cmd
}

func newTokenCreate() *cobra.Command {
	var scopes []string
	var name string
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use:   "create USER",
		Short: "Make a token that acts for a user, and print it",
		Long:  "The token is printed once and kept nowhere. It may do what its scopes name and its user may. Scopes: " + strings.Join(actionNames(), ", ") + ".",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				found, err := u.UserByName(ctx, args[0])
				if err != nil {
					return err
				}
				n := identity.NewToken{Name: name, ExpiresAt: time.Now().Add(lifetime)}
				for _, s := range scopes {
					n.Scopes = append(n.Scopes, policy.Action(s))
				}
				var text string
				details := map[string]string{
					"user": found.Name, "scopes": strings.Join(scopes, " "), "expires_at": n.ExpiresAt.UTC().Format(time.RFC3339),
				}
				err = u.act(ctx, "create_token", audit.Object{Kind: "token", Name: name}, details, func() (err error) {
					_, text, err = u.CreateToken(ctx, found.ID, n)
					return err
				})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what it is for")
	f.StringArrayVar(&scopes, "scope", nil, "an action it may do; may be given several times")
	f.DurationVar(&lifetime, "lifetime", 90*24*time.Hour, "how long it works")
	for _, flag := range []string{"name", "scope"} {
		_ = cmd.MarkFlagRequired(flag) // the flag is there
	}
	return cmd
}

func newTokenList() *cobra.Command {
	type tokenJSON struct {
		ID          string     `json:"id"`
		User        string     `json:"user"`
		Name        string     `json:"name"`
		Scopes      []string   `json:"scopes"`
		CreatedAt   time.Time  `json:"created_at"`
		ExpiresAt   time.Time  `json:"expires_at"`
		LastUsedAt  *time.Time `json:"last_used_at,omitempty"`
		LastAddress string     `json:"last_address,omitempty"`
	}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list [USER]", Short: "List tokens, of all users or of one", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				of, err := u.listOrOne(ctx, args)
				if err != nil {
					return err
				}
				out := []tokenJSON{}
				for _, user := range of {
					list, err := u.Tokens(ctx, user.ID)
					if err != nil {
						return err
					}
					for _, t := range list {
						out = append(out, tokenJSON{t.ID, user.Name, t.Name, t.Scopes, t.CreatedAt, t.ExpiresAt, timeJSON(t.LastUsedAt), t.LastAddress})
					}
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), out)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tUSER\tNAME\tSCOPES\tEXPIRES\tLAST USED")
				for _, t := range out {
					used := "never"
					if t.LastUsedAt != nil {
						used = timeText(*t.LastUsedAt) + " from " + t.LastAddress
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.User, t.Name, strings.Join(t.Scopes, ","), timeText(t.ExpiresAt), used)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listOrOne returns the user that is named, or all.
func (u *users) listOrOne(ctx context.Context, args []string) ([]store.User, error) {
	if len(args) == 1 {
		found, err := u.UserByName(ctx, args[0])
		return []store.User{found.User}, err
	}
	list, err := u.list(ctx, "")
	var out []store.User
	for _, x := range list {
		out = append(out, x.User)
	}
	return out, err
}

func actionNames() []string {
	var out []string
	for _, a := range policy.All() {
		out = append(out, string(a))
	}
	return out
}
