package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/store"
)

func newTargetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "target", Short: "Look at the configured targets, and forget their certificates"}
	configFlag(cmd)
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the configured targets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tPROTOCOL\tADDRESS\tTLS\tTAGS")
			for _, t := range cfg.Targets {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Protocol, t.Address, t.TLS.Mode, strings.Join(t.Tags, ","))
			}
			return w.Flush()
		},
	})
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

// forgetCertificate works beside a running serve, if any.
func forgetCertificate(cmd *cobra.Command, id string) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), cfg.Database.Path)
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
	if err := db.Certificates.Forget(cmd.Context(), id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The certificate of %s is forgotten: %s\n", id, held.Fingerprint)
	return err
}
