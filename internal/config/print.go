package config

import (
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Print writes c as YAML with every secret redacted. What came from a file or variable stays a reference to it.
func (c *Config) Print(w io.Writer) error {
	shown := *c
	shown.Targets = slices.Clone(c.Targets)
	for i := range shown.Targets {
		if t := &shown.Targets[i]; t.PasswordFile != "" || t.PasswordEnv != "" {
			t.Password = Secret{}
		}
	}
	if s := &shown.Recording.Store; s.SecretKeyFile != "" {
		s.SecretKey = Secret{}
	}
	if s := &shown.Recording.Store; s.AccessKeyFile != "" {
		s.AccessKey = ""
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&shown); err != nil {
		return err
	}
	return enc.Close()
}
