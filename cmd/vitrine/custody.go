package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// custodyCommands are what becomes of recordings.
func custodyCommands() []*cobra.Command {
	return []*cobra.Command{
		custodyChange("hold SESSION", "Put a legal hold on a recording: nothing deletes or shreds it", "hold_recording", "On legal hold.",
			func(ctx context.Context, c *custody.Service, session, by, reason string) error {
				return c.Hold(ctx, session, by, reason)
			}),
		custodyChange("release SESSION", "Take the legal hold off a recording", "release_recording", "Not on legal hold any more.",
			func(ctx context.Context, c *custody.Service, session, _, _ string) error {
				return c.Release(ctx, session)
			}),
		newShredCommand(), newCustodyCommand(),
	}
}

// withCustody opens what keeps recordings, beside a running serve, if any.
func withCustody(cmd *cobra.Command, do func(ctx context.Context, cfg *config.Config, db *store.Store, c *custody.Service) error) error {
	return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) (err error) {
		c, closing, err := serve.OpenCustody(ctx, cfg, db, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closing()) }()
		return do(ctx, cfg, db, c)
	})
}

// custodyChange is a command that changes what becomes of a recording.
func custodyChange(use, short, action, done string, change func(ctx context.Context, c *custody.Service, session, by, reason string) error) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(reason) < 3 {
				return errors.New("say why with --reason: it is written down")
			}
			return withCustody(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store, c *custody.Service) error {
				log, err := serve.OpenAudit(ctx, cfg, db, nil, nil)
				if err != nil {
					return err
				}
				e := audit.Entry{
					Actor: serve.CommandLine(), Action: action, Outcome: audit.Success, SessionID: args[0],
					Object: audit.Object{Kind: "recording", ID: args[0]}, Details: map[string]string{"reason": reason},
				}
				err = change(ctx, c, args[0], e.Actor.Name, reason)
				if err != nil {
					e.Outcome, e.Details["problem"] = audit.Failed, err.Error()
				}
				if err = errors.Join(err, log.Record(ctx, e), log.Checkpoint(ctx)); err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; needed")
	return cmd
}

func newShredCommand() *cobra.Command {
	var confirm string
	cmd := custodyChange("shred SESSION", "Destroy the key of a recording: nobody can read it any more, ever", "shred_recording",
		"Its key is destroyed. That it is the recording that was sealed can still be verified.",
		func(ctx context.Context, c *custody.Service, session, by, reason string) error {
			if confirm != session {
				return errors.New("confirm with --confirm SESSION: it cannot be undone")
			}
			return c.Shred(ctx, session, by, reason)
		})
	cmd.Long = "Destroys the key that the recording of a session is encrypted with. Refused while it is on legal hold. Backups of the\n" +
		"database made before hold the key still, wrapped by the master key: they have to go, too."
	cmd.Flags().StringVar(&confirm, "confirm", "", "the id of the session once more")
	return cmd
}

func newCustodyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "custody SESSION", Short: "Show how long a recording is kept, and what became of it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCustody(cmd, func(ctx context.Context, _ *config.Config, db *store.Store, _ *custody.Service) error {
				c, err := db.Custodies.Get(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), c)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				until := "without end"
				if !c.RetainUntil.IsZero() {
					until = "until " + c.RetainUntil.Format(time.RFC3339)
				}
				fmt.Fprintf(w, "Kept\t%s\n", until)
				line := func(what string, at time.Time, by, reason string) {
					if at.IsZero() {
						return
					}
					if by != "" {
						by = " by " + by
					}
					fmt.Fprintf(w, "%s\t%s%s: %s\n", what, at.Format(time.RFC3339), by, reason)
				}
				line("Legal hold", c.HoldSince, c.HoldBy, c.HoldReason)
				line("Key shredded", c.ShreddedAt, c.ShreddedBy, c.ShredReason)
				line("Deleted", c.DeletedAt, "", c.DeletedReason)
				if c.DeletionError != "" {
					fmt.Fprintf(w, "Not deleted\t%s\n", c.DeletionError)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
