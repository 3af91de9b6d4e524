package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Credentials are the places that passwords of accounts are fetched from when a session begins. Accounts name them; what
// they are and how they are reached only the configuration says, so that nobody in the console can run a program or make
// the gateway connect to another address.
type Credentials struct {
	Timeout  time.Duration       `yaml:"timeout"` // of one fetch
	Vaults   []VaultServer       `yaml:"vaults,omitempty"`
	Commands []CredentialCommand `yaml:"commands,omitempty"`
}

// VaultServer is a HashiCorp Vault, or what speaks like one, with a KV store of version 2.
type VaultServer struct {
	Name      string `yaml:"name"`
	Address   string `yaml:"address"`             // https://host:port
	Namespace string `yaml:"namespace,omitempty"` // of the enterprise edition
	Mount     string `yaml:"mount,omitempty"`     // of the KV store; empty: secret
	CAFile    string `yaml:"ca_file,omitempty"`   // PEM; empty: the system's roots
	// A token, or an AppRole to get one with. The file is read for each fetch: an agent may renew it.
	Token     Secret   `yaml:"token,omitempty"`
	TokenFile string   `yaml:"token_file,omitempty"`
	TokenEnv  string   `yaml:"token_env,omitempty"`
	AppRole   *AppRole `yaml:"approle,omitempty"`
}

// AppRole is how a program signs in to a vault.
type AppRole struct {
	Mount        string `yaml:"mount,omitempty"` // empty: approle
	RoleID       string `yaml:"role_id"`
	SecretIDFile string `yaml:"secret_id_file"` // read at each sign-in
}

// CredentialCommand is a program that tells a password. It gets on standard input one line of JSON, which says whose:
//
//	{"target": ID, "address": HOST:PORT, "account": NAME, "username": …, "domain": …, "reference": …}
//
// It has no shell, an environment of nothing but PATH and what Env names, and its secrets come neither as arguments nor go
// anywhere but to its standard output.
type CredentialCommand struct {
	Name string   `yaml:"name"`
	Argv []string `yaml:"argv"`
	Env  []string `yaml:"env,omitempty"` // names of variables it gets from the gateway's own environment
	// Format is what it writes: plain, the password and at most a line end; json, {"password": …, "username": …, "domain": …},
	// where all but the password may be missing.
	Format  CredentialFormat `yaml:"format,omitempty"`
	Timeout time.Duration    `yaml:"timeout,omitempty"` // 0: credentials.timeout
}

// CredentialFormat is what a command writes.
type CredentialFormat string

// What a command writes.
const (
	CredentialPlain CredentialFormat = "plain"
	CredentialJSON  CredentialFormat = "json"
)

// Bounds of values.
const (
	minCredentialTimeout   = 100 * time.Millisecond
	maxCredentialTimeout   = 2 * time.Minute
	maxCredentialProviders = 100
	maxArguments           = 100
)

var (
	providerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	mountPath    = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (c *Credentials) derive() {
	for i := range c.Vaults {
		v := &c.Vaults[i]
		if v.Mount == "" {
			v.Mount = "secret"
		}
		if v.AppRole != nil && v.AppRole.Mount == "" {
			v.AppRole.Mount = "approle"
		}
	}
	for i := range c.Commands {
		if c.Commands[i].Format == "" {
			c.Commands[i].Format = CredentialPlain
		}
		if c.Commands[i].Timeout == 0 {
			c.Commands[i].Timeout = c.Timeout
		}
	}
}

// paths are those that may be relative to the file's folder.
func (c *Credentials) paths() []*string {
	var paths []*string
	for i := range c.Vaults {
		v := &c.Vaults[i]
		paths = append(paths, &v.CAFile, &v.TokenFile)
		if v.AppRole != nil {
			paths = append(paths, &v.AppRole.SecretIDFile)
		}
	}
	return paths
}

func (v *validator) credentials(c *Credentials) {
	v.credentialTimeout("credentials.timeout", c.Timeout)
	if n := max(len(c.Vaults), len(c.Commands)); n > maxCredentialProviders {
		v.fail("credentials", "holds %d, more than %d", n, maxCredentialProviders)
		return
	}
	seen := map[string]string{}
	name := func(path, name string) {
		switch first, twice := seen[name]; {
		case !providerName.MatchString(name):
			v.fail(path+".name", "%q is not a name: 1 to 128 letters, digits, dots, dashes and underscores", name)
		case twice:
			v.fail(path+".name", "%q is already the name of %s", name, first)
		}
		seen[name] = path
	}
	for i := range c.Vaults {
		path := fmt.Sprintf("credentials.vaults[%d]", i)
		name(path, c.Vaults[i].Name)
		v.vaultServer(path, &c.Vaults[i])
	}
	for i := range c.Commands {
		path := fmt.Sprintf("credentials.commands[%d]", i)
		name(path, c.Commands[i].Name)
		v.credentialCommand(path, &c.Commands[i])
	}
}

func (v *validator) credentialTimeout(path string, d time.Duration) {
	if d < minCredentialTimeout || d > maxCredentialTimeout {
		v.fail(path, "%v is not between %v and %v", d, minCredentialTimeout, maxCredentialTimeout)
	}
}

func (v *validator) vaultServer(path string, s *VaultServer) {
	u, err := url.Parse(s.Address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "":
		v.fail(path+".address", "%q is not https://host:port", s.Address)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		v.fail(path+".address", "%q has no TLS, which only a vault on this machine may do without", s.Address)
	case u.Scheme != "http" && u.Scheme != "https":
		v.fail(path+".address", "%q is not https://host:port", s.Address)
	}
	if !mountPath.MatchString(s.Mount) {
		v.fail(path+".mount", "%q is not the path of a secrets engine", s.Mount)
	}
	if strings.ContainsAny(s.Namespace, "\r\n\x00") {
		v.fail(path+".namespace", "holds a line end or a zero byte")
	}
	if s.CAFile != "" {
		v.readable(path+".ca_file", s.CAFile)
	}
	ways := 0
	for _, has := range []bool{!s.Token.IsZero(), s.TokenFile != "", s.AppRole != nil} {
		if has {
			ways++
		}
	}
	if ways != 1 {
		v.fail(path, "needs one of token, token_file, token_env and approle")
	}
	if r := s.AppRole; r != nil {
		v.required(path+".approle.role_id", r.RoleID)
		v.required(path+".approle.secret_id_file", r.SecretIDFile)
		if !mountPath.MatchString(r.Mount) {
			v.fail(path+".approle.mount", "%q is not the path of a sign-in method", r.Mount)
		}
	}
}

func (v *validator) credentialCommand(path string, c *CredentialCommand) {
	switch {
	case len(c.Argv) == 0:
		v.fail(path+".argv", "is needed")
	case len(c.Argv) > maxArguments:
		v.fail(path+".argv", "holds %d, more than %d", len(c.Argv), maxArguments)
	case !filepath.IsAbs(c.Argv[0]):
		v.fail(path+".argv[0]", "%q is not the whole path of a program", c.Argv[0])
	}
	for i, name := range c.Env {
		if !variableName.MatchString(name) {
			v.fail(fmt.Sprintf("%s.env[%d]", path, i), "%q is not the name of a variable", name)
		} else if strings.HasPrefix(name, EnvPrefix+"SECRETS_") {
			v.fail(fmt.Sprintf("%s.env[%d]", path, i), "%s holds the master key, which is no command's business", name)
		}
	}
	v.oneOf(path+".format", string(c.Format), string(CredentialPlain), string(CredentialJSON))
	v.credentialTimeout(path+".timeout", c.Timeout)
}
