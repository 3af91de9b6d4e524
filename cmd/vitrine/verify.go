package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/internal/signkey"
)

func newVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FOLDER|PACKAGE.zip|SESSION",
		Short: "Prove that a recording is whole and unaltered",
		Long: "Compares every file of a sealed recording with its manifest, and the manifest with its signature.\n" +
			"A FOLDER is recordings/SESSION of a disk store, or a copy of it from any other; a PACKAGE is one that `vitrine export\n" +
			"--package` made, packed or not. With --public-key nothing else is needed, and no network. A SESSION is looked up in the store of the configuration, and its signature checked with the gateway's\n" +
			"own public keys.\n" +
			"The exit status is 0 when all is as it was sealed, 2 when something is not, 1 when that could not be found out.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := verify(cmd, args[0])
			out := cmd.OutOrStdout()
			if finding, found := errors.AsType[*recording.VerifyError](err); found {
				fmt.Fprintln(out, "NOT as sealed: "+finding.Sentence())
				return &exitError{2}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "As sealed by the %s: %d files, %d bytes.\n", v.SealedBy, v.Files, v.Bytes)
			if v.SealedBy == recording.ByRecovery {
				fmt.Fprintln(out, "The worker did not live to seal it: the gateway did, with all that had reached the disk.")
			}
			if v.Packaged {
				fmt.Fprintln(out, "The report beside it is the one that was made with it.")
			}
			if v.Encrypted {
				fmt.Fprintln(out, "It is encrypted and there is no key here: compared were the encrypted files.")
			}
			if v.SignedBy == "" {
				_, err = fmt.Fprintln(out, "The signature was NOT checked: name the gateway's public keys with --public-key.")
				return err
			}
			_, err = fmt.Fprintf(out, "Signed by %s.\n", v.SignedBy)
			return err
		},
	}
	configFlag(cmd)
	cmd.Flags().String("public-key", "", "file of public keys, as `vitrine evidence public-key` prints them")
	return cmd
}

// verify takes what is a folder for a folder, else for the id of a session.
func verify(cmd *cobra.Command, what string) (recording.Verification, error) {
	trust, err := publicKeys(cmd)
	if err != nil {
		return recording.Verification{}, err
	}
	if _, err := os.Stat(what); err == nil {
		return recording.VerifyPath(cmd.Context(), what, trust)
	}
	if !recording.ValidSessionID(what) {
		return recording.Verification{}, fmt.Errorf("%s is neither a folder, nor an evidence package, nor the id of a session", what)
	}
	cfg, err := loadConfig(cmd)
	if err != nil {
		return recording.Verification{}, err
	}
	if trust == nil {
		if trust, err = readPublicKeys(cfg.Evidence.KeyFile + signkey.PublicSuffix); err != nil {
			return recording.Verification{}, err
		}
	}
	library, closing, err := serve.ReadRecordings(cmd.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return recording.Verification{}, err
	}
	v, err := verifyStored(cmd.Context(), library, what, trust)
	return v, errors.Join(err, closing())
}

func verifyStored(ctx context.Context, library *recording.Library, session string, trust recording.Trust) (recording.Verification, error) {
	rec, err := library.Open(ctx, session)
	if err != nil {
		return recording.Verification{}, err
	}
	v, err := rec.Verify(ctx, trust)
	return v, errors.Join(err, rec.Close())
}

// publicKeys reads the file of --public-key; nil when there is none.
func publicKeys(cmd *cobra.Command) (recording.Trust, error) {
	file, err := cmd.Flags().GetString("public-key")
	if err != nil || file == "" {
		return nil, err
	}
	return readPublicKeys(file)
}

func readPublicKeys(file string) (recording.Trust, error) {
	b, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	return signkey.ParsePublic(b)
}
