package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the tables the tests expect")

func TestTable(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"table.md", []string{"-goals", "testdata/goals.json", "-peer", "testdata/peer.json"}},
		{"alone.md", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := os.ReadFile("testdata/bench.txt")
			require.NoError(t, err)
			var out, progress strings.Builder
			file := filepath.Join(t.TempDir(), "out.md")
			require.NoError(t, run(append(c.args, "-out", file), strings.NewReader(string(lines)), &out, &progress))
			require.Equal(t, string(lines), progress.String())
			written, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, out.String(), string(written))
			golden := filepath.Join("testdata", c.name)
			if *update {
				require.NoError(t, os.WriteFile(golden, written, 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
		})
	}
}

// TestNoTable is where a table would be a lie.
func TestNoTable(t *testing.T) {
	const good = "BenchmarkDesktop/idle-2 1 0.003 cores\n"
	for _, c := range []struct{ name, lines, want string }{
		{"nothing", "", errNothing.Error()},
		{"no figures", "PASS\nok  \tinternal/e2e\t1.2s\n", errNothing.Error()},
		{"a failure", good + "--- FAIL: BenchmarkDesktop/typing-2\n    bench_test.go:7: no picture\nFAIL\n", "a benchmark failed"},
		{"a build", good + "FAIL\tinternal/e2e [build failed]\n", "build failed"},
		{"half a line", good + "BenchmarkDesktop/idle-2 1 0.003\n", "missing units"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			require.ErrorContains(t, run(nil, strings.NewReader(c.lines), &out, io.Discard), c.want)
			require.Empty(t, out.String())
		})
	}
}

func TestReference(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", "cores: 1", "invalid character"},
		{"an unknown field", `{"name": "x", "figure": {}}`, "unknown field"},
		{"no such benchmark", `{"name": "x", "figures": {"Desktop/scrol": {"cores": 1}}}`, "no table shows cores of Desktop/scrol"},
		{"no such figure", `{"name": "x", "figures": {"Desktop/scroll": {"core": 1}}}`, "no table shows core of Desktop/scroll"},
		{"of another table", `{"name": "x", "figures": {"Viewers/4": {"ms-p95": 1}}}`, "no table shows ms-p95 of Viewers/4"},
		{"good", `{"name": "x", "figures": {"Viewers/4": {"cores/viewer": 1}}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "peer.json")
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			r, err := readReference(file)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			v, ok := r.figure("Viewers/4", "cores/viewer")
			require.True(t, ok)
			require.InDelta(t, 1, v, 0)
		})
	}
	_, err := readReference(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestKept reads the files that `make bench-e2e` compares with.
func TestKept(t *testing.T) {
	for _, name := range []string{"goals.json", "guacd.json"} {
		r, err := readReference(filepath.Join("..", "..", "testdata", "peers", name))
		require.NoError(t, err)
		require.NotEmpty(t, r.Name)
		require.NotEmpty(t, r.About)
		require.NotEmpty(t, r.Figures)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1}, 2.5}, {[]float64{8, 2, 4, 1}, 3}} {
		m := measured{values: map[string]map[string][]float64{"a": {"x": c.values}}}
		v, ok := m.median("a", "x")
		require.True(t, ok)
		require.InDelta(t, c.want, v, 1e-9)
		_, ok = m.median("a", "y")
		require.False(t, ok)
		_, ok = m.median("b", "x")
		require.False(t, ok)
	}
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0.00004, "0.0003": 0.0003, "0.00291": 0.00291, "0.082": 0.082, "9.5": 9.5, "31.5": 31.49, "100": 99.96, "123": 123.4, "1470": 1469.6, "1000": 999.7,
		"-2.5": -2.5,
	} {
		require.Equal(t, want, number(v))
	}
}

func TestWithoutProcs(t *testing.T) {
	for in, want := range map[string]string{
		"Desktop/idle-2": "Desktop/idle", "XRDPScroll/Xorg-32-2": "XRDPScroll/Xorg-32", "Desktop/idle": "Desktop/idle", "Desktop/a-": "Desktop/a-",
	} {
		require.Equal(t, want, withoutProcs(in))
	}
}
