package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/telemetry"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "vitrine",
		Short:         "Graphical sessions behind glass: isolated, watched, recorded",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(
		newServeCommand(), newDemoCommand(), newConfigCommand(), newUserCommand(), newGroupCommand(), newTokenCommand(), newPolicyCommand(), newTargetCommand(),
		newApplyCommand(), newSecretsCommand(),
		newVerifyCommand(), newAuditCommand(), newExportCommand(), newEvidenceCommand(), newVersionCommand(),
		newAccessCommand(), newBackupCommand(), newRestoreCommand(), newSearchCommand(), newDetectCommand(),
	)
	root.AddCommand(extraCommands()...)
	return root
}

// configFlag adds --config to cmd and its subcommands.
func configFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringP("config", "c", "", "configuration file; without it, defaults and environment")
}

// loadConfig reads the file of --config and the environment.
func loadConfig(cmd *cobra.Command) (*config.Config, error) {
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	return config.Load(path, os.Environ())
}

// newLogger returns the structured log the configuration asks for.
func newLogger(w io.Writer, c config.Log) (*slog.Logger, error) {
	return telemetry.NewLogger(w, c.Level, c.Format)
}
