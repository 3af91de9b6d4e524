package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func newGroupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "group", Short: "Make groups of users, which policies name together"}
	configFlag(cmd)
	var description string
	add := &cobra.Command{
		Use: "add NAME", Short: "Add a group", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				err := u.act(ctx, "create_group", audit.Object{Kind: "group", Name: args[0]}, nil, func() error {
					_, err := u.CreateGroup(ctx, args[0], description)
					return err
				})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "The group %s is there.\n", args[0])
				return err
			})
		},
	}
	add.Flags().StringVar(&description, "description", "", "what it is for")
	cmd.AddCommand(add, newGroupList(),
		groupChange("delete GROUP", "Delete a group; its members stay users", 1, "delete_group", "The group %[1]s is deleted.\n",
			func(ctx context.Context, u *users, group string, args []string) error {
				names, err := policy.NewBook(policy.StoreOf(u.db), nil).NamingGroup(ctx, args[0])
				if err != nil {
					return err
				}
				if len(names) > 0 {
					return fmt.Errorf("policies name the group %q: %s; change them first", args[0], strings.Join(names, ", "))
				}
				return u.DeleteGroup(ctx, group)
			}),
		groupChange("join GROUP USER", "Make a user a member of a group", 2, "add_member", "%[2]s is a member of %[1]s.\n",
			func(ctx context.Context, u *users, group string, args []string) error {
				user, err := u.UserByName(ctx, args[1])
				if err != nil {
					return err
				}
				return u.AddMember(ctx, group, user.ID)
			}),
		groupChange("leave GROUP USER", "End the membership of a user in a group", 2, "remove_member", "%[2]s is no member of %[1]s.\n",
			func(ctx context.Context, u *users, group string, args []string) error {
				user, err := u.UserByName(ctx, args[1])
				if err != nil {
					return err
				}
				return u.RemoveMember(ctx, group, user.ID)
			}))
	return cmd
}

// groupChange is a command whose first argument is a group and whose second, if any, a user.
func groupChange(use, short string, n int, action, done string, do func(ctx context.Context, u *users, group string, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(n),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				g, err := u.GroupByName(ctx, args[0])
				if err != nil {
					return err
				}
				details, said := map[string]string{}, []any{args[0]}
				if n > 1 {
					details["user"] = args[1]
					said = append(said, args[1])
				}
				err = u.act(ctx, action, audit.Object{Kind: "group", ID: g.ID, Name: g.Name}, details, func() error { return do(ctx, u, g.ID, args) })
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), done, said...)
				return err
			})
		},
	}
}

func newGroupList() *cobra.Command {
	type groupJSON struct {
		ID          string    `json:"id"`
		Name        string    `json:"name"`
		Description string    `json:"description"`
		Source      string    `json:"source"`
		Members     int       `json:"members"`
		CreatedAt   time.Time `json:"created_at"`
	}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List groups", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUsers(cmd, func(ctx context.Context, u *users) error {
				const page = 500
				out := []groupJSON{}
				for after := ""; ; {
					list, err := u.ListGroups(ctx, store.GroupFilter{After: after, Limit: page})
					if err != nil {
						return err
					}
					for _, g := range list {
						out = append(out, groupJSON{g.ID, g.Name, g.Description, g.Source, g.Members, g.CreatedAt})
					}
					if len(list) < page {
						break
					}
					after = list[page-1].Name
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), out)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "NAME\tMEMBERS\tSOURCE\tDESCRIPTION")
				for _, g := range out {
					fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", g.Name, g.Members, g.Source, g.Description)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
