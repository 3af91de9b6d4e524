package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newTargetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "target", Short: "Look at the configured targets"}
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
	return cmd
}
