package config

import (
	"path/filepath"
	"strings"
)

// Evidence is the key that recordings' manifests and the audit log's checkpoints are signed with.
type Evidence struct {
	// KeyFile holds the private key, its name with ".pub" added the public ones; made at the first start. Empty: evidence.key in
	// the data folder.
	KeyFile string `yaml:"key_file"`
	// KeyName is the name new keys get: it stands in every signature.
	KeyName string `yaml:"key_name"`
}

func (e *Evidence) derive(dataDir string) {
	if e.KeyFile == "" && dataDir != "" {
		e.KeyFile = filepath.Join(dataDir, "evidence.key")
	}
}

func (v *validator) evidence(e *Evidence) {
	if e.KeyName == "" || len(e.KeyName) > 64 || strings.ContainsFunc(e.KeyName, func(r rune) bool { return r <= ' ' || r > '~' || r == '+' }) {
		v.fail("evidence.key_name", "%q is not 1 to 64 ASCII characters without spaces and +", e.KeyName)
	}
}
