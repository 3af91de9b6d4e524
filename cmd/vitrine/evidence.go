package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/signkey"
)

func newEvidenceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "evidence", Short: "The key that recordings and the audit log are signed with; holds, and keys of recordings"}
	configFlag(cmd)
	cmd.AddCommand(&cobra.Command{
		Use: "public-key", Short: "Print the public keys, for those who verify", Args: cobra.NoArgs,
		Long: "Prints every public key this gateway ever signed with, the oldest first. Keep a copy where nobody who can change\n" +
			"recordings can change it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			k, err := signkey.Load(cfg.Evidence.KeyFile)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(k.Public())
			return err
		},
	}, &cobra.Command{
		Use: "rotate-key", Short: "Sign with a new key from now on", Args: cobra.NoArgs,
		Long: "Makes a new key, which the old one signs in the audit log, and forgets the private half of the old one. A running gateway takes the new key at once; what the\n" +
			"old one signed stays verifiable with the public keys printed afterwards.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := rotateKey(cmd); err != nil {
				return err
			}
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			k, err := signkey.Load(cfg.Evidence.KeyFile)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Recordings are signed by %s from now on. Give the public keys to those who verify.\n", k.ID())
			return err
		},
	})
	cmd.AddCommand(custodyCommands()...)
	return cmd
}
