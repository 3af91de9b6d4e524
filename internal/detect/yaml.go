package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// File is rules and lists as they are exported and imported.
type File struct {
	Lists []List `yaml:"lists,omitempty" json:"lists,omitempty"`
	Rules []Rule `yaml:"rules" json:"rules"`
}

// ParseYAML reads a File and checks that its rules can be used, where lists are those of the file and more. What is wrong with a
// rule is told by a *RuleError.
func ParseYAML(b []byte, more ...List) (File, error) {
	var f File
	if len(b) > MaxYAML {
		return f, fmt.Errorf("detect: the file has %d bytes, want at most %d", len(b), MaxYAML)
	}
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		return f, fmt.Errorf("detect: %w", err)
	}
	if err := plain(&root, 0); err != nil {
		return f, err
	}
	dec = yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return File{}, fmt.Errorf("detect: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return File{}, errors.New("detect: the file holds more than one document")
	}
	if err := f.Check(more); err != nil {
		return File{}, err
	}
	return f, nil
}

// Check compiles the rules, disabled ones too, with the file's lists and those of more that have other names.
func (f File) Check(more []List) error {
	lists := append([]List(nil), f.Lists...)
	have := map[string]bool{}
	for _, l := range f.Lists {
		have[l.Name] = true
	}
	for _, l := range more {
		if !have[l.Name] {
			lists = append(lists, l)
		}
	}
	_, err := Compile(f.Rules, lists)
	return err
}

// plain refuses what makes a text larger than it is: anchors and aliases.
func plain(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return fmt.Errorf("detect: line %d: anchors and aliases are not taken", n.Line)
	}
	if depth > 20 {
		return fmt.Errorf("detect: line %d: nested too deeply", n.Line)
	}
	for _, c := range n.Content {
		if err := plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// YAML writes a File.
func (f File) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	return b.Bytes(), nil
}
