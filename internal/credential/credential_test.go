package credential

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/vault"
	"github.com/vitrine-psm/vitrine/internal/vaultapi/vaultapitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// word is the password of the tests, with characters that JSON escapes.
const word = "hun\"ter\\2 ä€😀"

type opener map[string]string

func (o opener) Open(_ context.Context, p vault.Purpose, record string) ([]byte, error) {
	if s, ok := o[string(p)+"/"+record]; ok {
		return []byte(s), nil
	}
	return nil, vault.ErrNotFound
}

type configured map[string]target.Credential

func (c configured) Configured(id string) (target.Credential, bool) {
	v, ok := c[id]
	return v, ok
}

func providers(t *testing.T, c config.Credentials, environ ...string) *Providers {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	for i := range c.Commands {
		if c.Commands[i].Timeout == 0 {
			c.Commands[i].Timeout = c.Timeout
		}
	}
	p, err := New(c, opener{"account_password/stored": word}, configured{"desk": {Username: "conf", Password: target.NewPassword([]byte(word))}}, environ)
	require.NoError(t, err)
	return p
}

var desk = &target.Target{ID: "desk", Protocol: "rdp", Address: "desk.test:3389"}

func byCommand(name string) target.Account {
	return target.Account{Name: "op", Source: target.Source{Kind: target.KindCommand, Command: target.CommandReference{Command: name, Reference: "ref"}}}
}

func TestKinds(t *testing.T) {
	p := providers(t, config.Credentials{})
	for name, tc := range map[string]struct {
		account target.Account
		want    target.Credential
	}{
		"none":               {target.Account{Username: "u", Source: target.Source{Kind: target.KindNone}}, target.Credential{Username: "u"}},
		"config":             {target.Account{Source: target.Source{Kind: target.KindConfig}}, target.Credential{Username: "conf", Password: target.NewPassword([]byte(word))}},
		"stored":             {target.Account{ID: "stored", Username: "u", Domain: "D", Source: target.Source{Kind: target.KindStored}}, target.Credential{Username: "u", Domain: "D", Password: target.NewPassword([]byte(word))}},
		"domain in the name": {target.Account{ID: "stored", Username: `CORP\u`, Source: target.Source{Kind: target.KindStored}}, target.Credential{Username: "u", Domain: "CORP", Password: target.NewPassword([]byte(word))}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := p.Credential(t.Context(), desk, tc.account)
			require.NoError(t, err)
			require.Equal(t, tc.want.Username, got.Username)
			require.Equal(t, tc.want.Domain, got.Domain)
			require.Equal(t, string(tc.want.Password.Reveal()), string(got.Password.Reveal()))
		})
	}
	// Wiping what was given out leaves what the configuration says.
	a := target.Account{Source: target.Source{Kind: target.KindConfig}}
	first, err := p.Credential(t.Context(), desk, a)
	require.NoError(t, err)
	first.Password.Wipe()
	second, err := p.Credential(t.Context(), desk, a)
	require.NoError(t, err)
	require.Equal(t, word, string(second.Password.Reveal()))

	for want, a := range map[string]target.Account{
		"no such secret":                    {ID: "gone", Source: target.Source{Kind: target.KindStored}},
		`the configuration has no vault ""`: {Source: target.Source{Kind: target.KindVault}},
		`no command "x"`:                    byCommand("x"),
		`nobody knows the kind "magic"`:     {Source: target.Source{Kind: "magic"}},
	} {
		_, err := p.Credential(t.Context(), desk, a)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, want)
	}
	_, err = p.Credential(t.Context(), &target.Target{ID: "other"}, a)
	require.ErrorContains(t, err, "does not hold the target any more")
}

// script writes a program and returns its path.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700))
	return path
}

func TestCommand(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	ask := script(t, `cat > `+seen+`; env | sort >> `+seen+`; echo "$# $1" >> `+seen+`; pwd >> `+seen+`; printf '%s\n' "$ANSWER"`)
	p := providers(t, config.Credentials{Commands: []config.CredentialCommand{
		{Name: "plain", Argv: []string{ask, "$(id); `id`"}, Env: []string{"ANSWER"}, Format: config.CredentialPlain},
	}}, "ANSWER="+word, "SECRET_OF_SERVE=x", "ANSWERS=no")
	got, err := p.Credential(t.Context(), desk, byCommand("plain"))
	require.NoError(t, err)
	require.Equal(t, word, string(got.Password.Reveal()))
	b, err := os.ReadFile(seen)
	require.NoError(t, err)
	question, rest, _ := strings.Cut(string(b), "\n")
	require.JSONEq(t, `{"target":"desk","address":"desk.test:3389","account":"op","username":"","domain":"","reference":"ref"}`, question)
	require.NotContains(t, rest, "SECRET_OF_SERVE")
	require.NotContains(t, rest, "ANSWERS=")
	require.Contains(t, rest, "1 $(id); `id`\n/\n", "no shell reads the arguments")

	answer, err := json.Marshal(map[string]string{"username": "fetched", "domain": "D", "password": word})
	require.NoError(t, err)
	json := func(name, body string) config.CredentialCommand {
		return config.CredentialCommand{Name: name, Argv: []string{script(t, body)}, Format: config.CredentialJSON, Env: []string{"ANSWER"}}
	}
	p = providers(t, config.Credentials{Commands: []config.CredentialCommand{json("json", `printf %s "$ANSWER"`)}}, "ANSWER="+string(answer))
	got, err = p.Credential(t.Context(), desk, byCommand("json"))
	require.NoError(t, err)
	require.Equal(t, []string{"fetched", "D", word}, []string{got.Username, got.Domain, string(got.Password.Reveal())})
	named := byCommand("json")
	named.Username = "mine"
	got, err = p.Credential(t.Context(), desk, named)
	require.NoError(t, err)
	require.Equal(t, []string{"mine", ""}, []string{got.Username, got.Domain}, "the account goes before what was fetched")
}

func TestCommandErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		format config.CredentialFormat
		want   string
	}{
		"fails":          {"echo " + "s3cret" + "; echo s3cret >&2; exit 3", config.CredentialPlain, "exit status 3"},
		"is killed":      {"kill -9 $$", config.CredentialPlain, "signal: killed"},
		"says nothing":   {"true", config.CredentialPlain, "wrote nothing"},
		"an empty line":  {"echo", config.CredentialPlain, "wrote nothing"},
		"two lines":      {"echo s3cret; echo s3cret", config.CredentialPlain, "more than one line"},
		"too much":       {"head -c 70000 /dev/zero | tr '\\0' s", config.CredentialPlain, "more than 65536 bytes"},
		"too long":       {"head -c 5000 /dev/zero | tr '\\0' s", config.CredentialPlain, "it holds 5000 bytes, more than 4096"},
		"no JSON":        {"echo s3cret", config.CredentialJSON, `did not write an object with a text "password"`},
		"a number":       {`echo '{"password": 53}'`, config.CredentialJSON, "did not write an object"},
		"no password":    {`echo '{"username": "s3cret"}'`, config.CredentialJSON, "told no password"},
		"two objects":    {`echo '{"password":"s3cret"}{}'`, config.CredentialJSON, "did not write an object"},
		"hangs":          {"echo s3cret; sleep 60", config.CredentialPlain, "did not end within"},
		"leaves a child": {"sleep 60 & echo s3cret; wait", config.CredentialPlain, "did not end within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 30 * time.Second
			if strings.Contains(tc.body, "sleep") {
				timeout = 500 * time.Millisecond
			}
			p := providers(t, config.Credentials{Commands: []config.CredentialCommand{
				{Name: "c", Argv: []string{script(t, tc.body)}, Format: tc.format, Timeout: timeout},
			}})
			began := time.Now()
			_, err := p.Credential(t.Context(), desk, byCommand("c"))
			require.ErrorIs(t, err, ErrUnavailable)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "s3cret")
			require.Less(t, time.Since(began), 8*time.Second)
		})
	}
	p := providers(t, config.Credentials{Commands: []config.CredentialCommand{{Name: "c", Argv: []string{"/nowhere/program"}}}})
	_, err := p.Credential(t.Context(), desk, byCommand("c"))
	require.ErrorContains(t, err, "no such file")
}

// startVault starts a server that holds a credential.
func startVault(t *testing.T) *vaultapitest.Fake {
	f := vaultapitest.Start(t)
	f.With(func(s *vaultapitest.State) {
		s.Secrets["servers/build"] = map[string]any{"username": "builder", "password": word, "pw2": "second", "port": 22, "empty": ""}
	})
	return f
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func inVault(path string, change ...func(*target.VaultReference)) target.Account {
	r := target.VaultReference{Vault: "corp", Path: path}
	for _, c := range change {
		c(&r)
	}
	return target.Account{Name: "op", Source: target.Source{Kind: target.KindVault, Vault: r}}
}

func TestVault(t *testing.T) {
	v := startVault(t)
	server := config.VaultServer{Name: "corp", Address: v.URL, Mount: "secret", Namespace: "team", CAFile: v.CAFile, TokenFile: file(t, "s.root\n")}
	p := providers(t, config.Credentials{Vaults: []config.VaultServer{server}})
	got, err := p.Credential(t.Context(), desk, inVault("servers/build"))
	require.NoError(t, err)
	require.Equal(t, []string{"builder", word}, []string{got.Username, string(got.Password.Reveal())})
	v.With(func(s *vaultapitest.State) { require.Equal(t, "team", s.Requests[0].Header.Get("X-Vault-Namespace")) })

	got, err = p.Credential(t.Context(), desk, inVault("servers/build", func(r *target.VaultReference) { r.PasswordField = "pw2" }))
	require.NoError(t, err)
	require.Equal(t, "second", string(got.Password.Reveal()))
	for want, a := range map[string]target.Account{
		"there is no such secret (404)":                 inVault("servers/gone"),
		`the secret has no field "pw3"`:                 inVault("servers/build", func(r *target.VaultReference) { r.PasswordField = "pw3" }),
		`the field "port" of the secret is not a text`:  inVault("servers/build", func(r *target.VaultReference) { r.PasswordField = "port" }),
		`the field "empty" of the secret is not a text`: inVault("servers/build", func(r *target.VaultReference) { r.PasswordField = "empty" }),
		`the secret has no field "login"`:               inVault("servers/build", func(r *target.VaultReference) { r.UsernameField = "login" }),
	} {
		_, err := p.Credential(t.Context(), desk, a)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hun")
		require.NotContains(t, err.Error(), "s.root")
	}

	// The token is read again each time.
	require.NoError(t, os.WriteFile(server.TokenFile, []byte("s.revoked"), 0o600))
	_, err = p.Credential(t.Context(), desk, inVault("servers/build"))
	require.ErrorContains(t, err, "403")
	require.NotContains(t, err.Error(), "s.revoked")
}

// TestRealVault: HashiCorp's own server answers as the fake one does.
func TestRealVault(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a HashiCorp Vault")
	}
	v := testbed.StartVault(t)
	v.Must("POST", "sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	put := func() int {
		status, _ := v.Call(v.Token, "POST", "secret/data/servers/build", map[string]any{"data": map[string]any{"username": "builder", "password": word, "port": 22}})
		return status
	}
	testbed.Eventually(t, time.Minute, "the store is upgraded to version 2", func() bool { return put() == http.StatusOK })
	v.Must("POST", "sys/auth/approle", map[string]any{"type": "approle"})
	v.Must("POST", "sys/policies/acl/gateway", map[string]any{"policy": `path "secret/data/servers/*" { capabilities = ["read"] }`})
	v.Must("POST", "auth/approle/role/gateway", map[string]any{"token_policies": "gateway", "token_ttl": "1h"})
	role := v.Must("GET", "auth/approle/role/gateway/role-id", nil)["data"].(map[string]any)["role_id"].(string)
	id := v.Must("POST", "auth/approle/role/gateway/secret-id", map[string]any{})["data"].(map[string]any)["secret_id"].(string)
	p := providers(t, config.Credentials{Vaults: []config.VaultServer{{
		Name: "corp", Address: v.URL, Mount: "secret", CAFile: v.CAFile,
		AppRole: &config.AppRole{Mount: "approle", RoleID: role, SecretIDFile: file(t, id)},
	}}})
	got, err := p.Credential(t.Context(), desk, inVault("servers/build"))
	require.NoError(t, err)
	require.Equal(t, []string{"builder", word}, []string{got.Username, string(got.Password.Reveal())})
	for path, want := range map[string]string{"servers/gone": "no such secret", "other": "403"} {
		_, err := p.Credential(t.Context(), desk, inVault(path))
		require.ErrorContains(t, err, want)
	}
	_, err = p.Credential(t.Context(), desk, inVault("servers/build", func(r *target.VaultReference) { r.PasswordField = "port" }))
	require.ErrorContains(t, err, "is not a text")
}

// TestVaultUnreachableOrHostile: what a server does to its client is told without its secrets.
func TestVaultUnreachableOrHostile(t *testing.T) {
	v := startVault(t)
	server := config.VaultServer{Name: "corp", Address: v.URL, Mount: "secret", CAFile: v.CAFile, Token: config.NewSecret("s.root")}
	fetch := func(s config.VaultServer) error {
		p := providers(t, config.Credentials{Timeout: 500 * time.Millisecond, Vaults: []config.VaultServer{s}})
		_, err := p.Credential(t.Context(), desk, inVault("servers/build"))
		require.ErrorIs(t, err, ErrUnavailable)
		require.NotContains(t, err.Error(), "s.root")
		return err
	}
	for want, answer := range map[string]func(w http.ResponseWriter) bool{
		"it answered 503":        func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusServiceUnavailable); return true },
		"not that of a KV store": func(w http.ResponseWriter) bool { fmt.Fprint(w, `{"data":{"password":"x"}}`); return true },
	} {
		v.With(func(s *vaultapitest.State) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) bool { return answer(w) }
		})
		require.ErrorContains(t, fetch(server), want)
	}
	v.Stop()
	require.ErrorContains(t, fetch(server), "connection refused")
	_, err := New(config.Credentials{Vaults: []config.VaultServer{{Name: "x", CAFile: file(t, "nothing")}}}, nil, nil, nil)
	require.ErrorContains(t, err, "holds no certificate")
}
