package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/web"
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: "Runs the gateway until SIGINT or SIGTERM, then ends the sessions in good order.\n" +
			"At the first start it makes the user " + identity.FirstUser + " and prints a random password once.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			log, err := newLogger(os.Stderr, cfg.Log)
			if err != nil {
				return err
			}
			g, err := serve.Open(cmd.Context(), serve.Options{Config: cfg, Console: web.Dist(), Version: version(), Logger: log})
			if err != nil {
				return err
			}
			if g.FirstPassword != "" {
				printFirstPassword(cmd.OutOrStdout(), g)
			}
			return errors.Join(g.Run(cmd.Context()), g.Close())
		},
	}
	configFlag(cmd)
	return cmd
}

// printFirstPassword shows the password the one time it is known. It is for a person, not for the log.
func printFirstPassword(w io.Writer, g *serve.Gateway) {
	fmt.Fprintf(w, "\n  First start. Sign in at %s as %s with the password\n\n      %s\n\n  It is not shown again; `vitrine user passwd %s` sets another.\n\n",
		g.URL(), identity.FirstUser, g.FirstPassword, identity.FirstUser)
}
