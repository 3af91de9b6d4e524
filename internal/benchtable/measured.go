package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// measured is what the benchmarks printed.
type measured struct {
	runs    int                             // of the benchmark that ran most often
	names   []string                        // of benchmarks, as "Desktop/scroll", in the order of their first lines
	values  map[string]map[string][]float64 // by name and unit, of all runs
	skipped []string                        // names of benchmarks that did not run
	machine []string                        // lines that say where it was: goos, goarch, cpu
}

var errNothing = errors.New("no benchmark measured anything")

// readMeasured reads the output of `go test -bench`. It returns an error when a benchmark failed.
func readMeasured(in io.Reader) (*measured, error) {
	m := &measured{values: map[string]map[string][]float64{}}
	var results bytes.Buffer
	failed := ""
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		switch name, isSkip := strings.CutPrefix(strings.TrimSpace(line), "--- SKIP: Benchmark"); {
		case isSkip:
			m.skipped = append(m.skipped, withoutProcs(strings.Fields(name)[0]))
		case strings.HasPrefix(line, "FAIL"), strings.HasPrefix(line, "--- FAIL"):
			failed = line
		case strings.HasPrefix(line, "Benchmark"):
			results.WriteString(line + "\n")
		case strings.HasPrefix(line, "goos:"), strings.HasPrefix(line, "goarch:"), strings.HasPrefix(line, "cpu:"):
			if !slices.Contains(m.machine, line) {
				m.machine = append(m.machine, line)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if failed != "" {
		return nil, fmt.Errorf("a benchmark failed: %s", failed)
	}
	if err := m.parse(&results); err != nil {
		return nil, err
	}
	if len(m.names) == 0 {
		return nil, errNothing
	}
	return m, nil
}

func (m *measured) parse(results io.Reader) error {
	reader := benchfmt.NewReader(results, "the benchmarks' output")
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return record
		case *benchfmt.Result:
			m.add(withoutProcs(record.Name.String()), record.Values)
		}
	}
	return reader.Err()
}

func (m *measured) add(name string, values []benchfmt.Value) {
	if m.values[name] == nil {
		m.values[name] = map[string][]float64{}
		m.names = append(m.names, name)
	}
	for _, v := range values {
		unit, value := v.Unit, v.Value
		if v.OrigUnit != "" { // not the library's bytes and seconds
			unit, value = v.OrigUnit, v.OrigValue
		}
		m.values[name][unit] = append(m.values[name][unit], value)
		m.runs = max(m.runs, len(m.values[name][unit]))
	}
}

// withoutProcs takes the "-2" of GOMAXPROCS from a benchmark's name.
func withoutProcs(name string) string {
	i := strings.LastIndexByte(name, '-')
	if i < 0 || i == len(name)-1 || strings.Trim(name[i+1:], "0123456789") != "" {
		return name
	}
	return name[:i]
}

// median returns the figure of a benchmark, and whether there is one. Of an even number of runs it is the mean of the middle two.
func (m *measured) median(name, unit string) (float64, bool) {
	v := slices.Sorted(slices.Values(m.values[name][unit]))
	if len(v) == 0 {
		return 0, false
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2, true
}
