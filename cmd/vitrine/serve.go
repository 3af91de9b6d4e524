package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/web"
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: "Runs the gateway until SIGINT or SIGTERM, then ends the sessions in good order.\n" +
			"As long as there is no user it prints a code, with which the console's set-up page makes the first administrator.",
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
			if g.SetupCode != "" {
				printSetup(cmd.OutOrStdout(), g)
			}
			return errors.Join(g.Run(cmd.Context()), g.Close())
		},
	}
	configFlag(cmd)
	return cmd
}

// printSetup shows the set-up code. It is for a person, not for the log.
func printSetup(w io.Writer, g *serve.Gateway) {
	fmt.Fprintf(w, "\n  There is no user yet. Open %s/setup and make the first with the code\n\n      %s\n\n  It works once and until the gateway stops; the next start prints another.\n\n",
		g.URL(), g.SetupCode)
}
