// Package testbed starts the real programs that tests and benchmarks meet: X servers and VNC servers with
// something on their screens, MinIO, certificates, and a network line that can fail.
//
// Everything started here listens on the loopback interface at a port or display chosen at that moment, has
// answered by the time the function returns, and is ended, with its children, when the test ends. Test
// processes may run side by side.
//
// A program that is not installed skips the test on a person's machine and fails it when the environment
// variable CI is set: see Require. deploy/install-deps.sh installs them all.
package testbed

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// TB is the part of testing.TB used here, so that a benchmark outside `go test` can be one as well.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
	Failed() bool
	TempDir() string
}

// startTimeout is how long a program may take until it answers, on a machine under load.
const startTimeout = 30 * time.Second

// Require skips the test unless all the programs are on the PATH; with CI set it fails the test instead.
func Require(t TB, programs ...string) {
	t.Helper()
	missing := slices.DeleteFunc(slices.Clone(programs), func(p string) bool {
		_, err := exec.LookPath(p)
		return err == nil
	})
	if len(missing) > 0 {
		unavailable(t, "not installed: "+strings.Join(missing, ", "))
	}
}

// program returns the first of a program's names that is on the PATH; it requires one of them.
func program(t TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			return name
		}
	}
	unavailable(t, "not installed: "+strings.Join(names, " or "))
	return ""
}

// unavailable ends the test: skipped on a person's machine, failed in CI.
func unavailable(t TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("testbed: %s; run deploy/install-deps.sh test", why)
		return
	}
	t.Skipf("testbed: SKIPPED, NOTHING WAS TESTED: %s; run deploy/install-deps.sh test", why)
}

// Chromium returns the path of the browser, which it requires.
func Chromium(t TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	unavailable(t, "not installed: chromium")
	return ""
}

// cached returns the newest program that deploy/install-deps.sh built into the user's cache folder as
// bin/NAME-VERSION/NAME, unless the environment variable override names another.
func cached(name, override string) (string, error) {
	if path := os.Getenv(override); path != "" {
		return path, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "vitrine", "bin", name+"-*", name))
	if err != nil {
		return "", err
	}
	newest, when := "", time.Time{}
	for _, path := range found {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(when) {
			newest, when = path, info.ModTime()
		}
	}
	if newest == "" {
		return "", errors.New("not built: " + name)
	}
	return newest, nil
}

// Eventually waits until ok returns true and fails the test, naming what, when it does not within timeout.
func Eventually(t TB, timeout time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(timeout); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("testbed: not within %v: %s", timeout, what)
			return
		}
	}
}
