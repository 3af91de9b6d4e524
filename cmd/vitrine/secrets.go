package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

func newSecretsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "Look at the master key of sealed secrets, and replace it"}
	configFlag(cmd)
	cmd.AddCommand(newSecretsStatus(), newSecretsRotate(), newSecretsRewrap(), &cobra.Command{
		Use: "new-key", Short: "Print a new master key, for those who keep it in the environment", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), vault.NewKey())
			return err
		},
	})
	return cmd
}

// withVault opens the sealed secrets beside a running serve, if any.
func withVault(cmd *cobra.Command, do func(ctx context.Context, cfg *config.Config, db *store.Store, v *vault.Vault) error) error {
	return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
		log, err := newLogger(cmd.ErrOrStderr(), cfg.Log)
		if err != nil {
			return err
		}
		v, err := vault.Open(ctx, db, cfg.Secrets, cfg.Credentials.Vaults, log)
		if err != nil {
			return err
		}
		return do(ctx, cfg, db, v)
	})
}

func newSecretsStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "List the master keys and how many secrets each wraps", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withVault(cmd, func(ctx context.Context, _ *config.Config, _ *store.Store, v *vault.Vault) error {
				list, err := v.Status(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), list)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "KEY\tSECRETS\tSTATE")
				for _, k := range list {
					state := "old: opens, and does not seal"
					switch {
					case k.Problem != "":
						state = "CANNOT BE ASKED: " + k.Problem
					case k.Seals && k.Elsewhere:
						state = "seals recordings' keys"
					case k.Seals:
						state = "seals"
					case !k.Known:
						state = "NOT THERE: what it wraps cannot be opened"
					}
					fmt.Fprintf(w, "%s\t%d\t%s\n", k.ID, k.Secrets, state)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newSecretsRotate() *cobra.Command {
	var asJSON, forget bool
	cmd := &cobra.Command{
		Use:   "rotate-master",
		Short: "Make a new master key, and wrap every secret's data key with it",
		Long: "Works beside a running gateway, and when it was interrupted it goes on where it was: until it is done, old keys\n" +
			"open. They stay in the file, for backups of the database need them; --forget-old removes those that wrap nothing.\n\n" +
			"When the key is in the environment, put a new one (vitrine secrets new-key) before the old one, separated by a comma,\n" +
			"restart the gateway, run this, and then take the old one away.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withVault(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store, v *vault.Vault) error {
				var r vault.Rotation
				err := audited(ctx, cfg, db, "rotate_master_key", audit.Object{Kind: "system"}, func() (err error) {
					r, err = v.Rotate(ctx, forget)
					return err
				})
				if errors.Is(err, vault.ErrFixedKey) {
					return fmt.Errorf("%w: see vitrine secrets rotate-master --help", err)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), r)
				}
				w := cmd.OutOrStdout()
				what := "The new master key is"
				if !r.New {
					what = "The rotation begun before is finished. The master key is"
				}
				fmt.Fprintf(w, "%s %s; %d secrets were wrapped anew.\n", what, r.KeyID, r.Rewrapped)
				if len(r.Forgotten) > 0 {
					fmt.Fprintf(w, "Forgotten: %s.\n", strings.Join(r.Forgotten, ", "))
				}
				_, err = fmt.Fprintln(w, "Back the key's file up, apart from the database.")
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&forget, "forget-old", false, "remove keys that wrap nothing")
	return cmd
}

func newSecretsRewrap() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rewrap",
		Short: "Bring the keys of recordings under the newest version of the key in the Vault's transit engine",
		Long: "Run it after secrets.transit was configured, for recordings of before, and after its key was rotated: then its older\n" +
			"versions can be taken out of use (min_decryption_version). With secrets.transit.retired it brings everything back under the\n" +
			"master key. It works beside a running gateway, and when it was interrupted it goes on where it was.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withVault(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store, v *vault.Vault) error {
				var r vault.Rewrapping
				err := audited(ctx, cfg, db, "rewrap_recording_keys", audit.Object{Kind: "system"}, func() (err error) {
					r, err = v.Rewrap(ctx)
					return err
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), r)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Keys of recordings are under %s; %d were wrapped anew.\n", r.KeyID, r.Rewrapped)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
