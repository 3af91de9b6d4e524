// Command vitrine is the whole product: the gateway, the worker it starts for each session, and the tools beside them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run exists for the tests, which call it in the place of main.
func run() int {
	// The first signal drains; a second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := newRootCommand().ExecuteContext(ctx)
	var silent *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &silent):
		return silent.code
	}
	fmt.Fprintln(os.Stderr, "vitrine:", err)
	return 1
}

// exitError ends the program with code; what was wrong has been said.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }
