package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vitrine-psm/vitrine/internal/target"
)

// File is what is read.
type File struct {
	Name    string // for people
	Content []byte
}

// Options say what documents may refer to.
type Options struct {
	// Local lets documents name files and variables, which only those may who run the program themselves. Relative paths start
	// from the folder of the document's file.
	Local bool
	// Environ is os.Environ().
	Environ []string
	// Vaults and Commands are those of the configuration.
	Vaults, Commands []string
}

// Document is a target as it is wanted.
type Document struct {
	Target   target.Target // without Accounts
	Accounts []Account
	File     string
	Line     int
}

// Account is an account as it is wanted.
type Account struct {
	target.Account
	// Keep leaves the credential as it is; else it is Source, with Password for kind stored.
	Keep     bool
	Password target.Password
}

// Problem is something wrong in a file. It quotes no secret.
type Problem struct {
	File string
	Line int
	Path string // of the value, such as accounts[0].credential
	Text string
}

func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Path == "" {
		return at + ": " + p.Text
	}
	return at + ": " + p.Path + ": " + p.Text
}

// InvalidError is files that cannot be applied.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Parse reads files. The error is an *InvalidError with all that is wrong, up to a bound.
func Parse(files []File, opts Options) ([]Document, error) {
	p := &parser{opts: opts, seen: map[string]string{}}
	total := 0
	for _, f := range files {
		if total += len(f.Content); total > MaxBytes {
			p.fail(Problem{File: f.Name, Text: fmt.Sprintf("all files together hold more than %d bytes", MaxBytes)})
			break
		}
		p.file(f)
	}
	if p.problems != nil {
		return nil, &InvalidError{p.problems}
	}
	return p.documents, nil
}

type parser struct {
	opts      Options
	documents []Document
	seen      map[string]string // where each id is
	problems  []Problem
}

func (p *parser) fail(problem Problem) {
	switch {
	case len(p.problems) < maxProblems:
		p.problems = append(p.problems, problem)
	case len(p.problems) == maxProblems:
		p.problems = append(p.problems, Problem{File: problem.File, Text: "and more"})
	}
}

func (p *parser) file(f File) {
	decoder := yaml.NewDecoder(bytes.NewReader(f.Content))
	for len(p.problems) <= maxProblems {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			// The parser says where and what it expected; it quotes at most an anchor's name.
			p.fail(Problem{File: f.Name, Text: clip(strings.TrimPrefix(err.Error(), "yaml: "))})
			return
		}
		if len(p.documents) == maxDocuments {
			p.fail(Problem{File: f.Name, Line: n.Line, Text: fmt.Sprintf("there are more than %d documents", maxDocuments)})
			return
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 && n.Content[0].Tag != "!!null" { // else an empty document
			p.document(f, n.Content[0])
		}
	}
}

func (p *parser) document(f File, n *yaml.Node) {
	s := &strict{file: f.Name, lines: map[string]int{}, fail: p.fail}
	if !s.value("", n, reflect.TypeFor[document](), 0) {
		return
	}
	var d document
	if err := n.Decode(&d); err != nil { // a keyboard layout that is none, by its own UnmarshalText
		s.problem(n, "", "%s", clip(err.Error()))
		return
	}
	if d.Kind != kindTarget {
		s.problem(n, "kind", "%q is not one of %s", clip(d.Kind), kindTarget)
		return
	}
	r := &reader{opts: p.opts, base: filepath.Dir(f.Name), fail: func(path, text string) {
		line := n.Line
		for at := path; at != ""; at = above(at) {
			if l, ok := s.lines[at]; ok {
				line = l
				break
			}
		}
		p.fail(Problem{File: f.Name, Line: line, Path: path, Text: text})
	}}
	out := r.document(&d)
	out.File, out.Line = f.Name, n.Line
	if first, twice := p.seen[out.Target.ID]; twice {
		r.fail("id", fmt.Sprintf("%q is already the id of the target at %s", clip(out.Target.ID), first))
	}
	p.seen[out.Target.ID] = fmt.Sprintf("%s:%d", f.Name, n.Line)
	p.documents = append(p.documents, out)
}

// above is the path of what holds the value at path.
func above(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// ReadFiles reads the file at path, or the .yaml and .yml files of a folder in the order of their names; "-" is what in holds.
func ReadFiles(path string, in io.Reader) ([]File, error) {
	if path == "-" {
		b, err := io.ReadAll(io.LimitReader(in, MaxBytes+1))
		return []File{{"standard input", b}}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		names = nil
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				names = append(names, filepath.Join(path, e.Name()))
			}
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s holds no .yaml file", path)
		}
		if len(names) > MaxFiles {
			return nil, fmt.Errorf("%s holds %d files, more than %d", path, len(names), MaxFiles)
		}
	}
	var files []File
	left := int64(MaxBytes)
	for _, name := range names {
		b, err := readCapped(name, left)
		if err != nil {
			return nil, err
		}
		left -= int64(len(b))
		files = append(files, File{name, b})
	}
	return files, nil
}

func readCapped(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s holds more than %d bytes", path, limit)
	}
	return b, err
}
