package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTURN(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cert.pem", "key.pem", "own.pem"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	parse := func(yaml string) (TURN, error) {
		cfg, err := Parse([]byte("data_dir: data\n"+yaml), dir, nil)
		if err != nil {
			return TURN{}, err
		}
		return cfg.TURN, nil
	}
	off, err := parse("")
	require.NoError(t, err)
	require.False(t, off.Enabled())

	on, err := parse("turn: {udp: \":3478\", tcp: \":3478\", public_host: gw.example.com}")
	require.NoError(t, err)
	require.True(t, on.Enabled())
	require.Equal(t, 5*time.Minute, on.CredentialLifetime)

	// What is not said follows from the console's.
	https := "http: {public_url: \"https://gw.example.com:8443\", tls: {cert_file: cert.pem, key_file: key.pem}}\n"
	on, err = parse(https + "turn: {tls: \"0.0.0.0:5349\"}")
	require.NoError(t, err)
	require.Equal(t, "gw.example.com", on.PublicHost)
	require.Equal(t, filepath.Join(dir, "cert.pem"), on.CertFile)
	require.Equal(t, filepath.Join(dir, "key.pem"), on.KeyFile)
	on, err = parse(https + "turn: {tls: \"0.0.0.0:5349\", public_host: \"2001:db8::1\", cert_file: own.pem, key_file: own.pem, relay_only: true}")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "own.pem"), on.CertFile)
	require.Equal(t, "2001:db8::1", on.PublicHost)

	for yaml, complaint := range map[string]string{
		"turn: {relay_only: true}":                                                     "turn.relay_only: needs a relay",
		"turn: {udp: \":3478\"}":                                                       "turn.public_host: is needed",
		"turn: {udp: \":3478\", public_host: \"a b\"}":                                 "neither a host name nor an IP address",
		"turn: {udp: \":3478\", public_host: \"gw?transport=tcp\"}":                    "neither a host name nor an IP address",
		"turn: {udp: \"3478\", public_host: gw}":                                       "turn.udp: \"3478\" is not host:port",
		"turn: {tcp: \":x\", public_host: gw}":                                         "turn.tcp: \":x\" has no port",
		"turn: {tls: \":5349\", public_host: gw}":                                      "turn.tls: needs a certificate",
		"turn: {tls: \":5349\", public_host: gw, cert_file: own.pem}":                  "needs both cert_file and key_file",
		"turn: {tls: \":5349\", public_host: gw, cert_file: no.pem, key_file: no.pem}": "turn.cert_file:",
		"turn: {credential_lifetime: 1s}":                                              "turn.credential_lifetime: 1s is not between",
		"turn: {max_allocations: 0}":                                                   "turn.max_allocations: 0 is not between",
		"turn: {max_allocations_per_user: -1}":                                         "turn.max_allocations_per_user: -1 is not between",
		"turn: {port: 3478}":                                                           "unknown key \"turn.port\"",
	} {
		_, err := parse(yaml)
		require.ErrorContains(t, err, complaint, yaml)
	}

	cfg, err := Parse([]byte("data_dir: data\n"), dir, []string{"VITRINE_TURN_UDP=:3478", "VITRINE_TURN_PUBLIC_HOST=192.0.2.1", "VITRINE_TURN_MAX_ALLOCATIONS_PER_USER=7"})
	require.NoError(t, err)
	require.Equal(t, 7, cfg.TURN.MaxAllocationsPerUser)
}
