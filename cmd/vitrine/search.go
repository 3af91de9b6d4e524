package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func newSearchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "search-index", Short: "The index that recordings are searched by", Args: cobra.NoArgs}
	configFlag(cmd)
	cmd.AddCommand(newSearchStatusCommand(), newSearchRebuildCommand())
	return cmd
}

func newSearchStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "How many recordings are in the index, and how many are still to come", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
				n, err := db.Search.Counts(ctx)
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				if asJSON {
					return json.NewEncoder(out).Encode(map[string]any{
						"search": cfg.Recording.Search, "recordings": n.Recordings, "blocks": n.Blocks, "behind": n.Behind,
					})
				}
				_, err = fmt.Fprintf(out, "Search is %q: %d recordings in %d blocks, %d still to come.\n", cfg.Recording.Search, n.Recordings, n.Blocks, n.Behind)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newSearchRebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rebuild", Short: "Empty the index; the running gateway makes it anew within minutes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
				log, err := serve.OpenAudit(ctx, cfg, db, nil, nil)
				if err != nil {
					return err
				}
				if err := log.Record(ctx, audit.Entry{
					Actor: serve.CommandLine(), Action: "rebuild_search_index", Outcome: audit.Success, Object: audit.Object{Kind: "gateway"},
				}); err != nil {
					return err
				}
				if err := log.Checkpoint(ctx); err != nil {
					return err
				}
				if err := db.Search.ForgetAll(ctx); err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "The index is empty; the gateway makes it anew.")
				return err
			})
		},
	}
}
