package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

func newTargetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "target", Short: "Look at the targets, and forget their certificates"}
	configFlag(cmd)
	cmd.AddCommand(newTargetList())
	cmd.AddCommand(&cobra.Command{
		Use:   "forget-certificate ID",
		Short: "Forget the certificate a target is held to",
		Long: "For targets with tls.mode first_use, after their certificate was replaced: the next session takes whichever\n" +
			"certificate the target shows, and later ones are held to that.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return forgetCertificate(cmd, args[0]) },
	})
	return cmd
}

// listedTarget is a target in a list.
type listedTarget struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Protocol string   `json:"protocol"`
	Address  string   `json:"address"`
	TLS      string   `json:"tls"`
	Origin   string   `json:"origin"`
	Accounts []string `json:"accounts"`
	Tags     []string `json:"tags"`
}

func newTargetList() *cobra.Command {
	var asJSON bool
	var query string
	cmd := &cobra.Command{
		Use: "list", Short: "List the targets: those of the configuration, of files applied, and of the console", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
				list, err := listTargets(ctx, cfg, db, query)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), list)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tNAME\tPROTOCOL\tADDRESS\tTLS\tORIGIN\tACCOUNTS\tTAGS")
				for _, t := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
						t.ID, t.Name, t.Protocol, t.Address, t.TLS, t.Origin, strings.Join(t.Accounts, ","), strings.Join(t.Tags, ","))
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVarP(&query, "query", "q", "", "only targets with these words in id, name, description, address or tags")
	return cmd
}

// listTargets returns the targets in the database. Those of the configuration are there as the gateway's last start found them,
// so the file is asked for what has come since.
func listTargets(ctx context.Context, cfg *config.Config, db *store.Store, query string) ([]listedTarget, error) {
	stored, err := target.NewRepository(db, nil).List(ctx, target.Filter{Query: query})
	if err != nil {
		return nil, err
	}
	list := []listedTarget{}
	seen := map[string]bool{}
	for _, t := range stored {
		one := listedTarget{
			ID: t.ID, Name: t.Name, Protocol: t.Protocol, Address: t.Address, TLS: string(t.TLS.Mode()), Origin: t.Origin, Tags: t.Tags, Accounts: []string{},
		}
		for _, a := range t.Accounts {
			one.Accounts = append(one.Accounts, a.Name)
		}
		list, seen[t.ID] = append(list, one), true
	}
	for _, t := range cfg.Targets {
		if !seen[t.ID] && query == "" {
			list = append(list, listedTarget{
				ID: t.ID, Name: t.Name, Protocol: t.Protocol, Address: t.Address, TLS: string(t.TLS.Mode), Origin: store.OriginConfig,
				Accounts: []string{target.DefaultAccount}, Tags: t.Tags,
			})
		}
	}
	return list, nil
}

// forgetCertificate works beside a running serve, if any.
func forgetCertificate(cmd *cobra.Command, id string) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), cfg.Database.Source())
	if err != nil {
		return err
	}
	defer db.Close()
	// Also of targets the configuration does not hold any more.
	held, err := db.Certificates.Get(cmd.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no certificate is remembered for target %q", id)
	}
	if err != nil {
		return err
	}
	if err := audited(cmd.Context(), cfg, db, "forget_certificate", audit.Object{Kind: "target", ID: id}, func() error {
		return db.Certificates.Forget(cmd.Context(), id)
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The certificate of %s is forgotten: %s\n", id, held.Fingerprint)
	return err
}
