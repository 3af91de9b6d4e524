package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

func newVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FOLDER",
		Short: "Prove that a recording is whole and unaltered",
		Long: "Compares every file of a sealed recording with the hashes in its manifest. It needs nothing but the folder:\n" +
			"recordings/SESSION of a disk store, or a copy of it from any other.\n" +
			"The exit status is 0 when all is as it was sealed, 2 when something is not, 1 when that could not be found out.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := recording.VerifyFolder(cmd.Context(), args[0])
			if finding, found := errors.AsType[*recording.VerifyError](err); found {
				fmt.Fprintf(cmd.OutOrStdout(), "NOT as sealed: %s is %s: %s\n", finding.File, finding.Problem, finding.Detail)
				return &exitError{2}
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "As sealed by the %s: %d files, %d bytes.\n", v.SealedBy, v.Files, v.Bytes)
			return err
		},
	}
}
