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
	shown.Identity.OIDC = slices.Clone(c.Identity.OIDC)
	for i := range shown.Identity.OIDC {
		if o := &shown.Identity.OIDC[i]; o.ClientSecretFile != "" || o.ClientSecretEnv != "" {
			o.ClientSecret = Secret{}
		}
	}
	shown.Identity.LDAP = slices.Clone(c.Identity.LDAP)
	for i := range shown.Identity.LDAP {
		if l := &shown.Identity.LDAP[i]; l.BindPasswordFile != "" || l.BindPasswordEnv != "" {
			l.BindPassword = Secret{}
		}
	}
	if d := &shown.Database; d.DSNFile != "" {
		d.DSN = Secret{}
	}
	if s := &shown.Recording.Store; s.SecretKeyFile != "" {
		s.SecretKey = Secret{}
	}
	if s := &shown.Recording.Store; s.AccessKeyFile != "" {
		s.AccessKey = ""
	}
	shown.Audit.Sinks = slices.Clone(c.Audit.Sinks)
	for i := range shown.Audit.Sinks {
		if k := &shown.Audit.Sinks[i]; k.SecretFile != "" || k.SecretEnv != "" {
			k.Secret = Secret{}
		}
	}
	shown.Notify.Webhooks = slices.Clone(c.Notify.Webhooks)
	for i := range shown.Notify.Webhooks {
		if w := &shown.Notify.Webhooks[i]; w.SecretFile != "" || w.SecretEnv != "" {
			w.Secret = Secret{}
		}
	}
	if e := &shown.Notify.Email; e.PasswordFile != "" {
		e.Password = Secret{}
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&shown); err != nil {
		return err
	}
	return enc.Close()
}
