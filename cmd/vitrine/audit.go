package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// tailPoll is how often `audit tail --follow` looks for more.
const tailPoll = 500 * time.Millisecond

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read, prove and export the audit log"}
	configFlag(cmd)
	cmd.AddCommand(newAuditVerifyCommand(), newAuditExportCommand(), newAuditTailCommand(), newAuditProofCommand(), newAuditRotateCommand(), newAuditResumeCommand(), &cobra.Command{
		Use: "public-key", Short: "Print the public keys of the log, the oldest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			keys, err := os.ReadFile(cfg.Evidence.KeyFile + signkey.PublicSuffix)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(keys)
			return err
		},
	})
	return cmd
}

// withAudit opens the database beside a running serve, if any.
func withAudit(cmd *cobra.Command, do func(context.Context, *config.Config, *store.Store) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), cfg.Database.Source())
	if err != nil {
		return err
	}
	defer db.Close()
	return do(cmd.Context(), cfg, db)
}

type auditVerification struct {
	since, publicKey, bundle string
	json                     bool
}

func newAuditVerifyCommand() *cobra.Command {
	var v auditVerification
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing in the audit log was changed, removed, inserted or reordered",
		Long: "Computes the log anew and holds it against every signed checkpoint: those in the database, in audit.checkpoints_dir, in the\n" +
			"store of recordings and in --since. It works while serve runs. With --bundle it needs no database and no configuration.\n" +
			"The exit status is 0 when all is as it was signed, 2 when something is not, 1 when that could not be found out.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd) },
	}
	cmd.Flags().StringVar(&v.since, "since", "", "file with a checkpoint, or many, kept elsewhere: the log must still begin with what they were signed for")
	cmd.Flags().StringVar(&v.publicKey, "public-key", "", "file with the public key to trust; without it, the one beside evidence.key_file")
	cmd.Flags().StringVar(&v.bundle, "bundle", "", "file of `vitrine audit export` to verify in the place of the database")
	cmd.Flags().BoolVar(&v.json, "json", false, "print JSON")
	return cmd
}

func (v *auditVerification) run(cmd *cobra.Command) error {
	var outside []audit.Kept
	var keys []string
	if v.since != "" {
		content, err := os.ReadFile(v.since)
		if err != nil {
			return err
		}
		if outside, err = audit.ReadCheckpoints(content, v.since); err != nil {
			return err
		}
	}
	if v.publicKey != "" {
		content, err := os.ReadFile(v.publicKey)
		if err != nil {
			return err
		}
		if keys, err = audit.Keys(string(content)); err != nil {
			return err
		}
	}
	if v.bundle != "" {
		f, err := os.Open(v.bundle)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		report, err := audit.VerifyBundle(cmd.Context(), f, info.Size(), outside, keys)
		return v.print(cmd.OutOrStdout(), report, err)
	}
	return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
		report, err := serve.VerifyAudit(ctx, cfg, db, outside, keys)
		return v.print(cmd.OutOrStdout(), report, err)
	})
}

// print says what was found.
func (v *auditVerification) print(w io.Writer, report audit.Report, err error) error {
	finding, found := errors.AsType[*audit.VerifyError](err)
	if err != nil && !found {
		return err
	}
	if v.json {
		out := struct {
			OK bool `json:"ok"`
			audit.Report
			Problem *auditFinding `json:"problem,omitempty"`
		}{OK: !found, Report: report}
		if found {
			out.Problem = &auditFinding{finding.Problem, finding.Index, max(finding.Index, finding.Last), finding.Detail}
		}
		if err := printJSON(w, out); err != nil {
			return err
		}
	} else if found {
		fmt.Fprintf(w, "NOT as signed: %s\n", strings.TrimPrefix(finding.Error(), "audit: "))
	} else {
		fmt.Fprintf(w, "As signed: %d entries, %d of them under %d checkpoints (%d kept outside of the database), key %s.\n",
			report.Entries, report.Signed, report.Checkpoints, report.Outside, report.Key)
		if report.Abandoned > 0 {
			fmt.Fprintf(w, "The database was put back to an earlier state: %d checkpoints do not count, as the entries %v say.\n", report.Abandoned, report.Resumed)
		}
	}
	if found {
		return &exitError{2}
	}
	return nil
}

type auditFinding struct {
	Kind   audit.Problem `json:"kind"`
	Index  int64         `json:"index"`
	Last   int64         `json:"last"`
	Detail string        `json:"detail"`
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func newAuditExportCommand() *cobra.Command {
	var first, end int64
	cmd := &cobra.Command{
		Use:   "export FILE.zip",
		Short: "Write entries with everything that proves them",
		Long: "Writes a bundle of entries, checkpoints, proofs and the public keys; `vitrine audit verify --bundle` checks it anywhere,\n" +
			"offline. Without --from and --to it is the whole log up to the newest checkpoint.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
				log, err := serve.OpenAudit(ctx, cfg, db, nil, nil)
				if err != nil {
					return err
				}
				if err := log.Record(ctx, audit.Entry{
					Actor: serve.CommandLine(), Action: "export_audit_log", Outcome: audit.Success, Object: audit.Object{Kind: "audit_log"},
					Details: map[string]string{"from": strconv.FormatInt(first, 10), "to": strconv.FormatInt(end, 10)},
				}); err != nil {
					return err
				}
				if err := log.Checkpoint(ctx); err != nil {
					return err
				}
				keys, err := os.ReadFile(cfg.Evidence.KeyFile + signkey.PublicSuffix)
				if err != nil {
					return err
				}
				var n int64
				if err := writeWhole(args[0], func(w io.Writer) (err error) {
					n, err = audit.Export(ctx, w, db.Audit, first, end, keys)
					return err
				}); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d entries are in %s.\n", n, args[0])
				return err
			})
		},
	}
	cmd.Flags().Int64Var(&first, "from", 0, "index of the first entry")
	cmd.Flags().Int64Var(&end, "to", 0, "index after the last entry; 0: all that is signed")
	return cmd
}

func newAuditTailCommand() *cobra.Command {
	var follow, asJSON bool
	var n int64
	cmd := &cobra.Command{
		Use: "tail", Short: "Print the newest entries", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAudit(cmd, func(ctx context.Context, _ *config.Config, db *store.Store) error {
				head, err := db.Audit.Head(ctx)
				if err != nil {
					return err
				}
				for next := max(0, head.Size-n); ; {
					list, err := db.Audit.Range(ctx, next, 500)
					if err != nil {
						if ctx.Err() != nil {
							return nil
						}
						return err
					}
					for _, e := range list {
						if err := printEntry(cmd.OutOrStdout(), e, asJSON); err != nil {
							return err
						}
						next = e.Index + 1
					}
					if len(list) > 0 {
						continue
					}
					if !follow {
						return nil
					}
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(tailPoll):
					}
				}
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the entries as they were hashed, one a line")
	cmd.Flags().Int64VarP(&n, "lines", "n", 20, "how many")
	return cmd
}

func printEntry(w io.Writer, row store.AuditEntry, asJSON bool) error {
	if asJSON {
		_, err := fmt.Fprintln(w, row.Entry)
		return err
	}
	_, e, err := audit.Decode([]byte(row.Entry))
	if err != nil {
		_, err = fmt.Fprintf(w, "%d  ALTERED: %v\n", row.Index, err)
		return err
	}
	who := e.Actor.Name
	if who == "" {
		who = e.Actor.Kind
	}
	_, err = fmt.Fprintf(w, "%d  %s  %-7s  %s  %s  %s", row.Index, e.Time.Format(time.RFC3339), e.Outcome, plain(who), plain(e.Action), plain(e.Object.Kind))
	if err == nil && (e.Object.Name != "" || e.Object.ID != "") {
		name := e.Object.Name
		if name == "" {
			name = e.Object.ID
		}
		_, err = fmt.Fprint(w, " ", plain(name))
	}
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}

// plain keeps what came from outside from steering the terminal.
func plain(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

func newAuditProofCommand() *cobra.Command {
	var from int64
	cmd := &cobra.Command{
		Use:   "proof [INDEX]",
		Short: "Prove that an entry is in the log, or that the log still begins as at an earlier checkpoint",
		Long:  "Prints, as JSON, the inclusion proof of an entry in the newest checkpoint or, with --from, the consistency proof between the sizes of two checkpoints.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (from > 0) {
				return errors.New("say either the index of an entry or --from")
			}
			return withAudit(cmd, func(ctx context.Context, _ *config.Config, db *store.Store) error {
				var p audit.Proof
				var err error
				if from > 0 {
					p, err = audit.Extend(ctx, db.Audit, from)
				} else {
					var index int64
					if index, err = strconv.ParseInt(args[0], 10, 64); err == nil {
						p, err = audit.Include(ctx, db.Audit, index)
					}
				}
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), p)
			})
		},
	}
	cmd.Flags().Int64Var(&from, "from", 0, "number of entries of the earlier checkpoint")
	return cmd
}

func newAuditRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-key",
		Short: "Sign with a new key from now on",
		Long: "Makes a new key, which the old one signs in an entry of the log, and forgets the private half of the old one. It is the same\n" +
			"key that recordings are signed with. A running gateway takes the new key at once.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := rotateKey(cmd)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The log is signed with %s from now on. Give the public keys to those who verify.\n", key)
			return err
		},
	}
}

// rotateKey replaces the one key of the audit log and of recordings, so that the log says so.
func rotateKey(cmd *cobra.Command) (verifier string, err error) {
	err = withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
		if _, err := signkey.Load(cfg.Evidence.KeyFile); err != nil {
			return err
		}
		log, err := serve.OpenAudit(ctx, cfg, db, nil, nil)
		if err != nil {
			return err
		}
		verifier, err = log.Rotate(ctx, serve.CommandLine())
		return err
	})
	return verifier, err
}

func newAuditResumeCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Accept that the database was put back to an earlier state, and sign the log again",
		Long: "After a restore from a backup the log is not the one that was signed last, and nothing is signed any more. This writes\n" +
			"into the log who accepts that and why. `vitrine audit verify` tells of it from then on. Stop the gateway first.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAudit(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store) error {
				lock, err := serve.Lock(cfg.DataDir)
				if err != nil {
					return err
				}
				defer lock.Close()
				objects, err := serve.OpenObjects(cfg.Recording)
				if err != nil {
					return err
				}
				defer objects.Close()
				log, err := serve.OpenAudit(ctx, cfg, db, objects, nil)
				if err != nil {
					return err
				}
				if err := log.Resume(ctx, serve.CommandLine(), reason); err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "The log is signed again. It tells who resumed it and why.")
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why that is as it should be")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// audited does what the command line was told to, and writes it to the audit log: an act that cannot be written there is
// not begun. action and object are as in the entries of the API.
func audited(ctx context.Context, cfg *config.Config, db *store.Store, action string, object audit.Object, do func() error) error {
	log, err := serve.OpenAudit(ctx, cfg, db, nil, nil)
	if err != nil {
		return err
	}
	e := audit.Entry{Actor: serve.CommandLine(), Action: action, Object: object, Outcome: audit.Success}
	err = do()
	if err != nil {
		e.Outcome, e.Details = audit.Failed, map[string]string{"reason": err.Error()}
	}
	return errors.Join(err, log.Record(ctx, e), log.Checkpoint(ctx))
}
