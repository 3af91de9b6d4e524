package main

import "github.com/spf13/cobra"

// extraCommands are the commands that are not for people.
func extraCommands() []*cobra.Command { return []*cobra.Command{newWorkerCommand(), newOCRCommand()} }
