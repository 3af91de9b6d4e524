package trust

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// The first bundle that holds certificates is what counts; without one, or where the environment names another, it is Go's answer.
func TestSystemRoots(t *testing.T) {
	_, cert := selfSigned(t, "target.test")
	dir := t.TempDir()
	bundle, empty, missing := filepath.Join(dir, "bundle.crt"), filepath.Join(dir, "empty.crt"), filepath.Join(dir, "missing.crt")
	for name, data := range map[string][]byte{
		bundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), empty: []byte("no certificate\n"),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	ours := x509.NewCertPool()
	ours.AddCert(cert)
	for _, c := range []struct {
		name, file, dir string
		bundles         []string
		want            *x509.CertPool
	}{
		{"bundle", "", "", []string{bundle}, ours},
		{"later bundle", "", "", []string{missing, empty, bundle}, ours},
		{"no bundle", "", "", []string{missing, empty}, system},
		{"file named", missing, "", []string{bundle}, system},
		{"folder named", "", dir, []string{bundle}, system},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("SSL_CERT_FILE", c.file)
			t.Setenv("SSL_CERT_DIR", c.dir)
			got, err := systemRoots(c.bundles)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(c.want) {
				t.Errorf("other authorities than wanted")
			}
		})
	}
}
