package target

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/config"
)

// Check fills what is not set of t, puts its lists in order, and returns an *InvalidError when it cannot be.
func (t *Target) Check() error {
	c := &checker{}
	c.text("name", t.Name, maxName)
	c.text("description", t.Description, maxDescription)
	c.text("address", t.Address, maxAddress)
	t.Tags = c.tags("tags", t.Tags)
	if !slices.Contains([]config.Keys{"", config.KeysFull, config.KeysCommands, config.KeysNone}, t.Keys) {
		c.fail("recording.keys", "%q is not one of full, commands, none", t.Keys)
	}
	if len(t.TLS.CAPEM) > 0 {
		c.authorities(t.TLS.CAPEM)
	}
	// The rest is the same as for a target of the configuration file.
	as := config.Target{
		ID: t.ID, Name: t.Name, Protocol: t.Protocol, Address: t.Address, ViewOnly: t.ViewOnly, RDP: t.RDP,
		TLS: config.TargetTLS{Mode: t.TLS.Mode(), ServerName: t.TLS.ServerName, Fingerprint: t.TLS.Fingerprint},
	}
	for _, p := range config.CheckTarget(&as) {
		c.fail(p.Path, "%v", p.Err)
	}
	t.Name, t.RDP = as.Name, as.RDP
	return c.err()
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$`)

// Check puts a's lists in order and returns an *InvalidError when it cannot be on a target of that protocol.
func (a *Account) Check(protocol string) error {
	c := &checker{}
	if !accountName.MatchString(a.Name) {
		c.fail("name", "%q is not a name: 1 to 128 letters, digits, dots, dashes, underscores and @", clip(a.Name))
	}
	c.text("username", a.Username, maxUsername)
	c.text("domain", a.Domain, maxUsername)
	c.text("description", a.Description, maxDescription)
	a.Tags = c.tags("tags", a.Tags)
	switch {
	case a.Domain != "" && protocol != config.ProtocolRDP:
		c.fail("domain", "is only for protocol rdp")
	case a.Domain != "" && strings.ContainsAny(a.Username, `\@`):
		c.fail("username", "%q names a domain, and domain is %q", clip(a.Username), clip(a.Domain))
	}
	if a.Source.Kind == "" {
		a.Source.Kind = KindNone
	}
	c.source(&a.Source)
	return c.err()
}

// CheckSource returns an *InvalidError for a source that cannot be.
func CheckSource(s *Source) error {
	c := &checker{}
	c.source(s)
	return c.err()
}

// CheckProvider returns an *InvalidError for a source that names a provider which is not among those.
func CheckProvider(s Source, vaults, commands []string) error {
	c := &checker{}
	switch {
	case s.Kind == KindVault && !slices.Contains(vaults, s.Vault.Vault):
		c.fail("credential.vault", "the configuration has no vault %q", clip(s.Vault.Vault))
	case s.Kind == KindCommand && !slices.Contains(commands, s.Command.Command):
		c.fail("credential.command", "the configuration has no command %q", clip(s.Command.Command))
	}
	return c.err()
}

type checker struct{ problems []Problem }

func (c *checker) err() error {
	if c.problems == nil {
		return nil
	}
	return &InvalidError{c.problems}
}

func (c *checker) fail(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (c *checker) text(path, value string, most int) {
	if n := utf8.RuneCountInString(value); n > most {
		c.fail(path, "holds %d characters, more than %d", n, most)
	}
	control := func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && (r != '\n' || path != "description")
	}
	if strings.ContainsFunc(value, control) {
		c.fail(path, "holds a control character, or is not UTF-8")
	}
}

// tags returns tags sorted and each once.
func (c *checker) tags(path string, tags []string) []string {
	if len(tags) > maxTags {
		c.fail(path, "holds %d, more than %d", len(tags), maxTags)
		return tags
	}
	for i, tag := range tags {
		at := fmt.Sprintf("%s[%d]", path, i)
		if strings.TrimSpace(tag) != tag || tag == "" || strings.Contains(tag, ",") {
			c.fail(at, "%q is not a tag: it is empty, or has a comma or blanks around it", clip(tag))
		}
		c.text(at, tag, maxTag)
	}
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}

func (c *checker) authorities(text []byte) {
	if len(text) > maxCABytes {
		c.fail("tls.ca", "holds %d bytes, more than %d", len(text), maxCABytes)
		return
	}
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if n++; block.Type != "CERTIFICATE" {
			c.fail("tls.ca", "block %d is a %s and not a certificate", n, clip(block.Type))
			return
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			c.fail("tls.ca", "certificate %d cannot be read", n)
			return
		}
	}
	if n == 0 {
		c.fail("tls.ca", "holds no certificate in PEM")
	}
}

// relative is a path without empty, "." and ".." parts.
var relative = regexp.MustCompile(`^[^/\x00-\x1f?#%]+(/[^/\x00-\x1f?#%]+)*$`)

func (c *checker) source(s *Source) {
	switch s.Kind {
	case KindNone, KindStored, KindConfig:
	case KindVault:
		c.reference("credential.vault", s.Vault.Vault)
		c.text("credential.path", s.Vault.Path, maxReference)
		parts := strings.Split(s.Vault.Path, "/")
		if !relative.MatchString(s.Vault.Path) || slices.Contains(parts, ".") || slices.Contains(parts, "..") {
			c.fail("credential.path", "%q is not a path within a vault such as servers/build", clip(s.Vault.Path))
		}
		c.text("credential.username_field", s.Vault.UsernameField, maxName)
		c.text("credential.password_field", s.Vault.PasswordField, maxName)
	case KindCommand:
		c.reference("credential.command", s.Command.Command)
		c.text("credential.reference", s.Command.Reference, maxReference)
	default:
		c.fail("credential.kind", "%q is not one of none, stored, vault, command", clip(string(s.Kind)))
	}
}

func (c *checker) reference(path, name string) {
	if name == "" {
		c.fail(path, "is needed")
	}
	c.text(path, name, maxName)
}

// clip shortens what an error quotes.
func clip(s string) string {
	if utf8.RuneCountInString(s) > 80 {
		return string([]rune(s)[:80]) + "…"
	}
	return s
}
