package ocr

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// ErrMissing is wrapped by what Look returns when text cannot be read because something is not installed.
var ErrMissing = errors.New("ocr: not installed")

// Look finds the program and asks it for the languages it has data of. It returns the program's path.
func Look(ctx context.Context, program string, languages []string) (path string, err error) {
	if path, err = exec.LookPath(program); err != nil {
		return "", fmt.Errorf("%w: the program %q", ErrMissing, program)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--list-langs")
	out := &capped{limit: maxAnswerBytes}
	cmd.Stdout, cmd.WaitDelay = out, killGrace
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ocr: %s --list-langs: %w", path, err)
	}
	have := strings.Fields(string(out.b))
	for _, l := range languages {
		if !slices.Contains(have, l) {
			return "", fmt.Errorf("%w: tesseract's data of the language %q", ErrMissing, l)
		}
	}
	return path, nil
}
