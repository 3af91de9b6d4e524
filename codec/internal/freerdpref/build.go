package freerdpref

import (
	"crypto/sha256"
	_ "embed" // ref/ref.c
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

//go:embed ref/ref.c
var source []byte

// program returns the path of the compiled reference.
var program = sync.OnceValues(build)

func build() (string, error) {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "freerdp2", "winpr2").Output()
	if err != nil {
		return "", fmt.Errorf("pkg-config knows no freerdp2 and winpr2: %w", err)
	}
	version, err := exec.Command("pkg-config", "--modversion", "freerdp2").Output()
	if err != nil {
		return "", fmt.Errorf("pkg-config: %w", err)
	}
	args := append([]string{"-O2", "-Wall", "-Werror=implicit-function-declaration"}, strings.Fields(string(flags))...)
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(string(source) + strings.Join(args, " ") + string(version)))
	dir := filepath.Join(cache, "vitrine")
	path := filepath.Join(dir, fmt.Sprintf("freerdpref-%x", key[:8]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// Test processes may build side by side: each in a folder of its own, the last rename wins.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(dir, "freerdpref-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	src, bin := filepath.Join(temp, "ref.c"), filepath.Join(temp, "ref")
	if err := os.WriteFile(src, source, 0o600); err != nil {
		return "", err
	}
	args = append([]string{"-o", bin, src}, args...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc: %w\n%s", err, out)
	}
	return path, os.Rename(bin, path)
}

// unavailable ends the test: skipped on a person's machine, failed in CI.
func unavailable(t testing.TB, why error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("freerdpref: %v; run deploy/install-deps.sh test", why)
		return
	}
	t.Skipf("freerdpref: SKIPPED, NOTHING WAS COMPARED WITH FREERDP: %v; run deploy/install-deps.sh test", why)
}
