package config

import (
	"path/filepath"
	"slices"
	"time"
)

// Secrets is the master key, under which all secrets in the database are sealed. `vitrine secrets rotate-master` replaces it.
type Secrets struct {
	// MasterKey holds the key, and after it those it replaces, separated by commas. It is meant for the environment.
	MasterKey Secret `yaml:"master_key,omitempty"`
	// MasterKeyFile holds the same, one a line; empty: master.key in the data folder, which the first start makes.
	MasterKeyFile string `yaml:"master_key_file"`
	// Transit wraps the keys of recordings, in the place of the master key.
	Transit Transit `yaml:"transit"`
}

// Transit is a key in the transit engine of a HashiCorp Vault, which never leaves it. `vitrine secrets rewrap` brings what an
// older version of it wraps, or the master key, under its newest.
type Transit struct {
	Vault   string        `yaml:"vault"` // of credentials.vaults, by name; empty: there is none
	Mount   string        `yaml:"mount"` // of the engine
	Key     string        `yaml:"key"`
	Timeout time.Duration `yaml:"timeout"` // of one question, with what is tried again
	// Cache is how long the keys of recordings that somebody reads are kept in memory; 0: not at all.
	Cache time.Duration `yaml:"cache"`
	// Retired leaves it to open what it wraps, and has the master key wrap what is new.
	Retired bool `yaml:"retired"`
}

const (
	minTransitTimeout = 100 * time.Millisecond
	maxTransitTimeout = time.Minute
	maxTransitCache   = time.Hour
)

func defaultTransit() Transit {
	return Transit{Mount: "transit", Timeout: 5 * time.Second, Cache: 5 * time.Minute}
}

func (s *Secrets) derive(dataDir string) {
	if s.MasterKey.IsZero() && s.MasterKeyFile == "" && dataDir != "" {
		s.MasterKeyFile = filepath.Join(dataDir, "master.key")
	}
}

func (v *validator) transit(t *Transit, servers []VaultServer) {
	if t.Vault == "" {
		if t.Key != "" || t.Retired {
			v.fail("secrets.transit.vault", "is needed: the name of one of credentials.vaults")
		}
		return
	}
	if !slices.ContainsFunc(servers, func(s VaultServer) bool { return s.Name == t.Vault }) {
		v.fail("secrets.transit.vault", "%q is none of credentials.vaults", t.Vault)
	}
	if !mountPath.MatchString(t.Mount) {
		v.fail("secrets.transit.mount", "%q is not the path of a secrets engine", t.Mount)
	}
	if !providerName.MatchString(t.Key) {
		v.fail("secrets.transit.key", "%q is not the name of a key", t.Key)
	}
	if t.Timeout < minTransitTimeout || t.Timeout > maxTransitTimeout {
		v.fail("secrets.transit.timeout", "%v is not between %v and %v", t.Timeout, minTransitTimeout, maxTransitTimeout)
	}
	if t.Cache < 0 || t.Cache > maxTransitCache {
		v.fail("secrets.transit.cache", "%v is not between 0 and %v", t.Cache, maxTransitCache)
	}
}

func (v *validator) secrets(s *Secrets) {
	if !s.MasterKey.IsZero() && s.MasterKeyFile != "" {
		v.fail("secrets", "has both master_key and master_key_file")
	}
}
