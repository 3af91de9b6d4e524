package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// render writes all tables that have something to show, then what they mean.
func render(w *strings.Builder, m *measured, goals, peer *reference) {
	for _, t := range layout {
		t.render(w, m, goals, peer)
	}
	others(w, m)
	fmt.Fprintf(w, "Medians; runs of each: %d, of what takes long one.", m.runs)
	if goals.Name != "" {
		fmt.Fprintf(w, " Bold: the goal is missed.")
	}
	if peer.Name != "" {
		fmt.Fprintf(w, " Ratios are our figure to that of %s.", peer.Name)
	}
	w.WriteString("\n\n")
	for _, line := range slices.Concat(m.machine, goals.About, peer.About) {
		fmt.Fprintf(w, "- %s\n", line)
	}
	for _, name := range m.skipped {
		fmt.Fprintf(w, "- **Not measured: %s was skipped.**\n", name)
	}
}

// render writes a line for each benchmark that ran, and under it one for its goal, its peer's figures and the ratio to them, as far as
// there are any.
func (t table) render(w *strings.Builder, m *measured, goals, peer *reference) {
	columns := slices.DeleteFunc(slices.Clone(t.columns), func(c column) bool {
		return !slices.ContainsFunc(t.rows, func(r row) bool { return len(m.values[r.benchmark][c.unit]) > 0 })
	})
	if len(columns) == 0 {
		return
	}
	fmt.Fprintf(w, "## %s\n\n| %s | |", t.title, t.corner)
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c.title)
	}
	fmt.Fprintf(w, "\n| --- | --- |%s\n", strings.Repeat(" ---: |", len(columns)))
	for _, r := range t.rows {
		if m.values[r.benchmark] == nil {
			continue
		}
		line(w, r.title, "ours", columns, func(c column) string {
			ours, ok := m.median(r.benchmark, c.unit)
			if !ok {
				return ""
			}
			if goal, ok := goals.figure(r.benchmark, c.unit); ok && c.misses(ours, goal) {
				return "**" + number(ours) + "**"
			}
			return number(ours)
		})
		for _, other := range []*reference{goals, peer} {
			if len(other.Figures[r.benchmark]) > 0 {
				line(w, "", other.Name, columns, func(c column) string {
					v, ok := other.figure(r.benchmark, c.unit)
					if !ok {
						return ""
					}
					return number(v)
				})
			}
		}
		if len(peer.Figures[r.benchmark]) > 0 {
			line(w, "", "ratio", columns, func(c column) string {
				ours, ok := m.median(r.benchmark, c.unit)
				theirs, known := peer.figure(r.benchmark, c.unit)
				if !ok || !known || theirs == 0 {
					return ""
				}
				return number(ours/theirs) + "×"
			})
		}
	}
	w.WriteString("\n")
}

func (c column) misses(ours, goal float64) bool {
	if c.more {
		return ours < goal
	}
	return ours > goal
}

func line(w *strings.Builder, title, who string, columns []column, cell func(column) string) {
	fmt.Fprintf(w, "| %s | %s |", title, who)
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", cell(c))
	}
	w.WriteString("\n")
}

// others lists what the layout does not know.
func others(w *strings.Builder, m *measured) {
	var rows []string
	for _, name := range m.names {
		if slices.ContainsFunc(layout, func(t table) bool { return t.has(name) }) {
			continue
		}
		var figures []string
		for _, unit := range slices.Sorted(maps.Keys(m.values[name])) {
			if v, _ := m.median(name, unit); v != 0 || unit != "ns/op" { // it is reported as 0 where no operations were timed
				figures = append(figures, number(v)+" "+unit)
			}
		}
		rows = append(rows, fmt.Sprintf("| %s | %s |\n", name, strings.Join(figures, ", ")))
	}
	if len(rows) > 0 {
		fmt.Fprintf(w, "## Others\n\n| benchmark | figures |\n| --- | --- |\n%s\n", strings.Join(rows, ""))
	}
}

// number writes three digits and all of those before the point.
func number(v float64) string {
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	if math.Abs(v) < 0.00005 {
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
