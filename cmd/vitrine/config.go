package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/ocr"
	"github.com/vitrine-psm/vitrine/internal/target"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check or print the configuration"}
	configFlag(cmd)
	cmd.AddCommand(
		&cobra.Command{
			Use: "check", Short: "Say what is wrong with the configuration", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				cfg, err := loadConfig(cmd)
				if err != nil {
					return err
				}
				if err := target.CheckConfigured(cfg.Targets); err != nil {
					return err
				}
				if c := cfg.OCR; c.Enabled {
					if _, err := ocr.Look(cmd.Context(), c.Program, c.Languages); err != nil {
						fmt.Fprintf(cmd.ErrOrStderr(), "Note: text on screens cannot be read here (%v); sessions that a policy obliges to it (@ocr) will be refused.\n", err)
					}
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "The configuration is valid.")
				return err
			},
		},
		&cobra.Command{
			Use: "print", Short: "Print the configuration with every default and without secrets", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				cfg, err := loadConfig(cmd)
				if err != nil {
					return err
				}
				return cfg.Print(cmd.OutOrStdout())
			},
		},
	)
	return cmd
}
