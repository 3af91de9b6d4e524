package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/target/manifest"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// exitChanges is the exit code of a dry run that would change something.
const exitChanges = 2

type applyFlags struct {
	file                string
	dryRun, prune, json bool
}

func newApplyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply -f FILE|FOLDER",
		Short: "Make targets and their accounts as YAML files say",
		Long: "Shows what changes, and makes all of it or nothing; applying the same files again changes nothing. Works beside a\n" +
			"running gateway. Passwords are shown as changed or not at all.\n\n" +
			"With --dry-run nothing is changed, and the exit code is 0 when nothing would be, 2 when something would, 1 after an error.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withVault(cmd, func(ctx context.Context, cfg *config.Config, db *store.Store, v *vault.Vault) error {
				return apply(ctx, cmd, cfg, db, v, f)
			})
		},
	}
	configFlag(cmd)
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "YAML file, folder of them, or - for standard input")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	cmd.Flags().BoolVar(&f.prune, "prune", false, "remove targets that came from files before and are in none of these")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the changes as JSON")
	_ = cmd.MarkFlagRequired("file") // it is there
	return cmd
}

func apply(ctx context.Context, cmd *cobra.Command, cfg *config.Config, db *store.Store, v *vault.Vault, f applyFlags) error {
	files, err := manifest.ReadFiles(f.file, cmd.InOrStdin())
	if err != nil {
		return err
	}
	opts := manifest.Options{Local: true, Environ: os.Environ()}
	for _, p := range cfg.Credentials.Vaults {
		opts.Vaults = append(opts.Vaults, p.Name)
	}
	for _, p := range cfg.Credentials.Commands {
		opts.Commands = append(opts.Commands, p.Name)
	}
	documents, err := manifest.Parse(files, opts)
	if err != nil {
		return err
	}
	if len(documents) == 0 && f.prune {
		return fmt.Errorf("%s holds no target, and with --prune all would be removed", f.file)
	}
	// The database knows those of the file as the gateway's last start found them.
	for _, d := range documents {
		if slices.ContainsFunc(cfg.Targets, func(t config.Target) bool { return t.ID == d.Target.ID }) {
			return fmt.Errorf("%s:%d: id: %q is in the configuration file, which alone changes it", d.File, d.Line, d.Target.ID)
		}
	}
	targets := target.NewRepository(db, v)
	plan, err := manifest.Apply(ctx, targets, documents, manifest.ApplyOptions{Prune: f.prune, DryRun: true})
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(cmd.OutOrStdout(), plan)
	} else {
		err = printPlan(cmd.OutOrStdout(), plan, f.dryRun)
	}
	switch {
	case err != nil || len(plan.Changes) == 0:
		return err
	case f.dryRun:
		return &exitError{exitChanges}
	}
	return audited(ctx, cfg, db, "apply_targets", audit.Object{Kind: "targets", Name: strconv.Itoa(len(plan.Changes)) + " changes"}, func() error {
		_, err := manifest.Apply(ctx, targets, documents, manifest.ApplyOptions{Prune: f.prune, Digest: plan.Digest})
		return err
	})
}

// Colours of a diff, on terminals.
const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	normal = "\x1b[0m"
)

// printPlan shows what changes, for people.
func printPlan(w io.Writer, plan manifest.Plan, dry bool) error {
	in := func(colour, text string) string {
		if !colourful(w) {
			return text
		}
		return colour + text + normal
	}
	count := map[string]int{}
	for _, c := range plan.Changes {
		count[c.Op]++
		sign, colour := "~", yellow
		switch c.Op {
		case manifest.Create:
			sign, colour = "+", green
		case manifest.Delete:
			sign, colour = "-", red
		}
		fmt.Fprintln(w, in(colour, sign+" target "+c.ID))
		for _, f := range c.Fields {
			switch {
			case f.Secret:
				fmt.Fprintln(w, in(yellow, "    ~ "+f.Path+": "+secretVerb(c.Op)+" (not shown)"))
			case f.Old == "":
				fmt.Fprintln(w, in(green, "    + "+f.Path+": "+strconv.Quote(f.New)))
			case f.New == "":
				fmt.Fprintln(w, in(red, "    - "+f.Path+": "+strconv.Quote(f.Old)))
			default:
				fmt.Fprintln(w, in(yellow, "    ~ "+f.Path+": "+strconv.Quote(f.Old)+" → "+strconv.Quote(f.New)))
			}
		}
	}
	verb := ""
	if dry {
		verb = " would be"
	}
	_, err := fmt.Fprintf(w, "%d%s created, %d changed, %d removed, %d as they were.\n",
		count[manifest.Create], verb, count[manifest.Update], count[manifest.Delete], plan.Unchanged)
	return err
}

// colourful tells whether w is a terminal whose owner has nothing against colours.
func colourful(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// secretVerb says what becomes of a secret of a target.
func secretVerb(op string) string {
	if op == manifest.Create {
		return "set"
	}
	return "changed"
}
