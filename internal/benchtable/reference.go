package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// reference is figures to compare with, kept in a file of JSON:
//
//	{
//	  "name": "guacd 1.6.0",
//	  "about": ["where the figures come from", "under which conditions"],
//	  "figures": {"Desktop/scroll": {"cores": 0.36, "KB/s": 1110}}
//	}
//
// Figures are named as the benchmarks name theirs, without GOMAXPROCS.
type reference struct {
	Name    string                        `json:"name"`
	About   []string                      `json:"about"`
	Figures map[string]map[string]float64 `json:"figures"`
}

// readReference reads a file; without a name there is nothing to compare with. A figure that no table shows is an error: it would
// be compared with nothing.
func readReference(file string) (*reference, error) {
	if file == "" {
		return &reference{}, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	r := &reference{}
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for name, units := range r.Figures {
		for unit := range units {
			if !shown(name, unit) {
				return nil, fmt.Errorf("%s: no table shows %s of %s", file, unit, name)
			}
		}
	}
	return r, nil
}

func (r *reference) figure(name, unit string) (float64, bool) {
	v, ok := r.Figures[name][unit]
	return v, ok
}
