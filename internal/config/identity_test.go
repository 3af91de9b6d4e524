package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("from a file\n"), 0o600))
	parse := func(yaml string) (*Config, error) {
		return Parse([]byte("data_dir: data\n"+yaml), dir, []string{"VITRINE_LDAP_SECRET=from the environment"})
	}
	const public = "http: {public_url: \"https://gw.example.com\"}\n"
	cfg, err := parse(public + `
identity:
  mfa: off
  mfa_roles: [administrator]
  oidc:
    - {name: corp, issuer: "https://login.example.com/", client_id: vitrine, client_secret_file: secret,
       mapping: {roles: [user], rules: [{group: ops, roles: [supervisor], groups: [operations]}]}}
  ldap:
    - {name: ad, type: active_directory, url: "ldaps://dc1.example.com", bind_dn: "cn=vitrine", bind_password_env: VITRINE_LDAP_SECRET,
       users: {base: "dc=example"}, groups: {base: "dc=example", nested: true}, recheck: 5m}
    - {name: old, url: "ldap://ldap.example.com:389", users: {base: "dc=example"}}
`)
	require.NoError(t, err)
	i := cfg.Identity
	require.Equal(t, MFAOff, i.MFA, "off is not false")
	require.Equal(t, "from a file", i.OIDC[0].ClientSecret.Reveal())
	require.Equal(t, []string{"openid", "profile", "email"}, i.OIDC[0].Scopes)
	require.Equal(t, time.Minute, i.OIDC[0].ClockSkew)
	require.Equal(t, "from the environment", i.LDAP[0].BindPassword.Reveal())
	require.Equal(t, "objectGUID", i.LDAP[0].Users.ID)
	require.Equal(t, LDAPSImplicit, i.LDAP[0].TLS.Mode)
	require.Equal(t, LDAPStartTLS, i.LDAP[1].TLS.Mode, "plaintext has to be asked for")
	require.Equal(t, "entryUUID", i.LDAP[1].Users.ID)
	var b bytes.Buffer
	require.NoError(t, cfg.Print(&b))
	require.NotContains(t, b.String(), "from a file")
	require.NotContains(t, b.String(), "from the environment")

	defaults, err := parse("")
	require.NoError(t, err)
	require.Equal(t, MFAOptional, defaults.Identity.MFA)
	require.Equal(t, 12, defaults.Identity.MinPasswordLength)
	require.Equal(t, 8*time.Hour, defaults.Identity.IdleTimeout)

	oidc := func(more string) string {
		return public + "identity: {oidc: [{name: a, issuer: \"https://x.test\", client_id: c" + more + "}]}"
	}
	ldap := func(more string) string {
		return "identity: {ldap: [{name: a, url: \"ldaps://x.test\", users: {base: b}" + more + "}]}"
	}
	for yaml, complaint := range map[string]string{
		"identity: {idle_timeout: 25h}":                                                        "identity.idle_timeout: 25h0m0s is not between 1m and sign_in_lifetime, which is 24h0m0s",
		"identity: {sign_in_lifetime: 1000h}":                                                  "identity.sign_in_lifetime: 1000h0m0s is more than 720h0m0s",
		"identity: {min_password_length: 7}":                                                   "identity.min_password_length: 7 is not between 8 and 128",
		"identity: {max_token_lifetime: 9000h}":                                                "identity.max_token_lifetime: 9000h0m0s is not between 1h and 8784h0m0s",
		"identity: {mfa: always}":                                                              "identity.mfa: \"always\" is not one of off, optional, required",
		"identity: {mfa_roles: [root]}":                                                        "identity.mfa_roles[0]: \"root\" is not one of",
		"identity: {step_up_age: 1s}":                                                          "identity.step_up_age: 1s is not between",
		"identity: {oidc: [{name: a, issuer: \"https://x.test\", client_id: c}]}":              "http.public_url: is needed",
		public + "identity: {oidc: [{name: A b, issuer: \"https://x.test\", client_id: c}]}":   "oidc[0].name: \"A b\" is not a name",
		public + "identity: {oidc: [{name: a, issuer: \"http://x.test\", client_id: c}]}":      "is not https",
		public + "identity: {oidc: [{name: a, issuer: \"https://x.test?a=b\", client_id: c}]}": "issuer: \"https://x.test?a=b\" is not an address",
		public + "identity: {oidc: [{name: a, issuer: \"https://x.test\"}]}":                   "client_id: is needed",
		public + "identity: {oidc: [{name: a, issuer: \"https://x.test\", client_id: c}, {name: a, issuer: \"https://y.test\", client_id: c}]}": "oidc[1].name: \"a\" is the name of another",
		oidc(", scopes: [profile]"):                    "scopes: lack openid",
		oidc(", clock_skew: 1h"):                       "clock_skew: 1h0m0s is not between",
		oidc(", allowed_domains: [\"@x\"]"):            "allowed_domains[0]: \"@x\" is not a domain",
		oidc(", mapping: {roles: [boss]}"):             "mapping.roles[0]: \"boss\" is not one of",
		oidc(", mapping: {rules: [{group: g}]}"):       "mapping.rules[0]: gives neither groups nor roles",
		oidc(", mapping: {rules: [{roles: [user]}]}"):  "mapping.rules[0].group: is needed",
		oidc(", secret: x"):                            "unknown key",
		ldap(", bind_dn: x"):                           "bind_password: is needed",
		ldap(", bind_password: x"):                     "bind_dn: is needed",
		ldap(", tls: {mode: starttls}"):                "is not ldap://host",
		ldap(", timeout: 1ms"):                         "timeout: 1ms is not between",
		ldap(", recheck: 1s"):                          "recheck: 1s is neither 0 nor between",
		ldap(", groups: {base: b, nested: true}"):      "groups.nested: is by a rule of Active Directory",
		ldap(", groups: {base: b, filter: \"(a=b)\"}"): "holds neither {dn} nor {username}",
		"identity: {ldap: [{name: a, url: \"ldap://x.test\", tls: {mode: off}, users: {base: b}}]}":     "tls.mode: is off",
		"identity: {ldap: [{name: a, url: \"ldaps://x.test\", users: {base: b, filter: \"(uid=x)\"}}]}": "does not hold {username}",
		"identity: {ldap: [{name: a, url: \"ldaps://x.test\"}]}":                                        "users.base: is needed",
	} {
		_, err := parse(yaml)
		require.ErrorContains(t, err, complaint, yaml)
	}
}
