package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

// EnvPrefix begins the name of every environment variable read here.
const EnvPrefix = "VITRINE_"

// MaxFileBytes bounds the configuration file, MaxSecretBytes a file that holds one secret.
const (
	MaxFileBytes   = 4 << 20
	MaxSecretBytes = 64 << 10
)

// Load reads the file at path, or only defaults and environment when path is empty, and validates the result.
// environ is os.Environ(). The error joins everything that is wrong, one line each.
func Load(path string, environ []string) (*Config, error) {
	var content []byte
	base := ""
	if path != "" {
		var err error
		if content, err = readCapped(path, MaxFileBytes); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		if base, err = filepath.Abs(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
	}
	return Parse(content, base, environ)
}

// Parse is Load for the content of a file; base is the folder its relative paths start from.
func Parse(content []byte, base string, environ []string) (*Config, error) {
	raw, err := yaml.Parser().Unmarshal(content)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	var c checker
	raw = c.object("", raw, reflect.TypeFor[Config]())

	names := environmentNames("", reflect.TypeFor[Config]())
	k := koanf.New(".")
	errFile := k.Load(confmap.Provider(raw, ""), nil)
	errEnv := k.Load(env.Provider(".", env.Opt{
		Prefix:      EnvPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			path, known := names[name]
			if !known && !foreignVariable(name, raw) {
				if err := unknownVariable(name, names); err != nil {
					c.errs = append(c.errs, err)
				}
			}
			return path, value
		},
	}), nil)
	if err := errors.Join(append(c.errs, errFile, errEnv)...); err != nil {
		return nil, err
	}

	cfg := Default()
	if err := decode(k, &cfg); err != nil {
		return nil, err
	}
	cfg.resolvePaths(base)
	lookup := lookupIn(environ)
	if err := cfg.readSecrets(lookup); err != nil {
		return nil, err
	}
	cfg.derive()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &cfg, nil
}

func decode(k *koanf.Koanf, cfg *Config) error {
	err := k.UnmarshalWithConf("", cfg, koanf.UnmarshalConf{
		DecoderConfig: &mapstructure.DecoderConfig{
			Result:           cfg,
			TagName:          "yaml",
			WeaklyTypedInput: true, // the environment holds only text
			DecodeHook: mapstructure.ComposeDecodeHookFunc(
				parseDuration,
				mapstructure.TextUnmarshallerHookFunc(),
				splitList,
			),
		},
	})
	if err == nil {
		return nil
	}
	var many interface{ Unwrap() []error }
	if !errors.As(err, &many) {
		return fmt.Errorf("config: %w", err)
	}
	var errs []error
	for _, e := range many.Unwrap() {
		errs = append(errs, decodeError(e))
	}
	return errors.Join(errs...)
}

func decodeError(err error) error {
	if at, ok := errors.AsType[*mapstructure.DecodeError](err); ok {
		return fmt.Errorf("config: %s: %w", at.Name(), at.Unwrap())
	}
	return fmt.Errorf("config: %w", err)
}

// parseDuration reads "30s", in words for people when it cannot.
func parseDuration(from, to reflect.Type, v any) (any, error) {
	if from.Kind() != reflect.String || to != durationType {
		return v, nil
	}
	d, err := time.ParseDuration(v.(string))
	if err != nil {
		return nil, fmt.Errorf("%q is not a duration such as 30s or 5m", v)
	}
	return d, nil
}

// splitList turns the comma-separated text of a variable into a list.
func splitList(from, to reflect.Type, v any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Slice {
		return v, nil
	}
	var list []string
	for part := range strings.SplitSeq(v.(string), ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list, nil
}

// foreignVariable tells whether name is not ours although it has our prefix: Kubernetes announces a service
// called "vitrine" by such variables, and targets and webhooks may name theirs.
func foreignVariable(name string, raw map[string]any) bool {
	rest := strings.TrimPrefix(name, EnvPrefix)
	if rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_") {
		return true
	}
	identity, _ := raw["identity"].(map[string]any)
	for _, sections := range []any{raw["targets"], identity["oidc"], identity["ldap"]} {
		list, _ := sections.([]any)
		for _, s := range list {
			m, _ := s.(map[string]any)
			for _, key := range []string{"password_env", "client_secret_env", "bind_password_env"} {
				if m[key] == name {
					return true
				}
			}
		}
	}
	notify, _ := raw["notify"].(map[string]any)
	webhooks, _ := notify["webhooks"].([]any)
	for _, w := range webhooks {
		if m, ok := w.(map[string]any); ok && m["secret_env"] == name {
			return true
		}
	}
	return false
}

// unknownVariable returns an error for a name that is nearly one of ours or begins as those of a section do. Others
// with our prefix belong to somebody else: scripts and tests around us use them.
func unknownVariable(name string, names map[string]string) error {
	if s := suggest(name, maps.Keys(names)); s != "" {
		return fmt.Errorf("config: unknown environment variable %s (did you mean %s?)", name, s)
	}
	for known, path := range names {
		section, _, nested := strings.Cut(path, ".")
		if nested && strings.HasPrefix(name, known[:len(EnvPrefix)+len(section)+1]) {
			return fmt.Errorf("config: unknown environment variable %s", name)
		}
	}
	return nil
}

// resolvePaths makes relative paths start from base.
func (c *Config) resolvePaths(base string) {
	paths := []*string{
		&c.DataDir, &c.SpoolDir, &c.Database.Path, &c.Database.DSNFile, &c.Secrets.MasterKeyFile, &c.HTTP.TLS.CertFile, &c.HTTP.TLS.KeyFile, &c.HTTP.TLS.ACME.CAFile,
		&c.TURN.CertFile, &c.TURN.KeyFile, &c.Native.CertFile, &c.Native.KeyFile, &c.Native.SignCertFile, &c.Native.SignKeyFile,
		&c.Evidence.KeyFile, &c.Detection.RulesFile, &c.Audit.CheckpointsDir,
		&c.Recording.Store.Path, &c.Recording.Store.AccessKeyFile, &c.Recording.Store.SecretKeyFile,
		&c.Recording.Store.TLS.CAFile,
	}
	paths = append(paths, c.Credentials.paths()...)
	for i := range c.Targets {
		paths = append(paths, &c.Targets[i].PasswordFile, &c.Targets[i].TLS.CAFile)
	}
	for i := range c.Identity.OIDC {
		paths = append(paths, &c.Identity.OIDC[i].ClientSecretFile, &c.Identity.OIDC[i].CAFile)
	}
	for i := range c.Identity.LDAP {
		paths = append(paths, &c.Identity.LDAP[i].BindPasswordFile, &c.Identity.LDAP[i].TLS.CAFile)
	}
	for i := range c.Audit.Sinks {
		k := &c.Audit.Sinks[i]
		paths = append(paths, &k.Path, &k.CAFile, &k.CertFile, &k.KeyFile, &k.SecretFile)
	}
	for i := range c.Notify.Webhooks {
		paths = append(paths, &c.Notify.Webhooks[i].SecretFile, &c.Notify.Webhooks[i].CAFile)
	}
	paths = append(paths, &c.Notify.Email.PasswordFile, &c.Notify.Email.CAFile)
	for _, p := range paths {
		if *p != "" && base != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
}

// readSecrets fetches what is given by file or variable. A secret has one source.
func (c *Config) readSecrets(lookup func(string) (string, bool)) error {
	var errs []error
	fetch := func(path string, into *Secret, file, variable string) {
		value := into.Reveal()
		given := 0
		for _, s := range []string{value, file, variable} {
			if s != "" {
				given++
			}
		}
		var err error
		switch {
		case given > 1:
			err = errors.New("has more than one source: value, file or variable")
		case file != "":
			var content []byte
			content, err = readCapped(file, MaxSecretBytes)
			value = strings.TrimRight(string(content), "\r\n")
		case variable != "":
			var set bool
			if value, set = lookup(variable); !set {
				err = fmt.Errorf("names the environment variable %s, which is not set", variable)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("config: %s: %w", path, err))
			return
		}
		*into = NewSecret(value)
	}
	for i := range c.Targets {
		t := &c.Targets[i]
		fetch(fmt.Sprintf("targets[%d].password", i), &t.Password, t.PasswordFile, t.PasswordEnv)
	}
	for i := range c.Identity.OIDC {
		o := &c.Identity.OIDC[i]
		fetch(fmt.Sprintf("identity.oidc[%d].client_secret", i), &o.ClientSecret, o.ClientSecretFile, o.ClientSecretEnv)
	}
	for i := range c.Identity.LDAP {
		l := &c.Identity.LDAP[i]
		fetch(fmt.Sprintf("identity.ldap[%d].bind_password", i), &l.BindPassword, l.BindPasswordFile, l.BindPasswordEnv)
	}
	fetch("database.dsn", &c.Database.DSN, c.Database.DSNFile, "")
	for i := range c.Credentials.Vaults {
		// The file of a token is read later, again and again.
		v := &c.Credentials.Vaults[i]
		fetch(fmt.Sprintf("credentials.vaults[%d].token", i), &v.Token, "", v.TokenEnv)
	}
	s := &c.Recording.Store
	access := NewSecret(s.AccessKey)
	fetch("recording.store.access_key", &access, s.AccessKeyFile, "")
	s.AccessKey = access.Reveal()
	fetch("recording.store.secret_key", &s.SecretKey, s.SecretKeyFile, "")
	for i := range c.Audit.Sinks {
		k := &c.Audit.Sinks[i]
		fetch(fmt.Sprintf("audit.sinks[%d].secret", i), &k.Secret, k.SecretFile, k.SecretEnv)
	}
	for i := range c.Notify.Webhooks {
		w := &c.Notify.Webhooks[i]
		fetch(fmt.Sprintf("notify.webhooks[%d].secret", i), &w.Secret, w.SecretFile, w.SecretEnv)
	}
	fetch("notify.email.password", &c.Notify.Email.Password, c.Notify.Email.PasswordFile, "")
	return errors.Join(errs...)
}

func readCapped(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is a folder")}
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s holds %d bytes, more than %d", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}

func lookupIn(environ []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, entry := range environ {
			if k, v, ok := strings.Cut(entry, "="); ok && k == name {
				return v, true
			}
		}
		return "", false
	}
}
