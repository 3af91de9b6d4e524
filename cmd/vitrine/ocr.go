package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/ocr"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// newOCRCommand is the process that reads text in pictures. Serve starts it; it is of no use to people.
func newOCRCommand() *cobra.Command {
	var mode string
	o := ocr.HelperOptions{In: os.Stdin, Out: os.Stdout}
	cmd := &cobra.Command{
		Use:    "ocr",
		Short:  "Read text in pictures (started by serve)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Sandbox, err = sandbox.ParseMode(mode); err != nil {
				return err
			}
			return ocr.Main(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Program, "program", "", "path of tesseract")
	cmd.Flags().StringSliceVar(&o.Languages, "languages", nil, "languages it reads")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 30*time.Second, "time for one request")
	cmd.Flags().IntVar(&o.Nice, "nice", 19, "priority, 0 to 19")
	cmd.Flags().StringVar(&mode, "sandbox", string(sandbox.BestEffort), "off, best_effort or required")
	_ = cmd.MarkFlagRequired("program")
	_ = cmd.MarkFlagRequired("languages")
	return cmd
}
