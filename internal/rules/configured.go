package rules

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/detect"
)

// Base is what lies below the console's changes.
type Base struct {
	Enabled bool // rules are tried at all
	File    detect.File
	// Written are the ids of rules, and the names of lists, that stand in the configuration's file; Changed those of rules whose action it says.
	Written, WrittenLists, Changed map[string]bool
}

// Configured reads and checks the rules Vitrine comes with, as a configuration adds to them and changes them.
func Configured(c *config.Detection) (Base, error) {
	b := Base{Enabled: c.Enabled, File: detect.Starter(), Written: map[string]bool{}, WrittenLists: map[string]bool{}, Changed: map[string]bool{}}
	b.File.Rules, b.File.Lists = slices.Clone(b.File.Rules), slices.Clone(b.File.Lists)
	if c.RulesFile != "" {
		more, err := readFile(c.RulesFile, b.File.Lists)
		if err != nil {
			return Base{}, fmt.Errorf("rules: detection.rules_file: %w", err)
		}
		for _, l := range more.Lists {
			b.WrittenLists[l.Name] = true
			b.File.Lists = put(b.File.Lists, l, func(o detect.List) bool { return o.Name == l.Name })
		}
		for _, r := range more.Rules {
			b.Written[r.ID] = true
			b.File.Rules = put(b.File.Rules, r, func(o detect.Rule) bool { return o.ID == r.ID })
		}
	}
	for _, a := range c.Actions {
		i := slices.IndexFunc(b.File.Rules, func(r detect.Rule) bool { return r.ID == a.Rule })
		if i < 0 {
			return Base{}, fmt.Errorf("rules: detection.actions: there is no rule %q", a.Rule)
		}
		b.Changed[a.Rule] = true
		if a.Action == config.RuleOff {
			b.File.Rules[i].Disabled = true
		} else {
			b.File.Rules[i].Action = detect.Action(a.Action)
		}
	}
	if err := b.File.Check(nil); err != nil {
		return Base{}, fmt.Errorf("rules: detection: %w", err)
	}
	return b, nil
}

func readFile(path string, lists []detect.List) (detect.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return detect.File{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, detect.MaxYAML+1))
	if err != nil {
		return detect.File{}, err
	}
	return detect.ParseYAML(b, lists...)
}

// put replaces the entry that is the same, or adds it.
func put[T any](list []T, entry T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = entry
		return list
	}
	return append(list, entry)
}
