package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/worker"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// newWorkerCommand is the process of one session. Serve starts it, with inherited sockets; it is of no use to people.
func newWorkerCommand() *cobra.Command {
	var spool, mode, level string
	var mediaTCP, dial, native bool
	cmd := &cobra.Command{
		Use:    "worker",
		Short:  "Run one session (started by serve)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lock, err := sandbox.ParseMode(mode)
			if err != nil {
				return err
			}
			var least slog.Level
			if err := least.UnmarshalText([]byte(level)); err != nil {
				return fmt.Errorf("log level: %w", err)
			}
			// Serve reads the log line by line, so its form is fixed.
			log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: least}))
			return worker.Main(cmd.Context(), worker.Options{Spool: spool, Sandbox: lock, MediaTCP: mediaTCP, Dial: dial, Native: native, Version: version(), Logger: log})
		},
	}
	cmd.Flags().StringVar(&spool, "spool", "", "folder of the recording")
	cmd.Flags().StringVar(&mode, "sandbox", string(sandbox.BestEffort), "off, best_effort or required")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().BoolVar(&mediaTCP, "media-tcp", false, "descriptor 6 is a listener for media over TCP")
	cmd.Flags().BoolVar(&dial, "dial", false, "descriptor 7 asks for new connections to the target")
	cmd.Flags().BoolVar(&native, "native", false, "descriptor 8 brings native clients")
	_ = cmd.MarkFlagRequired("spool")
	return cmd
}
