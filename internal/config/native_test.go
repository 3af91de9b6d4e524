package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNative(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"c.pem", "k.pem"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	c, err := Parse([]byte("data_dir: d\n"), dir, nil)
	require.NoError(t, err)
	require.Equal(t, NativeAuto, c.Native.Listen)
	require.True(t, c.Native.Enabled())
	c, err = Parse([]byte("data_dir: d\nnative: {listen: '', nla_listen: ':3390', cert_file: c.pem, key_file: k.pem, sign_in_timeout: 1m, public_address: rdp.example.com, nla_public_address: '[2001:db8::1]:3390'}\n"), dir, nil)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "c.pem"), c.Native.CertFile)
	require.Equal(t, time.Minute, c.Native.SignInTimeout)
	c, err = Parse([]byte("data_dir: d\nnative: {listen: ''}\n"), dir, nil)
	require.NoError(t, err)
	require.False(t, c.Native.Enabled())
	for text, want := range map[string]string{
		"{listen: nowhere}":                    "native.listen",
		"{nla_listen: '3390'}":                 "native.nla_listen",
		"{public_address: 'a b'}":              "native.public_address",
		"{cert_file: c.pem}":                   "both cert_file and key_file",
		"{sign_key_file: k.pem}":               "both sign_cert_file and sign_key_file",
		"{cert_file: no.pem, key_file: k.pem}": "native.cert_file",
		"{max_half_open: 0}":                   "native.max_half_open",
		"{handshake_timeout: 1h}":              "native.handshake_timeout",
	} {
		_, err := Parse([]byte("data_dir: d\nnative: "+text+"\n"), dir, nil)
		require.ErrorContains(t, err, want, text)
	}
}
