// Benchtable turns the lines of `go test -bench`, of as many runs as there are, into one table in Markdown: medians, and beside
// them the goals and another gateway's figures with the ratio of ours to them.
//
//	go test ./internal/e2e -run '^$' -bench . -benchtime 1x -count 3 |
//		go run ./internal/benchtable -goals testdata/peers/goals.json -peer testdata/peers/guacd.json -out table.md
//
// The lines pass through to standard error as they come, the table goes to standard output and into the file. It fails when a
// benchmark did, and when nothing was measured. What it shows where is in layout.go; what goals and figures of a peer look like,
// in reference.go.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out, progress io.Writer) error {
	flags := flag.NewFlagSet("benchtable", flag.ContinueOnError)
	flags.SetOutput(progress)
	goalsFile := flags.String("goals", "", "`file` of figures that are wanted")
	peerFile := flags.String("peer", "", "`file` of another gateway's figures")
	outFile := flags.String("out", "", "`file` for the table, besides standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	goals, err := readReference(*goalsFile)
	if err != nil {
		return err
	}
	peer, err := readReference(*peerFile)
	if err != nil {
		return err
	}
	m, err := readMeasured(io.TeeReader(in, progress))
	if err != nil {
		return err
	}
	var text strings.Builder
	render(&text, m, goals, peer)
	if _, err := io.WriteString(out, text.String()); err != nil {
		return err
	}
	if *outFile == "" {
		return nil
	}
	return os.WriteFile(*outFile, []byte(text.String()), 0o644)
}
