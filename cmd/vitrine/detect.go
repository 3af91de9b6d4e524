package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/rules"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func newDetectCommand() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "detect FOLDER|SESSION",
		Short: "Try rules of detection on a recording",
		Long: "Reads a sealed recording as a running session is read, and tells which rules fit and when; nothing is changed.\n" +
			"A FOLDER is recordings/SESSION of a disk store, or a copy of it from any other, if it is not encrypted; tried are the rules\n" +
			"Vitrine comes with. A SESSION is looked up in the store of the configuration, with the rules that it says and what the\n" +
			"console makes of them. --rules tries those of a file instead. Scopes of rules are not looked at.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return dryRun(cmd, args[0], file, asJSON) },
	}
	configFlag(cmd)
	cmd.Flags().StringVar(&file, "rules", "", "file of the rules to try, in place of the gateway's")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each hit")
	return cmd
}

// found is a hit at a moment of a recording.
type found struct {
	US       int64           `json:"t_us"`
	Rule     string          `json:"rule"`
	Name     string          `json:"name"`
	Severity detect.Severity `json:"severity"`
	Action   detect.Action   `json:"action"`
	Source   detect.Source   `json:"source"`
	Actor    string          `json:"actor,omitempty"`
	Excerpt  string          `json:"excerpt"`
}

func dryRun(cmd *cobra.Command, what, file string, asJSON bool) (err error) {
	set, err := rulesToTry(cmd, what, file)
	if err != nil {
		return err
	}
	library, session, closing, err := exportSource(cmd, what)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	rec, err := library.Open(cmd.Context(), session)
	if err != nil {
		return err
	}
	defer rec.Close()
	out := cmd.OutOrStdout()
	trial, err := rules.Try(cmd.Context(), rec, set, 0)
	for _, h := range trial.Hits {
		if err := tell(out, &h, asJSON); err != nil {
			return err
		}
	}
	if errors.Is(err, recording.ErrNoKey) {
		return fmt.Errorf("%w here: name the session instead of the folder, or the key was shredded", err)
	}
	if err != nil || asJSON {
		return err
	}
	if trial.Info.Keys != recording.KeysFull {
		fmt.Fprintf(out, "The recording keeps no typed text (keys: %s): only the clipboard and names were looked at.\n", trial.Info.Keys)
	}
	_, err = fmt.Fprintf(out, "%d rules tried, %d hits.\n", set.Len(), len(trial.Hits))
	return err
}

func tell(out io.Writer, f *rules.Found, asJSON bool) error {
	r := f.Rule
	if asJSON {
		return json.NewEncoder(out).Encode(found{f.US, r.ID, r.Name, r.Severity, r.Action, f.Source, f.Actor, f.Excerpt})
	}
	at := (time.Duration(f.US) * time.Microsecond).Round(time.Millisecond)
	_, err := fmt.Fprintf(out, "%-12s %-8s %s (%s), %s by %s: %q\n", at, r.Severity, r.ID, r.Action, f.Source, f.Actor, f.Excerpt)
	return err
}

// rulesToTry are those of a file, else the gateway's for a session, else those Vitrine comes with.
func rulesToTry(cmd *cobra.Command, what, path string) (*detect.Set, error) {
	file := detect.Starter()
	switch {
	case path != "":
		f, err := os.Open(filepath.Clean(path))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, detect.MaxYAML+1))
		if err != nil {
			return nil, err
		}
		shipped := file.Lists
		if file, err = detect.ParseYAML(b, shipped...); err != nil {
			return nil, err
		}
		for _, l := range shipped {
			if !hasList(file.Lists, l.Name) {
				file.Lists = append(file.Lists, l)
			}
		}
	case recording.ValidSessionID(what):
		cfg, err := loadConfig(cmd)
		if err != nil {
			return nil, err
		}
		if file, err = rulesOf(cmd.Context(), cfg); err != nil {
			return nil, err
		}
	}
	return detect.Compile(file.Rules, file.Lists)
}

func hasList(lists []detect.List, name string) bool {
	for _, l := range lists {
		if l.Name == name {
			return true
		}
	}
	return false
}

// rulesOf are those of a gateway, running or not, also where it tries none.
func rulesOf(ctx context.Context, cfg *config.Config) (_ detect.File, err error) {
	base, err := rules.Configured(&cfg.Detection)
	if err != nil {
		return detect.File{}, err
	}
	db, err := store.Open(ctx, cfg.Database.Source())
	if err != nil {
		return detect.File{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	e, err := rules.NewBook(db, base, slog.New(slog.DiscardHandler)).Effective(ctx)
	if err != nil {
		return detect.File{}, err
	}
	return e.File(), nil
}
