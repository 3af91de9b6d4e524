package rdpfile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

func signer(t *testing.T, key crypto.Signer) Signer {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "vitrine.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return Signer{Certificate: cert, Key: key}
}

func decode(t *testing.T, file []byte) string {
	require.Equal(t, []byte{0xff, 0xfe}, file[:2])
	var units []uint16
	for b := file[2:]; len(b) > 0; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return string(utf16.Decode(units))
}

// reader takes a file apart as a client does, from its text alone: what was signed, and the CMS message.
func reader(t *testing.T, text string) (signed, cms []byte) {
	values := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		name, rest, ok := strings.Cut(line, ":")
		require.True(t, ok, line)
		values[strings.ToLower(strings.ReplaceAll(name, " ", ""))] = name + ":" + rest
	}
	value := func(name string) string { return strings.SplitN(values[name], ":", 3)[2] }
	for name := range strings.SplitSeq(value("signscope"), ",") {
		line, ok := values[strings.ToLower(strings.ReplaceAll(name, " ", ""))]
		require.True(t, ok, "%s is signed and not there", name)
		signed = append(signed, encode(line+"\r\n")...)
	}
	signed = append(signed, encode(values["signscope"]+"\r\n\x00")...)
	raw, err := base64.StdEncoding.DecodeString(value("signature"))
	require.NoError(t, err)
	require.Equal(t, []byte{1, 0, 1, 0, 1, 0, 0, 0}, raw[:8])
	require.EqualValues(t, len(raw)-12, binary.LittleEndian.Uint32(raw[8:]))
	return signed, raw[12:]
}

// openssl checks a signature with a program that knows nothing of ours.
func openssl(t *testing.T, by Signer, signed, cms []byte) error {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	ca := write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.Certificate.Raw}))
	out, err := exec.Command("openssl", "cms", "-verify", "-binary", "-purpose", "any", "-inform", "DER", "-in", write("sig.der", cms),
		"-content", write("text", signed), "-CAfile", ca, "-out", filepath.Join(dir, "out")).CombinedOutput()
	t.Logf("%s", out)
	if err == nil {
		got, err := os.ReadFile(filepath.Join(dir, "out"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(signed, got))
	}
	return err
}

var settings = Settings{Address: "vitrine.example.com:3389", Username: "älice", Shell: "abcdefgh234567", Width: 1280, Height: 800}

func TestSigned(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{"rsa": rsaKey, "ecdsa": ecKey} {
		t.Run(name, func(t *testing.T) {
			by := signer(t, key)
			file, err := Sign(settings, by)
			require.NoError(t, err)
			text := decode(t, file)
			signed, cms := reader(t, text)
			require.NoError(t, openssl(t, by, signed, cms))
			for _, change := range [][2]string{
				{"full address:s:vitrine.example.com:3389\r\nalternate", "full address:s:vitrine.example.com:3388\r\nalternate"},
				{"redirectdrives:i:0", "redirectdrives:i:1"},
				{"alternate shell:s:a", "alternate shell:s:b"},
				{",RedirectDrives", ""},
			} {
				changed := strings.Replace(text, change[0], change[1], 1)
				require.NotEqual(t, text, changed)
				signed, cms := reader(t, changed)
				require.Error(t, openssl(t, by, signed, cms), change[0])
			}
			cms[len(cms)-1] ^= 1
			require.Error(t, openssl(t, by, signed, cms), "another signature")
		})
	}
}

func TestSettings(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	by := signer(t, key)
	file, err := Sign(settings, by)
	require.NoError(t, err)
	text := decode(t, file)
	for _, line := range []string{
		"username:s:älice", "alternate shell:s:abcdefgh234567", "enablecredsspsupport:i:0", "prompt for credentials:i:0", "redirectclipboard:i:0",
		"screen mode id:i:1", "desktopwidth:i:1280", "desktopheight:i:800", "gatewayusagemethod:i:0", "audiomode:i:2", "authentication level:i:2",
	} {
		require.Contains(t, text, line+"\r\n")
	}
	file, err = Sign(Settings{Address: "[::1]:3390", Username: "v-abc", NLA: true, Clipboard: true}, by)
	require.NoError(t, err)
	text = decode(t, file)
	require.NotContains(t, text, "alternate shell")
	for _, line := range []string{"enablecredsspsupport:i:1", "prompt for credentials:i:1", "redirectclipboard:i:1", "screen mode id:i:2"} {
		require.Contains(t, text, line+"\r\n")
	}
	_, err = Sign(Settings{Address: "a:1", Username: "alice\r\nredirectdrives:i:1"}, by)
	require.ErrorIs(t, err, ErrText)
}
