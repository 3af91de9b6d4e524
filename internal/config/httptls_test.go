package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHTTPTLS(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cert.pem", "key.pem"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	for yaml, want := range map[string]TLSSource{
		"http: {}":                                                                TLSNone,
		"http: {listen: \"localhost:80\"}":                                        TLSNone,
		"http: {listen: \"[::1]:80\"}":                                            TLSNone,
		"http: {listen: \":8443\"}":                                               TLSSelfSigned,
		"http: {listen: \"0.0.0.0:8443\"}":                                        TLSSelfSigned,
		"http: {listen: \"10.0.0.1:80\"}":                                         TLSSelfSigned,
		"http: {listen: \":80\", tls: {off: true}}":                               TLSNone,
		"http: {listen: \":80\", public_url: \"https://gw.example.com\"}":         TLSNone,
		"http: {listen: \":80\", trusted_proxies: [10.0.0.5]}":                    TLSNone,
		"http: {listen: \":443\", tls: {cert_file: cert.pem, key_file: key.pem}}": TLSFiles,
		"http: {listen: \":443\", public_url: \"https://gw.example.com\", tls: {acme: {domains: [gw.example.com]}}}": TLSACME,
	} {
		cfg, err := Parse([]byte("data_dir: data\n"+yaml), dir, nil)
		require.NoError(t, err, yaml)
		require.Equal(t, want, cfg.HTTP.TLSSource(), yaml)
		require.Equal(t, want != TLSNone, cfg.HTTP.SecureListener(), yaml)
	}
	for yaml, complaint := range map[string]string{
		"tls: {cert_file: cert.pem}":                                                      "needs both cert_file and key_file",
		"tls: {cert_file: no.pem, key_file: key.pem}":                                     "http.tls.cert_file:",
		"tls: {off: true, cert_file: cert.pem, key_file: key.pem}":                        "more than one of files, acme and off",
		"tls: {acme: {domains: [a.example.com]}, cert_file: cert.pem, key_file: key.pem}": "more than one of files, acme and off",
		"tls: {acme: {email: a@example.com}}":                                             "http.tls.acme.domains: is needed",
		"tls: {acme: {domains: [\"*.example.com\"]}}":                                     "is not a host name",
		"tls: {acme: {domains: [a.example.com], directory_url: \"http://ca.test\"}}":      "is not an https URL",
		"tls: {acme: {domains: [a.example.com], ca_file: no.pem}}":                        "http.tls.acme.ca_file:",
		"tls: {acme: {domains: [a.example.com], listen_http: \"80\"}}":                    "is not host:port",
	} {
		_, err := Parse([]byte("data_dir: data\nhttp: {"+yaml+"}"), dir, nil)
		require.ErrorContains(t, err, complaint, yaml)
	}
}
